"""Where in a log something stands that the journal tells of. Reads lines until it is found: not for the event loop."""

import re
from collections.abc import Iterator, Sequence
from typing import Protocol

from core import events as e
from core.parsers.text import strip_sgr
from core.stamps import Stamps

_LINES = 2000
MAX_LINES = 400_000
"""So many lines are looked through, then it counts as not found."""
MAX_OUTPUT_LINES = 2000
_HEADER = re.compile(r"---- (.+) (?:stdout|stderr) ----$")  # libtest of rustc 1.95
_NEXTEST = re.compile(  # nextest 0.9: older `--- STDOUT: binary test ---`, newer `──── STDOUT: binary test`
    r"(?:-{3}|─{4}) (?:TRY \d+ )?STD(?:OUT|ERR): +(\S+) (.+?)(?: -{3})?$"
)
_STATUS = re.compile(r" {1,11}(?:TRY \d+ )?([A-Z][A-Z-]+) \[ *[0-9.]+s\] (?:\( *\d+/\d+\) )?(\S+) (\S.*)$")


class Lines(Protocol):
    """A log by line."""

    @property
    def shown_line_count(self) -> int:
        """How many there are."""

    def lines(self, first: int, count: int) -> Sequence[str]:
        """Lines without control characters, colours kept; fewer at the end."""


def find_diagnostic(lines: Lines, stamps: Stamps, stream: str, wanted: e.DiagnosticEmitted, earlier: int) -> int | None:
    """Line at which an error or a warning begins; `earlier`: how many of the same text were told of before it.

    It is looked for where the log stood when it was told of, then from the beginning.
    """
    text = [line for line in wanted.rendered.split("\n") if line.strip()][:2] or [wanted.message]
    until = stamps.lines_until(stream, wanted.at)
    first = max(0, stamps.lines_until(stream, wanted.at - 0.001) - wanted.rendered.count("\n") - 1)
    near = list(_starts(lines, text, first, until))
    if len(near) == 1:
        return near[0]
    every = [at for at in _starts(lines, text, 0, max(until, first + _LINES))]
    if earlier < len(every):
        return every[earlier]
    return next(iter(every or near), None)


def _starts(lines: Lines, text: Sequence[str], first: int, until: int) -> Iterator[int]:
    """Lines at which these lines stand one below the other."""
    before = ""
    for number, line in _numbered(lines, first, until + 2):
        line = line.strip().removeprefix("cargo:warning=").strip()
        if len(text) == 1 and line == text[0].strip():
            yield number
        elif len(text) > 1 and line == text[1].strip() and before == text[0].strip():
            yield number - 1
        before = line


def find_output(
    lines: Lines, stamps: Stamps, stream: str, test: e.TestFinished, earlier: int = 0
) -> tuple[int, tuple[str, ...]] | None:
    """What a failed test printed, and the line of its header; None: its harness printed nothing of it (yet).

    `earlier`: how many of the same name failed in the same moment before it, in other suites.
    """
    first = max(0, stamps.lines_until(stream, test.at - 0.001) - 1)
    header: int | None = None
    kept: list[str] = []
    for number, line in _numbered(lines, first, first + MAX_LINES):
        if header is None:
            if _begins(line, test):
                header, earlier = (number, 0) if not earlier else (None, earlier - 1)
        elif _ends(line, test):
            break
        elif len(kept) < MAX_OUTPUT_LINES:
            kept.append(line)
    if header is None:
        return None
    while kept and not kept[-1].strip():
        kept.pop()
    while kept and not kept[0].strip():
        kept.pop(0)
    return header, tuple(kept)


def find_text(lines: Lines, stamps: Stamps, stream: str, at: float | None, text: str) -> int | None:
    """First line that holds a text: among those that came at a moment (None: nobody knows when), else at all."""
    if at is not None:
        first = max(0, stamps.lines_until(stream, at - 0.001) - 1)
        for number, line in _numbered(lines, first, stamps.lines_until(stream, at) + 1):
            if text in line:
                return number
    return next((number for number, line in _numbered(lines, 0, MAX_LINES) if text in line), None)


def _begins(line: str, test: e.TestFinished) -> bool:
    if found := _HEADER.match(line):
        return found[1] == test.name
    if found := _NEXTEST.match(line):
        return (found[1], found[2]) == (test.suite, test.name)
    found = _STATUS.match(line)
    return found is not None and found[1] not in ("PASS", "SKIP", "SLOW") and (found[2], found[3]) == (
        test.suite, test.name,
    )  # fmt: skip


def _ends(line: str, test: e.TestFinished) -> bool:
    """The next block begins, or a summary."""
    if _HEADER.match(line) or (line == "failures:") or line.startswith("test result: "):
        return True
    if found := _NEXTEST.match(line):
        return (found[1], found[2]) != (test.suite, test.name)
    return bool(_STATUS.match(line)) or line.lstrip().startswith(("Summary [", "────────────", "Canceling due to"))


def _numbered(lines: Lines, first: int, until: int) -> Iterator[tuple[int, str]]:
    """Numbers and lines without colours."""
    until = min(until, lines.shown_line_count, first + MAX_LINES)
    while first < until:
        found = lines.lines(first, min(_LINES, until - first))
        if not found:
            return
        for offset, line in enumerate(found):
            yield first + offset, strip_sgr(line).rstrip()
        first += len(found)
