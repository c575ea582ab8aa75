"""Tools of one run that fronts tell of and that are under way: links, and calls of nvcc."""

from collections.abc import Callable, Iterable

from core import events as e
from core.watch.link_book import LinkBook
from core.watch.nvcc_book import NvccBook


class CallBook:
    """Sees what goes to the journal of a run, in that order."""

    def __init__(self) -> None:
        self._links = LinkBook()
        self._nvcc = NvccBook()

    def __contains__(self, call: str) -> bool:
        """It is under way."""
        return call in self._links or call in self._nvcc

    @property
    def has_fronts(self) -> bool:
        """Of something that is under way, a front may tell the end."""
        return self._links.has_fronts or self._nvcc.has_fronts

    def take(self, events: Iterable[e.Event]) -> list[e.Event]:
        """The events as they are to be told: each call ends once."""
        taken = (self._nvcc.take(event) for event in self._links.take(events))
        return [event for event in taken if event is not None]

    def lost(self, now: float, is_alive: Callable[[int], bool]) -> list[e.Event]:
        """Ends of what fronts told of that were killed since; see `LinkBook.lost`."""
        return [*self._links.lost(now, is_alive), *self._nvcc.lost(now, is_alive)]

    def left(self, now: float) -> list[e.Event]:
        """Ends of all that is under way: the run is over."""
        return [*self._links.left(now), *self._nvcc.left(now)]
