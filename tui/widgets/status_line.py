"""One line of pieces at the top or the bottom of a screen; painted when its words change."""

from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.look import ROLES, Glyphs, Look, make_look, pad


class Part(NamedTuple):
    """Some words of a line."""

    text: str
    role: str
    action: str = ""
    """What a click does."""


class StatusLine(Widget):
    """Parts from the left, parts at the right; what does not fit at the left is left out whole."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"deck--selected", *(f"deck--{role}" for role in ROLES)}

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._glyphs = glyphs
        self._left: tuple[Part, ...] = ()
        self._right: tuple[Part, ...] = ()
        self._look: Look | None = None

    @property
    def words(self) -> str:
        """What it says, as text."""
        return "".join(part.text for part in (*self._left, *self._right))

    def say(self, left: tuple[Part, ...], right: tuple[Part, ...] = ()) -> None:
        """Show these parts."""
        if (left, right) != (self._left, self._right):
            self._left, self._right = left, right
            self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._look = None

    def render_line(self, y: int) -> Strip:
        look = self._look = self._look or make_look(self._glyphs, self.get_component_rich_style)
        base = look.plain["text"]
        width = self.size.width
        right = [self._segment(part, look) for part in self._right]
        room = width - sum(s.cell_length for s in right)
        left: list[Segment] = []
        for part in self._left:
            room -= cell_len(part.text)
            if room < 0:
                break
            left.append(self._segment(part, look))
        left = pad(left, width - sum(s.cell_length for s in right), base)
        return Strip([*left, *right]).adjust_cell_length(width, base)

    def _segment(self, part: Part, look: Look) -> Segment:
        style = look.plain[part.role]
        if part.action:
            style += Style(meta={"@click": part.action})
        return Segment(look.drawable(part.text), style)
