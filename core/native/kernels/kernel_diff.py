"""Kernels against what they were before: figures, occupancy, and what got worse. Pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from core.events.native import Kernel
from core.native.kernels.demangle import stable_name
from core.native.kernels.occupancy import Occupancy, occupancy_of

FIGURES = (
    "registers", "spill_store_bytes", "spill_load_bytes", "called_spill_bytes", "stack_bytes", "shared_bytes",
    "constant_bytes", "barriers", "code_bytes", "compile_s",
)  # fmt: skip
"""What is compared."""
_LEAST_FALL = 0.001


class Change(NamedTuple):
    """A kernel for one arch, and what it was."""

    now: Kernel
    before: Kernel | None
    """None: there is nothing to compare it with."""
    occupancy: Occupancy | None
    """None: not known."""
    occupancy_before: Occupancy | None
    differs: bool = False
    """A figure but the time is another than before."""
    spills: bool = False
    """It spills now, and did not before."""
    falls: bool = False
    """Its occupancy is lower than before."""

    @property
    def is_worse(self) -> bool:
        """One should look at it."""
        return self.spills or self.falls

    @property
    def deltas(self) -> dict[str, float | None]:
        """How much more each figure is; None: one of the two is not known, or there is no kernel before."""
        return {name: _delta(getattr(self.now, name), getattr(self.before, name, None)) for name in FIGURES}

    @property
    def more_spilled(self) -> int | None:
        """Bytes of stores and loads more than before, of what it calls too; None: not known."""
        now, before = spilled(self.now), spilled(self.before) if self.before is not None else None
        return now - before if now is not None and before is not None else None


def compare(now: Iterable[Kernel], before: Iterable[Kernel] | None) -> tuple[Change, ...]:
    """Each kernel with the one of the same name and arch before, in order; `before` None: there is nothing before."""
    known = {key_of(kernel): kernel for kernel in before or ()}
    return tuple(_change(kernel, known.get(key_of(kernel))) for kernel in now)


def gone(now: Iterable[Kernel], before: Iterable[Kernel]) -> tuple[Kernel, ...]:
    """Kernels that were there before and are not now, of archs that were compiled for."""
    kernels = list(now)
    known, archs = {key_of(kernel) for kernel in kernels}, {kernel.arch for kernel in kernels}
    return tuple(kernel for kernel in before if kernel.arch in archs and key_of(kernel) not in known)


def key_of(kernel: Kernel) -> tuple[str, str]:
    """What makes a kernel of another compilation the same one."""
    return stable_name(kernel.name), kernel.arch


def figures_of(kernel: Kernel) -> tuple[object, ...]:
    """What makes two compilations of a kernel the same, but for the time."""
    return tuple(getattr(kernel, name) for name in FIGURES if name != "compile_s")


def spilled(kernel: Kernel) -> int | None:
    """Bytes of spill stores and loads, of what it calls too; None: not known."""
    own = (kernel.spill_store_bytes, kernel.spill_load_bytes)
    known = [number for number in (*own, kernel.called_spill_bytes) if number is not None]
    return sum(known) if None not in own else None


def warnings(change: Change) -> Iterator[str]:
    """What got worse, in words."""
    if change.spills and change.now.spill_store_bytes is not None:
        yield f"spills appear: {spilled(change.now):,} B in loads and stores"
    if change.falls and change.occupancy is not None and change.occupancy_before is not None:
        before, now = (round(one.share * 100) for one in (change.occupancy_before, change.occupancy))
        by = f" ({change.occupancy.by})" if change.occupancy.by else ""
        yield f"occupancy falls: {before} % to {now} %{by}"


def _change(now: Kernel, before: Kernel | None) -> Change:
    occupancy = occupancy_of(now)
    if before is None:
        return Change(now, None, occupancy, None)
    was = occupancy_of(before)
    return Change(
        now,
        before,
        occupancy,
        was,
        differs=any(_delta(getattr(now, name), getattr(before, name)) for name in FIGURES if name != "compile_s"),
        spills=bool(spilled(now)) and spilled(before) == 0,
        falls=occupancy is not None and was is not None and occupancy.share < was.share - _LEAST_FALL,
    )


def _delta(now: float | None, before: float | None) -> float | None:
    return now - before if now is not None and before is not None else None
