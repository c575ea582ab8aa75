"""The block device below a file system, and how busy it is."""

import os

from core.values import dataclass
from core.watch.proc_files import read_all

_BUSY_FIELD = 12
"""Of a row of `/proc/diskstats`, after major, minor and name: milliseconds in which it had something to do."""


@dataclass(frozen=False, eq=False, slots=True)
class BlockDevice:
    """A disk or a partition."""

    major: int
    minor: int
    _busy_ms: int = -1
    _at: float = 0.0

    def busy_share(self, diskstats: bytes, now: float) -> float | None:
        """Share of the time since the last call in which it was busy, 0..1; None: the first call, or not known.

        254  0 vda 105747 27912 5239234 46791 17351 52905 5439544 27456 0 15604 75433 …   (proc_diskstats(5))
        """
        busy_ms = busy_of(diskstats, self.major, self.minor)
        before_ms, before = self._busy_ms, self._at
        self._busy_ms, self._at = -1 if busy_ms is None else busy_ms, now
        if busy_ms is None or before_ms < 0 or now <= before:
            return None
        return round(min(1.0, max(0.0, (busy_ms - before_ms) / 1e3 / (now - before))), 3)


def busy_of(diskstats: bytes, major: int, minor: int) -> int | None:
    """Milliseconds in which the device was busy so far; None: it is not listed."""
    for line in diskstats.splitlines():
        words = line.split()
        if len(words) > _BUSY_FIELD and words[0] == b"%d" % major and words[1] == b"%d" % minor:
            return int(words[_BUSY_FIELD])
    return None


def find_device(number: int, proc: str = "/proc") -> BlockDevice | None:
    """The device of a file system by its number in stat(2); None: it has none (tmpfs, a network), or several."""
    major, minor = os.major(number), os.minor(number)
    if major:
        return BlockDevice(major, minor)
    try:  # btrfs gives each subvolume a number of its own: what is mounted there says more
        source = _source(read_all(f"{proc}/self/mountinfo"), major, minor)
        found = os.stat(source).st_rdev if source.startswith("/dev/") else 0
    except OSError:
        return None
    return BlockDevice(os.major(found), os.minor(found)) if found else None


def _source(mounts: bytes, major: int, minor: int) -> str:
    """What is mounted: `36 35 0:32 / /home rw - btrfs /dev/sda2 rw` (proc_pid_mountinfo(5)); empty: not listed."""
    for line in mounts.splitlines():
        left, _, right = line.partition(b" - ")
        words, kinds = left.split(), right.split()
        if len(words) > 2 and words[2] == b"%d:%d" % (major, minor) and len(kinds) > 1:
            return kinds[1].decode("utf-8", "surrogateescape")
    return ""
