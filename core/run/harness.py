"""Whether a test or bench that would run has a harness of its own, which may not know libtest's `--color`.

Read from the manifests themselves, four folders deep: `cargo metadata` does not say it. In doubt the answer is yes:
colour is lost, but no program gets an argument that it refuses.
"""

import os
import re
from fnmatch import fnmatch
from typing import Any

from core.run.grammar import Parsed

_DEPTH = 4
_MENTIONS = re.compile(rb"harness\s*=\s*false")
_KNOWN = re.compile(rb"\b(criterion|divan|libtest-mimic)\b")
"""They take libtest's `--color`."""
_KINDS = ("lib", "bins", "tests", "benches", "examples")
_KEYS = {"lib": "lib", "bins": "bin", "tests": "test", "benches": "bench", "examples": "example"}


def has_own_harness(parsed: Parsed, root: str, cwd: str) -> bool:
    """Some target that this command line selects has `harness = false`."""
    found = _manifests(root)
    if not found:
        return False
    options = parsed.options
    members = None if {"workspace", "all"} & options.keys() else _members(root, cwd)
    for folder, content in found:
        table = _parse(content)
        if table is None:
            return True
        if "package" in options:
            if _name(table) not in options["package"]:
                continue
        elif members is not None and not any(fnmatch(folder, member) for member in members):
            continue
        if any(_selects(parsed, kind, table) for kind in _KINDS):
            return True
    return False


def _manifests(root: str) -> list[tuple[str, bytes]]:
    """(folder, content) of manifests that mention a harness of their own."""
    found: list[tuple[str, bytes]] = []
    depth = root.count("/")
    for folder, names, files in os.walk(root):
        is_deep = folder.count("/") - depth >= _DEPTH
        names[:] = [] if is_deep else [n for n in names if n != "target" and not n.startswith(".")]
        if "Cargo.toml" not in files:
            continue
        with open(folder + "/Cargo.toml", "rb") as file:
            content = file.read(1 << 20)
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
    with open(root + "/Cargo.toml", "rb") as file:
        table = _parse(file.read(1 << 20)) or {}
    default = table.get("workspace", {}).get("default-members")
    if default:
        return [os.path.normpath(f"{root}/{member}") for member in default]
    return [root] if "package" in table else None


def _selects(parsed: Parsed, kind: str, table: dict[str, Any]) -> bool:
    """The line runs a target of this kind that has a harness of its own."""
    targets = table.get(_KEYS[kind], [])
    own = [t for t in (targets if isinstance(targets, list) else [targets]) if t.get("harness") is False]
    options = parsed.options
    if not own or "doc" in options:
        return False
    named = options.get(_KEYS[kind]) if kind != "lib" else None
    if named:
        return any(not name or fnmatch(str(t.get("name", "")), name) for name in named for t in own)
    if kind in options or "all-targets" in options:
        return True
    if any(k in options or (k != "lib" and _KEYS[k] in options) for k in _KINDS):
        return False  # others are selected
    is_bench = parsed.command is not None and parsed.command.name == "bench"
    return kind in (("lib", "bins", "benches") if is_bench else ("lib", "bins", "tests"))


def _parse(content: bytes) -> dict[str, Any] | None:
    import tomllib

    try:
        return tomllib.loads(content.decode())
    except ValueError:
        return None


def _name(table: dict[str, Any]) -> str:
    return str(table.get("package", {}).get("name", ""))
