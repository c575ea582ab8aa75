"""Steps at the start of a line: ninja's `[3/9] …`, make's and cmake's `[ 40%] …`, and their like."""

import re

from core import events as e

_STEP = re.compile(
    rb"(?:\[ *([0-9]{1,3})%\]|[\[(] *([0-9]{1,9})/([0-9]{1,9})[\])]|(?:[A-Z][a-z]+ )?([0-9]{1,9}) of ([0-9]{1,9})\b)"
)


def parse_step(line: bytes, at: float) -> e.ProgressMoved | None:
    """The state that a line without SGR begins with."""
    if line[:1] not in b"[(0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" or not line:
        return None
    found = _STEP.match(line)
    if found is None:
        return None
    if found[1]:
        percent = int(found[1])
        return e.ProgressMoved(at, percent, 100, (), "percent") if percent <= 100 else None
    done, total = int(found[2] or found[4]), int(found[3] or found[5])
    return e.ProgressMoved(at, done, total, (), "steps") if 0 < total >= done else None
