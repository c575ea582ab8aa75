"""Memory of processes that were forked and became no other program: pages that they share count once.

`statm` counts such pages for each of them. An exec places the stack anew, so that who has the stack of another was
forked from it, or both from a third. Of them alone `smaps_rollup` is read: 30 ms a gigabyte of small pages.
"""

from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import NamedTuple, Protocol

from core.values import dataclass
from core.watch.proc_files import number, read

LEAST_BYTES = 4 << 20
"""Who takes less is not looked at: that would cost as much, and tell little."""
A_LOOK_BYTES = 64 << 20
"""So much memory is walked through from one look to the next, which takes 2 ms;"""
MAX_CREDIT_BYTES = 2 << 30
"""what was not needed is left for later, up to so much."""
_A_FILE_BYTES = 4 << 20
"""What reading of a small process costs, as if it were so large."""


class Forked(Protocol):
    """A process, as far as its memory is concerned."""

    pid: int
    anonymous_bytes: int
    memory_bytes: int
    minor_faults: int
    """While nobody in a family has any, no shared page becomes one's own."""
    stack: int


class _Part(NamedTuple):
    """What of its anonymous memory counts for a process, as it was read."""

    own: float
    """Share of it that nobody else has, 0 to 1."""
    sharers: float
    """How many have a page of the rest, on average."""
    members: int
    """Of its family. Some may have been forked after these were listed, and before it was read."""

    def of(self, members: int) -> float:
        """0 to 1, in a family of so many: who came or went, is taken to share as much as the others."""
        sharers = self.sharers
        if members != self.members:
            sharers *= members / max(self.members, sharers)
        return self.own + (1 - self.own) / max(1.0, sharers)


@dataclass(frozen=False, eq=False, slots=True)
class _Family:
    """Processes that have the same stack."""

    looked_at: int = 0
    """In which look it was seen last."""
    members: tuple[tuple[int, int, int], ...] = ()
    """Pid, anonymous bytes and minor faults of each."""
    parts: dict[int, _Part] = field(default_factory=dict)
    """By pid."""
    read_at: dict[int, int] = field(default_factory=dict)
    """In which look that was read."""
    changed_at: int = 0
    """What was read before that look may be so no more."""


class ForkMemory:
    """Tells what forked processes take, from one look at all processes to the next."""

    def __init__(self, root: str = "/proc") -> None:
        self._root = root
        self._looks = 0
        self._credit_bytes = MAX_CREDIT_BYTES
        self._families: dict[tuple[int, int], _Family] = {}
        """By stack and lowest pid: without address randomisation, others have the same stack."""

    def begin_look(self) -> None:
        """All processes are looked at anew."""
        self._looks += 1
        self._credit_bytes = min(MAX_CREDIT_BYTES, self._credit_bytes + A_LOOK_BYTES)
        if self._families:
            self._families = {
                key: family for key, family in self._families.items() if family.looked_at >= self._looks - 1
            }

    def count_once(self, large: Iterable[Forked]) -> None:
        """Take what the processes share out of their `memory_bytes`, so that these can be added up.

        Args:
            large: Processes of one build, of LEAST_BYTES and more.
        """
        by_stack: dict[int, list[Forked]] = {}
        for proc in large:
            if proc.stack:
                by_stack.setdefault(proc.stack, []).append(proc)
        for stack, procs in by_stack.items():
            if len(procs) > 1:
                self._settle(stack, procs)

    def _settle(self, stack: int, procs: list[Forked]) -> None:
        family = self._families.setdefault((stack, min(proc.pid for proc in procs)), _Family())
        members = tuple((proc.pid, proc.anonymous_bytes, proc.minor_faults) for proc in procs)
        if members != family.members:
            pids = {proc.pid for proc in procs}
            family.members, family.changed_at = members, self._looks
            family.parts = {pid: part for pid, part in family.parts.items() if pid in pids}
            family.read_at = {pid: look for pid, look in family.read_at.items() if pid in pids}
        family.looked_at = self._looks
        for proc in self._unread(family, procs):
            family.parts[proc.pid] = self._part(proc, len(procs))
            family.read_at[proc.pid] = self._looks
        count = len(procs)
        known = [part.of(count) for part in family.parts.values()]
        usual = sum(known) / len(known) if known else 1 / count
        for proc in procs:
            part = family.parts.get(proc.pid)
            proc.memory_bytes = round(proc.anonymous_bytes * (part.of(count) if part is not None else usual))

    def _unread(self, family: _Family, procs: Iterable[Forked]) -> Iterator[Forked]:
        """Those that changed since they were read, longest ago first, as many as can be afforded."""
        read_at = family.read_at
        for proc in sorted(procs, key=lambda one: read_at.get(one.pid, -1)):
            cost_bytes = proc.anonymous_bytes + _A_FILE_BYTES
            if read_at.get(proc.pid, -1) >= family.changed_at or cost_bytes > MAX_CREDIT_BYTES:
                continue
            if cost_bytes > self._credit_bytes:
                return  # smaller ones would keep it from its turn for ever
            self._credit_bytes -= cost_bytes
            yield proc

    def _part(self, proc: Forked, members: int) -> _Part:
        """All is its own where the kernel does not say.

        Pss:               80576 kB
        Pss_Anon:          79054 kB       (smaps_rollup; this one since Linux 5.4)
        Private_Dirty:       704 kB
        Anonymous:        314096 kB
        """
        rollup = read(f"{self._root}/{proc.pid}/smaps_rollup")
        whole = number(rollup, b"\nAnonymous:") or 0
        counted = number(rollup, b"\nPss_Anon:")
        if counted is None:
            counted = number(rollup, b"\nPss:") or 0
        own = min(counted, whole, number(rollup, b"\nPrivate_Dirty:") or 0)
        if not whole:
            return _Part(1.0, 1.0, members)
        return _Part(own / whole, (whole - own) / max(1, counted - own), members)
