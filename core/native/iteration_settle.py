"""Makes an iteration of a run that is over, and keeps what it was made of for the next one.

Some 50 ms: the engine has a process of its own do it.
"""

import os

from core import events as e
from core.errors import JournalError
from core.journal import NAME, read_journal
from core.native.checkout_state import CheckoutState, write_state
from core.native.edit_class import EditClass, class_of
from core.native.input_state import changed, look
from core.native.inputs_of import Inputs, Subject, inputs_of
from core.native.iteration_book import keep_iteration
from core.native.iteration_of import Measured, make_iteration, measure
from core.native.iteration_watch import Draft
from core.paths import Paths
from core.plan.small_file import read_object
from core.watched_files import noted_runs

_MOST_NOTED = 20
_SLACK_S = 0.05
"""Of clocks: files have the time of the last tick."""


def settle(paths: Paths, draft: Draft) -> None:
    """Keep the iteration that a run was, if it was one, and what it was made of for the next one."""
    measured = measure(paths, draft.run, _journal(paths, draft.run))
    if measured is None:
        return
    inputs = _inputs(paths, measured)
    edited = _edited(draft, inputs)
    kind = EditClass.CLEAN if _is_clean(measured) else class_of(edited, inputs.build_scripts)
    if kind is not None:
        keep_iteration(paths, make_iteration(measured, kind, edited))
    if measured.is_built:
        _keep_state(draft, measured, inputs)


def _journal(paths: Paths, run: str) -> list[e.Event] | None:
    try:
        return read_journal(f"{paths.run(run)}/{NAME}").events
    except (OSError, JournalError):
        return None


def _edited(draft: Draft, inputs: Inputs) -> tuple[str, ...]:
    """What changed since the last build, and what it reads now that came since then."""
    if draft.before is None:
        return ()
    added = [path for path in inputs.files - draft.before.files.keys() if _changed_at(path) > draft.before.at]
    return tuple(sorted((*changed(draft.before.files, draft.stamps), *added)))


def _changed_at(path: str) -> float:
    try:
        return os.stat(path).st_ctime if os.path.isfile(path) else 0.0
    except (OSError, ValueError):
        return 0.0


def _is_clean(measured: Measured) -> bool:
    """Cargo made the target dir anew: it leaves a tag in it then."""
    target_dir = measured.started.target_dir
    began = measured.ended.at - measured.ended.wall_s
    return bool(target_dir and measured.units) and _changed_at(f"{target_dir}/CACHEDIR.TAG") >= began - _SLACK_S


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


def _keep_state(draft: Draft, measured: Measured, inputs: Inputs) -> None:
    """Files that were seen as the run began count as they were then: what was saved meanwhile is the next edit."""
    started = measured.started
    fresh = look(inputs.files - draft.stamps.keys(), {})
    kept = {path: draft.stamps[path] if path in draft.stamps else fresh[path] for path in inputs.files}
    began = measured.ended.at - measured.ended.wall_s
    write_state(draft.state_path, CheckoutState(began, kept), checkout=started.checkout, command=started.command)
