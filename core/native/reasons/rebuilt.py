"""A unit of a run, and why it was rebuilt or not. Pure; screens import it."""

from typing import Literal, NamedTuple

Kind = Literal["crate", "script", "output", "call", "file", "input"]
"""A package's crates; a build script; what ninja or a compiler made; a call of nvcc; a file that changed in vain;
inputs of a package's build script that nothing declares."""
By = Literal["cargo", "times", "ninja", "make", "nvcc", "declared", "content", ""]
"""Who says so; `content`: digests of what the build read; empty: nobody."""


class Why(NamedTuple):
    """One unit."""

    unit: str
    """Package, `app (build script)`, an output's or a file's path."""
    kind: Kind
    is_rebuilt: bool
    reason: str
    """Empty: not known."""
    by: By = ""
    package: str = ""


class Found(NamedTuple):
    """What is known of a run."""

    units: tuple[Why, ...] = ()
    is_told: bool = True
    """False: whether anything else was built, nobody said."""
