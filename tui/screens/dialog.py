"""What all dialogs share."""

from typing import TypeVar

from textual.screen import ModalScreen

Result = TypeVar("Result")


class Dialog(ModalScreen[Result]):
    """A question over a screen. Its styles are read when the first one opens, not before the first paint."""

    CSS_PATH = "../../styles/modals.tcss"
