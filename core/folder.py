"""What lies in folders of anybody's, where it does not matter why one cannot be read."""

import os
from collections.abc import Iterable


def names_in(folder: str, *, has_hidden: bool = True, most: int | None = None) -> list[str]:
    """Names, sorted, the first `most` of them; none where it is not there, not to be read, or no folder."""
    try:
        names = sorted(os.listdir(folder))
    except (OSError, ValueError):
        return []
    return (names if has_hidden else [name for name in names if not name.startswith(".")])[:most]


def absolute(path: str, base: str) -> str:
    """A path without `..`, of a relative one as it is from a folder on."""
    return os.path.normpath(os.path.join(base, path))


def topmost(folders: Iterable[str]) -> tuple[str, ...]:
    """Those that lie in no other one, sorted; each once."""
    found: list[str] = []
    for folder in sorted(set(folders), key=lambda one: one.rstrip("/") + "/"):  # what lies in one follows it at once
        if not found or not folder.startswith(found[-1].rstrip("/") + "/"):
            found.append(folder)
    return tuple(found)


def modified_ns(path: str) -> int:
    """When a file was last written, nanoseconds since the epoch; 0: it is not there, or not to be seen."""
    try:
        return os.stat(path).st_mtime_ns
    except (OSError, ValueError):
        return 0
