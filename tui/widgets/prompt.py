"""One line to type into at the foot of a log: what to search, or where to go."""

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label

_REMEMBERED = 50


class Prompt(Horizontal):
    """Hidden until it is asked; Enter gives what was typed, Escape nothing."""

    class Typed(Message):
        """The text changed."""

        def __init__(self, kind: str, text: str) -> None:
            super().__init__()
            self.kind, self.text = kind, text

    class Closed(Message):
        """Typing is over; `text` is None where it was left."""

        def __init__(self, kind: str, text: str | None) -> None:
            super().__init__()
            self.kind, self.text = kind, text

    def __init__(self) -> None:
        super().__init__(id="prompt")
        self._kind = ""
        self._before: dict[str, list[str]] = {}
        self._at = 0

    def compose(self) -> ComposeResult:
        yield Label("", markup=False)
        yield Input(compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        self.display = False
        self.input.cursor_blink = False

    @property
    def input(self) -> Input:
        """Where one types."""
        return self.query_one(Input)

    def ask(self, kind: str, label: str) -> None:
        """Ask for something; `kind` comes back with the answer."""
        self._kind = kind
        self._at = len(self._before.get(kind, []))
        self.query_one(Label).update(label)
        with self.prevent(Input.Changed):
            self.input.value = ""
        self.display = True
        self.screen.set_focus(self.input)  # now: what is typed right after the key belongs here

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Typed(self._kind, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        before = self._before.setdefault(self._kind, [])
        if event.value and (not before or before[-1] != event.value):
            before.append(event.value)
            del before[:-_REMEMBERED]
        self._close(event.value)

    def on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            event.stop()
            event.prevent_default()
            self._close(None)
        elif event.key in ("up", "down"):
            event.stop()
            self._recall(-1 if event.key == "up" else 1)

    def _recall(self, by: int) -> None:
        """What was typed before."""
        before = self._before.get(self._kind, [])
        self._at = min(max(0, self._at + by), len(before))
        self.input.value = before[self._at] if self._at < len(before) else ""
        self.input.cursor_position = len(self.input.value)

    def _close(self, text: str | None) -> None:
        self.display = False
        self.post_message(self.Closed(self._kind, text))
