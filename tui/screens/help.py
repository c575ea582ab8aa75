"""All keys, by group."""

from itertools import groupby
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.bindings import Key


class HelpScreen(ModalScreen[None]):
    """Keys of the screen below, then those that work everywhere."""

    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]
        Binding("escape,q,question_mark,enter", "close", "close", id="help.close", tooltip="Back to the builds"),
        Binding("j,down", "scroll(1)", "down", id="help.down", tooltip="Scroll down"),
        Binding("k,up", "scroll(-1)", "up", id="help.up", tooltip="Scroll up"),
    ]

    def __init__(self, keys: tuple[Key, ...], *, is_ascii: bool = False) -> None:
        super().__init__()
        self._is_ascii = is_ascii
        self._keys = keys

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog help"):
            for group, keys in groupby(sorted(self._keys, key=lambda k: k.group), key=lambda k: k.group):
                yield Static(group, classes="dialog-title", markup=False)
                yield Static(
                    Content("\n").join(_line(key.label(is_ascii=self._is_ascii), key.help) for key in keys),
                    classes="help-keys",
                )

    def action_close(self) -> None:
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def _line(label: str, help_text: str) -> Content:
    return Content.assemble((f"{label:>9}  ", "bold"), help_text)
