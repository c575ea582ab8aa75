"""Kills by the kernel for want of memory: its counters say that there was one, its log says of whom.

A counter that rose is proof that somebody was killed, not who: `oom_kill` of `/proc/vmstat` for the whole machine,
`memory.oom_control` (cgroup v1) or `memory.events` (v2) for the group that a run lives in. `/dev/kmsg`, where it may be
read, names the process.
"""

import os
import re
from dataclasses import replace

from core.cgroup import UNLIMITED_BYTES, find_folder
from core.clock import Clock, monotonic
from core.values import dataclass
from core.watch.proc_files import read_all, read_once

_KILLED = re.compile(
    rb"(Memory cgroup out of memory|Out of memory[^:]*): "
    rb"Kill(?:ed)? process (\d+) \((.*?)\),? total-vm.*?anon-rss:(\d+)kB"
)
_STAMP = re.compile(rb"\d+,\d+,(\d+),")
"""Of a record: microseconds since boot."""
BACKLOG_S = 30.0
"""Kills from before we looked count for so long: a short build may be over before anybody looks."""
_VICTIM = re.compile(rb"task_memcg=(.*?),task=.*?,pid=(\d+),")
"""The record before: which cgroup the process was in."""
_MAX_RECORD_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Killed:
    """A process that the kernel killed, as its log names it."""

    pid: int
    """In the kernel's own numbering: inside a container it is another."""
    name: str
    """Fifteen letters of its program."""
    anonymous_bytes: int
    is_group: bool
    """A memory cgroup was over its limit, not the whole machine."""
    group: str = ""
    """Path of the cgroup that the process was in; empty: not said."""
    age_s: float = 0.0
    """How long ago it was."""


def parse_kill(record: bytes) -> Killed | None:
    """A record of the kernel's log; None: it tells of something else."""
    found = _KILLED.search(record)
    if found is None:
        return None
    name = found[3].decode("utf-8", "replace")
    return Killed(int(found[2]), name, int(found[4]) * 1024, found[1].startswith(b"Memory cgroup"))


class KernelLog:
    """What the kernel logs; silent where it may not be read."""

    def __init__(self, path: str = "/dev/kmsg", *, monotonic: Clock = monotonic) -> None:
        self._monotonic = monotonic
        self._looked_at: float | None = None
        """On the clock of `monotonic`; None: what is read first was logged at any time before."""
        self._groups: dict[int, str] = {}
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            self._fd = -1

    @property
    def is_readable(self) -> bool:
        """It may be read."""
        return self._fd >= 0

    def kills(self) -> list[Killed]:
        """Kills since the last call."""
        found: list[Killed] = []
        before, self._looked_at = self._looked_at, self._monotonic()
        while self._fd >= 0:
            try:
                record = os.read(self._fd, _MAX_RECORD_BYTES)
            except BrokenPipeError:
                continue  # records were overwritten before we came: the next read goes on behind them
            except OSError:
                break
            if not record:
                break
            if (victim := _VICTIM.search(record)) is not None:
                self._groups[int(victim[2])] = victim[1].decode("utf-8", "replace")
            if (kill := parse_kill(record)) is not None:
                age_s = self._age_s(record, before)
                if age_s < BACKLOG_S:
                    found.append(replace(kill, group=self._groups.pop(kill.pid, ""), age_s=age_s))
        return found

    def _age_s(self, record: bytes, before: float | None) -> float:
        """By its stamp, whose clock may go a little wrong in days; not longer than since one looked before."""
        stamp = _STAMP.match(record)
        age_s = max(0.0, self._monotonic() - int(stamp[1]) / 1e6) if stamp else BACKLOG_S
        return age_s if before is None else min(age_s, max(0.0, self._monotonic() - before))

    def close(self) -> None:
        """Let go of it."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


@dataclass(frozen=True, slots=True)
class Group:
    """A memory cgroup."""

    path: str
    """As the kernel names it in its log."""
    events: str
    """File with the line `oom_kill N`."""
    limit: str
    """File with its limit."""
    usage: str


def group_of(pid: int, proc: str = "/proc", mounts: str = "/proc/self/mountinfo") -> Group | None:
    """The memory cgroup of a process; None: it has none of its own, or it is not to be seen."""
    try:
        lines = read_once(f"{proc}/{pid}/cgroup").decode().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    v1 = next((line.split(":", 2)[2] for line in lines if "memory" in line.split(":", 2)[1].split(",")), None)
    v2 = next((line[3:] for line in lines if line.startswith("0::")), None)
    if v1 is not None and (folder := find_folder("cgroup", "memory", v1, mounts)):
        names = ("memory.oom_control", "memory.limit_in_bytes", "memory.usage_in_bytes")
    elif v2 is not None and (folder := find_folder("cgroup2", "", v2, mounts)):
        names = ("memory.events", "memory.max", "memory.current")
    else:
        return None
    paths = [f"{folder}/{name}" for name in names]
    return Group(v1 if v1 is not None else v2 or "", *paths) if os.access(paths[0], os.R_OK) else None


def sibling(group: Group, path: str) -> Group | None:
    """Another group of the same hierarchy, by its path; None: it is not to be seen."""
    if not os.path.dirname(group.events).endswith(group.path.rstrip("/")):
        return None
    root = os.path.dirname(group.events).removesuffix(group.path.rstrip("/"))
    found = Group(
        path, *(f"{root}{path}/{os.path.basename(name)}" for name in (group.events, group.limit, group.usage))
    )
    return found if os.access(found.limit, os.R_OK) else None


def kill_count(group: Group | None, vmstat: str = "/proc/vmstat") -> int | None:
    """How often the kernel killed for memory so far: in the group, or on the machine; None: it does not say."""
    try:
        content = read_all(group.events if group else vmstat)
    except OSError:
        return None
    for line in content.splitlines():
        if line.startswith(b"oom_kill "):
            return int(line.split()[1])
    return None


def limit_bytes(group: Group) -> int | None:
    """The group's limit; None: it has none."""
    try:
        text = read_once(group.limit).strip()
    except OSError:
        return None
    limit = int(text) if text.isdigit() else UNLIMITED_BYTES
    return limit if limit < UNLIMITED_BYTES else None
