"""A scroll bar for terminals without block characters."""

from typing import ClassVar

from textual.scrollbar import ScrollBarRender
from textual.widget import Widget


class WholeCells(ScrollBarRender):
    """Its ends fall on whole cells, which are drawn by their background."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8


def draw_in_ascii(widget: Widget) -> None:
    """Give a widget such a bar."""
    widget.vertical_scrollbar.renderer = WholeCells  # type: ignore[misc]
