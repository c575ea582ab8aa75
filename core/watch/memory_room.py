"""Whether there is memory for work that can wait."""

from core.watch.group_memory import limited_groups, read_group
from core.watch.machine_meter import parse_meminfo
from core.watch.proc_files import read_once

_START, _GO_ON = (0.15, 1 << 30), (0.07, 1 << 29)
"""Share of all memory, and bytes, that has to be free."""


def has_room(is_begun: bool, proc: str = "/proc") -> bool:
    """Enough of the machine's memory, and of that of a cgroup around us, is free; what has begun may go on with less.
    Where that is not to be seen, there is."""
    try:
        memory = parse_meminfo(read_once(proc + "/meminfo"))
        total, available = memory["MemTotal"], memory["MemAvailable"]
    except (OSError, ValueError, KeyError, IndexError):
        return True
    for group in limited_groups(proc):
        found = read_group(group)
        if found is not None:
            total, available = min(total, found.limit_bytes), min(available, found.available_bytes)
    share, least = _GO_ON if is_begun else _START
    return available >= max(share * total, min(least, total / 2))
