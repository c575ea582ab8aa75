"""What values cargo's settings take, for those that decide what a build does. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from core.plan.given import Given, Key, Trouble, dotted


class _Kind:
    """What a key takes; `least` and `most`: bounds of a number, None: it takes none, 0 for `most`: no bound."""

    def __init__(
        self, expected: str, words: tuple[str, ...] = (), *, least: int | None = None, most: int = 0,
        is_bool: bool = False, is_text: bool = False, is_array: bool = False,
    ) -> None:  # fmt: skip
        self.expected = expected
        self.words = words
        self.least = least
        self.most = most
        self.is_bool = is_bool
        self.is_text = is_text
        self.is_array = is_array


_BOOL = _Kind("true or false", is_bool=True)
_TEXT = _Kind("text that is not empty", is_text=True)
_WORDS = _Kind("an array of texts, or a text", is_text=True, is_array=True)
_NUMBER = _Kind("a number that is not negative", least=0)
_WHEN = _Kind('"auto", "always" or "never"', ("auto", "always", "never"))
_MAY_BE_EMPTY = _Kind("text", is_text=True)
_KINDS: dict[str, _Kind] = {
    "build.jobs": _Kind('a number other than 0, or "default"', ("default",), least=-(1 << 31)),
    "build.incremental": _BOOL,
    "build.target-dir": _TEXT,
    "build.build-dir": _TEXT,
    "build.rustc": _MAY_BE_EMPTY,
    "build.rustc-wrapper": _MAY_BE_EMPTY,
    "build.rustc-workspace-wrapper": _MAY_BE_EMPTY,
    "build.rustflags": _WORDS,
    "build.target": _Kind("a triple, or an array of them", is_text=True, is_array=True),
    "net.offline": _BOOL,
    "net.retry": _NUMBER,
    "net.git-fetch-with-cli": _BOOL,
    "term.quiet": _BOOL,
    "term.verbose": _BOOL,
    "term.unicode": _BOOL,
    "term.hyperlinks": _BOOL,
    "term.color": _WHEN,
    "term.progress": _WHEN,
    "term.progress.when": _WHEN,
    "term.progress.width": _NUMBER,
}
_OF_TARGET = {"linker": _TEXT, "runner": _WORDS, "rustflags": _WORDS, "rustdocflags": _WORDS}
_OF_PROFILE = {
    "debug": _Kind(
        'true, false, 0, 1, 2, "none", "limited", "full", "line-tables-only" or "line-directives-only"',
        ("none", "limited", "full", "line-tables-only", "line-directives-only"),
        least=0, most=2, is_bool=True,
    ),
    "opt-level": _Kind('0, 1, 2, 3, "s" or "z"', ("s", "z"), least=0, most=3),
    "lto": _Kind('true, false, "thin", "fat" or "off"', ("thin", "fat", "off", "n", "no", "none"), is_bool=True),
    "codegen-units": _Kind("a number from 1 on", least=1),
    "incremental": _BOOL,
    "strip": _Kind('true, false, "none", "debuginfo" or "symbols"', ("none", "debuginfo", "symbols"), is_bool=True),
    "split-debuginfo": _Kind('"off", "packed" or "unpacked"', ("off", "packed", "unpacked")),
    "panic": _Kind('"unwind", "abort" or "immediate-abort"', ("unwind", "abort", "immediate-abort")),
    "overflow-checks": _BOOL,
    "debug-assertions": _BOOL,
    "rpath": _BOOL,
    "inherits": _TEXT,
}  # fmt: skip
_NOT_OF_PARTS = ("panic", "lto", "rpath", "inherits")
"""Of a whole profile alone, not of packages in it. Source: cargo 1.95, `TomlProfile::validate_override`."""
_MAX_SHOWN = 60


def wrong_types(values: Mapping[Key, Given]) -> Iterator[Trouble]:
    """One for each value that cargo would refuse."""
    for key, given in values.items():
        kind = _kind_of(key)
        if kind is not None and not _takes(kind, given.value):
            why = f"{dotted(key)} is {_shown(given.value)}: it takes {kind.expected}"
            yield Trouble(given.origin, why)
        elif key[0] == "profile" and len(key) > 3 and key[-1] in _NOT_OF_PARTS:
            yield Trouble(given.origin, f"{dotted(key)}: {key[-1]} is for a whole profile, not for parts of it")


def _kind_of(key: Key) -> _Kind | None:
    if key[0] == "target" and len(key) == 3:
        return _OF_TARGET.get(key[2])
    if key[0] == "profile":
        is_part = (len(key) == 4 and key[2] == "build-override") or (len(key) == 5 and key[2] == "package")
        return _OF_PROFILE.get(key[-1]) if len(key) == 3 or is_part else None
    return _KINDS.get(".".join(key))


def _takes(kind: _Kind, value: Any) -> bool:
    if isinstance(value, bool):
        return kind.is_bool
    if isinstance(value, int):
        if kind.least is None or value < kind.least or (kind.most and value > kind.most):
            return False
        return value != 0 or kind.least == 0
    if isinstance(value, str):
        return value in kind.words or (kind.is_text and (bool(value) or kind is not _TEXT))
    return kind.is_array and isinstance(value, list) and all(isinstance(one, str) for one in value)


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"
