"""The main screens, in the order of their tabs."""

from typing import NamedTuple


class Tab(NamedTuple):
    """A main screen."""

    name: str
    """Of the mode that shows it."""
    word: str
    key: str


TABS = (
    Tab("board", "Board", "f1"), Tab("logs", "Logs", "f2"), Tab("memory", "Memory", "f3"), Tab("locks", "Locks", "f4"),
    Tab("cache", "Cache", "f5"), Tab("kernels", "Kernels", "f6"), Tab("history", "History", "f7"),
)  # fmt: skip
