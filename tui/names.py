"""Agents under the names that a person gave them: over any source of boards, for what is drawn alone."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

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

    def call(self, names: Mapping[str, str]) -> None:
        """Use these names from the next board on."""
        if names != self._names:
            self._names = dict(names)
            self._true, self._runs = Board(), {}

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

    def _renamed(self, board: Board) -> Board:
        agents = frozenset(run.agent for run in board.runs.values())
        if agents != self._agents:  # a name may be taken now
            self._agents, self._runs = agents, {}
        self._runs = {name: self._pair(name, run, agents) for name, run in board.runs.items()}
        return replace(board, runs=MappingProxyType({name: shown for name, (_, shown) in self._runs.items()}))

    def _pair(self, name: str, run: Run, agents: frozenset[str]) -> tuple[Run, Run]:
        before = self._runs.get(name)
        if before is not None and before[0] is run:
            return before
        called = self._names.get(run.agent, run.agent)
        if called == run.agent:
            return run, run
        is_taken = called in agents or list(self._names.values()).count(called) > 1
        return run, replace(run, agent=f"{called} ({run.agent})" if is_taken else called)
