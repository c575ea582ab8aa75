"""Linkers of our choice that failed a link of a workspace: until their files change, it goes without them."""

from collections.abc import Mapping
from typing import Any

from core.paths import Paths
from core.plan.found import Tool
from core.plan.small_file import keep_json, read_json, stamp

_MAX_KEPT = 200


def refused_linkers(paths: Paths, root: str, tools: Mapping[str, Tool]) -> tuple[str, ...]:
    """Names of those that are refused for the workspace at `root`, as their files are now."""
    found = [
        row["linker"]
        for row in _rows(paths)
        if row["root"] == root
        and (tool := tools.get(row["linker"])) is not None
        and tool.path
        and row["file"] == file_key(tool.path)
    ]
    return tuple(dict.fromkeys(found))


def refuse_linker(paths: Paths, root: str, linker: str, tool_path: str) -> bool:
    """From now on the workspace at `root` goes without this linker; False: that could not be written down."""
    row = {"root": root, "linker": linker, "file": file_key(tool_path)}
    others = [one for one in _rows(paths) if (one["root"], one["linker"]) != (root, linker)]
    return keep_json(_file(paths), [*others, row][-_MAX_KEPT:])


def forget_refusals(paths: Paths, linker: str) -> int:
    """Try a linker again, everywhere; of how many workspaces it was refused."""
    rows = _rows(paths)
    kept = [row for row in rows if row["linker"] != linker]
    return len(rows) - len(kept) if len(kept) == len(rows) or keep_json(_file(paths), kept) else 0


def file_key(path: str) -> str:
    """The program as it is now; empty: it is gone."""
    now = stamp(path)
    return f"{path} {now}" if now else ""


def _file(paths: Paths) -> str:
    return paths.state + "/linkers.json"


def _rows(paths: Paths) -> list[dict[str, str]]:
    found: Any = read_json(_file(paths))
    rows = found if isinstance(found, list) else []
    return [row for row in rows if isinstance(row, dict) and all(isinstance(row.get(name), str) for name in _NAMES)]


_NAMES = ("root", "linker", "file")
