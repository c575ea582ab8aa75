"""Files of ours with one JSON object a line, to which lines are added."""

import json
import os
from collections.abc import Mapping
from typing import Any

MAX_BYTES = 4 << 20
"""Of a file that is read; of a longer one its end."""


def append_line(path: str, record: Mapping[str, Any]) -> None:
    """Add one, in a single write. Raises OSError where it cannot be written."""
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, json.dumps(dict(record)).encode() + b"\n")
    finally:
        os.close(fd)


def last_lines(path: str) -> list[bytes]:
    """What was added last, oldest first, the first one perhaps cut; none where there is no such file."""
    try:
        if not os.path.isfile(path):
            return []  # to open a pipe would wait for its writer
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - MAX_BYTES))
            return file.read().splitlines()
    except OSError:
        return []
