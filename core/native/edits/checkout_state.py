"""What the last build of a command in a checkout was made of: `inputs/<hash>.json` of the state folder.

One object: `{"schema": 1, "checkout", "command", "at", "files": {path: [ctime_ns, mtime_ns, size, inode, digest]}}`.
At most MOST_STATES of them, the least recently written go.
"""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import field
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

from core.native.staleness.input_state import Stamp
from core.paths import Paths
from core.plan.small_file import keep_json, read_object
from core.values import dataclass

SCHEMA = 1
MOST_STATES = 64
MOST_FILES = 20_000
_MAX_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class CheckoutState:
    """What a build was made of."""

    at: float = 0.0
    """When it began, seconds since the epoch."""
    files: Mapping[str, Stamp] = field(default_factory=lambda: MappingProxyType({}))


def folder_of(paths: Paths) -> str:
    """Where they lie."""
    return paths.state + "/inputs"


def path_of(paths: Paths, checkout: str, target_dir: str | None, command: str) -> str:
    """The file of one command in one checkout and target dir."""
    key = "\0".join((checkout, target_dir or "", command)).encode("utf-8", "surrogateescape")
    return f"{folder_of(paths)}/{blake2b(key, digest_size=12).hexdigest()}.json"


def read_state(path: str, most: int = _MAX_BYTES) -> CheckoutState | None:
    """What is kept; None where nothing is, it has more than `most` bytes, it is damaged, or of a newer version."""
    record = read_object(path, most)
    if record.get("schema") != SCHEMA:
        return None
    try:
        files = {path: _stamp(row) for path, row in record["files"].items()}
        return CheckoutState(float(record["at"]), files)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def _stamp(row: Any) -> Stamp:
    changed_ns, written_ns, size_bytes, inode, digest = row
    return Stamp(int(changed_ns), int(written_ns), int(size_bytes), int(inode), str(digest))


def write_state(path: str, state: CheckoutState, *, checkout: str, command: str) -> None:
    """Keep it; where it cannot be written there is none the next time."""
    files = dict(sorted(state.files.items())[:MOST_FILES])
    record = {"schema": SCHEMA, "checkout": checkout, "command": command, "at": state.at, "files": files}
    if keep_json(path, record):
        with contextlib.suppress(OSError):
            _drop_oldest(os.path.dirname(path))


def _drop_oldest(folder: str) -> None:
    names = [name for name in os.listdir(folder) if name.endswith(".json")]
    if len(names) > MOST_STATES:
        by_age = sorted(names, key=lambda name: os.stat(f"{folder}/{name}").st_mtime)
        for name in by_age[: len(names) - MOST_STATES]:
            os.unlink(f"{folder}/{name}")
