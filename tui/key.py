"""A key of the dashboard: what it does, and how it is printed."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from textual.binding import Binding

from core.values import dataclass

_IN_ASCII = {"↵": "enter", "←": "left", "↓": "down", "↑": "up", "→": "right", "⇧tab": "shift-tab", "1–9": "1-9"}


@dataclass(frozen=True, slots=True)
class Key:
    """One action with its keys."""

    id: str
    """Name in a keymap and in the palette: `run.stop`."""
    keys: str
    """Comma separated, as Textual names them."""
    action: str
    shown: str
    """The key as the footer and the help print it."""
    word: str
    """One word for the footer."""
    help: str
    """One sentence without a full stop, for help, tooltip and palette."""
    is_hint: bool = False
    """It is named in the footer."""
    group: str = "Build"
    in_palette: bool = True

    def label(self, *, is_ascii: bool) -> str:
        """The key as it is printed, in words where the terminal has no arrows."""
        if not is_ascii:
            return self.shown
        return " ".join(_IN_ASCII.get(word, word) for word in self.shown.split(" "))

    def with_keys(self, keys: str) -> "Key":
        """The same action on other keys."""
        if keys == self.keys:
            return self
        from tui.key_names import label_of

        return replace(self, keys=keys, shown=label_of(keys))

    def binding(self) -> Binding:
        """As Textual wants it."""
        return Binding(
            self.keys,
            self.action,
            self.word,
            show=False,
            tooltip=self.help,
            id=self.id,
            priority=self.id == "app.break",
        )


def rebound(keys: Iterable[Key], keymap: Mapping[str, str]) -> tuple[Key, ...]:
    """The keys as a keymap (keys by id) changes them."""
    return tuple(key.with_keys(keymap[key.id]) if key.id in keymap else key for key in keys)


def reachable(keys: Iterable[Key]) -> tuple[Key, ...]:
    """The keys, nearest first, without those that a nearer action has taken; one may be left without any."""
    taken: set[str] = set()
    found = []
    for key in keys:
        own = key.keys.split(",")
        left = ",".join(name for name in own if name not in taken)
        found.append(key.with_keys(left))
        taken.update(own)
    return tuple(found)
