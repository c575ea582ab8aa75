"""Calls of nvcc: values for the screens, derived from the board. Pure."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from core import events as e
from core.native.kernels.arch import number_of
from core.state import NvccUnderWay, Run

COMPILING = ("object", "device-object", "ptx", "cubin", "fatbin", "library", "program", "link")
"""Kinds of calls that make code."""
_LEAST_BYTES = 1_000_000


class News:
    """Whether anything of nvcc was told since the last look."""

    def __init__(self) -> None:
        self._seen: tuple[object, ...] = ()

    def has_come(self, runs: Iterable[Run]) -> bool:
        """It was, or runs came or went."""
        seen = tuple(part for run in runs for part in (run.kernels, run.nvcc_ends, run.nvcc))
        before, self._seen = self._seen, seen
        return len(seen) != len(before) or any(a is not b for a, b in zip(seen, before, strict=True))


class CallRow(NamedTuple):
    """The last call of nvcc for a source, or one that is under way."""

    run: Run
    under_way: NvccUnderWay | None
    ended: e.NvccEnded | None

    @property
    def key(self) -> str:
        """Names it for as long as it is shown."""
        return f"{self.run.run} {self.call}"

    @property
    def call(self) -> str:
        """As in its events."""
        return self.under_way.started.call if self.under_way is not None else self.ended.call if self.ended else ""

    @property
    def started(self) -> e.NvccStarted | None:
        """Its beginning; None: that is not kept any more."""
        if self.under_way is not None:
            return self.under_way.started
        return next((one for one in self.run.nvcc_starts if one.call == self.call), None)

    @property
    def output(self) -> str:
        """Path of what it makes; empty: not known."""
        event = self.under_way.started if self.under_way is not None else self.ended
        return event.output if event is not None else ""

    @property
    def why(self) -> str:
        """Why the depfile cache did not answer; empty: it did, or nobody said."""
        return why_below(self.ended.why, self.run.checkout) if self.ended is not None else ""

    @property
    def place(self) -> str:
        """Its source, else its output, below the checkout."""
        event = self.under_way.started if self.under_way is not None else self.ended
        path = (event.source or event.output) if event is not None else ""
        return path.removeprefix(self.run.checkout + "/")


def why_below(why: str, checkout: str) -> str:
    """A reason of the depfile cache's, with files as they are called below the checkout: `k/a.cu has changed`."""
    if not checkout or checkout not in why:
        return why
    return re.sub(rf"(?<!\S){re.escape(checkout)}/", "", why)


def outputs_told_apart(rows: Iterable[CallRow]) -> dict[str, str]:
    """Names of outputs by key, of calls for one source of one run's checkout that made several."""
    rows = tuple(rows)
    names: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        names.setdefault((row.run.checkout, row.place), set()).add(_name(row))
    return {row.key: _name(row) for row in rows if len(names[row.run.checkout, row.place]) > 1}


def _name(row: CallRow) -> str:
    return row.output.rpartition("/")[2]


def call_rows(runs: Iterable[Run]) -> tuple[CallRow, ...]:
    """Calls under way, oldest first; then the last one of each source that made code, newest first."""
    runs = list(runs)
    live = [CallRow(run, call, None) for run in runs for call in run.nvcc if call.started.kind in COMPILING]
    last: dict[tuple[str, str, str], CallRow] = {}
    for run in runs:
        for end in run.nvcc_ends:
            if end.kind in COMPILING:
                key = run.checkout, end.source or end.output, end.output.rpartition("/")[2]
                if key not in last or last[key].ended is None or _began(last[key]) <= end.began:
                    last[key] = CallRow(run, None, end)
    return (*live, *sorted(last.values(), key=lambda row: -_began(row)))


def ended_calls(run: Run) -> tuple[CallRow, ...]:
    """All calls of a run that are over and made something, in their order."""
    made = [end for end in run.nvcc_ends if end.kind in COMPILING]
    return tuple(CallRow(run, None, end) for end in sorted(made, key=lambda end: end.began))


def _began(row: CallRow) -> float:
    return row.ended.began if row.ended is not None else 0.0


def memory_of(run: Run, call: str) -> int | None:
    """Memory of a call under way at the last sample; None: not looked at yet, or next to nothing."""
    taken = dict(run.use.links).get(call) if run.use is not None else None
    return taken if taken is not None and taken >= _LEAST_BYTES else None


def arch_progress(call: NvccUnderWay) -> tuple[int, int | None]:
    """At which arch it is, and how many there are: (0, n) before the first. nvcc goes from one PTX to the next in their
    order; where it makes code of one for several archs, those that were seen count. Where it is told `all` or `native`,
    or nothing, how many it takes is not known (None): the first is how many were seen."""
    named = call.started.archs
    if not named or not all(number_of(arch) for arch in named):
        code = {number_of(arch) for arch in call.seen if not arch.startswith("compute_")}
        return len(code), None
    real = [arch for arch in named if not arch.startswith("compute_")] or list(named)
    numbers = [number_of(arch) for arch in real]
    seen = {number_of(arch) for arch in call.seen if not arch.startswith("compute_") or len(real) == 1}
    own = {number_of(arch) for arch in call.seen if arch.startswith("compute_")} & seen
    reached = max((at + 1 for at, number in enumerate(numbers) if number in own), default=0)
    return max(reached, sum(number in seen for number in numbers)), len(real)


def arch_s(ended: e.NvccEnded, arch: str, source: str) -> float | None:
    """Seconds in ptxas for one arch of a call, and in the cicc that it was made by; None: it did not tell."""
    name, number = source.rpartition("/")[2], number_of(arch)
    own = [phase for phase in ended.phases if not phase.source or phase.source.rpartition("/")[2] == name]
    cicc = [phase for phase in own if phase.tool == "cicc" and 0 < number_of(phase.arch or "") <= number]
    latest = max((number_of(phase.arch or "") for phase in cicc), default=0)
    spent = [phase.elapsed_s for phase in cicc if number_of(phase.arch or "") == latest]
    spent += [phase.elapsed_s for phase in own if phase.tool == "ptxas" and phase.arch == arch]
    return sum(spent) if spent else None
