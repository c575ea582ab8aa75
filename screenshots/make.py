"""Makes the pictures of the README from a recording of real builds: `make screenshots`."""

import asyncio
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from core.record import unpack  # noqa: E402
from core.replay import Replay  # noqa: E402
from tui.app import DeckApp  # noqa: E402
from tui.source import Deck  # noqa: E402

RECORDING = HERE.parent / "tests" / "journals" / "demo.deckrec"
SHOTS = (  # name, columns, lines, seconds into the recording, theme
    ("board", 120, 40, 8.0, "deck-dark"),
    ("narrow", 80, 24, 8.0, "deck-dark"),
    ("light", 120, 40, 8.0, "deck-light"),
    ("wide", 200, 60, 12.0, "deck-dark"),
)


async def shoot(name: str, columns: int, lines: int, seconds: float, theme: str) -> None:
    """One picture of the board as it was so long after the first start."""
    with tempfile.TemporaryDirectory() as folder:
        paths, runs = unpack(str(RECORDING), folder)
        clock = [0.0]
        replay = Replay(paths, runs, lambda: clock[0])
        clock[0] = seconds
        deck = Deck(replay, paths, clock=replay.now, request=lambda message: message, theme=theme)
        app = DeckApp(deck, is_pulling=False)
        async with app.run_test(size=(columns, lines)) as pilot:
            await pilot.pause()
            svg = app.export_screenshot(title="cargo deck")
        (HERE / f"{name}.svg").write_text(svg, encoding="utf-8")
        print(HERE / f"{name}.svg")


def main() -> None:
    """Make all of them."""
    for shot in SHOTS:
        asyncio.run(shoot(*shot))


if __name__ == "__main__":
    main()
