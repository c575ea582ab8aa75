"""Cleans that were done: noted, so that the run that pays for one can say so.

`cleans.jsonl` in the state folder, one object a line, the newest last; at most `_MAX_BYTES`, then the older half goes.
"""

import json
import os
from typing import Any, NamedTuple

from core.events import RunStarted
from core.facts import read_record
from core.findings import MAX_FINDINGS
from core.paths import Paths
from core.plan.given import Origin
from core.plan.plan import Evidence, Finding
from core.plan.small_file import read_head
from core.run.mask import safe_words
from core.runs import run_ids

CLEANED = "cleaned-before"
_MAX_BYTES = 1 << 16
_NAME = "/cleans.jsonl"


class Clean(NamedTuple):
    """One clean, as it was about to be done."""

    at: float
    agent: str
    target_dir: str
    command: str
    size_bytes: int
    is_whole: bool
    """False: it was at least so much."""
    units: int
    seconds: float | None
    """What those took whose seconds are known; None: of none they are."""
    asked_for: tuple[str, ...] = ()
    """Ids of findings of the last log that it may have been for."""


def note(paths: Paths, clean: Clean, env: dict[str, str]) -> None:
    """Put it down; where that is not possible, it is not told."""
    command = " ".join(safe_words(tuple(clean.command.split(" ")), env))
    line = json.dumps(clean._replace(command=command)._asdict()).encode() + b"\n"
    path = paths.state + _NAME
    try:
        os.makedirs(paths.state, 0o700, exist_ok=True)
        _shorten(path)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return
    try:
        os.write(fd, line)
    except OSError:
        pass
    finally:
        os.close(fd)


def _shorten(path: str) -> None:
    content = read_head(path, 2 * _MAX_BYTES)
    if content is None or len(content) < _MAX_BYTES:
        return
    kept = content[len(content) // 2 :].partition(b"\n")[2]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with open(os.open(path + ".new", flags, 0o600), "wb") as file:
        file.write(kept)
    os.replace(path + ".new", path)


def read(paths: Paths) -> list[Clean]:
    """All that are noted, the newest last; what is not as we write it is left out."""
    found = []
    for line in (read_head(paths.state + _NAME, 2 * _MAX_BYTES) or b"").split(b"\n"):
        try:
            found.append(_clean(json.loads(line)))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
    return found


def _clean(line: Any) -> Clean:
    """Raises ValueError, KeyError, TypeError: it is none of ours."""
    seconds, asked = line["seconds"], line["asked_for"]
    return Clean(
        float(line["at"]), str(line["agent"])[:200], str(line["target_dir"]), str(line["command"])[:400],
        int(line["size_bytes"]), line["is_whole"] is True, int(line["units"]),
        None if seconds is None else float(seconds), tuple(map(str, asked))[:MAX_FINDINGS],
    )  # fmt: skip


def paid_by(paths: Paths, started: RunStarted) -> Clean | None:
    """The newest clean whose units a run has to compile again: it was after the last run there. None: there is none."""
    if not started.target_dir:
        return None
    own = os.path.realpath(started.target_dir)
    cleans = [one for one in read(paths) if one.at <= started.at and os.path.realpath(one.target_dir) == own]
    if not cleans:
        return None
    for run in reversed([run for run in run_ids(paths) if run < started.run]):
        record = read_record(paths, run)
        if record is not None and record.started.at < cleans[-1].at:
            break
        if record is not None and record.started.target_dir == started.target_dir:
            return None
    return cleans[-1]


def finding_of(clean: Clean, now: float) -> Finding:
    """What a run is told of the clean before it."""
    ago = max(0.0, now - clean.at)
    when = f"{ago:.0f} s" if ago < 120 else f"{ago / 60:.0f} min" if ago < 7200 else f"{ago / 3600:.0f} h"
    size = f"{'' if clean.is_whole else 'more than '}{clean.size_bytes / 1e9:.1f} GB"
    took = f", {clean.seconds:.0f} s of compiling when it was made last" if clean.seconds is not None else ""
    was_asked = bool(clean.asked_for)
    why = (
        "what the log before it told of was mended by that"
        if was_asked
        else "nothing in the log before it asked for it"
    )
    return Finding(
        CLEANED, "hint" if was_asked else "warning", f"{clean.agent} cleaned here {when} before: {size}",
        (Evidence(Origin("shell"), clean.command),), f"{clean.units} units are made again{took}; {why}",
    )  # fmt: skip


def findings_for(paths: Paths, started: RunStarted) -> tuple[Finding, ...]:
    """Of a run that starts: the clean that it pays for."""
    clean = paid_by(paths, started) if started.tool == "cargo" else None
    return (finding_of(clean, started.at),) if clean is not None and clean.units else ()
