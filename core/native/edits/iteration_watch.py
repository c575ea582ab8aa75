"""Sees what was edited before each run: looks at the inputs of the last run of its kind as it begins.

The engine's; what is made of it when the run is over stands in `core.native.edits.iteration_settle`.
"""

from collections.abc import Iterator, Mapping

from core import events as e
from core.clock import Clock
from core.native.edits.checkout_state import CheckoutState, path_of, read_state
from core.native.staleness.input_state import Stamp, stamp_as_of
from core.paths import Paths
from core.values import dataclass

MOST_UNDER_WAY = 64
LOOK_S = 0.008
"""So long at once: some 2,000 files that did not change, less where content is read."""
_MOST_READ_BYTES = 4 << 20
"""Content of longer files is looked at when the run is over, by the process that settles it."""

_MOST_STATE_BYTES = 1 << 20
"""Some 8,000 files, 15 ms; what is longer that process reads."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What was seen as a run began."""

    run: str
    state_path: str
    before: CheckoutState | None
    """Of the run before; None: this is the first one here that is known, or it is too long to be read now."""
    stamps: Mapping[str, Stamp]
    """Of the files that the run before read, as they were when this one began; those that changed since then, before
    anybody looked, are not known."""
    left: tuple[str, ...] = ()
    """Of those files the ones that nobody looked at yet."""


class IterationWatch:
    """Runs that are under way."""

    def __init__(self, paths: Paths, monotonic: Clock) -> None:
        self._paths = paths
        self._monotonic = monotonic
        self._looks: dict[str, _Look] = {}

    def began(self, started: e.RunStarted) -> Iterator[None]:
        """Look at its inputs: what differs is what was edited. A part of them now, and one at each step of this."""
        while len(self._looks) >= MOST_UNDER_WAY:
            del self._looks[next(iter(self._looks))]
        look = self._looks[started.run] = _Look(self._paths, started)
        look.go_on(self._monotonic)
        return self._rest(look)

    def _rest(self, look: "_Look") -> Iterator[None]:
        while look.has_more and self._looks.get(look.run) is look:
            look.go_on(self._monotonic)
            yield

    def ended(self, run: str) -> Draft | None:
        """The run is over; what is needed to `settle` it."""
        look = self._looks.pop(run, None)
        return look.draft() if look is not None else None


class _Look:
    """A look at the inputs of one run."""

    def __init__(self, paths: Paths, started: e.RunStarted) -> None:
        self.run = started.run
        self._at = started.at
        self._path = path_of(paths, started.checkout, started.target_dir, f"{started.tool} {started.command}")
        self._before = read_state(self._path, _MOST_STATE_BYTES)
        files = self._before.files if self._before is not None else {}
        self._long = [path for path, stamp in files.items() if stamp.size_bytes > _MOST_READ_BYTES]
        self._ahead = [path for path, stamp in files.items() if stamp.size_bytes <= _MOST_READ_BYTES][::-1]
        self._stamps: dict[str, Stamp] = {}

    @property
    def has_more(self) -> bool:
        """Not all was looked at."""
        return bool(self._ahead)

    def go_on(self, monotonic: Clock) -> None:
        """Look at some more, one file at least."""
        ends = monotonic() + LOOK_S
        files = self._before.files if self._before is not None else {}
        while self._ahead:
            path = self._ahead.pop()
            if (stamp := stamp_as_of(path, files.get(path), self._at)) is not None:
                self._stamps[path] = stamp
            if monotonic() >= ends:
                return

    def draft(self) -> Draft:
        """What was seen so far."""
        return Draft(self.run, self._path, self._before, self._stamps, (*self._ahead, *self._long))
