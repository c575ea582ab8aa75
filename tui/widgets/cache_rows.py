"""The lists of the cache screen: agents, units, the store; pure."""

from collections.abc import Iterator, Mapping, Sequence

from core import events as e
from core.cache_queries import AgentUse, Names, Trade, UnitLookup
from core.cache_use import Counts
from core.nvcc_use import NvccUse
from tui import format as f
from tui.widgets import cache_words as words
from tui.widgets.cache_reasons import reason_shown, why_nvcc
from tui.widgets.look import Glyphs
from tui.widgets.table_view import Cell, Column, Row

NARROW_BELOW = 60
"""Columns of a terminal that has room for a rate and what was saved, and no more."""
_WIDE = 96
"""Columns of a list of units that has room for sizes and times."""
_VERY_WIDE = 140
"""Columns of a terminal that has room for bytes of each agent."""
_NVCC = "nvcc"
_BAR_CELLS = 10
_FULL = 0.9
"""A store that is fuller is about to let entries go."""
_STATES = {
    "running": "running", "stopped": "it does not run", "foreign": "a backend of yours: what is in it is not looked at",
}  # fmt: skip

_AGENTS = (
    Column("agent", 11), Column("hit", 5, is_right=True), Column("of", 9, is_right=True),
    Column("server", 6, is_right=True), Column("saved", 8, is_right=True), Column("others", 6, is_right=True),
    Column("own", 5, is_right=True), Column("missed", 6, is_right=True), Column("not kept", 8, is_right=True),
    Column("errors", 6, is_right=True), Column("why not", 0), Column("taken", 6, is_right=True),
    Column("put", 6, is_right=True),
)  # fmt: skip
_AGENTS_NARROW = (
    Column("agent", 0), Column("hit", 5, is_right=True), Column("of", 9, is_right=True),
    Column("saved", 8, is_right=True),
)  # fmt: skip
TRADES = (
    Column("compiled by", 11), Column("taken by", 0), Column("hits", 5, is_right=True),
    Column("bytes", 6, is_right=True),
)  # fmt: skip


def agent_columns(width: int) -> tuple[Column, ...]:
    """For a screen of so many columns."""
    return _AGENTS_NARROW if width < NARROW_BELOW else _AGENTS[:-2] if width < _VERY_WIDE else _AGENTS


def unit_columns(width: int) -> tuple[Column, ...]:
    """For a list of so many columns."""
    if width < NARROW_BELOW:
        unit = Column("unit", max(12, width // 3))
        return Column("", 1), unit, Column("outcome", 0), Column("took", 6, is_right=True)
    columns = (
        Column("", 1), Column("unit", min(30, width // 4)), Column("agent", 10), Column("outcome", 0),
        Column("took", 6, is_right=True), Column("saved", 6, is_right=True),
    )  # fmt: skip
    return columns if width < _WIDE else (*columns, Column("size", 6, is_right=True), Column("at", 8))


def agent_rows(
    found: Sequence[AgentUse], why_none: Mapping[str, str], *, is_narrow: bool = False, has_languages: bool = True
) -> list[Row]:
    """A row an agent, below it one a language where there are several and these are wanted, and one of nvcc's calls.

    `why_none`: why an agent has no cache, by agent.
    """
    rows = [row for one in found for row in _rows_of(one, why_none.get(one.agent, ""), is_narrow=is_narrow)]
    return rows if has_languages else [row for row in rows if agent_of(row.key) == row.key or _is_of_nvcc(row)]


def agent_of(key: str | None) -> str | None:
    """The agent of a row."""
    return None if key is None else key.partition("\n")[0]


def _rows_of(one: AgentUse, why_none: str, *, is_narrow: bool) -> Iterator[Row]:
    use = one.use
    first = (Cell(one.agent, "title"), *_rate(use.main))
    what = Cell(words.saved(use), "number" if use.total.hits else "dim")
    if is_narrow:
        yield Row(one.agent, (*first, what))
    else:
        taken, put = (Cell(f.size(size or None), "dim") for size in (use.hit_bytes, use.stored_bytes))
        numbers = (_server_rate(use.main), what, *_counts(use.main))
        yield Row(one.agent, (*first, *numbers, Cell(_why(one, why_none), "dim"), taken, put))
    if len(use.languages) > 1:
        for language, counts in use.languages.items():
            yield _language_row(one, language, counts, is_narrow=is_narrow)
    if one.nvcc.all:
        yield _nvcc_row(one.agent, one.nvcc, is_narrow=is_narrow)


def _nvcc_row(agent: str, nvcc: NvccUse, *, is_narrow: bool) -> Row:
    """What the depfile cache did; whose its hits were and what they saved is not known."""
    asked = f"{nvcc.hits}/{nvcc.asked}" if nvcc.asked else f.UNKNOWN
    rate = Cell(f.percent(nvcc.rate), "strong" if nvcc.asked else "dim")
    cells: tuple[Cell, ...] = (Cell(f"  {_NVCC}", "dim"), rate, Cell(asked, "number"))
    if not is_narrow:
        none = Cell(f.UNKNOWN, "dim")
        kept = tuple(Cell(str(n) if nvcc.asked else f.UNKNOWN, "number" if n else "dim") for n in
                     (nvcc.misses, nvcc.bypassed))  # fmt: skip
        server = Cell(f.percent(nvcc.looked_rate), "dim")
        cells = (*cells, server, none, none, none, *kept, none, Cell(why_nvcc(nvcc), "dim"))
    return Row(f"{agent}\n{_NVCC}", cells)


def _is_of_nvcc(row: Row) -> bool:
    return row.key.endswith(f"\n{_NVCC}")


def _language_row(one: AgentUse, language: str, counts: Counts, *, is_narrow: bool) -> Row:
    first = (Cell(f"  {language}", "dim"), *_rate(counts))
    if is_narrow:
        return Row(f"{one.agent}\n{language}", first)
    numbers = (_server_rate(counts), Cell(""), *_counts(counts))
    return Row(f"{one.agent}\n{language}", (*first, *numbers, Cell(_why_language(one, language), "dim")))


def _rate(counts: Counts) -> tuple[Cell, Cell]:
    role = "strong" if counts.all else "dim"
    return Cell(f.percent(counts.effective_rate), role), Cell(words.share(counts) or f.UNKNOWN, "number")


def _server_rate(counts: Counts) -> Cell:
    return Cell(f.percent(counts.server_rate), "dim")


def _counts(counts: Counts) -> tuple[Cell, ...]:
    """Others' hits, own ones and those of which whose is not known, and what was no hit; blank without a look-up."""
    if not counts.all:
        return tuple(Cell(f.UNKNOWN, "dim") for _ in range(5))
    own = Cell(f"{counts.own}" if not counts.unknown else f"≥{counts.own}", "number" if counts.own else "dim")
    others = Cell(f"{counts.other}" if not counts.unknown else f"≥{counts.other}", "done" if counts.other else "dim")
    rest = ((counts.missed, "number"), (counts.not_cacheable, "number"), (counts.errors, "failed"))
    return (others, own, *(Cell(str(count), role if count else "dim") for count, role in rest))


def _why(one: AgentUse, why_none: str) -> str:
    if one.use.total.all:
        return words.why_compiled(one.use)
    if not one.runs:
        return "no build is on the board"
    return one.use.uncounted or why_none or "no cache in front"


def _why_language(one: AgentUse, language: str) -> str:
    """Reasons of one language, as far as look-ups are kept."""
    counted: dict[str, int] = {}
    for event in one.use.lookups:
        if event.language == language and event.outcome != "hit":
            counted[event.reason] = counted.get(event.reason, 0) + 1
    most = sorted(counted.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{reason_shown(reason)} {count}" for reason, count in most)


def unit_rows(found: Sequence[UnitLookup], glyphs: Glyphs, called: Names, width: int) -> list[Row]:
    """A row a look-up, in order."""
    return [Row(one.key, _unit_cells(one, glyphs, called, is_narrow=width < NARROW_BELOW)) for one in found]


def _unit_cells(one: UnitLookup, glyphs: Glyphs, called: Names, *, is_narrow: bool) -> tuple[Cell, ...]:
    event = one.event
    sign, became = words.outcome_sign(event, glyphs), words.outcome_words(event, one.agent, called)
    took = Cell(_span(event.elapsed_s), "number")
    name = Cell(event.unit, "dim" if event.outcome == "not cacheable" else "text")
    if is_narrow:
        return sign, name, became, took
    gained = Cell(_span(event.saved_s) if event.outcome == "hit" else "", "done")
    return (
        sign, name, Cell(one.agent, "dim"), became, took, gained, Cell(f.size(event.size_bytes), "dim"),
        Cell(f.clock(event.at), "dim"),
    )  # fmt: skip


def _span(seconds: float | None) -> str:
    return f.UNKNOWN if seconds is None else f.seconds(max(0.0, seconds))


def trade_rows(found: Sequence[Trade], called: Names) -> list[Row]:
    """A row a pair of agents."""
    return [
        Row(f"{trade.filled_by}\n{trade.taken_by}", (
            Cell(called.get(trade.filled_by, trade.filled_by) or f.UNKNOWN),
            Cell("itself" if trade.filled_by == trade.taken_by else called.get(trade.taken_by, trade.taken_by),
                 "dim" if trade.filled_by == trade.taken_by else "text"),
            Cell(str(trade.hits), "number"), Cell(f.size(trade.size_bytes), "number"),
        ))
        for trade in found
    ]  # fmt: skip


def store_lines(caches: e.CachesSeen | None, now: float, glyphs: Glyphs) -> tuple[Cell, ...]:
    """What is known of the store, a line each."""
    if caches is None or not caches.store_state:
        return (Cell("store  none of ours", "dim"),)
    state = _STATES.get(caches.store_state, caches.store_state)
    first = Cell(f"store  {state}", "failed" if caches.store_state == "stopped" else "strong")
    if caches.store_state == "foreign":
        return (first,)
    share = caches.store_bytes / caches.store_limit_bytes if caches.store_limit_bytes else 0.0
    filled = min(_BAR_CELLS, round(share * _BAR_CELLS))
    track = "." if glyphs.is_ascii else "░"
    bar = glyphs.selected_edge * filled + track * (_BAR_CELLS - filled)
    size = f"{f.size(caches.store_bytes)} of {f.size(caches.store_limit_bytes)}"
    objects = f"{caches.store_entries:,} object{'' if caches.store_entries == 1 else 's'}"
    return (
        first,
        Cell(f"{bar}  {size}", "waiting" if share > _FULL else "text"),
        Cell(f"{objects}, the oldest {age(caches.store_oldest_at, now)} old"),
        Cell(f"{caches.store_evicted:,} had to go for want of room", "waiting" if caches.store_evicted else "dim"),
    )


def age(since: float | None, now: float) -> str:
    """`3 d`, `5 h`, `12 min`, `8 s`; `–` for None."""
    if since is None:
        return f.UNKNOWN
    seconds = max(0, int(now - since))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
