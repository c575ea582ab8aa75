"""Goes to what is searched in a log, forth and back, while the rest is still being looked through."""

from collections.abc import Callable
from time import perf_counter

from core.search import STEP_S, Search


class Finder:
    """A search, and the line that somebody wants next. Work is done a step at a time."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.is_vain = False
        """What was wanted last is nowhere in the log."""
        self._from = 0
        self._way = 0

    @property
    def is_busy(self) -> bool:
        """There is work left: `work` again."""
        return self._way != 0 or not self.search.is_done

    def want(self, line: int, way: int) -> None:
        """Look for the next match: at or after a line (`way` 1), or before it (-1), round the ends."""
        self._from, self._way, self.is_vain = line, way, False

    def work(self, for_s: float = STEP_S, clock: Callable[[], float] = perf_counter) -> int | None:
        """Look on for a moment; the wanted line, once, when it is found."""
        line = self._settle()
        if line is None and not self.search.is_done:
            self.search.step(for_s, clock)
            line = self._settle()
        return line

    def _settle(self) -> int | None:
        """The wanted line, where enough was looked at to know it."""
        if not self._way:
            return None
        known = self.search.next_known if self._way > 0 else self.search.previous_known
        line = known(self._from)
        if line is not None or self.search.is_done:
            self.is_vain = line is None
            self._way = 0
        return line
