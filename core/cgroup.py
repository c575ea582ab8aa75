"""The cgroups around a process, and what they allow it; cgroup v1 and v2. For the hot path: no dataclasses."""

import os

from core.watch.proc_files import read_all, read_once

UNLIMITED_BYTES = 1 << 60
"""cgroup v1 writes a number near 2^63 where there is no limit."""
_MAX_LEVELS = 64


def find_folder(kind: str, controller: str, group: str, mounts: str) -> str | None:
    """Where a cgroup is mounted: `… ROOT MOUNT-POINT … - TYPE SOURCE OPTIONS` (proc_pid_mountinfo(5)).

    Args:
        kind: `cgroup` or `cgroup2`.
        controller: Of v1; empty for v2.
        group: Its path, as `/proc/PID/cgroup` says it.
        mounts: A `mountinfo`.
    """
    found = _mounted(kind, controller, group, mounts)
    return found[1] if found else None


def cpu_quota(proc: str = "/proc", root: str = "") -> float | None:
    """Cores that the cgroups around this process allow, the least of them all; None: there is no limit.

    As Rust's `available_parallelism` reads them, so as cargo counts.

    Args:
        proc: A folder as `/proc`.
        root: Of the world, before the mount points that `proc` names.
    """
    quotas = []
    for folder, is_v2 in _levels(proc, "cpu", root):
        if is_v2:
            words = _words(folder + "/cpu.max")
        else:
            words = [*_words(folder + "/cpu.cfs_quota_us"), *_words(folder + "/cpu.cfs_period_us")]
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]):
            quotas.append(int(words[0]) / int(words[1]))
    return min(quotas, default=None)


def memory_limit(proc: str = "/proc", root: str = "") -> int | None:
    """Bytes that the cgroups around this process allow, the least of them all; None: there is no limit. Arguments as
    of `cpu_quota`."""
    names = {True: "/memory.max", False: "/memory.limit_in_bytes"}
    words = [_words(folder + names[is_v2]) for folder, is_v2 in _levels(proc, "memory", root)]
    limits = [int(word[0]) for word in words if len(word) == 1 and word[0].isdigit()]
    return min((limit for limit in limits if limit < UNLIMITED_BYTES), default=None)


def _levels(proc: str, controller: str, root: str) -> list[tuple[str, bool]]:
    """Folders of the group that limits this controller, its own first, and whether they are of v2."""
    try:
        lines = read_once(f"{proc}/self/cgroup").decode("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
    fields = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    mounts = f"{proc}/self/mountinfo"
    v1 = next((path for _, names, path in fields if controller in names.split(",")), None)
    v2 = next((path for number, names, path in fields if number == "0" and not names), None)
    if v1 is not None:
        found, is_v2 = _mounted("cgroup", controller, v1, mounts, root), False
    elif v2 is not None:
        found, is_v2 = _mounted("cgroup2", "", v2, mounts, root), True
    else:
        return []
    return [(folder, is_v2) for folder in _upwards(*found)] if found else []


def _upwards(top: str, folder: str) -> list[str]:
    """The folder and those above it, as far as the mount point."""
    found = [folder]
    while folder != top and folder.startswith(top) and len(found) < _MAX_LEVELS:
        folder = os.path.dirname(folder)
        found.append(folder)
    return found


def _mounted(kind: str, controller: str, group: str, mounts: str, world: str = "") -> tuple[str, str] | None:
    """Mount point and folder of a group."""
    try:
        lines = read_all(mounts).decode("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    for line in lines:
        left, _, right = line.partition(" - ")
        fields, kinds = left.split(), right.split()
        if len(fields) < 5 or kinds[:1] != [kind] or (controller and controller not in kinds[-1].split(",")):
            continue
        root, point = fields[3], world + fields[4]
        inner = group if root == "/" else "/" + os.path.relpath(group, root)
        folder = os.path.normpath(point + inner)
        if os.path.isdir(folder):
            return os.path.normpath(point), folder
    return None


def _words(path: str) -> list[str]:
    try:
        return read_once(path).decode("ascii", "replace").split()
    except OSError:
        return []
