"""Live runs whose cache is the user's own: each one's figures, read from what that cache writes."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from core import events as e
from core.cache.readers import VARIABLES, CacheReader, CacheReaders
from core.cache.subject import Subject
from core.clock import Clock
from core.paths import Paths
from core.watched import WatchedRun

PERIOD_S = 0.2
SETTLE_LIMIT_S = 2.5
"""A run that is over waits so long at most for what its cache has not written yet."""


@dataclass(slots=True)
class _Read:
    """A run, and what reads its cache."""

    run: WatchedRun
    reader: CacheReader
    waits: set[str] = field(default_factory=set)
    """Locks that it was seen to wait for."""
    ended_at: float | None = None
    is_settled: bool = False
    is_note_told: bool = False


class UserCaches:
    """Follows the caches of all runs that have one of the user's."""

    def __init__(self, paths: Paths, clock: Clock) -> None:
        self._paths = paths
        self._clock = clock
        self._readers = CacheReaders()
        self._read: dict[str, _Read | None] = {}
        """None: the run has no cache that is known."""
        self._due_at = 0.0

    def look(self, live: Iterable[WatchedRun], ending: Iterable[WatchedRun], *, has_foreign: bool) -> None:
        """Tell runs of their look-ups; `has_foreign`: a build that is not ours is alive."""
        now = self._clock()
        over = {run.run: run for run in ending}
        runs = {**{run.run: run for run in live}, **over}
        for gone in self._read.keys() - runs.keys():
            self._drop(gone)
        if now < self._due_at and not over:
            return
        self._due_at = now + PERIOD_S
        if has_foreign:
            self._readers.saw_foreign_build(now)
        for name, run in runs.items():
            if name not in self._read:
                self._read[name] = self._begin(run)
            if (read := self._read[name]) is not None:
                self._poll(read, now, is_over=name in over)

    def is_settled(self, run: str) -> bool:
        """All that a run which is over asked of its cache is told."""
        read = self._read.get(run)
        return read is None or read.is_settled

    def _begin(self, run: WatchedRun) -> _Read | None:
        record = run.record
        if record.cache_server or record.started.tool != "cargo":
            return None
        env, words = _start(run.folder)
        reader = self._readers.make_reader(
            Subject(
                record.rustc_wrapper, env, run.run, run.folder, record.started.agent, record.started.target_dir,
                record.started.checkout, words, record.started.at, run.told_lookups,
            )
        )  # fmt: skip
        return _Read(run, reader) if reader is not None else None

    def _poll(self, read: _Read, now: float, *, is_over: bool) -> None:
        for path in read.run.blocked_on - read.waits:
            read.waits.add(path)
            read.reader.saw_lock_wait(path)
        if is_over and read.ended_at is None:
            read.ended_at = now
            read.reader.end(now, is_whole=not read.run.is_given_up)
        read.is_settled = read.ended_at is not None and now - read.ended_at > SETTLE_LIMIT_S
        if found := read.reader.poll(now):
            read.run.note(found)
        if read.reader.note and not read.is_note_told:
            read.is_note_told = True
            read.run.note([e.CacheUncounted(now, read.reader.cache, read.reader.note)])
        if read.ended_at is not None:
            read.is_settled = read.is_settled or read.reader.is_settled(now)

    def _drop(self, run: str) -> None:
        read = self._read.pop(run)
        if read is not None:
            read.reader.close()


def _start(folder: str) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """Of a run, the variables that caches go by, and what cargo was given."""
    try:
        with open(folder + "/run.json", "rb") as file:
            record = json.load(file)
        words = tuple(str(word) for word in record["launch"]["argv"][1:])
        env = {name: value for name, value in record["env"].items() if name in VARIABLES and isinstance(value, str)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {name: os.environ[name] for name in VARIABLES if name in os.environ}, ()
    return env, words
