"""The machine as a whole: cores, memory, pressure, disks. From /proc, 0.15 ms a sample; else what psutil knows."""

import os
from collections.abc import Iterable

from core import events as e
from core.clock import Clock
from core.events.machine import DiskRow
from core.values import dataclass
from core.watch import oom
from core.watch.block_device import BlockDevice, find_device
from core.watch.group_memory import limited_groups, read_group
from core.watch.proc_files import read_all, read_once

PERIOD_S = 1.0
ASLEEP_S = 20.0
"""Nothing builds."""
_RESOURCES = ("cpu", "memory", "io")
_GROUP_EVERY = 30
"""Samples between looks for a limit of our cgroup that was changed."""


@dataclass(frozen=False, eq=False, slots=True)
class _Counters:
    """What only differences tell."""

    at: float
    busy: int = 0
    ticks: int = 0
    stalled_us: tuple[tuple[float, float], ...] = ()
    """Some and full, by resource."""


class MachineMeter:
    """Samples the machine."""

    def __init__(self, *, clock: Clock, monotonic: Clock, proc: str = "/proc") -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._proc = proc
        self._before: _Counters | None = None
        self._devices: dict[str, BlockDevice | None] = {}
        """By folder."""
        self._groups: tuple[oom.Group, ...] = ()
        self._samples = 0
        self.last: e.MachineSampled | None = None

    def is_due(self, *, is_awake: bool) -> bool:
        """It is time for another sample."""
        if self._before is None:
            return True
        return self._monotonic() - self._before.at >= (PERIOD_S if is_awake else ASLEEP_S) - 0.05

    def sample(self, ours_bytes: int, folders: Iterable[str]) -> e.MachineSampled | None:
        """The machine now; None: nothing is known.

        Args:
            ours_bytes: Anonymous memory of the builds.
            folders: Target dirs of live runs.
        """
        try:
            self.last = self._from_proc(ours_bytes, folders)
        except (OSError, ValueError, IndexError, KeyError):
            self.last = self._from_psutil(ours_bytes)
        return self.last

    def _from_proc(self, ours_bytes: int, folders: Iterable[str]) -> e.MachineSampled:
        memory = parse_meminfo(read_once(self._proc + "/meminfo"))
        total, available, anonymous = self._room(memory)
        busy, ticks = parse_ticks(read_once(self._proc + "/stat"))
        now = _Counters(self._monotonic(), busy, ticks, self._stalls())
        before, self._before = self._before, now
        return e.MachineSampled(
            at=self._clock(),
            cpu=_share(now.busy, before.busy, now.ticks - before.ticks) if before else None,
            total_bytes=total,
            available_bytes=available,
            anonymous_bytes=anonymous,
            ours_bytes=ours_bytes,
            swap_used_bytes=memory["SwapTotal"] - memory["SwapFree"],
            swap_total_bytes=memory["SwapTotal"],
            pressure=_pressure(before, now) if before else (),
            disks=self._disks(folders, now.at),
        )

    def _stalls(self) -> tuple[tuple[float, float], ...]:
        try:
            return tuple(parse_pressure(read_once(f"{self._proc}/pressure/{name}")) for name in _RESOURCES)
        except (OSError, ValueError):
            return ()  # an old kernel, or switched off

    def _room(self, memory: dict[str, int]) -> tuple[int, int, int]:
        """Memory in all, what can be had of it, and what processes took for themselves: of the machine, or of a cgroup
        around us that has less."""
        if self._samples % _GROUP_EVERY == 0:
            self._groups = limited_groups(self._proc)
        self._samples += 1
        total, available, anonymous = memory["MemTotal"], memory["MemAvailable"], memory["AnonPages"]
        for group in self._groups:
            found = read_group(group)
            if found is not None:
                available = min(available, found.available_bytes)
                if found.limit_bytes < total:
                    total, anonymous = found.limit_bytes, max(0, found.usage_bytes - found.file_bytes)
        return total, available, anonymous

    def _disks(self, folders: Iterable[str], now: float) -> tuple[DiskRow, ...]:
        rows: dict[int, DiskRow] = {}
        wanted = sorted(set(folders))
        self._devices = {folder: found for folder, found in self._devices.items() if folder in wanted}
        stats = b""
        for folder in wanted:
            try:
                there = _existing(folder)
                device, size = os.stat(there).st_dev, os.statvfs(there)
            except OSError:
                continue
            if device in rows:
                continue
            if folder not in self._devices:
                self._devices[folder] = find_device(device, self._proc)
            block = self._devices[folder]
            if block is not None:
                stats = stats or self._diskstats()
            busy = block.busy_share(stats, now) if block is not None else None
            rows[device] = (folder, size.f_bavail * size.f_frsize, size.f_blocks * size.f_frsize, busy)
        return tuple(rows.values())

    def _diskstats(self) -> bytes:
        try:
            return read_all(self._proc + "/diskstats")
        except OSError:
            return b""  # hidden, as in some containers: how busy disks are is not known

    def _from_psutil(self, ours_bytes: int) -> e.MachineSampled | None:
        import psutil  # 40 ms: only where /proc is missing

        now = _Counters(self._monotonic())
        before, self._before = self._before, now
        try:
            memory, swap = psutil.virtual_memory(), psutil.swap_memory()
            cpu = psutil.cpu_percent() / 100
        except (OSError, RuntimeError):
            return None
        return e.MachineSampled(
            self._clock(), cpu if before else None, memory.total, memory.available, memory.used, ours_bytes,
            swap.used, swap.total,
        )  # fmt: skip


def parse_ticks(stat: bytes) -> tuple[int, int]:
    """Busy and all ticks of `cpu  user nice system idle iowait irq softirq steal …` (proc_stat(5))."""
    ticks = [int(n) for n in stat.split(b"\n", 1)[0].split()[1:9]]
    total = sum(ticks)
    return total - ticks[3] - ticks[4], total


def parse_meminfo(content: bytes) -> dict[str, int]:
    """Bytes by name, of `MemAvailable:  123 kB` (proc_meminfo(5))."""
    found = {}
    for line in content.split(b"\n"):
        name, colon, rest = line.partition(b":")
        if colon and rest.endswith(b"kB"):
            found[name.decode("ascii", "replace")] = int(rest.split()[0]) * 1024
    return found


def parse_pressure(content: bytes) -> tuple[float, float]:
    """Microseconds in which some, and in which all tasks stood still so far.

    some avg10=0.00 avg60=0.00 avg300=0.00 total=11220657
    full avg10=0.00 avg60=0.00 avg300=0.00 total=9935143
    """
    found = {line.split()[0]: float(line.rpartition(b"total=")[2]) for line in content.splitlines() if line}
    return found.get(b"some", 0.0), found.get(b"full", 0.0)


def _existing(folder: str) -> str:
    """The folder, or the nearest one above it that is there already."""
    while not os.path.isdir(folder) and folder not in ("/", ""):
        folder = os.path.dirname(folder)
    return folder or "/"


def _share(now: float, before: float, span: float) -> float | None:
    return min(1.0, max(0.0, (now - before) / span)) if span > 0 else None


def _pressure(before: _Counters, now: _Counters) -> tuple[tuple[str, float, float], ...]:
    span_us = (now.at - before.at) * 1e6
    pairs = zip(_RESOURCES, before.stalled_us, now.stalled_us, strict=False)
    return tuple(
        (name, round(_share(new[0], old[0], span_us) or 0.0, 3), round(_share(new[1], old[1], span_us) or 0.0, 3))
        for name, old, new in pairs
    )
