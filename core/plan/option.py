"""One option of a mode: which values it takes, and the one form that they are brought to. Pure."""

from typing import Any, NamedTuple

from core.plan.foreign import plain

_ALSO: dict[str, dict[object, str]] = {
    "debug": {"0": "none", "1": "limited", "2": "full", "false": "none", "true": "full"},
    "lto": {"false": "thin-local", "true": "fat"},
    "strip": {"false": "none", "true": "symbols"},
}
"""What cargo takes besides words, as TOML writes it. Source: cargo book, "Profiles"."""
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_MAX_WORD = 40


class Option(NamedTuple):
    """Something that a mode can say."""

    name: str
    kind: str
    """`choice`, `debug`, `lto`, `strip`, `level`, `bool`, `number`, `profile`, `cpu`, `archs`."""
    allowed: tuple[str, ...]
    """Words that are taken; empty where there are too many to list."""
    about: str
    """One line for people."""
    most: int = 0
    """Of a number, which begins at 1."""

    @property
    def expected(self) -> str:
        """What it takes, as the end of a sentence: `true or false`."""
        words = ", ".join(f'"{word}"' for word in self.allowed)
        match self.kind:
            case "bool":
                return "true or false"
            case "number":
                return f"a number from 1 to {self.most}" + (f", or {words}" if words else "")
            case "level":
                return f"0, 1, 2, 3, {words}"
            case "profile":
                return 'the name of a profile, such as "dev" or "release"'
            case "cpu":
                return f"{words}, or a processor that rustc knows (letters, digits, _ . + -, at most {_MAX_WORD})"
            case "archs":
                return f'{words}, or architectures such as "80;90"'
            case _:
                also = "".join(f", {one}" for one in _ALSO.get(self.kind, ()))
                return f"one of {words}{also}"


class Refused(str):
    """Why an option does not take a value: one sentence."""


def normal_value(option: Option, value: Any) -> Any:
    """The value in its one form, or `Refused`.

    Choices are words, also where cargo takes a number (`debug = 1` is `limited`); numbers and `opt-level` are numbers
    or words; architectures are a word with `;` between them.
    """
    found = _KINDS.get(option.kind, _choice)(option, value)
    if found is not None:
        return found
    return Refused(f"{option.name} is {option.expected}: {shown(value)} is not")


def shown(value: object) -> str:
    """A value as TOML writes it, short and without what a terminal would obey."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value.bit_length() < 128 else "a very large number"
    if isinstance(value, str):
        return f'"{plain(value)}"'
    if isinstance(value, list | tuple):
        return "a list"
    return "a table" if isinstance(value, dict) else plain(str(value))


def is_word(text: object, more: str = "-_") -> bool:
    """It is 1 to 40 ASCII letters, digits and what else is allowed."""
    return isinstance(text, str) and 0 < len(text) <= _MAX_WORD and not set(text) - _WORD - set(more)


def _choice(option: Option, value: Any) -> str | None:
    if isinstance(value, bool | int) and option.kind in _ALSO:
        return _ALSO[option.kind].get(shown(value))
    return value if isinstance(value, str) and value in option.allowed else None


def _bool(_: Option, value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(option: Option, value: Any) -> int | str | None:
    if isinstance(value, str):
        return value if value in option.allowed else None
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 1 <= value <= option.most else None


def _level(option: Option, value: Any) -> int | str | None:
    if isinstance(value, str):
        return value if value in option.allowed else int(value) if value in ("0", "1", "2", "3") else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 3 else None


def _profile(_: Option, value: Any) -> str | None:
    return value if is_word(value) else None


def _cpu(_: Option, value: Any) -> str | None:
    return value if is_word(value, "_.+-") else None


def _archs(option: Option, value: Any) -> str | None:
    if isinstance(value, str) and value in option.allowed:
        return value
    given = value if isinstance(value, list) else value.split(";") if isinstance(value, str) else [value]
    archs = [str(one) if isinstance(one, int) and 0 < one < 1000 else one for one in given[:_MAX_WORD]]
    return ";".join(archs) if archs and all(map(_is_arch, archs)) and len(given) <= _MAX_WORD else None


def _is_arch(text: object) -> bool:
    """`80`, `90a`, `90-real`, `80-virtual`. Source: CMake 3.25, CUDA_ARCHITECTURES."""
    if not isinstance(text, str):
        return False
    name = text.removesuffix("-real").removesuffix("-virtual")
    number = name.rstrip("af") if len(name) - len(name.rstrip("af")) <= 1 else ""
    return number.isascii() and number.isdigit() and 2 <= len(number) <= 3


_KINDS = {
    "bool": _bool, "number": _number, "level": _level, "profile": _profile, "cpu": _cpu, "archs": _archs,
}  # fmt: skip
