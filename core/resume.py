"""Where an earlier engine stood with a run, as its journal says."""

from collections import deque
from dataclasses import dataclass, field

from core import events as e
from core.journal import Mark
from core.plan.plan import Finding
from core.watch.call_book import CallBook


@dataclass(slots=True)
class Resume:
    """Where an earlier engine stood."""

    replay: deque[Mark] = field(default_factory=deque)
    """Steps to do again, because the digest is older than the journal. Their events are in the journal,"""
    missing_events: int = 0
    """but for so many of the last step's."""
    marks: int = 0
    """Steps that the digest has seen."""
    is_backlog: bool = False
    """What stands in the logs now was written some time ago."""
    last_at: float = 0.0
    says_units: bool = False
    is_build_over: bool = False
    sampled: dict[str, float] = field(default_factory=dict)
    """Units seen in /proc that are in flight: since when."""
    sampled_links: tuple[e.LinkStarted, ...] = ()
    """Links seen in /proc whose end was not told."""
    links: CallBook = field(default_factory=CallBook)
    """As the journal tells of them."""
    cut_ends: dict[str, int] = field(default_factory=dict)
    """Where the hole of each log ends."""
    lookups: frozenset[tuple[str, float]] = frozenset()
    """Look-ups in a cache that the journal tells of: unit and time."""
    is_stop_asked: bool = False
    findings: tuple[Finding, ...] | None = None
    """That the journal told last; None: none."""
    killed_at: float = float("-inf")
    """When the journal told last of a process that died of signal 9; never: minus infinity."""
