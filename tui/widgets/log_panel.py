"""A log with all that one does in it: follow, search, filter, go to errors, mark, copy, wrap."""

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from textual.binding import Binding
from textual.message import Message

from tui.bindings import LOG, bindings
from tui.format import cut_path, many
from tui.widgets.ansi import safe
from tui.widgets.log_canvas import LogCanvas
from tui.widgets.log_lines import LineStore
from tui.widgets.log_search import SearchPanel
from tui.widgets.look import Glyphs
from tui.widgets.status_line import Part, StatusLine


class LogSource(NamedTuple):
    """A log, and what is said of it."""

    store: LineStore
    path: str
    """Where it lies; empty: it is not one file."""
    name: str = ""
    """Said before the path: `stderr`."""
    stamp: Callable[[int], str] | None = None
    """When a line came, in a fixed width; None: nobody knows."""
    label: Callable[[int], tuple[str, str]] | None = None
    """Whose a line is, in a fixed width, and the role of that; None: all are of one."""


class LogPanel(SearchPanel):
    """A log, a line below it that says where one is, and a prompt."""

    BINDINGS: ClassVar[list[Binding]] = bindings(LOG)  # type: ignore[assignment]

    class CopyAsked(Message):
        """Text should be copied; None: it is more than can be."""

        def __init__(self, text: str | None, path: str) -> None:
            super().__init__()
            self.text, self.path = text, path

    class BareAsked(Message):
        """Text alone should be shown, or not any more."""

        def __init__(self, is_bare: bool) -> None:
            super().__init__()
            self.is_bare = is_bare

    class OpenAsked(Message):
        """The log should be opened at a line, in the pager or the editor."""

        def __init__(self, program: str, line: int, source: LogSource) -> None:
            super().__init__()
            self.program, self.line, self.source = program, line, source

    def __init__(self, glyphs: Glyphs, *, wraps: bool = False, shows_times: bool = False) -> None:
        """A panel without a log; `open` gives it one. Long lines are wrapped, times shown, from the start on or not."""
        super().__init__(glyphs)
        self._wraps, self._shows_times = wraps, shows_times
        self._source: LogSource | None = None
        self._left_at = 0
        """How many lines there were when the end was left."""
        self.is_live = True
        """Its end may move."""

    def on_mount(self) -> None:
        self.view.wraps = self._wraps

    def on_resize(self) -> None:
        self.say()

    @property
    def store(self) -> LineStore | None:
        return self._source.store if self._source is not None else None

    @property
    def line_count(self) -> int:
        """Lines there are."""
        return self.view.line_count

    def open(self, source: LogSource) -> None:
        """Show another log, at its end."""
        self._source = source
        self.view.stamp = source.stamp if self._shows_times else None
        self.view.label = source.label
        self.view.open(source.store)
        self.search_again()
        self.say()

    def grow(self) -> None:
        """Look whether the log got longer."""
        before = self.view.line_count
        self.view.grow()
        if self.view.line_count < before:
            self.search_again()
        if self.view.line_count != before:
            self.work_soon()
        self.say()

    def times_came(self) -> None:
        """It is known when some more of the lines came."""
        if self.view.stamp is not None:
            self.view.redraw()

    def go_to(self, line: int) -> None:
        """Make a line the current one and show it."""
        self.view.go_to(line)
        self.say()

    # Where one is

    def say(self) -> None:
        super().say()
        left = (*self.said_of_search(), *self._said_of_place())
        source = self._source
        count = many(self.view.line_count, "line").replace(str(self.view.line_count), f"{self.view.line_count:,}", 1)
        if self.view.is_filtered:
            count = f"{self.view.count:,} of {count}"
        room = self.size.width - sum(cell_len(part.text) for part in left) - len(count) - 4
        right = [Part(f"{count} ", "dim")]
        if source is not None and source.path and room > 12:
            right.insert(0, Part(cut_path(safe(source.path), room) + "  ", "dim"))
        self.query_one("#where", StatusLine).say(left, tuple(right))

    def _said_of_place(self) -> Sequence[Part]:
        view, name = self.view, self._source.name if self._source is not None else ""
        parts = [Part(f"{name}  ", "text")] if name else []
        if view.selection is not None:
            return [*parts, Part(f"{many(view.selected_line_count, 'line')} selected: y copies   ", "strong")]
        if view.is_following:
            self._left_at = view.line_count
            return [*parts, Part("follows the end   " if self.is_live else "end of the log   ", "dim")]
        new = view.line_count - self._left_at
        if new > 0 and not view.is_filtered:
            parts.append(
                Part(f"{new:,} new line{'' if new == 1 else 's'} {self._glyphs.down}   ", "lit", "app.press('f')")
            )
        else:
            parts.append(Part(f"{view.lines_below:,} more below   ", "strong"))
        return parts

    def on_log_canvas_moved(self, event: LogCanvas.Moved) -> None:
        event.stop()
        self.say()

    # Moving and looking

    def action_follow(self) -> None:
        self.view.clear_selection()
        self.view.follow()

    def action_home(self) -> None:
        self.view.go_home()

    def action_scroll(self, rows: int) -> None:
        if self.view.selection is not None and self.view.selection.is_lines:
            self.view.extend_selection(rows)
        else:
            self.view.move(rows)
        self.say()

    def action_page(self, pages: int) -> None:
        self.action_scroll(pages * max(1, self.view.size.height - 1))

    def action_sideways(self, steps: int) -> None:
        self.view.sideways(steps)

    def action_wrap(self) -> None:
        self.view.show_wrapped(not self.view.wraps)

    def action_times(self) -> None:
        stamp = self._source.stamp if self._source is not None else None
        if stamp is None:
            self.notify("When these lines came is not known.")
        self._shows_times = self.view.stamp is None and stamp is not None
        self.view.show_stamps(stamp if self._shows_times else None)

    def action_mark(self) -> None:
        self.view.toggle_mark()

    def action_next_mark(self) -> None:
        if not self.view.go_to_next_mark():
            self.notify("No line is marked: m marks the current one.")

    def action_select(self) -> None:
        self.view.select_lines()
        self.say()

    def action_copy(self) -> None:
        if self.view.selection is None and self.view.current is None:
            self.notify("Nothing is selected: drag with the mouse, or v and j, then y.")
            return
        self.post_message(self.CopyAsked(self.view.selected_text(), self._source.path if self._source else ""))
        self.view.clear_selection()

    def action_copy_all(self) -> None:
        if not self.view.count:
            self.notify("There is no line to copy.")
            return
        self.post_message(self.CopyAsked(self.view.all_text(), self._source.path if self._source else ""))

    def action_bare(self) -> None:
        is_bare = not self.view.is_bare
        self.view.show_bare(is_bare)
        self.query_one("#where").display = not is_bare
        self.post_message(self.BareAsked(is_bare))

    def action_pager(self) -> None:
        self._open_in("pager")

    def action_editor(self) -> None:
        self._open_in("editor")

    def _open_in(self, program: str) -> None:
        if self._source is not None:
            self.post_message(self.OpenAsked(program, self.view.here, self._source))

    def step_back(self) -> bool:
        """Undo the last thing that Escape undoes; False: there is none."""
        if self.view.is_bare:
            self.action_bare()
        elif self.view.selection is not None:
            self.view.clear_selection()
        elif self.view.is_filtered:
            self.action_filter()
        elif self.text:
            self.search_for("")
        else:
            return False
        self.say()
        return True
