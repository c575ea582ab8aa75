"""Errors and warnings as a person reads them: rustc's rendered text, cargo's own, and `file:line:col: error: …`."""

import re
from typing import cast

from core import events as e
from core.parsers.compilers import ScriptErrors, parse_short
from core.parsers.messages import MAX_RENDERED_BYTES, clean_rendered
from core.parsers.text import plain

_HEADER = re.compile(rb"(error|warning)(?:\[([A-Za-z0-9_:-]{1,80})\])?: (.+)")
_PLACE = re.compile(rb" *--> (.+?):([0-9]{1,9}):([0-9]{1,9})\Z")
_LINT = re.compile(rb"`#\[(?:warn|deny|forbid)\(([A-Za-z0-9_:]{1,80})\)\]`")
_CLIPPY = re.compile(rb"rust-clippy/[^\s#]*#([a-z0-9_]{1,80})")
_FROM_SCRIPT = re.compile(rb"([A-Za-z0-9_-]{1,80})@[0-9][^\s:]*: (.+)")
_SUMMARY = re.compile(
    rb"could not compile `|(?:doc)?test failed, to rerun|bench failed, to rerun|test run failed\Z|aborting due to "
    rb"|[0-9]+ targets? failed|process didn't exit successfully|command `.*exited with"
    rb"|`[^`]*` \(.*\) generated [0-9]+ warning|build failed, waiting for|[0-9]+ warnings? emitted"
)
_SCRIPT = re.compile(rb"failed to run custom build command for `([A-Za-z0-9_-]{1,80})")
_SCRIPT_SAYS = (b"  --- stdout", b"  --- stderr")
_MAX_HELD_BYTES = 4 * MAX_RENDERED_BYTES


class DiagnosticReader:
    """Gathers the lines of one diagnostic after the other, as they come in one stream.

    A diagnostic is over where cargo says something else, where the next begins, or at a blank line once its place is
    known (a message may have paragraphs; the place comes after them).
    """

    def __init__(self) -> None:
        self._header: tuple[bytes, bytes | None, bytes] | None = None
        self._place: tuple[bytes, int, int] | None = None
        self._lines: list[bytes] = []
        self._size = 0
        self._script: ScriptErrors | None = None
        """Of a build script that failed: what compilers said in it."""

    def read(self, line: bytes, at: float, events: list[e.Event | None]) -> None:
        """One line without SGR."""
        header = _HEADER.match(line)
        if header is not None:
            self.end(at, events)
            self._begin(header, at, events)
        elif self._header is not None:
            self._continue(line, at, events)
        elif line[:1] not in (b"", b" ") and (short := parse_short(line, at)):
            events.append(short)

    def end(self, at: float, events: list[e.Event | None]) -> None:
        """Something else follows: what was gathered is whole."""
        if self._header is not None:
            script, self._script = self._script, None
            if script is not None:
                errors = script.close(at)
                events += errors
                self._shorten(bool(errors))
            events.append(self._emit(*self._header, at))
            self._header = None

    def _shorten(self, has_errors: bool) -> None:
        """Of a script that failed because of a compiler, what the script said is beside the point."""
        ends = (index for index, line in enumerate(self._lines) if line.startswith(_SCRIPT_SAYS))
        if has_errors and (end := next(ends, None)):
            del self._lines[end:]

    def _begin(self, header: "re.Match[bytes]", at: float, events: list[e.Event | None]) -> None:
        if _SUMMARY.match(header[3]):
            return
        if header[1] == b"warning" and (script := _FROM_SCRIPT.match(header[3])):
            package, message = plain(script[1], 80), plain(script[2], 500)
            rendered = clean_rendered(header[0])
            events.append(e.DiagnosticEmitted(at, "warning", message, None, None, None, None, rendered, package))
            return
        self._header, self._place = (header[1], header[2], header[3]), None
        self._lines, self._size = [header[0]], len(header[0])
        if script := _SCRIPT.match(header[3]):
            self._script = ScriptErrors(plain(script[1], 80))

    def _continue(self, line: bytes, at: float, events: list[e.Event | None]) -> None:
        if self._script is not None:
            self._script.read(line, at)
        elif self._place is None:
            if found := _PLACE.match(line):
                self._place = (found[1], int(found[2]), int(found[3]))
        elif not line.strip():
            self.end(at, events)
            return
        if self._size < _MAX_HELD_BYTES:
            self._lines.append(line[:_MAX_HELD_BYTES])
            self._size += len(line) + 1

    def _emit(self, level: bytes, code: bytes | None, message: bytes, at: float) -> e.DiagnosticEmitted:
        text = b"\n".join(self._lines)
        file, row, column = self._place or (None, None, None)
        return e.DiagnosticEmitted(
            at,
            cast(e.Level, level.decode()),
            plain(message, 500),
            _code(code, text),
            None if file is None else plain(file, 500),
            row,
            column,
            clean_rendered(text),
        )


def _code(code: bytes | None, text: bytes) -> str | None:
    if code:
        return code.decode()
    if lint := _LINT.search(text):
        return lint[1].decode()
    clippy = _CLIPPY.search(text)
    return f"clippy::{clippy[1].decode()}" if clippy else None
