"""How busy this machine is: cores and memory, from /proc, once a second."""

from collections import deque

from core.values import dataclass
from core.watch.proc_files import read_once

HISTORY = 8
"""So many last samples are given, for small graphs."""
_LEAST_CHANGE = 0.02
"""A machine whose load moved by less looks as before."""


@dataclass(frozen=True, slots=True)
class Load:
    """The machine at a moment."""

    cpu: float | None
    """Share of all cores that was busy since the last sample, 0..1; None: not known yet."""
    used_bytes: int
    """Memory that cannot be had without swapping: total less available."""
    total_bytes: int
    cpu_history: tuple[float, ...] = ()
    """Shares, oldest first, at most HISTORY."""
    used_history: tuple[float, ...] = ()
    """Shares of the memory, oldest first, at most HISTORY."""


def is_news(load: Load | None, shown: Load | None) -> bool:
    """Whether a person would see a difference: a figure moved, or a graph is still growing."""
    if load is None or shown is None or load.cpu is None or shown.cpu is None:
        return load != shown
    if len(load.cpu_history) > len(shown.cpu_history):
        return True
    moved = abs(load.cpu - shown.cpu), abs(load.used_bytes - shown.used_bytes) / load.total_bytes
    return max(moved) >= _LEAST_CHANGE


class LoadMeter:
    """Samples `/proc/stat` and `/proc/meminfo`; 60 µs a sample."""

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._before: tuple[int, int] | None = None
        self._cpu: deque[float] = deque(maxlen=HISTORY)
        self._used: deque[float] = deque(maxlen=HISTORY)

    def sample(self) -> Load | None:
        """The load since the last sample; None: not on this system."""
        try:
            busy, total = _ticks(read_once(self._proc + "/stat"))
            available, memory = _memory(read_once(self._proc + "/meminfo"))
        except (OSError, ValueError, IndexError):
            return None
        cpu = None
        if self._before is not None and total > self._before[1]:
            cpu = min(1.0, max(0.0, (busy - self._before[0]) / (total - self._before[1])))
            self._cpu.append(cpu)
        self._before = busy, total
        self._used.append((memory - available) / memory)
        return Load(cpu, memory - available, memory, tuple(self._cpu), tuple(self._used))


def _ticks(stat: bytes) -> tuple[int, int]:
    """Busy and all ticks of `cpu  user nice system idle iowait irq softirq steal …` (proc_stat(5))."""
    ticks = [int(n) for n in stat.split(b"\n", 1)[0].split()[1:9]]
    total = sum(ticks)
    return total - ticks[3] - ticks[4], total


def _memory(meminfo: bytes) -> tuple[int, int]:
    """Available and total bytes of `MemAvailable:  123 kB` (proc_meminfo(5))."""
    rows = dict(line.split(b":", 1) for line in meminfo.split(b"\n") if b":" in line)
    available, total = (int(rows[name].split()[0]) * 1024 for name in (b"MemAvailable", b"MemTotal"))
    return available, total
