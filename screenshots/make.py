"""Makes the pictures of the README from recordings of real builds: `make screenshots`."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from textual.pilot import Pilot

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from core.machine import Machine  # noqa: E402
from core.paths import Paths  # noqa: E402
from core.record import unpack  # noqa: E402
from core.replay import Replay  # noqa: E402
from tui.app import DeckApp  # noqa: E402
from tui.source import Deck  # noqa: E402
from tui.widgets.log_panel import LogPanel  # noqa: E402

STATE = "~/.local/state/cargo-deck"
JOURNALS = HERE.parent / "tests" / "journals"
DEMO, KERNELS = JOURNALS / "demo.deckrec", JOURNALS / "kernels.deckrec"
BUSY_S = 8.0
"""Into the recording: four agents, one has failed, one waits."""
LAST_S = 70.0
"""All of it is over."""
COMPILING_S = 56.0
"""Into the recording of kernels: an edit made some worse, another one is compiled for six archs."""


class Shot(NamedTuple):
    """A picture."""

    name: str
    columns: int
    rows: int
    keys: tuple[str, ...] = ()
    seconds: float = BUSY_S
    theme: str = "deck-dark"
    recording: Path = DEMO


SHOTS = (
    Shot("board", 120, 40),
    Shot("run", 160, 44, ("4", "enter")),
    Shot("search", 120, 34, ("1", "enter", "i", "slash", *"compiling", "enter"), 14.0),
    Shot("all-logs", 120, 40, ("f2", "slash", *"error", "enter", "L"), 14.0),
    Shot("memory", 120, 40, ("f3",), 30.0),
    Shot("locks", 120, 30, ("f4",)),
    Shot("cache", 120, 40, ("f5",), LAST_S),
    Shot("kernels", 120, 36, ("f6",), COMPILING_S, recording=KERNELS),
    Shot("nvcc", 100, 16, (), COMPILING_S, recording=KERNELS),
    Shot("narrow", 40, 24),
    Shot("light", 120, 40, theme="deck-light"),
    Shot("wide", 200, 60, seconds=12.0),
)
MACHINE = Machine(
    cores=16, memory_bytes=64 << 30, cargo="1.95.0", toolchains=("stable-x86_64-unknown-linux-gnu",),
    linkers=("mold", "ld.lld", "ld"), nvcc="/usr/local/cuda/bin/nvcc",
)  # fmt: skip


async def shoot(shot: Shot) -> None:
    """One picture of the dashboard as it was so long after the first start."""
    with tempfile.TemporaryDirectory() as folder:
        paths, runs = unpack(str(shot.recording), folder)
        clock = [0.0]
        replay = Replay(paths, runs, lambda: clock[0])
        clock[0] = shot.seconds
        deck = Deck(
            replay, paths, clock=replay.now, request=lambda message: message, theme=shot.theme, is_recording=True
        )
        await keep(DeckApp(deck, is_pulling=False), shot)


async def shoot_empty() -> None:
    """The board of somebody who has not built yet."""
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(folder, folder + "/cache")
        deck = Deck(Replay(paths, (), lambda: 0.0), paths, clock=lambda: 0.0, request=lambda message: message)
        await keep(DeckApp(deck, is_pulling=False), Shot("empty", 80, 24))


async def keep(app: DeckApp, shot: Shot) -> None:
    """Write down what an app shows after some keys."""
    app.machine = MACHINE
    async with app.run_test(size=(shot.columns, shot.rows)) as pilot:
        for key in shot.keys:
            await pilot.press(key)
            await settle(app, pilot)
        for panel in app.screen.query(LogPanel):
            if panel._source is not None and panel._source.path:
                panel._source = panel._source._replace(path=panel._source.path.replace(app.deck.paths.state, STATE))
        await settle(app, pilot)
        svg = app.export_screenshot(title="cargo deck")
    (HERE / f"{shot.name}.svg").write_text(svg, encoding="utf-8")
    print(HERE / f"{shot.name}.svg")


async def settle(app: DeckApp, pilot: Pilot[Any]) -> None:
    """Wait until what a key began is done."""
    for _ in range(3):
        await app.workers.wait_for_complete()
        app.pull()
        await pilot.pause(0.05)


def main() -> None:
    """Make all of them, or those that are named."""
    wanted = sys.argv[1:]
    for shot in SHOTS:
        if not wanted or shot.name in wanted:
            asyncio.run(shoot(shot))
    if not wanted or "empty" in wanted:
        asyncio.run(shoot_empty())


if __name__ == "__main__":
    main()
