"""What this machine has for building: looked up once, cheaply, for who has not built yet."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

_LINKERS = ("mold", "wild", "ld.lld", "rust-lld", "ld.gold", "ld")
_ASK_S = 2.0
"""`cargo --version` through rustup takes 20 ms; a toolchain that is being installed may hang."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Cores, memory, and the tools found in PATH."""

    cores: int
    """That this process may use."""
    memory_bytes: int | None
    """None: not on this system."""
    cargo: str | None
    """`1.95.0`; None: no cargo in PATH."""
    toolchains: tuple[str, ...]
    """Of rustup, by name."""
    linkers: tuple[str, ...]
    """In the order of `_LINKERS`, fastest first."""
    nvcc: str | None
    """Its path; None: not in PATH."""

    def facts(self) -> tuple[tuple[str, str], ...]:
        """Label and value, one a line, for people."""
        memory = f"{self.memory_bytes / 1e9:.1f} G" if self.memory_bytes else "–"
        found = [
            ("cargo", self.cargo or "not found: install Rust from rustup.rs, then start again"),
            ("toolchains", _some(self.toolchains)),
            ("linkers", _some(self.linkers)),
            ("cores", str(self.cores)),
            ("memory", memory),
        ]
        return (*found, ("nvcc", self.nvcc)) if self.nvcc else tuple(found)


def look_around(env: Mapping[str, str]) -> Machine:
    """The machine as it is now. Blocks up to two seconds: keep it off an event loop."""
    path = env.get("PATH")
    return Machine(
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=_memory_bytes(),
        cargo=_cargo_version(shutil.which("cargo", path=path), env),
        toolchains=_toolchains(env),
        linkers=tuple(name for name in _LINKERS if shutil.which(name, path=path)),
        nvcc=shutil.which("nvcc", path=path),
    )


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more if names else "–"


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _cargo_version(program: str | None, env: Mapping[str, str]) -> str | None:
    """`cargo 1.95.0 (f2d3ce0bd 2026-03-21)` gives `1.95.0`."""
    if program is None:
        return None
    try:
        said = subprocess.run(
            [program, "--version"], env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=_ASK_S, check=False,
        ).stdout  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return "found, but it does not answer"
    version = re.match(r"cargo (\S+)", said)
    return version[1] if version else "found, but it has no toolchain"


def _toolchains(env: Mapping[str, str]) -> tuple[str, ...]:
    home = env.get("RUSTUP_HOME") or os.path.join(env.get("HOME", ""), ".rustup")
    try:
        return tuple(sorted(os.listdir(home + "/toolchains")))
    except OSError:
        return ()
