"""Keys that come in one go act as if they had been typed one by one."""

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.conftest import Stage
from tests.tui.screen_text import text_of


async def burst(pilot: Pilot[str], *keys: str) -> None:
    """Keys as a fast hand, a paste or a slow line brings them: the app gets all before it handled the first."""
    for key in keys:
        pilot.app.post_message(events.Key(key, key if len(key) == 1 else None))
    await pilot.pause()
    await pilot.pause()


@pytest.mark.parametrize("letters", ["restart", "xxxx", "quit"])
async def test_what_is_typed_right_after_the_search_key_is_searched_for(stage: Stage, letters: str) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.pull()
        await pilot.press("1", "enter")
        await burst(pilot, "slash", *letters)
        assert isinstance(app.focused, Input)
        assert app.focused.value == letters
        assert stage.asked == []
        await burst(pilot, "ctrl+u", "e", "enter", "question_mark")
        assert "type to find a key" in text_of(pilot)


async def test_what_is_typed_right_after_a_dialog_was_asked_for_is_for_the_dialog(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.pull()
        await pilot.pause()
        await burst(pilot, "s", "q", "x", "r")
        assert isinstance(app.focused, Input)
        assert app.focused.value == "qxr"
        assert stage.asked == []
        await burst(pilot, "escape", "j")
        assert "Start a build" not in text_of(pilot)


async def test_a_key_whose_target_goes_away_holds_nobody_up(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.pull()
        await burst(pilot, "s", "escape", "question_mark", "escape", "s", "escape", "f3", "f1", "question_mark")
        await pilot.pause(0.4)
        assert "type to find a key" in text_of(pilot)
