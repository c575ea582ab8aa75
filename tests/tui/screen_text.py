"""What a test sees of the dashboard."""

from typing import Any, TypeVar

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

OneScreen = TypeVar("OneScreen", bound=Screen[Any])


def text_of(pilot: Pilot[Any]) -> str:
    """What is on the screen, as text."""
    lines = pilot.app.screen._compositor.render_strips(pilot.app.size)
    return "\n".join("".join(segment.text for segment in strip) for strip in lines)


async def settled(pilot: Pilot[Any]) -> str:
    """What is on the screen, once threads have looked up what they were asked for."""
    for _ in range(3):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        pilot.app.pull()  # type: ignore[attr-defined]
    await pilot.pause()
    return text_of(pilot)


async def opened_by(pilot: Pilot[Any], key: str, kind: type[OneScreen]) -> OneScreen:
    """The screen that a key leads to, with what it shows."""
    await pilot.press(key)
    await settled(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, kind)
    return screen


async def painted_at_rest(pilot: Pilot[Any], monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is painted anew in three looks at what does not change."""
    painted: list[object] = []
    for widget in pilot.app.screen.walk_children():
        monkeypatch.setattr(widget, "refresh", lambda *regions, **_: painted.append(regions))
    for _ in range(3):
        pilot.app.pull()  # type: ignore[attr-defined]
        await pilot.pause()
    return painted
