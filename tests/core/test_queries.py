from dataclasses import replace
from types import MappingProxyType

import pytest

from core import events as e
from core import queries
from core.reduce import reduce_run
from core.state import Board, Run, RunState


def run_of(agent: str, name: str, *events: e.Event, target: str = "/w/target", at: float = 0.0) -> Run:
    started = e.RunStarted(at, name, agent, "build", "cargo", "build", "/w", "/w", target, False, False, False)
    run = reduce_run(None, [started, *events])
    assert run is not None
    return run


def board(*runs: Run) -> Board:
    return Board(MappingProxyType({run.run: run for run in runs}), now=100.0)


ENDED = e.RunEnded(9.0, 0, None, 9.0, 1.0, 1.0, 1, None)


def test_a_pane_is_an_agents_newest_live_run() -> None:
    panes = queries.panes(board(run_of("b", "1"), run_of("a", "2"), run_of("b", "3"), run_of("a", "4", ENDED)))
    assert [(p.agent, p.run.run, p.others) for p in panes] == [("b", "3", 1), ("a", "2", 0)]


def test_a_waiting_run_names_the_holder_of_the_same_target_dir() -> None:
    holder = run_of("claude-1", "1")
    other = run_of("x", "0", target="/elsewhere/target")
    waiting = run_of("claude-2", "2", e.LockWaitBegan(69.0, "build directory"))
    text = queries.waits_text(board(other, holder, waiting), waiting, 100.0)
    assert text == "waits for claude-1's build · build directory lock · 31 s"


def test_without_a_known_holder_the_lock_is_named() -> None:
    waiting = run_of("a", "1", e.LockWaitBegan(99.0, "package cache"))
    assert queries.waits_text(board(waiting), waiting, 100.0) == "waits for the package cache lock · 1 s"
    assert queries.waits_on(board(waiting), run_of("a", "2")) is None


def test_an_estimate_is_the_remaining_work_over_the_observed_speed() -> None:
    typical = e.TypicalRecalled(0.0, 20.0, (("a", 10.0), ("b", 10.0), ("c", 20.0)), 3)
    run = run_of("x", "1", typical, e.ProgressMoved(1.0, 0, 3, ("a", "b"), "units"))
    run = replace(run, finished_s=MappingProxyType({"a": 5.0, "b": 5.0}), in_flight=(), units_done=2)
    assert queries.eta_s(run, 10.0) == pytest.approx(20.0 / 2.0)


def test_an_estimate_is_unknown_without_history_and_never_negative() -> None:
    assert queries.eta_s(run_of("x", "1"), 5.0) is None
    overdue = run_of("x", "1", e.TypicalRecalled(0.0, 3.0, (), 1))
    assert queries.eta_s(overdue, 50.0) == 0.0
    assert queries.eta_s(run_of("x", "1", e.TypicalRecalled(0.0, 3.0, (), 1), ENDED), 5.0) is None


def test_who_needs_somebody() -> None:
    failed = run_of("x", "1", e.RunEnded(1.0, 101, None, 1.0, 1.0, 1.0, 1, None))
    stopped = run_of("x", "2", e.RunEnded(1.0, None, 9, 1.0, 1.0, 1.0, 1, "request", is_killed=True))
    crashed = run_of("x", "3", e.RunEnded(1.0, None, 11, 1.0, 1.0, 1.0, 1, None))
    assert failed.state is RunState.FAILED
    assert [queries.needs_attention(run) for run in (failed, stopped, crashed, run_of("x", "4"))] == [
        True, False, True, False,
    ]  # fmt: skip


def test_who_is_past_its_build_or_in_another_profile_holds_no_lock() -> None:
    testing = run_of("tests", "1", e.BuildFinished(50.0, True))
    release = replace(run_of("release", "2"), command="build --release -p x")
    debug = run_of("debug", "3")
    waiting = run_of("b", "4", e.LockWaitBegan(69.0, "build directory"))
    assert queries.holder_of(board(testing, release, debug, waiting), waiting) is debug
    assert queries.holder_of(board(testing, release, waiting), waiting) is release
    assert queries.holder_of(board(testing, waiting), waiting) is None


@pytest.mark.parametrize(
    ("command", "folder"),
    [("build --profile=dev", "debug"), ("test --profile dist", "dist"), ("run -r", "release"), ("run -- -r", "debug")],
)
def test_a_holder_builds_with_the_same_profile(command: str, folder: str) -> None:
    others = [replace(run_of(name, name), command=f"build --profile {name}") for name in ("debug", "dist", "release")]
    waiting = replace(run_of("w", "z", e.LockWaitBegan(69.0, "artifact directory")), command=command)
    holder = queries.holder_of(board(*others, waiting), waiting)
    assert holder is not None
    assert holder.agent == folder


def test_crates_that_may_be_fresh_count_in_proportion() -> None:
    typical = e.TypicalRecalled(0.0, 100.0, tuple((f"c{n}", 1.0) for n in range(100)), 5)
    run = run_of("x", "1", typical, e.ProgressMoved(1.0, 90, 100, ("c90", "c91"), "units"))
    assert queries.eta_s(run, 1.0) == pytest.approx(2.0 + 8.0)


def test_an_estimate_ends_with_the_units() -> None:
    typical = e.TypicalRecalled(0.0, 20.0, (("a", 10.0),), 3)
    assert queries.eta_s(run_of("x", "1", typical, e.ProgressMoved(1.0, 3, 3, (), "units")), 4.0) == 0.0
    assert queries.eta_s(run_of("x", "1", typical, e.BuildFinished(2.0, True)), 4.0) is None


def test_elapsed_time_never_runs_backwards() -> None:
    assert queries.elapsed_s(run_of("x", "1", at=50.0), 20.0) == 0.0
    assert queries.elapsed_s(run_of("x", "1", ENDED), 500.0) == 9.0


def test_a_summary_begins_with_what_needs_somebody() -> None:
    failed = run_of("x", "1", e.RunEnded(1.0, 101, None, 1.0, 1.0, 1.0, 1, None))
    assert queries.summary([run_of("x", "2"), failed, run_of("x", "3")]) == "1 failed · 2 building"
    assert queries.summary([]) == ""
