"""One pane as lines of segments: a pure function of a run, its last lines, and the room."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from core import queries
from core.state import Run, RunState
from core.values import dataclass
from tui import format as f
from tui.widgets import foreign_pane, pane_finding, words
from tui.widgets.ansi import columns_of, line_segments, safe
from tui.widgets.look import Look, pad, role_of
from tui.widgets.words import Piece

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
_LEAST_WITH_COUNTS = 50
"""Cells of the numbers of a pane; in fewer a share has no counts beside it."""
_LEAST_WITH_GAPS = 60
"""The same: in fewer they stand closer together."""
_LEAST_COMMAND = 10
"""Cells that a command keeps beside the word for what holds it up."""
WATCHED, _LEAST_WATCHED = " watched", 6
"""Of what is built again after each save, and cells that its command keeps beside it."""
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
    lines_below: int | None
    """Lines below those, where it was scrolled back; None: they are the last."""
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
    warning: str | None = None
    """What endangers it, in words."""
    advice: str | None = None
    """What would avoid its wait, in words."""
    worse: str = ""
    """Kernels that it made worse, in words."""
    is_watched: bool = False
    """It is built again after each save."""
    foreign: foreign_pane.ForeignView | None = None
    """A build that is not ours, for which `run` stands."""
    why_key: str = ""
    """The key that tells of what defeats its settings; empty: none."""


def whole_second(run: Run, now: float) -> float:
    """The moment to draw a run at: the board's second; the same for ever after the run's end."""
    return run.started_at if run.state.is_over else float(int(now))


class _Pen(NamedTuple):
    """Draws rows in the styles of a pane."""

    look: Look
    role: str
    is_selected: bool

    @property
    def styles(self) -> Mapping[str, Style]:
        """Style of each role."""
        return self.look.styles(self.is_selected)

    def row(self, segments: Iterable[Segment], width: int) -> Strip:
        """A whole row: edge, segments cut to the room, blanks."""
        glyphs, styles = self.look.glyphs, self.styles
        edge = glyphs.selected_edge if self.is_selected else glyphs.edge
        strip = Strip([Segment(edge, styles[self.role]), Segment(" ", styles["text"]), *segments])
        if strip.cell_length > width:
            strip = strip.crop(0, width)
        return Strip(pad(list(strip), width, styles["text"]), width)


@lru_cache(maxsize=512)
def _row(pen: _Pen, pieces: tuple[Piece, ...], width: int) -> Strip:
    """Words as a row. Most rows of a pane are as they were a second ago: those are not drawn again."""
    styles, drawable = pen.styles, pen.look.drawable
    return pen.row([Segment(drawable(text), styles[role]) for text, role in pieces], width)


def draw(view: PaneView, width: int, height: int, look: Look) -> list[Strip]:
    """The pane's rows, each exactly `width` cells; a blank last one where there is room for it."""
    if view.foreign is not None:
        return _draw_foreign(view, view.foreign, width, height, look)
    pen = _Pen(look, role_of(view.run), view.is_selected)
    if height <= LIST_ROWS:
        return [_row(pen, pieces, width) for pieces in _entry(view, look, width)[:height]]
    gap = 1 if height >= _ROWS_WITH_GAP else 0
    room = height - gap - _HEAD_ROWS
    finding = pane_finding.line(view.run, view.why_key, width - _MARGIN - 1)
    shown = log_rows(height, has_finding=bool(finding))[1]
    said = [_title(view, look, width), _progress(view, look, width), _doing(view, look, width, has_log=shown > 0)]
    if room > 0:
        said.append(_vitals(view, look, width))
    if finding and room > 1:
        said.append(finding)
    note = _note(view, look, width)
    if height - gap - len(said) - shown > 0:
        said.append(note)
    elif (view.warning or view.worse) and room > 0:
        said[_HEAD_ROWS] = note
    elif view.worse and view.run.state is RunState.DONE:
        said[-1] = note
    rows = [_row(pen, pieces, width) for pieces in said]
    rows += _log(view, pen, width, shown)
    return [*rows, *[_blank(look, width)] * gap]


def _draw_foreign(
    view: PaneView, foreign: foreign_pane.ForeignView, width: int, height: int, look: Look
) -> list[Strip]:
    """The pane of a build that is not ours: dim, and without a log."""
    draw_rows = foreign_pane.entry if height <= LIST_ROWS else foreign_pane.rows
    pen, gap = _Pen(look, "quiet", view.is_selected), 1 if height >= _ROWS_WITH_GAP else 0
    said = draw_rows(foreign, look.glyphs, view.now, width - _MARGIN)[: height - gap]
    drawn = [_row(pen, pieces, width) for pieces in said]
    return [*drawn, *[_blank(look, width)] * (height - len(drawn))]


def log_rows(height: int, *, has_finding: bool = False) -> tuple[int, int]:
    """The first row of a pane's log, and how many there are. `has_finding`: a line above it says what defeats the
    run's settings, for as long as the run is shown."""
    head = _HEAD_ROWS + 1 + has_finding
    room = height - (1 if height >= _ROWS_WITH_GAP else 0) - head
    if height <= LIST_ROWS or room <= 0:
        return height, 0
    rows = room - 1 if room > 3 else room
    return head + room - rows, rows


@lru_cache(maxsize=16)
def _blank(look: Look, width: int) -> Strip:
    return Strip.blank(width, look.plain["text"])


def _title(view: PaneView, look: Look, width: int) -> tuple[Piece, ...]:
    """Number, glyph, agent, command; state and elapsed at the right, in columns that stay."""
    run = view.run
    right = f"{words.state_word(run, view.pending):>{_WORD}}"
    elapsed = f"{f.duration(queries.elapsed_s(run, view.now)):>{_ELAPSED}} "
    room = width - _MARGIN - len(right) - len(elapsed) - 1
    mark = _mark(view)
    more = f" +{view.others}" if view.others else ""
    number, sign = f"{view.number or '':<1} ", look.glyph(run) + " "  # a run that is not on the board has none
    agent = _cut(safe(run.agent), max(6, room // 2 - 4), look) + more
    used = len(number) + len(sign) + cell_len(agent) + cell_len(mark.text) + 2
    held = words.held_up(run)
    short = f" {held} " if held else ""
    watched = WATCHED if view.is_watched and room - used - len(WATCHED) >= _LEAST_WATCHED else ""
    used += len(watched)
    if room - used - len(short) < _LEAST_COMMAND:
        short = ""
    command = _cut(safe(run.command), room - used - len(short), look)
    return (
        Piece(number, "dim"), Piece(sign, role_of(run)), Piece(agent, "title"), mark,
        *((Piece(watched, "building"),) if watched else ()), Piece("  ", "text"),
        Piece(f.fit(command, room + 1 - used - len(short)), "text"),
        Piece(short, "waiting"), Piece(right, role_of(run)), Piece(elapsed, "number"),
    )  # fmt: skip


def _mark(view: PaneView) -> Piece:
    """A sign beside the agent's name where something endangers its build, it made kernels worse, or something defeats
    its settings."""
    if view.warning or view.worse:
        return Piece(f" {pane_finding.SIGN}", "failed" if view.warning else "waiting")
    return pane_finding.mark(view.run)


def _progress(view: PaneView, look: Look, width: int) -> tuple[Piece, ...]:
    """A bar in half cells over its track, the count, what is probably left."""
    run, glyphs = view.run, look.glyphs
    count = f"{words.count(run):>{_COUNT}}"
    eta = f"{_eta(view, look):>{_ETA}} "
    room = max(0, width - _MARGIN - len(count) - len(eta) - 2)
    halves = round(words.share_done(run) * room * 2)
    filled = glyphs.bar * (halves // 2) + (glyphs.half if halves % 2 else "")
    role = "dim" if view.is_old else "number"
    track = glyphs.track * (room - len(filled))
    return Piece(filled, role_of(run)), Piece(track, "track"), Piece(f" {count} {eta}", role)


def _eta(view: PaneView, look: Look) -> str:
    if view.run.state.is_over:
        return words.outcome(view.run)
    if view.eta_s is None or view.run.handed_to is not None:
        return "–"
    return look.glyphs.about + f.duration(view.eta_s)


def _doing(view: PaneView, look: Look, width: int, *, has_log: bool) -> tuple[Piece, ...]:
    """What it compiles, what it waits for, or how it ended; with the error where no row below has it."""
    room = max(0, width - _MARGIN - 1)
    if view.alive and not view.run.state.is_over:
        pieces = [Piece(safe(view.alive), "waiting")]
    elif view.waits is not None:
        pieces = [Piece(words.waits(safe(view.waits), room), "waiting")]
    elif not (pieces := list(words.headline(view.run))):
        pieces = list(words.in_flight(view.run, view.now, lambda text: len(text) <= room))
    elif view.run.state is RunState.FAILED:
        if not has_log:
            pieces += [Piece(safe(line), "strong") for line in words.error_lines(view.run)[:1]]
        pieces = [p for piece in pieces for p in (Piece(" · ", "dim"), piece)][1:]
    said: list[Piece] = []
    for text, role in pieces:
        said.append(Piece(_cut(text, room, look), role))
        room -= cell_len(said[-1].text)
    return tuple(said)


def _note(view: PaneView, look: Look, width: int) -> tuple[Piece, ...]:
    """What endangers it, what it made worse, what would avoid its wait, or the figures behind what holds it up."""
    if view.warning or view.worse:
        text, role = f"⚠ {view.warning or view.worse}", "failed" if view.warning else "waiting"
    else:
        text, role = view.advice or words.evidence(view.run), "dim"
    return (Piece(_cut(safe(text), width - _MARGIN - 1, look), role),) if text else ()


def _vitals(view: PaneView, look: Look, width: int) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    room = width - _MARGIN
    has_counts, gap = room >= _LEAST_WITH_COUNTS, " " * (3 if room >= _LEAST_WITH_GAPS else 2)
    for label, number, role, trail in words.facts(view.run, view.now, look.glyphs.graph, is_old=view.is_old):
        shown = trail if label != "hit" or has_counts else ""
        room -= len(label) + 1 + len(number) + len(shown)
        if room < 0:
            break
        pieces += [Piece(label + " ", "dim"), Piece(number, role), Piece(shown + gap, "dim")]
        room -= len(gap)
    return tuple(pieces)


def _log(view: PaneView, pen: _Pen, width: int, rows: int) -> Sequence[Strip]:
    """The first error of a run that failed, else the last lines; always as many rows as there are."""
    if rows <= 0:
        return ()
    if view.lines_below is not None:
        more = _row(pen, (Piece(f"{view.lines_below:,} more {pen.look.glyphs.down}", "lit"),), width)
        return [*_log_rows(view.tail, False, pen, width, rows - 1), more]
    error = words.error_lines(view.run)[:rows] if view.run.state is RunState.FAILED else ()
    return _log_rows(error or view.tail[-rows:], bool(error), pen, width, rows)


@lru_cache(maxsize=64)
def _log_rows(lines: tuple[str, ...], is_error: bool, pen: _Pen, width: int, rows: int) -> tuple[Strip, ...]:
    """Lines as rows: most of the time a pane changes above them alone."""
    room, look = width - _MARGIN - 1, pen.look
    if is_error:
        drawn = [
            _row(pen, (Piece(_cut(safe(line), room, look), "text" if i else "strong"),), width)
            for i, line in enumerate(lines)
        ]
    else:
        drawn = [pen.row(_log_line(line, room, pen), width) for line in lines]
    return (*drawn, *[_row(pen, (), width)] * (rows - len(drawn)))


def _log_line(line: str, width: int, pen: _Pen) -> list[Segment]:
    """A line of the log in its own colours; a sign at its end says that there is more."""
    text, styles = pen.look.drawable(line), pen.styles
    if len(line) <= width or columns_of(text) <= width:
        return line_segments(text, width, styles["text"])
    return [*line_segments(text, width - 1, styles["text"]), Segment(pen.look.glyphs.cut, styles["dim"])]


def _entry(view: PaneView, look: Look, width: int) -> list[tuple[Piece, ...]]:
    """A pane as an entry of a list: agent, state, progress, elapsed; below it what it does."""
    run = view.run
    state = Piece(f"{words.state_word(run, view.pending):>{_WORD + 1}}", role_of(run))
    count = Piece(f"{words.count(run):>{_COUNT}}", "number")
    elapsed = Piece(f"{f.duration(queries.elapsed_s(run, view.now)):>{_ELAPSED}}", "number")
    fixed = [state, count, elapsed] if width >= 40 else [state, elapsed] if width >= 32 else [state]
    if width < _LEAST_WITH_WORD:
        fixed = []
    mark = _mark(view)
    room = max(1, width - _MARGIN - sum(len(text) for text, _ in fixed) - 4 - len(mark.text))
    agent = _cut(safe(run.agent), room, look)
    named = [Piece(agent, "title"), mark] if mark.text else []
    named.append(Piece(f.fit("" if named else agent, room - (cell_len(agent) if named else 0)), "title"))
    first = (Piece(f"{view.number:<2}", "dim"), Piece(look.glyph(run) + " ", role_of(run)), *named)
    text, role = _matter(view, width - _MARGIN - 5)
    return [(*first, *fixed), (Piece("    " + _cut(text, width - _MARGIN - 5, look), role),)]


def _matter(view: PaneView, room: int) -> Piece:
    """The one thing to say of a run below its name."""
    if view.alive and not view.run.state.is_over:
        return Piece(safe(view.alive), "waiting")
    if view.waits is not None:
        return Piece(words.waits(safe(view.waits), room), "waiting")
    error = words.error_lines(view.run) if view.run.state is RunState.FAILED else ()
    command = f"watched · {view.run.command}" if view.is_watched else view.run.command
    if view.worse and view.run.state is RunState.DONE:
        return Piece(f"{pane_finding.SIGN} {safe(view.worse)}", "waiting")
    return Piece(safe(error[0]), "text") if error else Piece(safe(command), "dim")


def _cut(text: str, width: int, look: Look) -> str:
    """A name cut at its right end."""
    if width <= 0:
        return ""
    return text if cell_len(text) <= width else f.clip(text, width - 1) + look.glyphs.cut
