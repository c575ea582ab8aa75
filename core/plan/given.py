"""Settings as somebody gave them, each with the place that says so. Pure; on the way to every build."""

from collections.abc import Mapping
from typing import Any, NamedTuple

Key = tuple[str, ...]
"""Of a setting of cargo's, a word a level: `("profile", "dev", "package", "*", "debug")`."""


def dotted(key: Key) -> str:
    """As a person would write it: `target.'cfg(unix)'.linker`."""
    return ".".join(part if part.replace("-", "_").isidentifier() or part.isdigit() else f"'{part}'" for part in key)


class Origin(NamedTuple):
    """Where a value stands."""

    place: str
    """Path of a file, name of a variable, or `--config`."""
    line: int = 0
    """1.. in a file; 0: not in a file, or not known."""

    @property
    def shown(self) -> str:
        """`/x/.cargo/config.toml:4`, `RUSTFLAGS`."""
        return f"{self.place}:{self.line}" if self.line else self.place

    @property
    def is_file(self) -> bool:
        """A file says it: not a variable, not an option."""
        return self.place.startswith("/")

    @property
    def is_variable(self) -> bool:
        """A variable says it."""
        return bool(self.place) and not self.place.startswith(("/", "-"))


class Given(NamedTuple):
    """A value that somebody set."""

    value: Any
    """As TOML has it; of an array that several files add to, all of it, as cargo joins it."""
    origin: Origin
    """The nearest place that says it."""

    @property
    def words(self) -> tuple[str, ...]:
        """Of an array, or of a text that stands for one: `rustflags = "-C a"`, an alias."""
        if isinstance(self.value, str):
            return tuple(self.value.split())
        return (
            tuple(word for word in self.value if isinstance(word, str)) if isinstance(self.value, list | tuple) else ()
        )


class Trouble(NamedTuple):
    """Something that cannot be read or used."""

    origin: Origin
    why: str
    """What is wrong, what was expected, what to do: one sentence without the place."""

    @property
    def sentence(self) -> str:
        """With its place."""
        return f"{self.origin.place}, line {self.origin.line}: {self.why}" if self.origin.line else (
            f"{self.origin.place}: {self.why}"
        )  # fmt: skip


class Settings(NamedTuple):
    """Cargo's settings, merged as cargo does it: `--config`, variables, files from the nearest to `$CARGO_HOME`."""

    values: Mapping[Key, Given] = {}
    """Leaves. Profiles of the workspace's manifest are not in it."""
    manifest: Mapping[Key, Given] = {}
    """Leaves of `[profile]` in the workspace's manifest."""
    every: tuple[tuple[Key, Given], ...] = ()
    """Each place that sets something, shadowed ones too, those that count more first; arrays not joined."""
    files: tuple[str, ...] = ()
    """Config files that were read, nearest first, included ones behind the one that includes them."""
    troubles: tuple[Trouble, ...] = ()

    def get(self, *key: str) -> Given | None:
        """What counts for a key; None: nobody set it."""
        return self.values.get(key)
