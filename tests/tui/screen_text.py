"""What a test sees of the dashboard."""

from typing import Any

from textual.pilot import Pilot


def text_of(pilot: Pilot[Any]) -> str:
    """What is on the screen, as text."""
    lines = pilot.app.screen._compositor.render_strips(pilot.app.size)
    return "\n".join("".join(segment.text for segment in strip) for strip in lines)
