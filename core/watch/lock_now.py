"""Cargo's locks at this moment, without an engine: one look, with what an engine saw of them before."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from core.events import RunStarted
from core.facts import read_record
from core.host import Held, Waiter
from core.paths import Paths
from core.run.stop import find_holder
from core.watch.locks import LockWatch, build_dirs_of, owner_among, times_of, whose


def look_now(paths: Paths, now: float, known: Iterable[Held]) -> tuple[Held, ...]:
    """Who holds what and who waits. A `since` of `now`: since when is not known.

    Args:
        paths: Where our runs are.
        now: Seconds since the epoch.
        known: What was seen before.
    """
    since = times_of(known)
    runs = _open_runs(paths)
    supervisors = {pid: whose(started) for pid, started in runs.items()}
    found = LockWatch(partial(owner_among, supervisors), build_dirs=build_dirs_of(runs.values())).look(now)
    return tuple(_with_times(held, lambda *key: since.get(key, now)) for held in found)


def _with_times(held: Held, since: Callable[[str, int, bool], float]) -> Held:
    return replace(
        held,
        since=min((since(held.path, owner.pid, False) for owner in held.holders), default=0.0),
        waiters=tuple(
            Waiter(waiter.owner, since(held.path, waiter.owner.pid, True)) for waiter in held.waiters
        ),
    )  # fmt: skip


def _open_runs(paths: Paths) -> dict[int, RunStarted]:
    """By the pids of their supervisors."""
    found: dict[int, RunStarted] = {}
    try:
        names = os.listdir(paths.open)
    except OSError:
        names = []
    for name in names:
        holder, record = find_holder(paths, name), read_record(paths, name)
        if holder is not None and record is not None:
            found[holder.supervisor.pid] = record.started
    return found
