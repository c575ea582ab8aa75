"""Which toolchain rustup would take, without starting it: by its files and variables.

Source: rustup 1.29, book, "Overrides"; its settings file has version 12.
"""

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

from core.folder import names_in
from core.plan.foreign import first_line
from core.plan.given import Given, Key, Origin, Trouble
from core.plan.small_file import read_text
from core.plan.toolchain_names import host_of, is_official
from core.run.command import rustup_home

_EMPTY = 'it names no toolchain: give it a channel, such as "stable"'
_FALLBACKS = ("nightly", "beta", "stable")
"""Where a toolchain has no cargo, that of the first of these is taken."""

ReadToml = Callable[[str], tuple[Mapping[Key, Given], tuple[Trouble, ...]]]
_World = tuple[str, Mapping[Key, Given], ReadToml]
"""Rustup's folder, its settings, and how TOML is read."""


class Chosen(NamedTuple):
    """A toolchain of rustup's."""

    name: str
    """In full; empty: rustup does not know which to take."""
    origin: Origin
    folder: str = ""
    """Where it lies; empty: it is not installed."""
    trouble: str = ""
    """Why rustup will refuse to run."""
    targets: tuple[str, ...] = ()
    """Triples that the file which chooses it wants a std of."""
    installs: bool = False
    """What is lacking of it rustup will install by itself."""


def is_proxy(path: str) -> bool:
    """This `cargo` or `rustc` is rustup under another name: a symlink, a hard link or a copy."""
    if os.path.basename(os.path.realpath(path)).startswith("rustup"):
        return True
    try:
        beside, own = os.stat(os.path.dirname(path) + "/rustup"), os.stat(path)
    except OSError:
        return False
    return os.path.samestat(beside, own) or (beside.st_size == own.st_size > 1 << 20)


def choose(word: str, cwd: str, env: Mapping[str, str], read_toml: ReadToml) -> Chosen:
    """What a cargo started in `cwd` gets.

    Args:
        word: `+nightly` or `nightly` of the command line; empty: there is none.
        cwd: Where it is started.
        env: Its environment.
        read_toml: Leaves and troubles of a file.
    """
    home = rustup_home(env)
    settings, troubles = read_toml(home + "/settings.toml")
    if troubles:
        return Chosen("", troubles[0].origin, "", troubles[0].why)
    chosen = _choose(word, cwd, env, (home, settings, read_toml))
    is_broken = not chosen.folder and os.path.lexists(f"{home}/toolchains/{chosen.name}")
    can_come = is_official(chosen.name) and not chosen.trouble and not is_broken
    return chosen._replace(installs=can_come and _installs_by_itself(env, settings))


def _choose(word: str, cwd: str, env: Mapping[str, str], world: _World) -> Chosen:
    home, settings, read_toml = world
    if name := word.removeprefix("+"):
        return _resolve(name, Origin("+" + name), home, settings)
    if name := env.get("RUSTUP_TOOLCHAIN", ""):
        return _resolve(name, Origin("RUSTUP_TOOLCHAIN"), home, settings)
    return _by_folder(os.path.realpath(cwd), home, settings, read_toml) or _default(home, settings)


def _installs_by_itself(env: Mapping[str, str], settings: Mapping[Key, Given]) -> bool:
    """What is lacking: tried with rustup 1.29, where any other text in the variable counts as yes."""
    if value := env.get("RUSTUP_AUTO_INSTALL"):
        return value != "0"
    given = settings.get(("auto_install",))
    return given is None or given.value != "disable"


def cargo_of(chosen: Chosen, home: str) -> str:
    """Its cargo, or that of another toolchain where it has none; empty: there is none."""
    own = chosen.folder + "/bin/cargo"
    if not chosen.folder or os.access(own, os.X_OK):
        return own if chosen.folder else ""
    names = names_in(home + "/toolchains")
    others = [name for one in _FALLBACKS for name in names if name == one or name.startswith(one + "-")]
    paths = [f"{home}/toolchains/{name}/bin/cargo" for name in others]
    return next((path for path in paths if os.access(path, os.X_OK)), "")


def _by_folder(folder: str, home: str, settings: Mapping[Key, Given], read_toml: ReadToml) -> Chosen | None:
    """The nearest folder that says something; in the same one an override counts more than a file."""
    while True:
        override = settings.get(("overrides", folder))
        if override is not None and isinstance(override.value, str):
            return _resolve(override.value, Origin("rustup override"), home, settings)
        for name in ("rust-toolchain", "rust-toolchain.toml"):
            path = os.path.join(folder, name)
            if (text := read_text(path)) is not None:  # rustup passes over what it cannot read
                return _by_file(path, text, home, settings, read_toml)
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def _by_file(path: str, text: str, home: str, settings: Mapping[Key, Given], read_toml: ReadToml) -> Chosen:
    lines = text.splitlines()
    if len(lines) < 2 and not path.endswith(".toml"):
        name = text.strip()
        return _resolve(name, Origin(path, 1), home, settings) if name else Chosen("", Origin(path), "", _EMPTY)
    leaves, troubles = read_toml(path)
    if troubles:
        return Chosen("", troubles[0].origin, "", troubles[0].why)
    channel, folder = leaves.get(("toolchain", "channel")), leaves.get(("toolchain", "path"))
    if channel and folder:
        return Chosen("", folder.origin, "", "rustup takes either a channel or a path, not both: remove one")
    if folder is not None:
        return _linked(folder, path)
    if channel is not None:
        if not isinstance(channel.value, str) or not channel.value.strip():
            return Chosen("", channel.origin, "", 'channel is a word such as "stable"')
        return _resolve(channel.value.strip(), channel.origin, home, settings)._replace(targets=_targets(leaves))
    if not any(key[0] == "toolchain" for key in leaves):
        return Chosen("", Origin(path), "", _EMPTY)
    return _default(home, settings)._replace(targets=_targets(leaves))


def _targets(leaves: Mapping[Key, Given]) -> tuple[str, ...]:
    given = leaves.get(("toolchain", "targets"))
    return given.words if given is not None else ()


def _linked(given: Given, path: str) -> Chosen:
    """`path = "../toolchains/mine"`, relative to the file."""
    if not isinstance(given.value, str) or not given.value:
        return Chosen("", given.origin, "", "path is the folder of a toolchain")
    folder = os.path.normpath(os.path.join(os.path.dirname(path), given.value))
    there = os.path.realpath(folder) if _has_compiler(folder) else ""
    return Chosen(folder, given.origin, there, "" if there else f"there is no toolchain in {first_line(folder)}")


def _default(home: str, settings: Mapping[Key, Given]) -> Chosen:
    given = settings.get(("default_toolchain",))
    name = given.value if given is not None and isinstance(given.value, str) else ""
    if not name or name == "none":
        return Chosen("", Origin("rustup default"), "", "no default toolchain is set: rustup default stable")
    return _resolve(name, Origin("rustup default"), home, settings)


def _resolve(name: str, origin: Origin, home: str, settings: Mapping[Key, Given]) -> Chosen:
    """A name as somebody wrote it: in full, its channel alone, a path, or that of a toolchain of one's own."""
    if name.startswith("/"):
        return Chosen(name, origin, os.path.realpath(name) if _has_compiler(name) else "")
    if "/" in name or name in (".", "..") or not name.isprintable():
        return Chosen(name, origin, "", f"{first_line(name)} is no name of a toolchain")
    toolchains = home + "/toolchains"
    full = name
    if not os.path.isdir(f"{toolchains}/{name}") and is_official(name):
        full = _with_host(name, toolchains, settings)
    folder = f"{toolchains}/{full}"
    return Chosen(full, origin, os.path.realpath(folder) if _has_compiler(folder) else "")


def _with_host(name: str, toolchains: str, settings: Mapping[Key, Given]) -> str:
    """`stable` as `stable-x86_64-unknown-linux-gnu`."""
    if host_of(name):
        return name
    wanted = f"{name}-{_default_host(settings)}"
    if os.path.isdir(f"{toolchains}/{wanted}"):
        return wanted
    machine = _machine()
    others = [
        one for one in names_in(toolchains) if one.startswith(name + "-") and host_of(one) == one[len(name) + 1 :]
    ]
    return next((one for one in others if machine in one), wanted)


def _default_host(settings: Mapping[Key, Given]) -> str:
    """As set, else as the default toolchain has it, else by what this machine is."""
    given = settings.get(("default_host_triple",))
    if given is not None and isinstance(given.value, str) and given.value:
        return given.value
    default = settings.get(("default_toolchain",))
    named = host_of(default.value) if default is not None and isinstance(default.value, str) else ""
    system = "apple-darwin" if os.uname().sysname == "Darwin" else "unknown-linux-gnu"
    return named or f"{_machine()}-{system}"


def _machine() -> str:
    machine = os.uname().machine
    return "aarch64" if machine == "arm64" else machine


def _has_compiler(folder: str) -> bool:
    return os.access(folder + "/bin/rustc", os.X_OK) and os.path.isfile(folder + "/bin/rustc")
