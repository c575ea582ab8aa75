"""What compiler caches give to whom: agents, units with what differed, the store and who profits from it."""

from collections.abc import Iterable
from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from core import cache_queries
from core.cache_queries import AgentUse, Trade, UnitLookup
from core.run_plan import read_plan
from core.state import Run
from tui import format as f
from tui.bindings import BY_ID, CACHE, bindings
from tui.key import Key
from tui.screens.base import DeckScreen
from tui.view import View
from tui.widgets import cache_rows as rows
from tui.widgets import cache_words as words
from tui.widgets.ansi import safe
from tui.widgets.status_line import Part, StatusLine
from tui.widgets.table_view import Cell, TableView
from tui.widgets.text_view import Frame, QuietText, TextView

STORE_BESIDE_FROM = 110
"""Columns: on a narrower screen units and store are two pages."""
LOW_BELOW = 30
"""Rows of a terminal that has none to leave blank."""
_MAX_ALARMS = 3
_NARROW_GAIN, _GAIN = 4, 2
_GAIN_WIDTH = 80
_NOT_HINTED = ("run.start", "run.stop", "run.restart", "board.attention")


class CacheScreen(DeckScreen[None]):
    """What compiler caches give to whom."""

    KEYS = CACHE
    BINDINGS: ClassVar[list[Binding]] = bindings(CACHE)  # type: ignore[assignment]
    CSS_PATH = "../../styles/cache.tcss"
    TAB = "cache"

    def __init__(self) -> None:
        super().__init__()
        self._view: View | None = None
        self._marks: tuple[object, ...] = ()
        self._found: tuple[AgentUse, ...] = ()
        self._all = cache_queries.together(())
        """Those of all agents."""
        self._units: dict[str, UnitLookup] = {}
        self._trades: dict[str, Trade] = {}
        self._trades_are_stores = False
        self._reasons: dict[str, str] = {}
        """Why there is no cache, by run that has none."""
        self._is_chosen = False
        """The agent that gained most was chosen, once; or a person chose."""
        self._is_newest_only = False
        self._misses_only = False
        self._is_agent_only = False
        self._order = cache_queries.ORDERS[0]

    def body(self) -> Iterable[Widget]:
        glyphs = self.deck.glyphs
        yield StatusLine(glyphs, id="about")
        yield QuietText(glyphs, id="alarms")
        yield QuietText(glyphs, id="none")
        yield QuietText(glyphs, id="gain")
        yield TableView(glyphs, (), id="agents")
        with Horizontal(id="halves"):
            yield TableView(glyphs, (), id="units")
            with Vertical(id="store"):
                yield QuietText(glyphs, id="store-text")
                yield TableView(glyphs, rows.TRADES, id="trades", empty="Nobody took anything from a cache yet.")

    def begin(self) -> None:
        self.table("agents").focus()

    def table(self, name: str) -> TableView:
        """One of the lists: `agents`, `units`, `trades`."""
        return self.query_one(f"#{name}", TableView)

    @property
    def chosen(self) -> Run | None:
        """The newest run of the chosen agent."""
        one = self._chosen_use()
        return one.runs[-1] if one is not None and one.runs else None

    def _chosen_use(self) -> AgentUse | None:
        agent = rows.agent_of(self.table("agents").chosen)
        return next((one for one in self._found if one.agent == agent), None)

    # What is shown

    def show(self, view: View) -> None:
        """Once a second: a day of builds has tens of thousands of look-ups, which take 40 ms to add up and list."""
        before, self._view = self._view, view
        if before is not None and before.now == view.now:
            return
        runs = view.board.runs.values()
        of_runs = ((run.cache, run.nvcc_ends, run.state) for run in runs)
        marks = (view.board.host.caches, self.deck.names.called, *of_runs)
        if marks != self._marks:
            self._marks = marks
            self._count()
        else:
            self._say()

    def _count(self) -> None:
        """Add up what the look-ups tell, and show it."""
        view = self._view
        if view is None or not self.is_ready:
            return
        board = view.board
        self._found = cache_queries.agents(board, newest_only=self._is_newest_only, called=self.deck.names.called)
        self._all = cache_queries.together(self._found)
        self.set_class(not cache_queries.has_cache(board), "-none")
        self._show_alarms(cache_queries.alarms(board, self.deck.names.called))
        agents = self.table("agents")
        width, is_low = self.size.width, self.size.height < LOW_BELOW
        agents.set_columns(rows.agent_columns(width))
        is_narrow = width < rows.NARROW_BELOW
        why = {one.agent: self._why_none(one) for one in self._found}
        agents.show(rows.agent_rows(self._found, why, is_narrow=is_narrow, has_languages=not is_low))
        agents.styles.height = len(agents.rows) + 1
        self._choose_once()
        found, self._trades_are_stores = cache_queries.trades(board, self._found)
        traded = rows.trade_rows(found, self.deck.names.called)
        self._trades = dict(zip((row.key for row in traded), found, strict=True))
        self.table("trades").show(traded)
        self._list_units()
        self._say()

    def _choose_once(self) -> None:
        """Go to who gained most, as soon as anybody did, unless a person went elsewhere meanwhile."""
        agents = self.table("agents")
        if self._is_chosen or not self._found:
            return
        best = max(self._found, key=_gained)
        has_moved = agents.chosen not in (None, agents.rows[0].key)
        self._is_chosen = has_moved or _gained(best) > 0
        if self._is_chosen and not has_moved:
            agents.select(best.agent)

    def _why_none(self, one: AgentUse) -> str:
        """Why an agent has no cache, as it was decided for its newest run; empty: it has one, or that is not known."""
        if one.use.cache or not one.runs:
            return ""
        run = one.runs[-1].run
        if run not in self._reasons:
            self._reasons[run] = words.why_none(read_plan(self.deck.deck.paths, run))
        return self._reasons[run]

    def _list_units(self) -> None:
        one = self._chosen_use() if self._is_agent_only else None
        found = cache_queries.lookups(
            self._found,
            agent=one.agent if one is not None else None,
            misses_only=self._misses_only,
            order=self._order,
        )
        self._units = {unit.key: unit for unit in found}
        table = self.table("units")
        width = table.size.width or self.size.width
        table.set_columns(rows.unit_columns(width))
        is_filtered = self._misses_only or self._is_agent_only
        table.say_empty("Nothing is like that: esc shows all." if is_filtered else "Nothing was looked up yet.")
        table.show(rows.unit_rows(found, self.deck.glyphs, self.deck.names.called, width))

    def _show_alarms(self, found: tuple[str, ...]) -> None:
        """A line each; what does not fit is in the sheet of the agent."""
        self.set_class(bool(found), "-alarm")
        sign, most = self.deck.glyphs.failed, 1 if self.size.height < LOW_BELOW else _MAX_ALARMS
        lines = [Frame(f"{sign} {sentence}", "failed") for sentence in found[:most]]
        if (more := len(found) - most) > 0:
            lines[-1] = Frame(f"{sign} {more} more{self.deck.glyphs.dot}{found[most - 1]}", "failed")
        self.query_one("#alarms", TextView).show(lines)
        self.query_one("#alarms").styles.height = max(1, len(lines))

    def _say(self) -> None:
        """The lines that change by the second."""
        view = self._view
        if view is None or not self.is_ready:
            return
        self.query_one("#about", StatusLine).say(self._about(), self._filters())
        if self.has_class("-none"):
            self.query_one("#none", TextView).show(words.NO_CACHE)
            return
        one = self._chosen_use()
        self.query_one("#gain", TextView).show(self._gain(one, view.now) if one is not None else ())
        lines = rows.store_lines(view.board.host.caches, view.now, self.deck.glyphs)
        self.query_one("#store-text", TextView).show(lines)

    def _about(self) -> tuple[Part, ...]:
        if self.has_class("-none"):
            return (Part(" no compiler cache", "strong"),)
        span = "newest build of each agent" if self._is_newest_only else "last 24 h"
        both, dot = self._all, self.deck.glyphs.dot
        return (
            Part(f" {span}", "dim"),
            Part(f"{dot}hit {f.percent(both.use.total.effective_rate)}", "strong"),
            Part(f" {words.share(both.use.total)}", "number"),
            Part(f"{dot}saved {words.saved(both.use)}", "number"),
            *((Part(f"{dot}nvcc {both.nvcc.hits}/{both.nvcc.asked}", "number"),) if both.nvcc.asked else ()),
        )

    def _filters(self) -> tuple[Part, ...]:
        if self.has_class("-none"):
            return ()
        one = self._chosen_use()
        said = [f"{self._order} first"]
        if self._misses_only:
            said.append("no hits")
        if self._is_agent_only and one is not None:
            said.append(one.agent)
        is_plain = not self._misses_only and not self._is_agent_only
        return (Part(self.deck.glyphs.dot.join(map(safe, said)) + " ", "dim" if is_plain else "lit"),)

    def _gain(self, one: AgentUse, now: float) -> tuple[Cell, ...]:
        said = (words.gain(one, now, self.deck.names.called), words.nvcc_gain(one.nvcc))
        if any(said):
            return (Cell(" ".join(filter(None, said)), "strong"),)
        return (Cell(f"{one.agent} has no figures: {self._why_none(one) or 'nothing went through a cache'}.", "dim"),)

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < STORE_BESIDE_FROM, "-narrow")
        self.set_class(event.size.height < LOW_BELOW, "-low")
        if self.is_ready:
            self.query_one("#gain").styles.height = _NARROW_GAIN if event.size.width < _GAIN_WIDTH else _GAIN
            self.call_after_refresh(self._count)

    # Keys

    def on_table_view_selected(self, event: TableView.Selected) -> None:
        event.stop()
        if event.table.id == "agents":
            if self._is_agent_only:
                self._list_units()
            self._say()

    def on_table_view_opened(self, event: TableView.Opened) -> None:
        """Say where the figures of a row come from."""
        event.stop()
        match event.table.id:
            case "units" if event.key in self._units:
                self._explain_unit(self._units[event.key])
            case "trades" if event.key in self._trades:
                lines = words.explain_trade(
                    self._trades[event.key], self.deck.names.called, is_stores=self._trades_are_stores
                )
                self._open_sheet("who profits", lines)
            case "agents" if (one := self._chosen_use()) is not None:
                self._explain_agent(one)

    def _explain_unit(self, one: UnitLookup) -> None:
        run = self._view.board.runs.get(one.run) if self._view is not None else None
        command = run.command if run is not None else f.UNKNOWN
        self._open_sheet(one.event.unit, words.explain_unit(one.event, one.agent, command, self.deck.names.called))

    def _explain_agent(self, one: AgentUse) -> None:
        now = self._view.now if self._view is not None else 0.0
        lines: list[Cell] = []
        if one.use.total.all or one.use.uncounted:
            lines += [*words.explain_use(one, self.deck.names.called), Cell("")]
        elif one.runs:
            lines += [*words.explain_none(read_plan(self.deck.deck.paths, one.runs[-1].run)), Cell("")]
        lines += words.explain_nvcc(one.nvcc)
        if one.runs:
            lines += [*words.explain_runs(one, now), Cell("")]
        self._open_sheet(one.agent, [*lines, *words.explain_server(one.server)])

    def _open_sheet(self, title: str, lines: Iterable[Cell]) -> None:
        from tui.screens.sheet import SheetScreen

        self.app.push_screen(SheetScreen(title, tuple(lines), is_ascii=self.deck.glyphs.is_ascii))

    def action_other(self, way: int) -> None:
        """Agents, units, who profits: those that are seen, in turn."""
        ring = [self.table(name) for name in ("agents", "units", "trades") if self.table(name).size.height]
        if not ring:
            return
        at = ring.index(self.focused) if isinstance(self.focused, TableView) and self.focused in ring else 0
        ring[(at + way) % len(ring)].focus()

    def action_span(self) -> None:
        self._is_newest_only = not self._is_newest_only
        self._count()

    def action_misses(self) -> None:
        self._misses_only = not self._misses_only
        self._list_units()
        self._say()

    def action_agent(self) -> None:
        self._is_agent_only = not self._is_agent_only
        self._list_units()
        self._say()

    def action_order(self) -> None:
        orders = cache_queries.ORDERS
        self._order = orders[(orders.index(self._order) + 1) % len(orders)]
        self._list_units()
        self._say()

    def action_store(self) -> None:
        """The other page where there are two, else the store beside the units or not."""
        is_narrow = self.has_class("-narrow")
        name = "-beside" if is_narrow else "-alone"
        self.set_class(not self.has_class(name), name)
        shows_store = self.has_class("-beside") if is_narrow else not self.has_class("-alone")
        if self.focused is not self.table("agents"):
            self.table("trades" if shows_store else "units").focus()
        self.call_after_refresh(self._list_units)

    def action_back(self) -> None:
        if self._misses_only or self._is_agent_only or self.has_class("-beside"):
            self._misses_only = self._is_agent_only = False
            self.remove_class("-beside")
            self._list_units()
            self._say()
        else:
            self.deck.action_tab("board")

    def hints(self, view: View) -> tuple[Key, ...]:
        kept = tuple(key for key in super().hints(view) if key.id not in _NOT_HINTED)
        return kept if self.has_class("-none") else (BY_ID["table.open"], *kept)


def _gained(one: AgentUse) -> int:
    """Compilations that it was spared."""
    return one.use.total.hits + one.nvcc.hits
