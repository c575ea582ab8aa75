"""How roles of text look: glyphs, and the styles that the stylesheet gives them."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style

from core.state import Run, RunState
from core.values import dataclass
from tui.format import ascii_only


class Glyphs(NamedTuple):
    """The characters that are drawn beside text."""

    building: str
    waiting: str
    failed: str
    done: str
    stopped: str
    lost: str
    queued: str
    edge: str
    selected_edge: str
    bar: str
    half: str
    track: str
    dot: str
    cut: str
    about: str
    down: str
    here: str
    mark: str
    is_ascii: bool = False

    def of_role(self, role: str) -> str:
        """The sign of a group of states."""
        signs = {"building": self.building, "waiting": self.waiting, "failed": self.failed, "done": self.done}
        return signs.get(role, self.stopped)

    def graph(self, shares: Iterable[float]) -> str:
        """Small bars, one a share 0..1."""
        bars = ".:-=+*#%" if self.is_ascii else "▁▂▃▄▅▆▇█"
        return "".join(bars[min(7, max(0, int(share * 8)))] for share in shares)


UNICODE = Glyphs("●", "◷", "✗", "✓", "■", "?", "○", "▎", "█", "━", "╸", "━", " · ", "…", "≈", "↓", "▸", "◆")
ASCII = Glyphs("*", "~", "x", "+", "-", "?", ".", "|", "#", "=", "=", "-", ", ", "~", "~", "v", ">", "#", is_ascii=True)

ROLES = (
    "text", "strong", "dim", "track", "bar", "building", "waiting", "failed", "done", "quiet", "number", "title",
    "lit", "who-0", "who-1", "who-2", "who-3", "who-4", "who-5",
)  # fmt: skip
"""What a piece of text is; `deck--ROLE` in the stylesheet says how it looks."""

_ROLE_OF_STATE = {
    RunState.QUEUED: "quiet",
    RunState.BUILDING: "building",
    RunState.LINKING: "building",
    RunState.TESTING: "building",
    RunState.RUNNING: "building",
    RunState.WAITING: "waiting",
    RunState.DONE: "done",
    RunState.FAILED: "failed",
    RunState.STOPPED: "quiet",
    RunState.LOST: "failed",
}


def role_of(run: Run) -> str:
    """The role that a run's state gives to its edge, glyph, word and bar."""
    if run.state is RunState.KILLED:
        return "quiet" if run.stop is not None else "failed"
    return _ROLE_OF_STATE[run.state]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """Styles by role, with and without the background of a selected pane, and glyphs. Each is equal to itself alone."""

    glyphs: Glyphs
    plain: Mapping[str, Style]
    selected: Mapping[str, Style]
    found: Style
    """What a search found."""
    match: Style
    """The one of them that one stands at."""
    picked: Style
    """What is selected."""

    def is_like(self, other: "Look") -> bool:
        """All looks the same."""
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def styles(self, is_selected: bool) -> Mapping[str, Style]:
        """Style of each role."""
        return self.selected if is_selected else self.plain

    def glyph(self, run: Run) -> str:
        """The sign of a run's state."""
        match run.state:
            case RunState.KILLED:
                return self.glyphs.stopped if run.stop is not None else self.glyphs.failed
            case RunState.BUILDING | RunState.LINKING | RunState.TESTING | RunState.RUNNING:
                return self.glyphs.building
            case state:
                sign: str = getattr(self.glyphs, state.value)
                return sign

    def drawable(self, text: str) -> str:
        """The text in characters that the terminal can draw."""
        return ascii_only(text) if self.glyphs.is_ascii else text


def make_look(glyphs: Glyphs, style_of: Callable[[str], Style]) -> Look:
    """The look of a widget; `style_of` gives the style of one of its component classes."""
    base = style_of("deck--text")
    back = style_of("deck--selected")
    plain = {role: base + _foreground(style_of(f"deck--{role}")) for role in ROLES}
    selected = {role: style + Style(bgcolor=back.bgcolor) for role, style in plain.items()}
    return Look(glyphs, plain, selected, style_of("deck--found"), style_of("deck--match"), style_of("deck--picked"))


def _foreground(style: Style) -> Style:
    return Style(color=style.color, bold=style.bold or None, dim=style.dim or None, reverse=style.reverse or None)


def pad(segments: list[Segment], width: int, style: Style) -> list[Segment]:
    """The segments, with blanks up to a width in cells; they must not be wider."""
    used = sum(segment.cell_length for segment in segments)
    return [*segments, Segment(" " * (width - used), style)] if used < width else segments
