"""Why ninja made what it made: in its own words where it was asked (`-d explain`), else by its log and mtimes. Pure.

    ninja explain: output k.cu.o older than most recent input ../k.cu (1730000000 vs 1730000005)
    ninja explain: k.cu.o is dirty

Source: ninja 1.11.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from core.native.traces.ninja_log import Step
from core.parsers.text import plain

_LINE = re.compile(rb"^ninja explain: (.{1,2000}?)\r?$", re.MULTILINE)
_OUTPUT = re.compile(
    r"output (\S+) (?:older than|of|with|doesn't exist)|deps for '?([^' ]+)'? are|recorded mtime of (\S+) older"
    r"|command line (?:changed|not found in log) for (\S+)|depfile '?([^' ]+)'? is missing"
)
MAX_LINES = 5000
MAX_BYTES = 1 << 24


class Explained(NamedTuple):
    """One output and the reason."""

    output: str
    """As ninja calls it; empty: the line names none."""
    reason: str


def read_explained(log: bytes) -> tuple[Explained, ...]:
    """What `-d explain` said, in order, the first reason of each output; `X is dirty` alone says nothing."""
    found: dict[str, Explained] = {}
    for match in list(_LINE.finditer(log[:MAX_BYTES]))[:MAX_LINES]:
        text = plain(match[1], 400)
        named = _OUTPUT.search(text)
        output = next((one for one in named.groups() if one), "") if named else ""
        if text.endswith(" is dirty"):
            continue
        found.setdefault(output or text, Explained(output, text))
    return tuple(found.values())


def reasons_of(
    steps: Sequence[Step], deps: Mapping[str, Sequence[str]], made: Callable[[str], bool], mtime: Callable[[str], int]
) -> tuple[Explained, ...]:
    """Why outputs were made, from what the log says of them and of the time before.

    Args:
        steps: The whole log.
        deps: Inputs of outputs, as ninja knows them.
        made: The output was made in the build in question.
        mtime: Of a file as ninja calls it, in ns; 0: it is not there.
    """
    last: dict[str, list[Step]] = {}
    for step in steps:
        last.setdefault(step.output, []).append(step)
    explained = []
    for output, history in last.items():
        if made(output):
            explained.append(Explained(output, _reason(history, deps.get(output, ()), mtime)))
    return tuple(explained)


def _reason(history: Sequence[Step], inputs: Sequence[str], mtime: Callable[[str], int]) -> str:
    if len(history) < 2:
        return "it was not made before"
    before, now = history[-2], history[-1]
    if before.command != now.command:
        return "its command line changed"
    newer = [one for one in inputs if mtime(one) > before.mtime_ns > 0]
    if newer:
        newest = max(newer, key=mtime)
        more = f", and {len(newer) - 1} more" if len(newer) > 1 else ""
        return f"{plain(newest.encode('utf-8', 'surrogateescape'))} is newer than what was made before{more}"
    return "no input is newer: it may have been removed" if inputs else "what it is made from is not known"
