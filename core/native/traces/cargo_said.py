"""What cargo's JSON messages in the log of a run say of the packages that were built, found fresh or not."""

import json
import os
from dataclasses import field
from typing import Any

from core.values import dataclass

_ARTIFACT, _SCRIPT, _FINISHED = (
    b'{"reason":"compiler-artifact"', b'{"reason":"build-script-executed"', b'{"reason":"build-finished",',
)  # fmt: skip
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


@dataclass(frozen=True, slots=True)
class Said:
    """What a log says."""

    packages: tuple[Package, ...] = ()
    """In order of their first message."""
    compiled: int = 0
    """Units that were not fresh, from wherever they are."""
    is_built: bool = False
    """The build went well, whatever came after it."""


@dataclass(frozen=False, slots=True)
class _Draft:
    folder: str = ""
    artifacts: dict[str, None] = field(default_factory=dict)
    build_scripts: dict[str, None] = field(default_factory=dict)
    sources: dict[str, None] = field(default_factory=dict)
    out_dirs: dict[str, None] = field(default_factory=dict)

    def package(self) -> Package:
        return Package(self.folder, *map(tuple, (self.artifacts, self.build_scripts, self.sources, self.out_dirs)))


def read_log(log: str) -> Said:
    """What a log tells; nothing where it has no messages of cargo's, or cannot be read."""
    drafts: dict[str, _Draft] = {}
    compiled = 0
    try:
        with open(log, "rb") as file:
            while file.tell() < _MAX_READ_BYTES and (line := file.readline(_MAX_LINE_BYTES)):
                at = line.find(b'{"reason":"')  # a progress line without its newline may stand before it
                if at < 0:
                    continue
                if line.startswith(_FINISHED, at):
                    return Said(_packages(drafts), compiled, b'"success":true' in line)
                if line.startswith((_ARTIFACT, _SCRIPT), at):
                    compiled += _take(line[at:], drafts)
    except OSError:
        pass
    return Said(_packages(drafts), compiled)


def _packages(drafts: dict[str, _Draft]) -> tuple[Package, ...]:
    return tuple(draft.package() for draft in drafts.values() if draft.folder)


def _take(line: bytes, drafts: dict[str, _Draft]) -> bool:
    """Take a message; True: it is of a unit that was compiled."""
    try:
        message = json.loads(line)
        name = message["package_id"]
        is_compiled = message.get("fresh") is False
        if isinstance(name, str) and _is_here(name):
            _take_here(message, drafts.setdefault(name, _Draft()))
        return is_compiled
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def _take_here(message: dict[str, Any], draft: _Draft) -> None:
    if "out_dir" in message:
        draft.out_dirs[str(message["out_dir"])] = None
        return
    draft.folder = os.path.dirname(str(message["manifest_path"]))
    target = message["target"]
    source = str(target["src_path"])
    draft.sources[source] = None
    if "custom-build" in target["kind"]:
        draft.build_scripts[source] = None
    for path in message["filenames"]:
        draft.artifacts[str(path)] = None


def _is_here(package_id: str) -> bool:
    """By its source: `path+file:///…#1.0.0`, before cargo 1.77 `name 1.0.0 (path+file:///…)`."""
    return package_id.startswith("path+") or "(path+" in package_id
