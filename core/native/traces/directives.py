"""What a build script told cargo to watch, as its output says. Pure.

    cargo:rerun-if-changed=kernels/k.cu
    cargo::rerun-if-env-changed=CUDA_HOME

Source: cargo 1.95, `target/PROFILE/build/PACKAGE-HASH/output`. A line that is
not UTF-8 is none, as for cargo; one with a NUL names no file.
"""

from typing import NamedTuple

MAX_BYTES = 1 << 24
"""Of an output, what is looked at."""
_CHANGED = ("cargo::rerun-if-changed=", "cargo:rerun-if-changed=")
_ENV = ("cargo::rerun-if-env-changed=", "cargo:rerun-if-env-changed=")


class Declared(NamedTuple):
    """One `rerun-if-changed`."""

    path: str
    """As printed: relative to the package, or absolute."""
    line: int
    """Of the output, from 1; the first that says so."""


class Directives(NamedTuple):
    """All that decides whether a script is run again."""

    changed: tuple[Declared, ...] = ()
    """In order, each path once."""
    env: tuple[str, ...] = ()
    """Names of variables, each once."""

    @property
    def is_empty(self) -> bool:
        """Cargo then looks at all files of the package."""
        return not self.changed and not self.env


def read_directives(output: bytes) -> Directives:
    """The directives in what a build script printed."""
    changed: dict[str, int] = {}
    env: dict[str, None] = {}
    for number, raw in enumerate(output[:MAX_BYTES].split(b"\n"), 1):
        if not raw.lstrip().startswith(b"cargo:") or b"\0" in raw:
            continue
        try:
            line = raw.decode().strip()
        except ValueError:
            continue
        for prefix in _CHANGED:
            if line.startswith(prefix):
                changed.setdefault(line[len(prefix) :], number)
                break
        for prefix in _ENV:
            if line.startswith(prefix):
                env.setdefault(line[len(prefix) :])
                break
    return Directives(tuple(Declared(path, line) for path, line in changed.items()), tuple(env))
