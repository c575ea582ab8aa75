"""A cargo command line with all that its plan needs to know of it, and whether it must be planned before it starts."""

import os
from typing import NamedTuple

from core.run.cache import settings_path
from core.run.config import CargoConfig
from core.run.grammar import Parsed

MODE, VERBOSE, FEATURES = "DECK_MODE", "DECK_VERBOSE", "DECK_FEATURES"
"""Variables that say for one build what `deck.toml` and `config.toml` say for all."""
_MAX_SETTINGS_BYTES = 1 << 20
_PROGRAMS = ("linker", "rustc-wrapper", "rustc-workspace-wrapper", "rustc")
"""Keys of cargo's whose value is a program."""


class Command(NamedTuple):
    """A cargo command line that is to be planned."""

    parsed: Parsed
    config: CargoConfig
    cwd: str
    """Of cargo itself: after `-C`."""
    env: dict[str, str]
    root: str
    """Of the workspace; empty: there is none."""
    cargo: str = "cargo"
    """Program."""

    @property
    def takes_flags(self) -> bool:
        """It compiles something, and every flag of it is known: others of ours can stand beside."""
        return self.parsed.command is not None and self.parsed.is_known and bool(self.root)


def is_planned_first(command: Command, flag: str | None) -> bool:
    """Its plan changes how it is started, or says what will have it fail: 20 ms that other builds do without. Their
    plan is made by the engine, while they run.
    """
    env = command.env
    if (
        flag is not None
        or any(name in env for name in (MODE, VERBOSE, FEATURES))
        or _has_project_file(command.root)
        or _has_mode(env)
    ):
        return True
    return _uses_native(command) or _lacks_program(command) or _lacks_toolchain(command)


def _has_project_file(root: str) -> bool:
    """There is a `deck.toml` in the workspace's root, or in that of the git checkout around it."""
    folder = root
    while folder:
        if os.path.lexists(folder + "/deck.toml"):
            return True
        if os.path.exists(folder + "/.git") or folder == "/":
            return False
        folder = os.path.dirname(folder)
    return False


def _has_mode(env: dict[str, str]) -> bool:
    """The person's settings speak of modes."""
    path = settings_path(env)
    if not os.path.isfile(path):
        return False  # to open a pipe would wait for its writer
    try:
        with open(path, "rb") as file:
            lines = file.read(_MAX_SETTINGS_BYTES).split(b"\n")
    except OSError:
        return False
    return any(line.lstrip().startswith(b"mode") for line in lines)


def _uses_native(command: Command) -> bool:
    """Somebody has rustc compile for just this processor: caches and target dirs are told apart by that."""
    if any("target-cpu=native" in value for name, value in command.env.items() if name.endswith("RUSTFLAGS")):
        return True
    values = command.config.settings.values.items()
    return any(key[-1] == "rustflags" and "target-cpu=native" in str(given.value) for key, given in values)


def _lacks_program(command: Command) -> bool:
    """A linker or a wrapper that is set is not there."""
    for key, given in command.config.settings.values.items():
        if key[-1] not in _PROGRAMS or not isinstance(given.value, str) or not given.value:
            continue
        base = os.path.dirname(os.path.dirname(given.origin.place)) if given.origin.place[:1] == "/" else command.cwd
        if not _is_program(given.value, base, command.env):
            return True
    return False


def _is_program(name: str, base: str, env: dict[str, str]) -> bool:
    if "/" in name:
        return os.access(os.path.join(base, name), os.X_OK)
    return any(os.access(f"{folder}/{name}", os.X_OK) for folder in env.get("PATH", "").split(":") if folder)


def _lacks_toolchain(command: Command) -> bool:
    """The toolchain that the command line or the environment names is not installed."""
    named = (command.parsed.toolchain or "").removeprefix("+") or command.env.get("RUSTUP_TOOLCHAIN", "")
    if not named or "/" in named:
        return bool(named) and not os.path.isdir(named)
    return not is_installed(named, command.env)


def is_installed(toolchain: str, env: dict[str, str]) -> bool:
    """rustup has a toolchain of this name, or of this beginning (`nightly`)."""
    home = env.get("RUSTUP_HOME") or os.path.expanduser("~/.rustup")
    try:
        return any(name == toolchain or name.startswith(toolchain + "-") for name in os.listdir(home + "/toolchains"))
    except OSError:
        return False
