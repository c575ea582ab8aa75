"""What a plan rests on, as values: machine, tools, toolchain, cargo's settings. Pure; `core.plan.look` gathers it."""

from collections.abc import Mapping
from typing import NamedTuple

from core.plan.given import Origin, Settings


class Tool(NamedTuple):
    """A program that was looked for."""

    name: str
    path: str = ""
    """Empty: it is not there."""
    version: tuple[int, ...] = ()
    """Empty: it did not say, or is not there."""
    trouble: str = ""
    """Why it cannot be used, though it is there: what it said or did. Empty: nothing is known against it."""
    is_asked: bool = True
    """False: it is there, and nobody asked it yet."""
    kind: str = ""
    """What it is, where its name leaves that open: `gcc`, `clang`, `apple-clang` of `cc`; `bfd`, `gold`, `lld`, `mold`,
    `wild`, `apple` of `ld`; empty: not known."""

    @property
    def is_usable(self) -> bool:
        """It is there and nothing is known against it."""
        return bool(self.path) and not self.trouble

    @property
    def shown(self) -> str:
        """Its version as text; empty: not known."""
        return ".".join(map(str, self.version))


class Toolchain(NamedTuple):
    """What compiles."""

    name: str = ""
    """As rustup calls it: `stable-x86_64-unknown-linux-gnu`; empty: not rustup's."""
    chosen_by: Origin = Origin("")
    """`+nightly`, `RUSTUP_TOOLCHAIN`, a `rust-toolchain.toml`, `rustup override`, `rustup default`, or PATH."""
    is_installed: bool = True
    is_coming: bool = False
    """It is not, and rustup will install it by itself before the build."""
    channel: str = ""
    """`stable`, `beta`, `nightly`, `dev`; empty: not known."""
    rustc: tuple[int, ...] = ()
    """1, 95, 0; empty: not known."""
    cargo: tuple[int, ...] = ()
    host: str = ""
    """Triple; empty: not known."""
    llvm: tuple[int, ...] = ()
    sysroot: str = ""
    """Absolute; empty: not known."""
    targets: tuple[str, ...] = ()
    """Triples whose std is installed."""
    coming_targets: tuple[str, ...] = ()
    """Triples whose std rustup will install by itself before the build where it is not: its file names them."""
    has_cranelift: bool = False
    has_own_lld: bool = False
    """It brings `rust-lld` in the form in which gcc finds it."""
    links_with_lld: bool = False
    """Its own lld is what links where nobody chose a linker (x86_64 Linux since 1.90)."""
    trouble: str = ""
    """Why it cannot be used, or which of rustup's files cannot be read; empty: nothing is known against it. One that is
    not installed has none for that."""

    @property
    def is_nightly(self) -> bool:
        """It takes `-Z`."""
        return self.channel in ("nightly", "dev")


class Machine(NamedTuple):
    """The computer, or the part of it that this build may use."""

    system: str = "linux"
    """`linux`, `darwin`."""
    cores: int = 1
    """That this process may use."""
    cgroup_cores: float | None = None
    """Quota of the cgroup; None: none."""
    memory_bytes: int = 0
    """0: not known."""
    cgroup_memory_bytes: int | None = None
    """Limit of the cgroup, v1 or v2; None: none below the machine's."""
    filesystem: str = ""
    """Of the checkout: `ext4`, `btrfs`; empty: not known."""
    has_reflink: bool | None = None
    """That file system can share blocks between files; None: not known."""
    has_gpu: bool | None = None
    """A GPU of NVIDIA can be asked what it is; None: not known."""

    @property
    def usable_cores(self) -> int:
        """At least 1."""
        quota = self.cgroup_cores
        return max(1, min(self.cores, int(quota))) if quota is not None else max(1, self.cores)

    @property
    def usable_memory_bytes(self) -> int:
        """0: not known."""
        limit = self.cgroup_memory_bytes
        return min(limit, self.memory_bytes or limit) if limit is not None else self.memory_bytes


class Target(NamedTuple):
    """What `--target` or `build.target` asks for."""

    triple: str
    origin: Origin
    has_std: bool = True
    linker: str = ""
    """What would link it: a name or a path; empty: what is needed is not known."""
    is_linker_there: bool = True
    is_own: bool = False
    """Its specification is a file: no std of it can be installed."""
    is_known: bool = True
    """False: rustc has no target of that name, or the file is not there."""
    nearest: str = ""
    """Of rustc's own targets, where it is not known; empty: none is near."""


class Found(NamedTuple):
    """Everything that a plan may rest on."""

    machine: Machine = Machine()
    toolchain: Toolchain = Toolchain()
    tools: Mapping[str, Tool] = {}
    """By name: `cc`, `clang`, `mold`, `lld`, `wild`, `gold`, `bfd`, `sccache`, `ccache`, `nextest`, `cmake`, `ninja`,
    `make`, `nvcc`, `cross`, …; what was looked for and is not there has no path."""
    settings: Settings = Settings()
    env: Mapping[str, str] = {}
    """The caller's variables that matter to a build (`core.plan.look.RELEVANT`); values of credentials are empty."""
    root: str = ""
    """Of the workspace; empty: there is none."""
    cwd: str = ""
    target: Target | None = None
    """None: it is built for the host."""
    native_features: str = ""
    """Digest of what `target-cpu=native` stands for on this host; empty: nobody uses it, or it is not known."""
    refused_linkers: tuple[str, ...] = ()
    """Linkers of our choice that failed a link of this workspace, as their files are now."""
    ccache_depends: bool = False
    """ccache's own files say that it goes by dependencies; looked at only where it stands before nvcc."""
    has_cmake: bool | None = None
    """Something in the workspace calls CMake; None: not looked at."""
    unasked: tuple[str, ...] = ()
    """What was not looked at because it would have taken longer than a build may wait."""

    def tool(self, name: str) -> Tool:
        """It; one without a path where it is not there."""
        return self.tools.get(name) or Tool(name)
