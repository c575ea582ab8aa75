"""How the effect of settings on one link is measured: which builds, with which words. Pure.

Each is `cargo rustc` for that one target, into a target dir of ours. Settings that concern all crates go to cargo as
`--config`; those of the link alone follow `--`, so that cargo finds the other crates fresh.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from core.errors import UsageError
from core.measured import AS_IS
from core.run.grammar import Parsed
from core.values import dataclass

_PASSED_ON = (
    "features", "all-features", "no-default-features", "target", "manifest-path", "config", "locked", "offline",
    "frozen", "ignore-rust-version", "Z", "C",
)  # fmt: skip
_KINDS = {
    "bin": ("bin",), "bin test": ("bin",), "example": ("example",), "example test": ("example",), "bench": ("bench",),
    "test": ("test", "bench", "bin", "lib"),
}  # fmt: skip
"""Of targets that a unit of that kind may be of."""
_FROM_BFD = ("-Clinker-features=-lld",)
"""rustc's own lld would stay in the driver's words otherwise."""


@dataclass(frozen=True, slots=True)
class Target:
    """What cargo calls the thing that is linked."""

    package: str
    kind: str
    """`bin`, `example`, `test`, `bench`, `lib`."""
    name: str
    is_unit_test: bool
    """The test harness of a library or program."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One build."""

    setting: str
    words: tuple[str, ...]
    """After `cargo`; the target dir is missing."""
    linker: str
    """That must have linked for the figure to count; empty: whichever."""
    is_full: bool
    """All crates are compiled again."""


def variants(parsed: Parsed, target: Target, linkers: Iterable[str], *, has_debug: bool) -> tuple[Variant, ...]:
    """The builds, in an order in which cargo finds as much as possible fresh.

    Args:
        parsed: The command that linked it.
        target: What it links.
        linkers: Those that are installed and are not the one in use.
        has_debug: Its output has debug information.
    """
    profile = _profile(parsed)
    first = _words(parsed, target)

    def variant(setting: str, config: str = "", rustc: tuple[str, ...] = (), linker: str = "") -> Variant:
        words = (*first, *(("--config", f"profile.{profile}.{config}") if config else ()))
        tail = ("--", *rustc) if rustc else ()
        return Variant(setting, (*words, *tail), linker, is_full=not rustc)

    found = [variant(AS_IS)]
    for name in linkers:
        features = _FROM_BFD if name == "bfd" else ()
        found.append(variant(f"linker {name}", rustc=(*features, f"-Clink-arg=-fuse-ld={name}"), linker=name))
    found.append(variant('strip = "symbols"', rustc=("-Cstrip=symbols",)))
    if has_debug:
        found.append(variant('debug = "line-tables-only"', 'debug="line-tables-only"'))
        found.append(variant("debug = 0", "debug=0"))
        found.append(variant('split-debuginfo = "unpacked"', 'split-debuginfo="unpacked"'))
    return tuple(found)


def with_target_dir(words: tuple[str, ...], folder: str) -> tuple[str, ...]:
    """The words with the target dir where cargo takes it."""
    at = words.index("--") if "--" in words else len(words)
    return (*words[:at], "--target-dir", folder, *words[at:])


def _words(parsed: Parsed, target: Target) -> tuple[str, ...]:
    words = [*((parsed.toolchain,) if parsed.toolchain else ())]
    for name in ("C", "Z"):
        words += [word for value in parsed.options.get(name, ()) for word in (f"-{name}", value)]
    words += ["rustc", "--package", target.package]
    words += [f"--{target.kind}"] if target.kind == "lib" else [f"--{target.kind}", target.name]
    for name in _PASSED_ON[:-2]:
        for value in parsed.options.get(name, ()):
            words += [f"--{name}", value] if value else [f"--{name}"]
    if parsed.value("release") is not None or _is_bench(parsed):
        words.append("--release")
    elif (profile := parsed.value("profile")) not in (None, "dev", "test"):
        words += ["--profile", str(profile)]
    elif target.is_unit_test:
        words += ["--profile", "test"]
    return tuple(words)


def _is_bench(parsed: Parsed) -> bool:
    return parsed.command is not None and parsed.command.name == "bench" and parsed.value("profile") is None


def _profile(parsed: Parsed) -> str:
    """Whose settings count: `test` and `bench` take theirs from these."""
    named = parsed.value("profile")
    if parsed.value("release") is not None or _is_bench(parsed) or named == "bench":
        return "release"
    return "dev" if named in (None, "test") else str(named)


def first_target(units: Iterable[str], metadata: Mapping[str, Any], wanted: Iterable[str]) -> tuple[str, Target]:
    """The first of these units that is a target of the workspace; arguments as of `find_target`.

    Raises:
        UsageError: none of them is.
    """
    refused = UsageError("nothing was linked")
    for unit in units:
        try:
            return unit, find_target(unit, metadata, wanted)
        except UsageError as error:
            refused = error
    raise refused


def find_target(unit: str, metadata: Mapping[str, Any], wanted: Iterable[str]) -> Target:
    """The target behind the name of a unit, by `cargo metadata --no-deps`.

    Args:
        unit: `app(bin)`, `app(bin test)`, `cli(test)`, `plugin`.
        metadata: What cargo says of the workspace.
        wanted: Packages that the command named; they are preferred.

    Raises:
        UsageError: no target of the workspace has that name.
    """
    name, _, kind = unit.rstrip(")").partition("(")
    kinds = _KINDS.get(kind, ("lib",))
    preferred = set(wanted)
    found = [
        (package["name"] not in preferred, kinds.index(one), package["name"], target["name"])
        for package in metadata.get("packages", ())
        for target in package["targets"]
        if (one := _kind(target["kind"])) in kinds and _is_named(name, kind, package["name"], target["name"])
    ]
    if not found:
        raise UsageError(f"no target of this workspace is called {unit!r}: what is not a member cannot be measured")
    _, rank, package, target = min(found)
    is_unit_test = kind.endswith("test") and kinds[rank] in ("bin", "example", "lib")
    return Target(package, kinds[rank], target, is_unit_test)


def _is_named(name: str, kind: str, package: str, target: str) -> bool:
    """A library's unit has the name of its package, others that of their target; `-` and `_` are one there."""
    same = name.replace("-", "_")
    return same == (target if kind else package).replace("-", "_")


def _kind(kinds: list[str]) -> str:
    """`lib`, `rlib`, `cdylib`, `proc-macro`, … are all the library."""
    first = kinds[0] if kinds else ""
    return first if first in ("bin", "example", "test", "bench", "custom-build") else "lib"
