"""Makes an iteration of a run that is over, and keeps what it was made of for the next one.

Some 50 ms: the engine has a process of its own do it.
"""

import os
from collections.abc import Iterable
from dataclasses import replace

from core import events as e
from core.clock import wall_clock
from core.errors import JournalError
from core.journal import NAME, read_journal
from core.native.edits.checkout_state import CheckoutState, read_state, write_state
from core.native.edits.edit_class import EditClass, class_of
from core.native.edits.inputs_of import Inputs, Subject, inputs_of, native_inputs
from core.native.edits.iteration_book import keep_iteration
from core.native.edits.iteration_of import Measured, make_iteration, measure
from core.native.edits.iteration_watch import Draft
from core.native.edits.unseen import unseen_by_nvcc
from core.native.staleness.input_state import Stamp, changed, changed_at, look_as_of
from core.native.traces.cmake_ask import ask_cmake
from core.native.traces.nvcc_calls import calls_of_run
from core.paths import Paths
from core.plan.small_file import read_object
from core.watched_files import noted_runs

_MOST_NOTED = 20
_LOCK = "/Cargo.lock"
_SLACK_S = 0.05
"""Of clocks: files have the time of the last tick."""


def settle(paths: Paths, draft: Draft) -> None:
    """Keep the iteration that a run was, if it was one, and what it was made of for the next one."""
    measured = measure(paths, draft.run, _journal(paths, draft.run))
    if measured is None:
        return
    inputs, draft = _inputs(paths, measured), _caught_up(_looked_at(draft, measured.started.at), measured.started.at)
    edited = _edited(draft, inputs, measured.started.at)
    kind = EditClass.CLEAN if _is_clean(measured) else class_of(
        edited, inputs.build_scripts, inputs.cmake_files
    )  # fmt: skip
    if kind is not None:
        native = native_inputs(paths, noted_runs(paths, measured.started.checkout, _MOST_NOTED))
        unseen = unseen_by_nvcc(paths, edited, measured, native)
        keep_iteration(paths, replace(make_iteration(measured, kind, edited), unseen=unseen))
    if measured.started.tool == "cargo" and (place := measured.started.build_dir or measured.started.target_dir):
        ask_cmake(place, int(measured.started.at * 1e9))
    if measured.is_built:
        _keep_state(paths, draft, measured, inputs)


def _journal(paths: Paths, run: str) -> list[e.Event] | None:
    try:
        return read_journal(f"{paths.run(run)}/{NAME}").events
    except (OSError, JournalError):
        return None


def _looked_at(draft: Draft, began: float) -> Draft:
    """With what there was no time for as the run began, as far as it is still what it was then."""
    if draft.before is None or not draft.left:
        return draft
    late = look_as_of(draft.left, draft.before.files, began)
    return Draft(draft.run, draft.state_path, draft.before, {**draft.stamps, **late})


def _caught_up(draft: Draft, began: float) -> Draft:
    """With what the run before read, where that became known only after this one had begun."""
    before = read_state(draft.state_path)
    if before is None or before.at >= began or (draft.before is not None and before.at <= draft.before.at):
        return draft
    missed = look_as_of(before.files.keys() - (draft.before.files if draft.before is not None else {}), {}, began)
    return Draft(draft.run, draft.state_path, before, {**missed, **draft.stamps})


def _edited(draft: Draft, inputs: Inputs, began: float) -> tuple[str, ...]:
    """What changed since the last build, and what it reads now that came since then and before this one."""
    if draft.before is None:
        return ()
    added = [path for path in inputs.files - draft.before.files.keys()
             if os.path.isfile(path) and draft.before.at < changed_at(path) <= began]  # fmt: skip
    return tuple(sorted((*changed(draft.before.files, draft.stamps), *added)))


def _made_at(path: str) -> float:
    return changed_at(path) if os.path.isfile(path) else 0.0


def _is_clean(measured: Measured) -> bool:
    """Cargo made the target dir anew: it leaves a tag in it then."""
    target_dir = measured.started.target_dir
    began = measured.ended.at - measured.ended.wall_s
    return bool(target_dir and measured.units) and _made_at(f"{target_dir}/CACHEDIR.TAG") >= began - _SLACK_S


def _inputs(paths: Paths, measured: Measured) -> Inputs:
    started = measured.started
    record = read_object(paths.run(started.run) + "/run.json")
    env = record.get("env")
    known = {name: value for name, value in env.items() if isinstance(value, str)} if isinstance(env, dict) else {}
    typed = record.get("typed")
    words = tuple(map(str, typed)) if isinstance(typed, list) else ()
    subject = Subject(started.run, started.tool, words, started.cwd, started.checkout, started.target_dir, known,
                      measured.is_built)  # fmt: skip
    return inputs_of(paths, subject, noted_runs(paths, started.checkout, _MOST_NOTED))


def _keep_state(paths: Paths, draft: Draft, measured: Measured, inputs: Inputs) -> None:
    """Files count as they were when the run began: what was saved meanwhile is the next edit. What was not looked at
    then, and what cargo writes itself, counts as it is, unless it changed after the end, or after nvcc began to read
    it: then it is not known."""
    started = measured.started
    before = draft.before.files if draft.before is not None else {}
    began = measured.ended.at - measured.ended.wall_s
    last = read_state(draft.state_path)
    if last is not None and began < last.at <= wall_clock():
        return  # a later run was here first
    news = {path for path in inputs.files if path not in before or path.endswith(_LOCK)}
    known = {**before, **draft.stamps, **_as_read(paths, measured, news)}
    kept = {path: known[path] for path in inputs.files if path in known}
    write_state(draft.state_path, CheckoutState(began, kept), checkout=started.checkout, command=started.command)


def _as_read(paths: Paths, measured: Measured, files: Iterable[str]) -> dict[str, Stamp]:
    """Stamps of files, as far as they are what the run read."""
    found = look_as_of(files, {}, measured.ended.at)
    for call in calls_of_run(paths, measured.started.run):
        for path in (*call.sources, *call.inputs):
            if path in found and changed_at(path) > call.at:
                del found[path]
    return found
