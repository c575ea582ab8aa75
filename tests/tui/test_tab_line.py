"""The first line of a screen that has no room for all of it."""

from tests.tui.conftest import Stage
from tests.tui.screen_text import text_of


async def test_the_lit_tab_is_seen_in_a_narrow_terminal(stage: Stage) -> None:
    async with stage.app().run_test(size=(40, 20)) as pilot:
        assert text_of(pilot).split("\n")[0].rstrip() == " deck   Board  Logs  Memory  Locks"
        await pilot.press("f5")
        await pilot.pause()
        assert text_of(pilot).split("\n")[0].rstrip() == " deck   Memory  Locks  Cache  History"
