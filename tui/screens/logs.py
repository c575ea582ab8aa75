"""The logs of all agents in one, by time."""

from tui.screens.base import DeckScreen


class LogsScreen(DeckScreen[None]):
    """All logs, merged."""

    TAB = "logs"
