"""The dashboard as one person wants it: settings, keys, colours, order and layout, names; and their memory."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tui.bindings import BY_ID
from tui.config import Settings
from tui.key import Key, rebound
from tui.key_turns import KeyTurns
from tui.names import NamedSource
from tui.preferences import LAYOUTS, SORTS
from tui.remembered import Change, Remembered
from tui.themes import THEMES
from tui.widgets.look import ASCII, UNICODE

if TYPE_CHECKING:
    from tui.source import Deck

_COMPLAINT_S = 15
"""A toast about the settings stays so long: it has a path and a line number to read."""


class PersonalApp(KeyTurns):
    """The part of the dashboard that knows the person."""

    def __init__(self, deck: "Deck") -> None:
        super().__init__()
        self.preferences = deck.preferences
        self.names = NamedSource(deck.source)
        self.names.call(self.remembered.names)
        self.deck = replace(deck, source=self.names)
        is_ascii = {"yes": True, "no": False}.get(self.settings.ascii, deck.glyphs_are_ascii)
        self.glyphs = ASCII if is_ascii else UNICODE
        self.sort = self.preferences.sort()
        """Order of the panes."""
        self.layout_of_panes = self.preferences.layout()
        for theme in THEMES:
            self.register_theme(theme)
        self._begin_with(self.preferences.theme(deck.theme))
        self.set_keymap(dict(self.settings.keys))

    def _begin_with(self, name: str) -> None:
        """The first theme. Set as later ones are, it would have Textual parse all styles twice (10 ms)."""
        if self.available_themes[name].ansi:
            self.theme = name
            return
        self.set_reactive(PersonalApp.theme, name)
        self.stylesheet.set_variables(self.get_css_variables())
        is_dark = self.current_theme.dark
        classes = {"-theme-textual-dark": False, f"-theme-{name}": True, "-dark-mode": is_dark}
        self.update_classes({**classes, "-light-mode": not is_dark}, update=False)

    @property
    def settings(self) -> Settings:
        """What `config.toml` says; read again when the file changes."""
        return self.preferences.settings

    @property
    def folder(self) -> str:
        """Where files of the dashboard itself go; a recording's own folder is gone when it ends."""
        return self.preferences.folder or self.deck.paths.state

    @property
    def remembered(self) -> Remembered:
        """What is remembered of the last time."""
        return self.preferences.memory

    def as_bound(self, keys: tuple[Key, ...]) -> tuple[Key, ...]:
        """The keys as the person's settings have them."""
        return rebound(keys, self.settings.keys) if self.settings.keys else keys

    def label_of(self, name: str) -> str:
        """The key of an action, by its id, as it is printed."""
        return self.as_bound((BY_ID[name],))[0].label(is_ascii=self.glyphs.is_ascii)

    def remember(self, how: Change) -> None:
        """Change what is remembered; written off the event loop."""
        self.preferences.remember(how)
        self.run_worker(partial(self._write, how), thread=True, group="memory", exit_on_error=False)

    def _write(self, how: Change) -> None:
        try:
            self.preferences.write(how)
        except OSError as error:
            why = f"this is not remembered: {error.filename}: {error.strerror}"
            self.call_from_thread(partial(self.notify, why, severity="warning", markup=False))

    def complain(self) -> None:
        """Say what is wrong in the settings, if something is."""
        if complaint := self.preferences.complaint():
            self.notify(complaint, title="settings", severity="warning", timeout=_COMPLAINT_S, markup=False)

    def look_at_settings(self) -> None:
        """Take the settings as they are now: a `stat` unless the file changed. ASCII waits for the next start."""
        before = self.settings
        if not self.preferences.reload():
            return
        self.complain()
        now = self.settings
        if now.keys != before.keys:
            self.set_keymap(dict(now.keys))
        if now.theme != before.theme:
            self.theme = self.preferences.theme(self.deck.theme)
        if now.sort != before.sort:
            self.sort = self.preferences.sort()
        if now.layout != before.layout:
            self.layout_of_panes = self.preferences.layout()

    def action_next_theme(self) -> None:
        name = self.theme = _after([theme.name for theme in THEMES], self.theme)
        self.remember(lambda memory: replace(memory, theme=name))

    def action_next_sort(self) -> None:
        name = self.sort = _after(SORTS, self.sort)
        self.remember(lambda memory: replace(memory, sort=name))
        self.notify({"appearance": "as they appeared", "name": "by name", "state": "what needs you first"}[name],
                    title="order of the panes", timeout=2)  # fmt: skip

    def action_next_layout(self) -> None:
        name = self.layout_of_panes = _after(LAYOUTS, self.layout_of_panes)
        self.remember(lambda memory: replace(memory, layout=name))
        self.notify({"fit": "as they fit", "list": "as a list", "1": "one column"}.get(name, f"{name} columns"),
                    title="panes", timeout=2)  # fmt: skip


def _after(names: tuple[str, ...] | list[str], name: str) -> str:
    return names[(names.index(name) + 1) % len(names)] if name in names else names[0]
