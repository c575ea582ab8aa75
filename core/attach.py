"""A live Board over the files that engine and supervisors write; reads only, and needs neither of them alive."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from core import events as e
from core.clock import Clock, monotonic
from core.errors import JournalError
from core.facts import guess_record, read_exit, read_record
from core.folder import names_in
from core.journal import JournalTail
from core.machine_journal import HostReader
from core.paths import Paths
from core.ptx_book import PtxBook
from core.reduce import reduce_run
from core.run.stop import is_live
from core.skim import skim_run
from core.state import Board, Run

SHOWN_FOR_S = 24 * 3600.0
"""A finished run stays on the board for so long after its end, unless it is forgotten."""
_LOOK_EVERY_S = 1.0
"""Between looks for new runs and at locks."""
_ENGINE_CLOSES_WITHIN_S = 4.0
"""An engine beats every 2.8 seconds at least, and writes the end of a run at most 0.3 s after it."""
_CLOSING_WAIT_S = 1.0
"""Who looks once gives a live engine so long to write down the ends of runs, however old they are."""
_READ_BUDGET_S = 0.05
"""A poll reads journals of finished runs for so long, newest first; the rest comes with the next polls."""
_SKETCH_BUDGET_S = 0.15
"""For so long it at least learns whose the others are and whether they ended (0.2 ms each)."""
_NO_LIMIT_S = float("inf")
_RECORD_WAIT_S = 5.0
"""A run without a readable `run.json` is being started, for so long."""
_RECORD_SCHEMA = 1


class _Entry:
    """One run, as far as it was read."""

    def __init__(self, paths: Paths, run: str) -> None:
        self.run = run
        self.is_open = False
        """In the list of runs that are live or not yet closed."""
        self.state: Run | None = None
        """From `run.json` and the journal."""
        self.is_read = False
        self._is_read_closed = False
        """Read since it is not open any more."""
        self.is_over = False
        """The journal holds the end: figures of kernels may follow while it is open, and nothing else."""
        self.is_closing = False
        """It ended, and a live engine has not written that down yet."""
        self.late: tuple[e.Event, ...] = ()
        """What the journal does not say yet, found in the run's folder."""
        self.note: str | None = None
        self._paths = paths
        self._folder = paths.run(run)
        self._tail = JournalTail(self._folder + "/events.jsonl")
        self._is_refused = False
        """The journal is not for us."""
        self._is_looked_at = False
        self._found_at = monotonic()

    @property
    def is_behind(self) -> bool:
        """There is more to read at once."""
        return not self.is_read or self._tail.is_behind

    @property
    def is_whole(self) -> bool:
        """Read to its end; there will be no more."""
        return self.is_over and self._is_read_closed and not self._tail.is_behind

    def read(self) -> bool:
        """Take what was added; True where something was."""
        before, note = self.state, self.note
        first, self.is_read, self._is_read_closed = not self.is_read, True, not self.is_open
        try:
            if first and not self.is_open and self._skim():
                return True
            if self.state is None:
                self._begin()
            self._take(self._tail.poll())
        except JournalError as error:
            self._is_refused, self.note = True, str(error)
        return first or self.state is not before or self.note != note

    def sketch(self) -> None:
        """Know who it is, while there is no time to read more."""
        if self.state is None and not self.is_read:
            self._begin()

    def _skim(self) -> bool:
        """The short way for a run that is over."""
        try:
            with open(self._tail.path, "rb") as file:
                self.state = skim_run(file.read(), self._tail.path)
        except OSError:
            return False
        self.is_over = self.state is not None
        return self.is_over

    def _begin(self) -> None:
        record = read_record(self._paths, self.run)
        if record is None:
            if monotonic() - self._found_at < _RECORD_WAIT_S and self.is_open:
                return
            try:
                at = os.stat(self._folder + "/out.log").st_mtime
            except OSError:
                return  # nothing was started
            record = guess_record(self._paths, self.run, at)
            self.note = f"run {self.run}: run.json is missing or cannot be read; `cargo deck forget` removes the run"
        elif record.schema > _RECORD_SCHEMA:
            self.note = (
                f"run {self.run} was started by a newer cargo-deck (schema {record.schema}): update to see all of it"
            )
        self.state = reduce_run(None, record.begun)

    def _take(self, events: Sequence[e.Event]) -> None:
        if self._tail.is_restarted:
            self._is_refused, self.note, self.state = False, None, None
            self._begin()
        if self._is_refused or not events:
            return
        try:
            self.state = reduce_run(self.state, events)
        except (TypeError, ValueError, AttributeError):
            self._is_refused = True
            self.note = f"{self._tail.path} holds what is no event of cargo-deck: the run is shown as it was before"
        self.is_over = self.state is not None and self.state.ended_at is not None

    def look(self, now: float, closes_within_s: float) -> bool:
        """Notice an end that no engine has written down; True where it is news.

        A live engine gets a moment: it reads the log's last bytes first, and only then do the counts hold. An end
        older than `closes_within_s` it will not write down.
        """
        self._is_looked_at = True
        self.is_closing = False
        if self.is_over or self.state is None or is_live(self._paths, self.run):
            found: tuple[e.Event, ...] = ()
        else:
            found = self._end(now)
            if found != self.late and not self._is_refused and abs(now - found[-1].at) < closes_within_s:
                found, self.is_closing = self.late, True
        if found == self.late:
            return False
        self.late = found
        return True

    def look_first(self, now: float, closes_within_s: float) -> bool:
        """`look`, where nobody did yet."""
        return self.state is not None and not self._is_looked_at and self.look(now, closes_within_s)

    def _end(self, now: float) -> tuple[e.Event, ...]:
        known = read_exit(self._paths, self.run)
        if known is None:
            return self.late or (e.RunLost(now),)
        handed = (e.HandedOver(known.ended.at, known.handed_to),) if known.handed_to else ()
        return (*handed, known.ended)

    def shown(self) -> Run | None:
        """The run, with what the journal does not say yet."""
        return reduce_run(self.state, self.late) if self.late and not self.is_over else self.state


class Reader:
    """Pulls the board; cheap while nothing changes."""

    def __init__(self, paths: Paths, clock: Clock, shown_for_s: float = SHOWN_FOR_S) -> None:
        self._paths = paths
        self._clock = clock
        self._shown_for_s = shown_for_s
        self._entries: dict[str, _Entry] = {}
        self._old: set[str] = set()
        """Runs on disk that ended too long ago."""
        self._looked_at = float("-inf")
        self._opened = 0
        """When the list of open runs last changed, in nanoseconds: a new run is shown at once."""
        self._host = HostReader(paths)
        self._ptx = PtxBook(paths.kernels)
        self._is_first = True
        self._board = Board(now=clock())

    @property
    def is_behind(self) -> bool:
        """There are runs that were not read yet: the next polls do it."""
        return any(entry.is_behind for entry in self._entries.values())

    def poll(self) -> Board:
        """The board now; the same object while nothing on it changed (a live run's second counts as a change)."""
        return self._poll(_READ_BUDGET_S, _ENGINE_CLOSES_WITHIN_S)

    def _poll(self, budget_s: float, closes_within_s: float) -> Board:
        now, beat = self._clock(), self._beat()
        if beat is None or now - beat >= _ENGINE_CLOSES_WITHIN_S:
            closes_within_s = 0.0
        changed = False
        opened = self._opened_at()
        if is_due := monotonic() - self._looked_at >= _LOOK_EVERY_S or opened != self._opened:
            self._looked_at = monotonic()
            self._opened = opened
            changed |= self._find_runs(now)
        changed |= self._read(budget_s)
        changed |= self._look_at_host()
        changed |= self._ptx.has_news()
        for entry in self._entries.values():
            changed |= (entry.look if is_due else entry.look_first)(now, closes_within_s)
        is_live_board = any(not run.state.is_over for run in self._board.runs.values())
        if changed:
            self._board = Board(self._runs(), now, beat, self._host.host, self._notes())
        elif beat != self._board.engine_seen_at or (is_live_board and int(now) != int(self._board.now)):
            self._board = replace(self._board, now=now, engine_seen_at=beat)
        return self._board

    def read_all(self) -> Board:
        """The board with every run read, however many, and every end known: for commands that look once."""
        self._is_first = False
        self._poll(_NO_LIMIT_S, _NO_LIMIT_S)
        while any(entry.is_behind for entry in self._entries.values()):
            self._poll(_NO_LIMIT_S, _NO_LIMIT_S)
        ends = monotonic() + _CLOSING_WAIT_S
        while any(entry.is_closing for entry in self._entries.values()):
            time.sleep(0.02)
            self._looked_at = float("-inf")
            self._poll(_NO_LIMIT_S, _NO_LIMIT_S if monotonic() < ends else 0.0)
        return self._board

    def _read(self, budget_s: float) -> bool:
        began = monotonic()
        changed = False
        for entry in reversed(self._entries.values()):
            if entry.is_whole:
                continue
            spent_s = monotonic() - began
            if entry.is_open or not entry.is_behind or spent_s < budget_s:
                changed |= entry.read()
            elif spent_s < _SKETCH_BUDGET_S:
                entry.sketch()
        return changed

    def _look_at_host(self) -> bool:
        """What the machine does can wait for the second look: the first one is before the first paint."""
        if self._is_first:
            self._is_first = False
            return False
        before = self._host.host
        return self._host.poll() is not before

    def _find_runs(self, now: float) -> bool:
        names = {name for name in names_in(self._paths.runs) if name[:1].isdigit()}
        is_open = names & set(names_in(self._paths.open))
        self._old &= names
        wanted = sorted(name for name in names if name in is_open or self._is_recent(name, now))
        is_same = wanted == list(self._entries)
        self._entries = {name: self._entries.get(name) or _Entry(self._paths, name) for name in wanted}
        for name, entry in self._entries.items():
            entry.is_open = name in is_open
        return not is_same

    def _is_recent(self, name: str, now: float) -> bool:
        """It was started, or ended, not too long ago."""
        if name in self._old:
            return False
        oldest = now - self._shown_for_s
        if name[:15] >= time.strftime("%Y%m%d-%H%M%S", time.gmtime(max(0.0, oldest))):
            return True
        entry = self._entries.get(name)
        ended_at = entry.state.ended_at if entry is not None and entry.state is not None else None
        if (ended_at if ended_at is not None else self._last_sign(name)) >= oldest:
            return True
        self._old.add(name)
        return False

    def _last_sign(self, name: str) -> float:
        for file in ("exit.json", "events.jsonl"):
            try:
                return os.stat(f"{self._paths.run(name)}/{file}").st_mtime
            except OSError:
                continue
        return 0.0

    def _runs(self) -> Mapping[str, Run]:
        shown = ((name, entry.shown()) for name, entry in self._entries.items())
        return MappingProxyType({name: self._ptx.with_figures(run) for name, run in shown if run is not None})

    def _notes(self) -> tuple[str, ...]:
        own = (self._host.note,) if self._host.note else ()
        return (*own, *(entry.note for entry in self._entries.values() if entry.note))

    def _opened_at(self) -> int:
        try:
            return os.stat(self._paths.open).st_mtime_ns
        except OSError:
            return 0

    def _beat(self) -> float | None:
        try:
            return os.stat(self._paths.engine + "/beat").st_mtime
        except OSError:
            return None
