"""The page of one link, while it is under way and after it."""

from dataclasses import replace
from types import MappingProxyType

from tests.scene import T0
from tests.tui.conftest import Stage
from tests.tui.link_scene import link_end, with_events, with_links
from tests.tui.screen_text import text_of
from tui.screens.link import LinkScreen
from tui.screens.memory import MemoryScreen


async def test_a_link_that_ended_just_before_another_one_of_its_file_is_not_under_way_for_ever(stage: Stage) -> None:
    stage.board = with_links(stage.board)
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("f3")
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, MemoryScreen)
        assert screen.table.select(next(row.key for row in screen.table.rows if "5-5" in row.key))
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, LinkScreen)
        assert "so far; began" in text_of(pilot)
        output = "/home/ada/src/claude-1/target/debug/deps/engine-77"
        first = link_end(T0 + 60.2, "5-5", "engine(test)", 1_300_000_000, output=output)
        later = link_end(T0 + 60.9, "5-9", "engine(test)", 1_000_000_000, output=output)
        stage.board = with_events(stage.board, "claude-1", [first, later])
        stage.now += 1
        app.pull()
        await pilot.pause()
        shown = text_of(pilot)
        assert "so far" not in shown
        assert "1.3 G   largest of its processes, by wait4" in shown


async def test_links_are_listed_anew_when_one_came_and_not_each_second(stage: Stage) -> None:
    stage.board = with_links(stage.board)
    over = next(run for run in stage.board.runs.values() if run.links)
    stage.board = replace(stage.board, runs=MappingProxyType({**stage.board.runs, over.run: replace(over, links=())}))
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("f3")
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, MemoryScreen)
        rows = screen.table.rows
        stage.now += 1
        app.pull()
        assert screen.table.rows is rows
        stage.board = with_events(stage.board, "claude-2", [link_end(T0 + 60, "9-9", "late(bin)", 500_000_000)])
        stage.now += 1
        app.pull()
        assert any("9-9" in row.key for row in screen.table.rows)
