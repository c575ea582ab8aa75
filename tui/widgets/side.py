"""What stands beside the log of a run: seven pages, one of them shown."""

from types import ModuleType
from typing import NamedTuple

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from tui.pages import cache, crates, errors, plan, processes, tests, why
from tui.pages.scene import Content, Scene
from tui.widgets.look import Glyphs
from tui.widgets.status_line import Part, StatusLine
from tui.widgets.table_view import TableView
from tui.widgets.text_view import TextView


class Page(NamedTuple):
    """One of them."""

    name: str
    word: str
    module: ModuleType
    """Has `content(scene)` and `detail(scene, key)`."""


PAGES = (
    Page("crates", "Crates", crates), Page("errors", "Errors", errors), Page("tests", "Tests", tests),
    Page("plan", "Plan", plan), Page("why", "Why", why), Page("processes", "Processes", processes),
    Page("cache", "Cache", cache),
)  # fmt: skip
NAMES = tuple(page.name for page in PAGES)
_FORMS = ("{number} {word}", "{word}", "{number}")


class Side(Vertical):
    """Tabs, a line of numbers, a list, and the chosen row in full."""

    class RowChosen(Message):
        """Another row of a page is chosen."""

        def __init__(self, page: str, key: str) -> None:
            super().__init__()
            self.page, self.key = page, key

    class RowOpened(RowChosen):
        """A row was asked for."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(id="side")
        self._glyphs = glyphs
        self.page = NAMES[0]
        """Which one is shown."""
        self.scene: Scene | None = None
        self._shown: tuple[str, Scene] | None = None

    def compose(self) -> ComposeResult:
        yield StatusLine(self._glyphs, id="side-tabs")
        yield StatusLine(self._glyphs, id="side-summary")
        for page in PAGES:
            table = TableView(self._glyphs, (), id=f"page-{page.name}")
            table.display = page.name == self.page
            yield table
        yield TextView(self._glyphs, id="side-detail")

    @property
    def table(self) -> TableView:
        """The list that is shown."""
        return self.query_one(f"#page-{self.page}", TableView)

    @property
    def text(self) -> TextView:
        """The chosen row in full."""
        return self.query_one("#side-detail", TextView)

    def show_page(self, name: str) -> None:
        """Show another page; the focus stays in the list where it was in one."""
        if name == self.page:
            return
        had_focus, before = self.table.has_focus, self.table
        self.page = name
        self.table.display = True
        if had_focus:
            self.table.focus()
        before.display = False
        self._say_tabs()
        self.redraw()

    def show(self, scene: Scene) -> None:
        """Show a run at a moment; nothing is done where nothing changed, nor for pages that are not seen."""
        self.scene = scene._replace(width=self.table.scrollable_content_region.width)
        if self.display and self.size.width:
            self._draw()

    def on_resize(self) -> None:
        self._say_tabs()
        self.redraw()

    def redraw(self) -> None:
        """Show what it has, at its size of now."""
        if self.scene is not None:
            self.show(self.scene)

    def _draw(self) -> None:
        scene = self.scene
        if scene is None or (self.page, scene) == self._shown:
            return
        self._shown = self.page, scene
        content: Content = self._module.content(scene)
        self.query_one("#side-summary", StatusLine).say(content.summary)
        self.table.set_columns(content.columns)
        self.table.say_empty(content.empty)
        self.table.show(content.rows)
        self._show_detail()

    @property
    def _module(self) -> ModuleType:
        return PAGES[NAMES.index(self.page)].module

    def _show_detail(self) -> None:
        if self.scene is not None:
            self.text.show(self._module.detail(self.scene, self.table.chosen))

    def _say_tabs(self) -> None:
        """Numbers and words, else words, else numbers and the word of the one that is shown."""
        lines = [tuple(self._tab(form, number, page) for number, page in enumerate(PAGES, 1)) for form in _FORMS]
        width = self.size.width
        fitting = (line for line in lines if sum(cell_len(part.text) for part in line) <= width)
        self.query_one("#side-tabs", StatusLine).say(next(fitting, lines[-1]))

    def _tab(self, form: str, number: int, page: Page) -> Part:
        is_lit = page.name == self.page
        text = (_FORMS[0] if is_lit and form == _FORMS[-1] else form).format(number=number, word=page.word)
        return Part(f" {text}", "lit" if is_lit else "dim", f"screen.side({page.name!r})")

    def on_table_view_selected(self, event: TableView.Selected) -> None:
        event.stop()
        if event.table is self.table:
            self._show_detail()
            self.post_message(self.RowChosen(self.page, event.key))

    def on_table_view_opened(self, event: TableView.Opened) -> None:
        event.stop()
        self.post_message(self.RowOpened(self.page, event.key))
