"""Lines of runs' logs as a person would have seen them, read from the files themselves when they grew."""

import os
from collections import OrderedDict

from core.clock import monotonic
from core.errors import DeckError
from core.facts import read_record
from core.logfile import LogFile
from core.logfile_index import Classes, classes_of
from core.parsers.text import sanitise
from core.paths import Paths
from core.state import Run

TAIL_LINES = 60
"""So many last lines are kept for a pane."""
_OPEN_LOGS = 128
"""So many files are held open, and so many tails kept; a day brings more runs than a process may have open files."""
_EXTEND_BYTES = 8 << 20
"""A look reads so much of a log that no index covers; the rest comes with the next looks."""
_GROW_BYTES, _GROW_S = 2 << 20, 0.008
"""A log that is open in full is read on for so long a look."""


class Tails:
    """Last lines by run; a log that did not grow costs one `stat`."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._logs: OrderedDict[tuple[str, str], LogFile] = OrderedDict()
        self._seen: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {}

    def __call__(self, run: Run, count: int) -> tuple[str, ...]:
        """The last lines of a run's log, oldest first; the same object while the log did not grow.

        Of two streams, the one that was written last comes last.
        """
        states = {stream: _state(self.path(run, stream)) for stream in _streams(run)}
        key = tuple(number for state in states.values() for number in state)
        seen = self._seen.get(run.run)
        if seen is not None and seen[0] == key:
            return seen[1]
        lines: list[str] = []
        is_behind = False
        for stream in sorted(states, key=lambda name: states[name][1]):
            log = self._grown(run, stream)
            if log is None:
                continue
            is_behind |= log.size_bytes < states[stream][0]
            lines += [sanitise(line) for line in log.tail(TAIL_LINES)]
        shown = tuple(line for line in lines if line.strip())[-TAIL_LINES:]
        self._seen[run.run] = ((-1,) if is_behind else key), shown
        return shown

    def last_written(self, run: Run) -> str:
        """The stream of a run that was written last."""
        return max(_streams(run), key=lambda stream: _state(self.path(run, stream))[1])

    def line_count(self, run: Run, stream: str) -> int:
        """How many lines a log has."""
        log = self._grown(run, stream)
        return log.shown_line_count if log is not None else 0

    def lines(self, run: Run, stream: str, first: int, count: int) -> tuple[str, ...]:
        """Lines of a log, from one on."""
        log = self._grown(run, stream)
        return tuple(sanitise(line) for line in log.lines(first, count)) if log is not None else ()

    def path(self, run: Run, stream: str) -> str:
        """Where a log lies."""
        return f"{self._paths.run(run.run)}/{stream}.log"

    def store(self, run: Run, stream: str) -> "Lines":
        """A whole log, by line."""
        return Lines(self.open(run, stream))

    def open(self, run: Run, stream: str) -> LogFile | None:
        """A log of a run, not yet read; None: there is none (any more)."""
        folder = self._paths.run(run.run)
        index = f"{folder}/lines{'.err' if stream == 'err' else ''}.idx"
        try:
            return LogFile(self.path(run, stream), index, self._classes(run, stream))
        except (OSError, DeckError):
            return None  # forgotten meanwhile, or not yet there

    def _grown(self, run: Run, stream: str) -> LogFile | None:
        """A log as far as it goes now, or as a look reads on."""
        log = self._log(run, stream)
        if log is not None:
            log.extend(_EXTEND_BYTES)
        return log

    def _log(self, run: Run, stream: str) -> LogFile | None:
        key = (run.run, stream)
        log = self._logs.pop(key, None) or self.open(run, stream)
        if log is not None:
            self._logs[key] = log
        if len(self._logs) > _OPEN_LOGS:
            (gone, _), old = self._logs.popitem(last=False)
            old.close()
            self._seen.pop(gone, None)
        return log

    def _classes(self, run: Run, stream: str) -> Classes:
        record = read_record(self._paths, run.run)
        if record is None:
            return classes_of(stream, is_split=run.is_split, json="none", parser="generic")
        return classes_of(stream, is_split=run.is_split, json=record.json, parser=record.parser)


class Lines:
    """Lines of a log by number; text stays on disk."""

    def __init__(self, log: LogFile | None) -> None:
        self._log = log

    @property
    def shown_line_count(self) -> int:
        """As of the last `grow`."""
        return 0 if self._log is None else self._log.shown_line_count

    def grow(self) -> bool:
        """Take notice of what was added; True where something was. Takes 8 ms at most, the rest comes later."""
        if self._log is None:
            return False
        ends, is_longer = monotonic() + _GROW_S, False
        while self._log.extend(_GROW_BYTES):
            is_longer = True
            if monotonic() >= ends:
                break
        return is_longer

    def lines(self, first: int, count: int) -> list[str]:
        """Sanitised lines, colours kept; fewer at the end."""
        return [] if self._log is None else [sanitise(line) for line in self._log.lines(first, count)]

    def block(self, line: int, size: int) -> tuple[int, int, bytes]:
        """Whole lines around one, as they stand in the log."""
        return (line, line, b"") if self._log is None else self._log.block(line, size)


def _streams(run: Run) -> tuple[str, ...]:
    return ("out", "err") if run.is_split else ("out",)


def _state(path: str) -> tuple[int, int]:
    """Size and time of the last write, in nanoseconds."""
    try:
        status = os.stat(path)
    except OSError:
        return -1, 0
    return status.st_size, status.st_mtime_ns
