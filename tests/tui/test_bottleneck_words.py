"""What holds a build up, on its pane and on the machine's strip."""

from dataclasses import replace
from types import MappingProxyType

import pytest
from rich.style import Style

from core import events as e
from core.load import Load
from core.state import RunState
from tests.tui.conftest import Stage
from tests.tui.screen_text import text_of
from tui.app import DeckApp
from tui.widgets import words
from tui.widgets.look import UNICODE, make_look
from tui.widgets.pane import PaneView, draw
from tui.widgets.tab_line import TabLine

GIB = 10**9
CPU = e.BottleneckFound(1.0, "cpu", "all 2 cores are busy (97 %): it uses ≈0.7, others ≈1.3")
LOAD = Load(0.5, 8 * GIB, 24 * GIB, (0.4, 0.5), (0.3, 0.3))


def hold_up(stage: Stage, found: e.BottleneckFound) -> None:
    """All builds of the board that live are held up so."""
    runs = {
        name: run if run.state.is_over else replace(run, bottleneck=found) for name, run in stage.board.runs.items()
    }
    stage.board = replace(stage.board, runs=MappingProxyType(runs))


async def test_the_word_stands_by_the_state_and_its_figures_above_the_log(stage: Stage) -> None:
    hold_up(stage, CPU)
    async with stage.app().run_test(size=(200, 60)) as pilot:
        shown = text_of(pilot)
        assert " cpu building " in shown
        assert "cpu: all 2 cores are busy (97 %): it uses ≈0.7, others ≈1.3" in shown
        assert "cpu waiting" not in shown
        assert "cpu failed" not in shown


def test_without_room_the_word_gives_way_to_the_command_as_a_whole(stage: Stage) -> None:
    run = replace(next(iter(stage.board.runs.values())), bottleneck=CPU, agent="somebody-or-other")
    view = PaneView(1, run, 0, (), None, None, run.started_at, is_selected=False)
    look = make_look(UNICODE, lambda _: Style.null())
    titles = [draw(view, width, 3, look)[0].text for width in range(80, 40, -1)]
    has_word = [" cpu building " in title for title in titles]
    assert has_word == sorted(has_word, reverse=True)
    assert set(has_word) == {True, False}
    assert all(" test -p" in title for title in titles)
    assert not [title for title, is_whole in zip(titles, has_word, strict=True) if not is_whole and " c" in title]


@pytest.mark.parametrize("state", [RunState.WAITING, RunState.DONE, RunState.FAILED])
def test_a_state_that_says_it_needs_no_word(stage: Stage, state: RunState) -> None:
    run = replace(next(iter(stage.board.runs.values())), bottleneck=CPU, state=state)
    assert (words.held_up(run), words.evidence(run)) == ("", "")


def cells(stage: Stage, load: Load = LOAD) -> dict[str, tuple[str, str]]:
    """Figure and role of each part of the strip, by its first word."""
    parts = TabLine(UNICODE, "board", "")._machine(load, stage.board)
    return {
        label.text.split()[0]: (figure.text.strip(), figure.role)
        for label, figure in zip(parts[::2], parts[1::2], strict=True)
    }


def sampled(stage: Stage, *, total: int = 24 * GIB, busy: float | None = 0.4) -> None:
    sample = e.MachineSampled(stage.now, 0.5, total, 1 * GIB, 0, 0, 0, 0, (), (("/t", 1, 2, busy),))
    stage.board = replace(stage.board, host=replace(stage.board.host, sample=sample))


def test_the_strip_shows_cores_and_memory_where_nothing_else_is_known(stage: Stage) -> None:
    stage.board = replace(stage.board, runs=MappingProxyType({}))
    assert cells(stage) == {"cpu": ("50 %", "number"), "mem": ("8.0/24 G", "number")}


def test_a_cell_lights_up_when_it_limits_a_build(stage: Stage) -> None:
    sampled(stage)
    assert cells(stage)["disk"] == ("40 %", "number")
    for word, cell in (("cpu", "cpu"), ("memory", "mem"), ("disk", "disk")):
        hold_up(stage, e.BottleneckFound(1.0, word, ""))  # type: ignore[arg-type]
        assert {name for name, (_, role) in cells(stage).items() if role == "waiting"} == {cell, "lock"}
    assert cells(stage)["lock"] == ("1 wait", "waiting")


def test_a_disk_that_is_not_known_has_no_cell(stage: Stage) -> None:
    sampled(stage, busy=None)
    assert "disk" not in cells(stage)


def test_memory_is_that_of_the_group_around_the_builds_where_it_has_less(stage: Stage) -> None:
    sampled(stage, total=4 * GIB)
    assert cells(stage)["mem"] == ("3.0/4 G", "number")


def test_an_old_sample_is_not_shown(stage: Stage) -> None:
    sampled(stage, total=4 * GIB)
    stage.board = replace(stage.board, now=stage.now + 60)
    assert cells(stage)["mem"] == ("8.0/24 G", "number")
    assert "disk" not in cells(stage)


async def test_a_line_of_eighty_cells_tells_cores_and_memory_without_their_graphs(stage: Stage) -> None:
    load = Load(0.42, 4_000_000_000, 24_000_000_000, (0.4,) * 8, (0.2,) * 8)
    app = DeckApp(replace(stage.app().deck, load=lambda: load), is_pulling=False)
    async with app.run_test(size=(80, 24)) as pilot:
        stage.now += 1
        app.pull()
        await pilot.pause()
        assert text_of(pilot).split("\n")[0].rstrip().endswith("History  cpu  42 %  mem    4.0/24 G")


async def test_the_graph_of_the_memory_gives_way_before_that_of_the_cores(stage: Stage) -> None:
    load = Load(0.42, 4_000_000_000, 24_000_000_000, (0.4,) * 8, (0.2,) * 8)
    app = DeckApp(replace(stage.app().deck, load=lambda: load), is_pulling=False)
    async with app.run_test(size=(113, 24)) as pilot:
        for _ in range(2):
            stage.now += 1
            app.pull()
            await pilot.pause()
        assert text_of(pilot).split("\n")[0].rstrip().endswith("lock 1 wait   cpu ▄▄▄▄▄▄▄▄  42 %   mem    4.0/24 G")
