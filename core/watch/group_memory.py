"""How full a memory cgroup is, and how hard it is to stay within its limit; cgroup v1 and v2."""

import os

from core.values import dataclass
from core.watch import oom
from core.watch.proc_files import read_once


@dataclass(frozen=True, slots=True)
class GroupMemory:
    """A memory cgroup that has a limit, at one moment."""

    limit_bytes: int
    usage_bytes: int
    """With the pages of files that it has in memory."""
    file_bytes: int
    """Of those, what can go when there is want."""
    refaults: int
    """Pages so far that had gone for want of room and were needed again."""

    @property
    def available_bytes(self) -> int:
        """What can still be had."""
        return max(0, self.limit_bytes - self.usage_bytes + self.file_bytes)


def read_group(group: oom.Group) -> GroupMemory | None:
    """The group now; None: it has no limit, or it is not to be seen."""
    limit = oom.limit_bytes(group)
    if limit is None:
        return None
    folder = os.path.dirname(group.limit)
    try:
        usage = int(read_once(group.usage))
        stat = _numbers(read_once(folder + "/memory.stat"))
    except (OSError, ValueError):
        return None
    of = "total_" if group.limit.endswith("_in_bytes") else ""
    files = stat.get(of + "inactive_file", 0) + stat.get(of + "active_file", 0)
    refaults = stat.get(of + "workingset_refault_file", 0) + stat.get(of + "workingset_refault_anon", 0)
    return GroupMemory(limit, usage, files, refaults)


def limited_groups(proc: str = "/proc") -> tuple[oom.Group, ...]:
    """Memory cgroups around us that have a limit: our own and those above it."""
    group = own = oom.group_of(os.getpid(), proc)
    found = []
    while group is not None and own is not None:
        if oom.limit_bytes(group) is not None:
            found.append(group)
        path = group.path.rstrip("/")
        group = oom.sibling(own, path.rpartition("/")[0] or "/") if path else None
    return tuple(found)


def _numbers(content: bytes) -> dict[str, int]:
    """`name 123` a line."""
    pairs = (line.split() for line in content.splitlines())
    return {pair[0].decode("ascii", "replace"): int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
