"""One pane as lines of segments: a pure function of a run, its last lines, and the room."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from core import queries
from core.state import Run, RunState
from tui import format as f
from tui.widgets import words
from tui.widgets.ansi import clip, columns_of, line_segments, safe
from tui.widgets.look import Look, pad, role_of

LIST_ROWS = 2
_COUNT = 9
_ETA = 8
_WORD = 8
_ELAPSED = 7
_ROWS_WITH_GAP = 6
"""A pane of fewer rows shows a line of the log instead of the blank one below it."""
_LEAST_WITH_WORD = 24
"""A list of fewer columns leaves the state to its sign."""
_HEAD_ROWS = 3
"""Title, progress, and what it does."""
_MARGIN = 2
"""Cells left of the text: the edge and a blank."""


@dataclass(frozen=True, slots=True)
class PaneView:
    """All that a pane shows."""

    number: int
    """1.. in the order of the panes."""
    run: Run
    others: int
    """Further live runs of the same agent."""
    tail: tuple[str, ...]
    """The last lines of its log: sanitised, SGR kept, oldest first."""
    eta_s: float | None
    """Seconds until it is done, from history; None: not known."""
    now: float
    """Seconds since the epoch, whole seconds after the run's start; times are measured to here."""
    is_selected: bool
    is_old: bool = False
    """The figures are older than they should be."""
    pending: str | None = None
    """What was asked for and is not seen yet: `stopping`."""
    alive: str = ""
    """Who is left while it is being stopped, in words."""
    waits: str | None = None
    """Whom and what it waits for and how long, in words; None: it does not."""


def whole_second(run: Run, now: float) -> float:
    """The moment to draw a run at: the board's second; the same for ever after the run's end."""
    return run.started_at if run.state.is_over else float(int(now))


class _Pen(NamedTuple):
    """Puts pieces of text on one line, in the styles of a pane."""

    look: Look
    role: str
    is_selected: bool

    @property
    def styles(self) -> Mapping[str, Style]:
        """Style of each role."""
        return self.look.styles(self.is_selected)

    @property
    def edge(self) -> str:
        """The pane's left edge."""
        return self.look.glyphs.selected_edge if self.is_selected else self.look.glyphs.edge

    def text(self, text: str, role: str) -> Segment:
        return Segment(self.look.drawable(text), self.styles[role])

    def row(self, pieces: Iterable[Segment], width: int) -> Strip:
        """A whole row: edge, pieces cut to the room, blanks."""
        base: Style = self.styles["text"]
        strip = Strip([self.text(self.edge, self.role), self.text(" ", "text"), *pieces])
        if strip.cell_length > width:
            strip = strip.crop(0, width)
        return Strip(pad(list(strip), width, base), width)


def draw(view: PaneView, width: int, height: int, look: Look) -> list[Strip]:
    """The pane's rows, each exactly `width` cells; a blank last one where there is room for it."""
    pen = _Pen(look, role_of(view.run), view.is_selected)
    if height <= LIST_ROWS:
        return _entry(view, pen, width)[:height]
    gap = 1 if height >= _ROWS_WITH_GAP else 0
    room = height - gap - _HEAD_ROWS
    rows = [_title(view, pen, width), _progress(view, pen, width), _doing(view, pen, width, has_log=room > 1)]
    if room > 0:
        rows.append(_vitals(view, pen, width))
        room -= 1
    if room > 3:
        rows.append(pen.row((), width))
        room -= 1
    rows += _log(view, pen, width, room)
    return [*rows, *(Strip.blank(width, look.plain["text"]) for _ in range(gap))]


def _title(view: PaneView, pen: _Pen, width: int) -> Strip:
    """Number, glyph, agent, command; state and elapsed at the right, in columns that stay."""
    run = view.run
    right = f"{words.state_word(run, view.pending):>{_WORD}}"
    elapsed = f"{f.duration(queries.elapsed_s(run, view.now)):>{_ELAPSED}} "
    room = width - _MARGIN - len(right) - len(elapsed) - 1
    number = f"{view.number:<2}"
    more = f" +{view.others}" if view.others else ""
    agent = _cut(safe(run.agent), max(6, room // 2 - 4), pen) + more
    left = [
        pen.text(number, "dim"), pen.text(pen.look.glyph(run) + " ", pen.role), pen.text(agent, "title"),
        pen.text("  ", "text"),
    ]  # fmt: skip
    used = sum(s.cell_length for s in left)
    left.append(pen.text(_cut(safe(run.command), room - used, pen), "text"))
    left = pad(left, room + 1, pen.styles["text"])
    return pen.row([*left, pen.text(right, pen.role), pen.text(elapsed, "number")], width)


def _progress(view: PaneView, pen: _Pen, width: int) -> Strip:
    run = view.run
    count = f"{words.count(run):>{_COUNT}}"
    eta = f"{_eta(view, pen):>{_ETA}} "
    room = max(0, width - _MARGIN - len(count) - len(eta) - 2)
    bar = _bar(view, pen, room)
    role = "dim" if view.is_old else "number"
    return pen.row([*bar, pen.text(" ", "text"), pen.text(count, role), pen.text(" " + eta, role)], width)


def _eta(view: PaneView, pen: _Pen) -> str:
    if view.run.state.is_over:
        return words.outcome(view.run)
    if view.eta_s is None or view.run.handed_to is not None:
        return "–"
    return pen.look.glyphs.about + f.duration(view.eta_s)


def _bar(view: PaneView, pen: _Pen, width: int) -> list[Segment]:
    """A bar in half cells over its track."""
    glyphs, done = pen.look.glyphs, words.share_done(view.run)
    halves = round(done * width * 2)
    filled = glyphs.bar * (halves // 2) + (glyphs.half if halves % 2 else "")
    return [pen.text(filled, pen.role), pen.text(glyphs.track * (width - len(filled)), "track")]


def _doing(view: PaneView, pen: _Pen, width: int, *, has_log: bool) -> Strip:
    """What it compiles, what it waits for, or how it ended; with the error where no row below has it."""
    room = max(0, width - _MARGIN - 1)
    if view.alive and not view.run.state.is_over:
        pieces = [words.Piece(safe(view.alive), "waiting")]
    elif view.waits is not None:
        pieces = [words.Piece(words.waits(safe(view.waits), room), "waiting")]
    elif not (pieces := list(words.headline(view.run))):
        pieces = list(words.in_flight(view.run, view.now, lambda text: len(text) <= room))
    elif view.run.state is RunState.FAILED:
        if not has_log:
            pieces += [words.Piece(safe(line), "strong") for line in words.error_lines(view.run)[:1]]
        pieces = [p for piece in pieces for p in (words.Piece(" · ", "dim"), piece)][1:]
    drawn: list[Segment] = []
    for text, role in pieces:
        drawn.append(pen.text(_cut(text, room, pen), role))
        room -= drawn[-1].cell_length
    return pen.row(drawn, width)


def _vitals(view: PaneView, pen: _Pen, width: int) -> Strip:
    pieces: list[Segment] = []
    room = width - _MARGIN
    for label, number, role in words.facts(view.run, view.now):
        room -= len(label) + len(number) + 4
        if room < 0:
            break
        pieces += [pen.text(label + " ", "dim"), pen.text(number, role), pen.text("   ", "text")]
    return pen.row(pieces, width)


def _log(view: PaneView, pen: _Pen, width: int, rows: int) -> Sequence[Strip]:
    """The first error of a run that failed, else the last lines; always as many rows as there are."""
    if rows <= 0:
        return ()
    error = words.error_lines(view.run)[:rows] if view.run.state is RunState.FAILED else ()
    return _log_rows(error or view.tail[-rows:], bool(error), pen, width, rows)


@lru_cache(maxsize=64)
def _log_rows(lines: tuple[str, ...], is_error: bool, pen: _Pen, width: int, rows: int) -> tuple[Strip, ...]:
    """Lines as rows: most of the time a pane changes above them alone."""
    room = width - _MARGIN - 1
    if is_error:
        drawn = [[pen.text(_cut(safe(line), room, pen), "text" if i else "strong")] for i, line in enumerate(lines)]
    else:
        drawn = [_log_line(line, room, pen) for line in lines]
    blank = [pen.row((), width)] * (rows - len(drawn))
    return (*(pen.row(line, width) for line in drawn), *blank)


def _log_line(line: str, width: int, pen: _Pen) -> list[Segment]:
    """A line of the log in its own colours; a sign at its end says that there is more."""
    text, base = pen.look.drawable(line), pen.styles["text"]
    if len(line) <= width or columns_of(text) <= width:
        return line_segments(text, width, base)
    return [*line_segments(text, width - 1, base), pen.text(pen.look.glyphs.cut, "dim")]


def _entry(view: PaneView, pen: _Pen, width: int) -> list[Strip]:
    """A pane as an entry of a list: agent, state, progress, elapsed; below it what it does."""
    run = view.run
    right = [
        (f"{words.state_word(run, view.pending):>{_WORD + 1}}", pen.role),
        (f"{words.count(run):>{_COUNT}}", "number"),
    ]
    elapsed = (f"{f.duration(queries.elapsed_s(run, view.now)):>{_ELAPSED}}", "number")
    fixed = [*right, elapsed] if width >= 40 else [right[0], elapsed] if width >= 32 else right[:1]
    if width < _LEAST_WITH_WORD:
        fixed = []
    room = width - _MARGIN - sum(len(text) for text, _ in fixed)
    left = [pen.text(f"{view.number:<2}", "dim"), pen.text(pen.look.glyph(run) + " ", pen.role)]
    left.append(pen.text(_cut(safe(run.agent), max(1, room - 4), pen), "title"))
    left = pad(left, room, pen.styles["text"])
    first = pen.row([*left, *(pen.text(text, role) for text, role in fixed)], width)
    text, role = _matter(view, width - _MARGIN - 5)
    second = pen.row([pen.text("    " + _cut(text, width - _MARGIN - 5, pen), role)], width)
    return [first, second]


def _matter(view: PaneView, room: int) -> words.Piece:
    """The one thing to say of a run below its name."""
    if view.alive and not view.run.state.is_over:
        return words.Piece(safe(view.alive), "waiting")
    if view.waits is not None:
        return words.Piece(words.waits(safe(view.waits), room), "waiting")
    error = words.error_lines(view.run) if view.run.state is RunState.FAILED else ()
    return words.Piece(safe(error[0]), "text") if error else words.Piece(safe(view.run.command), "dim")


def _cut(text: str, width: int, pen: _Pen) -> str:
    """A name cut at its right end."""
    if width <= 0:
        return ""
    return text if cell_len(text) <= width else clip(text, width - 1) + pen.look.glyphs.cut
