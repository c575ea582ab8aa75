from itertools import pairwise

import pytest

from core import events as e
from core.reduce import reduce_run
from core.state import MAX_DIAGNOSTICS, RunState

STARTED = e.RunStarted(0.0, "r", "a", "test", "cargo", "test", "/w", "/w", "/w/target", False, False, False)
STORY = (
    STARTED,
    e.LockWaitBegan(1.0, "build directory"),
    e.LockWaitEnded(2.0),
    e.ProgressMoved(3.0, 0, 4, ("serde", "libc"), "units"),
    e.UnitFinished(4.0, "libc", "libc", "1.0", "lib", False, 1.0),
    e.ProgressMoved(4.0, 1, 4, ("serde",), "units"),
    e.UnitFinished(5.0, "memchr", "memchr", "2.0", "lib", True, None),
    e.DiagnosticEmitted(5.5, "warning", "unused", None, "a.rs", 1, 1, "warning: unused"),
    e.UnitFinished(6.0, "serde", "serde", "1.0", "lib", False, 3.0),
    e.BuildFinished(7.0, True),
    e.TestSuiteStarted(7.5, "unittests src/lib.rs", 2),
    e.TestFinished(8.0, "it_works", "unittests src/lib.rs", "failed", None),
    e.TestsCounted(8.0, 1, 1, 0),
    e.RunEnded(9.0, 101, None, 9.0, 1.0, 1.0, 1, None),
)


def test_a_batch_says_the_same_as_its_events_one_by_one() -> None:
    whole = reduce_run(None, STORY)
    one_by_one = None
    for event in STORY:
        one_by_one = reduce_run(one_by_one, [event])
    assert whole == one_by_one
    for cut in range(len(STORY)):
        assert reduce_run(reduce_run(None, STORY[:cut]), STORY[cut:]) == whole


def test_the_states_of_a_test_run_follow_each_other() -> None:
    states = [run.state for end in range(1, len(STORY) + 1) if (run := reduce_run(None, STORY[:end])) is not None]
    changes = [states[0], *(after for before, after in pairwise(states) if after is not before)]
    assert changes == [
        RunState.BUILDING, RunState.WAITING, RunState.BUILDING, RunState.RUNNING, RunState.TESTING, RunState.FAILED,
    ]  # fmt: skip


def test_a_successful_build_has_done_all_its_units() -> None:
    run = reduce_run(None, STORY)
    assert run is not None
    assert (run.units_done, run.units_total, run.units_built, run.units_fresh) == (4, 4, 2, 1)
    assert run.finished_s == {"libc": 1.0, "serde": 3.0}


def test_units_in_flight_keep_the_moment_they_were_first_seen() -> None:
    run = reduce_run(None, STORY[:6])
    assert run is not None
    assert [(unit.name, unit.since) for unit in run.in_flight] == [("serde", 3.0)]


def test_nothing_happens_before_the_start_and_a_second_start_changes_nothing() -> None:
    assert reduce_run(None, STORY[1:]) is None
    run = reduce_run(None, STORY)
    assert reduce_run(run, [STARTED]) is run


def test_an_end_is_final() -> None:
    run = reduce_run(None, [*STORY, e.LockWaitBegan(10.0, "x"), e.TestSuiteStarted(11.0, "y", 1)])
    assert run is not None
    assert run.state is RunState.FAILED


def test_errors_are_kept_before_warnings_and_all_are_counted() -> None:
    warning = e.DiagnosticEmitted(1.0, "warning", "w", None, None, None, None, "w")
    error = e.DiagnosticEmitted(1.0, "error", "e", None, None, None, None, "e")
    run = reduce_run(None, [STARTED, *[warning] * (MAX_DIAGNOSTICS + 10), error])
    assert run is not None
    assert (run.errors, run.warnings, len(run.diagnostics)) == (1, MAX_DIAGNOSTICS + 10, MAX_DIAGNOSTICS)
    assert run.first_error is error


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(TypeError, match="not an event"):
        reduce_run(reduce_run(None, [STARTED]), ["text"])  # type: ignore[list-item]
