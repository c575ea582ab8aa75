"""What may go: old runs, private target dirs and cache servers' logs that nobody used for long, the middle of logs that
are too long.

A sweep is data first (`plan_sweep`, which only compares values), then deeds (`remove`).
"""

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from core import facts
from core.folder import names_in
from core.paths import Paths

_DAY_S = 86400.0
_BLOCK = 4096
_GONE = "/gone"
_KEEP_SIZE_AND_PUNCH_HOLE = 0x03
HEAD_BYTES = 8 << 20
"""Of a log that is cut: always the same, so that a second cut only makes the hole longer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept."""

    keep_s: float = 14 * _DAY_S
    runs_bytes: int = 5_000_000_000
    targets_bytes: int = 40_000_000_000
    log_bytes: int = 1_000_000_000
    """Of one log, on the disk."""
    tight_log_bytes: int = 64_000_000
    """The same while the disk is under its floor."""
    disk_floor_bytes: int = 500_000_000


@dataclass(frozen=True, slots=True)
class Stored:
    """A run's folder, a private target dir with its note of the checkout, or what an agent's cache server left."""

    kind: Literal["run", "target", "cache"]
    name: str
    path: str
    size_bytes: int
    """On the disk."""
    used_at: float
    """When the run, or the cache server, was started, the target dir last built in; seconds since the epoch."""
    is_live: bool = False


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes, and why."""

    stored: Stored
    reason: str


@dataclass(frozen=True, slots=True)
class Cut:
    """A hole for the middle of a log."""

    offset: int
    length: int


def plan_sweep(stored: Sequence[Stored], limits: Limits, now: float) -> tuple[Removal, ...]:
    """What should go, least recently used first. Nothing live goes, whatever the limits say."""
    runs = sorted((s for s in stored if s.kind == "run"), key=lambda s: s.used_at)
    targets = sorted((s for s in stored if s.kind == "target"), key=lambda s: s.used_at)
    days = limits.keep_s / _DAY_S
    caches = sorted((s for s in stored if s.kind == "cache"), key=lambda s: s.used_at)
    old = [s for s in (*runs, *caches) if not s.is_live and now - s.used_at > limits.keep_s]
    removals = [Removal(s, f"older than {days:g} days") for s in old]
    rest = [s for s in runs if s not in old]
    removals += _over(rest, limits.runs_bytes, "runs")
    removals += _over(targets, limits.targets_bytes, "private target dirs")
    return tuple(removals)


def _over(stored: Sequence[Stored], limit_bytes: int, what: str) -> list[Removal]:
    """The least recently used of `stored` that make it larger than the limit."""
    total = sum(s.size_bytes for s in stored)
    removals = []
    for item in stored:
        if total <= limit_bytes:
            break
        if not item.is_live:
            total -= item.size_bytes
            removals.append(Removal(item, f"{what} take more than {limit_bytes / 1e9:g} GB"))
    return removals


def scan(paths: Paths) -> Iterator[Stored]:
    """Everything that a sweep could remove, one by one (a large target dir takes a second to measure)."""
    live_targets: set[str] = set()
    used: dict[str, float] = {}
    for name in names_in(paths.runs, has_hidden=False):
        folder = paths.run(name)
        is_live = os.path.exists(f"{paths.open}/{name}")
        record = facts.read_record(paths, name)
        started_at = record.started.at if record else _modified(folder)
        target = record.started.target_dir if record else None
        if target is not None:
            used[target] = max(used.get(target, 0.0), started_at)
            if is_live:
                live_targets.add(target)
        yield Stored("run", name, folder, disk_bytes(folder), started_at, is_live)
    for name in names_in(paths.targets, has_hidden=False):
        path = f"{paths.targets}/{name}"
        target = path + "/target"
        used_at = max(used.get(target, 0.0), _modified(path), _modified(target))
        yield Stored("target", name, path, disk_bytes(path), used_at, target in live_targets)
    for name in names_in(paths.caches, has_hidden=False):
        path = f"{paths.caches}/{name}"
        yield Stored("cache", name, path, disk_bytes(path), _modified(path), _is_served(paths, name))


def remove(paths: Paths, removal: Removal) -> bool:
    """Do it; False where it was used meanwhile or cannot be removed."""
    stored = removal.stored
    if stored.kind == "run":
        return remove_run(paths, stored.name)
    if stored.kind == "cache":
        return not _is_served(paths, stored.name) and _remove_tree(stored.path, paths.state + _GONE)
    if stored.path + "/target" in _targets_in_use(paths):
        return False
    return _remove_tree(stored.path, paths.cache + _GONE)


def remove_run(paths: Paths, run: str) -> bool:
    """Remove a run's folder; False where it is live or not there."""
    if os.path.exists(f"{paths.open}/{run}"):
        return False
    return _remove_tree(paths.run(run), paths.state + _GONE)


def clean_leftovers(paths: Paths) -> None:
    """Finish removals that a kill interrupted."""
    for folder in (paths.state + _GONE, paths.cache + _GONE):
        shutil.rmtree(folder, ignore_errors=True)


def disk_bytes(folder: str) -> int:
    """What a folder takes on the disk, holes and hard links counted as `du` does, links not followed."""
    total = 0
    seen: set[tuple[int, int]] = set()
    pending = [folder]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    elif status.st_nlink > 1:
                        if (key := (status.st_dev, status.st_ino)) in seen:
                            continue
                        seen.add(key)
                    total += status.st_blocks * 512
        except OSError:
            continue  # it went while we looked
    return total


def free_bytes(path: str) -> int:
    """Space that we may use on the disk of `path`; a huge number where that cannot be told."""
    try:
        space = os.statvfs(path)
    except OSError:
        return 1 << 62
    return space.f_bavail * space.f_frsize


def plan_cut(*, size_bytes: int, disk_bytes: int, read_bytes: int, limit_bytes: int) -> Cut | None:
    """The hole for a log that takes more than its limit: all between its head and its last `limit / 2` bytes.

    None where none is needed. Only bytes that were read go.
    """
    if disk_bytes <= limit_bytes:
        return None
    end = min(read_bytes, size_bytes - limit_bytes // 2) // _BLOCK * _BLOCK
    return Cut(HEAD_BYTES, end - HEAD_BYTES) if end > HEAD_BYTES else None


def can_punch(folder: str) -> bool:
    """The file system of `folder` can give blocks back: tried on a file of our own."""
    path = f"{folder}/.punch-{os.getpid()}"
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(b"x" * 2 * _BLOCK)
        return punch(path, Cut(0, _BLOCK))
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)


def punch(path: str, cut: Cut) -> bool:
    """Give the blocks of a part of a file back; its size stays. False where the file system cannot."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "fallocate"):
        return False
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        while True:
            offset, length = ctypes.c_int64(cut.offset), ctypes.c_int64(cut.length)
            if libc.fallocate(fd, _KEEP_SIZE_AND_PUNCH_HOLE, offset, length) == 0:
                return True
            if ctypes.get_errno() != errno.EINTR:
                return False
    finally:
        os.close(fd)


def _remove_tree(path: str, bin_folder: str) -> bool:
    """First out of sight by one rename, so that nobody ever finds a half of it."""
    gone = f"{bin_folder}/{os.path.basename(path)}-{time.monotonic_ns()}"
    try:
        os.makedirs(bin_folder, 0o700, exist_ok=True)
        os.rename(path, gone)
    except OSError:
        return False
    shutil.rmtree(gone, ignore_errors=True)
    return True


def _is_served(paths: Paths, agent: str) -> bool:
    from core.cache.server import is_alive
    from core.cache.server_record import read_server

    server = read_server(paths, agent)
    return server is not None and is_alive(server)


def _targets_in_use(paths: Paths) -> set[str]:
    records = (facts.read_record(paths, name) for name in names_in(paths.open, has_hidden=False))
    return {r.started.target_dir for r in records if r is not None and r.started.target_dir is not None}


def _modified(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
