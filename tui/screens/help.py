"""All keys: those of the screen below first; typing finds one."""

from collections.abc import Iterator
from itertools import groupby
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from tui.bindings import HELP, Key, bindings
from tui.screens.dialog import Dialog
from tui.widgets.scroll_bar import draw_in_ascii

_LABEL_COLUMNS = 9


class HelpScreen(Dialog[None]):
    """Keys of the screen below, then those that work everywhere."""

    BINDINGS: ClassVar[list[Binding]] = bindings(HELP)  # type: ignore[assignment]

    def __init__(self, keys: tuple[Key, ...], *, is_ascii: bool = False) -> None:
        super().__init__()
        self._is_ascii = is_ascii
        self._keys = keys

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog help"):
            yield Input(placeholder="type to find a key", id="wanted", compact=True)
            with VerticalScroll(can_focus=False):
                yield Static(self._content(""), id="found")

    def on_mount(self) -> None:
        if self._is_ascii:
            draw_in_ascii(self.query_one(VerticalScroll))
        self.query_one("#wanted").focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one("#found", Static).update(self._content(event.value))
        self.query_one(VerticalScroll).scroll_home(animate=False)

    def on_input_submitted(self) -> None:
        self.dismiss()

    def _content(self, wanted: str) -> Content:
        lines = list(_lines(self._matching(wanted), is_ascii=self._is_ascii))
        return Content("\n").join(lines) if lines else Content("No key does that. esc shows all again.")

    def _matching(self, wanted: str) -> list[Key]:
        """Keys whose label, name or sentence has all the words; a key by its very label comes alone."""
        words = wanted.lower().split()
        exact = [key for key in self._keys if wanted.strip() in self._label(key).split()]
        if exact:
            return exact
        return [key for key in self._keys if all(w in f"{key.id} {key.word} {key.help}".lower() for w in words)]

    def _label(self, key: Key) -> str:
        return key.label(is_ascii=self._is_ascii)

    def action_close(self) -> None:
        wanted = self.query_one("#wanted", Input)
        if wanted.value:
            wanted.value = ""
        else:
            self.dismiss()

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        scroll = self.query_one(VerticalScroll)
        scroll.scroll_relative(y=pages * max(1, scroll.size.height - 1), animate=False)


def _lines(keys: list[Key], *, is_ascii: bool) -> Iterator[Content]:
    """A heading a group, in the order in which the groups appear, and a line a key."""
    order = list(dict.fromkeys(key.group for key in keys))
    by_group = groupby(sorted(keys, key=lambda key: order.index(key.group)), key=lambda key: key.group)
    for index, (group, members) in enumerate(by_group):
        if index:
            yield Content("")
        yield Content.styled(group, "bold")
        for key in members:
            label = key.label(is_ascii=is_ascii)
            yield Content.assemble((f"{label:>{_LABEL_COLUMNS}}  ", "bold"), Content(key.help))
