"""What cargo's JSON messages in the log of a run say of the packages that were built, found fresh or not."""

import json
import os
from typing import Any

from core.values import dataclass

_MESSAGES = (b'{"reason":"compiler-artifact"', b'{"reason":"build-script-executed"')
_MAX_READ_BYTES = 64 << 20
"""Of a log; messages come before what programs print."""
_MAX_LINE_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Package:
    """A package that lies here: not from a registry, nor from git."""

    folder: str
    """Of its manifest."""
    artifacts: tuple[str, ...] = ()
    """Absolute paths."""
    build_scripts: tuple[str, ...] = ()
    """Sources of its build script: one or none."""
    sources: tuple[str, ...] = ()
    """The root source file of each target."""
    out_dirs: tuple[str, ...] = ()
    """OUT_DIR of each run of its build script."""


def read_packages(log: str) -> tuple[Package, ...]:
    """The packages that a log tells of, in order; none where it has no messages of cargo's, or cannot be read."""
    drafts: dict[str, dict[str, dict[str, None]]] = {}
    folders: dict[str, str] = {}
    try:
        with open(log, "rb") as file:
            while file.tell() < _MAX_READ_BYTES and (line := file.readline(_MAX_LINE_BYTES)):
                _take(line, drafts, folders)
    except OSError:
        return ()
    return tuple(
        Package(folders[name], *(tuple(draft[field]) for field in _FIELDS))
        for name, draft in drafts.items()
        if name in folders
    )


_FIELDS = ("artifacts", "build_scripts", "sources", "out_dirs")


def _take(line: bytes, drafts: dict[str, dict[str, dict[str, None]]], folders: dict[str, str]) -> None:
    at = line.find(b'{"reason":"')  # a progress line without its newline may stand before it
    if at < 0 or not line.startswith(_MESSAGES, at):
        return
    try:
        message = json.loads(line[at:])
        name = message["package_id"]
        if not isinstance(name, str) or not _is_here(name):
            return
        draft = drafts.setdefault(name, {field: {} for field in _FIELDS})
        if "out_dir" in message:
            draft["out_dirs"][str(message["out_dir"])] = None
            return
        folders[name] = os.path.dirname(str(message["manifest_path"]))
        _take_artifact(message, draft)
    except (ValueError, KeyError, TypeError, RecursionError):
        return


def _take_artifact(message: dict[str, Any], draft: dict[str, dict[str, None]]) -> None:
    target = message["target"]
    source = str(target["src_path"])
    draft["sources"][source] = None
    if "custom-build" in target["kind"]:
        draft["build_scripts"][source] = None
    for path in message["filenames"]:
        draft["artifacts"][str(path)] = None


def _is_here(package_id: str) -> bool:
    """By its source: `path+file:///…#1.0.0`, before cargo 1.77 `name 1.0.0 (path+file:///…)`."""
    return package_id.startswith("path+") or "(path+" in package_id
