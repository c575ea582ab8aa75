"""The part of a log panel that searches, for what is typed or for errors, and shows only what was found."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer

from core.clock import monotonic
from core.errors_in_logs import ERRORS
from core.finder import Finder
from core.search import Search, SearchError, compile_pattern
from tui.format import cut_name
from tui.timers import later
from tui.widgets.ansi import safe
from tui.widgets.log_canvas import LogCanvas
from tui.widgets.log_lines import LineStore
from tui.widgets.log_view import LogView, Stand
from tui.widgets.look import Glyphs
from tui.widgets.prompt import Prompt
from tui.widgets.status_line import Part, StatusLine

_TYPED_S = 0.006
"""After the last of keys that come together a search begins."""
_SAY_S = 0.1
"""Between two counts that are said while a search goes on."""
_NEXT_STEP_S = 0.001
"""Between two steps of a search: keys and paints come first."""
_MOST_DIGITS = 18
"""Of a line's number; Python refuses to read thousands."""
_LEAST_TEXT = 8
"""Cells of what is searched, where it is said how often it was found."""
_CASES = (None, True, False)
_CASE_WORDS = {None: "", True: "  Aa", False: "  aa"}


class SearchPanel(Vertical):
    """A log, a prompt, and a line below; work is done in steps of some milliseconds."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self.text = ""
        """What is searched; empty: nothing."""
        self._trouble = ""
        self._finder: Finder | None = None
        """Of what was typed."""
        self._errors: Finder | None = None
        self._case: bool | None = None
        self._origin = 0
        """The line where one was when the search began."""
        self._stand: Stand | None = None
        """What was seen then."""
        self._typed = ""
        self._typing: Timer | None = None
        self._is_working = False
        self._said_at = 0.0

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
    def found_lines(self) -> Sequence[int]:
        """Numbers of the lines that were found so far, ascending."""
        return self._finder.search.lines if self._finder is not None else ()

    @property
    def store(self) -> LineStore | None:
        """The lines."""
        return None

    def say(self) -> None:
        """Say below the log where one is."""
        self._said_at = monotonic()

    def action_search(self) -> None:
        self._origin, self._stand = self.view.here, self.view.stand
        self.prompt.ask("search", "/")

    def action_line(self) -> None:
        self.prompt.ask("line", "line ")

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        event.stop()
        if event.kind == "search":
            self._typed = event.text
            if self._typing is not None:
                self._typing.stop()
            self._typing = later(self, _TYPED_S, self._search_typed)

    def _search_typed(self) -> None:
        """Go to the first match of what has been typed, from where one was."""
        self._typing = None
        self.search_for(self._typed)
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
            self.search_for("")
            if self._stand is not None:
                self.view.come_back(self._stand)
        self.say()

    def _go_to_number(self, text: str) -> None:
        number, last = text.strip().replace(",", ""), self.view.line_count
        if number.isdecimal() and len(number) <= _MOST_DIGITS and 1 <= int(number) <= last:
            self.view.go_to(int(number) - 1)
        elif number:
            self.notify(f"There are lines 1 to {last:,}.", severity="warning")

    def search_for(self, text: str) -> None:
        """Search another pattern; an empty one ends the search."""
        self.text, self._trouble, self._finder = text, "", None
        if self.view.is_filtered:
            self.view.show_only(None)
        pattern, store = None, self.store
        if text and store is not None:
            try:
                pattern = compile_pattern(text, is_case_sensitive=self._case)
                self._finder = Finder(Search(store, pattern, self._origin))
            except SearchError as error:
                self._trouble = str(error)
        self.view.highlight(pattern)
        self.work_soon()
        self.say()

    def action_found(self, way: int) -> None:
        if self._finder is None:
            self.notify("Nothing is searched: / begins.")
            return
        self._go(self._finder, way)

    def action_error(self, way: int) -> None:
        if self._errors is None and self.store is not None:
            self._errors = Finder(Search(self.store, ERRORS, self.view.here))
        if self._errors is not None:
            self._go(self._errors, way)

    def _go(self, finder: Finder, way: int) -> None:
        """Go to the next or previous line that a finder finds."""
        view = self.view
        is_at_current = view.here == view.current
        finder.want(view.here + 1 if way > 0 and is_at_current else view.here, way)
        self.work_soon()

    def action_case(self) -> None:
        self._case = _CASES[(_CASES.index(self._case) + 1) % len(_CASES)]
        self.search_for(self.text)

    def action_filter(self) -> None:
        if self.view.is_filtered:
            self.view.show_only(None)
        elif self._finder is None:
            self.notify("Nothing is searched: / begins, then \\ shows only what was found.")
        else:
            self.view.show_only(self._finder.search.lines)
        self.say()

    def work_soon(self) -> None:
        if not self._is_working:
            self._is_working = True
            later(self, _NEXT_STEP_S, self._work)

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
            self.work_soon()
        if line is not None or not self._is_working or monotonic() - self._said_at >= _SAY_S:
            self.say()

    @staticmethod
    def _work_on(finder: Finder | None) -> int | None:
        """A step of one search; the line to go to, if one was wanted and is found."""
        return finder.work() if finder is not None and finder.is_busy else None

    def on_log_canvas_pattern_failed(self, event: LogCanvas.PatternFailed) -> None:
        event.stop()
        if self.view.pattern is None:
            self._give_up(event.why)

    def search_again(self) -> None:
        """Another log, or lines have other numbers: part of it was cut out."""
        self._errors = self._finder = None
        if self.text:
            self.search_for(self.text)

    def _give_up(self, why: str) -> None:
        self._finder, self._trouble = None, why
        self.view.highlight(None)
        self.say()

    def said_of_search(self) -> Sequence[Part]:
        """What is searched, and how many lines were found."""
        if not self.text:
            return [Part(" ", "text")]
        text = cut_name(safe(self.text), max(_LEAST_TEXT, self.size.width // 3))
        said = [Part(f" /{text}{_CASE_WORDS[self._case]}  ", "title")]
        if self._trouble or self._finder is None:
            return [*said, Part(cut_name(safe(self._trouble), self.size.width // 2) + "   ", "failed")]
        search = self._finder.search
        rank = search.rank(self.view.current) if self.view.current is not None else 0
        more = "" if search.is_done else "+"
        found = f"{rank:,} of {len(search.lines):,}{more}" if search.lines else "searching" if more else "not found"
        return [*said, Part(f"{found}   ", "text" if search.lines or more else "waiting")]
