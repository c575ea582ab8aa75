"""Who holds cargo's file locks, and who waits for them: `/proc/locks`, which tells of both.

    3: FLOCK  ADVISORY  WRITE 19427 fe:00:2368489 0 EOF       a holder
    3: -> FLOCK  ADVISORY  WRITE 19562 fe:00:2368489 0 EOF    who waits for it

It is only read: to try a lock would take it. Source: proc_locks(5); names of the files: cargo 1.80 to 1.98.
"""

import os
from collections.abc import Callable, Iterable, Mapping

from core.host import Held, Owner, Waiter
from core.run.mask import safe_words
from core.values import dataclass

KINDS = {
    ".package-cache": "package cache",
    ".package-cache-mutate": "shared package cache",
    ".cargo-lock": "artifact dir",
    ".cargo-build-lock": "build dir",
    ".cargo-artifact-lock": "artifact dir",
}
"""What cargo's lock files guard, by their name."""
_MAX_READ_BYTES = 1 << 20
_MAX_COMMAND = 80
_FORGET_AFTER_LOOKS = 150
"""An inode that was no lock of cargo's may be one later: half a minute at five looks a second."""
_OWN_FILES = ("rustc", "clippy-driver", "rustdoc")
"""They lock what nobody else waits for: their incremental state."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of `/proc/locks`."""

    inode: tuple[str, int]
    """Device as `fe:00` and number."""
    pid: int
    is_exclusive: bool
    waits: bool


OwnerOf = Callable[[int], tuple[str, str]]
"""Run and agent of a pid; two empty texts: it is not ours."""


def parse_locks(content: bytes) -> list[Entry]:
    """Locks of flock(2) and who waits for them; other kinds, and torn lines, are passed over."""
    found: list[Entry] = []
    for line in content.split(b"\n"):
        words = line.split()
        waits = words[1:2] == [b"->"]
        if waits:
            del words[1]
        if len(words) < 6 or words[1] != b"FLOCK" or not words[4].isdigit():
            continue
        device, _, inode = words[5].rpartition(b":")
        if inode.isdigit():
            found.append(
                Entry((device.decode("ascii", "replace"), int(inode)), int(words[4]), words[3] == b"WRITE", waits)
            )
    return found


class LockWatch:
    """Looks at cargo's locks again and again."""

    def __init__(self, owner_of: OwnerOf, proc: str = "/proc") -> None:
        self._owner_of = owner_of
        self._proc = proc
        self._paths: dict[tuple[str, int], str] = {}
        """Of locks of cargo's, by inode."""
        self._others: dict[tuple[str, int], int] = {}
        """Inodes of other locks: the look at which that was found."""
        self._since: dict[tuple[str, int, bool], float] = {}
        """By path, pid, and whether it waits."""
        self._owners: dict[int, Owner] = {}
        self._looks = 0

    def look(self, now: float) -> tuple[Held, ...]:
        """Cargo's locks now, in the order of their paths; none where the system does not say."""
        self._looks += 1
        try:
            entries = parse_locks(_read(self._proc + "/locks"))
        except OSError:
            return ()
        named = [(path, entry) for entry in entries if (path := self._path(entry)) is not None]
        self._forget(named, now)
        by_path: dict[str, list[Entry]] = {}
        for path, entry in named:
            by_path.setdefault(path, []).append(entry)
        return tuple(self._held(path, by_path[path]) for path in sorted(by_path))

    def _held(self, path: str, entries: Iterable[Entry]) -> Held:
        holders = [entry.pid for entry in entries if not entry.waits]
        waiters = [Waiter(self._owner(one.pid), self._since[path, one.pid, True]) for one in entries if one.waits]
        began = [self._since[path, pid, False] for pid in holders]
        return Held(
            path,
            KINDS[os.path.basename(path)],
            tuple(self._owner(pid) for pid in holders),
            min(began, default=0.0),
            tuple(sorted(waiters, key=lambda one: one.since)),
        )

    def _forget(self, named: list[tuple[str, Entry]], now: float) -> None:
        """Note when each was first seen; forget those that are gone."""
        seen = {(path, entry.pid, entry.waits) for path, entry in named}
        self._since = {key: self._since.get(key, now) for key in seen}
        pids = {pid for _, pid, _ in seen}
        self._owners = {pid: owner for pid, owner in self._owners.items() if pid in pids}
        inodes = {entry.inode for _, entry in named}
        self._paths = {inode: path for inode, path in self._paths.items() if inode in inodes}
        self._others = {key: at for key, at in self._others.items() if self._looks - at < _FORGET_AFTER_LOOKS}

    def _path(self, entry: Entry) -> str | None:
        """The lock's file; None: it is none of cargo's, or not to be found out."""
        path = self._paths.get(entry.inode)
        if path is not None or entry.inode in self._others:
            return path
        path = self._find_file(entry)
        if path is None:
            self._others[entry.inode] = self._looks
        else:
            self._paths[entry.inode] = path
        return path

    def _find_file(self, entry: Entry) -> str | None:
        """Among the files that the process has open: they are its own user's to see."""
        folder = f"{self._proc}/{entry.pid}/fd"
        try:
            if _read(f"{self._proc}/{entry.pid}/comm").strip().decode("ascii", "replace") in _OWN_FILES:
                return None
            for name in os.listdir(folder):
                path = os.readlink(f"{folder}/{name}")
                if os.path.basename(path) in KINDS and os.stat(f"{folder}/{name}").st_ino == entry.inode[1]:
                    return path
        except OSError:
            pass  # it ended, or is another user's
        return None

    def _owner(self, pid: int) -> Owner:
        found = self._owners.get(pid)
        if found is None:
            run, agent = self._owner_of(pid)
            command, cwd = ("", "") if run else (self._command(pid), self._cwd(pid))
            found = self._owners[pid] = Owner(pid, run, agent, command, cwd)
        return found

    def _command(self, pid: int) -> str:
        try:
            line = _read(f"{self._proc}/{pid}/cmdline")
        except OSError:
            return ""
        words = [word.decode("utf-8", "replace") for word in line.split(b"\0") if word]
        if not words:
            return ""
        program = os.path.basename(words[0])
        shown = safe_words((program, *words[1:]), {}) if program == "cargo" else (program,)
        return " ".join(" ".join(shown).split())[:_MAX_COMMAND]

    def _cwd(self, pid: int) -> str:
        try:
            return os.readlink(f"{self._proc}/{pid}/cwd")
        except OSError:
            return ""


def chain(locks: Iterable[Held], pid: int) -> tuple[Owner, ...]:
    """Whom a waiting process waits for, whom that one waits for, and so on."""
    holder_of = {waiter.owner.pid: held.holders[0] for held in locks if held.holders for waiter in held.waiters}
    found: list[Owner] = []
    while (holder := holder_of.get(pid)) is not None and holder not in found:
        found.append(holder)
        pid = holder.pid
    return tuple(found)


def shared_targets(targets: Mapping[str, tuple[str, str | None]]) -> dict[str, tuple[str, ...]]:
    """Target dirs that several checkouts write to: cargo can run the wrong program there.

    Args:
        targets: Checkout and target dir of each live run.
    """
    by_dir: dict[str, set[str]] = {}
    for checkout, target in targets.values():
        if target is not None:
            by_dir.setdefault(target, set()).add(checkout)
    return {target: tuple(sorted(found)) for target, found in by_dir.items() if len(found) > 1}


def _read(path: str) -> bytes:
    """A whole file of /proc: `locks` comes in pieces of a page."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = b""
        while (chunk := os.read(fd, _MAX_READ_BYTES)) and len(content) < _MAX_READ_BYTES:
            content += chunk
        return content
    finally:
        os.close(fd)
