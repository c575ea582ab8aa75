"""The first line of a screen: its tabs, and how busy the machine is."""

from collections.abc import Iterable

from rich.cells import cell_len

from core.load import Load
from core.state import Board
from tui import format as f
from tui.tabs import TABS
from tui.widgets.look import Glyphs
from tui.widgets.status_line import Part, StatusLine

BUSY = 0.9
"""From here a part of the machine is what limits the builds."""
_LEAST_MACHINE = 28
"""Cells of cpu and memory without graphs."""
OLD_AFTER_S = 5.0
"""A sample of the engine's says no more by then how it is now."""


class TabLine(StatusLine):
    """Names of the tabs, the lit one strong; at the right cpu and memory, disk and locks where they matter."""

    def __init__(self, glyphs: Glyphs, lit: str, note: str) -> None:
        super().__init__(glyphs, id="tabs")
        self._lit = lit
        self._note = note

    def show(self, load: Load | None, board: Board | None = None) -> None:
        """Show how busy the machine is (None: nothing is known) and what of it limits the builds of a board."""
        width = self.size.width or self.app.size.width  # before the first layout: it spans the screen
        has_room = _cells(self._tabs(2)) + 1 + _LEAST_MACHINE <= width
        gap = 2 if has_room else 1  # not by what is shown now: nothing moves
        left = self._tabs(gap)
        while _cells(left) > width and left[1].role != "lit":
            del left[1]  # what is lit is seen, whatever goes
        right: tuple[Part, ...] = (Part(f"{self._note} ", "dim"),)
        room = width - _cells(left) - 1  # one between the tabs and what is at the right
        for graphs in (2, 1, 0) if not self._note else ():
            right = self._machine(load, board, graphs, blanks=gap + 1)
            if _cells(right) <= room:
                break
        while right and _cells(right) > room:
            right = right[2:]
        self.say(tuple(left), right)

    def _tabs(self, gap: int) -> list[Part]:
        """Names of the tabs, so many blanks before each."""
        left = [Part(" deck" + " " * (gap - 1), "title")]
        for tab in TABS:
            role = "lit" if tab.name == self._lit else "dim"
            left.append(Part(f"{' ' * gap}{tab.word}", role, f"app.tab({tab.name!r})"))
        return left

    def _machine(self, load: Load | None, board: Board | None, graphs: int = 2, blanks: int = 3) -> tuple[Part, ...]:
        """A figure each for cores and memory, always at the same place, with so many graphs; the others before them."""
        if load is None:
            return ()
        limits = _limits(board) if board is not None else frozenset()
        cpu = f.percent(load.cpu).rjust(5)
        used, total = _memory(load, board)
        memory = f"{used / 1e9:.1f}/{total / 1e9:.0f} G ".rjust(13)
        is_short = used / total >= BUSY or "memory" in limits
        is_busy = (load.cpu or 0.0) >= BUSY or "cpu" in limits
        return (
            *_locks(board, limits),
            *_disk(board, limits),
            Part("cpu" + (f" {self.glyphs.graph(load.cpu_history)}" if graphs else ""), "dim"),
            Part(f" {cpu}{' ' * blanks}", "waiting" if is_busy else "number"),
            Part("mem" + (f" {self.glyphs.graph(load.used_history)}" if graphs > 1 else ""), "dim"),
            Part(memory, "waiting" if is_short else "number"),
        )


def _cells(parts: Iterable[Part]) -> int:
    return sum(cell_len(part.text) for part in parts)


def _limits(board: Board) -> frozenset[str]:
    """What holds up any of the builds."""
    live = (run.bottleneck for run in board.runs.values() if not run.state.is_over)
    return frozenset(found.word for found in live if found is not None)


def _memory(load: Load, board: Board | None) -> tuple[int, int]:
    """Used and all bytes: of the machine, or of the cgroup around the builds that has less."""
    sample = board.host.sample if board is not None else None
    if board is None or sample is None or board.now - sample.at > OLD_AFTER_S or sample.total_bytes >= load.total_bytes:
        return load.used_bytes, load.total_bytes
    return sample.total_bytes - sample.available_bytes, sample.total_bytes


def _disk(board: Board | None, limits: frozenset[str]) -> tuple[Part, ...]:
    """How busy the busiest disk of a target dir is, while anything builds."""
    sample = board.host.sample if board is not None else None
    if board is None or sample is None or board.now - sample.at > OLD_AFTER_S:
        return ()
    shares = [busy for _, _, _, busy in sample.disks if busy is not None]
    if not shares:
        return ()
    role = "waiting" if "disk" in limits else "number"
    return Part("disk", "dim"), Part(f" {f.percent(max(shares)):>5}   ", role)


def _locks(board: Board | None, limits: frozenset[str]) -> tuple[Part, ...]:
    """How many builds wait for a lock, while any does."""
    waits = sum(run.waits_for is not None and not run.state.is_over for run in board.runs.values()) if board else 0
    if not waits and "lock" not in limits:
        return ()
    return Part("lock", "dim"), Part(f" {f.many(waits, 'wait')}   ", "waiting")
