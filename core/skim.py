"""What became of a run that is over, from its journal at C speed: only what its last state depends on is parsed.

A journal of 300 units has 1,500 lines; reading all of them takes 11 ms, this 1. Lines are as `core.journal` writes
them; where they are not, or the run's end is not the last of them, there is no short way and None is given.
"""

import json
from dataclasses import replace
from types import MappingProxyType

from core import events as e
from core.journal import check_header
from core.reduce import reduce_run
from core.state import Run

_CLASS = slice(10, 22)
"""Where a line of the form `{"event":"…` has the beginning of the class."""
_SILENT, _REPLACED, _UNIT, _TEST, _BUILD = range(5)
_KINDS = {
    name.ljust(12, b'"')[:12]: kind
    for kind, names in (
        (_SILENT, (b"UnitStarted", b"NvccPhaseBegan", b"TypicalRecalled", b"LockWaitBegan", b"LockWaitEnded")),
        (_REPLACED, (b"ProgressMoved", b"OutputGrew", b"TestsCounted")),
        (_UNIT, (b"UnitFinished",)),
        (_TEST, (b"TestFinished",)),
        (_BUILD, (b"BuildFinished",)),
    )
    for name in names
}
_KINDS[b'OutputGrew",'] = _KINDS.pop(b'OutputGrew""')

Part = tuple[list[bytes], int]
"""Lines that tell something, and how many units had finished before them."""


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
    if not lines[-2].startswith((b'{"event":"RunEnded"', b'{"event":"RunLost"')):
        return None
    parts, units = _telling(lines[1:-1])
    run: Run | None = None
    try:
        for kept, before in parts:
            run = run and _with_units(run, units[:before])
            records = (json.loads(line) for line in kept if line)
            run = reduce_run(run, [event for record in records if (event := e.from_record(record)) is not None])
        return run and _with_units(run, units)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def _telling(lines: list[bytes]) -> tuple[list[Part], list[bytes]]:
    """Lines that the last state depends on, in order, and those of finished units.

    In parts, because the end of a build phase looks at how many units there were.
    """
    kept: list[bytes] = []
    parts, units = [(kept, 0)], []
    last: dict[bytes, tuple[list[bytes], int]] = {}
    for line in lines:
        kind = _KINDS.get(line[_CLASS])
        if kind == _UNIT:
            units.append(line)
            continue
        if kind == _SILENT or line.startswith(b'{"mark":') or (kind == _TEST and b'"outcome":"failed"' not in line):
            continue
        if kind == _REPLACED:  # of each log, and with and without a total, the last says all
            key = line[_CLASS] + (b"!" if b'"stream":"err"' in line or b'"total":null' in line else b"")
            if key in last:
                holder, at = last[key]
                holder[at] = b""
            last[key] = kept, len(kept)
        elif kind == _BUILD:
            kept = []
            parts.append((kept, len(units)))
        kept.append(line)
    return parts, units


def _with_units(run: Run, units: list[bytes]) -> Run:
    built = [line for line in units if b'"is_fresh":true' not in line]
    seconds = (_seconds(line) for line in built)
    return replace(
        run,
        units_fresh=len(units) - len(built),
        units_built=len(built),
        units_done=max(run.units_done, len(units)),
        finished_s=MappingProxyType({name: elapsed_s for name, elapsed_s in seconds if elapsed_s is not None}),
    )


def _seconds(line: bytes) -> tuple[str, float | None]:
    """Name and seconds of a finished unit. Raises ValueError where the line is not as we write it."""
    name = line.partition(b',"name":"')[2].partition(b'","package":"')[0]
    elapsed_s = line.rpartition(b'"elapsed_s":')[2][:-1]
    text = str(json.loads(b'"%s"' % name)) if b"\\" in name else name.decode()
    return text, None if elapsed_s == b"null" else float(elapsed_s)
