"""Removing what CMake noted in one build folder, so that it configures anew."""

import contextlib
import os
import shutil
from typing import NamedTuple

from core.errors import StateError, UsageError
from core.git import ask_git
from core.native.traces.cmake_cache import CACHE_FILE, cached_value, is_cmake_folder
from core.native.traces.fingerprint import ScriptRun, script_runs

_SOURCES = ("CMakeLists.txt", "Cargo.toml", ".git", ".hg", ".jj")
"""What has one of these is no build folder alone: only CMake's own notes go."""
_NOTES = (CACHE_FILE, "CMakeFiles")
_PREFIX = "run-build-script-"


class Marked(NamedTuple):
    """What goes with a CMake folder."""

    folder: str
    """Its real path."""
    paths: tuple[str, ...]
    """What is removed: the folder, or CMake's notes in it."""
    scripts: tuple[str, ...]
    """Packages whose build scripts run again."""
    fingerprints: tuple[str, ...]
    """Cargo's notes that those scripts ran."""


def mark(folder: str, *, cwd: str, target_dir: str, checkout: str) -> Marked:
    """What is to be removed.

    Raises:
        UsageError: it is no folder of CMake's, or one works in it.
    """
    real = os.path.realpath(os.path.join(cwd, folder))
    if not is_cmake_folder(real):
        raise UsageError(f"{real} has no {CACHE_FILE}: it is no build folder of CMake's")
    paths = paths_of(real)
    if paths == (real,) and any(_is_in(one, real) for one in (cwd, checkout, target_dir, os.path.expanduser("~"))):
        raise UsageError(f"{real} is not removed: it is around this folder, the workspace, or its target dir")
    runs = [run for run in script_runs(target_dir, checkout) if _made(run, real)] if target_dir else []
    return Marked(real, paths, tuple(dict.fromkeys(run.package for run in runs)), tuple(_notes(target_dir, runs)))


def paths_of(folder: str) -> tuple[str, ...]:
    """What goes with a CMake folder, by its real path: all of it, or CMake's notes alone where sources lie in it."""
    source = os.path.realpath(cached_value(folder, "CMAKE_HOME_DIRECTORY") or "/")
    has_sources = any(os.path.lexists(f"{folder}/{name}") for name in _SOURCES)
    if not (has_sources or _is_in(source, folder) or _has_tracked(folder)):
        return (folder,)
    return tuple(f"{folder}/{name}" for name in _NOTES if os.path.lexists(f"{folder}/{name}"))


def _has_tracked(folder: str) -> bool:
    """Git has files of it in its index; False where there is no git to ask."""
    return bool(ask_git(("ls-files", "--cached", "--", "."), folder))


def remove(marked: Marked) -> None:
    """Do it: first cargo's notes, so that a build never takes a script for done whose work is half gone.

    Raises:
        StateError: something could not be removed.
    """
    for path in marked.fingerprints:
        with contextlib.suppress(OSError):
            os.unlink(path)
    try:
        for path in marked.paths:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
    except OSError as error:
        raise StateError(f"cannot remove {error.filename or marked.folder}: {error.strerror}") from error


def _made(run: ScriptRun, folder: str) -> bool:
    """A build script has CMake work in a folder: in its OUT_DIR, or in its package, but for packages below."""
    if _is_in(folder, run.out_dir):
        return True
    if not run.root or not _is_in(folder, run.root):
        return False
    between = os.path.relpath(os.path.dirname(folder), os.path.realpath(run.root)).split("/")
    places = ("/".join(between[: at + 1]) for at in range(len(between)))
    return not any(os.path.isfile(f"{run.root}/{place}/Cargo.toml") for place in places if place != ".")


def _notes(target_dir: str, runs: list[ScriptRun]) -> list[str]:
    found = []
    for run in runs:
        folder = f"{target_dir}/{run.profile}/.fingerprint/{run.unit}"
        if not os.path.isdir(folder):
            folder = f"{target_dir}/{run.profile}/build/{run.package}/{run.key}/fingerprint"
        with contextlib.suppress(OSError):
            found += [f"{folder}/{name}" for name in sorted(os.listdir(folder)) if name.startswith(_PREFIX)]
    return found


def _is_in(path: str, folder: str) -> bool:
    """A path is a folder, or lies in it."""
    if not path or not folder:
        return False
    path, folder = os.path.realpath(path), os.path.realpath(folder)
    return path == folder or path.startswith(folder.rstrip("/") + "/")
