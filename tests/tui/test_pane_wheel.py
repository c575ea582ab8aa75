"""The wheel scrolls the log of the pane under the pointer."""

from dataclasses import replace
from types import MappingProxyType

from textual.events import MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot

from tests.tui.conftest import Stage
from tests.tui.screen_text import text_of
from tui.app import DeckApp
from tui.widgets.pane import log_rows
from tui.widgets.pane_grid import PaneGrid


def prepared(stage: Stage) -> tuple[int, str]:
    """Place of a live pane whose log has 300 numbered lines, and its run."""
    index, run = next((i, run) for i, run in enumerate(stage.board.runs.values()) if not run.state.is_over)
    with open(f"{stage.paths.run(run.run)}/out.log", "w") as log:
        log.writelines(f"numbered {n:03}\n" for n in range(300))
    return index, run.run


def append(stage: Stage, run: str, numbers: range) -> None:
    with open(f"{stage.paths.run(run)}/out.log", "a") as log:
        log.writelines(f"numbered {n:03}\n" for n in numbers)


def say_on_stderr(stage: Stage, run: str, words: str) -> None:
    with open(f"{stage.paths.run(run)}/err.log", "a") as log:
        log.write(words + "\n")


async def wheel(pilot: Pilot[str], index: int, kind: type[MouseScrollUp] | type[MouseScrollDown], *, row: int) -> None:
    slot = pilot.app.query_one(PaneGrid)._places.slots[index]
    await pilot._post_mouse_events([kind], PaneGrid, offset=(slot.x + 5, slot.y + row))
    await pilot.pause()


def last_shown(app: DeckApp, pilot: Pilot[str]) -> int:
    return max(int(part[:3]) for part in text_of(pilot).split("numbered ")[1:])


async def test_it_scrolls_back_and_forth_says_what_is_below_and_chooses_nothing(stage: Stage) -> None:
    index, _ = prepared(stage)
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        assert last_shown(app, pilot) == 299
        slot = app.query_one(PaneGrid)._places.slots[index]
        row = log_rows(slot.height)[0] + 1
        selected = app.query_one(PaneGrid).selected
        await wheel(pilot, index, MouseScrollUp, row=row)
        assert last_shown(app, pilot) == 299 - 3 - 1  # a row says how many come below
        assert "4 more ↓" in text_of(pilot)
        assert app.query_one(PaneGrid).selected == selected
        await wheel(pilot, index, MouseScrollDown, row=row)
        assert last_shown(app, pilot) == 299
        assert "more ↓" not in text_of(pilot)


async def test_a_pane_that_was_scrolled_back_stays_where_it_is_while_lines_come(stage: Stage) -> None:
    index, run = prepared(stage)
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        row = log_rows(app.query_one(PaneGrid)._places.slots[index].height)[0]
        await wheel(pilot, index, MouseScrollUp, row=row)
        append(stage, run, range(300, 400))
        app.pull()
        app.pull()
        await pilot.pause()
        assert last_shown(app, pilot) == 295
        assert "104 more ↓" in text_of(pilot)


async def test_a_pane_that_was_scrolled_back_stays_in_its_stream_while_the_other_is_written(stage: Stage) -> None:
    index, run = prepared(stage)
    runs = {name: replace(one, is_split=name == run) for name, one in stage.board.runs.items()}
    stage.board = replace(stage.board, runs=MappingProxyType(runs))
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        row = log_rows(app.query_one(PaneGrid)._places.slots[index].height)[0]
        await wheel(pilot, index, MouseScrollUp, row=row)
        say_on_stderr(stage, run, "a word of the other")
        app.pull()
        await pilot.pause()
        assert last_shown(app, pilot) == 295
        assert "4 more ↓" in text_of(pilot)
        await wheel(pilot, index, MouseScrollDown, row=row)
        assert "a word of the other" in text_of(pilot)
