"""Past runs, and two of them compared."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from core import events as e
from core.compare import compare_totals, compare_units, counterpart
from core.journal import JournalWriter
from core.reduce import reduce_run
from core.state import Board, Run
from tests.nvcc_scene import board_of
from tests.scene import T0
from tests.tui.conftest import Stage
from tests.tui.screen_text import opened_by, painted_at_rest, settled, text_of
from tests.tui.sizes import PICTURED
from tui.app import DeckApp
from tui.format import moment
from tui.screens.compare import CompareScreen, summary
from tui.screens.history import HistoryScreen
from tui.screens.run import RunScreen

FOLDER = "/home/ada/app"


def events_of(
    number: int, units: dict[str, float], *, command: str = "build", wall_s: float | None = None, day: int = 28
) -> list[e.Event]:
    """A finished build that compiled these units, seconds each, and found `old` fresh."""
    run, at = f"202512{day}-0{number}0000-000-000{number}", T0 - 80000.0 + 3600 * number
    return [
        e.RunStarted(at, run, "ada", command, "cargo", "build", FOLDER, FOLDER, "/t", False, False, False),
        *(e.UnitFinished(at + 1, name, name, "1.0.0", "lib", False, spent) for name, spent in units.items()),
        e.UnitFinished(at + 1, "old", "old", "1.0.0", "lib", True, None),
        e.BuildFinished(at + 2, True),
        e.RunEnded(at + (wall_s or 10.0), 0, None, wall_s or 10.0 + number, 20.0 + number, 2.0, 1000, None),
    ]  # fmt: skip


FIRST = events_of(1, {"engine": 5.0, "router": 2.0, "gone": 1.0})
SECOND = events_of(2, {"engine": 8.0, "router": 2.1, "new": 0.5})
FIRST_RUN, SECOND_RUN = "20251228-010000-000-0001", "20251228-020000-000-0002"


def run_of(events: list[e.Event]) -> Run:
    run = reduce_run(None, events)
    assert run is not None
    return run


def test_units_stand_side_by_side_what_changed_most_first() -> None:
    pairs = compare_units(run_of(FIRST), run_of(SECOND))
    assert [(pair.name, pair.before_s, pair.after_s) for pair in pairs] == [
        ("engine", 5.0, 8.0), ("gone", 1.0, None), ("new", None, 0.5), ("router", 2.0, 2.1),
    ]  # fmt: skip
    assert summary(pairs) == "compiled: 1 only after, 1 only before, 2 in both · most: engine +3.0 s · gone −1.0 s"


def test_totals_are_those_of_the_runs_and_unknown_where_an_end_is_not_known() -> None:
    totals = {total.name: total for total in compare_totals(run_of(FIRST), run_of(SECOND))}
    assert (totals["wall"].before, totals["wall"].after, totals["wall"].change) == (11.0, 12.0, 1.0)
    assert (totals["units compiled"].before, totals["units found fresh"].after) == (3, 1)
    unknown = {total.name: total for total in compare_totals(replace(run_of(FIRST), ended=None), run_of(SECOND))}
    assert unknown["wall"].change is None


def test_the_counterpart_is_the_last_run_of_the_same_command_before() -> None:
    runs = [run_of(events) for events in (FIRST, SECOND, events_of(3, {}, command="test"), events_of(4, {}))]
    assert counterpart(runs[3], runs) is runs[1]
    assert counterpart(runs[2], runs) is None


@pytest.fixture
def past(stage: Stage) -> Stage:
    """Two runs that ended yesterday, besides those on the board."""
    for events in (FIRST, SECOND):
        write_run(stage, events)
    return stage


def write_run(stage: Stage, events: list[e.Event]) -> None:
    """A run's folder as it is left."""
    started = events[0]
    assert isinstance(started, e.RunStarted)
    folder = Path(stage.paths.run(started.run))
    folder.mkdir()
    (folder / "out.log").write_text(f"log of {started.run}\n")
    writer = JournalWriter(str(folder / "events.jsonl"), started.run)
    writer.append(events)
    writer.close()


def column(screen: HistoryScreen, title: str) -> list[str]:
    """Texts of a column of the list."""
    at = [one.title for one in screen.table._columns].index(title)
    return [row.cells[at].text for row in screen.table.rows]


async def opened(pilot: Pilot[str]) -> HistoryScreen:
    return await opened_by(pilot, "f7", HistoryScreen)


async def test_all_runs_that_are_kept_are_listed_newest_first(past: Stage) -> None:
    async with past.app().run_test(size=(200, 40)) as pilot:
        screen = await opened(pilot)
        on_disk = sorted(os.listdir(past.paths.runs), reverse=True)
        assert [row.key for row in screen.table.rows] == on_disk
        assert f"{len(on_disk)} runs, newest first" in text_of(pilot)
        await pilot.press("O")
        walls = [screen._board.runs[row.key] for row in screen.table.rows]
        assert "longest first" in text_of(pilot)
        assert walls[0].run != on_disk[0] or len(walls) == 1


async def test_a_filter_shows_runs_with_all_of_its_words(past: Stage) -> None:
    async with past.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        await pilot.press("slash", *"ada/app", "space", *"build", "enter")
        assert {row.key[:8] for row in screen.table.rows} == {"20251228"}
        assert len(screen.table.rows) == 2
        await pilot.press("escape")
        assert len(screen.table.rows) > 2


async def test_a_run_that_left_the_board_opens_with_its_log(past: Stage) -> None:
    app: DeckApp = past.app()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        await pilot.press("G", "enter")
        assert isinstance(app.screen, RunScreen)
        await settled(pilot)
        assert f"log of {screen.table.chosen}" in text_of(pilot)


async def test_two_marked_runs_are_compared_and_escape_comes_back(past: Stage) -> None:
    app: DeckApp = past.app()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        await pilot.press("G", "m", "k", "m", "d")
        assert isinstance(app.screen, CompareScreen)
        shown = text_of(pilot)
        assert "1 only after, 1 only before, 2 in both" in shown
        row = next(line for line in shown.split("\n") if line.strip("▸ ").startswith("engine"))
        assert row.split()[-6:] == ["5.0", "s", "8.0", "s", "+3.0", "s"]
        await pilot.press("escape")
        assert app.screen_stack[-1] is screen


async def test_one_run_is_compared_with_the_last_of_its_kind(past: Stage) -> None:
    app: DeckApp = past.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        await pilot.press("G", "d")
        assert [note.message.split(":")[0] for note in app._notifications] == ["Nothing to compare with"]
        await pilot.press("k", "d")
        assert isinstance(app.screen, CompareScreen)


async def test_each_order_puts_the_largest_first(past: Stage) -> None:
    write_run(past, events_of(3, {f"unit-{number}": 1.0 for number in range(900)}, wall_s=3.0))
    write_run(past, events_of(4, {}, wall_s=9000.0))
    async with past.app().run_test(size=(200, 40)) as pilot:
        screen = await opened(pilot)
        newest = [row.key for row in screen.table.rows]
        assert newest == sorted(newest, reverse=True)
        await pilot.press("O")
        assert screen.table.rows[0].key.endswith("0004")
        assert column(screen, "took")[0] == "2:30:00"
        await pilot.press("O")
        assert screen.table.rows[0].key.endswith("0003")
        built = [int(text.replace(",", "").replace("–", "0")) for text in column(screen, "built")]
        assert built == sorted(built, reverse=True)
        assert "most compiled first" in text_of(pilot)
        await pilot.press("O")
        assert [row.key for row in screen.table.rows] == newest


async def test_what_is_not_cargo_has_no_number_of_units_unless_cargo_ran_in_it(past: Stage) -> None:
    for number, units in ((3, {}), (4, {"engine": 1.0})):
        started, *events = events_of(number, units, command="nvcc -c k.cu", day=30)
        said = [event for event in events if units or not isinstance(event, e.UnitFinished)]
        assert isinstance(started, e.RunStarted)
        write_run(past, [replace(started, tool="exec", subcommand="nvcc"), *said])
    async with past.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        assert column(screen, "built")[:2] == ["1", "–"]
        assert column(screen, "fresh")[:2] == ["1", "–"]
        assert column(screen, "errors")[:2] == ["0", "0"]


async def test_a_filter_that_fits_nothing_says_so_and_escape_undoes_filter_and_marks_before_it_leaves(
    past: Stage,
) -> None:
    async with past.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        every = len(screen.table.rows)
        await pilot.press("slash", *"nobody")
        assert screen.table.rows == []
        assert "No run is like that: / filters." in text_of(pilot)
        assert f"0 runs, newest first, of {every}: /nobody" in text_of(pilot)
        await pilot.press("escape")
        assert len(screen.table.rows) == every
        await pilot.press("slash", *"ADA", "space", *"done", "enter")
        assert set(column(screen, "agent")) == {"ada"}
        await pilot.press("m", "escape")
        assert pilot.app.screen is screen
        assert len(screen.table.rows) == every
        assert set(column(screen, "")) == {""}
        await pilot.press("escape")
        assert pilot.app.current_mode == "board"


async def test_the_last_two_marks_count_can_be_taken_away_and_are_compared_the_earlier_one_first(past: Stage) -> None:
    async with past.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        await pilot.press("m", "j", "m", "j", "m")
        assert [bool(text) for text in column(screen, "")][:4] == [False, True, True, False]
        assert "2 marked: d compares" in text_of(pilot)
        await pilot.press("m")
        assert [bool(text) for text in column(screen, "")][:4] == [False, True, False, False]
        assert "1 marked: d compares" in text_of(pilot)
        await pilot.press("escape", "G", "k", "m", "j", "m", "d")
        assert isinstance(pilot.app.screen, CompareScreen)
        shown = text_of(pilot)
        assert f" before {moment(run_of(FIRST).started_at, past.now)}  ada" in shown
        assert f" after  {moment(run_of(SECOND).started_at, past.now)}  ada" in shown
        assert pilot.app.screen.chosen is not None
        assert pilot.app.screen.chosen.run == SECOND_RUN


async def test_what_ends_while_one_looks_comes_to_the_list_and_the_chosen_run_stays_chosen(past: Stage) -> None:
    async with past.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        await pilot.press("G", "k")
        chosen, count = screen.table.chosen, len(screen.table.rows)
        write_run(past, events_of(9, {"engine": 1.0}, day=30))
        os.makedirs(past.paths.open, exist_ok=True)
        (Path(past.paths.open) / "20251230-090000-000-0009").touch()
        past.now += 10
        await settled(pilot)
        assert len(screen.table.rows) == count + 1
        assert screen.table.chosen == chosen


async def test_without_runs_it_says_so_and_no_key_fails(tmp_path: Path) -> None:
    empty = Stage(tmp_path / "state", 60.0)
    empty.board = Board()
    for name in os.listdir(empty.paths.runs):
        shutil.rmtree(empty.paths.run(name))
    async with empty.app().run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        assert screen.table.rows == []
        assert "No run is kept yet." in text_of(pilot)
        await pilot.press("m", "O", "enter", "r", "x", "d")
        assert pilot.app.screen is screen
        assert empty.asked == []


async def test_folders_that_are_no_runs_are_passed_over_and_a_run_is_started_again(past: Stage) -> None:
    runs = Path(past.paths.runs)
    good = len(os.listdir(runs))
    (runs / "20251228-090000-000-0009").write_text("a file")
    (runs / "20251228-090000-000-000a").mkdir()
    torn = runs / "20251228-090000-000-000b"
    torn.mkdir()
    (torn / "events.jsonl").write_bytes(b'{"schema": 1}\n\xff\xfe{"event": "RunSta')
    (runs / "20251228-090000-000-000c").symlink_to("20251228-090000-000-000c")
    async with past.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        assert len(screen.table.rows) == good
        await pilot.press("G", "r")
        await settled(pilot)
        assert [message.get("run") for message in past.asked] == [screen.table.chosen]


async def test_foreign_text_is_never_markup_and_moves_no_column(past: Stage) -> None:
    write_run(past, events_of(9, {"[red]u\x1b[31m": 1.0}, command="build [bold]\x1b]0;x\x07 \u202e日本"))
    write_run(past, events_of(8, {"[red]u\x1b[31m": 3.0}, command="build [bold]\x1b]0;x\x07 \u202e日本"))
    async with past.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        screen.table.select("20251228-090000-000-0009")
        await pilot.pause()
        shown = text_of(pilot)
        assert "build [bold]" in shown
        assert "\x1b" not in shown
        heads = [line for line in shown.split("\n") if "done" in line]
        assert len({cell_len(line[: line.index("done")]) for line in heads}) == 1
        await pilot.press("d")
        assert isinstance(pilot.app.screen, CompareScreen)
        await pilot.pause()
        assert "[red]u" in text_of(pilot)
        assert "\x1b" not in text_of(pilot)


async def test_nothing_is_painted_while_nothing_changes(past: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    past.board = board_of(*(run for run in past.board.runs.values() if run.state.is_over))
    for name in os.listdir(past.paths.runs):
        if name not in (FIRST_RUN, SECOND_RUN):
            shutil.rmtree(past.paths.run(name))
    async with past.app().run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        assert await painted_at_rest(pilot, monkeypatch) == []


async def test_a_terminal_without_unicode_gets_letters_of_its_own(past: Stage) -> None:
    async with past.app(is_ascii=True).run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        assert text_of(pilot).isascii()
        await pilot.press("G", "m", "k", "m", "d")
        await pilot.pause()
        assert text_of(pilot).isascii()


@pytest.mark.parametrize("size", PICTURED, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("view", ["history", "compare"])
def test_history_looks_as_it_did(view: str, size: tuple[int, int], past: Stage, snap_compare: Any) -> None:
    async def press(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        if view == "compare":
            await pilot.press("G", "m", "k", "m", "d")
        await pilot.pause()

    assert snap_compare(past.app(), terminal_size=size, run_before=press)
