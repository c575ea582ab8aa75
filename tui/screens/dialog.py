"""What all dialogs share."""

from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.screen import ModalScreen

if TYPE_CHECKING:
    from tui.app import DeckApp

Result = TypeVar("Result")


class Dialog(ModalScreen[Result]):
    """A question over a screen. Its styles are read when the first one opens, not before the first paint."""

    CSS_PATH = "../../styles/modals.tcss"
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]]] = [(0, "-narrow"), (60, "-wide")]  # type: ignore[misc]

    def key(self, name: str) -> str:
        """The key of an action of the dialog, as it is printed."""
        return cast("DeckApp", self.app).label_of(name)
