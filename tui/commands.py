"""The palette: every action that has a name, in words that can be searched."""

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui.bindings import ACTIONS, Key

if TYPE_CHECKING:
    from tui.app import DeckApp


def title_of(key: Key) -> str:
    """How the palette names an action: `log: follow`."""
    return f"{key.group.lower()}: {key.word}"


class DeckCommands(Provider):
    """The actions that make sense on the screen below the palette."""

    def _keys(self) -> list[Key]:
        front = cast("DeckApp", self.app).front
        return [key for key in (*ACTIONS, *(front.KEYS if front is not None else ())) if key.in_palette]

    async def discover(self) -> Hits:
        """All of them, before anything is typed."""
        for key in self._keys():
            yield DiscoveryHit(title_of(key), partial(self._run, key), help=f"{key.help}  ({key.shown})")

    async def search(self, query: str) -> Hits:
        """Those that match what was typed, by name or by what they do."""
        matcher = self.matcher(query)
        for key in self._keys():
            title = title_of(key)
            score = max(matcher.match(title), matcher.match(key.help) * 0.8)
            if score > 0:
                yield Hit(score, matcher.highlight(title), partial(self._run, key), help=f"{key.help}  ({key.shown})")

    async def _run(self, key: Key) -> None:
        self.app.simulate_key(key.keys.split(",")[0])
