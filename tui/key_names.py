"""Names of keys: how a person writes them, how Textual names them, how they are printed. Pure."""

import unicodedata
from collections.abc import Iterator

from textual.keys import KEY_NAME_REPLACEMENTS, KEY_TO_UNICODE_NAME, REPLACED_KEYS, Keys

_NAMED = frozenset(key.value for key in Keys if not key.value.startswith("<"))
_MODIFIERS = ("ctrl", "shift", "alt", "super", "hyper", "meta")
_SHORT = {
    "escape": "esc", "enter": "↵", "left": "←", "down": "↓", "up": "↑", "right": "→", "pagedown": "pgdn",
    "pageup": "pgup", "delete": "del", "backspace": "bksp",
}  # fmt: skip
_SIGNS = {"ctrl": "^", "shift": "⇧"}
_SHOWN = 2
"""So many keys of one action are printed."""


def normal_keys(text: str) -> str:
    """Comma separated keys as Textual names them: `?` is `question_mark`, `X` also `shift+x`.

    Raises:
        ValueError: a key has no such name; the message is the name.
    """
    words = [word.strip() for word in text.split(",")]
    return ",".join(dict.fromkeys(name for word in words for name in _names(word)))


def label_of(keys: str) -> str:
    """Comma separated keys as footer and help print them: `^k`, `⇧tab`, `?`; at most two."""
    names = keys.split(",")
    distinct = [name for name in names if not (name.startswith("shift+") and name[6:].upper() in names)]
    return " ".join(_label(name) for name in distinct[:_SHOWN])


def _names(word: str) -> Iterator[str]:
    *modifiers, base = word.split("+") if word != "+" else [word]
    if not all(modifier in _MODIFIERS for modifier in modifiers):
        raise ValueError(word)
    if len(base) == 1 and base.isprintable() and not base.isspace():
        base = _name_of(base)
    elif base not in _NAMED and _character_of(base) is None:
        raise ValueError(word)
    yield "+".join((*modifiers, base))
    if not modifiers and len(base) == 1 and base.isupper():
        yield f"shift+{base.lower()}"


def _name_of(character: str) -> str:
    """`question_mark` for `?`; letters and digits are their own names."""
    if character.isalnum():
        return character
    name = unicodedata.name(character, character).lower().replace("-", "_").replace(" ", "_")
    return KEY_NAME_REPLACEMENTS.get(name, name)


def _character_of(name: str) -> str | None:
    """`?` for `question_mark`; None for a name of no character."""
    name = REPLACED_KEYS.get(name, name)
    try:
        return unicodedata.lookup(KEY_TO_UNICODE_NAME.get(name, name.replace("_", " ")))
    except KeyError:
        return None


def _label(name: str) -> str:
    *modifiers, base = name.split("+")
    if base in _NAMED:
        shown = _SHORT.get(base, base.upper() if base[:1] == "f" and base[1:].isdigit() else base)
    else:
        shown = base if len(base) == 1 else _character_of(base) or base
    return "".join(_SIGNS.get(modifier, f"{modifier}-") for modifier in modifiers) + shown
