"""Help, palette and questions: every key is found, and does what it says."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from textual.widgets import Input

from core.state import Board, Run, RunState
from tests.tui.conftest import Stage
from tests.tui.screen_text import text_of
from tests.tui.sizes import PICTURED
from tui.bindings import ACTIONS, BOARD
from tui.commands import title_of
from tui.key import Key, reachable
from tui.screens.board import BoardScreen
from tui.screens.confirm import ConfirmScreen
from tui.screens.help import HelpScreen
from tui.screens.run import RunScreen
from tui.themes import THEMES


def in_state(stage: Stage, state: RunState) -> Run:
    return next(run for run in stage.board.runs.values() if run.state is state)


def place(stage: Stage, run: Run) -> str:
    return str(list(stage.board.runs).index(run.run) + 1)


async def test_the_help_names_every_key_of_the_screen_first_and_scrolls(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        seen = text_of(pilot)
        assert seen.index("Board") < seen.index("Highlight the pane below")
        assert ACTIONS[-1].help not in seen
        for _ in range(5):
            await pilot.press("pagedown")
            await pilot.pause()
            seen += text_of(pilot)
        missing = [key.id for key in (*BOARD, *ACTIONS) if key.help[:50] not in seen]
        assert missing == []


@pytest.mark.parametrize(
    ("typed", "found"), [("kill", "Kill the highlighted build"), ("colours", "Change colours"), ("X", "Kill the"),
                         ("go next needing", "Go to the next build that failed")],
)  # fmt: skip
async def test_typing_finds_a_key_by_what_it_does_or_by_itself(stage: Stage, typed: str, found: str) -> None:
    app = stage.app()
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("question_mark", *typed.replace(" ", "~"))
        app.screen.query_one(Input).value = typed
        await pilot.pause()
        shown = text_of(pilot)
        assert found in shown
        assert "Start a build" not in shown


async def test_escape_shows_all_keys_again_and_then_goes_back(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("question_mark", *"zzzz")
        await pilot.pause()
        assert "No key does that" in text_of(pilot)
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        assert "Start a build" in text_of(pilot)
        await pilot.press("escape")
        assert isinstance(app.screen, BoardScreen)


def test_a_key_that_something_nearer_has_taken_is_not_named() -> None:
    near = Key("log.follow", "f,G", "follow", "f", "follow", "Follow the log")
    far = Key("run.forget", "f", "forget", "f", "forget", "Forget the run")
    half = Key("run.any", "G,ctrl+g", "any", "G", "any", "Do anything")
    assert [(key.keys, key.shown) for key in reachable((near, far, half))] == [
        ("f,G", "f"), ("", ""), ("ctrl+g", "^g"),
    ]  # fmt: skip


async def test_the_palette_lists_every_action_with_its_key(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 90)) as pilot:
        await pilot.press("ctrl+p")
        await app.workers.wait_for_complete()
        await pilot.pause()
        shown = text_of(pilot)
        missing = [key.id for key in (*BOARD, *ACTIONS) if key.in_palette and title_of(key) not in shown]
        assert missing == []
        assert "Stop the highlighted build as Ctrl-C would  (x)" in shown


async def palette(pilot: Any, typed: str) -> None:
    await pilot.press("ctrl+p", *typed)
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    await pilot.press("enter")
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def test_the_palette_does_what_it_names_even_where_the_key_means_something_else(stage: Stage) -> None:
    over = in_state(stage, RunState.FAILED)
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(place(stage, over), "enter")
        await pilot.pause()
        await palette(pilot, "forget")
        await pilot.press("y")
        await app.workers.wait_for_complete()
        assert stage.asked == [{"do": "forget", "run": over.run}]


async def test_the_palette_reaches_the_actions_of_the_log(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("1", "enter")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        before = text_of(pilot)
        await palette(pilot, "log: top")
        assert isinstance(app.screen, RunScreen)
        assert text_of(pilot) != before


async def test_all_panes_can_be_acted_on_from_the_palette(stage: Stage) -> None:
    live = in_state(stage, RunState.BUILDING)
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(place(stage, live))
        await palette(pilot, "stop the high")
        assert stage.asked == [{"do": "stop", "run": live.run, "kill": False}]


@pytest.mark.parametrize(
    ("keys", "is_sure"),
    [(["y"], True), (["Y"], True), (["n"], False), (["escape"], False), (["q"], False), (["enter"], False),
     (["l", "enter"], True), (["h", "enter"], True), (["right", "enter"], True), (["tab", "enter"], True),
     (["l", "h", "enter"], False), (["left", "right", "enter"], False)],
)  # fmt: skip
async def test_a_question_takes_every_usual_answer(stage: Stage, keys: list[str], is_sure: bool) -> None:
    live = in_state(stage, RunState.BUILDING)
    app = stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(place(stage, live), "X")
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press(*keys)
        await app.workers.wait_for_complete()
        assert isinstance(app.screen, BoardScreen)
        assert bool(stage.asked) is is_sure


async def test_ctrl_c_leaves_from_every_dialog(stage: Stage) -> None:
    for key in ("question_mark", "s", "N", "X", "ctrl+p"):
        app = stage.app()
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press(place(stage, in_state(stage, RunState.BUILDING)), key)
            await pilot.pause()
            await pilot.press("ctrl+c")
        assert app.return_value == "interrupt", key


async def test_hostile_names_are_text_in_dialogs(stage: Stage) -> None:
    live = in_state(stage, RunState.BUILDING)
    hostile = replace(live, run=live.run + "z", agent="[red]a\x1b]52;c;aGk=\x07", command="build [bold]x[/bold]\x9b2J")
    stage.board = Board(MappingProxyType({live.run: live, hostile.run: hostile}), stage.now, stage.now)
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        for key, text in (("X", "[bold]x[/bold]"), ("N", "[red]a"), ("s", "[bold]x[/bold]")):
            await pilot.press(place(stage, hostile), key)
            await pilot.pause()
            shown = text_of(pilot)
            assert text in shown
            assert not [c for c in shown if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0]
            await pilot.press("escape")


@pytest.mark.parametrize("size", PICTURED)
@pytest.mark.parametrize(
    "key", ["question_mark", "s", "X", "N", "ctrl+p"], ids=["help", "start", "kill", "name", "any"]
)
def test_a_dialog_looks_as_it_did(stage: Stage, size: tuple[int, int], key: str, snap_compare: Any) -> None:
    app = stage.app()
    live = place(stage, in_state(stage, RunState.BUILDING))

    async def open_it(pilot: Any) -> None:
        for field in app.query(Input):
            field.cursor_blink = False
        await pilot.press(live, key)
        await app.workers.wait_for_complete()
        for field in app.screen.query(Input):
            field.cursor_blink = False
            if field.id == "cwd":
                field.value = "/home/ada/src/engine"
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=open_it)


@pytest.mark.parametrize("theme", [theme.name for theme in THEMES])
def test_a_dialog_looks_as_it_did_in_every_theme(stage: Stage, theme: str, snap_compare: Any) -> None:
    app = stage.app()

    async def open_it(pilot: Any) -> None:
        app.theme = theme
        await pilot.press(place(stage, in_state(stage, RunState.BUILDING)), "X")
        await pilot.pause()

    assert snap_compare(app, terminal_size=(80, 24), run_before=open_it)
