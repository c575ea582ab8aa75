"""What the dashboard stands on: a board that is pulled, logs on disk, and somebody who does what is asked."""

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol

from core.clock import Clock
from core.load import Load
from core.paths import Paths
from core.pulse import Pulse
from core.state import Board
from core.values import dataclass
from tui.preferences import Preferences

if TYPE_CHECKING:
    from tui.screens.start_preview import Asked, Foreseen

Foresee = Callable[["Asked"], "Foreseen"]
"""Looks what a build would be told, for half a second at most."""
Request = Callable[[dict[str, Any]], dict[str, Any]]
"""Asks the engine (`{"do": "stop", "run": …}`) and waits for its answer. Raises DeckError with a sentence."""


class BoardSource(Protocol):
    """Where boards come from: an engine's journals, or a recording."""

    def poll(self) -> Board:
        """The board as it is now; the same object while nothing changed."""


@dataclass(frozen=True, slots=True)
class Deck:
    """All that the dashboard is given."""

    source: BoardSource
    paths: Paths
    """Where the logs lie."""
    clock: Clock
    """Seconds since the epoch; of a recording: of its own time."""
    request: Request
    wake: Callable[[], None] | None = None
    """Makes sure that an engine runs; None: none is needed (a recording)."""
    load: Callable[[], Load | None] | None = None
    """How busy the machine is now; None: that is not shown."""
    pulse: Pulse | None = None
    """Tells whether anything moved; None: look each time."""
    foresee: Foresee | None = None
    """Says what a build would be told; None: that is not to be had."""
    env: Mapping[str, str] | None = None
    """Of builds that are started here, as they are foreseen; None: the engine's own."""
    watched: Callable[[], frozenset[tuple[str, str]]] | None = None
    """Agent and checkout of what is built again after each save; None: nobody looks."""
    is_there: Callable[[str], bool] | None = None
    """A file of a build is still on this machine; None: that is not asked (a recording)."""
    is_recording: bool = False
    note: str = ""
    """Said in the header: `recording ×4`."""
    glyphs_are_ascii: bool = False
    """The locale draws nothing else."""
    theme: str = "deck-dark"
    """What suits the terminal."""
    preferences: Preferences = field(default_factory=Preferences)
    """What the person wants."""

    @property
    def recording_clock(self) -> Clock | None:
        """The clock of a recording, whose files say more than has happened by then; None: nothing is known early."""
        return self.clock if self.is_recording else None


def foresee_plans(paths: Paths, env: Mapping[str, str]) -> Foresee:
    """What tells of a build in this environment; what that needs is imported when it is first asked."""

    def foresee(asked: "Asked") -> "Foreseen":
        from tui.screens import start_preview

        return start_preview.foresee(paths, env, asked)

    return foresee
