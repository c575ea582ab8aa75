"""The first rows of a pane, on top of its log."""

from textual.strip import Strip

from tui.widgets.look import Glyphs
from tui.widgets.painted import Painted
from tui.widgets.pane import PaneView, draw, whole_second
from tui.widgets.pane_grid import PaneState

ROWS = 4


class PaneHead(Painted):
    """Title, progress, what it does, its numbers."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id="head")
        self._view: PaneView | None = None
        self._drawn: tuple[tuple[PaneView, int], list[Strip]] | None = None

    def show(self, pane: PaneState, now: float) -> None:
        """Show a pane's head at a moment."""
        run = pane.run
        view = PaneView(
            number=pane.number, run=run, others=pane.others, tail=(), lines_below=None, eta_s=pane.eta_s,
            now=whole_second(run, now), is_selected=False, is_old=pane.is_old,
            pending=pane.pending, waits=pane.waits, alive=pane.alive,
            is_watched=pane.is_watched,
        )  # fmt: skip
        if view != self._view:
            self._view = view
            self.refresh()

    def forget_drawn(self) -> None:
        self._drawn = None

    def render_line(self, y: int) -> Strip:
        if self._view is None:
            return self.blank()
        key = (self._view, self.size.width)
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = key, draw(self._view, self.size.width, ROWS, self.look)
        return self._drawn[1][y]
