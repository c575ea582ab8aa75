"""Which tests and benches that would run have a harness of their own, which may not know libtest's `--color`.

Read from the manifests themselves, four folders deep: `cargo metadata` does not say it.
"""

import os
import re
from fnmatch import fnmatch
from typing import Any

from core.plan.small_file import read_head
from core.run.grammar import Parsed

_DEPTH = 4
_MENTIONS = re.compile(rb"harness\s*=\s*false")
_KNOWN = re.compile(rb"\b(criterion|divan|libtest-mimic)\b")
"""They take libtest's `--color`."""
_KINDS = ("lib", "bins", "tests", "benches", "examples")
_KEYS = {"lib": "lib", "bins": "bin", "tests": "test", "benches": "bench", "examples": "example"}


def own_harnesses(parsed: Parsed, root: str, cwd: str) -> frozenset[str]:
    """Names, as in the file names of the binaries, of the targets with `harness = false` that the line selects."""
    found = _manifests(root)
    if not found:
        return frozenset()
    names: set[str] = set()
    options = parsed.options
    members = None if {"workspace", "all"} & options.keys() else _members(root, cwd)
    for folder, content in found:
        table = _parse(content)
        if table is None:
            continue  # cargo will refuse it
        if "package" in options:
            if _name(table) not in options["package"]:
                continue
        elif members is not None and not any(fnmatch(folder, member) for member in members):
            continue
        for kind in _KINDS:
            names.update(_selected(parsed, kind, table, os.path.basename(folder)))
    return frozenset(name.replace("-", "_") for name in names)


def _manifests(root: str) -> list[tuple[str, bytes]]:
    """(folder, content) of manifests that mention a harness of their own."""
    found: list[tuple[str, bytes]] = []
    depth = root.count("/")
    for folder, names, files in os.walk(root):
        is_deep = folder.count("/") - depth >= _DEPTH
        names[:] = [] if is_deep else [n for n in names if n != "target" and not n.startswith(".")]
        if "Cargo.toml" not in files:
            continue
        content = read_head(folder + "/Cargo.toml", 1 << 20) or b""
        if _MENTIONS.search(content) and not _KNOWN.search(content):
            found.append((folder, content))
    return found


def _members(root: str, cwd: str) -> list[str] | None:
    """Folders (patterns) whose packages a line without `-p` selects; None for all."""
    folder = cwd
    while folder != root and folder.startswith(root):
        if os.path.isfile(folder + "/Cargo.toml"):
            return [folder]
        folder = os.path.dirname(folder)
    table = _parse(read_head(root + "/Cargo.toml", 1 << 20) or b"") or {}
    default = table.get("workspace", {}).get("default-members")
    if default:
        return [os.path.normpath(f"{root}/{member}") for member in default]
    return [root] if "package" in table else None


def _selected(parsed: Parsed, kind: str, table: dict[str, Any], folder: str) -> list[str]:
    """Targets of this kind with a harness of their own that the line runs."""
    targets = table.get(_KEYS[kind], [])
    listed = targets if isinstance(targets, list) else [targets]
    own = [str(t.get("name") or _name(table) or folder) for t in listed if t.get("harness") is False]
    options = parsed.options
    if not own or "doc" in options:
        return []
    named = options.get(_KEYS[kind]) if kind != "lib" else None
    if named:
        return [name for name in own if any(not pattern or fnmatch(name, pattern) for pattern in named)]
    if kind in options or "all-targets" in options:
        return own
    if any(k in options or (k != "lib" and _KEYS[k] in options) for k in _KINDS):
        return []  # others are selected
    is_bench = parsed.command is not None and parsed.command.name == "bench"
    return own if kind in (("lib", "bins", "benches") if is_bench else ("lib", "bins", "tests")) else []


def _parse(content: bytes) -> dict[str, Any] | None:
    import tomllib

    try:
        return tomllib.loads(content.decode())
    except ValueError:
        return None


def _name(table: dict[str, Any]) -> str:
    return str(table.get("package", {}).get("name", ""))
