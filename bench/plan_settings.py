"""What `bench.plan` compares: settings in families that share a plain build, as cargo-deck gives them to cargo."""

import os
import subprocess
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

PLAIN, AGAIN = "plain", "plain again"
DEPS = 'package."*"'


class Arm(NamedTuple):
    """A way to build."""

    name: str
    """Of a setting: `OPTION=VALUE` in a mode's words, several joined by ` + `."""
    flags: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    store: str = ""
    """Of a compiler cache: `empty` or `filled` before each clean build; empty: the arm has none."""
    refused: str = ""
    """Why it cannot be built here; empty: it can."""

    @property
    def told(self) -> tuple[str, ...]:
        """All that the build is told."""
        return (*self.flags, *(f"{name}={value}" for name, value in self.env))


class Family(NamedTuple):
    """Arms that are built in turn, in random order."""

    name: str
    subject: str
    profile: str
    """`dev` or `release`."""
    arms: tuple[Arm, ...]
    toolchain: str = ""
    """`+nightly`; empty: the default one."""
    situations: tuple[str, ...] = ("clean", "edit", "link")
    looks: bool = False
    """The memory of all processes together is looked at."""
    runs: bool = False
    """The program does its job after a clean build."""
    aims: tuple[str, ...] = ()
    """Figures that its settings are for beside time, in a record's words."""
    may_cost: bool = False
    """Of time: what they are for is worth it."""
    about: str = ""
    """What a reader of its table must know."""
    bases: tuple[tuple[str, str], ...] = ((PLAIN, AGAIN),)
    """Arms that the others are compared with, each with its control: the same once more."""

    def with_arms(self, names: Sequence[str]) -> "Family | None":
        """With those arms alone and what they are compared with; all where none is named; None: it has none of them."""
        if not names:
            return self
        bases = {one for pair in self.bases for one in pair}
        arms = tuple(arm for arm in self.arms if arm.name in bases or arm.name in names)
        return self._replace(arms=arms) if any(arm.name in names for arm in arms) else None

    @property
    def pairs(self) -> tuple[tuple[str, str, str], ...]:
        """Arm, base, the base's control."""
        same = {name for pair in self.bases for name in pair}
        of_first = [arm.name for arm in self.arms if arm.name not in self.bases[0]]
        found = [(name, *self.bases[0]) for name in of_first if name not in {pair[1] for pair in self.bases}]
        for base, control in self.bases[1:]:
            found += [(name, base, control) for name in (PLAIN, *of_first) if name not in same or name == PLAIN]
        return tuple(found)


def done_rounds(records: Sequence[dict[str, Any]], family: Family, situation: str) -> int:
    """Rounds of it that are whole: the number of the next one, which may have been begun."""
    number = 0
    while not missing(records, family, situation, number):
        number += 1
    return number


def missing(records: Sequence[dict[str, Any]], family: Family, situation: str, number: int) -> list[Arm]:
    """What a round still has to build."""
    place = (family.name, situation, number)
    built = {one["arm"] for one in records if (one["family"], one["situation"], one["round"]) == place}
    return [arm for arm in family.arms if arm.name not in built and not arm.refused]


def config(key: str, value: str) -> tuple[str, str]:
    """One setting for cargo; `value` as TOML has it."""
    return "--config", f"{key}={value}"


def profile(name: str, **keys: str) -> tuple[str, ...]:
    """Settings of a profile; `deps__KEY`, `build__KEY`: of dependencies, of build scripts and proc macros."""
    flags: tuple[str, ...] = ()
    for key, value in keys.items():
        scope, _, last = key.rpartition("__")
        level = {"": "", "deps": DEPS + ".", "build": "build-override."}[scope]
        flags += config(f"profile.{name}.{level}{last.replace('_', '-')}", value)
    return flags


def rustflags(host: str, *words: str) -> tuple[str, ...]:
    """Flags for rustc, of the host."""
    listed = ", ".join(f'"{word}"' for word in words)
    return config(f"target.{host}.rustflags", f"[{listed}]")


def families(host: str, *, has_cranelift: bool) -> tuple[Family, ...]:
    """Most wanted first."""
    return (_debug(), _linkers(host), _code(), _release(), _nightly(host, has_cranelift), _final(),
            _cpu(host), _memory())  # fmt: skip


_WHY_NOT_CLEAN = (
    "A clean build is not faster: incremental compilation writes down what the next build can use again, which makes "
    "the target dir twice as large and takes what smaller codegen units save."
)


def mode_families(flags_of: Callable[[str, str], tuple[str, ...]]) -> tuple[Family, ...]:
    """Modes as wholes; `flags_of`: what a mode gives to cargo in a workspace."""
    return tuple(
        Family(
            f"mode {mode}, {subject}", subject, profile, _arms(Arm(f"mode={mode}", flags_of(subject, mode))),
            runs=profile == "release", aims=aims, about=_WHY_NOT_CLEAN if mode == "release-fast" else "",
        )
        for mode, profile, aims in (("dev", "dev", ("link_bytes",)), ("release-fast", "release", ()))
        for subject in ("ripgrep", "minijinja")
    )  # fmt: skip


def _arms(*settings: Arm) -> tuple[Arm, ...]:
    return (Arm(PLAIN), Arm(AGAIN), *settings)


def _debug() -> Family:
    return Family("dev-debug", "ripgrep", "dev", _arms(
        Arm("debug=line-tables-only", profile("dev", debug='"line-tables-only"')),
        Arm("deps-debug=none", profile("dev", deps__debug="false")),
        Arm("debug=line-tables-only + deps-debug=none",
            profile("dev", debug='"line-tables-only"', deps__debug="false")),
        Arm("debug=none", profile("dev", debug="false")),
        Arm("split-debuginfo=unpacked", profile("dev", split_debuginfo='"unpacked"')),
        Arm("strip=debuginfo", profile("dev", strip='"debuginfo"')),
    ), aims=("link_bytes",))  # fmt: skip


def _code() -> Family:
    return Family("dev-code", "ripgrep", "dev", _arms(
        Arm("incremental=false", profile("dev", incremental="false")),
        Arm("codegen-units=16", profile("dev", codegen_units="16")),
        Arm("codegen-units=256", profile("dev", codegen_units="256")),
        Arm("build-opt-level=1", profile("dev", build__opt_level="1")),
        Arm("deps-opt-level=1", profile("dev", deps__opt_level="1")),
    ))  # fmt: skip


def _linkers(host: str) -> Family:
    bfd = rustflags(host, "-Clinker-features=-lld")
    mold = rustflags(host, "-Clink-arg=-fuse-ld=mold")
    lld = rustflags(host, "-Clinker-features=-lld", "-Clink-arg=-fuse-ld=lld")
    return Family("dev-linker", "ripgrep", "dev", _arms(
        Arm("linker=mold", mold),
        Arm("linker=lld", lld),
        Arm("linker=bfd", bfd),
        Arm("linker=bfd again", bfd),
    ), bases=((PLAIN, AGAIN), ("linker=bfd", "linker=bfd again")))  # fmt: skip


def _nightly(host: str, has_cranelift: bool) -> Family:
    arms = _arms(
        Arm("share-generics=true", rustflags(host, "-Zshare-generics=y")),
        Arm("front-end-threads=2", rustflags(host, "-Zthreads=2")),
    )
    if has_cranelift:
        flags = ("-Zcodegen-backend", *config("profile.dev.codegen-backend", '"cranelift"'))
        arms += (Arm("backend=cranelift", flags + config(f"profile.dev.{DEPS}.codegen-backend", '"llvm"')),)
    return Family("dev-nightly", "ripgrep", "dev", arms, toolchain="+nightly")


def _release() -> Family:
    return Family("release-fast", "ripgrep", "release", _arms(
        Arm("lto=off", profile("release", lto='"off"')),
        Arm("codegen-units=64", profile("release", codegen_units="64")),
        Arm("codegen-units=256", profile("release", codegen_units="256")),
        Arm("incremental=true", profile("release", incremental="true")),
        Arm("opt-level=2", profile("release", opt_level="2")),
        Arm("opt-level=1", profile("release", opt_level="1")),
    ), situations=("clean", "edit"), runs=True)  # fmt: skip


def _final() -> Family:
    return Family("release-optimized", "ripgrep", "release", _arms(
        Arm("lto=thin", profile("release", lto='"thin"')),
        Arm("codegen-units=1", profile("release", codegen_units="1")),
        Arm("lto=fat + codegen-units=1", profile("release", lto='"fat"', codegen_units="1")),
        Arm("panic=abort", profile("release", panic='"abort"')),
        Arm("overflow-checks=true", profile("release", overflow_checks="true")),
    ), situations=("clean", "edit"), runs=True, aims=("run_s", "program_bytes"), may_cost=True)  # fmt: skip


def _cpu(host: str) -> Family:
    return Family("release-cpu", "ripgrep", "release", _arms(
        Arm("target-cpu=native", rustflags(host, "-Ctarget-cpu=native")),
    ), situations=("clean", "edit"), runs=True, aims=("run_s",), may_cost=True)  # fmt: skip


def _memory() -> Family:
    thin = profile("dev", debug="false")
    return Family("low-memory", "minijinja", "dev", _arms(
        Arm("jobs=1", ("--jobs", "1")),
        Arm("debug=none", thin),
        Arm("jobs=1 + debug=none", ("--jobs", "1", *thin)),
    ), situations=("clean", "edit"), looks=True, aims=("at_once_bytes",), may_cost=True)  # fmt: skip


def has_cranelift(toolchain: str) -> bool:
    """The toolchain has the code generator's library."""
    done = subprocess.run(["rustc", toolchain, "--print", "sysroot"], capture_output=True, text=True, check=False)
    folder = f"{done.stdout.strip()}/lib/rustlib"
    return done.returncode == 0 and any(
        "cranelift" in name for _, _, names in os.walk(folder) for name in names if name.startswith("librustc_codegen")
    )
