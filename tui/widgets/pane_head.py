"""The first rows of a pane, on top of its log."""

from typing import ClassVar

from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.look import ROLES, Glyphs, Look, make_look
from tui.widgets.pane import PaneView, draw, whole_second
from tui.widgets.pane_grid import PaneState

ROWS = 4


class PaneHead(Widget):
    """Title, progress, what it does, its numbers."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"deck--selected", *(f"deck--{role}" for role in ROLES)}

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(id="head")
        self._glyphs = glyphs
        self._look: Look | None = None
        self._view: PaneView | None = None
        self._drawn: tuple[tuple[PaneView, int], list[Strip]] | None = None

    def show(self, pane: PaneState, now: float) -> None:
        """Show a pane's head at a moment."""
        run = pane.run
        view = PaneView(
            number=pane.number, run=run, others=pane.others, tail=(), eta_s=pane.eta_s,
            now=whole_second(run, now), is_selected=False, is_old=pane.is_old,
            pending=pane.pending, waits=pane.waits,
        )  # fmt: skip
        if view != self._view:
            self._view = view
            self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._look = self._drawn = None

    def render_line(self, y: int) -> Strip:
        look = self._look = self._look or make_look(self._glyphs, self.get_component_rich_style)
        if self._view is None:
            return Strip.blank(self.size.width, look.plain["text"])
        key = (self._view, self.size.width)
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = key, draw(self._view, self.size.width, ROWS, look)
        return self._drawn[1][y]
