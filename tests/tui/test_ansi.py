"""Lines of logs as segments: colours, widths, and what is not drawn."""

import pytest
from rich.cells import cell_len
from rich.color import Color
from rich.style import Style

from tests.cpu import least_cpu_s
from tui.format import clip, wrapped
from tui.widgets.ansi import columns_of, line_segments, safe

RED = Color.from_ansi(1)
ORANGE = Color.from_rgb(10, 20, 30)


def looks(line: str) -> list[tuple[str, Style]]:
    return [(segment.text, segment.style or Style()) for segment in line_segments(line, 80, Style())]


@pytest.mark.parametrize(
    ("codes", "style"),
    [
        ("31", Style(color=RED)),
        ("31;1;39", Style(bold=True)),
        ("31;41;49", Style(color=RED)),
        ("38;5;1", Style(color=Color.from_ansi(1))),
        ("38;2;10;20;30", Style(color=ORANGE)),
        ("38:2:10:20:30", Style(color=ORANGE)),
        ("38:2::10:20:30", Style(color=ORANGE)),
        ("38;2;10;20;30;1", Style(color=ORANGE, bold=True)),
        ("4:3", Style(underline=True)),
        ("4;4:0", Style(underline=False)),
        ("58;5;1", Style()),
        ("58:2::1:3:4", Style()),
        ("38;5", Style()),
        ("99999999999", Style()),
    ],
)
def test_colours_are_those_that_a_terminal_would_show(codes: str, style: Style) -> None:
    assert looks(f"\x1b[{codes}mx") == [("x", style)]


def test_a_colour_ends_where_the_default_one_is_asked_for() -> None:
    assert looks("\x1b[31mred\x1b[39m plain") == [("red", Style(color=RED)), (" plain", Style())]


@pytest.mark.parametrize("text", ["ab", "日", "e\u0301\u0301b", "\x1b[31m日\x1b[0m", "a" * 9])
def test_a_tab_goes_on_at_the_next_eighth_cell(text: str) -> None:
    drawn = "".join(text for text, _ in looks(f"{text}\tx"))
    assert cell_len(drawn) == columns_of(f"{text}\tx") == (len(text) // 8 if text.isascii() else 0) * 8 + 9


@pytest.mark.parametrize("text", ["e\u0301" * 30, "日本語" * 9, "ab日\u0301" * 9, "a" * 30, "\u200b" * 90 + "a"])
@pytest.mark.parametrize("width", range(0, 41, 5))
def test_a_cut_text_loses_nothing_that_fits(text: str, width: int) -> None:
    cut = clip(text, width)
    assert cell_len(cut) == min(width, cell_len(text))
    assert text.startswith(cut.rstrip(" "))
    assert len(cut) - len(cut.rstrip(" ")) <= 1


@pytest.mark.parametrize("text", ["日本語" * 9, "a日b本" * 9, "naïve e\u0301e\u0301 ab", "日 本 語"])
@pytest.mark.parametrize("width", range(2, 9))
def test_wrapped_wide_text_loses_no_character(text: str, width: int) -> None:
    rows = list(wrapped(text, width))
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")
    assert all(cell_len(row) <= width for row in rows)


@pytest.mark.parametrize("word", ["日本語 ", "word ", "x"])
def test_a_long_line_is_wrapped_in_no_time(word: str) -> None:
    def wrap() -> None:
        assert len(list(wrapped(word * (60_000 // len(word)), 80))) > 700

    assert least_cpu_s(wrap) < 0.6  # 0.05 s; 1 to 20 s where each row looks at all that follows


@pytest.mark.parametrize("char", "\x1b\x07\x9b\u061c\u200f\u202e\u2066\ufeff\ud800\udcff")
def test_nothing_passes_that_a_terminal_obeys_or_cannot_be_written(char: str) -> None:
    assert safe(f"a{char}b") == "a\N{REPLACEMENT CHARACTER}b"
