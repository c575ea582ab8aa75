"""What caches do for live runs: calls that fronts note, put together with what each agent's server logs."""

import os
import sys
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from core import events as e
from core.cache.calls import PROBE, Call, CallKey, CallNotes, unit_name
from core.cache.explain import Explainer
from core.cache.figures import Figures
from core.cache.followed_log import FollowedLog
from core.cache.key_book import Entry, KeyBook
from core.cache.server import logs_since
from core.cache.server_record import Server, read_server
from core.cache.store_client import data_folder
from core.cache.store_files import Objects
from core.cache.store_object import Stored
from core.cache.store_tail import StoreTail
from core.cache.verdict import Verdict
from core.clock import Clock
from core.paths import Paths
from core.watched import WatchedRun

MATCH_WAIT_S = 2.0
"""A verdict waits so long for the note of its call, which is written before it but may be read after it."""
SETTLE_S = 2.5
"""A run that is over waits so long for what its server has not told yet: a miss is told of once it is stored."""
READ_LIMIT_S = 20.0
"""And so long at most where its server's log is not yet read to the end: an engine that starts reads all of it."""
UNKNOWN = "not known"
"""Reason of a miss for which the server says none."""
EXPLAIN_S = 0.02
"""Of one look, for finding out why units missed: it reads their sources."""
_STEP_S = 0.001
"""A server's log tells whole milliseconds."""


@dataclass(slots=True)
class _Run:
    """A live run that has a cache of ours."""

    run: WatchedRun
    agent: str
    notes: CallNotes
    told: frozenset[tuple[str, float]]
    """Look-ups that its journal told of when we began."""
    waiting: dict[CallKey, list[Call]] = field(default_factory=dict)
    """Calls without a verdict."""
    over_at: float | None = None
    """When it was first seen to be over, monotonic; None: it lives."""
    is_settled: bool = False
    """It is over, and all is told."""

    def last_call(self, key: CallKey, until: float) -> Call | None:
        """The last one of that key that was noted by then."""
        return max((call for call in self.waiting.get(key, ()) if call.at <= until), key=_moment, default=None)

    def answer(self, call: Call) -> None:
        """It waits no longer."""
        calls = self.waiting[call.key]
        calls.remove(call)
        if not calls:
            del self.waiting[call.key]

    def tell(self, event: e.CacheLookedUp) -> None:
        if (event.unit, event.at) not in self.told:
            self.run.note([event])


def _moment(call: Call) -> float:
    return call.at


@dataclass(slots=True)
class _Miss:
    """A miss that is to be explained."""

    run: _Run
    call: Call
    event: e.CacheLookedUp


class CacheWatch:
    """Follows the servers of all agents that build."""

    def __init__(self, paths: Paths, clock: Clock, monotonic: Clock) -> None:
        self._paths = paths
        self._clock = clock
        self._monotonic = monotonic
        self._runs: dict[str, _Run] = {}
        self._logs: dict[str, FollowedLog] = {}
        """By the path of the log."""
        self._loose: deque[tuple[float, str, Verdict]] = deque()
        """Verdicts without a call: since when, whose server's."""
        self._misses: deque[_Miss] = deque()
        self._keys: KeyBook | None = None
        self._explainer: Explainer | None = None
        self._objects = Objects(data_folder(paths), sys.maxsize, clock)
        """Of our own store: only looked at."""
        self._store_tail = StoreTail(paths)
        self._figures = Figures(paths, clock, monotonic)

    def look(self, live: Iterable[WatchedRun], ending: Iterable[WatchedRun]) -> list[e.Event]:
        """Tell runs of their look-ups; what is new to tell of caches as a whole."""
        over = [run for run in ending if run.record.cache_server]
        self._follow([*(run for run in live if run.record.cache_server), *over])
        if not self._runs:
            return self._figures.rest()
        self._read_all()
        now = self._monotonic()
        for run in over:
            self._settle(self._runs[run.run], now)
        self._explain(now + EXPLAIN_S)
        servers = self._servers()
        return self._figures.look(servers, {s.agent: self._logs[s.log].parser for s in servers if s.log in self._logs})

    def is_settled(self, run: str) -> bool:
        """All that a run which is over asked of its cache is told."""
        return run not in self._runs or self._runs[run].is_settled

    def _settle(self, one: _Run, now: float) -> None:
        if one.over_at is None:
            one.over_at = now
        waited_s = now - one.over_at
        is_late = waited_s > (SETTLE_S if self._is_read(one.agent) else READ_LIMIT_S)
        if not one.is_settled and (is_late or one.run.is_given_up or not self._may_be_told(one)):
            self._finish(one)
            one.is_settled = True

    def _may_be_told(self, one: _Run) -> bool:
        """Something that the run asked for is not told yet; where no front notes what it asks, it may be."""
        if one.waiting or _has_notes(one):
            return bool(one.waiting)
        is_loose = any(agent == one.agent for _, agent, _ in self._loose)
        return is_loose or not self._is_read(one.agent) or any(log.parser.in_flight for log in self._logs_of(one.agent))

    def _is_read(self, agent: str) -> bool:
        return all(log.is_read for log in self._logs_of(agent))

    def _logs_of(self, agent: str) -> list[FollowedLog]:
        return [log for log in self._logs.values() if log.agent == agent]

    def _follow(self, runs: list[WatchedRun]) -> None:
        names = {run.run for run in runs}
        for gone in self._runs.keys() - names:
            del self._runs[gone]
        for run in runs:
            if run.run not in self._runs:
                notes = CallNotes(f"{run.folder}/fronts/cache.jsonl", has_probes=True)
                self._runs[run.run] = _Run(run, run.record.started.agent, notes, run.told_lookups)

    def _servers(self) -> list[Server]:
        """Of the agents that build now: the last one that was started for each."""
        found = (read_server(self._paths, agent) for agent in sorted({one.agent for one in self._runs.values()}))
        return [server for server in found if server is not None]

    def _read_all(self) -> None:
        """Logs first: what a server tells of was noted before, by the front and by our store."""
        logs = self._current_logs()
        told = [(log.agent, verdict) for log in logs for verdict in log.read()]
        for one in self._runs.values():
            for call in one.notes.poll():
                self._take_call(one, call)
        self._store_tail.poll()
        for agent, verdict in told:
            self._take_verdict(agent, verdict)
        self._place_loose()

    def _current_logs(self) -> list[FollowedLog]:
        """Of all servers that the runs have asked: since they began, there may have been several for an agent."""
        began: dict[str, float] = {}
        for one in self._runs.values():
            began[one.agent] = min(one.run.record.started.at, began.get(one.agent, sys.maxsize))
        paths = {path: agent for agent, at in began.items() for path in logs_since(self._paths, agent, at)}
        for path in [log.path for log in self._logs.values() if log.agent in began and log.path not in paths]:
            del self._logs[path]
        return [self._logs.setdefault(path, FollowedLog(agent, path)) for path, agent in paths.items()]

    def _take_call(self, one: _Run, call: Call) -> None:
        if not call.is_direct:
            one.waiting.setdefault(call.key, []).append(call)
            return
        if (asked := one.last_call(call.key, call.at)) is not None:
            one.answer(asked)  # and then the server died
        detail = "its cache server was gone: it was compiled without"
        language = PROBE if call.is_probe else "Rust"
        one.tell(_event(call.at, call.unit, "error", language=language, reason="server", detail=detail))

    def _take_verdict(self, agent: str, verdict: Verdict) -> None:
        if verdict.is_stored and verdict.key:
            stored = self._stored(verdict.key)
            size = stored.size_bytes if stored else None
            self._key_book().add(verdict.key, Entry(agent, verdict.compile_s, size), verdict.at)
        if not verdict.is_driver and not self._place(agent, verdict):
            self._loose.append((self._monotonic(), agent, verdict))

    def _place_loose(self) -> None:
        now = self._monotonic()
        for _ in range(len(self._loose)):
            since, agent, verdict = self._loose.popleft()
            if self._place(agent, verdict):
                continue
            is_noted = verdict.language == "Rust" and now - since < MATCH_WAIT_S
            one = self._owner(agent, verdict)
            if is_noted and (one is None or one.over_at is None):
                self._loose.append((since, agent, verdict))
            elif one is not None:
                self._tell(one, None, verdict)

    def _place(self, agent: str, verdict: Verdict) -> bool:
        """Give a verdict to the run whose call it answers: the last one before the server was asked. An earlier one was
        given up, or is of a server before this one."""
        key = CallKey(verdict.crate_name, verdict.extra_filename, verdict.out_dir)
        until = (verdict.began or verdict.at) + _STEP_S
        own = (one for one in self._runs.values() if one.agent == agent)
        asked = [(call, one) for one in own if (call := one.last_call(key, until)) is not None]
        if not asked:
            return False
        call, one = max(asked, key=lambda pair: pair[0].at)
        one.answer(call)
        self._tell(one, call, verdict)
        return True

    def _owner(self, agent: str, verdict: Verdict) -> _Run | None:
        """The run of a verdict whose call was not noted: it writes into that run's target dir, else the newest that
        may have asked."""
        own = [
            one
            for one in self._runs.values()
            if one.agent == agent
            and one.run.record.started.at <= verdict.at
            and not (verdict.language == "Rust" and _has_notes(one))
        ]
        place = verdict.out_dir or verdict.output
        within = [one for one in own if _is_below(place, one.run.record.started.target_dir)]
        return next(iter(reversed(within or own)), None)

    def _tell(self, one: _Run, call: Call | None, verdict: Verdict) -> None:
        unit = call.unit if call is not None else _unit_of(verdict)
        if not unit and (_has_notes(one) or one.run.record.started.tool == "cargo"):
            return  # cargo asks a wrapper what it is, before it asks for anything else
        found = self._entry(verdict.key) if verdict.outcome in ("hit", "missed") else None
        is_hit = verdict.outcome == "hit"
        source = self._store_tail.source(one.agent, verdict.key, verdict.at) if is_hit else ""
        is_probe = call is not None and call.is_probe
        event = _event(
            verdict.at, unit, verdict.outcome, language=PROBE if is_probe else verdict.language, key=verdict.key,
            reason=verdict.reason or (UNKNOWN if verdict.outcome == "missed" else ""),
            source=source or (found.agent if found and is_hit else ""), elapsed_s=_elapsed(verdict),
            saved_s=found.compile_s if found and is_hit else None, size=found.size_bytes if found else None,
        )  # fmt: skip
        if verdict.outcome == "missed" and call is not None and not is_probe:
            self._misses.append(_Miss(one, call, event))
        else:
            one.tell(event)

    def _explain(self, until: float) -> None:
        """Tell of misses with their reasons, as many as there is time for."""
        while self._misses and self._monotonic() < until:
            self._explain_one(self._misses.popleft())

    def _explain_one(self, miss: _Miss) -> None:
        if self._explainer is None:
            self._explainer = Explainer(self._paths.state + "/cache_inputs.jsonl")
        reason, detail = self._explainer.explain(miss.call, miss.event.at)
        is_told = miss.event.reason != UNKNOWN  # what the server says itself needs no guess
        miss.run.tell(miss.event if is_told else replace(miss.event, reason=reason, detail=detail))

    def _finish(self, one: _Run) -> None:
        """The run is over: its misses are told now, and what nobody answered."""
        mine = [miss for miss in self._misses if miss.run is one]
        self._misses = deque(miss for miss in self._misses if miss.run is not one)
        for miss in mine:
            self._explain_one(miss)
        if one.run.is_given_up:
            return
        for calls in one.waiting.values():
            for call in calls:
                detail = "its cache server gave no answer"
                language = PROBE if call.is_probe else "Rust"
                one.tell(_event(call.at, call.unit, "error", language=language, reason="server", detail=detail))

    def _entry(self, key: str) -> Entry | None:
        """Who made an entry, how long that took, how large it is; as far as it is known."""
        known = self._key_book().find(key)
        if known is not None and known.size_bytes is not None:
            return known
        stored = self._stored(key)
        if known is not None:
            return known._replace(size_bytes=stored.size_bytes if stored else None)
        return Entry(stored.agent, None, stored.size_bytes) if stored else None

    def _stored(self, key: str) -> Stored | None:
        """What our own store says of an object; None: it does not have it, or there is another store."""
        return self._objects.stored(key) if key else None

    def _key_book(self) -> KeyBook:
        if self._keys is None:
            self._keys = KeyBook(self._paths.state + "/cache.sqlite")
        return self._keys


def _unit_of(verdict: Verdict) -> str:
    return unit_name(verdict.words, {}) or os.path.basename(verdict.output) or verdict.tag


def _has_notes(one: _Run) -> bool:
    return os.path.exists(f"{one.run.folder}/fronts/cache.jsonl")


def _is_below(path: str, folder: str | None) -> bool:
    return folder is not None and path.startswith(folder + "/")


def _elapsed(verdict: Verdict) -> float | None:
    spans = [s for s in (verdict.hash_s, verdict.lookup_s, verdict.compile_s) if s is not None]
    return round(sum(spans), 3) if spans else None


def _event(
    at: float, unit: str, outcome: e.CacheOutcome, *, language: str = "Rust", key: str = "", reason: str = "",
    detail: str = "", source: str = "", elapsed_s: float | None = None, saved_s: float | None = None,
    size: int | None = None,
) -> e.CacheLookedUp:  # fmt: skip
    return e.CacheLookedUp(
        at=at, cache="sccache", unit=unit, language=language, outcome=outcome, key=key, source_agent=source,
        reason=reason, detail=detail, elapsed_s=elapsed_s, saved_s=saved_s, size_bytes=size,
    )  # fmt: skip
