"""Past runs, and two of them compared."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from core import events as e
from core.compare import compare_totals, compare_units, counterpart
from core.journal import JournalWriter
from core.reduce import reduce_run
from core.state import Run
from tests.scene import T0
from tests.tui.conftest import Stage
from tests.tui.screen_text import settled, text_of
from tests.tui.sizes import PICTURED
from tui.app import DeckApp
from tui.screens.compare import CompareScreen, summary
from tui.screens.history import HistoryScreen
from tui.screens.run import RunScreen

FOLDER = "/home/ada/app"


def events_of(number: int, units: dict[str, float], *, command: str = "build") -> list[e.Event]:
    """A finished build that compiled these units, seconds each, and found `old` fresh."""
    run, at = f"20251228-0{number}0000-000-000{number}", T0 - 80000.0 + 3600 * number
    return [
        e.RunStarted(at, run, "ada", command, "cargo", "build", FOLDER, FOLDER, "/t", False, False, False),
        *(e.UnitFinished(at + 1, name, name, "1.0.0", "lib", False, spent) for name, spent in units.items()),
        e.UnitFinished(at + 1, "old", "old", "1.0.0", "lib", True, None),
        e.BuildFinished(at + 2, True),
        e.RunEnded(at + 10, 0, None, 10.0 + number, 20.0 + number, 2.0, 1000, None),
    ]  # fmt: skip


FIRST = events_of(1, {"engine": 5.0, "router": 2.0, "gone": 1.0})
SECOND = events_of(2, {"engine": 8.0, "router": 2.1, "new": 0.5})


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
        started = events[0]
        assert isinstance(started, e.RunStarted)
        folder = Path(stage.paths.run(started.run))
        folder.mkdir()
        (folder / "out.log").write_text(f"log of {started.run}\n")
        writer = JournalWriter(str(folder / "events.jsonl"), started.run)
        writer.append(events)
        writer.close()
    return stage


async def opened(pilot: Pilot[str]) -> HistoryScreen:
    await pilot.press("f7")
    screen = pilot.app.screen
    assert isinstance(screen, HistoryScreen)
    await settled(pilot)
    return screen


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


@pytest.mark.parametrize("size", PICTURED, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("view", ["history", "compare"])
def test_history_looks_as_it_did(view: str, size: tuple[int, int], past: Stage, snap_compare: Any) -> None:
    async def press(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        if view == "compare":
            await pilot.press("G", "m", "k", "m", "d")
        await pilot.pause()

    assert snap_compare(past.app(), terminal_size=size, run_before=press)
