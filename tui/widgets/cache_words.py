"""What caches gave, in words: pure functions of what is known of runs, servers and the store."""

from collections.abc import Iterable, Iterator

from core import events as e
from core import queries
from core.cache_queries import AgentUse, Names, Server, Trade
from core.cache_use import CacheUse, Counts
from core.nvcc_use import NvccUse
from core.run_plan import Plan
from tui import format as f
from tui.widgets.cache_reasons import reason_shown
from tui.widgets.look import Glyphs
from tui.widgets.table_view import Cell

LITTLE_S = 0.05
_OUTCOMES = ("missed", "not cacheable", "error")
_REASONS = {
    ("missed", "first time"): "nobody had compiled it with this cache before",
    ("missed", "source"): "its sources are others than last time",
    ("missed", "flags"): "the compiler was called with other flags",
    ("missed", "environment"): "a variable that enters the key has another value",
    ("missed", "dependency"): "a crate that it uses is another than last time, so that its own key is too",
    ("missed", "folder"): "it was compiled in another folder, and the folder enters the key",
    ("missed", "compiler"): "another compiler",
    ("missed", "evicted"): "the store has it no more: it was emptied, or the entry had to go for want of room",
    ("missed", "recache"): "SCCACHE_RECACHE is set: nothing is taken from the cache, all is stored anew",
    ("missed", "not known"): "which input of the key differs is not known",
    ("not cacheable", "crate-type"): "programs, proc macros and dynamic libraries are linked, and never kept",
    ("not cacheable", "incremental"): "it is compiled incrementally, and that is never kept",
    ("not cacheable", "multiple input files"): "what has several inputs is never kept: clippy gets the compiler's name "
    "as one more",
    ("error", "timeout"): "the cache did not answer in time, and the compiler ran",
    ("error", "read"): "the entry could not be read, and the compiler ran",
    ("error", "write"): "compiled, but it could not be stored",
    ("error", "compile failed"): "the compiler failed: there is nothing to keep",
    ("error", "server"): "the server could not be reached, and the compiler ran",
}

NO_CACHE = (
    Cell("No compiler cache is in front of these builds.", "strong"),
    Cell(""),
    Cell(
        "It would give: what another agent or checkout has compiled comes from a store; 63 packages in a second "
        "checkout took 0.56 of the time."
    ),
    Cell(
        "It would not give: programs, proc macros and build scripts are compiled as ever, and the first edit of a "
        "crate takes about three times as long."
    ),
    Cell('cache = "sccache" in config.toml turns it on; --cache sccache does so for one build.', "strong"),
)
"""Where no run, no server and no store is known."""


def share(counts: Counts) -> str:
    """`142/169`; empty where nothing was looked up."""
    return f"{counts.hits}/{counts.all}" if counts.all else ""


def saved(use: CacheUse) -> str:
    """`3:12`; `≥3:12` where it is not known of all hits; `–` where it is of none."""
    if not use.is_saved_known:
        return f.UNKNOWN
    shown = f"−{f.seconds(-use.saved_s)}" if use.saved_s <= -LITTLE_S else f.seconds(max(0.0, use.saved_s))
    return f"≥{shown}" if use.saved_unknown else shown


def reasons(use: CacheUse, outcome: str) -> str:
    """`first time 12, source 3`, the most frequent first."""
    found = [(count, reason) for (kind, reason), count in use.reasons.items() if kind == outcome]
    return ", ".join(f"{reason_shown(reason)} {count}" for count, reason in sorted(found, key=lambda one: -one[0]))


def why_compiled(use: CacheUse) -> str:
    """All reasons for what was no hit: `first time 12, source 3 · linked 11`."""
    return " · ".join(text for outcome in _OUTCOMES if (text := reasons(use, outcome)))


def by_whom(source: str, agent: str, called: Names) -> str:
    """Who had compiled what was a hit."""
    if not source:
        return "compiled by whom is not known"
    shown = called.get(source, source)
    return "it had compiled itself" if shown == agent else f"compiled by {shown}"


def outcome_sign(event: e.CacheLookedUp, glyphs: Glyphs) -> Cell:
    """A dot for a hit, a ring for a miss."""
    signs = {
        "hit": Cell(glyphs.building, "done"), "missed": Cell(glyphs.queued, "text"),
        "not cacheable": Cell("-" if glyphs.is_ascii else "·", "dim"), "error": Cell(glyphs.failed, "failed"),
    }  # fmt: skip
    return signs[event.outcome]


def outcome_words(event: e.CacheLookedUp, agent: str, called: Names) -> Cell:
    """What became of it, whose it was or why: `hit, by claude-1`, `missed, source: src/lib.rs`."""
    if event.outcome == "hit":
        source = called.get(event.source_agent, event.source_agent)
        whose = "its own" if source == agent else f"by {source}" if source else "by whom is not known"
        return Cell(f"hit, {whose}", "text")
    why = ": ".join(part for part in (reason_shown(event.reason), event.detail) if part)
    role = "failed" if event.outcome == "error" else "dim" if event.outcome == "not cacheable" else "strong"
    return Cell(f"{event.outcome}, {why}", role)


def gain(one: AgentUse, now: float, called: Names) -> str:
    """In a sentence or two what the cache gave to an agent, or why that is not known; empty: it has none."""
    counts = one.use.total
    if not counts.all:
        return f"{one.agent}: no figures, because {one.use.uncounted}." if one.use.uncounted else ""
    noun = "unit" if set(one.use.languages) == {"Rust"} else "compilation"
    if not counts.hits:
        return f"{_who(one, now)} compiled all {f.many(counts.all, noun)}; {_why_nothing(one.use)}"
    said = f"{_who(one, now)} compiled {counts.compiled} of {f.many(counts.all, noun)}; "
    return f"{said}{_sources(one, called)}. {_saved_sentence(one.use)}"


def _why_nothing(use: CacheUse) -> str:
    """Why there was no hit; that the next one has it easier, where nobody had compiled any of it before."""
    said = f"nothing came from the cache ({why_compiled(use)})."
    missed = {reason for outcome, reason in use.reasons if outcome == "missed"}
    return f"{said} What it made is kept now, for whoever compiles the same." if missed == {"first time"} else said


def nvcc_gain(nvcc: NvccUse) -> str:
    """What the depfile cache gave, in a sentence; empty: it was not asked."""
    if not nvcc.asked:
        return ""
    return f"{nvcc.hits} of {f.many(nvcc.asked, 'call')} of nvcc came from the depfile cache."


def explain_nvcc(nvcc: NvccUse) -> Iterator[Cell]:
    """Where the figures of nvcc come from; nothing where it was not called."""
    if not nvcc.all:
        return
    yield Cell(f"nvcc {f.percent(nvcc.rate)}", "strong")
    yield Cell(f"{nvcc.hits} of {f.many(nvcc.asked, 'call')} that make code came from the depfile cache.")
    for verdict, count, label in (("miss", nvcc.misses, "missed"), ("bypass", nvcc.bypassed, "not looked up")):
        if count:
            yield Cell(f"{label} {count}")
            yield from (Cell(f"{many:>5} {why or 'not said'}") for kind, why, many in nvcc.reasons if kind == verdict)
    if nvcc.off:
        yield Cell(f"{nvcc.off} more had no depfile cache before them.")
    if nvcc.unknown:
        yield Cell(f"{nvcc.unknown} more ended without a word.")
    yield Cell("")


def _who(one: AgentUse, now: float) -> str:
    runs = one.cached_runs
    if len(runs) != 1:
        return f"{one.agent}'s {len(runs)} builds"
    run = runs[0]
    if run.state.is_over:
        return f"{one.agent} built for {f.seconds(queries.elapsed_s(run, now))} and"
    elapsed_s = queries.elapsed_s(run, now)
    ago = f"{elapsed_s:.0f} s" if elapsed_s < 60 else f"{elapsed_s / 60:.0f} min"
    return f"{one.agent} started {ago} ago and"


def _sources(one: AgentUse, called: Names) -> str:
    """Whose the hits were, most first: a lone one is the rest, or all."""
    found = sorted(one.use.sources.items(), key=lambda pair: -pair[1])
    if len(found) == 1:
        rest = "the rest" if one.use.total.compiled else "all of them"
        return f"{rest} came from {_origin(found[0][0], one.agent, called)}"
    (first, count), *more = ((_origin(source, one.agent, called), count) for source, count in found)
    return ", ".join((f"{count} came from {first}", *(f"{count} from {origin}" for origin, count in more)))


def _origin(source: str, agent: str, called: Names) -> str:
    shown = called.get(source, source)
    return "its own builds before" if shown == agent else shown or "somebody who is not known"


def _saved_sentence(use: CacheUse) -> str:
    known = use.total.hits - use.saved_unknown
    if known <= 0:
        return "What that saved is not known."
    if use.saved_s <= -LITTLE_S:
        return f"Looking up took {f.seconds(-use.saved_s)} longer than compiling had."
    return f"Saved {saved(use)} of compiling."


def explain_use(one: AgentUse, called: Names) -> Iterator[Cell]:
    """Where each figure of an agent comes from."""
    use, counts = one.use, one.use.main
    noun = "units of cargo" if use.rust.all else "compilations"
    fresh = sum(run.units_fresh for run in one.cached_runs)
    yield Cell(f"hit {f.percent(counts.effective_rate)}", "strong")
    if use.uncounted:
        yield Cell(f"Not counted: {use.uncounted}.")
    if use.uncounted and not counts.all:
        return
    yield Cell(f"{counts.hits} of {counts.all} {noun} that had to be made; {fresh} that were fresh are not among them.")
    yield from (Cell(text) for text in _hit_lines(one, called))
    yield Cell("")
    yield Cell(f"as the cache counts {f.percent(counts.server_rate)}", "strong")
    late = f", {counts.failed_lookups} that failed among them" if counts.failed_lookups else ""
    counted = f"{counts.hits} of {counts.looked_up} look-ups{late}"
    yield Cell(f"{counted}: it leaves out what is not cacheable, and compilers that failed.")
    for outcome, count in zip(_OUTCOMES, (use.total.missed, use.total.not_cacheable, use.total.errors), strict=True):
        label = "errors" if outcome == "error" else outcome
        yield Cell(f"{label} {count}" + (f": {reasons(use, outcome)}" if count else ""))
    yield Cell("")
    yield Cell(f"saved {saved(use)}", "strong")
    yield Cell(_about_saved(use))
    taken, kept = (f.size(size or None) for size in (use.hit_bytes, use.stored_bytes))
    yield Cell(f"{taken} taken from the cache, {kept} put into it (as far as sizes are known).")


def _hit_lines(one: AgentUse, called: Names) -> Iterator[str]:
    for source, count in sorted(one.use.sources.items(), key=lambda pair: -pair[1]):
        yield f"{count:>5} from {_origin(source, one.agent, called)}"
    if len(one.use.languages) > 1:
        yield "By language: " + ", ".join(
            f"{name} {counts.hits}/{counts.all}" for name, counts in one.use.languages.items()
        )


def _about_saved(use: CacheUse) -> str:
    if not use.total.hits:
        return "Nothing came from the cache."
    known = use.total.hits - use.saved_unknown
    if known <= 0:
        return "It is not known of any hit what compiling took."
    least = f"; of {f.many(use.saved_unknown, 'more hit')} that is not known" if use.saved_unknown else ""
    return (
        f"What compiling {f.many(known, 'hit')} took when they were made, less what looking them up took{least}. "
        "Compilers run side by side: a build is not shorter by all of it."
    )


def why_none(plan: Plan) -> str:
    """Why a run has no figures of a cache, without a full stop; empty: that is not recorded."""
    decided = next((one for one in plan.settings if one.setting == "cache"), None)
    if decided is None:
        return ""
    return decided.reason if decided.value == "none" else f"{decided.value}: nothing went through it yet"


def explain_none(plan: Plan) -> Iterator[Cell]:
    """The same with what would change it."""
    yield Cell(f"hit {f.UNKNOWN}", "strong")
    if why := why_none(plan):
        yield Cell(f"{why}.")
        yield Cell('cache = "sccache" in config.toml has one for all builds, --cache sccache for one.', "dim")
    else:
        yield Cell(
            "Nothing of it went through a cache that we know of, and what was decided about one is not recorded."
        )


def explain_runs(one: AgentUse, now: float) -> Iterator[Cell]:
    """Which runs are counted."""
    yield Cell("counted from", "strong")
    for run in one.runs[:-6:-1]:
        counts = run.cache.main
        yield Cell(f"{f.moment(run.started_at, now)}  {share(counts) or f.UNKNOWN:>9}  {run.command}")
    if len(one.runs) > 5:
        yield Cell(f"and {len(one.runs) - 5} more", "dim")


def explain_server(server: Server | None) -> Iterator[Cell]:
    """A server and its own figures."""
    yield Cell("server", "strong")
    if server is None:
        yield Cell("None of its own that we know of.", "dim")
        return
    alive = f"pid {server.pid}" if server.pid is not None else "not running"
    place = "our own store" if server.location == "own" else server.location or f.UNKNOWN
    yield Cell(f"{server.cache}, {alive}, stores in {place}")
    yield Cell(
        f"Since it was started or zeroed: {server.hits} hits, {server.missed} missed, {server.not_cacheable} not "
        f"cacheable, {server.errors} errors, {server.timeouts} timeouts, {server.read_errors} read and "
        f"{server.write_errors} write errors; {f.percent(server.rate)} as it counts."
    )
    if server.alarm:
        yield Cell(server.alarm, "failed")


def explain_unit(event: e.CacheLookedUp, agent: str, command: str, called: Names) -> Iterator[Cell]:
    """All that is known of a look-up."""
    if event.outcome == "hit":
        yield Cell(f"hit, {by_whom(event.source_agent, agent, called)}", "done")
    else:
        yield Cell(f"{event.outcome}: {reason_shown(event.reason)}", "strong")
        yield from (Cell(text) for text in (event.detail, _REASONS.get((event.outcome, event.reason), "")) if text)
        if event.reason and event.outcome == "not cacheable":
            yield Cell(f"{event.cache} calls that: {event.reason}", "dim")
    yield Cell("")
    for label, text in _unit_figures(event):
        yield Cell(f"{label:<12}{text}")
    yield Cell(f"{'key':<12}{event.key or f.UNKNOWN}")
    yield Cell(f"{'build':<12}{agent}: {command}", "dim")


def _unit_figures(event: e.CacheLookedUp) -> Iterable[tuple[str, str]]:
    yield "when", f.clock(event.at)
    how = "to look up and fetch" if event.outcome == "hit" else "with the compiler"
    yield "took", f.UNKNOWN if event.elapsed_s is None else f"{f.seconds(event.elapsed_s)} {how}"
    if event.outcome == "hit":
        is_known = event.saved_s is not None
        yield "compiling", f"{f.seconds(event.saved_s or 0.0)}, when the entry was made" if is_known else f.UNKNOWN
    yield "size", f.size(event.size_bytes)
    yield "cache", f"{event.cache}, {event.language}"


def explain_trade(trade: Trade, called: Names, *, is_stores: bool) -> Iterator[Cell]:
    """Where the figures of a trade come from."""
    source, taker = called.get(trade.filled_by, trade.filled_by), called.get(trade.taken_by, trade.taken_by)
    if source == taker:
        yield Cell(f"{taker} took {trade.hits} that it had compiled itself.")
    else:
        yield Cell(f"{taker} took {trade.hits} that {source or 'somebody'} had compiled.")
    yield Cell(f"{f.size(trade.size_bytes)} in all.")
    yield Cell("As the store counts since it was made." if is_stores else "As the runs that are counted tell.", "dim")
