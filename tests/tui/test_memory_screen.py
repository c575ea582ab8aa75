"""Memory over time, links, what would make them smaller."""

from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from core import events as e
from core.measure_links import Plan
from core.measured import AS_IS, Measurement, Trial, append
from core.memory_queries import History, Moment
from tests.scene import T0
from tests.tui.conftest import Stage
from tests.tui.link_scene import TOTAL_BYTES, link_end, with_events, with_links
from tests.tui.screen_text import opened_by, text_of
from tests.tui.sizes import PICTURED
from tui.app import DeckApp
from tui.link_words import said_of, setting_of
from tui.screens.confirm import ConfirmScreen
from tui.screens.link import LinkScreen
from tui.screens.memory import MemoryScreen
from tui.screens.run import RunScreen
from tui.widgets.memory_graph import Frame, MemoryGraph, draw, legend, scale_of


@pytest.fixture
def linked(stage: Stage) -> Stage:
    """The scene with links, and memory over five minutes."""
    stage.board = with_links(stage.board)
    return stage


async def opened(pilot: Pilot[Any]) -> MemoryScreen:
    return await opened_by(pilot, "f3", MemoryScreen)


def pull(pilot: Pilot[Any]) -> None:
    pilot.app.pull()  # type: ignore[attr-defined]


def moment(*taken: int, foreign: int = 0, links: tuple[int, ...] = ()) -> Moment:
    return Moment(taken, foreign, links or (0,) * len(taken))


def drawn(frame: Frame, height: int, *, is_ascii: bool = False) -> list[str]:
    return ["".join(run.text for run in row) for row in draw(frame, height, is_ascii=is_ascii)]


def test_agents_are_stacked_what_is_not_ours_on_top_and_the_limit_is_a_line() -> None:
    history = History(("a", "b"), (moment(2, 2, foreign=2), moment(0, 0), moment(4, 0, foreign=4)), 1.0, 3.0)
    assert drawn(Frame(history, 8, None), 5) == [
        "   8 B ┤┄┄▒",
        "       │▒ ▒",
        "       │▓ █",
        "     0 ┤█ █",
        " −5 min ───",
    ]
    assert drawn(Frame(history, 8, None), 5, is_ascii=True) == [
        "   8 B |--:", "       |: :", "       |% #", "     0 |# #", " -5 min ---",
    ]  # fmt: skip


def test_a_part_of_a_row_is_drawn_as_a_part() -> None:
    history = History(("a",), (moment(5), moment(1)), 1.0, 2.0)
    assert drawn(Frame(history, 8, None), 3)[:2] == ["   8 B ┤▂┄", "     0 ┤█▂"]


def test_the_scale_is_the_limit_halved_while_all_fits() -> None:
    def scale(most: int) -> int:
        return scale_of(Frame(History(("a",), (moment(most),), 1.0, 1.0), 1000, None))

    assert [scale(most) for most in (0, 100, 400, 490, 700, 1500)] == [31, 125, 500, 1000, 1000, 1500]


def test_links_are_marked_in_their_columns_and_the_chosen_one_otherwise() -> None:
    moments = (moment(1, links=(1,)), moment(1), moment(1, links=(3,)), moment(1, links=(12,)))
    history = History(("a",), moments, 1.0, 4.0)
    assert drawn(Frame(history, 8, None), 3)[-1] == " −5 min ▴─3+"
    assert drawn(Frame(history, 8, (2.1, 2.9)), 3)[-1] == " −5 min ▴─▲+"
    assert drawn(Frame(history, 8, (2.1, 2.9)), 3, is_ascii=True)[-1] == " -5 min '-^+"


async def test_the_screen_says_how_much_is_free_who_takes_it_and_what_links_take(linked: Stage) -> None:
    async with linked.app().run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        shown = text_of(pilot)
    assert "free 9.8 G of 24 G" in shown
    assert "█ claude-1 4.9 G" in shown
    assert "▒ not ours" in shown
    lines = shown.split("\n")
    names = [line[5:20].strip() for line in lines if "claude-" in line and "rust-lld" in line]
    assert names[:4] == ["engine(test)", "aho-corasick_4", "server(bin)", "server(bin)"]
    assert "≈640 M" in shown
    assert "≈ sampled: short links are missing" in shown


async def test_a_limit_below_the_machines_memory_is_said_to_be_the_groups(linked: Stage) -> None:
    from core.load import Load

    deck = linked.app().deck
    app = DeckApp(replace(deck, load=lambda: Load(0.5, 1, 4 * TOTAL_BYTES)), is_pulling=False)
    async with app.run_test(size=(120, 40)) as pilot:
        linked.now += 1
        pull(pilot)
        await opened(pilot)
        assert "of the 24 G that its group may have" in text_of(pilot)


def test_who_uses_memory_now_is_named_where_there_is_no_room_for_all() -> None:
    entries = [("#", "dim", "not ours 9 M ", True), ("%", "who-0", "over – ", False), ("x", "who-1", "live 5 M ", True)]
    assert "".join(part.text for part in legend(entries, 60)) == " # not ours 9 M  % over –  x live 5 M "
    assert "".join(part.text for part in legend(entries, 30)) == " # not ours 9 M  x live 5 M "


async def test_a_machine_that_nobody_looks_at_has_no_figures(stage: Stage) -> None:
    async with stage.app().run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        shown = text_of(pilot)
    assert "free –" in shown
    assert "not ours" not in shown


async def test_nothing_is_painted_while_nothing_changes_and_the_graph_only_moves(
    linked: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[object] = []
    async with linked.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        monkeypatch.setattr(MemoryGraph, "refresh", lambda self, *regions, **more: painted.append(regions))
        monkeypatch.setattr(type(screen.table), "_refresh_row", lambda self, index: painted.append(index))
        for _ in range(5):
            pull(pilot)
        assert painted == []
        linked.now += 1
        pull(pilot)
        running = [index for index in painted if isinstance(index, int)]
        assert running == [0, 1]


async def test_enter_shows_all_figures_of_a_link_and_where_each_comes_from(linked: Stage) -> None:
    async with linked.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        keys = [row.key for row in screen.table.rows if "5-2" in row.key]
        assert screen.table.select(keys[0])
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, LinkScreen)
        await pilot.pause()
        shown = text_of(pilot)
        for said in ("largest of its processes, by wait4", "1.9 G", "from 1 earlier link", "debug", "243 M", "±0 B"):
            assert said in shown
        await pilot.press("escape")
        assert pilot.app.screen_stack[-1] is screen


async def test_a_sampled_figure_says_so(linked: Stage) -> None:
    async with linked.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        assert screen.table.select(next(row.key for row in screen.table.rows if "5-4" in row.key))
        await pilot.press("enter")
        await pilot.pause()
        shown = text_of(pilot)
        assert "≈640 M   largest VmHWM that was seen" in shown
        assert "nobody waited for it" in shown


async def test_a_kill_for_want_of_memory_stands_among_the_links_and_opens_its_run(linked: Stage) -> None:
    async with linked.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        kill = next(row for row in screen.table.rows if " killed " in row.key)
        assert kill.cells[1].text == "out of memory: planner(test)"
        assert screen.table.select(kill.key)
        await pilot.pause()
        shown = " ".join(text_of(pilot).split())
        assert "it had 2.1 G · its group may have 8.0 G · gpu-agent had 3.4 G · claude-2 had 2.0 G" in shown
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, RunScreen)


def measured(unit: str = "server(bin)", **changes: Any) -> Measurement:
    trials = (
        Trial(AS_IS, 1_900_000_000, 4.0, 340_000_000, "rust-lld", False, "r"),
        Trial('debug = "line-tables-only"', 700_000_000, 2.0, 120_000_000, "rust-lld", False, "r"),
        Trial("linker mold", None, None, None, "mold", False, "r", "not linked, exit 101"),
    )
    return replace(Measurement(T0 + 10, "/home/ada/src/claude-1", unit, "debug", trials), **changes)


async def test_what_was_measured_is_said_of_that_link_and_of_no_other(linked: Stage) -> None:
    append(linked.paths, measured())
    async with linked.app().run_test(size=(200, 60)) as pilot:
        screen = await opened(pilot)
        server, cli = (next(row.key for row in screen.table.rows if link in row.key) for link in ("5-2", "5-3"))
        assert screen.table.select(server)
        await pilot.pause()
        said = 'debug = "line-tables-only" cuts this link from 1.9 G to 700 M (measured '
        assert said in text_of(pilot)
        assert screen.table.select(cli)
        await pilot.pause()
        assert "could be tried (m measures): " in text_of(pilot)
        linked.now += 1
        append(linked.paths, measured("cli(test)", trials=(measured().trials[0],)))
        pull(pilot)
        await pilot.pause()
        assert "none of the 0 settings that were tried makes this link smaller" in text_of(pilot)


@pytest.mark.parametrize(
    ("command", "setting"),
    [
        ("rustc --package a --bin a --target-dir /t", "as it is"),
        ("rustc --package a --config 'profile.dev.debug=\"line-tables-only\"' --target-dir /t",
         'profile.dev.debug="line-tables-only"'),
        ("rustc --package a --target-dir /t -- -Cstrip=symbols", "-Cstrip=symbols"),
    ],
)  # fmt: skip
def test_a_build_of_a_measurement_says_what_it_tries(command: str, setting: str) -> None:
    assert setting_of(command) == setting


def test_a_setting_that_saves_memory_and_costs_time_says_both() -> None:
    slow = Trial("linker bfd", 900_000_000, 9.0, 340_000_000, "bfd", False, "r")
    found = measured(trials=(measured().trials[0], slow))
    assert said_of(found, slow, T0, "server(bin)").endswith("it then takes 9.0 s instead of 4.0 s")


async def test_m_asks_first_and_says_what_it_costs(linked: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None]] = []

    def plan(paths: object, run: str, unit: str | None) -> Plan:
        asked.append((run, unit))
        variant: Any = type("Variant", (), {"is_full": True})()
        return Plan(run, unit or "", "/w", "debug", "/w", {}, (variant,) * 7)

    started: list[object] = []
    monkeypatch.setattr("core.measure_links.make_plan", plan)
    monkeypatch.setattr(MemoryScreen, "_measure", lambda self, row: started.append(row.unit))
    async with linked.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        await pilot.press("m")
        assert [note.message.split(":")[0] for note in pilot.app._notifications] == [
            "Choose a link of cargo's that is done"
        ]
        assert screen.table.select(next(row.key for row in screen.table.rows if "5-2" in row.key))
        for answer in ("n", "y"):
            await pilot.press("m")
            await until_asked(pilot)
            shown = " ".join(text_of(pilot).split())
            assert "Measure what makes server(bin) smaller?" in shown
            assert "7 builds, one after another, 7 of them of all crates" in shown
            await pilot.press(answer)
            await pilot.pause()
        await pilot.app.workers.wait_for_complete()
        assert started == ["server(bin)"]
        assert {unit for _, unit in asked} == {"server(bin)"}


async def until_asked(pilot: Pilot[Any]) -> None:
    for _ in range(200):
        if isinstance(pilot.app.screen, ConfirmScreen):
            await pilot.pause()
            return
        await pilot.pause(0.01)
    raise AssertionError("nobody asked")


async def test_a_link_that_ends_becomes_one_of_the_largest_and_stays_chosen(linked: Stage) -> None:
    async with linked.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        key = next(row.key for row in screen.table.rows if "5-5" in row.key)
        assert screen.table.select(key)
        end = link_end(T0 + 61, "5-5", "engine(test)", 900_000_000, output="/home/ada/engine-77")
        linked.board = with_events(linked.board, "claude-1", [end, e.RunSampled(T0 + 61, 3, 1.0, 100)])
        linked.now += 1
        pull(pilot)
        await pilot.pause()
        assert screen.table.chosen == key
        assert next(row.cells[2].text for row in screen.table.rows if row.key == key) == "900 M"


@pytest.mark.parametrize("size", PICTURED, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("view", ["memory", "ascii", "link", "empty"])
def test_memory_looks_as_it_did(view: str, size: tuple[int, int], stage: Stage, snap_compare: Any) -> None:
    async def press(pilot: Pilot[Any]) -> None:
        screen = await opened(pilot)
        if view == "link":
            append(stage.paths, measured())
            assert screen.table.select(next(row.key for row in screen.table.rows if "5-2" in row.key))
            await pilot.press("enter")
        await pilot.pause()

    if view == "empty":
        stage.board = replace(stage.board, runs={})
    else:
        stage.board = with_links(stage.board)
    assert snap_compare(stage.app(is_ascii=view == "ascii"), terminal_size=size, run_before=press)
