"""Kernels, and what they were before: values for the screens, derived from the board. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from core import events as e
from core.native.kernels.kernel_diff import Change, compare, figures_of, gone, key_of, warnings
from core.native.kernels.output_place import lasting_place, out_dir_of, profile_of
from core.nvcc_queries import arch_s
from core.state import Board, Run


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
    def headers(self) -> Mapping[str, str] | None:
        """Git's names for what it read below its checkout beside the source, by place; None: not known. What lies
        elsewhere is of no branch."""
        if self.ended is None or self.ended.headers is None:
            return None
        root = self.checkout + "/"
        return {one.path.removeprefix(root): one.blob for one in self.ended.headers if one.path.startswith(root)}

    @property
    def places(self) -> tuple[str, ...]:
        """The source and what it read beside it, below the checkout."""
        return (self.place, *(self.headers or ()))

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
        """What a later compilation of the same has too, in this checkout or another; of a link in every profile."""
        if not self.measured.source:
            return "", lasting_place(self.place)
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
    output: str = ""
    """Name of what was made, where another output of the same source has other figures; empty: none has."""

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
        """The same of what it is compared with; None too where that has no such kernel for this arch."""
        return self.before.arch_s(self.change.now.arch) if self.before is not None and self.change.before else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What got worse, in words."""
        said = self.other_flags
        return tuple(f"{warning}; {said}" if said else warning for warning in warnings(self.change))

    @property
    def other_flags(self) -> str:
        """`other flags: debug before, release now`; empty: both are of one profile, or that is not known."""
        now, before = (profile_of(one.measured.output) if one else "" for one in (self.compiled, self.before))
        return f"other flags: {before} before, {now} now" if now and before and now != before else ""


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


Repository = Callable[[str], str]
"""Names the repository of a checkout, and its place there: what worktrees of the same have in common."""


def run_of(found: Sequence[Compiled], run: str, repository: Repository) -> Baseline:
    """What a run made of the same source, in the same checkout or another worktree of its repository."""
    own = {(repository(one.checkout), *one.made): one for one in found if one.run == run}
    by_place = {(key[0], one.place): one for key, one in own.items()}

    def before(now: Compiled) -> Compiled | None:
        where = repository(now.checkout)
        return own.get((where, *now.made)) or by_place.get((where, now.place))

    return before


def branch_of(found: Sequence[Compiled], blobs: Mapping[tuple[str, str], str]) -> Baseline:
    """The last compilation of a source when it, and all that it read, was as at the branch point, in whatever checkout.

    Args:
        found: Compilations that are known.
        blobs: Git's names for sources and what they read there, by checkout and place.
    """
    by_place: dict[str, list[Compiled]] = {}
    for one in found:
        by_place.setdefault(one.place, []).append(one)

    def before(now: Compiled) -> Compiled | None:
        same = [one for one in by_place.get(now.place, ()) if _is_as_in(one, now.checkout, blobs)]
        named = [one for one in same if one.made == now.made] or same
        return named[-1] if named else None

    return before


def _is_as_in(one: Compiled, checkout: str, blobs: Mapping[tuple[str, str], str]) -> bool:
    read = one.headers
    if read is None or not one.blob:
        return False
    return all(blob and blobs.get((checkout, place)) == blob for place, blob in {**read, one.place: one.blob}.items())


def asked_of(now: Iterable[Compiled], found: Iterable[Compiled]) -> Iterator[tuple[str, str]]:
    """What to ask git of for `branch_of`: each checkout with the places that any compilation of its sources read."""
    wanted: dict[str, set[str]] = {}
    for one in found:
        wanted.setdefault(one.place, set()).update(one.places)
    asked = {(one.checkout, place) for one in now for place in wanted.get(one.place, {one.place})}
    yield from sorted(asked)


def kernel_rows(now: Iterable[Compiled], baseline: Baseline) -> tuple[KernelRow, ...]:
    """A row a kernel and arch, sources in order."""
    return tuple(row for compiled in now for row in _rows_of(compiled, baseline(compiled)))


def _rows_of(compiled: Compiled, before: Compiled | None) -> tuple[KernelRow, ...]:
    changes = compare(compiled.measured.kernels, before.measured.kernels if before is not None else None)
    return tuple(KernelRow(compiled, before, change) for change in changes)


def distinct(rows: Iterable[KernelRow]) -> list[KernelRow]:
    """One row a kernel and arch of each source. A source may be compiled to an object, a fatbin and a cubin: where
    their figures are the same the last one stands for all, where they differ each row has the name of its output. What
    an earlier state of the source gave, PTX of what is known as code, and what was linked since, is left out."""
    groups: dict[tuple[str, ...], list[KernelRow]] = {}
    for row in _as_linked(list(rows)):
        groups.setdefault((row.compiled.checkout, row.compiled.place, *key_of(row.change.now)), []).append(row)
    has_code = {key[:3] for key, same in groups.items() if any(row.change.now.is_code for row in same)}
    return [
        row
        for key, same in groups.items()
        for row in _told_apart(same)
        if row.change.now.is_code or key[:3] not in has_code
    ]


def _as_linked(rows: Sequence[KernelRow]) -> list[KernelRow]:
    """Without kernels of objects that a later link in the same place has: its figures are those that run."""
    linked: dict[tuple[str, ...], float] = {}
    for row in rows:
        if not row.compiled.measured.source:
            key = _linked_key(row)
            linked[key] = max(linked.get(key, 0.0), row.compiled.began)
    is_last = (
        not row.compiled.measured.source or linked.get(_linked_key(row), -1) < row.compiled.began for row in rows
    )
    return [row for row, stays in zip(rows, is_last, strict=True) if stays]


def _linked_key(row: KernelRow) -> tuple[str, ...]:
    return row.compiled.checkout, out_dir_of(row.compiled.measured.output), *key_of(row.change.now)


def _told_apart(same: Sequence[KernelRow]) -> list[KernelRow]:
    """Of one kernel and arch: the last compilation, and those of the same state that gave other figures."""
    if len(same) == 1:
        return list(same)
    last = max(same, key=lambda row: row.compiled.began)
    kept: dict[tuple[object, ...], KernelRow] = {}
    for row in sorted(same, key=lambda row: row.compiled.began):
        if row.compiled.run == last.compiled.run or _is_same_state(row.compiled, last.compiled):
            kept[figures_of(row.change.now)] = row
    if len(kept) == 1:
        return [last]
    return [row._replace(output=row.compiled.measured.output.rpartition("/")[2]) for row in kept.values()]


def _is_same_state(one: Compiled, other: Compiled) -> bool:
    """The source and all that it read are known, and the same."""
    return bool(one.blob) and one.headers is not None and (one.blob, one.headers) == (other.blob, other.headers)


class Count(NamedTuple):
    """How much there is."""

    rows: int
    """A kernel and arch each."""
    kernels: int
    sources: int
    archs: int
    changed: int
    """Rows."""
    worse: int


def count(rows: Sequence[KernelRow]) -> Count:
    """What a list of rows has in it."""
    sources = {(row.compiled.checkout, row.compiled.place) for row in rows}
    kernels = {(row.compiled.checkout, row.compiled.place, key_of(row.change.now)[0]) for row in rows}
    return Count(
        len(rows), len(kernels), len(sources), len({row.change.now.arch for row in rows}),
        sum(row.change.differs for row in rows), sum(row.change.is_worse for row in rows),
    )  # fmt: skip


def there(found: Iterable[Compiled], is_there: Callable[[str], bool]) -> list[Compiled]:
    """Without those whose source is gone."""
    return [one for one in found if not one.measured.source or is_there(one.measured.source)]


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
        for row in distinct(self._book.rows(newest(found), last_of(found))):
            if row.change.is_worse:
                rows[row.compiled.run] = (*rows.get(row.compiled.run, ()), row)
        return rows
