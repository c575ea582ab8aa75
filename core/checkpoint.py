"""The state of a run's digest, saved now and then, so that a new engine need not parse a long log from its start.

Written every few megabytes of log and before a hole is punched. It is a pickle in the user's own 0700 folder; only
our own classes and plain containers are accepted. One of other code is not used: the logs are parsed anew.
"""

import io
import os
import pickle
from dataclasses import dataclass
from typing import Any

from core.digest import Digest

NAME = "parser.state"
EVERY_BYTES = 4 << 20
"""Of log between two checkpoints: parsed again in well under a second."""
_OURS = ("core.parsers.", "core.logfile", "core.digest", "core.checkpoint", "core.events")
_PLAIN = {
    ("builtins", "set"), ("builtins", "frozenset"), ("builtins", "bytearray"), ("builtins", "object"),
    ("builtins", "complex"), ("builtins", "range"), ("builtins", "slice"),
    ("collections", "deque"), ("collections", "OrderedDict"), ("collections", "defaultdict"),
    ("collections", "Counter"), ("copyreg", "_reconstructor"), ("copyreg", "__newobj__"), ("re", "_compile"),
    ("_codecs", "encode"), ("types", "MappingProxyType"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A digest as it was after some steps."""

    code: str
    """Which code made it, see `code_identity`."""
    marks: int
    """After so many marks of the journal."""
    out: int
    err: int
    digest: Digest


def code_identity() -> str:
    """Names, sizes and times of the modules whose classes are in a checkpoint."""
    here = os.path.dirname(os.path.abspath(__file__))
    found: list[str] = []
    for folder in (here, here + "/parsers"):
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    status = entry.stat()
                    found.append(f"{entry.name}:{status.st_size}:{status.st_mtime_ns}")
    return " ".join(sorted(found))


def save(folder: str, checkpoint: Checkpoint) -> bool:
    """Put it beside the journal, by rename; False where it cannot be written (the logs will be parsed anew)."""
    part = f"{folder}/{NAME}.part"
    try:
        content = pickle.dumps(checkpoint, protocol=5)
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
        os.rename(part, f"{folder}/{NAME}")
    except (OSError, pickle.PicklingError, TypeError, AttributeError):
        return False
    return True


def load(folder: str, code: str) -> Checkpoint | None:
    """The last checkpoint, where it was made by this code; else None."""
    try:
        with open(f"{folder}/{NAME}", "rb") as file:
            found = _Reader(io.BytesIO(file.read())).load()
    except Exception:  # a torn or foreign pickle can raise nearly anything
        return None
    return found if isinstance(found, Checkpoint) and found.code == code else None


def remove(folder: str) -> None:
    """Once a run is closed, nobody needs it."""
    try:
        os.unlink(f"{folder}/{NAME}")
    except OSError:
        return


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.startswith(_OURS) or (module, name) in _PLAIN:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a checkpoint")
