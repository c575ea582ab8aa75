"""What caches gave, as a person sees it: the screen, the page of a run, the number of a pane."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from textual.pilot import Pilot

from core import cache_queries
from core import events as e
from core.cache_queries import AgentUse
from core.cache_use import CacheUse
from core.host import Host
from core.reduce import reduce_run
from core.state import Board, Run
from tests.nvcc_scene import begun, over
from tests.scene import FOUR, T0, board_at, run_id
from tests.tui.conftest import Stage
from tests.tui.screen_text import opened_by, painted_at_rest, settled, text_of
from tests.tui.sizes import PICTURED, SIZES
from tui.pages import cache as page
from tui.pages import crates
from tui.pages.scene import Scene
from tui.screens.cache import CacheScreen
from tui.screens.run import RunScreen
from tui.screens.sheet import SheetScreen
from tui.widgets import cache_rows, cache_words, words
from tui.widgets.look import UNICODE
from tui.widgets.table_view import TableView

CLAUDE = run_id(0, FOUR[0].begins_s)


def hit(source: str, *, saved_s: float | None = 3.0, unit: str = "serde", language: str = "Rust") -> e.CacheLookedUp:
    return e.CacheLookedUp(T0 + 5, "sccache", unit, language, "hit", "k1", source, "", "", 0.5, saved_s, 900)


def missed(reason: str = "source", detail: str = "src/lib.rs", *, unit: str = "engine") -> e.CacheLookedUp:
    return e.CacheLookedUp(T0 + 6, "sccache", unit, "Rust", "missed", "k2", "", reason, detail, 4.0, None, 1_200_000)


def started(agent: str = "ada", run: str = "20251229-100000-000-beef") -> e.RunStarted:
    return e.RunStarted(T0, run, agent, "build", "cargo", "build", "/w", "/w", "/w/target", False, False, False)


def run_of(*events: e.Event, agent: str = "ada", run: str = "20251229-100000-000-beef") -> Run:
    found = reduce_run(None, [started(agent, run), *events])
    assert found is not None
    return found


def use_of(*events: e.Event) -> AgentUse:
    run = run_of(*events)
    return AgentUse("ada", (run,), run.cache, None)


def gain(*events: e.Event, now: float = T0 + 240) -> str:
    return cache_words.gain(use_of(*events), now, {})


# The number of a pane


def vital(run: Run) -> words.Fact:
    return next(iter(words.facts(run, T0, UNICODE.graph)))


def test_a_pane_says_how_much_came_from_a_cache_of_all_that_had_to_be_made() -> None:
    fact = vital(run_of(hit("bob"), hit("ada"), missed()))
    assert (fact.number, fact.trail.strip(), fact.role) == (" 67 %", "2/3", "number")


def test_without_a_look_up_the_number_is_not_known_and_as_wide() -> None:
    bare, full = vital(run_of()), vital(run_of(*[hit("bob")] * 120, *[missed()] * 40))
    assert (bare.number.strip(), bare.role) == ("–", "dim")
    assert len(bare.number + bare.trail) == len(full.number + full.trail)
    assert full.trail.strip() == "120/160"


def test_units_of_cargo_count_alone_where_there_are_any() -> None:
    assert vital(run_of(hit("bob"), hit("bob", language="PTX"))).trail.strip() == "1/1"
    assert vital(run_of(hit("bob", language="PTX"), hit("", language="CUBIN"))).trail.strip() == "2/2"


# The sentence


def test_the_gain_is_told_as_a_colleague_would() -> None:
    assert gain(missed(), *[hit("bob")] * 3) == (
        "ada started 4 min ago and compiled 1 of 4 units; the rest came from bob. Saved 7.5 s of compiling."
    )
    assert gain(missed(), hit("bob"), hit("ada"), hit("bob")) == (
        "ada started 4 min ago and compiled 1 of 4 units; 2 came from bob, 1 from its own builds before. "
        "Saved 7.5 s of compiling."
    )


def test_the_gain_says_at_least_where_not_all_of_it_is_known() -> None:
    assert gain(missed(), hit("bob"), hit("", saved_s=None)).endswith(
        "1 came from bob, 1 from somebody who is not known. Saved ≥2.5 s of compiling."
    )
    assert gain(hit("bob", saved_s=None)).endswith("all of them came from bob. What that saved is not known.")


def test_a_cache_that_gave_nothing_or_cost_more_is_told_as_it_is() -> None:
    assert gain(missed(), missed("first time", "")) == (
        "ada started 4 min ago and compiled all 2 units; nothing came from the cache (source 1, first time 1)."
    )
    assert gain(missed("first time", ""), replace(missed("crate-type", "bin"), outcome="not cacheable")) == (
        "ada started 4 min ago and compiled all 2 units; nothing came from the cache (first time 1 · linked 1). "
        "What it made is kept now, for whoever compiles the same."
    )
    assert gain(hit("bob", saved_s=0.1)).endswith("Looking up took 0.4 s longer than compiling had.")
    assert gain() == ""


def test_the_gain_of_a_build_that_is_over_and_of_several() -> None:
    end = e.RunEnded(T0 + 9, 0, None, 9.0, 1.0, 1.0, 0, None)
    assert gain(hit("bob"), end).startswith("ada built for 9.0 s and compiled 0 of 1 unit; all of them came from bob")
    first, second = run_of(hit("bob"), run="r1"), run_of(missed(), run="r2")
    both = next(iter(cache_queries.agents(Board(MappingProxyType({"r1": first, "r2": second})))))
    assert cache_words.gain(both, T0, {}).startswith("ada's 2 builds compiled 1 of 2 units; the rest came from bob.")


def test_names_that_a_person_gave_are_used() -> None:
    assert "came from Robert" in cache_words.gain(use_of(hit("bob")), T0, {"bob": "Robert"})
    assert cache_words.outcome_words(hit("ada"), "Ada L", {"ada": "Ada L"}).text == "hit, its own"


def test_what_was_saved_is_unknown_at_least_or_exact() -> None:
    assert cache_words.saved(CacheUse()) == "–"
    assert cache_words.saved(use_of(missed()).use) == "0.0 s"
    assert cache_words.saved(use_of(hit("b", saved_s=None)).use) == "–"
    assert cache_words.saved(use_of(hit("b", saved_s=None), hit("b")).use) == "≥2.5 s"
    assert cache_words.saved(use_of(hit("b", saved_s=0.1)).use) == "−0.4 s"


def test_a_cache_without_figures_says_why_and_shows_none() -> None:
    run = run_of(hit("bob"), e.CacheUncounted(T0 + 9, "zccache", "two builds shared its session"))
    one = AgentUse("ada", (run,), run.cache, None)
    assert (vital(run).number.strip(), vital(run).trail.strip()) == ("–", "")
    assert cache_words.gain(one, T0, {}) == "ada: no figures, because two builds shared its session."
    assert page.content(Scene(run)).empty == "No figures, because two builds shared its session."
    assert cache_rows.agent_rows([one], {})[0].cells[10].text == "two builds shared its session"


# The screen


async def opened(pilot: Pilot[Any]) -> CacheScreen:
    return await opened_by(pilot, "f5", CacheScreen)


def line_of(pilot: Pilot[Any], *parts: str) -> str:
    """The row that has all of these."""
    return next(line for line in text_of(pilot).split("\n") if all(part in line for part in parts))


async def test_each_agent_has_its_rate_beside_the_servers_and_whose_the_hits_were(stage: Stage) -> None:
    use = stage.board.runs[CLAUDE].cache
    rust = use.rust
    assert rust.other > 0 < rust.own
    async with stage.app().run_test(size=(160, 40)) as pilot:
        await opened(pilot)
        shown = line_of(pilot, "claude-1", f"{rust.hits}/{rust.all}").split()
        assert shown[1:5] == ["claude-1", f"{rust.hits / rust.all * 100:.0f}", "%", f"{rust.hits}/{rust.all}"]
        assert f"{rust.hits / (rust.hits + rust.missed) * 100:.0f} %" in " ".join(shown)
        numbers = [str(n) for n in (rust.other, rust.own, rust.missed, rust.not_cacheable, rust.errors)]
        assert numbers == shown[8:13]


async def test_the_alarm_stands_on_top_and_in_the_sheet_of_its_agent(stage: Stage) -> None:
    async with stage.app().run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        assert "✗ gpu-agent: its server stores nothing any more" in text_of(pilot).split("\n")[2]
        await pilot.press("j", "enter")
        assert isinstance(pilot.app.screen, SheetScreen)
        await pilot.press("pagedown", "pagedown")
        await pilot.pause()
        assert "its server stores nothing any more" in text_of(pilot)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, CacheScreen)


async def test_languages_of_a_cuda_build_have_a_row_each(stage: Stage) -> None:
    languages = stage.board.runs[run_id(3, FOUR[3].begins_s)].cache.languages
    assert set(languages) >= {"PTX", "CUBIN"}
    async with stage.app().run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        for language, counts in languages.items():
            assert f"{counts.hits}/{counts.all}" in line_of(pilot, f"  {language} ")


async def test_units_can_be_narrowed_to_misses_and_to_an_agent_and_escape_undoes_that(stage: Stage) -> None:
    async with stage.app().run_test(size=(160, 40)) as pilot:
        screen = await opened(pilot)
        units = screen.table("units")
        everything = len(units.rows)
        assert everything == sum(len(run.cache.lookups) for run in stage.board.runs.values())
        await pilot.press("m")
        outcomes = {one.event.outcome for one in screen._units.values()}
        assert outcomes == {"missed", "not cacheable"}
        await pilot.press("a", "j")
        assert {one.agent for one in screen._units.values()} == {"gpu-agent"}
        assert "no hits · gpu-agent" in text_of(pilot)
        await pilot.press("escape")
        assert len(units.rows) == everything
        await pilot.press("escape")
        assert not isinstance(pilot.app.screen, CacheScreen)


async def test_a_renamed_agent_keeps_its_server_and_what_others_took_of_it(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(160, 50)) as pilot:
        await settled(pilot)
        app.names.call({"codex": "Kodi"})
        await opened(pilot)
        assert line_of(pilot, "Kodi", "46/60")
        assert re.search(r"Kodi +claude-1 +40 ", text_of(pilot))
        assert "hit, by Kodi" in text_of(pilot)
        assert "codex" not in text_of(pilot)


async def test_an_agent_that_is_renamed_while_one_looks_has_its_new_name_everywhere(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(160, 50)) as pilot:
        await opened(pilot)
        assert "codex" in text_of(pilot)
        app.names.call({"codex": "Kodi"})
        stage.now += 1
        await settled(pilot)
        assert "hit, by Kodi" in text_of(pilot)
        assert "codex" not in text_of(pilot)


async def test_units_come_slowest_first_when_asked(stage: Stage) -> None:
    async with stage.app().run_test(size=(160, 40)) as pilot:
        screen = await opened(pilot)
        await pilot.press("O")
        took = [one.event.elapsed_s or 0.0 for one in screen._units.values()]
        assert took == sorted(took, reverse=True)
        assert "slowest first" in text_of(pilot)


async def test_enter_on_a_unit_tells_all_that_is_known_of_it(stage: Stage) -> None:
    lookup = stage.board.runs[CLAUDE].cache.lookups[-1]
    async with stage.app().run_test(size=(160, 50)) as pilot:
        screen = await opened(pilot)
        await pilot.press("tab")
        key = next(key for key, one in screen._units.items() if one.event is lookup)
        screen.table("units").select(key)
        await pilot.press("enter")
        await pilot.pause()
        shown = text_of(pilot)
        assert lookup.unit in shown
        assert lookup.key in re.sub(r"\s", "", shown)
        assert "test -p engine" in shown


async def test_the_newest_run_of_each_agent_can_be_looked_at_alone(stage: Stage) -> None:
    earlier = run_of(
        *[missed()] * 7, e.RunEnded(T0, 0, None, 9.0, 1.0, 1.0, 0, None), agent="claude-1", run="2025-early"
    )
    runs = MappingProxyType({earlier.run: earlier, **stage.board.runs})
    stage.board = replace(stage.board, runs=runs)
    rust = stage.board.runs[CLAUDE].cache.rust
    async with stage.app().run_test(size=(160, 40)) as pilot:
        await opened(pilot)
        assert "last 24 h" in text_of(pilot)
        assert line_of(pilot, "claude-1", f"{rust.hits}/{rust.all + 7}")
        assert "claude-1's 2 builds compiled" in text_of(pilot)
        await pilot.press("t")
        assert "newest build of each agent" in text_of(pilot)
        assert line_of(pilot, "claude-1", f"{rust.hits}/{rust.all}")


async def test_the_store_and_who_profits_stand_beside_or_on_a_page_of_their_own(stage: Stage) -> None:
    caches = stage.board.host.caches
    assert caches is not None
    source, taker, hits, _ = max(caches.trades, key=lambda row: row[2] if row[0] != row[1] else 0)
    for width in (120, 80):
        async with stage.app().run_test(size=(width, 40)) as pilot:
            screen = await opened(pilot)
            if width == 80:
                assert "1.9 G of 50 G" not in text_of(pilot)
                await pilot.press("i")
                await settled(pilot)
            assert "1.9 G of 50 G" in text_of(pilot)
            assert re.search(rf"{source} +{taker} +{hits} ", text_of(pilot))
            screen.table("trades").focus()
            await pilot.press("enter")
            await pilot.pause()
            assert "As the store counts since it was made." in text_of(pilot)


async def test_tab_goes_round_the_lists_that_are_seen(stage: Stage) -> None:
    async with stage.app().run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        focused = []
        for _ in range(4):
            assert isinstance(pilot.app.focused, TableView)
            focused.append(pilot.app.focused.id)
            await pilot.press("tab")
        assert focused == ["agents", "units", "trades", "agents"]
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("tab", "tab")
        assert isinstance(pilot.app.focused, TableView)
        assert pilot.app.focused.id == "agents"


async def test_without_any_cache_the_screen_says_what_one_gives_and_how_to_have_it(stage: Stage) -> None:
    runs = {name: replace(run, cache=CacheUse()) for name, run in stage.board.runs.items()}
    stage.board = replace(stage.board, runs=MappingProxyType(runs), host=Host())
    for size in SIZES:
        async with stage.app().run_test(size=size) as pilot:
            await opened(pilot)
            shown = " ".join(text_of(pilot).split())
            assert "No compiler cache is in front of these builds." in shown
            assert 'cache = "sccache"' in shown
            assert "newest first" not in shown


async def test_calls_of_nvcc_that_the_depfile_cache_answered_have_a_row_and_a_sentence(stage: Stage) -> None:
    call = begun("11-1", T0 + 2)
    said = (("hit", ""), ("hit", ""), ("miss", "gemm.cuh has changed"), ("bypass", "-keep"), ("off", ""))
    calls = [over(call, verdict=verdict, why=why) for verdict, why in said]
    ends = (*calls, over(call, kind="question", verdict="off"))
    mine = replace(stage.board.runs[CLAUDE], nvcc_ends=ends)
    for runs in ({**stage.board.runs, CLAUDE: mine}, {CLAUDE: replace(mine, cache=CacheUse())}):
        stage.board = replace(stage.board, runs=MappingProxyType(runs), host=Host())
        for size in ((80, 24), (120, 40)):
            async with stage.app().run_test(size=size) as pilot:
                screen = await opened(pilot)
                assert line_of(pilot, "  nvcc", "50 %", "2/4")
                screen.table("agents").select("claude-1")
                await settled(pilot)
                shown = " ".join(text_of(pilot).split())
                assert size[0] == 80 or "2 of 4 calls of nvcc came from the depfile cache." in shown
                await pilot.press("enter", "pagedown", "pagedown")
                await pilot.pause()
                assert "1 more had no depfile cache before them." in text_of(pilot)


async def test_who_gained_is_gone_to_once_somebody_did_and_only_where_nobody_moved(stage: Stage) -> None:
    first, second = run_of(missed(), agent="ada", run="r1"), run_of(missed(), agent="bob", run="r2")
    third = run_of(hit("ada"), agent="cem", run="r3")
    for has_moved, agent in ((False, "cem"), (True, "bob")):
        stage.board = Board(MappingProxyType({"r1": first, "r2": second}), T0 + 60, T0 + 60)
        async with stage.app().run_test(size=(120, 40)) as pilot:
            screen = await opened(pilot)
            assert screen.table("agents").chosen == "ada"
            if has_moved:
                await pilot.press("down")
            stage.board = replace(stage.board, runs=MappingProxyType({**stage.board.runs, "r3": third}))
            stage.now += 1
            await settled(pilot)
            assert screen.table("agents").chosen == agent


def test_reasons_of_sccaches_are_told_in_our_words_and_its_own_in_full_detail() -> None:
    linked = replace(missed("crate-type", "bin"), outcome="not cacheable")
    use = use_of(linked, missed("first time", ""))
    assert cache_words.why_compiled(use.use) == "first time 1 · linked 1"
    assert cache_words.outcome_words(linked, "ada", {}).text == "not cacheable, linked: bin"
    lines = [cell.text for cell in cache_words.explain_unit(linked, "ada", "build", {})]
    assert lines[0] == "not cacheable: linked"
    assert "sccache calls that: crate-type" in lines


def decide(stage: Stage, setting: dict[str, str]) -> None:
    """Have the record of a run say so."""
    path = Path(stage.paths.run(CLAUDE), "run.json")
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "plan": [setting]}))


async def test_an_agent_without_a_cache_says_why(stage: Stage) -> None:
    stage.board = replace(stage.board, runs=MappingProxyType({
        **stage.board.runs, CLAUDE: replace(stage.board.runs[CLAUDE], cache=CacheUse()),
    }))  # fmt: skip
    decide(stage, {"setting": "cache", "value": "none", "reason": "nobody asked for one"})
    async with stage.app().run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        await pilot.press("g")
        assert "–" in line_of(pilot, "▸ claude-1", "nobody asked")
        assert "claude-1 has no figures: nobody asked for one." in text_of(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert "nobody asked for one." in text_of(pilot)


async def test_nothing_is_painted_while_nothing_changes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage.app().run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        assert await painted_at_rest(pilot, monkeypatch) == []


async def test_what_is_looked_up_while_one_looks_appears(stage: Stage) -> None:
    stage.board, stage.now = board_at(30.0), T0 + 30.0
    async with stage.app().run_test(size=(160, 40)) as pilot:
        screen = await opened(pilot)
        before = len(screen.table("units").rows)
        stage.board, stage.now = board_at(60.0), T0 + 60.0
        await settled(pilot)
        assert len(screen.table("units").rows) > before


# The page of a run


async def test_a_run_has_a_page_of_its_look_ups(stage: Stage) -> None:
    rust = stage.board.runs[CLAUDE].cache.rust
    async with stage.app().run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        await pilot.press("7")
        await settled(pilot)
        assert isinstance(pilot.app.screen, RunScreen)
        shown = text_of(pilot)
        assert f"hit {rust.hits / rust.all * 100:.0f} % {rust.hits}/{rust.all} · saved ≥" in shown
        assert "hit, by codex" in shown


def test_the_page_tells_of_the_chosen_look_up_and_of_the_gain() -> None:
    run = run_of(missed(), hit("bob"))
    scene = Scene(run, now=T0 + 240)
    rows = page.content(scene).rows
    assert [row.cells[1].text for row in rows] == ["serde", "engine"]
    told = [cell.text for cell in page.detail(scene, rows[1].key)]
    assert told[0] == "engine"
    assert "src/lib.rs" in told
    assert "its sources are others than last time" in told
    assert told[-1].startswith("ada started 4 min ago and compiled 1 of 2 units")


def test_the_page_of_a_run_without_a_cache_says_why() -> None:
    assert "what was decided about one is not recorded" in page.content(Scene(run_of())).empty


def test_a_unit_that_came_from_a_cache_is_a_dot_among_the_crates(stage: Stage) -> None:
    from core.story import tell

    unit = e.UnitFinished(T0 + 8, "serde", "serde", "1.0.0", "lib", False, 1.0)
    other = e.UnitFinished(T0 + 9, "engine", "engine", "1.0.0", "lib", False, 1.0)
    events: list[e.Event] = [
        started(), e.UnitStarted(T0 + 1, "serde"), e.UnitStarted(T0 + 1, "engine"), hit("bob"), missed(), unit, other,
    ]  # fmt: skip
    run = reduce_run(None, events)
    assert run is not None
    scene = Scene(run, tell(events), now=T0 + 10, width=60)
    content = crates.content(scene)
    bars = {row.cells[0].text.strip(): row.cells[1].text.strip() for row in content.rows}
    assert bars["serde"] == "●"
    assert set(bars["engine"]) == {"━"}
    assert "● 1 from the cache" in "".join(part.text for part in content.summary)
    serde = next(row for row in content.rows if row.cells[0].text.strip() == "serde")
    assert "sccache: hit, by bob" in [cell.text for cell in crates.detail(scene, serde.key)]


@pytest.mark.parametrize("size", PICTURED, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("view", ["cache", "store", "sheet", "none", "page"])
def test_caches_look_as_they_did(view: str, size: tuple[int, int], stage: Stage, snap_compare: Any) -> None:
    async def press(pilot: Pilot[Any]) -> None:
        keys = {"store": ("f5", "m", "i"), "sheet": ("f5", "enter"), "page": ("enter", "7")}
        for key in keys.get(view, ("f5",)):
            await pilot.press(key)
            await settled(pilot)
        if view == "page":
            _hide_path(pilot)
        await pilot.pause()

    if view == "none":
        runs = {name: replace(run, cache=CacheUse()) for name, run in stage.board.runs.items()}
        stage.board = replace(stage.board, runs=MappingProxyType(runs), host=Host())
    assert snap_compare(stage.app(), terminal_size=size, run_before=press)


def _hide_path(pilot: Pilot[Any]) -> None:
    from tui.widgets.log_panel import LogPanel

    for panel in pilot.app.screen.query(LogPanel):
        assert panel._source is not None
        panel._source = panel._source._replace(path="")  # it lies elsewhere each time
        panel.say()
