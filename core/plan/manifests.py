"""Manifests that cargo reads before it builds: which of them it will refuse. Not on the way to a build: cargo says it
in its own words there.

Source: cargo 1.95, `find_workspace_root` and `find_workspace_members`.
"""

import fnmatch
import os
from collections.abc import Iterator, Mapping, Sequence

from core.plan.given import Given, Key, Origin, Trouble
from core.plan.option import shown
from core.plan.small_file import read_small
from core.plan.toml_file import TomlFile, read_leaves
from core.run.identity import find_workspace, has_workspace, is_left_out

NAME = "Cargo.toml"
_MAX_MEMBERS = 500
_MAX_LOOKED_AT = 5000
"""Entries of folders, for the patterns of one workspace."""
_NO_NAME = '[package] has no name: write name = "…" below it'
_NOTHING = "it has neither [package] nor [workspace], and cargo wants one of them"
_NO_PACKAGE = "it has no [package], and each member of a workspace has one"


def manifest_troubles(cache: str, cwd: str, named: str = "", home: str = "") -> tuple[Trouble, ...]:
    """What is wrong with the manifests of a build, as far as it can be seen without cargo; each file once. Where it
    cannot be seen which ones cargo reads, nothing.

    Args:
        cache: Folder of what was parsed before; empty: none.
        cwd: Where cargo works.
        named: Value of `--manifest-path`; empty: not given. What is called otherwise is a script.
        home: Of cargo, above which it looks for no workspace of what lies in it; empty: not known.
    """
    if named and os.path.basename(named) != NAME:
        return ()
    start = os.path.normpath(os.path.join(cwd, named or NAME))
    if named and not os.path.exists(start):
        why = f"there is no file {shown(named)}: it takes the path of a {NAME}"
        return (Trouble(Origin("--manifest-path"), why),)
    return tuple(dict.fromkeys(_find(cache, *_read_by_cargo(os.path.dirname(start), home))))


def _read_by_cargo(folder: str, home: str) -> tuple[list[str], str]:
    """Folders whose manifests cargo reads for a build in one, and the workspace's, which is the last; empty: none."""
    while not os.path.exists(f"{folder}/{NAME}"):
        above = os.path.dirname(folder)
        if above == folder:
            return [], ""
        folder = above
    read, root = find_workspace(folder)
    if home and folder.startswith(home + "/"):
        read = [one for one in read if f"{one}/".startswith(home + "/")]
    return read, root if root in read else ""


def _find(cache: str, folders: Sequence[str], root: str) -> Iterator[Trouble]:
    for folder in folders:
        path = os.path.join(folder, NAME)
        file = read_leaves(cache, path)
        yield from file.troubles
        if file.troubles:
            return  # cargo reads no further
        is_seen = has_workspace(read_small(path) or b"")
        is_workspace = is_seen or any(key[0] == "workspace" for key in file.leaves)
        yield from _wrong_package(path, file, "" if is_workspace else _NOTHING)
        if folder == root:
            yield from _of_members(cache, folder, file.leaves)
        if is_workspace and not is_seen:
            return  # `workspace = { … }`: whose workspace it is was not looked at


def _wrong_package(path: str, file: TomlFile, without: str) -> Iterator[Trouble]:
    """What is wrong with a file's package; `without`: what is where there is none, empty: nothing."""
    name = file.leaves.get(("package", "name"))
    is_package = any(key[0] in ("package", "project") for key in file.leaves)
    if name is not None and not isinstance(name.value, str):
        yield Trouble(name.origin, f"name is text: {shown(name.value)} is not")
    elif is_package and name is None and ("project", "name") not in file.leaves:
        first = next(given.origin for key, given in file.leaves.items() if key[0] in ("package", "project"))
        yield Trouble(first, _NO_NAME)
    elif not is_package and without:
        yield Trouble(Origin(path), without)


def _of_members(cache: str, root: str, leaves: Mapping[Key, Given]) -> Iterator[Trouble]:
    given = leaves.get(("workspace", "members"))
    if given is None:
        return
    if not isinstance(given.value, list) or not all(isinstance(one, str) for one in given.value):
        yield Trouble(given.origin, 'members is an array of paths, such as ["crates/*"]')
        return
    left_out = leaves.get(("workspace", "exclude"))
    excluded = left_out.words if left_out is not None else ()
    budget = [_MAX_LOOKED_AT]
    for pattern in given.value[:_MAX_MEMBERS]:
        for folder in matching(root, pattern, budget):
            if folder == root or is_left_out(root, excluded, given.value, folder):
                continue
            yield from _of_member(cache, folder, pattern, given)


def _of_member(cache: str, folder: str, pattern: str, given: Given) -> Iterator[Trouble]:
    path = f"{folder}/{NAME}"
    if not os.path.exists(path):
        if not _is_pattern(pattern):
            yield Trouble(
                given.origin, f"members names {shown(pattern)}, where there is no {NAME}: make it, or take it out"
            )
        return
    file = read_leaves(cache, path, "package")  # of hundreds of files only that much is kept
    if not file.leaves and not file.troubles:
        file = read_leaves("", path)
    yield from file.troubles
    if not file.troubles:
        yield from _wrong_package(path, file, _NO_PACKAGE)


def matching(root: str, pattern: str, budget: list[int]) -> list[str]:
    """Folders that a path with `*`, `?` and `[…]` stands for, in order; `budget`: entries that may be looked at."""
    if "\0" in pattern:
        return []
    found = ["/" if pattern.startswith("/") else root]
    for part in pattern.split("/"):
        if not _is_pattern(part):
            found = [os.path.normpath(os.path.join(folder, part)) for folder in found]
            continue
        found = [os.path.join(folder, name) for folder in found for name in _names(folder, part, budget)][:_MAX_MEMBERS]
    return found


def _is_pattern(part: str) -> bool:
    return any(char in part for char in "*?[]")


def _names(folder: str, part: str, budget: list[int]) -> list[str]:
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                budget[0] -= 1
                if budget[0] < 0:
                    break
                if not entry.name.startswith(".") and fnmatch.fnmatchcase(entry.name, part) and entry.is_dir():
                    found.append(entry.name)
    except OSError:
        return []
    return sorted(found)
