"""The palette: every action that has a name, in words that can be searched."""

from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui.bindings import ACTIONS, BOARD, LOG, Key

_NAMESPACE = {"Builds": "build", "Board": "board", "Log": "log", "Dashboard": "deck"}


def title_of(key: Key) -> str:
    """How the palette names an action: `build: stop`."""
    return f"{_NAMESPACE[key.group]}: {key.word}"


class DeckCommands(Provider):
    """The actions that make sense on the screen below the palette."""

    def _keys(self) -> list[Key]:
        local = LOG if self.screen.has_class("-log") else BOARD
        return [key for key in (*ACTIONS, *local) if key.in_palette]

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
        await self.app.run_action(key.action, default_namespace=self.screen if key in LOG + BOARD else self.app)
