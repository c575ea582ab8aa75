"""Whether the content of files changed: by digests, which are taken anew only where times or sizes did."""

import os
import stat
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import NamedTuple

from core.clock import wall_clock

MOST_BYTES = 64 << 20
"""Of a file whose content is looked at; of a longer one the time of its last change stands for it."""
_RACY_S = 0.02
"""A file that was written so shortly before it was read may be written again without a new time (ext4's tick: 4 ms)."""
_CHUNK_BYTES = 1 << 20


class Stamp(NamedTuple):
    """A file as it was seen."""

    changed_ns: int
    """Time of the last change of its inode: of a rename over it, too."""
    written_ns: int
    size_bytes: int
    inode: int
    digest: str
    """Of its content, 16 hex digits; empty: it is not there, or no file."""


MISSING = Stamp(0, 0, -1, 0, "")


def read_stamp(path: str, before: Stamp | None = None) -> Stamp:
    """A file as it is; its content is read only where it may differ from `before`."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            return MISSING
        if before is not None and _is_same(before, found):
            return before
        return _with_digest(path, found)
    except (OSError, ValueError):
        return MISSING


def _is_same(before: Stamp, found: os.stat_result) -> bool:
    return before[:4] == (found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino)


def _with_digest(path: str, found: os.stat_result) -> Stamp:
    if found.st_size > MOST_BYTES:
        return Stamp(found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino, f"{found.st_mtime_ns:016x}")
    hashed = blake2b(digest_size=8)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # it may be a pipe by now
    try:
        while chunk := os.read(fd, _CHUNK_BYTES):
            hashed.update(chunk)
        now = os.fstat(fd)
    finally:
        os.close(fd)
    changed_ns = now.st_ctime_ns if now.st_ctime_ns == found.st_ctime_ns and not _is_racy(found) else 0
    return Stamp(changed_ns, found.st_mtime_ns, found.st_size, found.st_ino, hashed.hexdigest())


def _is_racy(found: os.stat_result) -> bool:
    return wall_clock() - found.st_ctime_ns / 1e9 < _RACY_S


def look(paths: Iterable[str], before: Mapping[str, Stamp]) -> dict[str, Stamp]:
    """Stamps of files, those of `before` where nothing moved."""
    return {path: read_stamp(path, before.get(path)) for path in paths}


def look_as_of(paths: Iterable[str], before: Mapping[str, Stamp], moment: float) -> dict[str, Stamp]:
    """Stamps of those files that are now what they were at a moment (seconds since the epoch): what was written later
    is left out, and what is gone from a folder in which something happened later."""
    stamps = ((path, stamp_as_of(path, before.get(path), moment)) for path in paths)
    return {path: stamp for path, stamp in stamps if stamp is not None}


def stamp_as_of(path: str, before: Stamp | None, moment: float) -> Stamp | None:
    """The same of one file; None: it is not known what it was then."""
    stamp = read_stamp(path, before)  # first: what is written meanwhile has a later time
    if stamp is before and stamp.changed_ns:
        return stamp if stamp.changed_ns / 1e9 <= moment else None
    return stamp if changed_at(path) <= moment else None


def changed_at(path: str) -> float:
    """When the inode of a file changed last, seconds since the epoch; where there is none, when the nearest folder
    around it did."""
    try:
        return os.stat(path).st_ctime
    except (OSError, ValueError):
        folder = os.path.dirname(path)
        return changed_at(folder) if folder != path else 0.0


def changed(before: Mapping[str, Stamp], after: Mapping[str, Stamp]) -> tuple[str, ...]:
    """Files whose content differs, that came or went, sorted; what `before` did not look at is not known to differ."""
    return tuple(sorted(path for path in after if path in before and before[path].digest != after[path].digest))
