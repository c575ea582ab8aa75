"""Figures of PTX, put where its kernels are told of: they are made after the end of a build, or by another one."""

from collections.abc import Iterable
from dataclasses import replace

from core import events as e
from core.native.kernels.kernel_store import KernelStore
from core.plan.small_file import stamp
from core.state import Run


class PtxBook:
    """Remembers what was looked up: a digest once, and what was missing as soon as something was measured."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._store = KernelStore(folder)
        self._known: dict[str, tuple[e.Kernel, ...]] = {}
        self._missing: set[str] = set()
        self._stamp = ""
        self._told: dict[str, tuple[tuple[e.KernelsMeasured, ...], tuple[e.KernelsMeasured, ...]]] = {}
        """By run: as its journal has them, and with figures. The same objects as long as nothing is new."""

    def has_news(self) -> bool:
        """Figures that were missing are there now."""
        if not self._missing or (now := stamp(self._folder)) == self._stamp:
            return False
        self._stamp = now
        found = {digest for digest in self._missing if self._look_up(digest)}
        self._missing -= found
        if found:
            self._told = {run: known for run, known in self._told.items() if not _needs(known[1], found)}
        return bool(found)

    def with_figures(self, run: Run) -> Run:
        """The run, with what is known of the PTX that it made."""
        if not any(measured.ptx for measured in run.kernels):
            return run
        known = self._told.get(run.run)
        if known is None or known[0] is not run.kernels:
            known = self._told[run.run] = (run.kernels, tuple(self._filled(one) for one in run.kernels))
        return replace(run, kernels=known[1])

    def _filled(self, measured: e.KernelsMeasured) -> e.KernelsMeasured:
        digest = measured.ptx
        if not digest or all(kernel.registers is not None for kernel in measured.kernels):
            return measured
        if digest not in self._known and not self._look_up(digest):
            self._missing.add(digest)
        kernels = self._known.get(digest)
        return replace(measured, kernels=kernels) if kernels else measured

    def _look_up(self, digest: str) -> bool:
        """It was measured, with or without success."""
        found = self._store.entry(digest)
        if found is not None:
            self._known[digest] = found
        return found is not None


def _needs(told: Iterable[e.KernelsMeasured], digests: set[str]) -> bool:
    return any(measured.ptx in digests for measured in told)
