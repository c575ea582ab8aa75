"""A screen with a log: what the log cannot do itself, because it reaches beyond it."""

import os
from collections.abc import Iterator
from typing import TypedDict, TypeVar

from core.parsers.text import strip_sgr
from tui.screens.base import DeckScreen
from tui.widgets.log_panel import LogPanel, LogSource

Result = TypeVar("Result")
_LINES = 2000


class LogOptions(TypedDict):
    """Options of a LogPanel."""

    wraps: bool
    shows_times: bool


class LogHost(DeckScreen[Result]):
    """Copies, opens pager and editor, gives the log the whole screen."""

    @property
    def log_options(self) -> LogOptions:
        """How logs open, as the settings say."""
        settings = self.deck.settings
        return {"wraps": settings.wrap, "shows_times": settings.timestamps}

    @property
    def panel(self) -> LogPanel:
        """The log."""
        return self.query_one(LogPanel)

    def on_log_panel_copy_asked(self, event: LogPanel.CopyAsked) -> None:
        if event.text is None:
            self.notify(f"That is too much to copy. The log: {event.path}", severity="warning", markup=False)
        else:
            self.deck.copy_text(event.text)

    def on_log_panel_bare_asked(self, event: LogPanel.BareAsked) -> None:
        self.set_class(event.is_bare, "-bare")

    def on_log_panel_open_asked(self, event: LogPanel.OpenAsked) -> None:
        from tui.pager import edit, page

        settings = self.deck.settings
        with self.app.suspend():
            if event.program == "pager":
                coloured = _lines(event.source, keeps_colours=True)
                why = page(os.environ, coloured, event.line, wanted=settings.pager)
            else:
                plain = _lines(event.source, keeps_colours=False)
                why = edit(os.environ, plain, event.line, wanted=settings.editor)
        self.refresh()
        if why:
            self.notify(why, severity="error", markup=False)

    def action_back(self) -> None:
        if not self.panel.step_back():
            self.go_back()

    def go_back(self) -> None:
        """Escape, where there is nothing left to undo in the log."""


def _lines(source: LogSource, *, keeps_colours: bool) -> Iterator[str]:
    """All lines of a log."""
    first = 0
    while lines := source.store.lines(first, _LINES):
        yield from lines if keeps_colours else map(strip_sgr, lines)
        first += len(lines)
