"""What all full screens share: the tabs above, the keys below, a view that is shown."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.widget import Widget

from core.state import Run
from tui.bindings import ACTIONS
from tui.key import Key
from tui.view import View
from tui.widgets.key_line import KeyLine
from tui.widgets.painted import PaintedScreen
from tui.widgets.tab_line import TabLine

if TYPE_CHECKING:
    from tui.app import DeckApp

Result = TypeVar("Result")


class DeckScreen(PaintedScreen[Result]):
    """A screen of the dashboard. A subclass names its keys, composes its body, and shows views."""

    KEYS: ClassVar[tuple[Key, ...]] = ()
    """Its own keys; the subclass also gives them as `BINDINGS = bindings(KEYS)`."""
    TAB: ClassVar[str] = "board"
    """The tab that is lit."""

    def __init__(self) -> None:
        super().__init__()
        self.is_ready = False
        """Its widgets are there."""

    @property
    def deck(self) -> "DeckApp":
        """The app."""
        return cast("DeckApp", self.app)

    def compose(self) -> ComposeResult:
        self.glyphs = self.deck.glyphs
        yield TabLine(self.deck.glyphs, self.TAB, self.deck.deck.note)
        yield from self.body()
        yield KeyLine(self.deck.glyphs, id="keys")

    def body(self) -> Iterable[Widget]:
        """The widgets between tabs and keys."""
        return ()

    def on_mount(self) -> None:
        self.is_ready = True
        self.begin()
        self.deck.pull()

    def on_screen_resume(self) -> None:
        """It is seen again: what happened meanwhile is shown at once."""
        if self.is_ready:
            self.deck.show_now()

    def begin(self) -> None:
        """Called once, when the widgets are there and before the first view."""

    def show_frame(self, view: View) -> None:
        """Show a view: the frame's part, then the screen's own."""
        self.query_one(TabLine).show(view.load, view.board)
        self.show(view)
        self.query_one(KeyLine).hint(self.deck.as_bound(self.hints(view)), last=self.leaving(view))

    def show(self, view: View) -> None:
        """Show a view. Called ten times a second: what did not change must cost nothing."""

    def hints(self, view: View) -> tuple[Key, ...]:
        """Keys that the last line names."""
        return tuple(key for key in (*self.KEYS, *ACTIONS) if key.is_hint and key.id != "app.leave")

    def leaving(self, view: View) -> str:
        """What the last line says at its right end."""
        live = sum(not run.state.is_over for run in view.board.runs.values())
        leave = f"{self.deck.label_of('app.leave')} leave"
        return f"{leave} ({live} go on)" if live and not self.deck.deck.note else leave

    @property
    def chosen(self) -> Run | None:
        """The run that actions are about."""
        return None

    def explain_guest(self) -> bool:
        """Say why nothing can be done to what is highlighted; False: that is not a build of somebody else's."""
        return False

    def show_next_needing(self) -> None:
        """Go to the next run that a person should look at."""
        self.notify("Nothing needs you.")
