"""How logs look, at the sizes that people have."""

from typing import Any

import pytest
from textual.pilot import Pilot

from tests.tui.conftest import Stage
from tests.tui.sizes import PICTURED
from tests.tui.test_logs import until_searched
from tui.widgets.log_panel import LogPanel

SEARCH = ("g", "slash", *"serde")
VIEWS: dict[str, tuple[str, ...]] = {
    "log": ("1", "enter", "i"),
    "search": ("1", "enter", *SEARCH),
    "all-logs": ("f2", "g", "t"),
    "found": ("f2", *SEARCH, "enter", "L"),
}


@pytest.mark.parametrize("size", PICTURED, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("view", VIEWS)
def test_the_screen_looks_as_it_did(view: str, size: tuple[int, int], stage: Stage, snap_compare: Any) -> None:
    async def press(pilot: Pilot[None]) -> None:
        for key in VIEWS[view]:
            if key == "enter":
                await _until_still(pilot)
            await pilot.press(key)
        await _until_still(pilot)
        for panel in pilot.app.screen.query(LogPanel):
            assert panel._source is not None
            panel._source = panel._source._replace(path="")  # it lies elsewhere each time
            panel.say()
        await pilot.pause()

    assert snap_compare(stage.app(), terminal_size=size, run_before=press)


async def _until_still(pilot: Pilot[Any]) -> None:
    if pilot.app.screen.query("LogPanel"):
        await until_searched(pilot)
    for _ in range(3):  # what a thread looked up may call for another look
        await pilot.app.workers.wait_for_complete()
        pilot.app.pull()  # type: ignore[attr-defined]
        await pilot.pause()
