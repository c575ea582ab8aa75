"""Any other command: steps, percentages, and the errors of compilers whose form is beyond doubt.

Source: ninja 1.11 (`[3/9] …`), make and cmake 3.25 (`[ 40%] …`, `CMake Error at F:3 (…):`), gcc, clang, nvcc 13.
"""

import re

from core import events as e
from core.parsers.cmake import CmakeReader
from core.parsers.compilers import SIGNS, CompilerReader
from core.parsers.lines import LineSplitter
from core.parsers.ninja import parse_step
from core.parsers.text import strip_sgr_bytes

_CMAKE_SIGN = b"CMake "
_ERASE = b"\x1b[K"
_LIVE = re.compile(rb"(?:^|[\s(\[])([0-9]{1,3})(?:\.[0-9]{1,3})? ?%|(?:^|[\s(\[])([0-9]{1,9})(?:/| of )([0-9]{1,9})\b")


class GenericParser:
    """One run of a command that is not cargo."""

    def __init__(self) -> None:
        self._lines: dict[e.Stream, LineSplitter] = {"out": LineSplitter(), "err": LineSplitter()}
        self._cmake: dict[e.Stream, CmakeReader] = {"out": CmakeReader(), "err": CmakeReader()}
        self._compilers: dict[e.Stream, CompilerReader] = {"out": CompilerReader(), "err": CompilerReader()}
        self._shown: e.ProgressMoved | None = None

    def feed(self, stream: e.Stream, chunk: bytes, at: float, *, is_backlog: bool = False) -> list[e.Event]:
        """What the next bytes of a stream say."""
        has_returns = b"\r" in chunk
        block = self._lines[stream].feed(chunk)
        return self._read(stream, block[:-1], at, has_returns=has_returns) if block else []

    def close(self, at: float) -> list[e.Event]:
        """What the ends of the streams say."""
        events: list[e.Event] = []
        streams: tuple[e.Stream, ...] = ("out", "err")
        for stream in streams:
            if rest := self._lines[stream].close():
                events += self._read(stream, rest, at, has_returns=False)
            self._cmake[stream].end(at, events)
            self._compilers[stream].end(at, events)
        return events

    def _read(self, stream: e.Stream, block: bytes, at: float, *, has_returns: bool) -> list[e.Event]:
        block = strip_sgr_bytes(block)
        if b"\x1b" in block:
            block = block.replace(_ERASE, b"")
        events: list[e.Event] = []
        cmake = self._cmake[stream]
        if cmake.is_open or _CMAKE_SIGN in block:
            cmake.read(block, at, events)
        compiler = self._compilers[stream]
        if compiler.is_open or any(sign in block for sign in SIGNS):
            for line in block.split(b"\n"):
                compiler.read(line, at, events)
        step = self._last_step(block, at, has_returns=has_returns)
        if step is not None and step != self._shown:
            self._shown = step
            events.append(e.ProgressMoved(at, step.done, step.total, (), step.kind))
        return events

    def _last_step(self, block: bytes, at: float, *, has_returns: bool) -> e.ProgressMoved | None:
        """The last state that the block shows. Where lines are redrawn, any figure in them is taken as progress."""
        if not (has_returns or b"/" in block or b"%" in block or b" of " in block):
            return None
        for line in reversed(block.split(b"\n")):
            step = parse_step(line, 0.0) or (_live(line) if has_returns else None)
            if step is not None:
                return step
        return None


def _live(line: bytes) -> e.ProgressMoved | None:
    figures = list(_LIVE.finditer(line[:4096]))
    if not figures:
        return None
    found = figures[-1]
    if found[1]:
        done, total = int(found[1]), 100
    else:
        done, total = int(found[2]), int(found[3])
    return e.ProgressMoved(0.0, done, total, (), "percent" if found[1] else "steps") if 0 < total >= done else None
