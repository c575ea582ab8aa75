"""Widgets that draw their own rows in the roles of the stylesheet."""

from typing import ClassVar, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual.actions import SkipAction
from textual.geometry import Region
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.look import ROLES, UNICODE, Glyphs, Look, make_look
from tui.widgets.scroll_bar import draw_in_ascii

Result = TypeVar("Result")


class PaintedScreen(Screen[Result]):
    """A screen whose widgets draw in roles: it holds their styles, so that they are matched once and not per widget."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "deck--selected", "deck--match", "deck--found", "deck--picked", *(f"deck--{role}" for role in ROLES),
    }  # fmt: skip

    def __init__(self, glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self.glyphs = glyphs
        self._look: Look | None = None
        self._is_stale = False

    @property
    def look(self) -> Look:
        """Styles and signs, read from the stylesheet; the same object while they are the same."""
        if self._look is None or self._is_stale:
            look = make_look(self.glyphs, self.get_component_rich_style)
            if self._look is None or not look.is_like(self._look):
                self._look = look
            self._is_stale = False
        return self._look

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._is_stale = True  # often it is only the focus that went elsewhere


class Painted(Widget):
    """Rows of segments in the roles of `tui.widgets.look`."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.glyphs = glyphs
        self._look: Look | None = None

    @property
    def look(self) -> Look:
        """Styles and signs of the screen; on a screen that has none, as bare as can be."""
        screen = self.screen
        look = screen.look if isinstance(screen, PaintedScreen) else make_look(self.glyphs, lambda _: Style())
        if look is not self._look:
            self._look = look
            self.forget_drawn()
        return look

    @property
    def base(self) -> Style:
        """How blanks look."""
        return self.look.plain["text"]

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows, as they are: these widgets have no border and no padding to add, and keep what they drew."""
        _ = self.look  # the screen's may be another by now
        rows = [self.render_line(y) for y in crop.line_range]
        if crop.column_span != (0, self.size.width):
            rows = [row.crop(crop.x, crop.right) for row in rows]
        background = self.background_colors[1]
        for line_filter in self.get_line_filters():
            rows = [row.apply_filter(line_filter, background) for row in rows]
        return rows

    def forget_drawn(self) -> None:
        """Called when colours changed: what was drawn is to be drawn again."""

    def segment(self, text: str, role: str) -> Segment:
        """Text in a role, in characters that the terminal can draw."""
        return Segment(self.look.drawable(text), self.look.plain[role])

    def blank(self) -> Strip:
        """An empty row."""
        return Strip.blank(self.size.width, self.base)


class PaintedScroll(Painted, ScrollView, can_focus=True):
    """The same for what scrolls: `render_line` over a virtual size."""

    def on_mount(self) -> None:
        if self.glyphs.is_ascii:
            draw_in_ascii(self)


class ChosenScroll(PaintedScroll):
    """One in which something is highlighted: arrows are for the screen, which moves that, however much there is."""

    def action_scroll_up(self) -> None:
        raise SkipAction

    def action_scroll_down(self) -> None:
        raise SkipAction

    def action_scroll_left(self) -> None:
        raise SkipAction

    def action_scroll_right(self) -> None:
        raise SkipAction
