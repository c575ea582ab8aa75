"""What all dialogs share."""

from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.containers import VerticalScroll
from textual.screen import ModalScreen

if TYPE_CHECKING:
    from tui.app import DeckApp

Result = TypeVar("Result")


class Dialog(ModalScreen[Result]):
    """A question over a screen. Its styles are read when the first one opens, not before the first paint."""

    CSS_PATH = "../../styles/modals.tcss"
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]]] = [(0, "-narrow"), (60, "-wide")]  # type: ignore[misc]

    @property
    def deck(self) -> "DeckApp":
        """The app."""
        return cast("DeckApp", self.app)

    def key(self, name: str) -> str:
        """The key of an action of the dialog, as it is printed."""
        return self.deck.label_of(name)


class ScrolledDialog(Dialog[Result]):
    """One with text that may be longer than the screen."""

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        scroll = self.query_one(VerticalScroll)
        scroll.scroll_relative(y=pages * max(1, scroll.size.height - 1), animate=False)
