"""What logs say of failures that settings brought about: a linker that we chose, instructions that a processor lacks.

No I/O. Bytes of one log, whole lines at a time; what a line says is the same wherever it was cut. Output is hostile:
only lines that hold certain words are looked at, at most `_LOOKED_AT` bytes of each.
"""

import os
import re
from typing import NamedTuple

from core.parsers.text import plain, strip_sgr_bytes

_MAX_LINE_BYTES = 1 << 16
_LOOKED_AT = 4096
_MAX_BLOCK = 400
"""Lines that a linker's error may have."""
_MAX_NAME = 40
_MAX_A_CHUNK = 20
"""Failures that are told of one chunk: more say nothing more."""
_LINK_FAILED = b": linking with `"
"""Behind `error`, which may be coloured."""
_BLOCK_ENDS = (b"error: aborting", b"error: could not compile", b"warning: ")
_OWN_FAULT = re.compile(
    rb"terminated with signal (?:4|6|7|8|11)\b|unable to execute command: (?:Segmentation fault|Illegal|Aborted|Bus)"
    rb"|unrecognized command-line option '-fuse-ld=|invalid linker name in argument '-fuse-ld=|cannot find 'ld'"
    rb"|internal (?:linker )?error|panicked at|[Aa]ssertion [`'\"(]?|not (?:supported|implemented)\b|unsupported\b"
    rb"|unknown (?:command[ -]line option|argument|option|linker script)|unrecognized option"
)
"""Of gcc, clang, collect2, and of lld, mold, wild, bfd about themselves. Anything else any linker might say."""
_RUNNING = b"     Running `"
_SAYS_FOUR = b"(signal: 4"
_EXIT = b"process didn't exit successfully: `"
_TEST = re.compile(rb"\s{0,20}SIGILL \[[^\]]{0,20}\] {1,8}(?:\(\S{1,20}\) {1,8})?(\S{1,200} \S{1,400})")
_SHELL, _SHELL_SAYS = b": line ", re.compile(rb": line \d{1,9}: {1,8}\d{1,9} Illegal instruction")
_DIED = b" terminated with signal 4 "


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
        self.running = ""
        """The program that cargo said last it runs; empty: none."""

    def feed(self, chunk: bytes) -> list[LinkerFault | Refusal]:
        """What the next bytes tell of, at most `_MAX_A_CHUNK`."""
        end = chunk.rfind(b"\n") + 1
        text, self._rest = (self._rest + chunk[:end], chunk[end:]) if end else (b"", self._rest + chunk)
        self._rest = self._rest[-_MAX_LINE_BYTES:]
        if (at := text.rfind(_RUNNING)) >= 0:
            self.running = _program(text[at + len(_RUNNING) : at + _LOOKED_AT].partition(b"`")[0])
        has_refusal = b"SIGILL" in text or b"Illegal instruction" in text or _DIED in text
        has_link = self._wants_links and (self._block > 0 or _LINK_FAILED in text)
        if not (has_refusal or has_link):
            return []
        found: list[LinkerFault | Refusal] = []
        for line in text.split(b"\n"):
            if has_refusal and (refusal := _refusal(line)) is not None:
                found.append(refusal)
            if has_link and (fault := self._link(line)) is not None:
                found.append(fault)
        return found[:_MAX_A_CHUNK]

    def _link(self, line: bytes) -> LinkerFault | None:
        """Take one line; the fault where it shows one of the link that failed last."""
        if _LINK_FAILED in line:
            self._block = _MAX_BLOCK
            return None
        if not self._block:
            return None
        line = strip_sgr_bytes(line[:_LOOKED_AT])
        self._block = 0 if line.startswith(_BLOCK_ENDS) else self._block - 1
        said = line.strip().removeprefix(b"= note:").strip()
        if not self._block or _is_command(said) or _OWN_FAULT.search(said) is None:
            return None
        self._block = 0
        return LinkerFault(plain(said, 200))


def _is_command(said: bytes) -> bool:
    """It is the command line of the link: `"cc" "-m64" …`, `LC_ALL="C" PATH=…`."""
    return said.startswith((b'"', b"LC_ALL=", b"PATH=", b"VSLANG="))


def _refusal(line: bytes) -> Refusal | None:
    """The death that a line tells of, as cargo and rustc, nextest, shells and collect2 say it."""
    line = strip_sgr_bytes(line[:_LOOKED_AT])
    if _SAYS_FOUR in line and (at := line.find(_EXIT)) >= 0:
        return Refusal(_program(line[at + len(_EXIT) :].partition(b"`")[0]))
    if b"SIGILL [" in line and (test := _TEST.match(line)):
        return Refusal(plain(test[1], _MAX_NAME))
    if _SHELL in line and (said := _SHELL_SAYS.search(line)):
        return Refusal(_program(line[: said.start()]))
    if _DIED in line:
        return Refusal(_program(line.partition(_DIED)[0].rpartition(b" ")[2]))
    return None


def _program(command: bytes) -> str:
    """The program of a command line that may begin with variables."""
    program = next((word for word in command.split() if b"=" not in word), b"")
    return plain(os.path.basename(program), _MAX_NAME)
