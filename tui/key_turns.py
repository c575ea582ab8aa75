"""Keys are taken one after another, however fast they come: `/needle` is a search for `needle`.

Textual hands a key to what has the focus, and its binding is run only when the key has bubbled up to the app. Keys
that come in between still go to the old focus: of `/restart` typed in one go, `r` would be the key that restarts.
So the next key waits until a message that was sent after the last one has bubbled up behind it.
"""

from collections import deque
from time import monotonic
from typing import Any

from textual import events
from textual.app import App
from textual.message import Message
from textual.screen import Screen

from tui.timers import later

PATIENCE_S = 0.3
"""A key whose end is not seen for so long (what had the focus is gone) holds nobody up any more."""


ROUNDS = 3
"""What a key does may be told by a message, and that by another one: Enter, `Submitted`, `Closed`, a new focus."""


class KeyTurn(Message):
    """Comes up behind a key, and behind what the key brought about."""

    def __init__(self, turn: int, rounds: int = 1) -> None:
        super().__init__()
        self.turn, self.rounds = turn, rounds


class KeyTurns(App[str]):
    """Takes keys in turn."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting: deque[events.Key] = deque()
        self._turn = 0
        self._turn_began: float | None = None
        """None: no key is under way."""
        self._turn_screen: Screen[Any] | None = None

    async def on_event(self, event: events.Event) -> None:
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
        elif self._turn_began is None or monotonic() - self._turn_began >= PATIENCE_S:
            self._waiting.append(event)
            await self._next()
        else:
            self._waiting.append(event)
            later(self, PATIENCE_S, self._lose_patience)

    async def _take(self, key: events.Key) -> None:
        self._turn += 1
        self._turn_began, self._turn_screen = monotonic(), self.screen
        target = self.focused or self.screen
        await super().on_event(key)
        if not target.post_message(KeyTurn(self._turn)):
            await self._next()

    async def on_key_turn(self, message: KeyTurn) -> None:
        message.stop()
        if message.turn != self._turn:
            return
        is_other = self.screen is not self._turn_screen  # the key opened it: the next one is for what it focuses
        self._turn_screen = self.screen
        target = self.screen if is_other else self.focused or self.screen
        rounds = 1 if is_other else message.rounds + 1
        if rounds > ROUNDS or not target.post_message(KeyTurn(self._turn, rounds)):
            await self._next()

    async def _next(self) -> None:
        self._turn_began = None
        while self._waiting and self._turn_began is None:
            key = self._waiting.popleft()
            if self._is_text(key):
                await super().on_event(key)
            else:
                await self._take(key)

    def _is_text(self, key: events.Key) -> bool:
        """It is a letter for what has the focus, and moves nothing: it need not be waited for."""
        return self.focused is not None and self.focused.check_consume_key(key.key, key.character)

    async def _lose_patience(self) -> None:
        if self._waiting and self._turn_began is not None and monotonic() - self._turn_began >= PATIENCE_S:
            await self._next()
