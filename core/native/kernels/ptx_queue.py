"""PTX that waits for its figures, on disk: builds that made it are over, and write over it.

`<folder>/<digest>.ptx`, and beside it, once that is whole, `<digest>.json`: `{"schema": 1, "ptxas": PATH, "arch":
"sm_80"}`.
"""

import contextlib
import os
from typing import NamedTuple

from core.plan.small_file import keep_json, read_object, remove

MAX_ENTRIES = 300
MAX_BYTES = 256 << 20
"""Of all that waits; what waits longest goes first."""
_SCHEMA = 1
_NOTE = ".json"


class Waiting(NamedTuple):
    """PTX that nobody measured yet."""

    digest: str
    ptxas: str
    """Path of the toolkit's own."""
    arch: str
    """`sm_80`: what it is made for."""
    path: str
    """Of the file."""


class PtxQueue:
    """What waits, for this engine and those after it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._names: list[str] | None = None
        """Digests, oldest first; None: not looked at yet."""

    @property
    def is_empty(self) -> bool:
        """Nothing waits."""
        return not self._digests()

    def add(self, digest: str, content: bytes, ptxas: str, arch: str) -> None:
        """Put something in. What cannot be written does not wait."""
        if len(content) > MAX_BYTES // 4 or not _write(f"{self.folder}/{digest}.ptx", content):
            return
        if not keep_json(f"{self.folder}/{digest}{_NOTE}", {"schema": _SCHEMA, "ptxas": ptxas, "arch": arch}):
            remove(f"{self.folder}/{digest}.ptx")
            return
        names = self._digests()
        if digest in names:
            names.remove(digest)
        names.append(digest)
        self._trim()

    def next(self) -> Waiting | None:
        """What came last: a person waits for that; None: nothing waits."""
        names = self._digests()
        while names:
            digest = names[-1]
            note = read_object(f"{self.folder}/{digest}{_NOTE}")
            ptxas, arch = note.get("ptxas"), note.get("arch")
            if note.get("schema") == _SCHEMA and isinstance(ptxas, str) and isinstance(arch, str):
                return Waiting(digest, ptxas, arch, f"{self.folder}/{digest}.ptx")
            self.remove(digest)
        return None

    def sweep(self) -> None:
        """Remove what belongs to nothing that waits: an engine was killed. While nobody adds anything."""
        known = set(self._digests())
        with contextlib.suppress(OSError):
            for name in os.listdir(self.folder):
                if name.partition(".")[0] not in known:
                    remove(f"{self.folder}/{name}")

    def all(self) -> tuple[str, ...]:
        """Digests of what waits, oldest first."""
        return tuple(self._digests())

    def remove(self, digest: str) -> None:
        """It waits no longer."""
        names = self._digests()
        if digest in names:
            names.remove(digest)
        for end in (_NOTE, ".ptx"):
            remove(f"{self.folder}/{digest}{end}")

    def _digests(self) -> list[str]:
        if self._names is None:
            self._names = _listed(self.folder)
        return self._names

    def _trim(self) -> None:
        names = self._digests()
        sizes = {name: _size(f"{self.folder}/{name}.ptx") for name in names}
        while len(names) > MAX_ENTRIES or sum(sizes[name] for name in names) > MAX_BYTES:
            self.remove(names[0])


def _listed(folder: str) -> list[str]:
    try:
        entries = [entry for entry in os.scandir(folder) if entry.name.endswith(_NOTE)]
        return [entry.name.removesuffix(_NOTE) for entry in sorted(entries, key=lambda one: one.stat().st_mtime_ns)]
    except OSError:
        return []


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _write(path: str, content: bytes) -> bool:
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with open(fd, "wb") as file:
            file.write(content)
    except OSError:
        remove(path)
        return False
    return True
