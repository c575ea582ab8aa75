"""The keys that matter on a screen, at its foot; each can be clicked."""

from tui.key import Key
from tui.widgets.status_line import Part, StatusLine


class KeyLine(StatusLine):
    """Keys by importance: a narrow terminal shows the first ones."""

    def hint(self, keys: tuple[Key, ...], *, last: str) -> None:
        """Show hints for these keys, and `last` (what leaving does) at the right."""
        left: list[Part] = [Part(" ", "text")]
        for key in keys:
            label = key.label(is_ascii=self.glyphs.is_ascii)
            left.append(Part(f"{label} {key.word}", "dim", f"app.press({key.keys.split(',')[0]!r})"))
            left.append(Part("  ", "text"))
        self.say(tuple(left), (Part(f"{last} ", "dim", "app.leave"),))
