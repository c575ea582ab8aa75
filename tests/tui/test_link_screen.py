"""The page of one link, while it is under way and after it."""

from dataclasses import replace
from types import MappingProxyType

from core.memory_queries import link_rows
from tests.scene import T0
from tests.tui.conftest import Stage
from tests.tui.link_scene import link_end, with_events, with_links
from tests.tui.screen_text import text_of
from tui.link_words import page
from tui.screens.link import LinkScreen
from tui.screens.memory import MemoryScreen
from tui.widgets.text_view import Frame


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


def test_a_link_that_was_cut_short_says_where_its_peak_is_from(stage: Stage) -> None:
    cut = link_end(T0 + 1, "7-1", "cut(bin)", 640_000_000, is_sampled=True, code=None, cpu_s=None, output_bytes=None)
    row = next(row for row in link_rows(with_events(stage.board, "claude-1", [cut])) if row.unit == "cut(bin)")
    lines = " ".join(line.text for line in page(row, (), (), T0 + 9) if isinstance(line, Frame))
    assert "≈640 M   anonymous memory of its processes, the largest sample" in lines
    assert "as its driver was told" in lines


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
