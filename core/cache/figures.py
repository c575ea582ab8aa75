"""What servers and store count themselves: asked now and then, beside builds, and what in it is alarming."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from core import events as e
from core.cache.sccache_log import ServerLog
from core.cache.sccache_stats import ServerStats, parse_stats
from core.cache.server import Server, agents, is_alive, kill_server, read_server
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
    is_ended: bool = False
    """It hung, and was ended."""


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
        """Builds use our servers now."""
        self._unanswered = 0
        """Looks at the store in a row that had no answer."""

    def look(self, servers: Iterable[Server], logs: Mapping[str, ServerLog]) -> list[e.Event]:
        """Where it is time: ask the servers of agents that build, take what was answered.

        `logs`: what their logs said so far, by agent.
        """
        for server in servers:
            known = self._known.get(server.agent)
            if known is None or known.server != server:
                self._known[server.agent] = _Known(server)
        now = self._monotonic()
        self._is_needed = True
        is_due = now >= self._due_at
        if is_due:
            self._due_at = now + PERIOD_S
        for known in self._known.values():
            known.log = logs.get(known.server.agent, known.log)
            self._take_answer(known, now)
            if is_due:
                self._ask(known, now)
        return self._tell() if is_due else []

    def rest(self) -> list[e.Event]:
        """The same while no build uses a cache: nothing is asked, but that servers live or ended is noticed."""
        now = self._monotonic()
        if now < self._due_at:
            return []
        self._due_at = now + REST_PERIOD_S
        self._is_needed = False
        for agent in agents(self._paths):
            server = read_server(self._paths, agent)
            if server is not None and agent not in self._known:
                self._known[agent] = _Known(server)
        for known in self._known.values():
            self._take_answer(known, now)
            known.is_alive = is_alive(known.server)
        return self._tell()

    def _ask(self, known: _Known, now: float) -> None:
        known.is_alive = is_alive(known.server)
        if known.question is not None or not known.is_alive:
            return
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

    def _take_answer(self, known: _Known, now: float) -> None:
        question = known.question
        if question is None:
            return
        if not _is_over(question.pid):
            known.silent_s = now - question.since
            if known.silent_s > ANSWER_LIMIT_S and not known.is_ended:
                known.is_ended = True
                kill_server(known.server)
            return
        known.question, known.silent_s = None, 0.0
        try:
            with open(question.file, "rb") as file:
                known.stats = parse_stats(file.read(_ANSWER_BYTES))
        except (OSError, ValueError):
            pass  # it ended while it was asked

    def _tell(self) -> list[e.Event]:
        event = replace(self._store(), servers=tuple(_row(known) for _, known in sorted(self._known.items())))
        if self._told is not None and replace(event, at=self._told.at) == self._told:
            return []
        self._told = event
        return [event]

    def _store(self) -> e.CachesSeen:
        """The part that speaks of the store."""
        now = self._clock()
        own = [known for known in self._known.values() if known.server.backend == "own"]
        if not own:
            return e.CachesSeen(now, (), "foreign" if self._known else "")
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
    if known.log is not None and known.log.mode == "ReadOnly":
        return f"its store takes nothing: it was read-only when the server started ({known.log.trouble or 'no reason'})"
    if stats is None:
        return ""
    if stats.is_read_only_suspected:
        return f"its store takes nothing: {stats.write_errors} writes failed, none went through"
    said = [
        f"{count} {word}"
        for count, word in (
            (stats.timeouts, "timeouts"), (_read_failures(known), "read errors"), (stats.write_errors, "write errors"),
        )
        if count
    ]  # fmt: skip
    why = f": {known.log.trouble}" if known.log is not None and known.log.trouble else ""
    return f"its store had {', '.join(said)}{why}" if said else ""
