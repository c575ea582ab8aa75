"""Files below a folder that count as sources: what git does not ignore; without git, what is not hidden."""

import os
from collections.abc import Iterator

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
    named = git_files(folder)
    found = _walk(folder, 0) if named is None else (path for path in named if not os.path.isdir(path))
    return sorted(found)[:MAX_FILES]


def git_files(folder: str) -> list[str] | None:
    """Tracked and new files below a folder that are not ignored, some perhaps gone, at most MAX_FILES; None: git does
    not say."""
    said = ask_git(("ls-files", "-z", "--cached", "--others", "--exclude-standard"), folder, limit_s=_GIT_WITHIN_S)
    if said is None:
        return None
    names = dict.fromkeys(name for name in said.split(b"\0") if name)
    return [os.path.join(folder, os.fsdecode(name)) for name in list(names)[:MAX_FILES]]


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
