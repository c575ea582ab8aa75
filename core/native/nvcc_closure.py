"""What the calls of nvcc in a run were made from: by the notes of the front, else by the text of their sources."""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.native.build_tree import prerequisites
from core.values import dataclass

_MAX_NOTES_BYTES = 64 << 20
_MAX_FILES = 5000
"""Of one closure."""
_MAX_SOURCE_BYTES = 4 << 20
_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include(?:_next)?[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.M)


@dataclass(frozen=True, slots=True)
class Call:
    """One call that compiled something, as the front noted it."""

    call: str
    argv: tuple[str, ...]
    cwd: str
    tool: str
    """Path of the real nvcc."""
    sources: tuple[str, ...]
    output: str
    kind: str
    inputs: tuple[str, ...] = ()
    """All that it read, where the front knows it; empty: it does not."""
    at: float = 0.0
    """When it began, seconds since the epoch."""
    elapsed_s: float | None = None
    """None: no end was noted."""
    verdict: str = ""
    is_masked: bool = False
    """A word of `argv` was a credential, and is not recorded."""


def read_calls(notes: str) -> tuple[Call, ...]:
    """Calls of a run with sources, in order; none where there are no notes."""
    calls: dict[str, Call] = {}
    try:
        with open(notes, "rb") as file:
            lines = file.read(_MAX_NOTES_BYTES).split(b"\n")
    except OSError:
        return ()
    for line in lines:
        try:
            note = json.loads(line)
            if "nvcc" in note:
                call = _begun(note)
                calls[call.call] = call
            elif (ended := calls.get(str(note.get("end")))) is not None:
                calls[ended.call] = _ended(ended, note)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return tuple(call for call in calls.values() if call.sources)


def _begun(note: Mapping[str, Any]) -> Call:
    argv, cwd = tuple(map(str, note["argv"])), str(note["cwd"])
    sources = tuple(os.path.normpath(os.path.join(cwd, str(path))) for path in note["sources"])
    output = note.get("output")
    return Call(str(note["nvcc"]), argv, cwd, str(note.get("tool") or ""), sources,
                output if isinstance(output, str) else "", str(note.get("kind") or ""),
                at=float(note.get("at") or 0.0), is_masked=any("***" in word for word in argv))  # fmt: skip


def _ended(call: Call, note: Mapping[str, Any]) -> Call:
    elapsed, inputs = note.get("elapsed_s"), note.get("inputs")
    return Call(
        call.call, call.argv, call.cwd, call.tool, call.sources, call.output, call.kind,
        tuple(map(str, inputs)) if isinstance(inputs, list) else (), call.at,
        float(elapsed) if isinstance(elapsed, int | float) else None, str(note.get("verdict") or ""), call.is_masked,
    )  # fmt: skip


def closure_of(call: Call) -> tuple[str, ...]:
    """What a call reads: as noted, else by its depfile, else by the text of its sources, which is a little more."""
    if call.inputs:
        return _absolute(call.inputs, call.cwd)
    depfile = depfile_of(call)
    if depfile:
        found = prerequisites(depfile)
        if found:
            return _absolute((*call.sources, *found), call.cwd)
    return textual_closure(call.sources, include_folders(call.argv, call.cwd))


def _absolute(paths: Iterable[str], cwd: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(os.path.normpath(os.path.join(cwd, path)) for path in paths))


def depfile_of(call: Call) -> str:
    """Where the caller has its depfile written; empty: it asked for none, or it is not said where."""
    words = call.argv
    for name in ("-MF", "--dependency-output"):
        for at, word in enumerate(words):
            if word == name and at + 1 < len(words):
                return os.path.join(call.cwd, words[at + 1])
            if word.startswith(name + "="):
                return os.path.join(call.cwd, word[len(name) + 1 :])
    if any(word in ("-MD", "-MMD") for word in words) and call.output:
        return os.path.splitext(call.output)[0] + ".d"
    return ""


def include_folders(argv: Sequence[str], cwd: str) -> tuple[str, ...]:
    """Folders that a command line of nvcc names for headers: `-I x`, `-Ix`, `-isystem x`, `--include-path=x,y`."""
    found: list[str] = []
    names = ("-I", "--include-path", "-isystem", "--system-include")
    for at, word in enumerate(argv):
        if word in names and at + 1 < len(argv):
            found += argv[at + 1].split(",")
        elif word.startswith("-I") and word != "-I":
            found += word[2:].removeprefix("=").split(",")
        elif word.startswith(tuple(name + "=" for name in names[1:])):
            found += word.partition("=")[2].split(",")
    return _absolute((folder for folder in found if folder), cwd)


def textual_closure(sources: Iterable[str], folders: Sequence[str]) -> tuple[str, ...]:
    """Sources and all that they include by text, whatever the conditions around it; headers that are found nowhere in
    these folders are the toolkit's or the system's."""
    found: dict[str, None] = {}
    waiting = [os.path.normpath(path) for path in sources]
    while waiting and len(found) < _MAX_FILES:
        path = waiting.pop()
        if path in found:
            continue
        found[path] = None
        waiting += [one for one in _included(path, folders) if one not in found]
    return tuple(found)


def _included(path: str, folders: Sequence[str]) -> list[str]:
    try:
        if not os.path.isfile(path):
            return []
        with open(path, "rb") as file:
            content = file.read(_MAX_SOURCE_BYTES)
    except (OSError, ValueError):
        return []
    included = []
    for match in _INCLUDE.finditer(content):
        name = os.fsdecode(match[1] or match[2])
        places = (os.path.dirname(path), *folders) if match[1] else folders
        included += [one for folder in places if os.path.isfile(one := os.path.normpath(f"{folder}/{name}"))][:1]
    return included
