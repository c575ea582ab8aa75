"""Log lines as segments: colours (SGR) kept, cut to a width. Whatever else remains is not drawn."""

import re
from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.segment import Segment
from rich.style import Style

_SGR = re.compile("\x1b\\[([0-9;:]*)m")
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters, C1, and what turns the direction of text: drawn as one replacement character."""
_FLAGS: dict[int, dict[str, bool]] = {
    1: {"bold": True}, 2: {"dim": True}, 3: {"italic": True}, 4: {"underline": True}, 7: {"reverse": True},
    9: {"strike": True}, 22: {"bold": False, "dim": False}, 23: {"italic": False}, 24: {"underline": False},
    27: {"reverse": False}, 29: {"strike": False},
}  # fmt: skip
_NONE = Style()
TAB_COLUMNS = 8


def safe(text: str) -> str:
    """One line of foreign text without anything that a terminal would obey."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", _SGR.sub("", text).replace("\t", " ").replace("\n", " "))


def line_segments(line: str, width: int, base: Style) -> list[Segment]:
    """One log line, at most `width` cells of it, its colours over a base style."""
    if "\x1b" not in line:
        return [Segment(clip(_clean(line, 0), width), base)] if line else []
    segments: list[Segment] = []
    used, own, at = 0, _NONE, 0
    for match in _SGR.finditer(line):
        used = _take(segments, line[at : match.start()], (used, width), base + own)
        own = _apply(own, match[1])
        at = match.end()
    _take(segments, line[at:], (used, width), base + own)
    return segments


def columns_of(line: str) -> int:
    """How many cells a log line takes when it is not cut."""
    return cell_len(_clean(_SGR.sub("", line), 0))


def clip(text: str, width: int) -> str:
    """The text cut to a width in cells."""
    if len(text) <= width and (text.isascii() or cell_len(text) <= width):
        return text
    return text[:width] if text[: width + 1].isascii() else set_cell_size(text[: width + 1], width)


def _take(segments: list[Segment], text: str, room: tuple[int, int], style: Style) -> int:
    """Append what fits of a text; the cells used afterwards."""
    used, width = room
    if not text or used >= width:
        return used
    shown = clip(_clean(text, used), width - used)
    segments.append(Segment(shown, style))
    return used + cell_len(shown)


def _clean(text: str, column: int) -> str:
    if text.isascii() and text.isprintable():
        return text
    if "\t" in text:
        text = (" " * column + text).expandtabs(TAB_COLUMNS)[column:]
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)


@lru_cache(maxsize=1024)
def _apply(before: Style, codes: str) -> Style:
    """The style after one SGR sequence."""
    numbers = [int(n[:4]) if n else 0 for n in codes.replace(":", ";").split(";")]
    style, index = before, 0
    while index < len(numbers):
        code = numbers[index]
        if code in (38, 48):
            color, used = _extended(numbers[index + 1 :])
            style += (Style(color=color) if code == 38 else Style(bgcolor=color)) if color else _NONE
            index += used
        elif code == 0:
            style = _NONE
        else:
            style += _simple(code)
        index += 1
    return style


def _simple(code: int) -> Style:
    if code in _FLAGS:
        return Style(**_FLAGS[code])  # type: ignore[arg-type]
    for first, offset in ((30, 0), (90, 8)):
        if first <= code <= first + 7:
            return Style(color=Color.from_ansi(code - first + offset))
        if first + 10 <= code <= first + 17:
            return Style(bgcolor=Color.from_ansi(code - first - 10 + offset))
    return _NONE


def _extended(numbers: list[int]) -> tuple[Color | None, int]:
    """A colour of 256 (`5;n`) or 24 bits (`2;r;g;b`), and how many numbers it took."""
    if len(numbers) >= 2 and numbers[0] == 5:
        return (Color.from_ansi(numbers[1]) if numbers[1] < 256 else None), 2
    if len(numbers) >= 4 and numbers[0] == 2:
        red, green, blue = (min(n, 255) for n in numbers[1:4])
        return Color.from_rgb(red, green, blue), 4
    return None, len(numbers)
