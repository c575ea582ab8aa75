"""Sees what was edited before each run: looks at the inputs of the last run of its kind as it begins.

The engine's; what is made of it when the run is over stands in `core.native.edits.iteration_settle`.
"""

from collections.abc import Mapping

from core import events as e
from core.native.edits.checkout_state import CheckoutState, path_of, read_state
from core.native.staleness.input_state import Stamp, look_as_of
from core.paths import Paths
from core.values import dataclass

MOST_UNDER_WAY = 64


@dataclass(frozen=True, slots=True)
class Draft:
    """What was seen as a run began."""

    run: str
    state_path: str
    before: CheckoutState | None
    """Of the run before; None: this is the first one here that is known."""
    stamps: Mapping[str, Stamp]
    """Of the files that the run before read, as they were when this one began; those that changed since then, before
    anybody looked, are not known."""


class IterationWatch:
    """Runs that are under way."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._drafts: dict[str, Draft] = {}

    def began(self, started: e.RunStarted) -> None:
        """Look at its inputs (1 ms a thousand): what differs is what was edited."""
        while len(self._drafts) >= MOST_UNDER_WAY:
            del self._drafts[next(iter(self._drafts))]
        self._drafts[started.run] = draft_of(self._paths, started)

    def ended(self, run: str) -> Draft | None:
        """The run is over; what is needed to `settle` it."""
        return self._drafts.pop(run, None)


def draft_of(paths: Paths, started: e.RunStarted) -> Draft:
    """What is to be seen as a run begins."""
    path = path_of(paths, started.checkout, started.target_dir, f"{started.tool} {started.command}")
    before = read_state(path)
    stamps = look_as_of(before.files, before.files, started.at) if before is not None else {}
    return Draft(started.run, path, before, stamps)
