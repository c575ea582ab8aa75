"""A live Board over the files that engine and supervisors write; reads only, and needs neither of them alive."""

import os
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from core import events as e
from core.clock import Clock, monotonic
from core.errors import JournalError
from core.facts import read_exit, read_record
from core.journal import JournalTail
from core.paths import Paths
from core.reduce import reduce_run
from core.run.stop import is_live
from core.state import Board, Run

SHOWN_FOR_S = 24 * 3600.0
"""A finished run stays on the board for so long, unless it is forgotten."""
_LOOK_EVERY_S = 1.0
"""Between looks for new runs and at locks."""
_ENGINE_CLOSES_WITHIN_S = 4.0
"""An engine beats every two seconds, and writes the end of a run at most 0.3 s after it."""
_READ_BUDGET_S = 0.05
"""A poll reads journals of finished runs for so long, newest first; the rest comes with the next polls."""


class _Entry:
    """One run, as far as it was read."""

    def __init__(self, paths: Paths, run: str) -> None:
        self.run = run
        self.folder = paths.run(run)
        self.tail = JournalTail(self.folder + "/events.jsonl")
        self.state: Run | None = None
        """From `run.json` and the journal."""
        self.is_read = False
        self.is_over = False
        """The journal holds the end: nothing of it changes any more."""
        self.late: tuple[e.Event, ...] = ()
        """What the journal does not say yet, found in the run's folder."""
        self.note: str | None = None

    def read(self, paths: Paths) -> bool:
        """Take what was added; True where something was."""
        if self.state is None:
            self._begin(paths)  # where `run.json` is lost, the journal begins with what the engine could guess
        first = not self.is_read
        self.is_read = True
        try:
            events = self.tail.poll()
        except JournalError as error:
            is_new, self.note = self.note is None, str(error)
            return first or is_new
        if self.tail.is_restarted:
            self.state = None
            self._begin(paths)
        if events:
            self.state = reduce_run(self.state, events)
            self.is_over = self.state is not None and self.state.ended_at is not None
        return first or bool(events) or self.tail.is_restarted

    def _begin(self, paths: Paths) -> None:
        record = read_record(paths, self.run)
        if record is not None:
            self.state = reduce_run(None, [record.started])

    def look(self, paths: Paths, now: float, *, has_engine: bool) -> bool:
        """Notice an end that no engine has written down; True where it is news.

        A live engine gets a moment: it reads the log's last bytes first, and only then do the counts hold.
        """
        if self.is_over or self.state is None or is_live(paths, self.run):
            found: tuple[e.Event, ...] = ()
        else:
            found = self._end(paths, now)
            if has_engine and found and now - found[-1].at < _ENGINE_CLOSES_WITHIN_S:
                found = self.late
        if found == self.late:
            return False
        self.late = found
        return True

    def _end(self, paths: Paths, now: float) -> tuple[e.Event, ...]:
        known = read_exit(paths, self.run)
        if known is None:
            return self.late or (e.RunLost(now),)
        handed = (e.HandedOver(known.ended.at, known.handed_to),) if known.handed_to else ()
        return (*handed, known.ended)

    def shown(self) -> Run | None:
        """The run, with what the journal does not say yet."""
        return reduce_run(self.state, self.late) if self.late else self.state


class Reader:
    """Pulls the board; cheap while nothing changes."""

    def __init__(self, paths: Paths, clock: Clock, shown_for_s: float = SHOWN_FOR_S) -> None:
        self._paths = paths
        self._clock = clock
        self._shown_for_s = shown_for_s
        self._entries: dict[str, _Entry] = {}
        self._looked_at = float("-inf")
        self._board = Board(now=clock())

    def poll(self) -> Board:
        """The board now; the same object while nothing on it changed (a live run's second counts as a change)."""
        now = self._clock()
        changed = False
        is_due = monotonic() - self._looked_at >= _LOOK_EVERY_S
        beat = self._beat()
        if is_due:
            self._looked_at = monotonic()
            changed |= self._find_runs(now)
        changed |= self._read()
        if is_due:
            has_engine = beat is not None and now - beat < _ENGINE_CLOSES_WITHIN_S
            for entry in self._entries.values():
                changed |= entry.look(self._paths, now, has_engine=has_engine)
        is_live_board = any(not run.state.is_over for run in self._board.runs.values())
        if changed:
            self._board = Board(self._runs(), now, beat, self._notes())
        elif beat != self._board.engine_seen_at or (is_live_board and int(now) != int(self._board.now)):
            self._board = replace(self._board, now=now, engine_seen_at=beat)
        return self._board

    def read_all(self) -> Board:
        """The board with every run read, however many: for commands that look once."""
        self.poll()
        while any(not entry.is_read for entry in self._entries.values()):
            self._looked_at = float("-inf")
            self.poll()
        return self._board

    def _read(self) -> bool:
        ends = monotonic() + _READ_BUDGET_S
        changed = False
        for entry in reversed(self._entries.values()):
            if entry.is_over or (entry.is_read and entry.late and monotonic() > ends):
                continue
            changed |= entry.read(self._paths)
            if monotonic() > ends and entry.late:
                break
        return changed

    def _find_runs(self, now: float) -> bool:
        try:
            names = os.listdir(self._paths.runs)
        except OSError:
            names = []
        try:
            live = set(os.listdir(self._paths.open))
        except OSError:
            live = set()
        oldest = _stamp(now - self._shown_for_s)
        wanted = sorted(name for name in names if name in live or name[:15] >= oldest)
        if wanted == list(self._entries):
            return False
        self._entries = {name: self._entries.get(name) or _Entry(self._paths, name) for name in wanted}
        return True

    def _runs(self) -> Mapping[str, Run]:
        shown = ((name, entry.shown()) for name, entry in self._entries.items())
        return MappingProxyType({name: run for name, run in shown if run is not None})

    def _notes(self) -> tuple[str, ...]:
        return tuple(entry.note for entry in self._entries.values() if entry.note)

    def _beat(self) -> float | None:
        try:
            return os.stat(self._paths.engine + "/beat").st_mtime
        except OSError:
            return None


def _stamp(at: float) -> str:
    """The first part of a run id made at that time."""
    import time

    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(max(0.0, at)))
