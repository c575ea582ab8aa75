"""A run whose cache is read."""

from collections.abc import Mapping

from core.values import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    """A run whose cache is to be read."""

    wrapper: str
    """The user's `rustc-wrapper`, a name or path; empty: none."""
    env: Mapping[str, str]
    """At least `readers.VARIABLES`, as far as they are set."""
    run: str
    folder: str
    """Of the run: fronts leave their notes below it."""
    agent: str
    target_dir: str | None
    checkout: str
    words: tuple[str, ...]
    """What cargo was given."""
    started: float
    """Seconds since the epoch."""
    told: frozenset[tuple[str, float]] = frozenset()
    """Unit and time of look-ups that the run's journal has already."""
