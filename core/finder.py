"""Goes to what is searched in a log, forth and back, while the rest is still being looked through."""

from collections.abc import Callable, Iterator
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
        self._hunt: Iterator[int | None] | None = None

    @property
    def is_busy(self) -> bool:
        """There is work left: `work` again."""
        return self._way != 0 or not self.search.is_done

    def want(self, line: int, way: int) -> None:
        """Look for the next match: at or after a line (`way` 1), or before it (-1), round the ends."""
        self._from, self._way, self.is_vain = line, way, False
        self._hunt = self.search.hunt(line) if way > 0 else None

    def work(self, for_s: float = STEP_S, clock: Callable[[], float] = perf_counter) -> int | None:
        """Look on for a moment; the wanted line, once, when it is found."""
        ends = clock() + for_s
        if self._hunt is not None:
            for line in self._hunt:
                if line is not None:
                    return self._found(line)
                if clock() >= ends:
                    return None
            self._hunt = None  # none up to the end: the first of the log is wanted, and a step will meet it
        while not self.search.is_done:
            self.search.step(for_s / 4, clock)
            if clock() >= ends:
                break
        return self._settle()

    def _settle(self) -> int | None:
        """The wanted line, where enough was looked at to know it."""
        search = self.search
        if self._way > 0 and (search.lines or search.is_done):
            return self._found(search.after(self._from - 1))
        if self._way < 0 and (search.is_done or search.looked_at >= self._from > 0 < search.rank(self._from - 1)):
            return self._found(search.before(self._from))
        return None

    def _found(self, line: int | None) -> int | None:
        self.is_vain = line is None
        self._way, self._hunt = 0, None
        return line
