"""`cargo deck stop|restart|forget|sweep`: what is done to runs."""

import contextlib
import os
import time

from core.client import ensure_engine, request
from core.clock import monotonic, wall_clock
from core.errors import StateError, UsageError
from core.paths import Paths
from core.retention import Limits, plan_sweep, remove, remove_run, scan
from core.run import proctree
from core.run.stop import find_holder, is_live, stop_run
from core.runs import resolve_run, runs_of
from tui import format as f
from tui.cli import common

_SAY_AFTER_S = 2.0
"""A stop that takes longer says who is still alive."""
_STARTS_WITHIN_S = 2.0
"""A supervisor has written down who it is."""
_CLOSED_WITHIN_S = 3.0
"""An engine has put the end of a run into its journal."""
_ENGINE_ANSWERS_WITHIN_S = 15.0
_NAP_S = 0.02


def main_stop(argv: list[str]) -> int:
    """Stop runs and wait until nothing of them lives; exit code."""
    return common.guarded(_stop, argv)


def main_restart(argv: list[str]) -> int:
    """Start a run's command again; exit code."""
    return common.guarded(_restart, argv)


def main_forget(argv: list[str]) -> int:
    """Remove runs that are over; exit code."""
    return common.guarded(_forget, argv)


def main_sweep(argv: list[str]) -> int:
    """Remove what is past its time or over its cap; exit code."""
    return common.guarded(_sweep, argv)


def _stop(argv: list[str]) -> int:
    parser = common.make_parser("stop", "Stops runs as Ctrl-C would, and waits until all their processes are gone.")
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--kill", action="store_true", help="SIGKILL at once")
    given = parser.parse_args(argv)
    paths = common.user_paths()
    runs = list(dict.fromkeys(resolve_run(paths, word) for word in given.runs))
    outcomes = [{"run": run, "was_live": _ask_to_stop(paths, run, kill=given.kill)} for run in runs]
    for outcome in outcomes:
        run = str(outcome["run"])
        _until_over(paths, run)
        if not given.json:
            common.print_text(f"{run}  {'stopped' if outcome['was_live'] else 'was over already'}")
    if given.json:
        common.print_json("stop", runs=outcomes)
    return 0


def _ask_to_stop(paths: Paths, run: str, *, kill: bool) -> bool:
    """Tell the run's supervisor, also one that is still starting; False where the run was over.

    Raises:
        StateError: it is live and cannot be told.
    """
    ends = monotonic() + _STARTS_WITHIN_S
    while not stop_run(paths, run, kill=kill):
        if not is_live(paths, run):
            return False
        if monotonic() > ends:
            raise StateError(f"run {run} is live, but its supervisor cannot be found: see {paths.open}/{run}")
        time.sleep(_NAP_S)
    return True


def _until_over(paths: Paths, run: str) -> None:
    said_at = monotonic() + _SAY_AFTER_S
    while is_live(paths, run):
        if monotonic() > said_at:
            said_at = monotonic() + _SAY_AFTER_S
            holder = find_holder(paths, run)
            alive = proctree.descendants(holder.supervisor.pid) if holder else []
            names = ", ".join(f"{proctree.executable_name(p.pid)} {p.pid}" for p in alive[:8])
            common.say(f"{run}: still alive: {names or 'its supervisor'}")
        time.sleep(_NAP_S)


def _restart(argv: list[str]) -> int:
    parser = common.make_parser("restart", "Starts a run's command again, detached; a live one is stopped first.")
    parser.add_argument("run", metavar="RUN")
    given = parser.parse_args(argv)
    paths = common.user_paths()
    run = resolve_run(paths, given.run)
    if _ask_to_stop(paths, run, kill=False):
        _until_over(paths, run)
    answer = request(paths, {"do": "restart", "run": run}, timeout_s=_ENGINE_ANSWERS_WITHIN_S)
    if given.json:
        common.print_json("restart", run=answer.get("run"), of=run)
    else:
        common.print_text(str(answer.get("run")))
    return 0


def _forget(argv: list[str]) -> int:
    parser = common.make_parser(
        "forget", "Removes runs that are over, with their logs. Of an agent that is named it is the newest run alone."
    )
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--all", action="store_true", help="of each agent that is named, every run that is over")
    given = parser.parse_args(argv)
    paths = common.user_paths()
    if given.all:
        runs = [run for agent in dict.fromkeys(given.runs) for run in _over(paths, agent)]
    else:
        runs = list(dict.fromkeys(resolve_run(paths, word) for word in given.runs))
    for run in runs:
        if is_live(paths, run):
            raise UsageError(f"run {run} is not over yet: stop it first, with `cargo deck stop {run}`")
    for run in runs:
        _remove_run(paths, run)
        if not given.json:
            common.print_text(f"{run}  forgotten")
    if given.json:
        common.print_json("forget", runs=runs)
    elif not given.all:
        _tell_others(paths, given.runs)
    return 0


def _over(paths: Paths, agent: str) -> list[str]:
    """Runs of an agent that are over.

    Raises:
        UsageError: no agent is called so.
    """
    found = runs_of(paths, agent)
    if not found:
        raise UsageError(f"no agent is called {agent[:80]!r}: --all goes with names of agents")
    return [run for run in found if not is_live(paths, run)]


def _tell_others(paths: Paths, words: list[str]) -> None:
    """That an agent that was named has other runs, which stay."""
    for agent in dict.fromkeys(words):
        if others := runs_of(paths, agent):
            count = f.many(len(others), "other run")
            common.print_text(f"{agent} has {count}, which stay{'s' * (len(others) == 1)}: "
                              f"cargo deck forget --all {agent} removes what is over")  # fmt: skip


def _remove_run(paths: Paths, run: str) -> None:
    """Remove a run that is over. An engine closes it first; where none does (its journal is of a newer version,
    the state is half broken), nobody else will."""
    if os.path.exists(f"{paths.open}/{run}"):
        ensure_engine(paths)
    ends = monotonic() + _CLOSED_WITHIN_S
    while os.path.exists(f"{paths.open}/{run}") and monotonic() < ends:
        time.sleep(_NAP_S)
    if is_live(paths, run):
        raise UsageError(f"run {run} is not over yet: stop it first")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{paths.open}/{run}")
    if not remove_run(paths, run):
        raise StateError(f"{paths.run(run)} cannot be removed: see its permissions")


def _sweep(argv: list[str]) -> int:
    parser = common.make_parser("sweep", "Removes runs and private target dirs past their time or over their cap.")
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")
    given = parser.parse_args(argv)
    paths = common.user_paths()
    removals = plan_sweep(tuple(scan(paths)), Limits(), wall_clock())
    done = [r for r in removals if given.dry_run or remove(paths, r)]
    for removal in removals:
        if removal not in done:
            common.say(f"{removal.stored.path} cannot be removed, or is in use again")
    total = sum(r.stored.size_bytes for r in done)
    if given.json:
        rows = [{"path": r.stored.path, "bytes": r.stored.size_bytes, "reason": r.reason} for r in done]
        common.print_json("sweep", is_dry_run=given.dry_run, bytes=total, removed=rows)
        return 0
    for removal in done:
        common.print_text(f"{f.size(removal.stored.size_bytes):>7}  {removal.stored.path}  {removal.reason}")
    verb = "would free" if given.dry_run else "freed"
    common.print_text(f"{verb} {f.size(total)} in {f.many(len(done), 'place')}")
    return 0
