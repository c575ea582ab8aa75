"""Files below a folder that count as sources: what git has or does not ignore; without git, what is not hidden. What
builds left in folders that nobody told git to ignore is none."""

import os
from collections.abc import Iterator
from itertools import islice

from core.git import ask_git

MAX_FILES = 50_000
_MAX_DEPTH = 40
_GIT_WITHIN_S = 10.0
_NEVER = frozenset((".git", ".hg", ".svn", ".jj", "target", "node_modules", "__pycache__", ".venv", "CMakeFiles"))
"""Folders of no sources."""
_MARKS = ("CACHEDIR.TAG", "CMakeCache.txt", ".ninja_log")
"""A folder with one of these is somebody's output."""


_SCRATCH_ENDS = (
    "~", ".swp", ".swo", ".swx", ".tmp", ".bak", ".orig", ".part", ".rej", "___jb_tmp___", "___jb_old___",
)  # fmt: skip
_SCRATCH_BEGINNINGS = (".#", "#", ".~", ".goutputstream-", ".kate-swp")


def source_files(folder: str) -> list[str]:
    """Absolute paths, at most MAX_FILES, sorted; empty where the folder cannot be read."""
    listed = _listed(folder)
    if listed is None:
        return sorted(_walk(folder, 0))[:MAX_FILES]
    made = _MadeFolders(folder)
    names = (name for name, is_new in listed.items() if not (is_new and os.path.dirname(name) in made))
    return sorted(path for path in (os.path.join(folder, name) for name in names) if not os.path.isdir(path))


def git_files(folder: str) -> list[str] | None:
    """Tracked and new files below a folder that are not ignored, some perhaps gone, at most MAX_FILES; None: git does
    not say."""
    listed = _listed(folder)
    return None if listed is None else [os.path.join(folder, name) for name in listed]


def _listed(folder: str) -> dict[str, bool] | None:
    """What git has, then what it does not ignore, below the folder: whether it is new to git."""
    asked = ("ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard")
    said = ask_git(asked, folder, limit_s=_GIT_WITHIN_S)
    if said is None:
        return None
    tagged = sorted(filter(None, said.split(b"\0")), key=_is_new)
    return dict(islice(((os.fsdecode(one[2:]), _is_new(one)) for one in tagged), MAX_FILES))


def _is_new(tagged: bytes) -> bool:
    return tagged.startswith(b"?")


class _MadeFolders:
    """Folders below one that are output, or lie in such a folder."""

    def __init__(self, top: str) -> None:
        self._top = top
        self._known = {"": False}

    def __contains__(self, name: str) -> bool:
        if name not in self._known:
            marks = (os.path.join(self._top, name, mark) for mark in _MARKS)
            self._known[name] = os.path.dirname(name) in self or any(map(os.path.lexists, marks))
        return self._known[name]


def _walk(folder: str, depth: int) -> Iterator[str]:
    """Links to folders are not followed: they may lead round in a ring."""
    if depth > _MAX_DEPTH:
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    if depth and any(entry.name in _MARKS for entry in entries):
        return
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _NEVER and not entry.name.startswith("."):
                    yield from _walk(entry.path, depth + 1)
            elif entry.is_file():
                yield entry.path
        except OSError:
            continue


def is_scratch(name: str) -> bool:
    """A file that editors make beside what they save: `.x.swp`, `4913`, `x~`, `.#x`, `#x#`, `x.tmp`."""
    return name.isdigit() or name.endswith(_SCRATCH_ENDS) or name.startswith(_SCRATCH_BEGINNINGS)


def is_ignored(path: str) -> bool:
    """Git ignores it; False where there is no git to ask."""
    words = ("check-ignore", "--quiet", "--", path)
    return ask_git(words, os.path.dirname(path), limit_s=_GIT_WITHIN_S) is not None
