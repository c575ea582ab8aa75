"""Past runs, and two of them compared."""

from tui.screens.base import DeckScreen


class HistoryScreen(DeckScreen[None]):
    """Past runs."""

    TAB = "history"
