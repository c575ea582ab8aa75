"""Values derived from what caches did on a board: agents, look-ups, who profits from whom, what is wrong. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge, nlargest
from itertools import chain, islice
from types import MappingProxyType
from typing import NamedTuple

from core import events as e
from core import queries
from core.cache_use import CacheUse, combine
from core.nvcc_use import NvccUse, added, nvcc_use, was_asked
from core.state import Board, Run
from core.values import dataclass

MAX_UNITS = 2000
"""Look-ups that are listed, those that come first by the chosen order."""
ORDERS = ("newest", "slowest")
Names = Mapping[str, str]
"""What agents are called on the board, by the names that everybody else knows; others keep theirs."""
NO_NAMES: Names = MappingProxyType({})


class Server(NamedTuple):
    """A cache's server, as `CachesSeen` tells of it. Counts since it was started or zeroed."""

    agent: str
    cache: str
    pid: int | None
    """None: it does not run."""
    hits: int
    missed: int
    not_cacheable: int
    errors: int
    timeouts: int
    read_errors: int
    write_errors: int
    location: str
    """Where it stores."""
    alarm: str
    """A sentence; empty: all is well."""

    @property
    def rate(self) -> float | None:
        """Hits of what it could keep, 0..1; None: nothing was."""
        looked = self.hits + self.missed
        return self.hits / looked if looked else None


class Trade(NamedTuple):
    """What one agent took of what one agent compiled."""

    filled_by: str
    """Empty: not known."""
    taken_by: str
    hits: int
    size_bytes: int | None
    """None: not known of each."""


@dataclass(frozen=True, slots=True)
class AgentUse:
    """What caches did for an agent."""

    agent: str
    runs: tuple[Run, ...]
    """Those that are counted, oldest first."""
    use: CacheUse
    """Of all these runs."""
    server: Server | None
    """Its own; None: it has none that we know of."""
    nvcc: NvccUse = NvccUse()
    """What the depfile cache of nvcc did in all these runs."""

    @property
    def cached_runs(self) -> tuple[Run, ...]:
        """Those of its runs that a cache was seen in."""
        return tuple(run for run in self.runs if run.cache.cache)


class UnitLookup(NamedTuple):
    """One compilation that went through a cache."""

    agent: str
    run: str
    place: int
    """Among the run's look-ups."""
    event: e.CacheLookedUp

    @property
    def key(self) -> str:
        """Names it among all."""
        return f"{self.run} {self.event.at} {self.place}"


def has_cache(board: Board) -> bool:
    """A cache was seen in a run, before its compilers or before nvcc; or a server or a store is known."""
    caches = board.host.caches
    if caches is not None and (caches.servers or caches.store_state):
        return True
    runs = board.runs.values()
    return any(run.cache.cache for run in runs) or was_asked(runs)


def servers(board: Board, called: Names = NO_NAMES) -> tuple[Server, ...]:
    """Those that are known."""
    caches = board.host.caches
    known = (Server(*row) for row in caches.servers) if caches is not None else ()
    return tuple(server._replace(agent=called.get(server.agent, server.agent)) for server in known)


def agents(board: Board, *, newest_only: bool = False, called: Names = NO_NAMES) -> tuple[AgentUse, ...]:
    """An entry an agent, in the order in which agents first appeared; at last those that only a server is known of.

    `newest_only`: of its runs only the one that its pane shows, else all on the board (of the last 24 hours).
    """
    by_agent: dict[str, list[Run]] = {}
    for run in board.runs.values():
        by_agent.setdefault(run.agent, []).append(run)
    if newest_only:
        by_agent = {pane.agent: [pane.run] for pane in queries.panes(board)}
    known = {server.agent: server for server in servers(board, called)}
    found = [
        AgentUse(agent, tuple(runs), combine(run.cache for run in runs), known.get(agent), nvcc_use(runs))
        for agent, runs in by_agent.items()
    ]
    rest = [AgentUse(agent, (), CacheUse(), server) for agent, server in known.items() if agent not in by_agent]
    return (*found, *rest)


def together(found: Iterable[AgentUse]) -> AgentUse:
    """All agents as one without a name."""
    found = tuple(found)
    runs = tuple(run for one in found for run in one.runs)
    return AgentUse("", runs, combine(one.use for one in found), None, added(one.nvcc for one in found))


def lookups(
    found: Iterable[AgentUse], *, agent: str | None = None, misses_only: bool = False, order: str = ORDERS[0]
) -> list[UnitLookup]:
    """Compilations of these agents in the order that was asked for, at most MAX_UNITS.

    `misses_only`: what is no hit. `slowest`: those of which it is not known how long they took come last.
    """
    chosen = [(one.agent, run) for one in found if agent in (None, one.agent) for run in one.runs]
    wanted = [_newest_first(who, run, misses_only=misses_only) for who, run in chosen]
    if order == "slowest":
        return nlargest(MAX_UNITS, chain(*wanted), key=lambda one: (one.event.elapsed_s or -1.0, one.event.at))
    return list(islice(merge(*wanted, key=lambda one: (-one.event.at, -one.place)), MAX_UNITS))


def _newest_first(agent: str, run: Run, *, misses_only: bool) -> Iterator[UnitLookup]:
    found = run.cache.lookups
    for place in range(len(found) - 1, -1, -1):
        if not misses_only or found[place].outcome != "hit":
            yield UnitLookup(agent, run.run, place, found[place])


def trades(board: Board, found: Sequence[AgentUse]) -> tuple[tuple[Trade, ...], bool]:
    """Who profits from whom, most hits first; True: as the store counts since it was made, else as these runs tell."""
    caches = board.host.caches
    if caches is not None and caches.trades:
        return _by_hits(Trade(*row) for row in caches.trades), True
    return _by_hits(trade for one in found for trade in _trades_of(one)), False


def _trades_of(one: AgentUse) -> Iterable[Trade]:
    sizes: dict[str, list[int | None]] = {}
    for event in one.use.lookups:
        if event.outcome == "hit":
            sizes.setdefault(event.source_agent, []).append(event.size_bytes)
    for source, hits in one.use.sources.items():
        known = [size for size in sizes.get(source, ()) if size is not None]
        yield Trade(source, one.agent, hits, sum(known) if len(known) == hits else None)


def _by_hits(found: Iterable[Trade]) -> tuple[Trade, ...]:
    return tuple(sorted(found, key=lambda trade: (-trade.hits, trade.filled_by, trade.taken_by)))


def alarms(board: Board, called: Names = NO_NAMES) -> tuple[str, ...]:
    """What is wrong with caches, a sentence each, the store's first; empty: nothing that is known."""
    told = ((server.agent, server.alarm or _trouble(server)) for server in servers(board, called))
    found = tuple(f"{agent}: {sentence}" if agent else sentence for agent, sentence in told if sentence)
    caches = board.host.caches
    if caches is not None and caches.store_state == "stopped" and any(row[2] is not None for row in caches.servers):
        return ("The store does not run: servers find nothing in it, and builds compile everything.", *found)
    return found


def _trouble(server: Server) -> str:
    """What its counters tell."""
    counted = (
        (server.timeouts, "look-up timed out", "look-ups timed out"),
        (server.read_errors, "entry could not be read", "entries could not be read"),
        (server.write_errors, "entry could not be stored", "entries could not be stored"),
    )
    said = [f"{count} {one if count == 1 else many}" for count, one, many in counted if count]
    return f"{', '.join(said)} since its {server.cache} server was started." if said else ""
