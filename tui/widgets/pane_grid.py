"""All panes in one widget: rows are cached, and only rows that changed are painted again."""

from collections.abc import Sequence
from typing import Protocol

from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip

from core.findings import loud
from core.state import Run
from core.values import dataclass
from tui.widgets.foreign_pane import ForeignView
from tui.widgets.layout import Places, Slot, arrange, with_guests
from tui.widgets.look import Glyphs
from tui.widgets.painted import ChosenScroll
from tui.widgets.pane import PaneView, draw, log_rows, whole_second

WHEEL_LINES = 3


class Tail(Protocol):
    """Where the lines of a pane come from."""

    def __call__(self, run: Run, count: int) -> tuple[str, ...]:
        """The last lines of a run's log; the same object while the log did not grow."""

    def last_written(self, run: Run) -> str:
        """The stream of a run that was written last."""

    def line_count(self, run: Run, stream: str) -> int:
        """How many lines a log has."""

    def lines(self, run: Run, stream: str, first: int, count: int) -> tuple[str, ...]:
        """Lines of a log from one on."""


@dataclass(frozen=True, slots=True)
class PaneState:
    """What is shown of an agent, but for its log and the time."""

    number: int
    """1.. in the order of the panes."""
    run: Run
    others: int
    eta_s: float | None
    is_old: bool
    pending: str | None
    alive: str = ""
    """Who is left while it is being stopped, in words."""
    waits: str | None = None
    """Whom and what it waits for and how long, in words."""
    warning: str | None = None
    """What endangers it, in words."""
    advice: str | None = None
    """What would avoid its wait, in words."""
    worse: str = ""
    """Kernels that it made worse, in words."""
    is_watched: bool = False
    """It is built again after each save."""
    foreign: ForeignView | None = None
    """A build that is not ours, for which `run` stands; None: it is ours."""


class PaneGrid(ChosenScroll):
    """The agents' panes."""

    selected: reactive[int] = reactive(0)
    """Index of the highlighted pane."""

    class Opened(Message):
        """A pane was asked for in full."""

        def __init__(self, run: str) -> None:
            super().__init__()
            self.run = run

    class Selected(Message):
        """Another pane is highlighted."""

    def __init__(self, glyphs: Glyphs, tail: Tail) -> None:
        super().__init__(glyphs, id="panes")
        self._tail = tail
        self._panes: Sequence[PaneState] = ()
        self._now = 0.0
        self._layout = "fit"
        self._places: Places = arrange(80, 24, 0)
        self._views: dict[int, PaneView] = {}
        self._rows: dict[int, list[Strip]] = {}
        self._joined: dict[int, Strip] = {}
        """Rows of the canvas, over all panes side by side."""
        self._arranged_for = Size(0, 0)
        self._is_painting = False
        self._why_key = ""
        self._held: dict[str, tuple[str, int]] = {}
        """Panes that were scrolled back: the stream and the first line of it that is shown, by run."""

    @property
    def chosen(self) -> Run | None:
        """The run of the highlighted pane; None: there is none, or it is of a build that is not ours."""
        pane = self._panes[self.selected] if self.selected < len(self._panes) else None
        return pane.run if pane is not None and pane.foreign is None else None

    @property
    def guest(self) -> ForeignView | None:
        """The build of the highlighted pane where it is not ours."""
        return self._panes[self.selected].foreign if self.selected < len(self._panes) else None

    @property
    def columns(self) -> int:
        """Panes side by side."""
        return self._places.columns

    @property
    def hidden_below(self) -> int:
        """Panes below the visible part."""
        bottom = self.scroll_offset.y + self.size.height
        return sum(slot.y >= bottom for slot in self._places.slots)

    def show(self, panes: Sequence[PaneState], now: float, why_key: str = "") -> None:
        """Show these panes at this moment; what did not change is not painted. `why_key`: tells of findings."""
        before, self._panes, self._now, self._why_key = self._panes, panes, now, why_key
        if [pane.run.agent for pane in panes] != [pane.run.agent for pane in before]:
            self._keep_selected(before)
            self._arrange()
        self._redraw()

    def lay_out(self, layout: str) -> None:
        """Arrange the panes so: `fit`, `list`, or how many columns."""
        if layout != self._layout:
            self._layout = layout
            self._arrange()
            self._redraw()

    def _keep_selected(self, before: Sequence[PaneState]) -> None:
        """The same agent stays highlighted where panes came or went; where it went, its place. A build that is not ours
        was chosen by nobody where there was no other: the first agent takes its place."""
        agents = [pane.run.agent for pane in self._panes]
        if before and all(pane.foreign is not None for pane in before):
            before = ()
            self.set_reactive(PaneGrid.selected, 0)
        chosen = before[self.selected].run.agent if self.selected < len(before) else ""
        last = max(0, len(agents) - 1)
        self.set_reactive(PaneGrid.selected, agents.index(chosen) if chosen in agents else min(self.selected, last))

    def select_run(self, run: str) -> bool:
        """Highlight the pane of a run; False: there is none."""
        for index, pane in enumerate(self._panes):
            if pane.run.run == run:
                self.selected = index
                return True
        return False

    def on_resize(self) -> None:
        if self._arranged_for != self.scrollable_content_region.size:
            self._arrange()
            self._redraw()
        elif self._places.height > self._arranged_for.height:
            self.refresh(layout=True)  # for its scroll bar

    def forget_drawn(self) -> None:
        self._views.clear()
        self._joined.clear()
        if self.is_mounted:
            self._redraw()

    def watch_selected(self, selected: int) -> None:
        self._redraw()
        if selected < len(self._places.slots):
            self._scroll_into_view(self._places.slots[selected])
        self.post_message(self.Selected())

    def _scroll_into_view(self, slot: Slot) -> None:
        top, room = self.scroll_offset.y, self.size.height
        wanted = min(max(top, slot.y + slot.height - room), slot.y)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, immediate=True, force=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._redraw()

    def move(self, columns: int, rows: int) -> None:
        """Highlight the neighbour to the right, left, above or below."""
        wanted = self.selected + columns + rows * self._places.columns
        if 0 <= wanted < len(self._panes):
            self.selected = wanted

    def step(self, by: int) -> None:
        """Highlight the next or previous pane, round the end."""
        if self._panes:
            self.selected = (self.selected + by) % len(self._panes)

    def _pane_under(self, event: events.MouseEvent) -> tuple[int, int] | None:
        """Index of the pane under the pointer, and the row of it."""
        place = event.get_content_offset(self)
        if place is None:
            return None
        x, y = place.x, place.y + self.scroll_offset.y
        for index, slot in enumerate(self._places.slots[: len(self._panes)]):
            if slot.x <= x < slot.x + slot.width and slot.y <= y < slot.y + slot.height:
                return index, y - slot.y
        return None

    def on_click(self, event: events.Click) -> None:
        if (found := self._pane_under(event)) is not None:
            self.selected = found[0]
            if event.chain > 1:
                self.post_message(self.Opened(self._panes[found[0]].run.run))

    def _on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        if self._scroll_log(event, -WHEEL_LINES):
            event.stop()
            event.prevent_default()

    def _on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        if self._scroll_log(event, WHEEL_LINES):
            event.stop()
            event.prevent_default()

    def _scroll_log(self, event: events.MouseEvent, by: int) -> bool:
        """Scroll the log of the pane under the pointer, without choosing it; False: the board scrolls instead."""
        found = self._pane_under(event)
        if found is None:
            return False
        index, row = found
        run, slot = self._panes[index].run, self._places.slots[index]
        if self._panes[index].foreign is not None:
            return False
        first_row, rows = log_rows(slot.height, has_finding=loud(run.findings) is not None)
        stream, at = self._held.get(run.run) or (self._tail.last_written(run), -1)
        last = self._tail.line_count(run, stream) - rows
        at = last if at < 0 else at
        if row < first_row or rows <= 0 or last <= 0 or (by > 0 and at >= last):
            return False
        self._held[run.run] = stream, max(0, at + by)
        if at + by >= last:
            del self._held[run.run]
        self._redraw()
        return True

    def render_lines(self, crop: Region) -> list[Strip]:
        if self._arranged_for != self.scrollable_content_region.size:
            self._arrange_while_painting()
        return super().render_lines(crop)

    def _arrange_while_painting(self) -> None:
        """The first paint comes before the first resize: without this it would be blank, and a second one needed."""
        self._is_painting = True
        self._arrange()
        self._redraw()
        self._is_painting = False

    def render_line(self, y: int) -> Strip:
        if not self._views:
            self._redraw()
        row = y + self.scroll_offset.y
        strip = self._joined.get(row)
        if strip is None:
            strip = self._joined[row] = self._join(row)
        return strip

    def _join(self, row: int) -> Strip:
        parts = [
            self._rows[index][row - slot.y]
            for index, slot in enumerate(self._places.slots)
            if slot.y <= row < slot.y + slot.height and index in self._rows
        ]
        return Strip.join(parts).adjust_cell_length(self.size.width, self.base) if parts else self.blank()

    def _arrange(self) -> None:
        room = self._arranged_for = self.scrollable_content_region.size
        guests = sum(pane.foreign is not None for pane in self._panes)
        places = arrange(room.width, room.height, len(self._panes) - guests, self._layout)
        self.set_class(bool(guests) and places.height <= room.height, "-guests")  # no bar for them: it takes a column
        self._places = with_guests(places, room.width, guests)
        self._views.clear()
        self._rows.clear()
        self._joined.clear()
        size = Size(room.width, self._places.height)
        if self._is_painting:
            self.set_reactive(PaneGrid.virtual_size, size)
        else:
            self.virtual_size = size
            self.refresh()

    def _redraw(self) -> None:
        """Draw the visible panes that changed; ask for a repaint of their changed rows."""
        top = self.scroll_offset.y
        for index, slot in enumerate(self._places.slots[: len(self._panes)]):
            if slot.y + slot.height > top and slot.y < top + self.size.height:
                self._redraw_pane(index, slot)

    def _redraw_pane(self, index: int, slot: Slot) -> None:
        view = self._view(index, slot)
        if self._views.get(index) == view:
            return
        self._views[index] = view
        before = self._rows.get(index, ())
        rows = draw(view, slot.width, slot.height, self.look)
        self._rows[index] = rows
        for offset, strip in enumerate(rows):
            start, end = changed_cells(before[offset], strip) if offset < len(before) else (0, slot.width)
            if start < end:
                self._joined.pop(slot.y + offset, None)
                if self._is_painting:
                    continue
                self.refresh(Region(slot.x + start, slot.y + offset - self.scroll_offset.y, end - start, 1))

    def _view(self, index: int, slot: Slot) -> PaneView:
        pane = self._panes[index]
        run = pane.run
        tail, below = self._lines_of(run, slot.height) if pane.foreign is None else ((), None)
        return PaneView(
            number=pane.number, run=run, others=pane.others, tail=tail, lines_below=below,
            eta_s=pane.eta_s, now=whole_second(run, self._now),
            is_selected=index == self.selected, is_old=pane.is_old, pending=pane.pending, waits=pane.waits,
            warning=pane.warning, advice=pane.advice, worse=pane.worse,
            alive=pane.alive, is_watched=pane.is_watched, foreign=pane.foreign, why_key=self._why_key,
        )  # fmt: skip

    def _lines_of(self, run: Run, height: int) -> tuple[tuple[str, ...], int | None]:
        """What a pane shows of its log, and how many lines come below that; None: it shows the end."""
        rows = log_rows(height, has_finding=loud(run.findings) is not None)[1]
        if rows <= 0:
            return (), None
        if run.run not in self._held:
            return self._tail(run, height), None
        stream, first = self._held[run.run]
        lines = self._tail.lines(run, stream, first, rows - 1)
        return lines, max(0, self._tail.line_count(run, stream) - first - rows + 1)


def changed_cells(before: Strip, after: Strip) -> tuple[int, int]:
    """From which cell to which a row is another; the same number twice: it is not."""
    if before is after:
        return 0, 0
    old, new = list(before), list(after)
    start = 0
    while old and new and old[0] == new[0]:
        start += new.pop(0).cell_length
        old.pop(0)
    end = max(before.cell_length, after.cell_length)
    while old and new and old[-1] == new[-1]:
        end -= new.pop().cell_length
        old.pop()
    return (start, end) if old or new else (0, 0)
