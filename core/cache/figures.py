"""What servers and store count themselves: asked now and then, beside builds, and what in it is alarming."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from core import events as e
from core.cache.sccache_log import ServerLog
from core.cache.sccache_stats import ServerStats, parse_stats
from core.cache.server import agents, is_alive, kill_server
from core.cache.server_record import Server, read_server
from core.cache.store_address import read_address
from core.cache.store_client import end_hung_store, ensure_store, store_stats
from core.clock import Clock
from core.errors import DeckError
from core.events.machine import ServerRow
from core.paths import Paths
from core.run.cache import read_wish

PERIOD_S = 3.0
"""Asking a server costs 3 ms of CPU."""
REST_PERIOD_S = 30.0
"""While no build uses a cache: whether servers live."""
ANSWER_LIMIT_S = 15.0
"""A server that says nothing for so long hangs: it is ended, and its builds go on without it."""
STORE_ANSWER_S = 0.5
HUNG_AFTER = 4
"""Looks in a row at a store that lives and says nothing: twelve seconds."""
_ANSWER_BYTES = 1 << 18


@dataclass(slots=True)
class _Question:
    """`sccache --show-stats` under way."""

    pid: int
    file: str
    since: float


@dataclass(slots=True)
class _Known:
    """What is known of an agent's server."""

    server: Server
    stats: ServerStats | None = None
    is_alive: bool = False
    question: _Question | None = None
    silent_s: float = 0.0
    log: ServerLog | None = None
    """What it logged so far."""
    is_missed: bool = False
    """It is gone, and a build of its agent wanted it when we looked last."""
    is_ended: bool = False
    """It hung, and was ended."""
    is_behind: bool = False
    """A build may have used it since it was asked last."""


class Figures:
    """Asks, and tells what changed."""

    def __init__(self, paths: Paths, clock: Clock, monotonic: Clock) -> None:
        self._paths = paths
        self._clock = clock
        self._monotonic = monotonic
        self._known: dict[str, _Known] = {}
        self._due_at = -1e9
        self._told: e.CachesSeen | None = None
        self._is_needed = False
        """Builds use our servers, or did when we looked last."""
        self._store_seen = e.CachesSeen(0.0, ())
        """What it said last."""
        self._unanswered = 0
        """Looks at the store in a row that had no answer."""

    def look(self, servers: Collection[Server], logs: Mapping[str, ServerLog]) -> list[e.Event]:
        """Where it is time: ask the servers of agents that build, take what was answered. Those of others are left in
        peace: they end when nobody asks.

        `logs`: what their logs said so far, by agent.
        """
        for server in servers:
            self._know(server).is_behind = True
        building = {server.agent for server in servers}
        now = self._monotonic()
        self._is_needed = True
        is_due = now >= self._due_at
        if is_due:
            self._due_at = now + PERIOD_S
        for known in self._known.values():
            known.log = logs.get(known.server.agent, known.log)
            self._take_answer(known, now)
            if is_due:
                is_needed = known.server.agent in building
                self._visit(known, now, asks=is_needed)
                known.is_missed = is_needed and not known.is_alive
        return self._tell(asks_store=True) if is_due else []

    def rest(self) -> list[e.Event]:
        """The same while no build uses a cache: what the last one did is asked once; that servers live or ended is
        noticed."""
        now = self._monotonic()
        has_news = any([self._take_answer(known, now) for known in self._known.values()])
        if now < self._due_at:
            return self._tell(asks_store=False) if has_news else []
        self._due_at = now + REST_PERIOD_S
        was_needed, self._is_needed = self._is_needed, False
        for agent in agents(self._paths):
            if (server := read_server(self._paths, agent)) is not None:
                self._know(server)
        for known in self._known.values():
            self._visit(known, now, asks=known.is_behind)
            known.is_behind = False
        return self._tell(asks_store=was_needed)

    def _know(self, server: Server) -> _Known:
        known = self._known.get(server.agent)
        if known is None or known.server != server:
            known = self._known[server.agent] = _Known(server)
        return known

    def _visit(self, known: _Known, now: float, *, asks: bool) -> None:
        known.is_alive = is_alive(known.server)
        if asks and known.is_alive and known.question is None:
            self._ask(known, now)

    def _ask(self, known: _Known, now: float) -> None:
        file = known.server.folder + "/stats.json.part"
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
        ]
        words = [known.server.program, "--show-stats", "--stats-format=json"]
        env = {"SCCACHE_SERVER_UDS": known.server.socket, "PATH": "/usr/bin:/bin", "SCCACHE_CONF": "/dev/null"}
        try:
            pid = os.posix_spawn(known.server.program, words, env, file_actions=actions, setsid=True)
        except OSError:
            return  # no program, no figures
        known.question = _Question(pid, file, now)

    def _take_answer(self, known: _Known, now: float) -> bool:
        """Whether there is one; who gives none for too long is ended."""
        question = known.question
        if question is None:
            return False
        if not _is_over(question.pid):
            known.silent_s = now - question.since
            if known.silent_s > ANSWER_LIMIT_S and not known.is_ended:
                known.is_ended = True
                kill_server(known.server)
            return False
        known.question, known.silent_s = None, 0.0
        try:
            with open(question.file, "rb") as file:
                known.stats = parse_stats(file.read(_ANSWER_BYTES))
        except (OSError, ValueError):
            pass  # it ended while it was asked
        return True

    def _tell(self, *, asks_store: bool) -> list[e.Event]:
        event = replace(
            self._store(asks=asks_store), servers=tuple(_row(known) for _, known in sorted(self._known.items()))
        )
        if self._told is not None and replace(event, at=self._told.at) == self._told:
            return []
        self._told = event
        return [event]

    def _store(self, *, asks: bool) -> e.CachesSeen:
        """The part that speaks of the store. Not asked, one that lives has what it had: it ends when nobody asks."""
        now = self._clock()
        if not any(known.server.backend == "own" for known in self._known.values()):
            return e.CachesSeen(now, (), "foreign" if self._known else "")
        if asks or self._store_seen.store_state != "running":
            self._store_seen = self._look_at_store(now)
        elif not self._has_store():
            self._store_seen = e.CachesSeen(now, (), "stopped")
        return replace(self._store_seen, at=now)

    def _has_store(self) -> bool:
        address = read_address(self._paths.store)
        try:
            os.kill(address.pid if address else 1 << 30, 0)
        except OSError:
            return False
        return True

    def _look_at_store(self, now: float) -> e.CachesSeen:
        found = self._ask_store()
        if found is None:
            return e.CachesSeen(now, (), "stopped")
        trades = tuple((t["by"], t["agent"], int(t["hits"]), int(t["bytes"])) for t in found["trades"])
        return e.CachesSeen(
            now, (), "running", int(found["entries"]), int(found["bytes"]), int(found["limit"]), found["oldest"],
            int(found["evicted"]), trades,
        )  # fmt: skip

    def _ask_store(self) -> dict[str, Any] | None:
        """What the store says of itself; one that ended while builds need it is started again, one that hangs is ended:
        who asks that one waits a minute for each object."""
        found = store_stats(self._paths, timeout_s=STORE_ANSWER_S)
        if found is not None:
            self._unanswered = 0
            return found
        self._unanswered += 1
        if not self._is_needed or self._unanswered == 1:
            return None
        try:
            if self._unanswered < HUNG_AFTER or not end_hung_store(self._paths):
                ensure_store(self._paths, limit_bytes=read_wish(os.environ).limit_bytes)
        except (DeckError, OSError):
            pass  # it is tried again with the next look
        return None


def _is_over(pid: int) -> bool:
    """The engine's housekeeping may have waited for it before us."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except OSError:
        return True


def _row(known: _Known) -> ServerRow:
    stats = known.stats or ServerStats()
    server = known.server
    return (
        server.agent, "sccache", server.pid if known.is_alive else None, stats.hits, stats.misses,
        stats.not_cacheable, stats.errors, stats.timeouts, _read_failures(known), stats.write_errors, server.backend,
        _alarm(known),
    )  # fmt: skip


def _read_failures(known: _Known) -> int:
    """The server itself counts them as plain misses."""
    return known.log.read_failures if known.log is not None else 0


def _alarm(known: _Known) -> str:
    """What a person should know; empty: all is well."""
    stats = known.stats
    if known.is_ended:
        return f"its server did not answer for {ANSWER_LIMIT_S:.0f} s and was ended: builds went on without it"
    if known.is_missed:
        return "its server is gone: its build goes on without it, the next one starts another"
    if known.log is not None and known.log.mode == "ReadOnly":
        return f"its store takes nothing: it was read-only when the server started ({known.log.trouble or 'no reason'})"
    if stats is None:
        return ""
    if stats.is_read_only_suspected:
        return f"its store takes nothing: {stats.write_errors} writes failed, none went through"
    said = [
        f"{count} {word}" if count == 1 else f"{count} {word}s"
        for count, word in (
            (stats.timeouts, "timeout"), (_read_failures(known), "read error"), (stats.write_errors, "write error"),
        )
        if count
    ]  # fmt: skip
    why = f": {known.log.trouble}" if known.log is not None and known.log.trouble else ""
    return f"its store had {', '.join(said)}{why}" if said else ""
