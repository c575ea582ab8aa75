"""Kernels, and what they were before: values for the screens, derived from the board. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from core import events as e
from core.native.kernel_diff import Change, compare, gone, warnings
from core.nvcc_queries import arch_s
from core.state import Board, Run

Order = Literal["changed", "registers", "time", "source"]
ORDERS: tuple[Order, ...] = ("changed", "registers", "time", "source")


class Compiled(NamedTuple):
    """A source that was compiled, and the kernels that it has."""

    run: str
    agent: str
    checkout: str
    began: float
    """Seconds since the epoch, of its call."""
    measured: e.KernelsMeasured
    ended: e.NvccEnded | None
    """None: that is not kept any more."""
    blob: str
    """Git's name for what the source said; empty: not known."""

    @property
    def source(self) -> str:
        """Absolute path, else that of what was made; empty: neither is known."""
        return self.measured.source or self.measured.output

    @property
    def place(self) -> str:
        """The source below its checkout, else its whole path."""
        return self.source.removeprefix(self.checkout + "/")

    @property
    def made(self) -> tuple[str, str]:
        """What a later compilation of the same has too, in this checkout or another."""
        return self.place, self.measured.output.rpartition("/")[2]

    def arch_s(self, arch: str) -> float | None:
        """Seconds that its tools for an arch took; None: not told."""
        return arch_s(self.ended, arch, self.measured.source) if self.ended is not None else None


class KernelRow(NamedTuple):
    """A kernel for one arch, as it was compiled last."""

    compiled: Compiled
    before: Compiled | None
    """What it is compared with; None: there is nothing."""
    change: Change

    @property
    def key(self) -> str:
        """Names it for as long as it is shown."""
        kernel = self.change.now
        return f"{self.compiled.run} {self.compiled.measured.call} {self.compiled.source} {kernel.arch} {kernel.name}"

    @property
    def arch_s(self) -> float | None:
        """Seconds in cicc and ptxas for this source and arch; None: not told."""
        return self.compiled.arch_s(self.change.now.arch)

    @property
    def arch_s_before(self) -> float | None:
        """The same of what it is compared with."""
        return self.before.arch_s(self.change.now.arch) if self.before is not None else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What got worse, in words."""
        return tuple(warnings(self.change))


Baseline = Callable[[Compiled], Compiled | None]
"""What something is compared with."""


def compilations(runs: Iterable[Run]) -> tuple[Compiled, ...]:
    """All of them, in the order in which their calls began."""
    found = [one for run in runs for one in _compiled_by(run)]
    return tuple(sorted(found, key=lambda one: one.began))


def _compiled_by(run: Run) -> Iterator[Compiled]:
    ends = {one.call: one for one in run.nvcc_ends}
    starts = {one.call: one for one in run.nvcc_starts}
    for measured in run.kernels:
        ended, started = ends.get(measured.call), starts.get(measured.call)
        began = ended.began if ended is not None else measured.at
        blob = started.blob if started is not None and started.source == measured.source else ""
        yield Compiled(run.run, run.agent, run.checkout, began, measured, ended, blob)


def newest(found: Iterable[Compiled]) -> tuple[Compiled, ...]:
    """Of each source and what is made of it in a checkout, the last compilation."""
    last = {(one.checkout, *one.made): one for one in found}
    return tuple(last.values())


def last_of(found: Sequence[Compiled]) -> Baseline:
    """The compilation before, of the same source in the same checkout, by another run."""
    by_made: dict[tuple[str, ...], list[Compiled]] = {}
    for one in found:
        by_made.setdefault((one.checkout, *one.made), []).append(one)

    def before(now: Compiled) -> Compiled | None:
        same = by_made.get((now.checkout, *now.made), [])
        earlier = [one for one in same if one.began < now.began and one.run != now.run]
        return earlier[-1] if earlier else None

    return before


def run_of(found: Sequence[Compiled], run: str) -> Baseline:
    """What a run made of the same source, in whatever checkout."""
    own = {one.made: one for one in found if one.run == run}
    by_place = {one.place: one for one in own.values()}
    return lambda now: own.get(now.made) or by_place.get(now.place)


def branch_of(found: Sequence[Compiled], blobs: Mapping[tuple[str, str], str]) -> Baseline:
    """The last compilation of a source as it was at the branch point, in whatever checkout.

    Args:
        found: Compilations that are known.
        blobs: Git's name for the source there, by checkout and place.
    """

    def before(now: Compiled) -> Compiled | None:
        blob = blobs.get((now.checkout, now.place), "")
        same = [one for one in found if blob and one.blob == blob and one.place == now.place]
        named = [one for one in same if one.made == now.made] or same
        return named[-1] if named else None

    return before


def kernel_rows(now: Iterable[Compiled], baseline: Baseline) -> tuple[KernelRow, ...]:
    """A row a kernel and arch, sources in order."""
    return tuple(row for compiled in now for row in _rows_of(compiled, baseline(compiled)))


def _rows_of(compiled: Compiled, before: Compiled | None) -> tuple[KernelRow, ...]:
    changes = compare(compiled.measured.kernels, before.measured.kernels if before is not None else None)
    return tuple(KernelRow(compiled, before, change) for change in changes)


def ordered(rows: Iterable[KernelRow], order: Order) -> list[KernelRow]:
    """What got worse and what changed first, or those with most of something."""
    match order:
        case "changed":
            return sorted(rows, key=lambda row: (not row.change.is_worse, not row.change.differs, -row.compiled.began))
        case "registers":
            return sorted(rows, key=lambda row: -(row.change.now.registers or 0))
        case "time":
            return sorted(rows, key=lambda row: -(row.arch_s or 0.0))
        case "source":
            return sorted(rows, key=lambda row: (row.compiled.checkout, row.compiled.place, row.change.now.arch))
        case _:
            raise TypeError(order)


def gone_since(now: Compiled, before: Compiled | None) -> tuple[e.Kernel, ...]:
    """Kernels that it had before and has no more."""
    return gone(now.measured.kernels, before.measured.kernels) if before is not None else ()


class RowBook:
    """Rows of kernels, made once for each two compilations: a day of builds has thousands of kernels (9 µs each)."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], tuple[Compiled, Compiled | None, tuple[KernelRow, ...]]] = {}
        """With what they were made of, so that no other object takes its identity."""

    def rows(self, now: Iterable[Compiled], baseline: Baseline) -> tuple[KernelRow, ...]:
        """As `kernel_rows`; what is not asked for any more is forgotten."""
        known, self._known = self._known, {}
        found: list[KernelRow] = []
        for compiled in now:
            before = baseline(compiled)
            key = id(compiled.measured), id(before.measured) if before is not None else 0
            entry = known.get(key)
            if entry is None or entry[0].ended is not compiled.ended:
                entry = (compiled, before, _rows_of(compiled, before))
            self._known[key] = entry
            found += entry[2]
        return tuple(found)


class WorseBook:
    """Kernels that are worse than in the build before; looked for only where one was measured since."""

    def __init__(self) -> None:
        self._book = RowBook()
        self._seen: tuple[object, ...] = ()
        self._rows: Mapping[str, tuple[KernelRow, ...]] = {}

    def of(self, board: Board) -> Mapping[str, tuple[KernelRow, ...]]:
        """Of all runs of a board, by the run that made them so."""
        runs = [run for run in board.runs.values() if run.kernels]
        seen = tuple(run.kernels for run in runs)
        if len(seen) != len(self._seen) or any(a is not b for a, b in zip(seen, self._seen, strict=True)):
            self._seen, self._rows = seen, self._worse(runs)
        return self._rows

    def _worse(self, runs: Iterable[Run]) -> Mapping[str, tuple[KernelRow, ...]]:
        found = compilations(runs)
        rows: dict[str, tuple[KernelRow, ...]] = {}
        for row in self._book.rows(newest(found), last_of(found)):
            if row.change.is_worse:
                rows[row.compiled.run] = (*rows.get(row.compiled.run, ()), row)
        return rows
