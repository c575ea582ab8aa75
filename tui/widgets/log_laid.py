"""Lines of a log as rows, drawn once while they are on screen or near it."""

from collections.abc import Callable

from tui.widgets.log_lines import ShownLines
from tui.widgets.log_pen import Row

_SCREENS = 16
"""So many screens of lines are kept."""


class LaidLines:
    """Rows by number of their line."""

    def __init__(self) -> None:
        self._rows: dict[int, list[Row]] = {}

    def clear(self) -> None:
        """They look otherwise now."""
        self._rows.clear()

    def forget(self, line: int) -> None:
        """This line may be another now."""
        self._rows.pop(line, None)

    def rows(self, lines: ShownLines, line: int, height: int, draw: Callable[[int, str], list[Row]]) -> list[Row]:
        """The rows of a line; its neighbours, a screen of them, are read and drawn with it: those above it where one
        comes from below."""
        rows = self._rows
        if line not in rows:
            if len(rows) > _SCREENS * height:
                rows.clear()
            is_going_up = lines.only is None and line + 1 in rows
            first = max(0, line + 1 - height) if is_going_up else line
            for number, text in enumerate(lines.read(first, height), first):
                if number not in rows:
                    rows[number] = draw(number, text)
        if line not in rows:  # cut from the log meanwhile
            rows[line] = draw(line, "")
        return rows[line]
