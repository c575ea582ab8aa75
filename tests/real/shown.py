"""What of an output must be equal: the lines a person sees with their style, in order, without times.

Masked: seconds, the order of units and tests (cargo and libtest run them at once), progress redraws.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pyte
import pyte.screens

from tests.real.ptys import ROWS

WIDE = 600
"""Drawn wider than the tools believe, so that no line is cut before its times are masked."""
_SGR = re.compile(r"\x1b\[[0-9;]*m")
_OSC = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_MASKS = (
    (re.compile(r"\b(?:\d+m )?\d+\.\d+s\b"), "<s>"),
    (re.compile(r"\[\s*<s>\]"), "[<s>]"),
    (re.compile(r"\(\s*\d+/(\d+)\) "), r"(n/\1) "),
    (re.compile(r"(?:\d+[dhms] ?)+(?= after last build)"), "<s>"),
    (re.compile(r"\b\d[\d,]*(?:\.\d+)? ns/iter \(\+/- [\d,.]+\)"), "<ns>"),
    # Which of two targets of one crate shows their common warning is a race of cargo's.
    (re.compile(r"(generated \d+ warnings?) \(\d+ duplicates?\)"), r"\1"),
    (re.compile(r" \(\d+\) panicked at"), " (tid) panicked at"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"cargo-timing-[0-9TZ]+-[0-9a-f]+"), "cargo-timing-<at>"),
    (re.compile(r"(/tmp/rustc)[A-Za-z0-9]{6}"), r"\1XXXXXX"),
    (re.compile(r"(/tmp/rustdoctest)[A-Za-z0-9]{6}"), r"\1XXXXXX"),
)
_REDRAW = re.compile(
    r"(?:\x1b\[[0-9;]*m)* +(?:Building|Downloading|Fetch)(?:\x1b\[[0-9;]*m)* \[[=> ]*\] [^\r\n]*\r(?:\x1b\[K)?"
)
_UNIT = re.compile(
    r"\s*(Compiling|Checking|Documenting|Fresh|Dirty|Running `(\S*rustc|\S*rustdoc|\S*build-script|CARGO=)|Building|"
    r"Replacing|Blocking|Downloaded|Downloading|Generated|Locking|Adding)\b"
)
_SINGLE = re.compile(r"(test [^ ].* \.\.\. |\s+(PASS|FAIL|SKIP|SLOW|START|TRY|SIGABRT) |\{\"|compiler-artifact )")
_DIAGNOSTIC = re.compile(
    r"(warning|error)(\[[A-Z]?\d+\])?: |\S+: (warning|error)(\[[A-Z]?\d+\])?: |(For more|Some errors have)"
)


class Line(NamedTuple):
    """A line as text, and as text with its style."""

    plain: str
    styled: str


def masked(text: str) -> str:
    """Without what differs between two runs of the same program."""
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


def stream_lines(data: bytes) -> list[Line]:
    """The lines of a pipe or file without redraws; escape sequences stay as style, a missing last newline shows."""
    text = _REDRAW.sub("", data.decode("utf-8", "backslashreplace"))
    lines = text.split("\n")
    lines[-1] += "<no newline>" if lines[-1] else ""
    if lines[-1] == "":
        lines.pop()
    return [Line(masked(_SGR.sub("", _OSC.sub("", one))), masked(one)) for one in lines]


def terminal_lines(data: bytes, columns: int = WIDE) -> list[Line]:
    """What a terminal shows at the end, with all that scrolled away, without empty lines at the end."""
    screen = pyte.HistoryScreen(columns, ROWS, history=100_000)
    pyte.ByteStream(screen).feed(data)
    rows = [*screen.history.top, *(screen.buffer[row] for row in range(ROWS))]
    lines = [_row(row, columns) for row in rows]
    while lines and not lines[-1].plain:
        lines.pop()
    return lines


def _row(row: pyte.screens.StaticDefaultDict[int, pyte.screens.Char], columns: int) -> Line:
    plain, styled, style = "", "", ""
    for column in range(columns):
        char = row[column]
        now = " ".join(str(value) for value in char[1:] if value not in (False, "default"))
        if now != style:
            styled, style = f"{styled}⟦{now}⟧", now
        plain += char.data
        styled += char.data
    return Line(masked(plain.rstrip()), masked(styled.rstrip()))


def comparable(lines: Iterable[Line]) -> list[str]:
    """The styled lines, where units, diagnostics and tests that follow each other are put in a fixed order."""
    ordered: list[str] = []
    pending: list[str] = []
    for is_sortable, block in _blocks(list(lines)):
        if is_sortable:
            pending.append(block)
            continue
        ordered += [*sorted(pending), block]
        pending = []
    return [line for block in ordered + sorted(pending) for line in block.split("\n")]


def _blocks(lines: list[Line]) -> Iterator[tuple[bool, str]]:
    at = 0
    while at < len(lines):
        end = at + 1
        plain = lines[at].plain
        is_diagnostic = bool(_DIAGNOSTIC.match(plain))
        if is_diagnostic:
            while end < len(lines) and lines[end].plain and not _UNIT.match(lines[end].plain):
                if _DIAGNOSTIC.match(lines[end].plain) or lines[end].plain.lstrip().startswith("Finished"):
                    break
                end += 1
            # The empty line after a diagnostic belongs to it.
            end += end < len(lines) and not lines[end].plain
        is_sortable = is_diagnostic or bool(_UNIT.match(plain) or _SINGLE.match(plain))
        yield is_sortable, "\n".join(line.styled for line in lines[at:end])
        at = end


def traits(data: bytes) -> frozenset[str]:
    """What a raw stream does beyond its text: colour, links, progress in the title bar."""
    found = {
        "colour": b"\x1b[3" in data or b"\x1b[1m" in data or b"\x1b[9" in data,
        "links": b"\x1b]8;;h" in data or b"\x1b]8;;f" in data,
        "title bar": b"\x1b]9;4;" in data,
        "title": b"\x1b]0;" in data or b"\x1b]2;" in data,
        "hidden cursor": b"\x1b[?25l" in data,
    }
    return frozenset(name for name, has in found.items() if has)


def has_progress(data: bytes) -> bool:
    """A redrawn `Building [==> ] 1/3` line of cargo."""
    return bool(re.search(rb"(?:Building|Compiling|Checking)(?:\x1b\[[0-9;]*m)* ?\[[=> ]+\] \d+/\d+", data))
