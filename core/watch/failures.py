"""What logs say of failures that settings brought about: a linker that we chose, instructions that a processor lacks.

No I/O. Bytes of one log, whole lines at a time; what a line says is the same wherever it was cut.
"""

import os
import re
from typing import NamedTuple

from core.parsers.text import plain, strip_sgr_bytes

_MAX_LINE_BYTES = 1 << 16
_MAX_BLOCK = 400
"""Lines that a linker's error may have."""
_MAX_NAME = 40
_LINK_FAILED = re.compile(rb"(?:^|\s)error: linking with `[^`\n]+` failed: ")
_BLOCK_ENDS = re.compile(rb"^(?:error: aborting|error: could not compile|warning: |\s+(?:Compiling|Finished) )")
_NOTE = re.compile(rb"^\s*(?:= note:)?\s*")
_COMMAND = re.compile(rb'^\s*= note:\s*(?:"|[A-Z_]+=")')
"""The command line of the link."""
_OF_LINKER = re.compile(rb"(?:error|fatal|fatal error|panicked|internal error|Assertion)[: ]|terminated with signal")
_OF_PROGRAM = re.compile(
    rb"undefined (?:symbol|reference)|duplicate symbol|multiple definition|cannot find -l|library not found"
    rb"|unable to find library|could not find|No space left|relocation truncated|returned [1-9]\d* exit status"
    rb"|terminated with signal (?:9|2|15)\b|linker command failed|compilation terminated"
)
"""What every linker would say of such a program, or what others did to it; and drivers that only pass a failure on."""
_REFUSED = re.compile(
    rb"process didn't exit successfully: `(?P<command>[^`\n]+)` \(signal: 4\b"
    rb"|^\s*SIGILL \[[^\]\n]*\] +(?:\(\S+\) +)?(?P<test>\S+ \S+)"
    rb"|(?P<shell>\S+)?: line \d+: +\d+ Illegal instruction"
    rb"|(?P<linker>[\w.+-]+) terminated with signal 4\b"
)
"""Of cargo and rustc, nextest, shells, collect2."""


_RUNNING = re.compile(rb" {5}Running `([^` \n]*)")


class LinkerFault(NamedTuple):
    """A linker failed by its own doing, as far as its words show."""

    said: str
    """What it said, one line."""


class Refusal(NamedTuple):
    """A process died of SIGILL."""

    name: str
    """Its program, or the test; empty: not said."""


class FailureReader:
    """Finds them in the bytes of one log."""

    def __init__(self, *, has_linker_of_ours: bool) -> None:
        """`has_linker_of_ours`: failed links are of interest, too."""
        self._rest = b""
        self._wants_links = has_linker_of_ours
        self._block = 0
        """Lines that may still belong to a failed link; 0: none did fail, or it was understood."""
        self._said = b""
        self.running = ""
        """The program that cargo said last it runs; empty: none."""

    def feed(self, chunk: bytes) -> list[LinkerFault | Refusal]:
        """What the next bytes tell of."""
        end = chunk.rfind(b"\n") + 1
        lines, self._rest = (self._rest + chunk[:end], chunk[end:]) if end else (b"", self._rest + chunk)
        self._rest = self._rest[-_MAX_LINE_BYTES:]
        found: list[LinkerFault | Refusal] = []
        if b"SIGILL" in lines or b"Illegal instruction" in lines or b"signal 4" in lines:
            found += [refusal for line in lines.split(b"\n") if (refusal := _refusal(line)) is not None]
        if b"     Running `" in lines:
            self.running = plain(os.path.basename(_RUNNING.findall(lines)[-1]), _MAX_NAME)
        if self._wants_links and (self._block or b"linking with" in lines):
            found += [fault for line in lines.split(b"\n") if (fault := self._link(line)) is not None]
        return found

    def _link(self, line: bytes) -> LinkerFault | None:
        """Take one line; the fault where the words of a failed link are over and show one."""
        line = strip_sgr_bytes(line)
        if _LINK_FAILED.search(line):
            fault = self._end_block()
            self._block, self._said = _MAX_BLOCK, b""
            return fault
        if not self._block:
            return None
        self._block -= 1
        if _COMMAND.match(line):
            return None
        if _OF_PROGRAM.search(line) and not _is_drivers(line):
            self._block, self._said = 0, b""
        elif _BLOCK_ENDS.match(line) or not self._block:
            return self._end_block()
        elif not self._said and _OF_LINKER.search(line) and not _OF_PROGRAM.search(line):
            self._said = _NOTE.sub(b"", line)
        return None

    def _end_block(self) -> LinkerFault | None:
        said, self._said, self._block = self._said, b"", 0
        return LinkerFault(plain(said, 200).strip()) if said else None


def _is_drivers(line: bytes) -> bool:
    """It only says that the linker failed."""
    return bool(re.search(rb"returned [1-9]\d* exit status|linker command failed|compilation terminated", line))


def _refusal(line: bytes) -> Refusal | None:
    found = _REFUSED.search(strip_sgr_bytes(line))
    if found is None:
        return None
    if found["test"]:
        return Refusal(plain(found["test"], _MAX_NAME))
    words = (found["command"] or found["shell"] or found["linker"] or b"").split()
    program = next((word for word in words if b"=" not in word), b"")
    return Refusal(plain(os.path.basename(program), _MAX_NAME))
