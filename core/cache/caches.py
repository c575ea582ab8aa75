"""Caches of all live runs, ours and the users'. What looks at them is imported where a first run has one."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core import events as e
from core.clock import Clock
from core.paths import Paths
from core.watched import WatchedRun

if TYPE_CHECKING:
    from core.cache.user_watch import UserCaches
    from core.cache.watch import CacheWatch


class Caches:
    """Tells runs of their look-ups."""

    def __init__(self, paths: Paths, clock: Clock, monotonic: Clock) -> None:
        self._paths = paths
        self._clock = clock
        self._monotonic = monotonic
        self._ours: CacheWatch | None = None
        self._users: UserCaches | None = None
        self._had_servers = os.path.isdir(paths.caches)
        """What was told of servers earlier may not be true any more."""

    def look(self, live: Sequence[WatchedRun], ending: Sequence[WatchedRun], *, has_foreign: bool) -> list[e.Event]:
        """Look at the caches of runs that live or end; what is new to tell of caches as a whole.

        `has_foreign`: a build that is not ours is alive, and may use the same cache.
        """
        told: list[e.Event] = []
        runs = (*live, *ending)
        if self._ours is not None or self._had_servers or any(run.record.cache_server for run in runs):
            told = self._our_watch().look(live, ending)
        if self._users is not None or any(not run.record.cache_server for run in runs):
            self._user_watch().look(live, ending, has_foreign=has_foreign)
        return told

    def is_settled(self, run: str) -> bool:
        """All that a run which is over asked of its cache is told."""
        return all(caches is None or caches.is_settled(run) for caches in (self._ours, self._users))

    def _our_watch(self) -> "CacheWatch":
        if self._ours is None:
            from core.cache.watch import CacheWatch

            self._ours = CacheWatch(self._paths, self._clock, self._monotonic)
        return self._ours

    def _user_watch(self) -> "UserCaches":
        if self._users is None:
            from core.cache.user_watch import UserCaches

            self._users = UserCaches(self._paths, self._clock)
        return self._users
