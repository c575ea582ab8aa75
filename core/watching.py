"""What to do next while somebody edits: start, stop and start anew. Pure: told of saves and ends, asked what is due.

A save starts the first step (a build) once no further one came for QUIET_S; a save while a step runs has it stopped
first. Later steps (a test) follow where the one before ended well.
"""

from collections.abc import Iterable
from dataclasses import field
from typing import Literal

from core.values import dataclass

QUIET_S = 0.02
"""Saves that follow one another so closely are one: an editor that saves several files takes 1 to 10 ms for each. All
builds are later by it, and a save that comes after it costs a stop and a start (40 ms)."""
LONGEST_S = 1.0
"""Somebody who saves without end is not waited for any longer."""
BUSY_WRITES = 8
"""A file that changes in so many runs in a row, each of which began because it had changed, is written by the build
itself, or saved faster than it is built: such runs are not cut short any more, and the next one waits."""
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 60.0
_LOCK = "/Cargo.lock"
"""Cargo itself writes it, and goes by what it wrote."""

Phase = Literal["idle", "settling", "running", "stopping"]


@dataclass(frozen=True, slots=True)
class Do:
    """What is to be done now."""

    what: Literal["start", "stop"]
    step: int = 0
    """Of the steps, from 0."""


@dataclass(frozen=False, slots=True)
class Watching:
    """One watch: which phase it is in, and what is not built yet."""

    steps: int = 1
    phase: Phase = "idle"
    step: int = 0
    """The one that runs, or ran last."""
    pending: dict[str, None] = field(default_factory=dict)
    """Changed since the build that was started last."""
    building: dict[str, None] = field(default_factory=dict)
    """What the build that runs was started for, and what those before it that failed were."""
    unbuilt: dict[str, None] = field(default_factory=dict)
    """What a build that failed was started for."""
    saved_at: float | None = None
    """The first save that no build has taken up; None: there is none."""
    began_for: float | None = None
    """The first save that the run which runs, or ran last, was started for; None: none yet."""
    _quiet_until: float = 0.0
    _paused_until: float = 0.0
    """Where nothing but busy files ask for a run."""
    _writes: dict[str, int] = field(default_factory=dict)
    """How often in a row a file changed while a build ran that had begun for it."""

    def begin(self, now: float) -> None:
        """Build once, whatever changed."""
        self.phase, self._quiet_until, self.saved_at = "settling", now, now

    def saved(self, now: float, changed: Iterable[str], newest: float | None = None) -> tuple[str, ...]:
        """Files changed by content.

        Args:
            now: On the clock of `due`.
            changed: Absolute paths.
            newest: When the last of them was saved, on the same clock; None: now.

        Returns:
            Files that from now on do not cut a run short: see BUSY_WRITES.
        """
        counted = [path for path in changed if not (self.is_running and path.endswith(_LOCK))]
        if not counted:
            return ()
        at = now if newest is None else min(now, newest)
        if self.saved_at is None:
            self.saved_at = at
        self.pending.update(dict.fromkeys(counted))
        self._quiet_until = min(max(self._quiet_until, at + QUIET_S), self.saved_at + LONGEST_S)
        if self.phase == "idle":
            self.phase = "settling"
        return self._count_writes(counted)

    @property
    def is_running(self) -> bool:
        """A step runs, or is being stopped."""
        return self.phase in ("running", "stopping")

    def _count_writes(self, changed: Iterable[str]) -> tuple[str, ...]:
        if self.phase != "running" or self.step:
            return ()
        again = [path for path in changed if path in self.building]
        for path in again:
            self._writes[path] = self._writes.get(path, 0) + 1
        return tuple(path for path in again if self._writes[path] == BUSY_WRITES)

    def _is_busy(self, path: str) -> bool:
        return self._writes.get(path, 0) >= BUSY_WRITES

    def due(self, now: float) -> Do | None:
        """What is to be done; each is told once."""
        if self.phase == "settling" and now >= self._due_at:
            return self._start()
        if self.phase == "running" and not self._is_only_busy:
            self.phase = "stopping"
            return Do("stop", self.step)
        return None

    def wait_s(self, now: float) -> float | None:
        """Until something is due by itself; None: nothing is."""
        return max(0.0, self._due_at - now) if self.phase == "settling" else None

    def ended(self, now: float, *, is_good: bool, is_built: bool | None = None) -> Do | None:
        """The step that ran is over; what follows at once. `is_built`: of a build, where it says more than `is_good`:
        tests that failed do not mean that nothing was built."""
        was_stopped = self.phase == "stopping"
        if not self.step:
            self.unbuilt = {} if (is_good if is_built is None else is_built) and not was_stopped else self.building
        if was_stopped and not self.step:
            self.pending = {**self.building, **self.pending}  # what was cut short was not built
        if self.pending:
            self.phase = "settling"
            self._paused_until = now + self._pause_s()
            return self.due(now)
        if is_good and self.step + 1 < self.steps and not was_stopped:
            self.step, self.phase = self.step + 1, "running"
            return Do("start", self.step)
        self.phase, self.building = "idle", {}
        return None

    def refused(self) -> None:
        """A step could not be started: wait for the next save."""
        self.phase, self.building = "idle", {}

    @property
    def _due_at(self) -> float:
        return max(self._quiet_until, self._paused_until) if self._is_only_busy else self._quiet_until

    @property
    def _is_only_busy(self) -> bool:
        return all(map(self._is_busy, self.pending))

    def _pause_s(self) -> float:
        most = max(self._writes.get(path, 0) for path in self.pending)
        return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(max(0, most - BUSY_WRITES), 10))

    def _start(self) -> Do:
        self._writes = {path: count for path, count in self._writes.items() if path in self.pending}
        self.building, self.pending, self.unbuilt = {**self.unbuilt, **self.pending}, {}, {}
        self.phase, self.step, self.began_for, self.saved_at = "running", 0, self.saved_at, None
        return Do("start", 0)
