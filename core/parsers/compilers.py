"""Errors and warnings of C, C++ and CUDA compilers, each with the source line, the caret and the notes under it.

Source: gcc 12 (`a.c:3:5: error: …`, source behind `|`), clang 14 (source and caret as they are), nvcc 13.0
(`a.cu(3): error: …` and `At end of source: error: …`, source indented, then a blank line; `ptxas FILE, line 3;
error   : …`; `nvcc fatal   : …`).
"""

import re
from collections.abc import MutableSequence
from typing import NamedTuple, cast

from core import events as e
from core.parsers.messages import MAX_RENDERED_BYTES, clean_rendered
from core.parsers.nvcc import parse_nvcc
from core.parsers.text import plain

SIGNS = (b": error", b": warning", b" fatal error", b"catastrophic error", b"; error", b" fatal ", b" error   :")
"""One of them is in each line that begins an error or a warning."""
_SHORT = re.compile(
    rb"(?=[^:]*[./])([^\s:][^:]*):([0-9]{1,9}):(?:([0-9]{1,9}):)? "
    rb"(?:fatal )?(error|warning)(?:\[([A-Za-z0-9_:-]{1,80})\])?: (.+)"
)
_AT_END = re.compile(rb"At end of source: (?:catastrophic )?(error|warning)(?: #([0-9]{1,6}-?[A-Z]?))?: (.+)")
_PTXAS = re.compile(rb"ptxas (\S.*), line ([0-9]{1,9}); (error|warning) *: (.+)")
_TOOL = re.compile(rb"(?:nvcc|ptxas|nvlink|cicc|fatbinary|cudafe\+\+) (?:fatal|error) *: (.+)")
_DRIVER = re.compile(
    rb"\S{0,200}?(?:cc1plus|cc1|g\+\+|gcc|clang\+\+|clang|c\+\+|cc)(?:-[0-9]{1,3})?: (?:fatal )?error: (.+)"
)
_ABORTED = b"Ptx assembly aborted due to errors"
_OF = re.compile(rb'[0-9]{1,9} errors? detected in the compilation of "(.+)"')
_BEHIND_BAR = re.compile(rb" +(?:[0-9]{1,9} |[+]{3} )?[|]")
_NOTE = re.compile(rb"[^\s:(][^:(]*(?::[0-9]{1,9}(?::[0-9]{1,9})?|\([0-9]{1,9}\)): note\b")
_PASSED_ON = re.compile(rb"\Acargo::?warning=")
_MOST_OF_SCRIPT = 100
_CARET = re.compile(rb"[ \t~]*\^[ \t~^]*\Z")


class _Open(NamedTuple):
    """A diagnostic that more lines may belong to."""

    event: e.DiagnosticEmitted
    is_nvcc: bool
    """What belongs to it is indented, and ended by a blank line."""


class CompilerReader:
    """Gathers what belongs to one diagnostic after the other, in the lines of one stream."""

    def __init__(self) -> None:
        self._open: _Open | None = None
        self._lines: list[bytes] = []
        self._size = 0
        self._tried: bytes | None = None
        """Clang's line of source, if a caret follows."""
        self._is_over = False
        """All of it was read, but for the name of its file."""

    @property
    def is_open(self) -> bool:
        """More lines of a diagnostic may follow."""
        return self._open is not None

    def read(self, line: bytes, at: float, events: MutableSequence[e.Event]) -> None:
        """One line without SGR."""
        if self._open is not None and self._belongs(line, self._open):
            return
        self.end(at, events)
        found = _begun(line, at) if any(sign in line for sign in SIGNS) else None
        if found is not None:
            self._open, self._lines, self._size = found, [line], len(line)

    def end(self, at: float, events: MutableSequence[e.Event]) -> None:
        """Something else follows."""
        if self._open is None:
            return
        event = self._open.event
        self._open, self._tried, self._is_over = None, None, False
        events.append(e.DiagnosticEmitted(
            at, event.level, event.message, event.code, event.file, event.line, event.column,
            clean_rendered(b"\n".join(self._lines)),
        ))  # fmt: skip

    def _belongs(self, line: bytes, of: _Open) -> bool:
        if self._is_over:
            return self._named(line, of)
        if _BEHIND_BAR.match(line) or _NOTE.match(line) or (of.is_nvcc and line.startswith(b"  ")):
            self._take(line)
            return True
        if of.is_nvcc:
            self._is_over = of.event.file is None and not line.strip()
            return self._is_over
        if self._tried is not None and _CARET.match(line):
            self._take(self._tried)
            self._take(line)
            self._tried = None
            return True
        is_first = self._tried is None and len(self._lines) == 1 and line.strip() != b""
        if is_first and _begun(line, 0.0) is None:
            self._tried = line
            return True
        return False

    def _named(self, line: bytes, of: _Open) -> bool:
        """Behind an error at the end of a source stands which one it was."""
        if not line.strip():
            return True
        if found := _OF.match(line):
            event = of.event
            self._open = of._replace(event=e.DiagnosticEmitted(
                event.at, event.level, event.message, event.code, plain(found[1], 500), None, None, event.rendered,
            ))  # fmt: skip
        return False

    def _take(self, line: bytes) -> None:
        if self._size < MAX_RENDERED_BYTES:
            self._lines.append(line[:MAX_RENDERED_BYTES])
            self._size += len(line) + 1


def _begun(line: bytes, at: float) -> _Open | None:
    """What a line begins."""
    if line[:1] in (b"", b" ", b"\t"):
        return None
    if short := parse_short(line, at):
        return _Open(short, is_nvcc=False)
    if found := parse_nvcc(line, at):
        return _Open(found, is_nvcc=True)
    if end := _AT_END.match(line):
        code = end[2].decode() if end[2] else None
        return _Open(_made(at, end[1], end[3], line, code=code), is_nvcc=True)
    if (ptx := _PTXAS.match(line)) is not None:
        file = None if b"tmpxft_" in ptx[1] else plain(ptx[1], 500)
        return _Open(_made(at, ptx[3], ptx[4], line, file, int(ptx[2])), is_nvcc=False)
    tool = _TOOL.match(line) or _DRIVER.match(line)
    if tool is not None and _ABORTED not in line:
        return _Open(_made(at, b"error", tool[1], line), is_nvcc=False)
    return None


def _made(
    at: float, level: bytes, message: bytes, line: bytes, file: str | None = None, row: int | None = None,
    code: str | None = None,
) -> e.DiagnosticEmitted:  # fmt: skip
    return e.DiagnosticEmitted(
        at, cast(e.Level, level.decode()), plain(message, 500), code, file, row if file else None, None,
        clean_rendered(line),
    )  # fmt: skip


def parse_short(line: bytes, at: float) -> e.DiagnosticEmitted | None:
    """One line of `--message-format=short`, of gcc or of clang: `src/a.c:3:5: error: …`."""
    found = _SHORT.match(line)
    if found is None:
        return None
    return e.DiagnosticEmitted(
        at,
        cast(e.Level, found[4].decode()),
        plain(found[6], 500),
        found[5].decode() if found[5] else None,
        plain(found[1], 500),
        int(found[2]),
        int(found[3]) if found[3] else None,
        clean_rendered(line),
    )


class ScriptErrors:
    """What compilers said in the words of a build script that failed, as cargo shows them: moved to the right.

    `cargo:warning=` stands before what the cc crate passes on.
    """

    def __init__(self, package: str) -> None:
        self._package = package
        self._reader = CompilerReader()
        self._found: dict[str, e.DiagnosticEmitted] = {}
        """By their text: some scripts say it twice."""

    def read(self, line: bytes, at: float) -> None:
        """One line without SGR."""
        found: list[e.Event] = []
        self._reader.read(_PASSED_ON.sub(b"", line.removeprefix(b"  ").replace(b"\x1b[K", b"")), at, found)
        self._keep(found)

    def close(self, at: float) -> list[e.DiagnosticEmitted]:
        """The errors, in order, each once; a bounded number."""
        found: list[e.Event] = []
        self._reader.end(at, found)
        self._keep(found)
        return [
            e.DiagnosticEmitted(
                at, one.level, one.message, one.code, one.file, one.line, one.column, one.rendered, self._package
            )
            for one in self._found.values()
        ]

    def _keep(self, found: list[e.Event]) -> None:
        for one in found:
            if isinstance(one, e.DiagnosticEmitted) and one.level == "error" and len(self._found) < _MOST_OF_SCRIPT:
                self._found.setdefault(one.rendered, one)
