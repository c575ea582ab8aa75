"""A recording as a source of boards: its journals on a clock of their own, its logs growing as they grew."""

import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

from core import events as e
from core.clock import Clock
from core.host import Host, reduce_host
from core.journal import read_journal
from core.machine_journal import events_between
from core.paths import Paths
from core.reduce import reduce_run
from core.state import Board, Run

LEAD_S = 0.5
"""Before the first event."""


@dataclass(slots=True)
class _Track:
    """One run of a recording."""

    folder: str
    events: tuple[e.Event, ...]
    """By time."""
    played: int = 0
    run: Run | None = None


class Replay:
    """Plays runs from the beginning, `speed` times as fast as they were. Logs are cut to what was there at a time."""

    def __init__(self, paths: Paths, runs: Iterable[str], clock: Clock, speed: float = 1.0) -> None:
        self._clock = clock
        self._speed = speed
        self._tracks: dict[str, _Track] = {}
        for run in runs:
            events = tuple(sorted(read_journal(paths.run(run) + "/events.jsonl").events, key=lambda event: event.at))
            self._tracks[run] = _Track(paths.run(run), events)
            for stream in ("out", "err"):
                _hide(f"{paths.run(run)}/{stream}.log")
        self._host = Host()
        self._of_machine = deque(sorted(events_between(paths, 0.0, float("inf")), key=lambda event: event.at))
        times = [event.at for track in self._tracks.values() for event in track.events]
        self._first = min(times, default=0.0)
        self.last = max(times, default=0.0)
        """When the last event happened, in the recording's own time."""
        self._began = clock()
        self._board = Board(now=self.now())

    def now(self) -> float:
        """The recording's time."""
        return self._first - LEAD_S + (self._clock() - self._began) * self._speed

    @property
    def is_over(self) -> bool:
        """Everything was played."""
        return all(track.played == len(track.events) for track in self._tracks.values())

    def poll(self) -> Board:
        """The board at the recording's time; the same object while nothing changed."""
        now = self.now()
        changed = False
        for track in self._tracks.values():
            changed |= _play(track, now)
        changed |= self._play_machine(now)
        if changed or int(now) != int(self._board.now):
            runs = {name: track.run for name, track in self._tracks.items() if track.run is not None}
            self._board = Board(MappingProxyType(runs), now, engine_seen_at=now, host=self._host)
        return self._board

    def _play_machine(self, now: float) -> bool:
        due: list[e.Event] = []
        while self._of_machine and self._of_machine[0].at <= now:
            due.append(self._of_machine.popleft())
        if due:
            self._host = reduce_host(self._host, due)
        return bool(due)


def _play(track: _Track, now: float) -> bool:
    first = track.played
    while track.played < len(track.events) and track.events[track.played].at <= now:
        track.played += 1
    due = track.events[first : track.played]
    if not due:
        return False
    for event in due:
        if isinstance(event, e.OutputGrew):
            _show(f"{track.folder}/{event.stream}.log", event.size_bytes)
    track.run = reduce_run(track.run, due)
    if track.run is not None and track.run.state.is_over:
        for stream in ("out", "err"):
            _show(f"{track.folder}/{stream}.log", None)
    return True


def _hide(log: str) -> None:
    """Put the whole log aside; what is shown of it begins empty."""
    if os.path.exists(log):
        os.rename(log, log + ".whole")
        open(log, "wb").close()


def _show(log: str, size: int | None) -> None:
    """Let the log grow to `size` bytes; None: to its end."""
    if not os.path.exists(log + ".whole"):
        return
    with open(log + ".whole", "rb") as whole, open(log, "ab") as shown:
        at = shown.tell()
        whole.seek(at)
        shown.write(whole.read() if size is None else whole.read(max(0, size - at)))
