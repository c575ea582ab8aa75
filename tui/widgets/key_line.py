"""The keys that matter on a screen, at its foot; each can be clicked."""

from tui.bindings import Key
from tui.widgets.status_line import Part, StatusLine


class KeyLine(StatusLine):
    """Keys by importance: a narrow terminal shows the first ones."""

    def hint(self, keys: tuple[Key, ...], *, last: str) -> None:
        """Show hints for these keys, and `last` (what leaving does) at the right."""
        left: list[Part] = [Part(" ", "text")]
        for key in keys:
            left.append(Part(f"{key.label(is_ascii=self._glyphs.is_ascii)} {key.word}", "dim", _click(key)))
            left.append(Part("  ", "text"))
        self.say(tuple(left), (Part(f"{last} ", "dim", "app.leave"),))


def _click(key: Key) -> str:
    owner = "app" if key.id.partition(".")[0] in ("run", "app") else "screen"
    return f"{owner}.{key.action}"
