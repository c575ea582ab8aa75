from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from core.state import Board, RunState
from tests.tui.conftest import Stage
from tests.tui.screen_text import text_of
from tui.screens.board import BoardScreen
from tui.screens.run import RunScreen
from tui.widgets.pane_grid import PaneGrid


async def test_every_agent_has_a_pane_with_its_state_and_command(stage: Stage) -> None:
    async with stage.app().run_test(size=(120, 40)) as pilot:
        shown = text_of(pilot)
        for run in stage.board.runs.values():
            assert run.agent in shown
            assert str(run.state) in shown
            assert run.command[:12] in shown


async def test_a_failed_pane_shows_its_first_error_and_a_waiting_one_says_for_what(stage: Stage) -> None:
    runs = stage.board.runs.values()
    assert {RunState.FAILED, RunState.WAITING} <= {run.state for run in runs}
    async with stage.app().run_test(size=(120, 40)) as pilot:
        shown = text_of(pilot)
        assert "error[E0308]: mismatched types" in shown
        waiting = next(run for run in runs if run.state is RunState.WAITING)
        assert "waits for" in shown
        assert (waiting.waits_for or "?") in shown


async def test_nothing_is_painted_when_nothing_changed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        painted: list[object] = []

        def refresh(grid: PaneGrid, *regions: object, **_: object) -> PaneGrid:
            painted.append(regions)
            return grid

        monkeypatch.setattr(PaneGrid, "refresh", refresh)
        for _ in range(5):
            app.pull()
            await pilot.pause()
        assert painted == []
        stage.now += 1
        app.pull()
        assert painted


async def test_keys_move_the_highlight_open_a_log_and_come_back(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("3")
        chosen = app.chosen
        assert chosen is not None
        assert chosen.run == list(stage.board.runs)[2]
        await pilot.press("enter")
        assert isinstance(app.screen, RunScreen)
        assert chosen.agent in text_of(pilot)
        await pilot.press("escape")
        assert isinstance(app.screen, BoardScreen)


async def test_the_attention_key_goes_to_those_that_need_somebody(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        seen = set()
        for _ in range(3):
            await pilot.press("exclamation_mark")
            assert app.chosen is not None
            seen.add(app.chosen.state)
        assert seen <= {RunState.FAILED, RunState.WAITING, RunState.LOST, RunState.KILLED}


async def test_stop_is_said_at_once_and_asked_of_the_engine(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        live = next(i for i, run in enumerate(stage.board.runs.values(), 1) if not run.state.is_over)
        await pilot.press(str(live), "x")
        await app.workers.wait_for_complete()
        assert [message["do"] for message in stage.asked] == ["stop"]
        assert "stopping" in text_of(pilot)


async def test_kill_asks_first(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        live = next(i for i, run in enumerate(stage.board.runs.values(), 1) if not run.state.is_over)
        await pilot.press(str(live), "X")
        assert stage.asked == []
        await pilot.press("y")
        await app.workers.wait_for_complete()
        assert stage.asked[0]["kill"] is True


async def test_leaving_leaves_the_builds_alone(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("q")
    assert stage.asked == []
    assert app.return_value == "key"


async def test_hostile_names_are_text(stage: Stage) -> None:
    name, run = next(iter(stage.board.runs.items()))
    hostile = replace(run, command="build [bold]x[/bold] \x1b]52;c;aGk=\x07 \x9b31m", run=name)
    stage.board = Board(MappingProxyType({**stage.board.runs, name: hostile}), stage.board.now, stage.board.now)
    async with stage.app().run_test(size=(200, 60)) as pilot:
        shown = text_of(pilot)
        assert "[bold]x[/bold]" in shown
        assert not [c for c in shown if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0]


async def test_an_empty_board_says_how_to_begin(stage: Stage) -> None:
    stage.board = Board(now=stage.now)
    async with stage.app().run_test(size=(80, 24)) as pilot:
        assert "No builds yet." in text_of(pilot)
        assert "cargo deck demo" in text_of(pilot)


@pytest.mark.parametrize("size", [(40, 20), (80, 24), (120, 40), (200, 60)])
def test_the_board_looks_as_it_did(stage: Stage, size: tuple[int, int], snap_compare: Any) -> None:
    assert snap_compare(stage.app(), terminal_size=size)
