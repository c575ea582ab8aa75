"""Who notes where a compiler stands: build trees of CMake, autotools and meson hold its path, and outlive the run."""

import os
import re
from typing import NamedTuple

from core.plan.small_file import read_head

_CMAKE_PACKAGE = b'name = "cmake"\n'
_OTHER_PACKAGES = (b'name = "autotools"\n', b'name = "meson"\n')
_CMAKE_CALL = b'"cmake"'
_OTHER_CALLS = (b'"meson"', b'"./configure"')
"""In a build script that has one of those make its build tree."""
_TABLE = rb"\[(?:.*\.)?(?:(?:dev|build)-)?dependencies(\.[^.]+)?\]"
_HERE = rb"\b(?:path|workspace)\s*="
"""Of manifests: dependencies, and those that are in this workspace. Compiled where there is no lock."""
_MEMBERS = ("crates", "packages", "libs", "members", "components")
_MAX_MEMBERS = 300
_MAX_FILE_BYTES = 1 << 18
_MAX_LOCK_BYTES = 1 << 26


class Noters(NamedTuple):
    """Who may note the path of a compiler in a build."""

    cmake: bool = False
    others: bool = False

    @property
    def any(self) -> bool:
        """One of them."""
        return self.cmake or self.others


def find_noters(root: str | None) -> Noters:
    """Those of a workspace, by its lock and its build scripts. Without a lock a dependency on a package
    that is not here may bring CMake."""
    if root is None:
        return Noters()
    lock = read_head(root + "/Cargo.lock", _MAX_LOCK_BYTES)
    folders = _packages(root)
    scripts = [read_head(folder + "/build.rs", _MAX_FILE_BYTES) or b"" for folder in folders]
    has_cmake = _CMAKE_PACKAGE in (lock or b"") or any(_CMAKE_CALL in script for script in scripts)
    return Noters(
        has_cmake or (lock is None and any(map(_has_foreign, folders))),
        any(package in (lock or b"") for package in _OTHER_PACKAGES)
        or any(call in script for script in scripts for call in _OTHER_CALLS),
    )


def _has_foreign(package: str) -> bool:
    """Its manifest names a dependency that is not here: it may bring any other."""
    is_listed = is_named = False
    for line in (read_head(package + "/Cargo.toml", _MAX_FILE_BYTES) or b"").splitlines():
        words = line.strip()
        if words.startswith(b"["):
            if is_named:
                return True
            table = re.match(_TABLE, words)
            is_listed, is_named = table is not None and not table[1], table is not None and bool(table[1])
        elif is_named and re.match(_HERE, words):
            is_named = False
        elif is_listed and b"=" in words and words[:1] != b"#" and not re.search(_HERE, words):
            return True
    return is_named


def _packages(root: str) -> list[str]:
    """Where those of a workspace usually lie: it, below it, below a folder of members."""
    found = [root]
    for name in _names(root):
        found.append(f"{root}/{name}")
        if name in _MEMBERS:
            found += [f"{root}/{name}/{member}" for member in _names(f"{root}/{name}")]
    return found


def _names(folder: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if "." not in name and name != "target"][:_MAX_MEMBERS]
    except OSError:
        return []
