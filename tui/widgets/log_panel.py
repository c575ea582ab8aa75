"""A log with all that one does in it: follow, search, filter, go to errors, mark, copy, wrap."""

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer

from core.clock import monotonic
from core.errors_in_logs import ERRORS
from core.finder import Finder
from core.search import Search, SearchError, compile_pattern
from tui.bindings import LOG, bindings
from tui.format import cut_name, cut_path, many
from tui.widgets.ansi import safe
from tui.widgets.log_canvas import LineStore, LogCanvas
from tui.widgets.log_view import LogView
from tui.widgets.look import Glyphs
from tui.widgets.prompt import Prompt
from tui.widgets.status_line import Part, StatusLine

_TYPED_S = 0.006
"""After the last of keys that come together a search begins."""
_SAY_S = 0.1
"""Between two counts that are said while a search goes on."""
_NEXT_STEP_S = 0.001
"""Between two steps of a search: keys and paints come first."""
_CASES = (None, True, False)
_CASE_WORDS = {None: "", True: "  Aa", False: "  aa"}


class LogSource(NamedTuple):
    """A log, and what is said of it."""

    store: LineStore
    path: str
    """Where it lies; empty: it is not one file."""
    name: str = ""
    """Said before the path: `stderr`."""
    stamp: Callable[[int], str] | None = None
    """When a line came, in a fixed width; None: nobody knows."""


class LogPanel(Vertical):
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

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._source: LogSource | None = None
        self._finder: Finder | None = None
        """Of what was typed."""
        self._errors: Finder | None = None
        self._case: bool | None = None
        self._text = ""
        self._trouble = ""
        self._origin = 0
        self._left_at = 0
        """How many lines there were when the end was left."""
        self._is_working = False
        self._typed = ""
        self._typing: Timer | None = None
        self._said_at = 0.0
        self.is_live = True
        """Its end may move."""

    def compose(self) -> ComposeResult:
        yield LogView(self._glyphs)
        yield Prompt()
        yield StatusLine(self._glyphs, id="where")

    @property
    def view(self) -> LogView:
        """The log itself."""
        return self.query_one(LogView)

    @property
    def prompt(self) -> Prompt:
        """Where one types."""
        return self.query_one(Prompt)

    @property
    def line_count(self) -> int:
        """Lines there are."""
        return self.view.line_count

    def open(self, source: LogSource) -> None:
        """Show another log, at its end."""
        self._source, self._errors, self._finder = source, None, None
        self._trouble = ""
        shows_times = self.view.stamp is not None
        self.view.stamp = source.stamp if shows_times else None
        self.view.open(source.store)
        if self._text:
            self._search_for(self._text)
        self._say()

    def grow(self) -> None:
        """Look whether the log got longer."""
        before = self.view.line_count
        self.view.grow()
        if self.view.line_count < before:
            self._begin_again()
        if self.view.line_count != before:
            self._work_soon()
        self._say()

    def times_came(self) -> None:
        """It is known when some more of the lines came."""
        if self.view.stamp is not None:
            self.view.redraw()

    def go_to(self, line: int) -> None:
        """Make a line the current one and show it."""
        self.view.go_to(line)
        self._say()

    def _begin_again(self) -> None:
        """Lines have other numbers: part of the log was cut out."""
        self._errors = None
        if self._text:
            self._search_for(self._text)

    # Search

    def action_search(self) -> None:
        self._origin = self.view.here
        self.prompt.ask("search", "/")

    def action_line(self) -> None:
        self.prompt.ask("line", "line ")

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        event.stop()
        if event.kind == "search":
            self._typed = event.text
            if self._typing is not None:
                self._typing.stop()
            self._typing = self.set_timer(_TYPED_S, self._search_typed)

    def _search_typed(self) -> None:
        """Go to the first match of what has been typed, from where one was."""
        self._typing = None
        self._search_for(self._typed)
        if self._finder is not None:
            self._finder.want(self._origin, 1)

    def on_prompt_closed(self, event: Prompt.Closed) -> None:
        event.stop()
        self.view.focus()
        if self._typing is not None:
            self._typing.stop()
            self._search_typed()
        if event.kind == "line":
            self._go_to_number(event.text or "")
        elif event.text is None:
            self._search_for("")
            self.view.go_to(self._origin)
        self._say()

    def _go_to_number(self, text: str) -> None:
        number = text.strip().replace(",", "")
        if number.isdigit() and 1 <= int(number) <= self.view.line_count:
            self.view.go_to(int(number) - 1)
        elif number:
            self.notify(f"There are lines 1 to {self.view.line_count:,}.", severity="warning")

    def _search_for(self, text: str) -> None:
        """Search another pattern; an empty one ends the search."""
        self._text, self._trouble, self._finder = text, "", None
        if self.view.is_filtered:
            self.view.show_only(None)
        pattern = None
        if text and self._source is not None:
            try:
                pattern = compile_pattern(text, is_case_sensitive=self._case)
                self._finder = Finder(Search(self._source.store, pattern, self._origin))
            except SearchError as error:
                self._trouble = str(error)
        self.view.highlight(pattern)
        self._work_soon()
        self._say()

    def action_found(self, way: int) -> None:
        if self._finder is None:
            self.notify("Nothing is searched: / begins.")
            return
        self._go(self._finder, way)

    def action_error(self, way: int) -> None:
        if self._source is None:
            return
        if self._errors is None:
            self._errors = Finder(Search(self._source.store, ERRORS, self.view.here))
        self._go(self._errors, way)

    def _go(self, finder: Finder, way: int) -> None:
        """Go to the next or previous line that a finder finds."""
        view = self.view
        is_at_current = view.here == view.current
        finder.want(view.here + 1 if way > 0 and is_at_current else view.here, way)
        self._work_soon()

    def action_case(self) -> None:
        self._case = _CASES[(_CASES.index(self._case) + 1) % len(_CASES)]
        self._search_for(self._text)

    def action_filter(self) -> None:
        if self.view.is_filtered:
            self.view.show_only(None)
        elif self._finder is None:
            self.notify("Nothing is searched: / begins, then \\ shows only what was found.")
        else:
            self.view.show_only(self._finder.search.lines)
        self._say()

    def _work_soon(self) -> None:
        if not self._is_working:
            self._is_working = True
            self.set_timer(_NEXT_STEP_S, self._work)

    def _work(self) -> None:
        """A step of what is being searched; the next one soon, while there is more."""
        self._is_working = False
        try:
            top = self.view.top_line
            line = self._work_on(self._finder)
            self.view.lines_found(top)
            if line is None:
                line = self._work_on(self._errors)
        except SearchError as error:
            self._give_up(str(error))
            return
        if line is not None:
            self.view.go_to(line)
        if self._errors is not None and self._errors.is_vain:
            self._errors.is_vain = False
            self.notify("No error in this log.")
        if any(finder is not None and finder.is_busy for finder in (self._finder, self._errors)):
            self._work_soon()
        if line is not None or not self._is_working or monotonic() - self._said_at >= _SAY_S:
            self._say()

    @staticmethod
    def _work_on(finder: Finder | None) -> int | None:
        """A step of one search; the line to go to, if one was wanted and is found."""
        return finder.work() if finder is not None and finder.is_busy else None

    def _give_up(self, why: str) -> None:
        self._finder, self._trouble = None, why
        self.view.highlight(None)
        self._say()

    # Where one is

    def _say(self) -> None:
        """The line below the log."""
        self._said_at = monotonic()
        left = (*self._said_of_search(), *self._said_of_place())
        source = self._source
        count = many(self.view.line_count, "line").replace(str(self.view.line_count), f"{self.view.line_count:,}", 1)
        if self.view.is_filtered:
            count = f"{self.view.count:,} of {count}"
        room = self.size.width - sum(len(part.text) for part in left) - len(count) - 4
        right = [Part(f"{count} ", "dim")]
        if source is not None and source.path and room > 12:
            right.insert(0, Part(cut_path(safe(source.path), room) + "  ", "dim"))
        self.query_one("#where", StatusLine).say(left, tuple(right))

    def _said_of_place(self) -> Sequence[Part]:
        view, name = self.view, self._source.name if self._source is not None else ""
        parts = [Part(f"{name}  ", "text")] if name else []
        if view.selection is not None:
            first, last = view.selection.first.line, view.selection.last.line
            return [*parts, Part(f"{many(last - first + 1, 'line')} selected: y copies   ", "strong")]
        if view.is_following:
            self._left_at = view.line_count
            return [*parts, Part("follows the end   " if self.is_live else "end of the log   ", "dim")]
        new = view.line_count - self._left_at
        if new > 0 and not view.is_filtered:
            parts.append(Part(f"{new:,} new line{'' if new == 1 else 's'} {self._glyphs.down}   ", "lit", "follow"))
        else:
            parts.append(Part(f"{view.lines_below:,} more below   ", "strong"))
        return parts

    def _said_of_search(self) -> Sequence[Part]:
        if not self._text:
            return [Part(" ", "text")]
        said = [Part(f" /{safe(self._text)}{_CASE_WORDS[self._case]}  ", "title")]
        if self._trouble or self._finder is None:
            return [*said, Part(cut_name(safe(self._trouble), self.size.width // 2) + "   ", "failed")]
        search = self._finder.search
        rank = search.rank(self.view.current) if self.view.current is not None else 0
        more = "" if search.is_done else "+"
        found = f"{rank:,} of {len(search.lines):,}{more}" if search.lines else "searching" if more else "not found"
        return [*said, Part(f"{found}   ", "text" if search.lines or more else "waiting")]

    def on_log_canvas_moved(self, event: LogCanvas.Moved) -> None:
        event.stop()
        self._say()

    # Moving and looking

    def action_follow(self) -> None:
        self.view.clear_selection()
        self.view.follow()

    def action_home(self) -> None:
        self.view.leave_end()
        self.view.move(-self.view.count - 1)

    def action_scroll(self, rows: int) -> None:
        if self.view.selection is not None and self.view.selection.is_lines:
            self.view.extend_selection(rows)
        else:
            self.view.move(rows)
        self._say()

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
        self.view.show_stamps(None if self.view.stamp is not None else stamp)

    def action_mark(self) -> None:
        self.view.toggle_mark()

    def action_next_mark(self) -> None:
        if not self.view.go_to_next_mark():
            self.notify("No line is marked: m marks the current one.")

    def action_select(self) -> None:
        self.view.select_lines()
        self._say()

    def action_copy(self) -> None:
        if self.view.selection is None and self.view.current is None:
            self.notify("Nothing is selected: drag with the mouse, or v and j, then y.")
            return
        self.post_message(self.CopyAsked(self.view.selected_text(), self._source.path if self._source else ""))
        self.view.clear_selection()

    def action_copy_all(self) -> None:
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
        elif self._text:
            self._search_for("")
        else:
            return False
        self._say()
        return True
