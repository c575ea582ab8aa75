"""The part of this computer that a build may use: cores, memory, cgroup, file system of the checkout, GPU."""

import os
import sys

from core.cgroup import cpu_quota, memory_limit
from core.plan.found import Machine
from core.watch.proc_files import read_all, read_once

_SHARES_BLOCKS = ("btrfs", "bcachefs", "apfs", "ocfs2")
_COPIES = ("ext2", "ext3", "ext4", "tmpfs", "ramfs", "vfat", "exfat", "msdos", "squashfs", "hfs", "reiserfs", "jfs")
"""Of others, as xfs, zfs, overlay and those of a network, the name does not say it."""


def find_machine(folder: str, *, proc: str = "/proc", root: str = "", system: str = "") -> Machine:
    """The machine as this process sees it.

    Args:
        folder: The checkout, for its file system.
        proc: A folder as `/proc`.
        root: Of the world, before the mount points that `proc` names.
        system: `linux` or `darwin`; empty: this one.
    """
    named = system or ("darwin" if sys.platform == "darwin" else "linux")
    if named == "darwin":
        return Machine(named, core_count(), None, _physical_bytes())
    memory = _total_bytes(proc) or _physical_bytes()
    limit = memory_limit(proc, root)
    filesystem = filesystem_of(folder, proc)
    return Machine(
        system=named,
        cores=core_count(),
        cgroup_cores=cpu_quota(proc, root),
        memory_bytes=memory,
        cgroup_memory_bytes=limit if limit is not None and not 0 < memory <= limit else None,
        filesystem=filesystem,
        has_reflink=has_reflink(filesystem),
        has_gpu=has_gpu(proc, root + "/dev"),
    )


def filesystem_of(folder: str, proc: str = "/proc") -> str:
    """`ext4`, `btrfs`; empty: not known.

    By the longest mount point that it lies below: the device number of `stat` is another one than that of the mount
    on btrfs. Of two mounts at one place the later one counts.
    """
    try:
        lines = read_all(proc + "/self/mountinfo").decode("utf-8", "surrogateescape").splitlines()
        place = os.path.realpath(folder)
    except (OSError, ValueError):
        return ""
    longest, found = -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        fields, kinds = left.split(" "), right.split(" ")
        if len(fields) < 5 or not kinds[0]:
            continue
        point = fields[4] if "\\" not in fields[4] else _unescaped(fields[4])
        is_above = point == "/" or place == point or place.startswith(point + "/")
        if is_above and len(point) >= longest:
            longest, found = len(point), kinds[0]
    return found


def has_reflink(filesystem: str) -> bool | None:
    """Files can share blocks on it; None: its name does not say so."""
    if filesystem in _SHARES_BLOCKS:
        return True
    return False if filesystem in _COPIES else None


def has_gpu(proc: str = "/proc", dev: str = "/dev") -> bool | None:
    """A GPU of NVIDIA can be asked what it is; None: not known.

    Its device file says so: `nvidia0`, that of a Jetson, or that of Windows below Linux, which has other GPUs too. A
    driver without one may make it when it is first used, or this is a container that was given none.
    """
    try:
        names = os.listdir(dev)
    except OSError:
        return None
    if any(map(_is_gpu, names)):
        return True
    return None if "dxg" in names or os.path.exists(proc + "/driver/nvidia") else False


def _is_gpu(name: str) -> bool:
    return name == "nvhost-gpu" or (name.startswith("nvidia") and name.isascii() and name[6:].isdigit())


def _unescaped(point: str) -> str:
    """Of a mount point: blanks and backslashes are octal in `mountinfo` (proc_pid_mountinfo(5))."""
    for octal, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(octal, letter)
    return point


def core_count() -> int:
    """How many this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def _total_bytes(proc: str) -> int:
    """Of `MemTotal:       24684096 kB` (proc_meminfo(5)); 0: not said."""
    try:
        lines = read_once(proc + "/meminfo").splitlines()
    except OSError:
        return 0
    words = next((line.split() for line in lines if line.startswith(b"MemTotal:")), [])
    return int(words[1]) * 1024 if len(words) == 3 and words[1].isdigit() else 0


def _physical_bytes() -> int:
    try:
        return max(0, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError):
        return 0
