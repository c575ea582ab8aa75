"""Makes the pictures of the README from a recording of real builds: `make screenshots`."""

import asyncio
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from core.machine import Machine  # noqa: E402
from core.paths import Paths  # noqa: E402
from core.record import unpack  # noqa: E402
from core.replay import Replay  # noqa: E402
from tui.app import DeckApp  # noqa: E402
from tui.screens.board import BoardScreen  # noqa: E402
from tui.source import Deck  # noqa: E402

RECORDING = HERE.parent / "tests" / "journals" / "demo.deckrec"
SHOTS = (  # name, columns, lines, seconds into the recording, theme
    ("board", 120, 40, 8.0, "deck-dark"),
    ("narrow", 80, 24, 8.0, "deck-dark"),
    ("light", 120, 40, 8.0, "deck-light"),
    ("wide", 200, 60, 12.0, "deck-dark"),
)


MACHINE = Machine(
    cores=16, memory_bytes=64 << 30, cargo="1.95.0", toolchains=("stable-x86_64-unknown-linux-gnu",),
    linkers=("mold", "ld.lld", "ld"), nvcc="/usr/local/cuda/bin/nvcc",
)  # fmt: skip


async def shoot(name: str, columns: int, lines: int, seconds: float, theme: str) -> None:
    """One picture of the board as it was so long after the first start."""
    with tempfile.TemporaryDirectory() as folder:
        paths, runs = unpack(str(RECORDING), folder)
        clock = [0.0]
        replay = Replay(paths, runs, lambda: clock[0])
        clock[0] = seconds
        deck = Deck(replay, paths, clock=replay.now, request=lambda message: message, theme=theme)
        await keep(DeckApp(deck, is_pulling=False), name, (columns, lines))


async def shoot_empty() -> None:
    """The board of somebody who has not built yet."""
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(folder, folder + "/cache")
        deck = Deck(Replay(paths, (), lambda: 0.0), paths, clock=lambda: 0.0, request=lambda message: message)
        await keep(DeckApp(deck, is_pulling=False), "empty", (80, 24))


async def keep(app: DeckApp, name: str, size: tuple[int, int]) -> None:
    """Write down what an app shows."""
    async with app.run_test(size=size) as pilot:
        if isinstance(app.screen, BoardScreen):
            app.screen.tell(MACHINE)
        await pilot.pause()
        svg = app.export_screenshot(title="cargo deck")
    (HERE / f"{name}.svg").write_text(svg, encoding="utf-8")
    print(HERE / f"{name}.svg")


def main() -> None:
    """Make all of them."""
    for shot in SHOTS:
        asyncio.run(shoot(*shot))
    asyncio.run(shoot_empty())


if __name__ == "__main__":
    main()
