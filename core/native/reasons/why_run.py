"""Gathers what is known of a run, for `core.native.reasons.why`."""

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping

from core import events as e
from core.facts import read_exit, read_record
from core.journal import JournalTail
from core.native.reasons.rebuilt import Found
from core.native.reasons.why import Facts, explain
from core.native.reasons.why_make import is_told, tree_of, tree_of_script
from core.native.staleness.closure import NATIVE_ENDS
from core.native.staleness.doctor import Place, cases_of
from core.native.staleness.input_state import read_stamp
from core.native.staleness.stale import hidden_edits
from core.native.staleness.tree_made import made_in
from core.native.staleness.tree_steps import read_tree
from core.native.traces.build_tree import trees_of
from core.native.traces.fingerprint import unit_places
from core.native.traces.first_built import built_units, first_words
from core.native.traces.nvcc_calls import calls_of_run, runs_in
from core.native.traces.tree_files import source_files
from core.native.traces.units import compiled_units
from core.paths import Paths
from core.run.begin import find_cargo
from core.runs import run_ids

_MOST_RUNS = 400
"""Among so many of the latest an earlier one is looked for."""
_LOGS = ("out.log", "err.log")
_SOURCES = (".rs", *NATIVE_ENDS)


def why_of(paths: Paths, run: str, env: Mapping[str, str], now: float) -> Found:
    """Why each unit of a run was rebuilt, or not; empty where the run has no journal.

    Args:
        paths: Ours.
        run: Its id.
        env: The caller's.
        now: Seconds since the epoch, for a run that lives.
    """
    events = _events(paths, run)
    started = next((one for one in events if isinstance(one, e.RunStarted)), None)
    if started is None:
        return Found(is_told=False)
    facts = _of_events(paths, run, started, events, now)
    if started.tool != "cargo":
        facts = _with_trees(paths, started, facts)
        return Found(explain(facts), is_told(facts.made, facts.ended_ns))
    if started.target_dir and os.path.isdir(started.target_dir):
        facts = _with_dir(paths, started, facts, env)
    return Found(explain(facts))


def _with_trees(paths: Paths, started: e.RunStarted, facts: Facts) -> Facts:
    """And what lies in the build trees of a command that is not cargo."""
    trees = trees_of(_words(started.command), started.cwd)
    made = tuple(tree_of(tree, facts.logs, started.cwd) for tree in trees or ("",))
    tool = os.path.basename(_words(started.command)[0]) if started.command.strip() else started.tool
    hidden = {path: tool for tree in trees for path in _hidden_in(paths, started.run, tree)}
    return facts._replace(
        trees=trees, made=made, hidden=hidden, before_ns=_before_in(paths, started.run, frozenset(trees))
    )


def _hidden_in(paths: Paths, run: str, folder: str) -> Iterable[str]:
    """Edits in a build tree that an older mtime hides."""
    from core.native.staleness import tree_place, tree_stale  # with what they need 10 ms

    real, calls = os.path.realpath(folder), calls_of_run(paths, run)
    if (tree := read_tree(real)) is None:
        return ()
    made = made_in(tree, calls, tree_place.owned_in(tree_place.project_of(real), (tree,), calls, os.environ))
    seen = tree_place.remember_tree(paths.state, tree, made)
    return tree_stale.hidden_edits(tree_place.made_by(tree, made), seen, _digest)


def _digest(path: str) -> str:
    return read_stamp(path).digest


def _before_in(paths: Paths, run: str, trees: frozenset[str]) -> int:
    """When the latest earlier run of a command began that worked in one of these trees; 0: none is known."""
    for other in reversed(run_ids(paths)[-_MOST_RUNS:]):
        record = read_record(paths, other) if other < run else None
        if record is not None and record.started.tool != "cargo":
            started = record.started
            if trees & frozenset(trees_of(_words(started.command), started.cwd)):
                return int(started.at * 1e9)
    return 0


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _events(paths: Paths, run: str) -> list[e.Event]:
    tail = JournalTail(paths.run(run) + "/events.jsonl")
    events = list(tail.poll())
    while tail.is_behind:
        events += tail.poll()
    return events


def _of_events(paths: Paths, run: str, started: e.RunStarted, events: Iterable[e.Event], now: float) -> Facts:
    """What the journal and the run's folder say."""
    ended = next((one.at for one in events if isinstance(one, e.RunEnded | e.RunLost)), None)
    if ended is None:
        known = read_exit(paths, run)
        ended = known.ended.at if known is not None else now
    logs = tuple(f"{paths.run(run)}/{name}" for name in _LOGS)
    told = tuple((one.package, one.reason) for one in events if isinstance(one, e.UnitDirtied))
    compiled = tuple(one.package for one in events if isinstance(one, e.UnitFinished) and not one.is_fresh)
    return Facts(
        began_ns=int(started.at * 1e9), ended_ns=int(ended * 1e9), told=told, compiled=compiled,
        calls=calls_of_run(paths, run), logs=logs,
    )  # fmt: skip


def _with_dir(paths: Paths, started: e.RunStarted, facts: Facts, env: Mapping[str, str]) -> Facts:
    """And what its build dir says, as it is now."""
    target = os.path.realpath(started.target_dir or "")
    build_dir = os.path.realpath(started.build_dir) if started.build_dir else target
    place = Place(os.path.realpath(started.checkout), build_dir, env, find_cargo(dict(env)) or "cargo", target)
    cases = tuple(cases_of(paths, place))
    ran = [case for case in cases if facts.is_of_it(case.script.began_ns)]
    before = _before(paths, place, started.run)
    units = built_units(unit_places(build_dir))
    roots = {case.script.root for case in cases} | {place.workspace}
    return facts._replace(
        before_ns=before,
        logs=(*facts.logs, *(name for case in ran for name in (case.script.output, case.script.stderr))),
        cases=cases,
        made=tuple(tree_of_script(case) for case in ran),
        hidden={path: "cargo" for case in cases for path in hidden_edits(case, _digest)},
        units=compiled_units(build_dir, place.workspace),
        changed=dict(_changed(roots, before, facts.began_ns)) if before else {},
        first=first_words(units, facts.is_of_it, facts.began_ns),
    )


def _before(paths: Paths, place: Place, run: str) -> int:
    """When the latest earlier run in that dir began; 0: none is known."""
    for other in runs_in(paths, (place.build_dir, place.target_dir)):
        if other < run:
            tail = JournalTail(paths.run(other) + "/events.jsonl")
            first = next((one for one in tail.poll() if isinstance(one, e.RunStarted)), None)
            return int(first.at * 1e9) if first is not None else 0
    return 0


def _changed(roots: Iterable[str], since_ns: int, until_ns: int) -> Iterator[tuple[str, int]]:
    """Sources below these folders that were changed then."""
    for root in sorted(roots):
        for path in source_files(root):
            if path.endswith(_SOURCES):
                try:
                    mtime = os.stat(path).st_mtime_ns
                except (OSError, ValueError):
                    continue
                if since_ns < mtime <= until_ns:
                    yield os.path.realpath(path), mtime
