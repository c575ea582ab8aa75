"""How events change what is known: pure, in batches, no clock.

The fields of a run are held in one dict while a batch is applied, so that a batch of a thousand events
costs one copy (3 µs an event; a `dataclasses.replace` an event costs 40 at 5,000 units).
"""

from collections.abc import Iterable
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

from core import events as e
from core.cache_use import add_lookups, without_figures
from core.findings import from_event
from core.reduce_native import apply_native
from core.state import (
    MAX_DIAGNOSTICS,
    MAX_FAILED_TESTS,
    MAX_HISTORY,
    MAX_KILLS,
    MAX_LINKS,
    MAX_TRAIL,
    Board,
    InFlight,
    Run,
    RunState,
)

_RUN_FIELDS = tuple(f.name for f in fields(Run))


def reduce(board: Board, run: str, batch: Iterable[e.Event]) -> Board:
    """The board after a batch of events of one run. Raises TypeError on an event that is none of ours."""
    before = board.runs.get(run)
    after = reduce_run(before, batch)
    if after is None or after is before:
        return board
    return replace(board, runs=MappingProxyType({**board.runs, run: after}))


def reduce_run(run: Run | None, batch: Iterable[e.Event]) -> Run | None:
    """The run after a batch of its events; None while its `RunStarted` is missing."""
    state: dict[str, Any] = {}
    finished: dict[str, float] = {}
    looked_up: list[e.CacheLookedUp] = []
    if run is not None:
        state = {name: getattr(run, name) for name in _RUN_FIELDS}
        finished = dict(run.finished_s)
    is_changed = False
    for event in batch:
        if isinstance(event, e.RunStarted):
            if not state:
                state = _started(event)
                is_changed = True
        elif state and isinstance(event, e.CacheLookedUp):
            looked_up.append(event)
            is_changed = True
        elif state:
            _apply(state, finished, event)
            is_changed = True
        elif not isinstance(event, e.Event):
            raise TypeError(f"not an event: {event!r}")
    if not is_changed:
        return run
    state["finished_s"] = MappingProxyType(finished)
    state["cache"] = add_lookups(state["cache"], looked_up, state["agent"])
    return Run(**state)


def _started(event: e.RunStarted) -> dict[str, Any]:
    run = Run(
        run=event.run, agent=event.agent, command=event.command, tool=event.tool,
        subcommand=event.subcommand, cwd=event.cwd, checkout=event.checkout, target_dir=event.target_dir,
        build_dir=event.build_dir,
        is_private_target=event.is_private_target, is_owned=event.is_owned, is_split=event.is_split,
        started_at=event.at, state=RunState.RUNNING if event.tool == "exec" else RunState.BUILDING,
    )  # fmt: skip
    return {name: getattr(run, name) for name in _RUN_FIELDS}


def _apply(s: dict[str, Any], finished: dict[str, float], event: e.Event) -> None:
    match event:
        case e.OutputGrew():
            s[f"{event.stream}_lines"] = event.shown_lines
            s[f"{event.stream}_bytes"] = event.size_bytes
            s["output_at"] = event.at
        case e.ProgressMoved():
            _progress(s, event)
        case e.UnitStarted():
            if all(u.name != event.name for u in s["in_flight"]):
                s["in_flight"] = (*s["in_flight"], InFlight(event.name, event.at, event.is_sampled))
        case e.UnitFinished():
            _unit_finished(s, finished, event)
        case e.UnitDirtied():
            s["dirtied"] = (*s["dirtied"], event)[:MAX_DIAGNOSTICS]
        case e.DiagnosticEmitted():
            _diagnostic(s, event)
        case e.LockWaitBegan() | e.LockWaitEnded() | e.LockBlocked() | e.LockPassed():
            _lock(s, event)
        case e.BuildFinished() | e.HandedOver() | e.TestSuiteStarted() | e.TestFinished() | e.TestsCounted():
            _after_build(s, event)
        case e.LinkStarted():
            s["links"] = (*s["links"], event)
            _see_links(s)
        case e.LinkEnded():
            _link_ended(s, event)
        case e.NvccStarted() | e.NvccPhaseBegan() | e.NvccEnded() | e.KernelsMeasured():
            apply_native(s, event)
        case e.ProcessKilled():
            s["kills"] = (*s["kills"], event)[:MAX_KILLS]
        case e.RunSampled():
            _sampled(s, event)
        case e.CacheUncounted():
            s["cache"] = without_figures(event)
        case e.BottleneckFound():
            s["bottleneck"] = event if s["ended_at"] is None else None
        case e.ContradictionsSeen():
            s["findings"] = from_event(event)
        case e.TypicalRecalled():
            s["typical"] = event
            s["typical_s"] = MappingProxyType(dict(event.crate_s))
        case e.LogCut():
            s["cut_bytes"] += event.removed_bytes
        case e.StopAsked():
            s["stop"] = event
        case e.RunEnded():
            _ended(s, event)
        case e.RunLost():
            s["state"], s["ended_at"], s["survivors"] = RunState.LOST, event.at, event.survivors
            _rest(s)
        case _:
            raise TypeError(f"not an event of a run: {event!r}")


def _live(s: dict[str, Any], wanted: RunState) -> RunState:
    """A run that is over stays over, whatever is read of it afterwards."""
    state: RunState = s["state"]
    return state if state.is_over else wanted


def _lock(s: dict[str, Any], event: e.Event) -> None:
    match event:
        case e.LockWaitBegan():
            if s["blocked"] is None:
                s["waits_for"], s["waits_since"] = event.what, event.at
            s["state"] = _live(s, RunState.WAITING)
        case e.LockBlocked():
            s["blocked"], s["waits_for"], s["waits_since"] = event, event.kind, event.since
            s["state"] = _live(s, RunState.WAITING)
        case e.LockPassed():
            paid = s["lock_paid"]
            s["lock_paid"] = MappingProxyType({**paid, event.path: paid.get(event.path, 0.0) + event.waited_s})
            _lock_ended(s)
        case e.LockWaitEnded():
            _lock_ended(s)


def _lock_ended(s: dict[str, Any]) -> None:
    s["blocked"] = s["waits_for"] = s["waits_since"] = None
    s["state"] = _live(s, _phase(s))


def _sampled(s: dict[str, Any], event: e.RunSampled) -> None:
    if s["ended_at"] is None:
        s["use"] = event
    s["memory_trail"] = (*s["memory_trail"], event.memory_bytes)[-MAX_TRAIL:]
    s["memory_history"] = (*s["memory_history"], (event.at, event.memory_bytes))[-MAX_HISTORY:]
    s["memory_peak_bytes"] = max(s["memory_peak_bytes"] or 0, event.memory_bytes)


def _link_ended(s: dict[str, Any], event: e.LinkEnded) -> None:
    s["links"] = tuple(link for link in s["links"] if link.link != event.link)
    s["link_ends"] = (*s["link_ends"], event)[-MAX_LINKS:]
    _see_links(s)


def _see_links(s: dict[str, Any]) -> None:
    if s["state"] in (RunState.BUILDING, RunState.LINKING):
        s["state"] = _phase(s)


def _phase(s: dict[str, Any]) -> RunState:
    if s["suite"] is not None:
        return RunState.TESTING
    if s["tool"] == "exec" or (s["is_build_over"] and s["subcommand"] in ("run", "bench", "test")):
        return RunState.RUNNING
    if s["links"] and len(s["in_flight"]) <= len(s["links"]):
        return RunState.LINKING  # each unit in flight is at its link
    return RunState.BUILDING


def _progress(s: dict[str, Any], event: e.ProgressMoved) -> None:
    s["progress_kind"] = event.kind
    s["units_done"] = max(s["units_done"], event.done) if event.kind == "units" else event.done
    if event.total is not None:
        s["units_total"] = event.total
    if event.kind != "units" or not event.in_flight:
        return
    known = {u.name: u for u in s["in_flight"]}
    named = tuple(known.get(name) or InFlight(name, event.at) for name in event.in_flight)
    kept = tuple(u for u in s["in_flight"] if u.name not in event.in_flight) if event.is_truncated else ()
    s["in_flight"] = tuple(sorted((*named, *kept), key=lambda u: u.since))
    if s["waits_for"] is not None:
        s["blocked"] = s["waits_for"] = s["waits_since"] = None
        s["state"] = _live(s, _phase(s))


def _unit_finished(s: dict[str, Any], finished: dict[str, float], event: e.UnitFinished) -> None:
    s["units_fresh" if event.is_fresh else "units_built"] += 1
    s["units_done"] = max(s["units_done"], s["units_fresh"] + s["units_built"])
    if event.elapsed_s is not None:
        finished[event.name] = event.elapsed_s
    if any(u.name == event.name for u in s["in_flight"]):
        s["in_flight"] = tuple(u for u in s["in_flight"] if u.name != event.name)


def _diagnostic(s: dict[str, Any], event: e.DiagnosticEmitted) -> None:
    is_error = event.level == "error"
    s["errors" if is_error else "warnings"] += 1
    kept: tuple[e.DiagnosticEmitted, ...] = s["diagnostics"]
    if len(kept) >= MAX_DIAGNOSTICS:
        last = next((i for i in range(len(kept) - 1, -1, -1) if kept[i].level == "warning"), None)
        if not is_error or last is None:
            return
        kept = kept[:last] + kept[last + 1 :]
    s["diagnostics"] = (*kept, event)


def _after_build(s: dict[str, Any], event: e.Event) -> None:
    match event:
        case e.BuildFinished():
            s["is_build_over"], s["in_flight"] = True, ()
            if event.is_success:
                s["units_total"] = s["units_done"] = s["units_total"] or s["units_done"]
        case e.HandedOver():
            s["handed_to"] = event.program
        case e.TestSuiteStarted():
            s["suite"], s["suites"] = event.name, s["suites"] + 1
        case e.TestFinished():
            if event.outcome == "failed":
                s["failed_tests"] = (*s["failed_tests"], event)[:MAX_FAILED_TESTS]
        case e.TestsCounted():
            s["tests_passed"], s["tests_failed"] = event.passed, event.failed
            s["tests_ignored"] = event.ignored
    s["state"] = _live(s, _phase(s))


def _rest(s: dict[str, Any]) -> None:
    """Nothing of it is under way any more."""
    s["in_flight"], s["links"], s["nvcc"] = (), (), ()
    s["use"] = s["blocked"] = s["waits_for"] = s["waits_since"] = s["bottleneck"] = None


def _ended(s: dict[str, Any], event: e.RunEnded) -> None:
    s["ended"], s["ended_at"] = event, event.at
    _rest(s)
    if event.stopped_by is not None:
        s["state"] = RunState.KILLED if event.is_killed else RunState.STOPPED
    elif event.signal is not None:
        s["state"] = RunState.KILLED
    else:
        s["state"] = RunState.DONE if event.code == 0 else RunState.FAILED
