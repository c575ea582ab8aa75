"""The palette: every action that has a name, in words that can be searched, with its key."""

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode

from tui.bindings import ACTIONS
from tui.key import Key, reachable

if TYPE_CHECKING:
    from tui.app import DeckApp


def title_of(key: Key) -> str:
    """How the palette names an action: `log: follow`."""
    return f"{key.group.lower()}: {key.word}"


class DeckCommands(Provider):
    """The actions that make sense on the screen below the palette."""

    @property
    def _deck(self) -> "DeckApp":
        return cast("DeckApp", self.app)

    def _keys(self) -> list[Key]:
        """Nearest first; a key that a nearer action has taken is not named."""
        front = self._deck.front
        keys = (*(front.KEYS if front is not None else ()), *ACTIONS)
        return [key for key in reachable(self._deck.as_bound(keys)) if key.in_palette]

    def _help(self, key: Key) -> str:
        label = key.label(is_ascii=self._deck.glyphs.is_ascii)
        return f"{key.help}  ({label})" if label else key.help

    async def discover(self) -> Hits:
        """All of them, before anything is typed."""
        for key in self._keys():
            yield DiscoveryHit(title_of(key), partial(self._run, key), help=self._help(key))

    async def search(self, query: str) -> Hits:
        """Those that match what was typed, by name or by what they do."""
        matcher = self.matcher(query)
        for key in self._keys():
            title = title_of(key)
            score = max(matcher.match(title), matcher.match(key.help) * 0.8)
            if score > 0:
                yield Hit(score, matcher.highlight(title), partial(self._run, key), help=self._help(key))

    async def _run(self, key: Key) -> None:
        """Do it where its binding stands: its key may mean something else to the widget that has the focus."""
        await self.app.run_action(key.action, self._owner(key))

    def _owner(self, key: Key) -> DOMNode:
        """Whose action it is: of the focused widget or what is around it, of another widget of the screen, the app."""
        screen = self._deck.front
        if screen is None:
            return self.app
        near = list(screen.focused.ancestors_with_self) if screen.focused is not None else []
        everything = [*near, *screen.query("*"), screen]
        return next((node for node in everything if _has(node, key)), self.app)


def _has(node: DOMNode, key: Key) -> bool:
    return any(binding.id == key.id for _, binding in node._bindings)
