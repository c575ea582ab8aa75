"""A line of a log as rows of the screen."""

import pytest
from rich.segment import Segment
from rich.style import Style

from core.search import compile_pattern
from tests.cpu import least_cpu_s
from tui.widgets.log_pen import LogPen
from tui.widgets.log_rows import Span, restyle, row_starts, split, text_of
from tui.widgets.log_selection import Place, Selection
from tui.widgets.look import ASCII, UNICODE, Glyphs, make_look

FOUND, PICKED = Style(bold=True), Style(reverse=True)


def pen(
    *, glyphs: Glyphs = UNICODE, pattern: str = "", selection: Selection | None = None, wraps: bool = False
) -> LogPen:
    def style_of(name: str) -> Style:
        return {"deck--found": FOUND, "deck--picked": PICKED}.get(name, Style())

    return LogPen(
        look=make_look(glyphs, style_of), width=40, wraps=wraps, left=0, stamp=None, label=None,
        pattern=compile_pattern(pattern) if pattern else None, current=None, marks=(), selection=selection,
        has_gutter=False,
    )  # fmt: skip


def test_spans_are_laid_over_colours_and_what_is_selected_over_what_is_found() -> None:
    drawn = pen(pattern="bc|ef", selection=Selection(Place(0, 2), Place(0, 4))).rows(0, "a\x1b[1mb\x1b[0mcdefg")
    assert [(s.text, s.style) for s in drawn[0].strip] == [
        ("a", Style()), ("b", FOUND), ("c", FOUND + PICKED), ("d", PICKED), ("e", FOUND + PICKED), ("f", FOUND),
        ("g", Style()), (" " * 33, Style()),
    ]  # fmt: skip


@pytest.mark.parametrize("spans", [[], [(0, 0)], [(0, 9)], [(2, 4), (4, 5)], [(1, 2), (7, 9)], [(3, 3), (8, 20)]])
def test_spans_change_the_look_of_their_characters_alone(spans: list[tuple[int, int]]) -> None:
    segments = [Segment("abc"), Segment(""), Segment("def"), Segment("ghi")]
    styled = restyle(segments, [Span(start, end, FOUND) for start, end in spans])
    bold = [bool(segment.style and segment.style.bold) for segment in styled for _ in segment.text]
    assert text_of(styled) == "abcdefghi"
    assert bold == [any(start <= at < end for start, end in spans) for at in range(9)]


@pytest.mark.parametrize("width", range(1, 12))
def test_rows_of_a_line_lose_nothing(width: int) -> None:
    segments = [Segment("ab日"), Segment("本"), Segment("cdefgh\N{COMBINING ACUTE ACCENT}ij")]
    starts = row_starts(text_of(segments), width)
    rows = split(segments, starts)
    assert "".join(map(text_of, rows)) == text_of(segments)
    assert all(rows)


def test_a_long_line_of_many_colours_takes_no_second() -> None:
    line = "\x1b[31mx" * 10_000

    def draw() -> None:
        assert len(pen(pattern="x", wraps=True).rows(0, line)) == 250

    assert least_cpu_s(draw) < 0.5  # 0.05 s; 2 s where each row and each span begins at the first colour


def test_a_plain_terminal_is_shown_signs_but_gives_away_the_text_itself() -> None:
    drawing = pen(glyphs=ASCII, pattern="ï")
    row = drawing.rows(0, "na\tïve")[0]
    assert row.text == "na      ?ve"
    assert [s.text for s in row.strip if s.style == FOUND] == ["?"]
    assert drawing.text("na\tïve") == "na      ïve"
