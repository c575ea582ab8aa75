"""Worlds that plans are decided for, and their golden tables; `python -m tests.core.plan_worlds` writes them anew."""

import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from core.plan import modes
from core.plan.decide import decide
from core.plan.found import Found, Machine, Target, Tool, Toolchain
from core.plan.given import Given, Key, Origin, Settings
from core.plan.plan import Plan, Setting
from core.plan.wish import Mode, Wish

GOLDEN = Path(__file__).parent.parent / "data" / "plans"
GNU, MUSL = "x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl"
GIB = 1 << 30
FILE = Origin("/repo/app/.cargo/config.toml", 4)
MANIFEST = Origin("/repo/app/Cargo.toml", 9)
OWN_MODES: Mapping[str, Mapping[str, Any]] = {
    "own-linker": {"linker": "mold", "target-cpu": "native", "jobs": 4},
    "own-nightly": {"backend": "cranelift", "share-generics": False, "front-end-threads": "share", "linker": "wild"},
    "own-profile": {
        "debug": "limited", "build-debug": "full", "split-debuginfo": "unpacked", "strip": "symbols", "panic": "abort",
        "overflow-checks": False, "codegen-units": 64, "lto": "thin", "opt-level": 1, "deps-opt-level": "s",
        "build-opt-level": 2, "incremental": False, "linker": "lld", "target-cpu": "x86-64-v3",
    },
    "own-native": {
        "cmake-generator": "ninja", "cmake-parallel": "jobs", "cxx-launcher": "sccache", "nvcc-cache": "ccache",
        "cuda-archs": "80;90", "nvcc-threads": 2, "jobs": "auto",
    },
}  # fmt: skip
"""What no built-in mode asks for."""
MODES = ("none", *modes.BUILT_IN, *OWN_MODES)
USERS = ("nothing", "RUSTFLAGS", "target rustflags", "build rustflags", "manifest", "musl")
AXES: Mapping[str, Sequence[Any]] = {
    "mode": MODES,
    "user": USERS,
    "cores": (64, 2, 1),
    "toolchain": ("stable", "nightly"),
    "memory": (24, 2),
    "mold": (True, False),
    "clang": (True, False),
    "ninja": (True, False),
    "nvcc": (True, False),
    "sccache": (True, False),
    "gpu": (True, False),
}


class World(NamedTuple):
    """One combination of all axes."""

    mode: str = "none"
    user: str = "nothing"
    cores: int = 64
    toolchain: str = "stable"
    memory: int = 24
    """GiB; 2 is the limit of a cgroup."""
    mold: bool = True
    clang: bool = True
    ninja: bool = True
    nvcc: bool = True
    sccache: bool = True
    gpu: bool = True

    @property
    def title(self) -> str:
        """All of it, in a line."""
        there = [name for name in ("mold", "clang", "ninja", "nvcc", "sccache", "gpu") if getattr(self, name)]
        memory = f"{self.memory} GiB" + (" cgroup" if self.memory == 2 else "")
        tools = ", ".join("a GPU" if name == "gpu" else name for name in there) or "no tools"
        return f"{self.toolchain}, {self.cores} cores, {memory}, {tools}; the user sets: {self.user}"

    @property
    def plan(self) -> Plan:
        """What is decided."""
        return decide(found(self), wish(self))


def mode(name: str) -> Mode:
    """One of `MODES`."""
    if name == "none":
        return Mode()
    if name in OWN_MODES:
        origin = Origin("deck.toml", 1)
        options = {key: Given(value, origin) for key, value in OWN_MODES[name].items()}
        return Mode(name, Origin("--mode"), options)
    resolved = modes.resolve(name, [modes.built_in()])
    assert resolved is not None
    return resolved.mode._replace(chosen_by=Origin("--mode"))


def wish(world: World) -> Wish:
    """A build in the checkout's own target dir."""
    return Wish(
        mode=mode(world.mode),
        cache="sccache 0.16.0" if world.sccache and world.cores == 2 else "none",
        target_dir="/repo/app/target",
        changed=("app", "engine") if world.mode == "check-fast" else None,
        changed_reason="their files differ from origin/main" if world.mode == "check-fast" else "",
        options={"target": [MUSL]} if world.user == "musl" else {},
    )


def found(world: World) -> Found:
    """What is there."""
    return Found(
        machine=Machine(cores=world.cores, memory_bytes=24 * GIB, has_gpu=world.gpu,
                        cgroup_memory_bytes=2 * GIB if world.memory == 2 else None),
        toolchain=toolchain(world.toolchain),
        tools=tools(world),
        settings=settings(world.user),
        env={"RUSTFLAGS": "-C target-cpu=native"} if world.user == "RUSTFLAGS" else {},
        root="/repo/app",
        cwd="/repo/app",
        target=Target(MUSL, Origin("--target"), linker="musl-gcc") if world.user == "musl" else None,
        native_features="4f3a",
    )  # fmt: skip


def toolchain(channel: str) -> Toolchain:
    """Stable 1.95, or a nightly with cranelift."""
    is_nightly = channel == "nightly"
    version = (1, 97, 0) if is_nightly else (1, 95, 0)
    return Toolchain(
        name=f"{channel}-{GNU}", channel=channel, rustc=version, cargo=version, host=GNU, targets=(GNU, MUSL),
        has_cranelift=is_nightly, has_own_lld=True, links_with_lld=True,
    )  # fmt: skip


def tools(world: World) -> dict[str, Tool]:
    """gcc is `cc`, GNU ld, lld and CMake are there; the rest as the world has it."""
    is_there = {
        "cc": (12, 2, 0), "ld": (2, 40), "bfd": (2, 40), "lld": (14, 0, 6), "cmake": (3, 25, 1),
        "mold": (2, 40, 0) if world.mold else (),
        "clang": (14, 0, 6) if world.clang else (),
        "ninja": (1, 11, 1) if world.ninja else (),
        "nvcc": (13, 0, 88) if world.nvcc else (),
        "sccache": (0, 16, 0) if world.sccache else (),
        "ccache": (4, 7, 5) if world.nvcc else (),
        "wild": (),
    }  # fmt: skip
    kinds = {"cc": "gcc", "ld": "bfd"}
    return {
        name: Tool(name, f"/usr/bin/{name}", version, kind=kinds.get(name, "")) if version else Tool(name)
        for name, version in is_there.items()
    }


def settings(user: str) -> Settings:
    """What files say."""
    config, manifest = "/repo/app/.cargo/config.toml", "/repo/app/Cargo.toml"
    values: dict[Key, Given] = {}
    profiles: dict[Key, Given] = {}
    match user:
        case "RUSTFLAGS":
            values["build", "rustflags"] = Given(["--cfg", "tokio_unstable"], Origin(config, 2))
        case "target rustflags":
            values["target", GNU, "rustflags"] = Given(["-C", "link-arg=-Wl,-z,now"], Origin(config, 5))
            values["build", "rustflags"] = Given(["--cfg", "tokio_unstable"], Origin(config, 2))
            values["source", "crates-io", "replace-with"] = Given("vendored-sources", Origin(config, 8))
            values["source", "vendored-sources", "directory"] = Given("vendor", Origin(config, 11))
        case "build rustflags":
            values["build", "rustflags"] = Given(["--cfg", "tokio_unstable"], Origin(config, 2))
            values["build", "jobs"] = Given(3, Origin(config, 3))
        case "manifest":
            profiles["profile", "dev", "debug"] = Given(1, Origin(manifest, 12))
            profiles["profile", "dev", "package", "*", "opt-level"] = Given(3, Origin(manifest, 15))
            profiles["profile", "dev", "package", "image", "debug"] = Given(False, Origin(manifest, 18))
            profiles["profile", "release", "lto"] = Given("thin", Origin(manifest, 21))
            profiles["profile", "release", "codegen-units"] = Given(1, Origin(manifest, 22))
    return Settings(values, profiles)


def asks(**options: Any) -> Mode:
    """A mode with these options, `_` for `-` in their names."""
    given = {name.replace("_", "-"): Given(value, Origin("deck.toml", 3)) for name, value in options.items()}
    return Mode("mine", Origin("--mode"), given)


def with_values(values: Mapping[Key, Any], manifest: Mapping[Key, Any] | None = None) -> Found:
    """The first world, with files that say so."""
    return found(World())._replace(
        settings=Settings(
            {key: Given(value, FILE) for key, value in values.items()},
            {key: Given(value, MANIFEST) for key, value in (manifest or {}).items()},
        )
    )


def row(plan: Plan, name: str) -> Setting:
    """One decision."""
    return next(setting for setting in plan.settings if setting.name == name)


def decided(name: str, mode: Mode, world: Found | None = None, **more: Any) -> Setting:
    """One decision; without a world, in the first one."""
    return row(decide(world or found(World()), Wish(mode=mode, **more)), name)


def worlds() -> Iterator[World]:
    """So many that any two values of any two axes meet in one of them; always the same ones."""
    names = list(AXES)
    missing = {
        ((a, left), (b, right))
        for a, b in itertools.combinations(range(len(names)), 2)
        for left in range(len(AXES[names[a]]))
        for right in range(len(AXES[names[b]]))
    }
    while missing:
        chosen: dict[int, int] = dict(min(missing))
        for axis in range(len(names)):
            if axis not in chosen:
                chosen[axis] = _most_useful(chosen, axis, len(AXES[names[axis]]), missing)
        missing -= {(one, two) for one, two in itertools.combinations(sorted(chosen.items()), 2)}
        yield World(**{name: AXES[name][chosen[axis]] for axis, name in enumerate(names)})


_Choice = tuple[int, int]


def _most_useful(chosen: Mapping[int, int], axis: int, count: int, missing: set[tuple[_Choice, _Choice]]) -> int:
    """The value of an axis that meets most of those that it has not met; the first of equal ones."""
    met = [sum(tuple(sorted(((axis, at), other))) in missing for other in chosen.items()) for at in range(count)]
    return met.index(max(met))


def table(world: World) -> str:
    """The plan as text: rows that cargo decides and the mode says nothing of in one line, unless there is no mode."""
    plan = world.plan
    asked = mode(world.mode).options
    is_short = [row.by == "cargo" and row.name not in asked and bool(world.mode != "none") for row in plan.settings]
    lines = [f"## {world.title}"]
    for row, short in zip(plan.settings, is_short, strict=True):
        lines += [] if short else _row(row)
    left = ", ".join(f"{row.name} {row.value}" for row, short in zip(plan.settings, is_short, strict=True) if short)
    lines += [f"left to cargo: {left}"] if left else []
    lines += [f"namespace: {plan.namespace}"] if plan.namespace else []
    return "\n".join(lines) + "\n"


def _row(row: Setting) -> list[str]:
    where = f" ({row.origin.shown})" if row.origin.place else ""
    lines = [f"{row.name:<18} {row.value:<20} {row.by}{where}: {row.reason}"]
    if row.cost:
        lines.append(f"{'':<18} cost: {row.cost}")
    if row.flags:
        lines.append(f"{'':<18} flags: {' '.join(row.flags)}")
    return lines + [f"{'':<18} env: {name}={value}" for name, value in row.env]


def tables() -> dict[str, str]:
    """Text of each golden file by the name of its mode."""
    texts: dict[str, list[str]] = {name: [] for name in MODES}
    for world in worlds():
        texts[world.mode].append(table(world))
    return {name: "\n".join(parts) for name, parts in texts.items()}


def main() -> None:
    """Write all golden files anew."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for old in GOLDEN.glob("*.txt"):
        old.unlink()
    written = tables()
    for name, text in written.items():
        (GOLDEN / f"{name}.txt").write_text(text)
    sys.stdout.write(f"{len(written)} files in {GOLDEN}\n")


if __name__ == "__main__":
    main()
