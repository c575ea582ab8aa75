"""Who holds cargo's file locks, and who waits for them, by the kernel's table.

Source: names of the files: cargo 1.80 to 1.98.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from core import events as e
from core.host import LOCK_KINDS, Held, Owner, Waiter, kind_of
from core.run import proctree
from core.run.identity import workspace_root
from core.run.mask import safe_words
from core.watch.lock_heir import find_heir
from core.watch.lock_table import Entry, LockTable, parse_locks
from core.watch.proc_files import read_all, read_link

_MAX_COMMAND = 80
_MAX_DEPTH = 64
"""Of processes below a supervisor."""
NOISE_S = 0.25
"""Eight fresh checks at once wait so long for the package cache and nobody minds."""
_SHARED_BY_ALL = "/.package-cache-mutate"
_AFRESH_EVERY = 10
"""Locks that are the same to the letter, and old, are looked at anew so rarely: who has them may have gone."""
_SOUGHT_EVERY = 50
"""Ten seconds: who is not to be seen, because it is another user's, is looked for among all processes so rarely."""
_FORGET_AFTER_LOOKS = 150
"""An inode that was no lock of cargo's may be one later: half a minute at five looks a second."""
_LONGEST_GAP_S = 10.0
"""Between two looks while something is alive: a fifth of a second, more where the machine is overloaded."""
_OWN_FILES = ("rustc", "clippy-driver", "rustdoc")
"""They lock what nobody else waits for: their incremental state."""


OwnerOf = Callable[[int], tuple[str, str, str]]
"""Run, agent and checkout of a pid; empty texts: it is not ours, or builds what is not known."""


class LockWatch:
    """Looks at cargo's locks again and again."""

    def __init__(self, owner_of: OwnerOf, proc: str = "/proc", build_dirs: frozenset[str] = frozenset()) -> None:
        self._owner_of = owner_of
        self._build_dirs = build_dirs
        self._proc = proc
        self._table = LockTable(proc)
        self._entries: dict[str, list[Entry]] = {}
        """As of the last look, by path."""
        self._paths: dict[tuple[str, int], str] = {}
        """Of locks of cargo's, by inode."""
        self._others: dict[tuple[tuple[str, int], int], int] = {}
        """Inodes and pids that led to no lock of cargo's: until which look they are left alone."""
        self._since: dict[tuple[str, int, bool], float] = {}
        """By path, pid, and whether it waits."""
        self._owners: dict[int, Owner] = {}
        self._heirs: dict[tuple[str, int], tuple[int | None, int]] = {}
        """Who has the lock of a process that is gone, by path and its pid (None: nobody that is to be seen), and in
        which look that is asked again."""
        self._looks = 0
        self._looked_at = float("-inf")
        self._content = b""
        self._last: tuple[Held, ...] = ()
        self._settled: tuple[Held, ...] | None = None
        """None: nobody asked since the last look in full."""
        self._last_at = float("-inf")
        """When all was looked at in full."""
        self._is_quiet = False
        """Of those locks, none is cargo's for certain."""

    @property
    def has_locks(self) -> bool:
        """Something of cargo's is alive: it holds a lock, or waits for one."""
        return bool(self._entries)

    @property
    def is_quiet(self) -> bool:
        """Nothing of cargo's holds a lock now either: all locks are those of the last look."""
        return self._is_quiet and self._table.glance() == self._content

    def look(self, now: float) -> tuple[Held, ...]:
        """Cargo's locks now, in the order of their paths; none where the system does not say."""
        self._looks += 1
        before, self._content = self._content, self._table.read()
        if self._content == before and self._looks % _AFRESH_EVERY and (self._is_quiet or self._is_old(now)):
            self._looked_at = now
            return self._last
        entries = parse_locks(self._content)
        by_inode: dict[tuple[str, int], list[Entry]] = {}
        for entry in entries:
            by_inode.setdefault(entry.inode, []).append(entry)
        named = {inode: path for inode, group in by_inode.items() if (path := self._path(inode, group)) is not None}
        self._entries = {}
        for inode, path in sorted(named.items(), key=lambda one: one[1]):
            self._entries.setdefault(path, []).extend(self._living(path, entry) for entry in by_inode[inode])
        self._forget(set(named), between(self._looked_at, now))
        self._looked_at = now
        self._is_quiet = not named and all((one.inode, one.pid) in self._others for one in entries)
        self._last, self._last_at, self._settled = self._held(float("inf")), now, None
        return self._last

    def _is_old(self, now: float) -> bool:
        """All that is held and waited for was so long before the last look in full that time changes nothing."""
        newest = max(self._since.values(), default=now)
        return bool(self._entries) and newest + NOISE_S < self._last_at <= now

    def settled(self) -> tuple[Held, ...]:
        """What the last look saw without what is no news: what was not older than NOISE_S, and who shares the package
        cache, as every build does, while nobody waits for it."""
        if self._settled is None:
            self._settled = self._held(self._last_at - NOISE_S)
        return self._settled

    def remember(self, locks: Iterable[Held]) -> None:
        """What another engine saw last: those that are still there began when it says."""
        self._since |= times_of(locks)

    def forget_owners(self, build_dirs: frozenset[str] = frozenset()) -> None:
        """Runs came or went: ask again whose the processes are that seemed to be nobody's.

        Args:
            build_dirs: Of the runs that are there now; see `build_dirs_of`.
        """
        self._content, self._build_dirs = b"", build_dirs
        self._owners = {pid: owner for pid, owner in self._owners.items() if owner.run}

    def _held(self, latest: float) -> tuple[Held, ...]:
        """What began at that time or earlier; and who holds what somebody waits for since then."""
        found = (self._one(path, entries, latest) for path, entries in self._entries.items())
        return tuple(held for held in found if held is not None)

    def _one(self, path: str, entries: Iterable[Entry], latest: float) -> Held | None:
        since = self._since
        waiters = [
            Waiter(self._owner(one.pid), since[path, one.pid, True])
            for one in entries
            if one.waits and since[path, one.pid, True] <= latest
        ]
        began = sorted(
            (since[path, one.pid, False], one.pid)
            for one in entries
            if not one.waits and (waiters or since[path, one.pid, False] <= latest)
        )
        is_common = path.endswith(_SHARED_BY_ALL) and latest < float("inf")
        if not waiters and (not began or is_common):
            return None
        return Held(
            path,
            kind_of(path, self._build_dirs),
            tuple(self._owner(pid) for _, pid in began),
            began[0][0] if began else 0.0,
            tuple(sorted(waiters, key=lambda one: one.since)),
        )

    def _living(self, path: str, entry: Entry) -> Entry:
        """The same with who has the lock, where the process that called for it is gone."""
        if entry.waits or os.path.exists(f"{self._proc}/{entry.pid}"):
            return entry
        heir, again = self._heirs.get((path, entry.pid), (None, 0))
        if self._looks >= again or (heir is not None and not os.path.exists(f"{self._proc}/{heir}")):
            heir = find_heir(entry.inode[1], entry.pid, self._proc)
            self._heirs[path, entry.pid] = heir, self._looks + _SOUGHT_EVERY
        return entry if heir is None else replace(entry, pid=heir)

    def _forget(self, inodes: set[tuple[str, int]], began: float) -> None:
        """Note when each was first seen, never later than now (clocks are set back); forget those that are gone."""
        seen = {(path, one.pid, one.waits) for path, entries in self._entries.items() for one in entries}
        self._since = {key: min(began, self._since.get(key, began)) for key in seen}
        pids = {pid for _, pid, _ in seen}
        self._owners = {pid: owner for pid, owner in self._owners.items() if pid in pids}
        self._paths = {inode: path for inode, path in self._paths.items() if inode in inodes}
        self._heirs = {key: heir for key, heir in self._heirs.items() if key[0] in self._entries}
        self._others = {key: until for key, until in self._others.items() if self._looks < until}

    def _path(self, inode: tuple[str, int], entries: Iterable[Entry]) -> str | None:
        """The lock's file, by whoever holds it or waits for it; None: it is none of cargo's, or not to be found."""
        path = self._paths.get(inode)
        if path is not None:
            return path
        for pid in dict.fromkeys(entry.pid for entry in entries):
            if (inode, pid) in self._others:
                continue
            path, is_certain = self._find_file(inode[1], pid)
            if path is None and not is_certain and not os.path.exists(f"{self._proc}/{pid}"):
                heir = find_heir(inode[1], pid, self._proc)
                path, is_certain = (None, True) if heir is None else self._find_file(inode[1], heir)
            if path is not None:
                self._paths[inode] = path
                return path
            if is_certain:
                self._others[inode, pid] = self._looks + _FORGET_AFTER_LOOKS
        return None

    def _find_file(self, inode: int, pid: int) -> tuple[str | None, bool]:
        """Among the files that the process has open: they are its own user's to see. Without a path: whether it is
        certain that it is no lock of cargo's; one that was just let go is open no more."""
        folder = f"{self._proc}/{pid}/fd"
        try:
            if read_all(f"{self._proc}/{pid}/comm").strip().decode("ascii", "replace") in _OWN_FILES:
                return None, True
            paths = [path for name in os.listdir(folder) if (path := _link(f"{folder}/{name}", inode)) is not None]
        except PermissionError:
            return None, True
        except OSError:
            return None, False  # it ended
        return next((path for path in paths if os.path.basename(path) in LOCK_KINDS), None), bool(paths)

    def _owner(self, pid: int) -> Owner:
        found = self._owners.get(pid)
        if found is None:
            run, agent, checkout = self._owner_of(pid)
            found = Owner(pid, run, agent, "", "", checkout) if checkout else self._describe(pid, run, agent)
            self._owners[pid] = found
        return found

    def _describe(self, pid: int, run: str, agent: str) -> Owner:
        """One that is not ours, as far as it can be known; of one that is, the checkout."""
        words, cwd = self._words(pid), read_link(f"{self._proc}/{pid}/cwd")
        is_cargo = bool(words) and is_cargo_program(words[0])
        shown = safe_words(tuple(words), {}) if is_cargo else words[:1]
        checkout = workspace_root(cwd, manifest_of(words)) if is_cargo and cwd else None
        if run:
            return Owner(pid, run, agent, "", "", checkout or "")
        return Owner(pid, "", "", " ".join(" ".join(shown).split())[:_MAX_COMMAND], cwd, checkout or "")

    def _words(self, pid: int) -> list[str]:
        """Its command line, the program by its file name; empty: not to be seen."""
        try:
            line = read_all(f"{self._proc}/{pid}/cmdline")
        except OSError:
            return []
        words = [word.decode("utf-8", "replace") for word in line.split(b"\0") if word]
        return [os.path.basename(words[0]), *words[1:]] if words else []


def times_of(locks: Iterable[Held]) -> dict[tuple[str, int, bool], float]:
    """Since when, by path, pid, and whether it waits; of several holders the first one's is known."""
    found: dict[tuple[str, int, bool], float] = {}
    for held in locks:
        found |= {(held.path, owner.pid, False): held.since for owner in held.holders[:1]}
        found |= {(held.path, waiter.owner.pid, True): waiter.since for waiter in held.waiters}
    return found


def whose(started: e.RunStarted) -> tuple[str, str, str]:
    """Run, agent, and the checkout that it builds; empty: what it starts may build elsewhere."""
    return started.run, started.agent, started.checkout if started.tool == "cargo" else ""


def build_dirs_of(runs: Iterable[e.RunStarted]) -> frozenset[str]:
    """Where links lead to the build dirs of runs, but for those that are a target dir of one of them."""
    runs = list(runs)
    targets = {os.path.realpath(one.target_dir) for one in runs if one.target_dir}
    return frozenset({os.path.realpath(one.build_dir) for one in runs if one.build_dir} - targets)


def owner_among(supervisors: Mapping[int, tuple[str, str, str]], pid: int) -> tuple[str, str, str]:
    """Run, agent and checkout of a process, by the supervisor above it; empty: it is below none of these."""
    for _ in range(_MAX_DEPTH):
        found = supervisors.get(pid)
        if found is not None:
            return found
        process = proctree.read_process(pid)
        if process is None or process.parent <= 1:
            break
        pid = process.parent
    return "", "", ""


def between(before: float, now: float) -> float:
    """When something happened that was not there at one look and is at the next: halfway; after a long sleep, now."""
    return (before + now) / 2 if 0 <= now - before <= _LONGEST_GAP_S else now


def is_cargo_program(name: str) -> bool:
    """`cargo`, or a subcommand that works with cargo's own code."""
    return name == "cargo" or name.startswith("cargo-")


def manifest_of(words: Sequence[str]) -> str | None:
    """The value of `--manifest-path`; None: it is not given."""
    for at, word in enumerate(words):
        if word == "--":
            break
        if word.startswith("--manifest-path="):
            return word.partition("=")[2]
        if word == "--manifest-path" and at + 1 < len(words):
            return words[at + 1]
    return None


def chain(locks: Iterable[Held], pid: int) -> tuple[Owner, ...]:
    """Whom a waiting process waits for, whom that one waits for, and so on."""
    holder_of = {waiter.owner.pid: held.holders[0] for held in locks if held.holders for waiter in held.waiters}
    found: list[Owner] = []
    while (holder := holder_of.get(pid)) is not None and holder not in found:
        found.append(holder)
        pid = holder.pid
    return tuple(found)


def _link(path: str, inode: int) -> str | None:
    """The file of a descriptor in /proc; None: it is another one, or closed by now."""
    try:
        return os.readlink(path) if os.stat(path).st_ino == inode else None
    except OSError:
        return None
