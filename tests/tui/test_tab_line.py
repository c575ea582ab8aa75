"""The first line of a screen that has no room for all of it."""

from typing import Any

import pytest
from textual.pilot import Pilot

from core.load import Load
from tests.tui.conftest import Stage
from tests.tui.screen_text import text_of
from tui.tabs import TABS
from tui.widgets.tab_line import TabLine

BUSY = Load(1.0, 14_200_000_000, 24_000_000_000, (0.5,) * 8, (0.5,) * 8)


def first_line(pilot: Pilot[Any]) -> str:
    return text_of(pilot).split("\n")[0].rstrip()


async def test_the_lit_tab_is_seen_in_a_narrow_terminal(stage: Stage) -> None:
    async with stage.app().run_test(size=(40, 20)) as pilot:
        assert first_line(pilot) == " deck Board Logs Memory Locks Cache"
        await pilot.press("f5")
        await pilot.pause()
        assert first_line(pilot) == " deck Memory Locks Cache Kernels History"


@pytest.mark.parametrize("width", [80, 88, 100, 120, 200])
async def test_all_tabs_and_the_machine_have_room_from_80_columns_on(stage: Stage, width: int) -> None:
    async with stage.app().run_test(size=(width, 24)) as pilot:
        pilot.app.screen.query_one(TabLine).show(BUSY)
        await pilot.pause()
        shown = first_line(pilot)
        assert all(tab.word in shown for tab in TABS)
        assert "100 %" in shown
        assert "14.2/24 G" in shown
        assert (" deck   Board" in shown) == (width >= 88)


async def test_tabs_stay_where_they_are_when_figures_come_and_go(stage: Stage) -> None:
    async with stage.app().run_test(size=(96, 24)) as pilot:
        line = pilot.app.screen.query_one(TabLine)
        line.show(None)
        await pilot.pause()
        before = first_line(pilot)
        line.show(BUSY, stage.board)
        await pilot.pause()
        assert first_line(pilot).startswith(before)
