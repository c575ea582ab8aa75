"""Foreign bytes as text that a terminal may be given: no control sequence but colours, no control character but tab."""

import re
import unicodedata

MAX_BYTES = 1 << 16
"""Of a line, what is looked at."""

_SGR = r"\x1b\[[0-9;:]{0,64}m"
# Unterminated strings (OSC, DCS, APC, PM, SOS) swallow the rest of the line, as a terminal would.
_STRINGS = r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|(?=\x1b)|\Z)"
_OTHERS = r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-~]?"
_CONTROLS = r"[\x00-\x08\x0a-\x1f\x7f-\x9f]"
_BIDI = r"[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
_UNSAFE = re.compile(f"({_SGR})|{_STRINGS}|{_OTHERS}|{_CONTROLS}|{_BIDI}")
_SGR_TEXT = re.compile(_SGR)
_SGR_BYTES = re.compile(_SGR.encode())
_PRINTABLE = re.compile(rb"[\t\x20-\x7e]*\Z")
_CONTROL_BYTES = bytes(number for number in range(0x20) if number not in b"\t\n") + b"\x7f"
_ODD = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f]|{_BIDI}")
_REDRAWN = re.compile(rb"(?m)^[^\n]*\r(?!\r*(?:\n|\Z))")
_RETURNS = re.compile(rb"\r+(?=\n|\Z)")


def sanitise(line: bytes, columns: int | None = None) -> str:
    """The line as text: UTF-8 with replacements, colours (`ESC [ … m`) and tabs kept, at most `columns` wide.

    A tab counts as one column here. Only the first 64 KiB are looked at.
    """
    line = line[:MAX_BYTES]
    if _PRINTABLE.match(line):
        return line[:columns].decode("ascii")
    text = _UNSAFE.sub(_keep_colour, line.decode("utf-8", "replace"))
    return text if columns is None else cut(text, columns)


def strip_sgr(text: str) -> str:
    """The text without its colours."""
    return _SGR_TEXT.sub("", text) if "\x1b" in text else text


def strip_sgr_bytes(line: bytes) -> bytes:
    """The line without its colours."""
    return _SGR_BYTES.sub(b"", line) if b"\x1b" in line else line


def plain(line: bytes, columns: int | None = None) -> str:
    """The line as text without any escape."""
    text = strip_sgr(sanitise(line))
    return text if columns is None else cut(text, columns)


def plain_block(block: bytes, *, is_hasty: bool = False) -> bytes | str:
    """Whole lines with their ends, each as `plain` gives it, a redrawn one (`\\r`) in its last state.

    Bytes where all of it is ASCII: they are searched twice as fast. 0.6 ms for 1 MB, a tenth of it with `is_hasty`:
    then control characters may be left in it, where there is no escape (see `has_controls`).
    """
    if b"\r" in block:
        block = _RETURNS.sub(b"", _REDRAWN.sub(b"", block))
    if block.isascii():
        ascii_text = strip_sgr_bytes(block)
        if (is_hasty and ascii_text is block) or not has_controls(ascii_text):
            return ascii_text
    else:
        text = strip_sgr(block.decode("utf-8", "replace"))
        if not _ODD.search(text):
            return text
    return "\n".join(plain(line) for line in block.split(b"\n"))


def has_controls(block: bytes) -> bool:
    """It holds control characters besides tabs and line ends."""
    return len(block.translate(None, _CONTROL_BYTES)) != len(block)


def cut(text: str, columns: int) -> str:
    """What of the text fits into the columns; colours have no width and are all kept."""
    if len(text) <= columns and text.isascii():
        return text
    kept: list[str] = []
    room = columns
    at = 0
    for colour in _SGR_TEXT.finditer(text):
        room = _cut_run(text[at : colour.start()], room, kept)
        kept.append(colour[0])
        at = colour.end()
    _cut_run(text[at:], room, kept)
    return "".join(kept)


def _cut_run(run: str, room: int, kept: list[str]) -> int:
    """Keeps what fits; gives the columns left, 0 once something did not fit."""
    if run.isascii():
        kept.append(run[:room])
        return max(0, room - len(run))
    for i, char in enumerate(run):
        width = _width(char)
        if width > room:
            kept.append(run[:i])
            return 0
        room -= width
    kept.append(run)
    return room


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _keep_colour(found: "re.Match[str]") -> str:
    return found[1] or ""
