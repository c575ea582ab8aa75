"""The logs of many runs as one, by the time at which their lines came. Text stays in the files."""

from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from core.clock import Clock
from core.logfile import LogFile
from core.parsers.text import sanitise
from core.stamps import Stamps

_OPEN_LOGS = 24
"""So many files are held open; the one that was read longest ago is closed for another."""
_BLOCK_LINES = 2000


class Origin(NamedTuple):
    """Where a line of the timeline stands."""

    run: str
    agent: str
    stream: str
    line: int
    """Of that log, from 0."""
    at: float
    """Seconds since the epoch."""


@dataclass(slots=True)
class _Source:
    """One log."""

    run: str
    agent: str
    stream: str
    stamps: Stamps
    is_over: bool = False
    taken: int = 0
    """Notes of it that are in the timeline."""


class Timeline:
    """Lines of all logs that were added, in parts of some hundred: 26 bytes a part.

    What is there at first stands in order of time. What comes later stands below it, in the order in which it was seen:
    no line changes its number.
    """

    def __init__(self, open_log: Callable[[str, str], LogFile | None], clock: Clock | None = None) -> None:
        """`open_log` opens the log of a run's stream; `clock`: of a recording, which knows more than has happened."""
        self._open_log = open_log
        self._clock = clock
        self._logs: OrderedDict[int, LogFile] = OrderedDict()
        self._sources: list[_Source] = []
        self._known: set[str] = set()
        self._stamps: dict[str, Stamps] = {}
        self._hidden: frozenset[str] = frozenset()
        self._clear()

    def _clear(self) -> None:
        self._ends, self._of, self._firsts, self._times = array("Q"), array("H"), array("I"), array("d")
        for source in self._sources:
            source.taken = 0

    @property
    def agents(self) -> tuple[str, ...]:
        """Whose logs there are, in the order in which they came."""
        return tuple(dict.fromkeys(source.agent for source in self._sources))

    @property
    def shown_line_count(self) -> int:
        """Lines there are, as of the last `grow`."""
        return self._ends[-1] if self._ends else 0

    def add(self, run: str, agent: str, streams: tuple[str, ...], journal: str) -> None:
        """Have the logs of a run in it, too; its lines come with the next `grow`."""
        if run not in self._known:
            self._known.add(run)
            stamps = self._stamps[run] = Stamps(journal)
            self._sources += [_Source(run, agent, stream, stamps) for stream in streams]

    def end(self, run: str) -> None:
        """Nothing more will come of a run: it is read once more, and then not looked at again."""
        for source in self._sources:
            if source.run == run and not source.is_over:
                source.stamps.grow()
                source.is_over = True

    def hide(self, agents: frozenset[str]) -> None:
        """Leave out the logs of these agents. Lines have other numbers then."""
        if agents != self._hidden:
            self._hidden = agents
            self._clear()
            self.grow()

    def grow(self) -> bool:
        """Take notice of what was added; True where something was."""
        for source in self._sources:
            if not source.is_over:
                source.stamps.grow()
        until = self._clock() if self._clock is not None else float("inf")
        parts: list[tuple[float, int, int, int]] = []
        for index, source in enumerate(self._sources):
            if source.agent in self._hidden:
                continue
            new = source.stamps.parts(source.stream, source.taken, until)
            source.taken += len(new)
            parts += [(at, index, first, count) for at, first, count in new]
        for at, index, first, count in sorted(parts):
            self._ends.append(self.shown_line_count + count)
            self._of.append(index)
            self._firsts.append(first)
            self._times.append(at)
        return bool(parts)

    def origin(self, line: int) -> Origin:
        """Where a line comes from. Raises IndexError: there is no such line."""
        part = bisect_right(self._ends, line)
        source = self._sources[self._of[part]]
        offset = line - (self._ends[part - 1] if part else 0)
        return Origin(source.run, source.agent, source.stream, self._firsts[part] + offset, self._times[part])

    def lines(self, first: int, count: int) -> list[str]:
        """Sanitised lines, colours kept; fewer at the end."""
        return [sanitise(line) for line in self._raw(first, count)]

    def block(self, line: int, size: int) -> tuple[int, int, bytes]:
        """As `core.logfile.LogFile.block`; of some thousand lines, whatever their size."""
        lines = self._raw(line, _BLOCK_LINES)
        return line, line + len(lines), b"".join(text + b"\n" for text in lines)

    def _raw(self, first: int, count: int) -> list[bytes]:
        found: list[bytes] = []
        end = min(first + count, self.shown_line_count)
        part = bisect_right(self._ends, first)
        while first < end:
            offset = first - (self._ends[part - 1] if part else 0)
            many = min(end, self._ends[part]) - first
            log = self._log(self._of[part])
            lines = log.lines(self._firsts[part] + offset, many) if log is not None else []
            found += lines + [b""] * (many - len(lines))  # cut from the log, or gone with it
            first += many
            part += 1
        return found

    def _log(self, index: int) -> LogFile | None:
        """The log of a source, as far as it goes now."""
        source = self._sources[index]
        log = self._logs.pop(index, None) or self._open_log(source.run, source.stream)
        if log is None:
            return None
        self._logs[index] = log
        if len(self._logs) > _OPEN_LOGS:
            self._logs.popitem(last=False)[1].close()
        log.extend()
        return log
