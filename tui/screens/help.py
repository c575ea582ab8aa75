"""All keys: those of the screen below first; typing finds one."""

import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from tui.bindings import HELP, bindings
from tui.key import Key
from tui.screens.dialog import ScrolledDialog
from tui.widgets.scroll_bar import draw_in_ascii

_LABEL_COLUMNS = 7


class HelpScreen(ScrolledDialog[None]):
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
                yield Static("", id="found")

    def on_mount(self) -> None:
        if self._is_ascii:
            draw_in_ascii(self.query_one(VerticalScroll))
        self.query_one("#wanted").focus()

    def on_input_changed(self) -> None:
        self._show()
        self.query_one(VerticalScroll).scroll_home(animate=False)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    def on_input_submitted(self) -> None:
        self.dismiss()

    def _show(self) -> None:
        found = self.query_one("#found", Static)
        keys = self._matching(self.query_one("#wanted", Input).value)
        lines = list(self._lines(keys, found.size.width))
        nothing = Content(f"No key does that. {self.key('help.close')} shows all again.")
        found.update(Content("\n").join(lines) if lines else nothing)

    def _lines(self, keys: list[Key], width: int) -> Iterator[Content]:
        """A heading a group, in the order in which the groups appear; the lines of a key in two columns."""
        order = list(dict.fromkeys(key.group for key in keys))
        by_group = groupby(sorted(keys, key=lambda key: order.index(key.group)), key=lambda key: key.group)
        for index, (group, members) in enumerate(by_group):
            if index:
                yield Content("")
            yield Content.styled(group, "$deck-dim")
            for key in members:
                label, indent = self._label(key), " " * (_LABEL_COLUMNS + 2)
                first, *more = textwrap.wrap(key.help, max(12, width - len(indent)))
                yield Content.assemble((f"{label:>{_LABEL_COLUMNS}}  ", "bold $deck-strong"), first)
                yield from (Content(indent + line) for line in more)

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
