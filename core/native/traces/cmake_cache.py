"""Folders that CMake configured into, and what it noted there: `CMakeCache.txt`.

    CMAKE_GENERATOR:INTERNAL=Ninja

Source: CMake 3.25.
"""

import os
import re
from collections.abc import Iterable, Iterator

from core.plan.small_file import read_head

CACHE_FILE = "CMakeCache.txt"
_MAX_BYTES = 4 << 20
_MAX_FOLDERS = 2000
_MAX_DEPTH = 4
_ENTRY = re.compile(rb"^([\w.+-]+):[A-Z]+=(.*)$", re.MULTILINE)


def is_cmake_folder(path: str) -> bool:
    """CMake configured into this folder."""
    return os.path.isfile(os.path.join(path, CACHE_FILE))


def read_cache(folder: str) -> dict[str, str]:
    """All values of the folder's cache by name; none where there is none."""
    content = read_head(os.path.join(folder, CACHE_FILE), _MAX_BYTES) or b""
    found: dict[str, str] = {}
    for name, value in _ENTRY.findall(content):
        found.setdefault(os.fsdecode(name), os.fsdecode(value).strip())
    return found


def cached_value(folder: str, name: str) -> str:
    """A value of the folder's cache; empty: it has none."""
    return read_cache(folder).get(name, "")


def cmake_folders(tops: Iterable[str]) -> Iterator[str]:
    """Folders that CMake configured into, at most four levels below the given ones."""
    waiting = [(top, 0) for top in tops]
    seen = 0
    while waiting and seen < _MAX_FOLDERS:
        folder, depth = waiting.pop()
        seen += 1
        if is_cmake_folder(folder):
            yield folder
        elif depth < _MAX_DEPTH:
            waiting += [(path, depth + 1) for path in _folders_in(folder)]


def _folders_in(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            found = [one for one in entries if one.name not in ("target", "CMakeFiles") and one.name[:1] != "."]
            return sorted(one.path for one in found if one.is_dir(follow_symlinks=False))
    except (OSError, ValueError):
        return []
