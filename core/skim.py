"""What became of a run that is over, from its journal at C speed: only what its last state depends on is parsed.

A journal of 300 units has 1,500 lines; reading all of them takes 11 ms, this 1. Lines are as `core.journal` writes
them; where they are not, or the run's end is not the last of them, there is no short way and None is given.
"""

import json
import re
from dataclasses import replace
from types import MappingProxyType

from core import events as e
from core.journal import check_header
from core.reduce import reduce_run
from core.state import Run

_ENDS = (b'{"event":"RunEnded"', b'{"event":"RunLost"')
_REPLACED = (b'{"event":"ProgressMoved"', b'{"event":"OutputGrew"', b'{"event":"TestsCounted"')
"""Of these the last one says all; of `OutputGrew` the last of each log, of `ProgressMoved` also the last total."""
_SILENT = (b'{"mark":', b'{"event":"UnitStarted"', b'{"event":"TypicalRecalled"', b'{"event":"LockWait')
_BUILD = b'{"event":"BuildFinished"'
_UNIT = b'{"event":"UnitFinished"'
_TEST = b'{"event":"TestFinished"'
_FINISHED = re.compile(
    rb'^\{"event":"UnitFinished","at":[^,]+,"name":"((?:[^"\\]|\\.)*)",.*"is_fresh":(true|false),"elapsed_s":([^,}]+)\}$',
    re.M,
)


def skim_run(content: bytes, path: str) -> Run | None:
    """The run as its whole journal tells it, without what is typical of it; None where it must be read in full.

    Of several builds in one run, the progress is the last one's.

    Raises:
        JournalError: it was written by a newer version, or is no journal.
    """
    lines = content.split(b"\n")
    if len(lines) < 3:
        return None
    check_header(lines[0], path)
    if not lines[-2].startswith(_ENDS):
        return None
    finished = _FINISHED.findall(content)
    parts, units = _telling(lines[1:-1])
    if len(finished) != units:
        return None
    run: Run | None = None
    try:
        for kept, before in parts:
            run = run and _with_units(run, finished[:before])
            records = (json.loads(line) for line in kept if line)
            run = reduce_run(run, [event for record in records if (event := e.from_record(record)) is not None])
        return run and _with_units(run, finished)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def _telling(lines: list[bytes]) -> tuple[list[tuple[list[bytes], int]], int]:
    """Lines that the last state depends on, in order; and how many units finished.

    In parts, each with the number of units finished before it: the end of a build phase looks at their count.
    """
    kept: list[bytes] = []
    parts = [(kept, 0)]
    last: dict[bytes, tuple[list[bytes], int]] = {}
    units = 0
    for line in lines:
        if line.startswith(_UNIT):
            units += 1
            continue
        if line.startswith(_SILENT) or (line.startswith(_TEST) and b'"outcome":"failed"' not in line):
            continue
        if line.startswith(_REPLACED):
            key = line[10:15] + (b"!" if b'"stream":"err"' in line or b'"total":null' in line else b"")
            if key in last:
                holder, at = last[key]
                holder[at] = b""
            last[key] = kept, len(kept)
        elif line.startswith(_BUILD):
            kept = []
            parts.append((kept, units))
        kept.append(line)
    return parts, units


def _with_units(run: Run, finished: list[tuple[bytes, bytes, bytes]]) -> Run:
    fresh = sum(is_fresh == b"true" for _, is_fresh, _ in finished)
    seconds = {_text(name): float(elapsed_s) for name, _, elapsed_s in finished if elapsed_s != b"null"}
    return replace(
        run,
        units_fresh=fresh,
        units_built=len(finished) - fresh,
        units_done=max(run.units_done, len(finished)),
        finished_s=MappingProxyType(seconds),
    )


def _text(quoted: bytes) -> str:
    return str(json.loads(b'"%s"' % quoted)) if b"\\" in quoted else quoted.decode()
