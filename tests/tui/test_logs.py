"""The logs of all agents in one."""

import re
from typing import Any

from textual.pilot import Pilot

from core import events as e
from core.journal import JournalWriter
from tests.tui.conftest import Stage
from tests.tui.screen_text import text_of
from tui.app import DeckApp
from tui.screens.logs import LogsScreen
from tui.screens.run import RunScreen


def screen_of(app: DeckApp) -> LogsScreen:
    assert isinstance(app.screen, LogsScreen)
    return app.screen


def lines_on_disk(stage: Stage) -> list[tuple[str, str]]:
    """Agent and line of every log."""
    found = []
    for run in stage.board.runs.values():
        with open(f"{stage.paths.run(run.run)}/out.log") as log:
            found += [(run.agent, line.rstrip("\n")) for line in log]
    return found


def append(stage: Stage, line: str) -> None:
    """A live run says one more line, and the engine notes it."""
    run = next(run for run in stage.board.runs.values() if not run.state.is_over)
    with open(f"{stage.paths.run(run.run)}/out.log", "a") as log:
        log.write(line)
    writer = JournalWriter(f"{stage.paths.run(run.run)}/events.jsonl", run.run)
    writer.append([e.OutputGrew(stage.now, "out", run.out_lines + 1, 9)])
    writer.close()


MAX_PAUSES = 6000
"""Half a minute at least, and more where the machine is busy."""


async def until_searched(pilot: Pilot[Any]) -> None:
    panel = pilot.app.screen.query_one("LogPanel")
    for _ in range(MAX_PAUSES):
        if panel._typing is None and (panel._finder is None or not panel._finder.is_busy):  # type: ignore[attr-defined]
            break
        await pilot.pause(0.005)
    else:
        raise AssertionError(f"still searching: typing {panel._typing}, finder {panel._finder}")  # type: ignore[attr-defined]
    await pilot.pause()


async def test_all_lines_of_all_agents_are_there_each_with_its_agent(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("f2", "g")
        panel = screen_of(app).panel
        expected = lines_on_disk(stage)
        assert panel.line_count == len(expected)
        seen = [screen_of(app)._timeline.origin(n) for n in range(panel.line_count)]
        assert sorted({one.agent for one in seen}) == sorted({agent for agent, _ in expected})
        assert [one.at for one in seen] == sorted(one.at for one in seen)
        assert f"{len(expected)} lines" in text_of(pilot)
        first = text_of(pilot).split("\n")[2]
        assert seen[0].agent in first


async def test_an_agent_is_left_out_by_its_number_and_comes_back(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("f2")
        everything = screen_of(app).panel.line_count
        first = screen_of(app)._timeline.agents[0]
        of_first = sum(agent == first for agent, _ in lines_on_disk(stage))
        await pilot.press("1")
        assert screen_of(app).panel.line_count == everything - of_first
        assert "1 left out" in text_of(pilot)
        await pilot.press("0")
        assert screen_of(app).panel.line_count == everything


async def test_a_search_over_all_is_listed_and_enter_opens_the_run_at_the_line(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("f2", "g", "slash", *"serde")
        await until_searched(pilot)
        await pilot.press("enter", "L")
        screen = screen_of(app)
        expected = [(agent, line) for agent, line in lines_on_disk(stage) if re.search("serde", line)]
        assert len(screen.results.rows) == len(expected)
        assert f"of {len(expected)}" in text_of(pilot)
        await pilot.press("j")
        chosen = screen.results.chosen
        assert chosen is not None
        assert screen.panel.view.current == int(chosen)
        origin = screen._timeline.origin(int(chosen))
        await pilot.press("enter")
        assert isinstance(app.screen, RunScreen)
        assert app.chosen is not None
        assert app.chosen.run == origin.run
        assert app.screen.panel.view.current == origin.line


async def test_escape_closes_the_list_then_the_search_then_goes_to_the_board(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("f2", "slash", *"serde")
        await until_searched(pilot)
        await pilot.press("enter", "L", "escape")
        assert screen_of(app).panel.text == ""
        await pilot.press("escape")
        assert not screen_of(app).results.display
        await pilot.press("escape")
        assert app.current_mode == "board"


async def test_new_lines_come_below_and_a_new_run_joins(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("f2")
        before = screen_of(app).panel.line_count
        append(stage, "brand new line\n")
        app.pull()
        await pilot.pause()
        assert screen_of(app).panel.line_count == before + 1
        assert "brand new line" in text_of(pilot)
