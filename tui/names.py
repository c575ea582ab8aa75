"""Agents under the names that a person gave them: over any source of boards, for what is drawn alone."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from core import events as e
from core.host import Held, Owner
from core.state import Board, Run
from tui.source import BoardSource


class NamedSource:
    """A source whose boards call agents by their names. Requests and the command line know the true ones."""

    def __init__(self, source: BoardSource) -> None:
        self._source = source
        self._names: Mapping[str, str] = {}
        self._true = self._shown = Board()
        self._agents: frozenset[str] = frozenset()
        self._runs: dict[str, tuple[Run, Run]] = {}
        """Run as it came and as it is shown, by id: what did not change stays the same object."""
        self._locks: tuple[tuple[Held, ...], tuple[Held, ...]] = (), ()
        """The same of locks."""
        self.called: Mapping[str, str] = MappingProxyType({})
        """What agents of the last board are called by their true names, where that is something else."""

    def call(self, names: Mapping[str, str]) -> None:
        """Use these names from the next board on."""
        if names != self._names:
            self._names = dict(names)
            self._forget()
            self._true = Board()

    def poll(self) -> Board:
        """The board as it is now; the same object while nothing changed."""
        board = self._source.poll()
        if not self._names:
            return board
        if board is not self._true:
            self._true = board
            self._shown = self._renamed(board)
        return self._shown

    def true_name(self, run: Run) -> str:
        """What everybody else calls the agent of a run that is shown."""
        return self._runs[run.run][0].agent if run.run in self._runs else run.agent

    def _forget(self) -> None:
        self._agents, self._runs, self._locks, self.called = frozenset(), {}, ((), ()), MappingProxyType({})

    def _renamed(self, board: Board) -> Board:
        agents = frozenset(run.agent for run in board.runs.values())
        if agents != self._agents:  # a name may be taken now
            self._forget()
            self._agents = agents
            found = {agent: self._name_of(agent) for agent in agents}
            self.called = MappingProxyType({agent: name for agent, name in found.items() if name != agent})
        self._runs = {name: self._pair(name, run) for name, run in board.runs.items()}
        if board.host.locks is not self._locks[0]:
            self._locks = board.host.locks, tuple(self._held(held) for held in board.host.locks)
        runs = MappingProxyType({name: shown for name, (_, shown) in self._runs.items()})
        return replace(board, runs=runs, host=replace(board.host, locks=self._locks[1]))

    def _name_of(self, agent: str) -> str:
        called = self._names.get(agent, agent)
        is_taken = called in self._agents or list(self._names.values()).count(called) > 1
        return f"{called} ({agent})" if called != agent and is_taken else called

    def _pair(self, name: str, run: Run) -> tuple[Run, Run]:
        before = self._runs.get(name)
        if before is not None and before[0] is run:
            return before
        blocked = self._blocked(run.blocked) if run.blocked is not None else None
        kills = tuple(self._killed(kill) for kill in run.kills)
        shown = replace(run, agent=self._called(run.agent), blocked=blocked, kills=kills)
        return run, run if shown == run else shown

    def _called(self, agent: str) -> str:
        return self.called.get(agent, agent)

    def _blocked(self, blocked: e.LockBlocked) -> e.LockBlocked:
        behind = tuple(self._called(one) for one in blocked.behind)
        return replace(blocked, holder_agent=self._called(blocked.holder_agent), behind=behind)

    def _killed(self, kill: e.ProcessKilled) -> e.ProcessKilled:
        return replace(kill, others=tuple((self._called(agent), taken) for agent, taken in kill.others))

    def _held(self, held: Held) -> Held:
        waiters = tuple(replace(one, owner=self._owner(one.owner)) for one in held.waiters)
        return replace(held, holders=tuple(self._owner(one) for one in held.holders), waiters=waiters)

    def _owner(self, owner: Owner) -> Owner:
        return replace(owner, agent=self._called(owner.agent)) if owner.agent in self.called else owner
