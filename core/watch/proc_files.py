"""Files of /proc: read once, or again through a descriptor that belongs to its process and to no later one."""

import os

_CHUNK_BYTES = 1 << 16
"""To ask for a megabyte at once costs 15 µs more: for memory that is hardly ever filled."""
_MAX_BYTES = 1 << 20


def number(status: bytes, label: bytes) -> int | None:
    """The number after a label that begins a line of a `status`; None: there is none."""
    at = status.find(label)
    return int(status[at + len(label) :].split(None, 1)[0]) if at >= 0 else None


def open_file(path: str) -> int:
    """A descriptor; -1: it is gone, or not ours to read."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


def read(path: str) -> bytes:
    """Its content, at most a megabyte; empty: it is gone, or not ours to read."""
    fd = open_file(path)
    if fd < 0:
        return b""
    try:
        content = os.read(fd, _CHUNK_BYTES)
        while content and len(content) % _CHUNK_BYTES == 0 and len(content) < _MAX_BYTES:
            more = os.read(fd, _CHUNK_BYTES)
            if not more:
                break
            content += more
        return content
    except OSError:
        return b""  # it ended
    finally:
        os.close(fd)


def read_once(path: str) -> bytes:
    """Its beginning, as far as one read gives it, at most 64 KiB.

    Raises:
        OSError: it cannot be read.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, _CHUNK_BYTES)
    finally:
        os.close(fd)


def read_all(path: str) -> bytes:
    """A table that comes in pieces of a page however much is asked for: mounts, disks, locks; at most a megabyte.

    Raises:
        OSError: it cannot be read.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = b""
        while len(content) < _MAX_BYTES and (piece := os.read(fd, _CHUNK_BYTES)):
            content += piece
        return content
    finally:
        os.close(fd)


def read_again(fd: int) -> bytes:
    """What it says now, at most a page; empty: its process has ended."""
    try:
        return os.pread(fd, 4096, 0) if fd >= 0 else b""
    except OSError:
        return b""  # ESRCH: it ended


def read_link(path: str) -> str:
    """Where it points; empty: not to be seen."""
    try:
        return os.readlink(path)
    except OSError:
        return ""
