"""Bells and notifications: off by default, only for what ends now, never with anything a terminal would obey."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from core import events as e
from core.state import Board, Run, RunState
from tests.tui.conftest import Stage
from tui.app import DeckApp
from tui.config import Settings
from tui.notice import BELL, Ended, Watch, sequences


def in_state(stage: Stage, state: RunState) -> Run:
    return next(run for run in stage.board.runs.values() if run.state is state)


def end(stage: Stage, run: Run, state: RunState) -> Run:
    over = replace(run, state=state, ended_at=stage.now)
    stage.board = Board(MappingProxyType({**stage.board.runs, run.run: over}), stage.now, stage.now)
    return over


def listening(stage: Stage, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> tuple[DeckApp, list[str]]:
    app = stage.app()
    app.preferences.settings = settings
    sent: list[str] = []
    monkeypatch.setattr(app, "_send", sent.append)
    return app, sent


def test_what_ended_before_is_no_news_and_what_ends_is_told_once(stage: Stage) -> None:
    watch = Watch(stage.now)
    assert list(watch.ended(stage.board)) == []
    live = in_state(stage, RunState.BUILDING)
    over = end(stage, live, RunState.DONE)
    assert list(watch.ended(stage.board)) == [Ended(over)]
    assert list(watch.ended(stage.board)) == []


@pytest.mark.parametrize(
    ("bell", "osc9", "state", "sent"),
    [
        ("never", "never", RunState.FAILED, ""),
        ("failure", "never", RunState.FAILED, BELL),
        ("failure", "failure", RunState.DONE, ""),
        ("end", "never", RunState.DONE, BELL),
        ("never", "end", RunState.DONE, "\x1b]9;cargo deck: claude-1: test -p engine done\x07"),
        ("failure", "failure", RunState.LOST, BELL + "\x1b]9;cargo deck: claude-1: test -p engine lost\x07"),
    ],
)
def test_what_is_sent_is_what_was_asked_for(stage: Stage, bell: str, osc9: str, state: RunState, sent: str) -> None:
    run = replace(in_state(stage, RunState.BUILDING), agent="claude-1", command="test -p engine", state=state)
    assert sequences(Ended(run), bell=bell, osc9=osc9, is_in_tmux=False) == sent  # type: ignore[arg-type]


def test_a_stop_that_was_asked_for_is_no_failure(stage: Stage) -> None:
    run = replace(in_state(stage, RunState.BUILDING), state=RunState.KILLED)
    assert Ended(run).is_failure
    assert not Ended(replace(run, stop=e.StopAsked(stage.now, "request", True))).is_failure


def test_hostile_names_reach_no_terminal(stage: Stage) -> None:
    run = replace(
        in_state(stage, RunState.BUILDING), agent="a\x07\x1b]52;c;aGk=\x07", command="x\x9c\x1b\\" + "y" * 999
    )
    sent = sequences(Ended(run), bell="never", osc9="end", is_in_tmux=False)
    body = sent.removeprefix("\x1b]9;").removesuffix("\x07")
    assert len(body) <= 200
    assert not [c for c in body if ord(c) < 32 or 0x7F <= ord(c) < 0xA0]


def test_tmux_hands_it_on(stage: Stage) -> None:
    run = replace(in_state(stage, RunState.BUILDING), agent="a", command="b", state=RunState.DONE)
    sent = sequences(Ended(run), bell="never", osc9="end", is_in_tmux=True)
    assert sent == "\x1bPtmux;\x1b\x1b]9;cargo deck: a: b done\x07\x1b\\"


async def test_an_open_board_rings_for_a_failure_of_now(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    app, sent = listening(stage, Settings(bell="failure"), monkeypatch)
    async with app.run_test(size=(80, 24)):
        app.pull()
        assert sent == []
        end(stage, in_state(stage, RunState.BUILDING), RunState.FAILED)
        app.pull()
        app.pull()
        assert sent == [BELL]


async def test_by_default_nothing_rings(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    app, sent = listening(stage, Settings(), monkeypatch)
    async with app.run_test(size=(80, 24)):
        end(stage, in_state(stage, RunState.BUILDING), RunState.FAILED)
        app.pull()
        assert sent == []
