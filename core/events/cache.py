"""What a compiler cache did for a run, one compilation at a time."""

from typing import Literal

from core.events.base import Event
from core.values import dataclass

CacheOutcome = Literal["hit", "missed", "not cacheable", "error"]


@dataclass(frozen=True, slots=True)
class CacheLookedUp(Event):
    """A compilation went through a cache. Cargo's questions to the compiler (`-vV`, `--print`) are none."""

    cache: str
    """`sccache`, `zccache`, `kache`, `mbx`."""
    unit: str
    """As in cargo's progress line; of C, C++ and CUDA the file that is made."""
    language: str
    """`Rust`, `C/C++`, `CUDA`, `PTX`, `CUBIN`, `CUDA (Device code)`; `Build script`: not compiled, but run; `Probe`:
    what a build script tried of the compiler, no unit of cargo's."""
    outcome: CacheOutcome
    key: str
    """Empty: it has none, or that is not said."""
    source_agent: str
    """Of a hit: whose compilation filled the entry, the run's own agent included; empty: not known."""
    reason: str
    """Of what is no hit, a word or two that many have in common: `first time`, `source`, `flags`, `environment`,
    `dependency`, `folder`, `compiler`, `evicted`, `recache`, `not known`; of `not cacheable`: `crate-type`,
    `incremental`, …; of `error`: `timeout`, `read`, `write`, `compile failed`, `server`."""
    detail: str
    """Which input differs, or what else is known: `CARGO_PKG_VERSION: 1.2.0, was 1.1.0`. Sanitised."""
    elapsed_s: float | None
    """What the look-up and, where it came to that, the compilation took."""
    saved_s: float | None
    """Of a hit: what compiling took when the entry was made; None: not known."""
    size_bytes: int | None
    """Of the entry; None: not known."""


@dataclass(frozen=True, slots=True)
class CacheUncounted(Event):
    """What a cache did for the run cannot be told, or not all of it: then no figure of it is shown."""

    cache: str
    why: str
    """A sentence without its full stop. Sanitised."""
