"""What was found, made by hand from texts of files: for findings, without looking at a machine."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from core.plan.found import Found, Machine, Target, Tool, Toolchain
from core.plan.given import Given, Key, Origin, Settings
from core.plan.wish import Mode, Wish

HOST = "x86_64-unknown-linux-gnu"
MUSL = "x86_64-unknown-linux-musl"
ROOT = "/home/me/shop"
CONFIG = f"{ROOT}/.cargo/config.toml"
HOME_CONFIG = "/home/me/.cargo/config.toml"
MANIFEST = f"{ROOT}/Cargo.toml"
STABLE = Toolchain(
    f"stable-{HOST}", Origin("rustup default"), channel="stable", rustc=(1, 95, 0), cargo=(1, 95, 0), host=HOST,
    targets=(HOST, MUSL), has_own_lld=True, links_with_lld=True,
)  # fmt: skip
NIGHTLY = STABLE._replace(name=f"nightly-{HOST}", channel="nightly", rustc=(1, 97, 0), cargo=(1, 97, 0))
PRESENT = {
    "cc": (12, 2, 0), "gcc": (12, 2, 0), "clang": (14, 0, 6), "clang-15": (15, 0, 7), "mold": (2, 40, 0),
    "lld": (14, 0, 6), "sccache": (0, 16, 0), "make": (4, 3),
}  # fmt: skip


def tools(*missing: str, **versions: tuple[int, ...]) -> dict[str, Tool]:
    """What a machine has, without some."""
    present = PRESENT | versions
    there = {
        name: Tool(name, f"/usr/bin/{name}", version, kind="gcc" if name in ("cc", "gcc") else "")
        for name, version in present.items()
        if name not in missing
    }
    return there | {name: Tool(name) for name in missing}


def settings(files: Mapping[str, str]) -> Settings:
    """Of config files, the one that counts most first, and of `Cargo.toml`."""
    every: list[tuple[Key, Given]] = []
    manifest: dict[Key, Given] = {}
    for path, text in files.items():
        for key, value in leaves(tomllib.loads(text)):
            given = Given(value, Origin(path, line_of(text, key)))
            if not path.endswith("/Cargo.toml"):
                every.append((key, given))
            elif key[0] == "profile":
                manifest[key] = given
    values: dict[Key, Given] = {}
    for key, given in every:
        before = values.get(key)
        if before is None:
            values[key] = given
        elif isinstance(before.value, list) and isinstance(given.value, list):
            values[key] = Given(given.value + before.value, before.origin)
    return Settings(values, manifest, tuple(every), tuple(path for path in files if path != MANIFEST))


def leaves(table: Mapping[str, Any], above: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Keys with what they say."""
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name), value


def line_of(text: str, key: Key) -> int:
    """The first line that begins with the last word of a key, or the one before it."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip().startswith((key[-1], f'"{key[-1]}"', ".".join(key))):
            return number
    return 1


def found(files: Mapping[str, str] | None = None, env: Mapping[str, str] | None = None, **more: Any) -> Found:
    """A checkout on a machine with four cores."""
    base = Found(
        machine=Machine(cores=4, memory_bytes=16 << 30), toolchain=STABLE, tools=tools(),
        settings=settings(files or {}), env=env or {}, root=ROOT, cwd=ROOT,
    )  # fmt: skip
    return base._replace(**more)


def musl(linker: str = "", *, has_std: bool = True) -> Target:
    """A target that config names."""
    return Target(MUSL, Origin(CONFIG, 1), has_std=has_std, linker=linker)


def wish(command: str = "build", **more: Any) -> Wish:
    """Of a command line: `build --release -j 4`."""
    words = command.split()
    options: dict[str, list[str]] = {}
    for at, word in enumerate(words[1:], 1):
        name = {"-j": "jobs", "-Z": "Z"}.get(word, word.removeprefix("--"))
        if word.startswith("-"):
            value = words[at + 1] if at + 1 < len(words) and not words[at + 1].startswith("-") else ""
            options.setdefault(name, []).append(value)
    return Wish(words[0], options)._replace(**more)


LOW_MEMORY = Mode("low-memory", Origin("--mode"))
