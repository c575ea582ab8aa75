"""Who takes the memory, and what links take: values for the screens, derived from the board. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from math import inf

from core import events as e
from core.state import Board, Run
from core.values import dataclass

SPAN_S = 300.0
"""What the history shows."""
BYTES_PER_INPUT = 2.6
"""A link's peak for each byte of its inputs: 2.0 to 2.6 over lld and bfd, debug and release."""
_LATEST_WEIGHT = 0.5
"""Of the last link of an output, in the estimate for the next one."""
MAX_LINKS = 200
MEASURING_AGENT = "measure"
"""Whose runs measure what settings do to a link."""
_HOLDS_S = 5.0
"""A sample holds for so long after the engine's last sign of life."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A column of the history: what the last sample before its end said."""

    taken: tuple[int, ...]
    """Anonymous bytes of the runs of each agent, in the order of `History.agents`."""
    foreign_bytes: int
    """Anonymous bytes that are not ours; 0 also where that is not known."""
    links: tuple[int, ...]
    """How many links of each agent were under way."""


@dataclass(frozen=True, slots=True)
class History:
    """Memory over time, oldest first."""

    agents: tuple[str, ...]
    """All of the board, in order of appearance."""
    moments: tuple[Moment, ...]
    step_s: float
    """Between two of them."""
    end: float
    """Of the last one, seconds since the epoch."""

    @property
    def most_bytes(self) -> int:
        """The highest stack."""
        return max((sum(moment.taken) + moment.foreign_bytes for moment in self.moments), default=0)

    def columns_between(self, began: float, ended: float) -> range:
        """Indexes of the moments that a span of time touches."""
        first = self.end - len(self.moments) * self.step_s
        low, high = int((began - first) // self.step_s), int((ended - first) // self.step_s)
        return range(max(0, low), min(len(self.moments), high + 1))


def history(board: Board, columns: int, now: float) -> History:
    """The last minutes in so many columns. A column's borders stay for as long as it is shown."""
    step_s = SPAN_S / max(1, columns)
    end = -(-now // step_s) * step_s
    agents = tuple(dict.fromkeys(run.agent for run in board.runs.values()))
    ends = [min(now, end - step_s * (columns - 1 - at)) for at in range(columns)]
    seen_until = (board.engine_seen_at or 0.0) + _HOLDS_S
    taken = {agent: [0] * columns for agent in agents}
    for run in board.runs.values():
        if run.memory_history and (run.ended_at or now) >= ends[0] - step_s:
            for at, size in enumerate(_held(run, ends, seen_until)):
                taken[run.agent][at] += size
    foreign = _foreign(board, ends, seen_until)
    empty = History(agents, (Moment((), 0, ()),) * columns, step_s, end)
    links = _under_way(board, empty, now)
    moments = (
        Moment(
            tuple(taken[agent][at] for agent in agents),
            foreign[at],
            tuple(links[agent][at] for agent in agents),
        )
        for at in range(columns)
    )
    return History(agents, tuple(moments), step_s, end)


def _held(run: Run, ends: list[float], seen_until: float) -> Iterator[int]:
    """What the run's last sample said at each moment."""
    over_at = run.ended_at if run.ended_at is not None else seen_until
    for end in ends:
        at = bisect_right(run.memory_history, (end, inf)) - 1
        yield run.memory_history[at][1] if at >= 0 and end <= over_at else 0


def _foreign(board: Board, ends: list[float], seen_until: float) -> list[int]:
    trail = board.host.trail
    times = [sample.at for sample in trail]
    found = []
    for end in ends:
        at = bisect_right(times, end) - 1
        is_known = at >= 0 and end <= max(seen_until, trail[at].at + _HOLDS_S)
        found.append(max(0, trail[at].anonymous_bytes - trail[at].ours_bytes) if is_known else 0)
    return found


def _under_way(board: Board, empty: History, now: float) -> dict[str, list[int]]:
    """How many links of each agent were under way at each moment."""
    counts = {agent: [0] * len(empty.moments) for agent in empty.agents}
    first = empty.end - len(empty.moments) * empty.step_s
    for run in board.runs.values():
        spans = [(link.began, link.at) for link in run.link_ends if link.at >= first]
        spans += [(link.at, now) for link in run.links]
        for began, ended in spans:
            for at in empty.columns_between(began, ended):
                counts[run.agent][at] += 1
    return counts


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link under way, or the last one of an output."""

    run: str
    agent: str
    checkout: str
    started: e.LinkStarted | None
    """None: it is over."""
    ended: e.LinkEnded | None
    """None: it is under way."""
    now_bytes: int | None
    """Anonymous memory of one under way at the last sample; None: not looked at yet, or it is over."""
    estimate_bytes: int | None
    """What it was expected to take; None: its inputs are not known."""
    earlier: tuple[e.LinkEnded, ...]
    """Links of the same output before it, oldest first; where there are any, the estimate is made from them."""

    @property
    def key(self) -> str:
        """Names it for as long as it is shown."""
        return f"{self.run} {self._either.link}"

    @property
    def _either(self) -> e.LinkStarted | e.LinkEnded:
        found = self.started if self.started is not None else self.ended
        assert found is not None
        return found

    @property
    def unit(self) -> str:
        """As in cargo's progress line; empty: not cargo's."""
        return self._either.unit

    @property
    def output(self) -> str:
        """Absolute path; empty: not known."""
        return self._either.output

    @property
    def name(self) -> str:
        """What a person calls it: the unit, else the file."""
        return self.unit or self.output.rpartition("/")[2] or "a link"

    @property
    def linker(self) -> str:
        """Empty: not known."""
        return self._either.linker

    @property
    def input_bytes(self) -> int | None:
        """Of its object files and libraries."""
        return self._either.input_bytes

    @property
    def is_sampled(self) -> bool:
        """Seen among the processes, not told by a front."""
        return self._either.is_sampled

    @property
    def is_cut_short(self) -> bool:
        """A front told its beginning, and it or the driver was killed: its peak is that of samples."""
        return self.ended is not None and _is_cut_short(self.ended)

    @property
    def peak_bytes(self) -> int | None:
        """None: under way, or never measured."""
        return self.ended.peak_bytes or None if self.ended is not None else None

    @property
    def began(self) -> float:
        """Seconds since the epoch."""
        return self.ended.began if self.ended is not None else self._either.at


def link_rows(board: Board, most: int = MAX_LINKS) -> tuple[LinkRow, ...]:
    """Links under way, largest first; then the last link of each output, by its peak. Those of measurements are none
    of a build's."""
    runs = [run for run in board.runs.values() if run.agent != MEASURING_AGENT]
    by_output: dict[str, list[tuple[float, Run, e.LinkEnded]]] = {}
    for run in runs:
        for link in run.link_ends:
            by_output.setdefault(link.output or link.link, []).append((link.at, run, link))
    for ends in by_output.values():
        ends.sort(key=lambda one: one[0])
    running = [_running(run, link, by_output.get(link.output, ())) for run in runs for link in run.links]
    running.sort(key=lambda row: (-(row.now_bytes or 0), row.began))
    largest = sorted(by_output.values(), key=lambda ends: -ends[-1][2].peak_bytes)[:most]
    return (*running, *(_ended(ends) for ends in largest))


def link_row(board: Board, before: LinkRow) -> LinkRow:
    """A link as it is now, listed or not: others of the same output, or larger ones, may have come after it."""
    run = board.runs.get(before.run)
    found = next((row for row in link_rows(board) if row.key == before.key), None)
    if found is not None or before.started is None or run is None:
        return found or before
    ended = next((link for link in run.link_ends if link.link == before.started.link), None)
    return replace(before, started=None, ended=ended, now_bytes=None) if ended is not None else before


def _running(run: Run, link: e.LinkStarted, before: Iterable[tuple[float, Run, e.LinkEnded]]) -> LinkRow:
    earlier = tuple(one for _, _, one in before)
    taken = dict(run.use.links).get(link.link) if run.use is not None else None
    estimate = estimate_bytes(link.input_bytes, link.linker, earlier)
    return LinkRow(run.run, run.agent, run.checkout, link, None, taken, estimate, earlier)


def _ended(ends: list[tuple[float, Run, e.LinkEnded]]) -> LinkRow:
    _, run, link = ends[-1]
    earlier = tuple(one for _, _, one in ends[:-1])
    estimate = estimate_bytes(link.input_bytes, link.linker, earlier)
    return LinkRow(run.run, run.agent, run.checkout, None, link, None, estimate, earlier)


def estimate_bytes(input_bytes: int | None, linker: str, earlier: Iterable[e.LinkEnded]) -> int | None:
    """What a link will take: from earlier ones of its output with that linker, else from its inputs."""
    expected: float | None = None
    for link in earlier:
        if link.linker == linker and link.peak_bytes and link.output_bytes is not None:
            gone = link.peak_bytes if expected is None else expected
            expected = gone + (link.peak_bytes - gone) * _LATEST_WEIGHT
    if expected is None and input_bytes:
        expected = input_bytes * BYTES_PER_INPUT
    return int(expected) if expected is not None else None


@dataclass(frozen=True, slots=True)
class KillRow:
    """A process that was killed for want of memory."""

    run: str
    agent: str
    kill: e.ProcessKilled

    @property
    def key(self) -> str:
        """Names it for as long as it is shown."""
        return f"{self.run} killed {self.kill.at}"


def kill_rows(board: Board) -> tuple[KillRow, ...]:
    """Kills for want of memory, newest first."""
    found = [KillRow(run.run, run.agent, kill) for run in board.runs.values() for kill in run.kills if kill.is_oom]
    return tuple(sorted(found, key=lambda row: -row.kill.at))


def memory_now(board: Board) -> Mapping[str, int]:
    """Anonymous bytes of each agent's live runs."""
    found: dict[str, int] = {}
    for run in board.runs.values():
        if run.use is not None:
            found[run.agent] = found.get(run.agent, 0) + run.use.memory_bytes
    return found


def _is_cut_short(end: e.LinkEnded) -> bool:
    return end.is_sampled and end.output_bytes is None and "-s" not in end.link


def has_sampled_links(board: Board) -> bool:
    """Some of the links that are known were seen among the processes: others may be missing."""
    return any(
        any(link.is_sampled for link in run.links)
        or any(link.is_sampled and not _is_cut_short(link) for link in run.link_ends)
        for run in board.runs.values()
    )
