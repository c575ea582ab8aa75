"""Whether a `cfg(…)` of a config holds for a target, as far as its triple says it. Pure.

Source: cargo 1.95 asks `rustc --print cfg`; Rust reference, "Conditional compilation". `tests/real` compares both for
the targets that rustc knows.
"""

import re
from collections.abc import Mapping

_ARCH = {
    "aarch64": ("aarch64", "64", "little"),
    "arm64": ("aarch64", "64", "little"),
    "armv7": ("arm", "32", "little"),
    "arm": ("arm", "32", "little"),
    "i586": ("x86", "32", "little"),
    "i686": ("x86", "32", "little"),
    "loongarch64": ("loongarch64", "64", "little"),
    "powerpc64le": ("powerpc64", "64", "little"),
    "powerpc64": ("powerpc64", "64", "big"),
    "riscv64gc": ("riscv64", "64", "little"),
    "s390x": ("s390x", "64", "big"),
    "x86_64": ("x86_64", "64", "little"),
}
_OS = {
    "linux": "unix", "darwin": "unix", "windows": "windows", "android": "unix", "freebsd": "unix", "netbsd": "unix",
    "openbsd": "unix",
}  # fmt: skip
_ENV = {
    "": "", "gnu": "gnu", "gnueabi": "gnu", "gnueabihf": "gnu", "musl": "musl", "musleabi": "musl",
    "musleabihf": "musl", "msvc": "msvc",
}  # fmt: skip
_TOKEN = re.compile(r'\s*(?:([A-Za-z_][A-Za-z0-9_]*)|"([^"\\]*)"|([(),=]))')
_MAX_LENGTH = 4000
_MAX_DEPTH = 30

Facts = Mapping[str, str]


def facts_of(triple: str) -> Facts | None:
    """Key and value of what `rustc --print cfg` says of a common target; None: it is not known well enough."""
    parts = triple.split("-")
    if len(parts) == 3 and parts[1] == "linux":  # aarch64-linux-android
        parts = [parts[0], "unknown", parts[2], ""]
    if len(parts) == 3:
        parts.append("")
    if len(parts) != 4 or parts[0] not in _ARCH or parts[2] not in _OS or parts[3] not in _ENV:
        return None
    arch, width, endian = _ARCH[parts[0]]
    system = "macos" if parts[2] == "darwin" else parts[2]
    return {
        "target_arch": arch, "target_pointer_width": width, "target_endian": endian, "target_os": system,
        "target_family": _OS[parts[2]], "target_env": _ENV[parts[3]], "target_vendor": parts[1],
    }  # fmt: skip


def holds(key: str, facts: Facts | None) -> bool | None:
    """Of `cfg(…)`, brackets and all; None: it cannot be told from these facts, or is not to be read."""
    if len(key) > _MAX_LENGTH:
        return None
    try:
        parser = _Parser(key, facts or {})
        parser.take("cfg")
        parser.take("(")
        found = parser.predicate(0)
        parser.take(")")
        return found if parser.is_at_end() else None
    except ValueError:
        return None


class _Parser:
    def __init__(self, text: str, facts: Facts) -> None:
        self.facts = facts
        self.tokens: list[tuple[str, str]] = []
        at = 0
        text = text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise ValueError(text[at])
            self.tokens.append(("text", found[2]) if found[2] is not None else ("", found[1] or found[3]))
            at = found.end()
        self.tokens.reverse()

    def is_at_end(self) -> bool:
        return not self.tokens

    def next(self) -> tuple[str, str]:
        if not self.tokens:
            raise ValueError("it ends too early")
        return self.tokens.pop()

    def take(self, what: str) -> None:
        if self.next() != ("", what):
            raise ValueError(what)

    def is_next(self, what: str) -> bool:
        return bool(self.tokens) and self.tokens[-1] == ("", what)

    def predicate(self, depth: int) -> bool | None:
        kind, word = self.next()
        if kind or depth > _MAX_DEPTH:
            raise ValueError(word)
        if self.is_next("("):
            return _combined(word, self._list(depth))
        if not self.is_next("="):
            return self._word(word)
        self.take("=")
        kind, value = self.next()
        if not kind:
            raise ValueError(value)
        return self.facts[word] == value if word in self.facts else None

    def _word(self, word: str) -> bool | None:
        if word in ("true", "false"):
            return word == "true"
        family = self.facts.get("target_family")
        return family == word if word in ("unix", "windows") and family is not None else None

    def _list(self, depth: int) -> list[bool | None]:
        self.take("(")
        found: list[bool | None] = []
        while not self.is_next(")"):
            found.append(self.predicate(depth + 1))
            if not self.is_next(")"):
                self.take(",")
        self.take(")")
        return found


def _combined(word: str, parts: list[bool | None]) -> bool | None:
    match word:
        case "all":
            return False if False in parts else None if None in parts else True
        case "any":
            return True if True in parts else None if None in parts else False
        case "not" if len(parts) == 1:
            return None if parts[0] is None else not parts[0]
        case _:
            raise ValueError(word)
