"""What screens are shown: the board at a moment, and what the machine does."""

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType

from core.load import Load
from core.state import Board
from core.values import dataclass


@dataclass(frozen=True, slots=True)
class View:
    """One moment."""

    board: Board
    now: float
    """Seconds since the epoch."""
    pending: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What was asked for and is not seen yet, by run: `stopping`."""
    load: Load | None = None
    """Of the machine; None: not measured (yet), or a recording is shown."""
    alive: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Names of the processes that still live, by run that is being stopped."""
    sort: str = "appearance"
    """Order of the panes: `appearance`, `name`, `state`."""
    layout: str = "fit"
    """Of the panes: `fit`, `list`, or how many columns."""
    watched: frozenset[tuple[str, str]] = frozenset()
    """Agent and checkout of what is built again after each save."""
