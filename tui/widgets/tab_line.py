"""The first line of a screen: its tabs, and how busy the machine is."""

from rich.cells import cell_len

from core.load import Load
from tui import format as f
from tui.tabs import TABS
from tui.widgets.look import Glyphs
from tui.widgets.status_line import Part, StatusLine

BUSY = 0.9
"""From here a part of the machine is what limits the builds."""


class TabLine(StatusLine):
    """Names of the tabs, the lit one strong; at the right cpu and memory."""

    def __init__(self, glyphs: Glyphs, lit: str, note: str) -> None:
        super().__init__(glyphs, id="tabs")
        self._lit = lit
        self._note = note

    def show(self, load: Load | None) -> None:
        """Show how busy the machine is; None: nothing is known."""
        left = [Part(" deck ", "title")]
        for tab in TABS:
            role = "lit" if tab.name == self._lit else "dim"
            left.append(Part(f"  {tab.word}", role, f"app.tab({tab.name!r})"))
        right = (Part(f"{self._note} ", "dim"),) if self._note else self._machine(load)
        room = self.size.width - sum(cell_len(part.text) for part in left)
        while right and sum(cell_len(part.text) for part in right) > room:
            right = right[2:]
        self.say(tuple(left), right)

    def _machine(self, load: Load | None) -> tuple[Part, ...]:
        """A graph and a figure each for cores and memory."""
        if load is None:
            return ()
        cpu = f.percent(load.cpu).rjust(5)
        memory = f"{load.used_bytes / 2**30:.1f}/{load.total_bytes / 2**30:.0f} G ".rjust(13)
        used = load.used_bytes / load.total_bytes
        return (
            Part("cpu " + self.glyphs.graph(load.cpu_history), "dim"),
            Part(f" {cpu}   ", "waiting" if (load.cpu or 0.0) >= BUSY else "number"),
            Part("mem " + self.glyphs.graph(load.used_history), "dim"),
            Part(memory, "waiting" if used >= BUSY else "number"),
        )
