"""Log lines as segments: colours (SGR) kept, cut to a width. Whatever else remains is not drawn."""

import re
from functools import lru_cache

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from tui.format import clip

_SGR = re.compile("\x1b\\[([0-9;:]*)m")
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Control characters, C1, what turns the direction of text, and what is no UTF-8: each is drawn as U+FFFD."""
_FLAGS: dict[int, dict[str, bool]] = {
    1: {"bold": True}, 2: {"dim": True}, 3: {"italic": True}, 4: {"underline": True}, 7: {"reverse": True},
    9: {"strike": True}, 22: {"bold": False, "dim": False}, 23: {"italic": False}, 24: {"underline": False},
    27: {"reverse": False}, 29: {"strike": False},
}  # fmt: skip
_ATTRIBUTES = ("bold", "dim", "italic", "underline", "reverse", "strike")
_NONE = Style()
_TAB_COLUMNS = 8


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


def _take(segments: list[Segment], text: str, room: tuple[int, int], style: Style) -> int:
    """Append what fits of a text; the cells used afterwards."""
    used, width = room
    if not text or used >= width:
        return used
    shown = clip(_clean(text, used), width - used)
    segments.append(Segment(shown, style))
    return used + cell_len(shown)


def _clean(text: str, column: int) -> str:
    """Text that begins in a column, its tabs as blanks."""
    if text.isascii() and text.isprintable():
        return text
    text = _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)
    if "\t" not in text:
        return text
    first, *others = text.split("\t")
    parts, column = [first], column + cell_len(first)
    for part in others:
        blanks = _TAB_COLUMNS - column % _TAB_COLUMNS
        parts += [" " * blanks, part]
        column += blanks + cell_len(part)
    return "".join(parts)


@lru_cache(maxsize=1024)
def _apply(before: Style, codes: str) -> Style:
    """The style after one SGR sequence. What belongs to a code follows it after `:`, or as further codes (`38;5;n`)."""
    fields = [_numbers(field) for field in codes.split(";")]
    style, index = before, 0
    while index < len(fields):
        code, *own = fields[index]
        if code in (38, 48, 58):
            color, used = _extended(own or [field[0] for field in fields[index + 1 :]])
            style += _colored(code, color)
            index += 0 if own else used
        elif code in (39, 49):
            style = _uncolored(style, code)
        elif code == 0:
            style = _NONE
        else:
            style += _simple(24 if code == 4 and own == [0] else code)
        index += 1
    return style


def _numbers(field: str) -> list[int]:
    """A code, and what belongs to it; a colour space (`38:2:space:r:g:b`) is left out."""
    numbers = [int(n[:4]) if n else 0 for n in field.split(":")]
    return [*numbers[:2], *numbers[3:6]] if len(numbers) >= 6 and numbers[1] == 2 else numbers


def _colored(code: int, color: Color | None) -> Style:
    """A colour as one of text (38) or of what is behind it (48); that of an underline is not drawn."""
    if color is None or code == 58:
        return _NONE
    return Style(color=color) if code == 38 else Style(bgcolor=color)


def _uncolored(style: Style, code: int) -> Style:
    """The style with the default colour for text (39) or behind it (49)."""
    kept = {name: getattr(style, name) for name in _ATTRIBUTES}
    return Style(bgcolor=style.bgcolor, **kept) if code == 39 else Style(color=style.color, **kept)


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
