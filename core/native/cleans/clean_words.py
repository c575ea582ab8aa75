"""The command line of `cargo clean` as data. Pure.

Source: `cargo clean --help`, cargo 1.80 to 1.95.
"""

from collections.abc import Sequence
from typing import NamedTuple

_VALUES = {
    "-p": "package", "--package": "package", "--profile": "profile", "--target": "target",
    "--target-dir": "target-dir", "--manifest-path": "manifest-path", "--lockfile-path": "lockfile-path",
    "--color": "color", "--config": "config", "-Z": "Z", "-C": "C", "--cmake": "cmake", "--agent": "agent",
}  # fmt: skip
_FLAGS = {
    "--doc": "doc", "--workspace": "workspace", "-r": "release", "--release": "release", "-n": "dry-run",
    "--dry-run": "dry-run", "-v": "verbose", "--verbose": "verbose", "-vv": "verbose", "-q": "quiet",
    "--quiet": "quiet", "--frozen": "frozen", "--locked": "locked", "--offline": "offline", "--yes": "yes",
    "--json": "json", "-h": "help", "--help": "help",
}  # fmt: skip
_OURS = frozenset(("cmake", "agent", "yes", "json"))
_FOLDERS = {"dev": "debug", "test": "debug", "bench": "release"}


class CleanWords(NamedTuple):
    """A `cargo clean` taken apart."""

    cargos: tuple[str, ...]
    """What is for cargo, without ours."""
    options: dict[str, tuple[str, ...]]
    """Long name → values; of flags empty texts."""
    is_known: bool
    """Each word is in the table, and has its value: else cargo alone can say what it means."""

    def value(self, name: str) -> str:
        """The last value of an option; empty where it was not given."""
        return self.options.get(name, ("",))[-1]

    def has(self, name: str) -> bool:
        """The option was given."""
        return name in self.options

    @property
    def has_ours(self) -> bool:
        """Something in it is for `cargo deck clean` alone."""
        return not _OURS.isdisjoint(self.options)

    @property
    def packages(self) -> tuple[str, ...]:
        """Names of the packages that `-p` names; a version or a place of one is left out."""
        return tuple(filter(None, map(name_of, self.options.get("package", ()))))

    @property
    def profile(self) -> str:
        """Folder of the profile that is named; empty: none is."""
        named = "release" if self.has("release") else self.value("profile")
        return _FOLDERS.get(named, named)

    @property
    def is_whole(self) -> bool:
        """All of the target dir goes."""
        return not (self.packages or self.profile or self.has("doc") or self.has("workspace") or self.value("cmake"))


def read_words(words: Sequence[str]) -> CleanWords:
    """Take apart what follows `clean`."""
    options: dict[str, list[str]] = {}
    cargos: list[str] = []
    is_known = True
    at = 0
    while at < len(words):
        word = words[at]
        name, has_value, value = _split(word)
        taken = words[at : at + 1]
        at += 1
        if name in _FLAGS.values() and not has_value:
            options.setdefault(name, []).append("")
        elif name in _VALUES.values():
            if not has_value:
                value, taken, at = (words[at] if at < len(words) else ""), words[at - 1 : at + 1], at + 1
            is_known &= bool(value) and not (value.startswith("-") and not has_value)
            options.setdefault(name, []).append(value)
        else:
            is_known = False
        if name not in _OURS:
            cargos += taken
    return CleanWords(tuple(cargos), {name: tuple(values) for name, values in options.items()}, is_known)


def _split(word: str) -> tuple[str, bool, str]:
    """Long name, whether the value is in the same word, the value. The name is empty where the table has no such word:
    `yes` is no `--yes`."""
    name, equals, value = word.partition("=")
    if word in _FLAGS or word in _VALUES:
        return _FLAGS.get(word) or _VALUES[word], False, ""
    if equals and (name in _VALUES or name in _FLAGS):
        return _VALUES.get(name) or _FLAGS[name], True, value
    if word[:2] in ("-p", "-Z", "-C") and len(word) > 2:
        return _VALUES[word[:2]], True, word[2:]
    return "", False, ""


def name_of(spec: str) -> str:
    """Of a package id: `serde`, `serde@1.0`, `path+file:///w/app#0.1.0`, `registry+https://…#serde@1.0`."""
    place, hash_sign, behind = spec.rpartition("#")
    if hash_sign:
        name = behind.partition("@")[0]
        return name if not name[:1].isdigit() else place.rstrip("/").rpartition("/")[2]
    return spec.rpartition("/")[2].partition("@")[0].partition(":")[0]
