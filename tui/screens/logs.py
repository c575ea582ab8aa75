"""The logs of all agents in one, by time; what was found in them as a list."""

from collections.abc import Iterable
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding
from textual.widget import Widget

from core.logfile import LogFile
from core.parsers.text import strip_sgr
from core.state import Run
from core.timeline import Timeline
from tui import format as f
from tui.bindings import LOG, LOGS, bindings
from tui.key import Key
from tui.screens.log_host import LogHost
from tui.view import View
from tui.widgets.ansi import safe
from tui.widgets.log_panel import LogPanel, LogSource
from tui.widgets.status_line import Part, StatusLine
from tui.widgets.table_view import Cell, Column, Row, TableView

MAX_RESULTS = 2000
"""Found lines that are listed; the log itself shows all."""
_LEAST_LABEL, _MOST_LABEL = 6, 14
_HUES = 6
_COLUMNS = (Column("agent", _MOST_LABEL), Column("time", 8), Column("line", 9, is_right=True), Column("found", 0))


class LogsScreen(LogHost[None]):
    """All logs, merged: whose each line is stands before it."""

    KEYS = (*LOGS, *LOG)
    BINDINGS: ClassVar[list[Binding]] = bindings(LOGS)  # type: ignore[assignment]
    CSS_PATH = "../../styles/log.tcss"
    TAB = "logs"

    def __init__(self) -> None:
        super().__init__()
        self._timeline = Timeline(self._open_log, self._recording_clock)
        self._runs: dict[str, Run] = {}
        self._hidden: frozenset[str] = frozenset()
        self._label_columns = 0
        self._listed: tuple[int, str] = (0, "")

    def body(self) -> Iterable[Widget]:
        yield StatusLine(self.deck.glyphs, id="who")
        yield LogPanel(self.deck.glyphs, **self.log_options)
        yield TableView(self.deck.glyphs, _COLUMNS, id="results", empty="Nothing is found: / searches all logs.")

    def begin(self) -> None:
        self.results.display = False
        self._take(self.deck.view)
        self._open()
        self.panel.view.focus()

    @property
    def results(self) -> TableView:
        """What was found, as a list."""
        return self.query_one("#results", TableView)

    @property
    def chosen(self) -> Run | None:
        """The run whose line is the current one, else the one at the top."""
        if not self._timeline.shown_line_count:
            return None
        return self._runs.get(self._timeline.origin(self.panel.view.here).run)

    def show(self, view: View) -> None:
        self._take(view)
        self.panel.is_live = any(not run.state.is_over for run in view.board.runs.values())
        self.panel.grow()
        self._say_who()
        if self.results.display:
            self._list_results()

    def _take(self, view: View) -> None:
        """Have the logs of all runs of the board, their ends included."""
        for run in view.board.runs.values():
            if run.run not in self._runs:
                streams = ("out", "err") if run.is_split else ("out",)
                self._timeline.add(run.run, run.agent, streams, f"{self.deck.deck.paths.run(run.run)}/events.jsonl")
            if run.state.is_over and not self._is_over(run.run):
                self._timeline.end(run.run)
            self._runs[run.run] = run
        longest = max((cell_len(safe(agent)) for agent in self._timeline.agents), default=0)
        columns = min(max(longest, _LEAST_LABEL), _MOST_LABEL)
        if columns != self._label_columns:
            self._label_columns = columns
            self.panel.view.redraw()

    def _recording_clock(self) -> float:
        clock = self.deck.deck.recording_clock
        return clock() if clock is not None else float("inf")

    def _is_over(self, run: str) -> bool:
        return run in self._runs and self._runs[run].state.is_over

    def _open(self) -> None:
        self._timeline.grow()
        self.panel.open(LogSource(_Lines(self._timeline), "", stamp=self._stamp, label=self._label))

    def _open_log(self, run: str, stream: str) -> LogFile | None:
        return self.deck.tails.open(self._runs[run], stream)

    def _stamp(self, line: int) -> str:
        return f.clock(self._timeline.origin(line).at if line < self._timeline.shown_line_count else None) + "  "

    def _label(self, line: int) -> tuple[str, str]:
        """The agent of a line, each in a colour of its own as far as there are colours."""
        if line >= self._timeline.shown_line_count:
            return " " * (self._label_columns + 2), "text"
        agent = self._timeline.origin(line).agent
        hue = self._timeline.agents.index(agent) % _HUES
        return f.fit(safe(agent), self._label_columns) + "  ", f"who-{hue}"

    def _say_who(self) -> None:
        """The agents with their numbers; those that are left out are dim."""
        parts = [Part(" ", "text")]
        for number, agent in enumerate(self._timeline.agents, 1):
            role = "dim" if agent in self._hidden else f"who-{(number - 1) % _HUES}"
            mark = "–" if agent in self._hidden else " "
            name = f.cut_name(safe(agent), _MOST_LABEL)
            parts.append(Part(f"{number}{mark}{name}   ", role, f"screen.number({number})"))
        said = f"{len(self._hidden)} left out: 0 shows all " if self._hidden else ""
        self.query_one("#who", StatusLine).say(tuple(parts), (Part(said, "waiting"),))

    def action_number(self, number: int) -> None:
        """Leave an agent's lines out, or have them again; 0: have all."""
        agents = self._timeline.agents
        if number > len(agents):
            return
        self._hidden = self._hidden ^ {agents[number - 1]} if number else frozenset()
        self._timeline.hide(self._hidden)
        self._open()
        self._say_who()

    def action_results(self) -> None:
        self.results.display = not self.results.display
        self._listed = (0, "")
        self._list_results()
        (self.results if self.results.display else self.panel.view).focus()

    def _list_results(self) -> None:
        """The lines that were found, again where there are more."""
        lines = self.panel.found_lines
        if (len(lines), self.panel.text) == self._listed:
            return
        self._listed = (len(lines), self.panel.text)
        self.results.show([self._result(line) for line in lines[:MAX_RESULTS]])

    def _result(self, line: int) -> Row:
        origin = self._timeline.origin(line)
        hue = self._timeline.agents.index(origin.agent) % _HUES
        text = strip_sgr(self._timeline.lines(line, 1)[0]).strip()
        return Row(
            str(line),
            (
                Cell(origin.agent, f"who-{hue}"), Cell(f.clock(origin.at), "dim"), Cell(f"{origin.line + 1:,}", "dim"),
                Cell(text),
            ),
        )  # fmt: skip

    def on_table_view_selected(self, event: TableView.Selected) -> None:
        """The log shows the line that is chosen in the list."""
        self.panel.go_to(int(event.key))

    def on_table_view_opened(self, event: TableView.Opened) -> None:
        self._open_run(int(event.key))

    def action_open(self) -> None:
        if self._timeline.shown_line_count:
            self._open_run(self.panel.view.here)

    def _open_run(self, line: int) -> None:
        """Show the run of a line, at that line."""
        from tui.screens.run import RunScreen

        origin = self._timeline.origin(line)
        self.app.push_screen(RunScreen(origin.run, stream=origin.stream, line=origin.line))

    def go_back(self) -> None:
        if self.results.display:
            self.action_results()
        else:
            self.deck.action_tab("board")

    def hints(self, view: View) -> tuple[Key, ...]:
        return tuple(key for key in super().hints(view) if not key.id.startswith("run.") or key.id == "run.stop")


class _Lines:
    """The timeline as a panel wants it: what is there first is no news."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._is_first = True

    @property
    def shown_line_count(self) -> int:
        return self._timeline.shown_line_count

    def grow(self) -> bool:
        is_first, self._is_first = self._is_first, False
        return self._timeline.grow() or is_first

    def lines(self, first: int, count: int) -> list[str]:
        return self._timeline.lines(first, count)

    def block(self, line: int, size: int) -> tuple[int, int, bytes]:
        return self._timeline.block(line, size)
