"""Which packages of a workspace differ from the branch point: what `packages = "changed"` checks."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

Runner = Callable[[Sequence[str], str], bytes | None]
"""Runs a command line in a folder; its output, None where it failed."""
_BRANCHES = ("origin/HEAD", "origin/main", "origin/master", "main", "master", "trunk")
_OF_ALL = ("Cargo.lock", "Cargo.toml", "rust-toolchain", "rust-toolchain.toml")
"""Files at the root of a workspace that concern each of its packages."""
_NEVER = ("target/",)


class Changed(NamedTuple):
    """What differs."""

    packages: tuple[str, ...] | None
    """Names, sorted, never empty; None: all are to be taken, and `reason` says why."""
    reason: str


class Package(NamedTuple):
    """A member of the workspace."""

    name: str
    folder: str
    """Absolute."""
    needs: frozenset[str]
    """Members that it depends on, in whatever way."""


def find_changed(root: str, packages: Sequence[Package], run: Runner, *, with_dependants: bool) -> Changed:
    """Packages whose files differ from the branch point, in commits or not yet, new ones included.

    Args:
        root: Of the workspace.
        packages: Its members.
        run: Runs git.
        with_dependants: Members that need them, too.
    """
    top = _line(run(("git", "rev-parse", "--show-toplevel"), root))
    if not top:
        return Changed(None, "this is no git repository: all packages are taken")
    base, name = branch_point(root, run)
    if not base:
        return Changed(None, "there is no commit to compare with: all packages are taken")
    files = _files(run(("git", "diff", "--name-only", "--no-renames", "-z", base), top))
    new = _files(run(("git", "ls-files", "--others", "--exclude-standard", "-z"), top))
    if files is None or new is None:
        return Changed(None, "git does not say what differs: all packages are taken")
    there = os.path.realpath(top)
    return _of_files([f"{there}/{file}" for file in (*files, *new)], root, packages, name, with_dependants)


def branch_point(root: str, run: Runner) -> tuple[str, str]:
    """The commit at which the branch left the main one, and what to call it; empty: there is none.

    On the main branch itself it is what was pushed last, else the last commit: what is not committed differs.
    """
    head = _line(run(("git", "rev-parse", "--verify", "--quiet", "HEAD^{commit}"), root))
    if not head:
        return "", ""
    for branch in _BRANCHES:
        if not _line(run(("git", "rev-parse", "--verify", "--quiet", f"{branch}^{{commit}}"), root)):
            continue
        base = _line(run(("git", "merge-base", "HEAD", branch), root))
        if base and base != head:
            return base, f"the branch point from {branch}"
        if base:
            return head, f"the last commit, which is on {branch}"
    return head, "the last commit"


def _of_files(
    files: Iterable[str], root: str, packages: Sequence[Package], name: str, with_dependants: bool
) -> Changed:
    root = os.path.realpath(root)
    by_folder = {os.path.realpath(package.folder): package for package in packages}
    found: set[str] = set()
    for file in files:
        inside = file.removeprefix(root + "/")
        if inside.startswith(_NEVER):
            continue
        if inside in _OF_ALL or inside.startswith(".cargo/"):
            return Changed(None, f"{inside} differs from {name}, which concerns all packages")
        package = _package_of(file, by_folder)
        if package is not None:
            found.add(package.name)
    if not found:
        return Changed(None, f"no package differs from {name}: all are taken, and should be fresh")
    own = len(found)
    if with_dependants:
        found = _with_dependants(found, packages)
    more = f", and {len(found) - own} that need them" if len(found) > own else ""
    return Changed(tuple(sorted(found)), f"{own} of {len(packages)} packages differ from {name}{more}")


def _package_of(file: str, by_folder: Mapping[str, Package]) -> Package | None:
    """The innermost package that a file lies in."""
    folder = os.path.dirname(file)
    while folder not in by_folder:
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    return by_folder[folder]


def _with_dependants(names: set[str], packages: Sequence[Package]) -> set[str]:
    found = set(names)
    while more := {package.name for package in packages if package.needs & found} - found:
        found |= more
    return found


def members_of(metadata: Mapping[str, object]) -> tuple[Package, ...]:
    """The members, of what `cargo metadata --no-deps --format-version=1` says."""
    listed = metadata.get("packages")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    rows = [row for row in rows if isinstance(row.get("name"), str) and isinstance(row.get("manifest_path"), str)]
    names = {row.get("name") for row in rows}
    return tuple(
        Package(
            str(row.get("name")),
            os.path.dirname(str(row.get("manifest_path"))),
            frozenset(
                str(need.get("name"))
                for need in row.get("dependencies") or ()
                if isinstance(need, dict) and need.get("path") and need.get("name") in names
            ),
        )
        for row in rows
    )


def _line(output: bytes | None) -> str:
    return os.fsdecode(output).strip() if output else ""


def _files(output: bytes | None) -> list[str] | None:
    return None if output is None else [os.fsdecode(name) for name in output.split(b"\0") if name]
