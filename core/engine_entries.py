"""What the engine's loop knows of each run beside the run itself."""

from dataclasses import dataclass

from core import facts
from core.watched import WatchedRun


@dataclass(slots=True)
class Arrival:
    """A run that could not be adopted yet."""

    first_seen: float
    retry_at: float = 0.0
    is_newer: bool = False
    """Its journal is of a newer version: left alone."""


@dataclass(slots=True)
class OpenRun:
    """A run that is watched."""

    run: WatchedRun
    is_ended: bool
    """The end is in the journal; figures of kernels may still come."""
    grew_at: float
    exit: facts.Exit | None = None
    is_kept: bool = False
    """Ended, and history and iterations have it."""
    drain_to: tuple[int, ...] | None = None
    """Sizes of the logs when the supervisor was found gone: what comes later is another's."""
