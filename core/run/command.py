"""A cargo command line with all that its plan needs to know of it, and whether it must be planned before it starts."""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from core.plan.small_file import read_head
from core.run.cache import settings_path
from core.run.config import CargoConfig
from core.run.grammar import Parsed

MODE, VERBOSE, FEATURES = "DECK_MODE", "DECK_VERBOSE", "DECK_FEATURES"
"""Variables that say for one build what `deck.toml` and `config.toml` say for all."""
_MAX_SETTINGS_BYTES = 1 << 20
_MAX_TOOLCHAIN_BYTES = 1 << 14
_CHANNEL = re.compile(rb"""\A\s*([\w.-]+)\s*\Z|^\s*(?:toolchain\s*\.\s*)?channel\s*=\s*["']([\w.-]+)["']""", re.M)
"""One word in a file, or a line of TOML."""
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
    started_in: str = ""
    """Before `-C`: there rustup looks which toolchain to take (tried with rustup 1.29). Empty: `cwd`."""

    @property
    def takes_flags(self) -> bool:
        """It compiles something, and every flag of it is known: others of ours can stand beside."""
        return self.parsed.command is not None and self.parsed.is_known and bool(self.root)


# What follows asks in short what core.plan.look and core.plan.choose know in full, on purpose: to import those takes
# longer than all of this, and most builds go without.


def is_planned_first(command: Command, flag: str | None) -> bool:
    """Its plan changes how it is started, or says what will have it fail: 20 ms that other builds do without. Their
    plan is made by the engine, while they run.
    """
    env = command.env
    if (
        flag is not None
        or any(name in env for name in (MODE, VERBOSE, FEATURES))
        or project_file(command.root)
        or _has_mode(env)
    ):
        return True
    return _uses_native(command) or _lacks_program(command) or _lacks_toolchain(command)


def project_file(root: str) -> str:
    """Path of `deck.toml`: in the workspace's root, else in the root of the git checkout around it; empty: none."""
    if not root:
        return ""
    if is_there(root + "/deck.toml"):
        return root + "/deck.toml"
    folder = root
    while not is_there(folder + "/.git"):
        parent = os.path.dirname(folder)
        if parent == folder:
            return ""
        folder = parent
    path = folder + "/deck.toml"
    return path if folder != root and is_there(path) else ""


def is_there(path: str) -> bool:
    """Something is, readable or not."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:
        return True
    return True


def _has_mode(env: dict[str, str]) -> bool:
    """The person's settings speak of modes, or cannot be read: the plan says why."""
    path = settings_path(env)
    if not is_there(path):
        return False
    if not os.path.isfile(path):
        return True  # to open a pipe would wait for its writer
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_SETTINGS_BYTES + 1)
    except OSError:
        return True
    return b"mode" in content or b"\\" in content or len(content) > _MAX_SETTINGS_BYTES  # a key may be "mo\u0064e"


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
        if key[0] == "target" and not _is_built_for(command, key[1]):
            continue
        base = os.path.dirname(os.path.dirname(given.origin.place)) if given.origin.place[:1] == "/" else command.cwd
        if not _is_program(given.value, base, command.env):
            return True
    return False


def _is_built_for(command: Command, target: str) -> bool:
    """Something is compiled for a target: it is asked for, or the host's, or an expression that may mean either."""
    if target.startswith("cfg(") or _is_host(target):
        return True
    set_one = command.config.settings.get("build", "target")
    asked = command.parsed.options.get("target") or (_words(set_one.value) if set_one is not None else ())
    return any(os.path.basename(one).removesuffix(".json") == target for one in asked)


def _words(value: object) -> tuple[str, ...]:
    """Of a text, or of an array of them."""
    return (value,) if isinstance(value, str) else tuple(map(str, value)) if isinstance(value, list | tuple) else ()


def _is_host(target: str) -> bool:
    """rustup's own toolchains are for such a target here, as far as that can be told without asking rustc."""
    about = os.uname()
    machine = {"arm64": "aarch64"}.get(about.machine, about.machine)
    system = {"Linux": "-linux-", "Darwin": "-apple-darwin"}.get(about.sysname, "-")
    if not target.startswith(machine[:4]) or system not in target or "android" in target:
        return False
    has_glibc = "CS_GNU_LIBC_VERSION" in os.confstr_names
    return about.sysname != "Linux" or ("-musl" not in target) == has_glibc


def _is_program(name: str, base: str, env: dict[str, str]) -> bool:
    if "/" in name:
        return os.access(os.path.join(base, name), os.X_OK)
    return any(os.access(f"{folder}/{name}", os.X_OK) for folder in env.get("PATH", "").split(":") if folder)


def _lacks_toolchain(command: Command) -> bool:
    """The toolchain that the command line, the environment or the nearest file names is not installed: nothing will be
    built, or rustup will download it first, and beside that a plan is nothing."""
    named = (command.parsed.toolchain or "").removeprefix("+") or command.env.get("RUSTUP_TOOLCHAIN", "")
    if not named and os.path.isdir(rustup_home(command.env) + "/toolchains"):
        named = _channel_of(command.started_in or command.cwd)
        return bool(named) and not is_installed(named, command.env)
    if not named or "/" in named:
        return bool(named) and not os.path.isdir(named)
    return not is_installed(named, command.env)


def is_installed(toolchain: str, env: dict[str, str]) -> bool:
    """rustup has a toolchain of this name, or of this beginning (`nightly`)."""
    try:
        names = os.listdir(rustup_home(env) + "/toolchains")
    except OSError:
        return False
    return any(name == toolchain or name.startswith(toolchain + "-") for name in names)


def rustup_home(env: Mapping[str, str]) -> str:
    """Rustup's folder."""
    return env.get("RUSTUP_HOME") or (env.get("HOME") or os.path.expanduser("~")) + "/.rustup"


def _channel_of(folder: str) -> str:
    """What the nearest `rust-toolchain` or `rust-toolchain.toml` names; empty: nothing that is seen at a glance."""
    while True:
        for name in ("/rust-toolchain", "/rust-toolchain.toml"):
            content = read_head(folder + name, _MAX_TOOLCHAIN_BYTES)
            if content is not None:
                found = _CHANNEL.search(content)
                return (found[1] or found[2]).decode("ascii", "replace") if found else ""
        parent = os.path.dirname(folder)
        if parent == folder:
            return ""
        folder = parent
