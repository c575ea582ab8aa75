"""What is to be done a moment later is done, however busy the machine is."""

from itertools import count
from pathlib import Path

import pytest
from textual import _time
from textual.app import App

from tests.tui.test_log_panel import Log
from tests.tui.test_logs import MAX_PAUSES, until_searched
from tui.timers import later

STOLEN_S = 0.01
"""Goes by between any two looks at the clock: less than Textual needs between two paints."""


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else gets the processor whenever Textual has looked at the clock."""
    stolen = count()
    now = _time.get_time
    monkeypatch.setattr(_time, "get_time", lambda: now() + next(stolen) * STOLEN_S)


@pytest.mark.usefixtures("busy")
async def test_a_timer_that_is_late_from_the_start_still_calls() -> None:
    called: list[str] = []
    app: App[None] = App()
    async with app.run_test() as pilot:
        later(app, STOLEN_S / 10, lambda: called.append("called"))
        for _ in range(MAX_PAUSES):
            await pilot.pause(0.005)
            if called:
                break
    assert called == ["called"]


@pytest.mark.usefixtures("busy")
async def test_a_search_on_a_busy_machine_comes_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    path.write_text("".join(f"line {n}\n" for n in range(300)))
    app = Log(path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", "e", "space", "7")
        await until_searched(pilot)
        assert len(app.panel.found_lines) == 11
