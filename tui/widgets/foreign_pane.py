"""A pane of a build that is not ours, as rows of words: what can be seen of it from outside. Pure."""

from rich.cells import cell_len

from core.foreign_queries import NOT_OURS, short_command
from core.host import ForeignBuild
from core.values import dataclass
from tui import format as f
from tui.widgets.ansi import safe
from tui.widgets.look import Glyphs
from tui.widgets.words import Piece, brief_span


@dataclass(frozen=True, slots=True)
class ForeignView:
    """All that such a pane shows."""

    build: ForeignBuild
    locks: str
    """Which locks it holds and waits for, in words; empty: none that is seen."""


def title(build: ForeignBuild, glyphs: Glyphs, now: float, room: int) -> tuple[Piece, ...]:
    """Sign, whose, what; since when and for how long at the right."""
    right = f" since {f.clock(build.started_at)} {f.duration(now - build.started_at):>7} "
    if room < len(right) + 30:
        right = f"{f.duration(now - build.started_at):>8} "
    left = f"  {glyphs.queued} {NOT_OURS}  "
    rest = room - len(left) - len(right)
    command = f.fit(f.cut_name(safe(short_command(build)), rest), rest)
    return Piece(left, "quiet"), Piece(command, "dim"), Piece(right, "dim")


def rows(view: ForeignView, glyphs: Glyphs, now: float, room: int) -> list[tuple[Piece, ...]]:
    """Title, crates in flight, numbers, where, locks; the most telling first."""
    build = view.build
    return [
        title(build, glyphs, now, room),
        (Piece(_in_flight(build, glyphs, room - 1), "dim"),),
        tuple(_numbers(build, glyphs)),
        (Piece(f.cut_path(f"in {safe(build.cwd)}" if build.cwd else "where is not to be seen", room - 1), "dim"),),
        (Piece(f.cut_name(safe(view.locks), room - 1), "dim"),) if view.locks else (),
    ]


def entry(view: ForeignView, glyphs: Glyphs, now: float, room: int) -> list[tuple[Piece, ...]]:
    """The same as two rows of a list."""
    return [
        title(view.build, glyphs, now, room),
        (Piece("    " + f.cut_name(view.locks or _in_flight(view.build, glyphs, room - 5), room - 5), "dim"),),
    ]


def _in_flight(build: ForeignBuild, glyphs: Glyphs, room: int) -> str:
    """As many names as fit, and how many more."""
    names = [safe(name) for name in build.in_flight]
    if not names:
        return "nothing compiles just now"
    shown = names[0]
    for at, name in enumerate(names[1:], 1):
        longer = f"{shown}{glyphs.dot}{name}"
        if cell_len(longer) + len(f"  +{len(names) - at}") > room:
            return f.cut_name(f"{shown}  +{len(names) - at}", room)
        shown = longer
    return f.cut_name(shown, room)


def _numbers(build: ForeignBuild, glyphs: Glyphs) -> list[Piece]:
    cores = f.UNKNOWN if build.cpu_cores is None else f"{glyphs.about}{build.cpu_cores:.1f}"
    found = [
        ("cpu ", f"{cores:>5}"), ("   mem ", f"{glyphs.about + f.size(build.memory_bytes):>6}"),
        ("   processes ", f"{build.processes:>3}"), ("   pid ", str(build.pid)),
    ]  # fmt: skip
    return [Piece(text, "dim") for pair in found for text in pair]


def gist(build: ForeignBuild, now: float) -> str:
    """In a few words, for one line: `cargo check (rust-analyzer) 12s`."""
    return f"{safe(short_command(build))} {brief_span(now - build.started_at)}"
