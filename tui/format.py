"""Values as text, one style everywhere: `0:48`, `1.3 G`, `84 %`. Pure."""

import time
from collections.abc import Iterator

from rich.cells import cell_len as cell_len
from rich.cells import set_cell_size

_ASCII = str.maketrans("–…≈·●◷✗✓■○│×↓✖✔−±≥≤⚠─▸▲▼", "-~~-*~x+-.|xvx+-~><!->^v")
UNKNOWN = "–"
ELLIPSIS = "…"
_UNITS = "BKMGTP"


def duration(seconds: float | None) -> str:
    """`0:48`, `12:05`, `1:02:03`; `–` for None."""
    if seconds is None:
        return UNKNOWN
    whole = max(0, int(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def clock(at: float | None) -> str:
    """`14:03:07` of a moment in seconds since the epoch, local time; as wide for None."""
    return time.strftime("%H:%M:%S", time.localtime(at)) if at is not None else f"{UNKNOWN:^8}"


def moment(at: float, now: float) -> str:
    """When something was, local time: `14:03:07` today, else `21 Nov 14:03`."""
    then, today = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M:%S" if then[:3] == today[:3] else "%d %b %H:%M", then)


def seconds(value: float) -> str:
    """`4.1 s`, from a minute on `1:04`."""
    return f"{value:.1f} s" if value < 60 else duration(value)


def span(value: float) -> str:
    """The same where less than a tenth counts: `1.2 s`, `86 ms`."""
    return seconds(value) if value >= 0.095 else f"{value * 1000:.0f} ms"


def change(value: float, *, is_span: bool = True) -> str:
    """How much more: `+1.2 s`, `−3`, `±0`."""
    shown = f"{abs(value):.1f} s" if is_span else f"{abs(value):,.0f}"
    return f"±{shown}" if float(shown.split()[0].replace(",", "")) == 0 else f"{'+' if value > 0 else '−'}{shown}"


def size(count: float | None) -> str:
    """Bytes in powers of 1,000: `512 B`, `1.3 G`; `–` for None."""
    if count is None:
        return UNKNOWN
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit and value < 9.95 else f"{value:.0f} {_UNITS[unit]}"


def size_change(count: int) -> str:
    """How many bytes more: `+1.2 M`, `−3 K`, `±0 B`."""
    return f"{'±' if count == 0 else '+' if count > 0 else '−'}{size(abs(count))}"


def percent(share: float | None) -> str:
    """`84 %` of a share 0..1; `–` for None."""
    return UNKNOWN if share is None else f"{share * 100:.0f} %"


def many(count: int, word: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def clip(text: str, width: int) -> str:
    """The text cut to a width in cells; no more of a long one is looked at than is needed."""
    if text[: width + 1].isascii():
        return text[: max(0, width)]
    size = max(1, width)
    while size < len(text) and cell_len(text[:size]) <= width:
        size *= 2
    return text if size >= len(text) and cell_len(text) <= width else set_cell_size(text[:size], width)


def fit(text: str, width: int) -> str:
    """Exactly `width` cells: padded, or cut on the right with `…`."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + ELLIPSIS if width > 0 else ""


def cut_name(text: str, width: int) -> str:
    """At most `width` cells, the end cut away: for names and commands."""
    return text if cell_len(text) <= width else fit(text, width).rstrip()


def cut_path(text: str, width: int) -> str:
    """At most `width` cells, the beginning cut away: for paths."""
    if cell_len(text) <= width:
        return text
    kept = text[-width:] if width > 0 else ""
    while kept and cell_len(kept) > width - 1:
        kept = kept[1:]
    return ELLIPSIS + kept if width > 0 else ""


def wrapped(text: str, width: int) -> Iterator[str]:
    """The text in rows of at most so many cells, cut between words where there are any."""
    while (part := clip(text, width)) != text:
        if not text.startswith(part):
            part = part[:-1]  # half of a wide character, as a blank
        space = part.rfind(" ")
        if text[len(part) : len(part) + 1] != " " and space > width // 3:
            part = part[:space]
        part = part or text[:1]
        yield part
        text = text[len(part) :].lstrip(" ")
    yield text


def ascii_only(text: str) -> str:
    """The text for a terminal without Unicode: each of our signs by one that resembles it, others by `?`."""
    return text.translate(_ASCII).encode("ascii", "replace").decode()
