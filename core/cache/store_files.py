"""Objects on disk, within a limit: the least recently used go first.

`DATA/objects/<two digits>/<name>`; what is being written is in `DATA/tmp`, what is being removed in `DATA/gone-…`.
A file comes to its place by rename, whole; nothing is synced, the checksum tells what a power cut left.
"""

import contextlib
import os
import re
import stat
import threading
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from core.cache.store_index import Index
from core.cache.store_object import Damage, Stored, Writer, check, read_stored
from core.clock import Clock

_NAME = re.compile(r"[A-Za-z0-9._,-]{1,255}\Z")
_STEP_S = 1e-6
"""Two uses are never at the same time, so that their order is on the disk too."""


class Taken(NamedTuple):
    """An object that is proven; `fd` is the caller's to close."""

    fd: int
    stored: Stored
    content: bytes | None
    """None: it is too large for memory; `fd` has it."""


class Evicted(NamedTuple):
    """An object that had to go."""

    name: str
    size_bytes: int
    """Of its file."""
    stored: Stored | None
    """None: its file could not be read."""


class Objects:
    """All objects below one folder; for many threads."""

    def __init__(self, folder: str, limit_bytes: int, clock: Clock) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self.is_looked_through = False
        """What was there before us is known. Until then all of it is served, and nothing evicted."""
        self._clock = clock
        self._lock = threading.Lock()
        self._index = Index()
        self._gone: set[str] = set()
        """Removed since we began to look."""
        self._clearings = 0
        self._written = 0
        self._now = 0.0

    def prepare(self) -> None:
        """Make the folders and remove what a killed store had begun to write. Raises OSError."""
        _make_folder(self.folder)
        for name in ("objects", "tmp"):
            _make_folder(f"{self.folder}/{name}")
        for path in _files_below(self.folder + "/tmp"):
            os.unlink(path)

    def look(self) -> list[Evicted]:
        """Learn what is there (100,000 objects take a second); what had to go because of that."""
        clearings = self._clearings
        found = list(self._find())
        with self._lock:
            if clearings == self._clearings:
                self._index.put_before(found, self._gone)
            self._gone.clear()
            self.is_looked_through = True
            evicted = self._make_room()
        self._remove_gone()
        return evicted

    def take(self, name: str, *, is_use: bool = True) -> Taken | None:
        """The object of that name, proven; None: there is none.

        Raises:
            Damage: what is there is not that object; it was removed.
            OSError: it cannot be read.
        """
        path = self._path(name)
        try:
            # Whatever lies there, opening it neither waits nor leads elsewhere.
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            with self._lock:
                self._forget(name)
            return None
        except OSError as error:
            self._discard(name, None)
            raise Damage(f"it cannot be opened: {error.strerror}") from None
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise Damage("it is no file")
            stored, content = check(fd, name)
        except Damage:
            self._discard(name, fd)
            os.close(fd)
            raise
        except OSError:
            os.close(fd)
            raise
        if is_use:
            self._touch(name, fd)
        return Taken(fd, stored, content)

    def stored(self, name: str) -> Stored | None:
        """What an object says of itself, its content unproven; None: there is none."""
        try:
            fd = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            return read_stored(fd, name)
        except (Damage, OSError):
            return None
        finally:
            os.close(fd)

    def begin(self, name: str, agent: str) -> "Incoming":
        """An object that is about to come. Raises OSError."""
        with self._lock:
            self._written += 1
            path = f"{self.folder}/tmp/{self._written}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            fd = os.open(path, flags, 0o600)
        except FileNotFoundError:  # somebody removed the cache
            _make_folder(os.path.dirname(path))
            fd = os.open(path, flags, 0o600)
        return Incoming(self, fd, path, name, agent)

    def place(self, path: str, name: str, size_bytes: int, fd: int) -> list[Evicted]:
        """Give a whole file its name; what had to go for it. Raises OSError."""
        target = self._path(name)
        with self._lock:
            at = self._tick()
            os.utime(fd, ns=(int(at * 1e9), int(at * 1e9)))
            try:
                os.rename(path, target)
            except FileNotFoundError:
                _make_folder(os.path.dirname(target))
                os.rename(path, target)
            self._index.used(name, size_bytes, at)
            self._gone.discard(name)
            return self._make_room()

    def remove(self, name: str) -> Evicted | None:
        """Remove an object; None: there is none."""
        with self._lock:
            return self._evict(name, self._index.size_of(name))

    def clear(self) -> int:
        """Remove all objects; bytes of those that were known. Raises OSError."""
        with self._lock:
            self._clearings += 1
            removed, self._index = self._index.total_bytes, Index()
            set_aside(self.folder, self._clearings)
            _make_folder(self.folder + "/objects")
        self._remove_gone()
        return removed

    def figures(self) -> dict[str, object]:
        """How many, how large, how old."""
        with self._lock:
            first = self._index.first()
            return {
                "entries": len(self._index),
                "bytes": self._index.total_bytes,
                "limit": self.limit_bytes,
                "oldest": first[1].used if first else None,
                "is_looked_through": self.is_looked_through,
            }

    def _path(self, name: str) -> str:
        return f"{self.folder}/objects/{_shelf(name)}/{name}"

    def _tick(self) -> float:
        self._now = max(self._clock(), self._now + _STEP_S)
        return self._now

    def _touch(self, name: str, fd: int) -> None:
        with self._lock:
            at = self._tick()
            # Another thread may have evicted it since it was opened.
            if name in self._index or not (self.is_looked_through or name in self._gone):
                self._index.used(name, os.fstat(fd).st_size, at)
        with contextlib.suppress(OSError):
            os.utime(fd, ns=(int(at * 1e9), int(at * 1e9)))

    def _forget(self, name: str) -> None:
        self._index.drop(name)
        if not self.is_looked_through:
            self._gone.add(name)

    def _make_room(self) -> list[Evicted]:
        """Evict until the limit is kept."""
        evicted: list[Evicted] = []
        while self.is_looked_through and self._index.total_bytes > self.limit_bytes:
            first = self._index.first()
            if first is None:
                break
            one = self._evict(first[0], first[1].size_bytes)
            if one is not None:
                evicted.append(one)
        return evicted

    def _evict(self, name: str, size_bytes: int) -> Evicted | None:
        stored = self.stored(name)
        self._forget(name)
        try:
            os.unlink(self._path(name))
        except OSError:
            return None
        return Evicted(name, size_bytes or (stored.size_bytes if stored else 0), stored)

    def _discard(self, name: str, fd: int | None) -> None:
        """Remove what is damaged, unless it was replaced meanwhile."""
        path = self._path(name)
        with self._lock, contextlib.suppress(OSError):
            if fd is None or os.path.samestat(os.lstat(path), os.fstat(fd)):
                self._forget(name)
                if stat.S_ISDIR(os.lstat(path).st_mode):
                    os.rename(path, f"{self.folder}/gone-{os.getpid()}-{self._tick():.6f}")
                else:
                    os.unlink(path)

    def _find(self) -> Iterator[tuple[float, int, str]]:
        """Use, size and name of each object; what is none of ours is removed."""
        for shelf in _names(self.folder + "/objects"):
            try:
                found = os.scandir(f"{self.folder}/objects/{shelf}")
            except OSError:
                continue
            with found:
                for entry in found:
                    with contextlib.suppress(OSError):
                        status = entry.stat(follow_symlinks=False)
                        if _NAME.match(entry.name) and _shelf(entry.name) == shelf and stat.S_ISREG(status.st_mode):
                            yield status.st_mtime_ns / 1e9, status.st_size, entry.name
                        elif not stat.S_ISDIR(status.st_mode):
                            os.unlink(entry.path)

    def _remove_gone(self) -> None:
        import shutil  # 10 ms, and there is hardly ever anything

        for name in _names(self.folder):
            if name.startswith("gone-"):
                shutil.rmtree(f"{self.folder}/{name}", ignore_errors=True)


class Incoming:
    """An object that is being written; it ends with `keep` or `abandon`."""

    def __init__(self, objects: Objects, fd: int, path: str, name: str, agent: str) -> None:
        self._objects, self._fd, self._path, self._name, self._agent = objects, fd, path, name, agent
        self._writer = Writer(fd)

    @property
    def size_bytes(self) -> int:
        """Of the content that came."""
        return self._writer.size_bytes

    def add(self, chunk: "bytes | memoryview") -> None:
        """More content. Raises OSError."""
        self._writer.add(chunk)

    def keep(self, at: float) -> list[Evicted]:
        """It is whole: from now on it is served. What had to go for it. Raises OSError."""
        size_bytes = self._writer.finish(self._name, self._agent, at)
        evicted = self._objects.place(self._path, self._name, size_bytes, self._fd)
        os.close(self._fd)
        return evicted

    def abandon(self) -> None:
        """It will not be whole."""
        os.close(self._fd)
        with contextlib.suppress(OSError):
            os.unlink(self._path)


def set_aside(folder: str, number: int) -> None:
    """Put all objects below `folder` where the next look removes them. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.rename(folder + "/objects", f"{folder}/gone-{os.getpid()}-{number}")


def _shelf(name: str) -> str:
    return f"{zlib.crc32(os.fsencode(name)) & 0xFF:02x}"


def _make_folder(path: str) -> None:
    """With all that are missing above it, each for the user alone. Raises OSError."""
    if not os.path.isdir(path):
        _make_folder(os.path.dirname(path))
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _files_below(folder: str) -> Iterator[str]:
    for name in _names(folder):
        yield f"{folder}/{name}"
