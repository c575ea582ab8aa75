"""What rustc was asked to compile through a cache, as the front before it notes: `runs/<run>/fronts/cache.jsonl`.

A line a call: `{"call": ID, "at", "cwd", "direct", "probe", "argv": [rustc, …], "env": {"CARGO…": value}}`. `direct`:
the server was gone; `probe`: a build script tries the compiler; the value of a variable named like a secret is null.
"""

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from core.note_tail import NoteTail
from core.watch import procs

PROBE = "Probe"
"""Language of what build scripts try: no units, but the server counts them."""


class CallKey(NamedTuple):
    """What tells a compilation from all others of its time."""

    crate: str
    extra: str
    """`-C extra-filename`."""
    out_dir: str


class Call(NamedTuple):
    """A compilation that was asked for."""

    at: float
    """Seconds since the epoch."""
    unit: str
    """As in cargo's progress line."""
    key: CallKey
    cwd: str
    argv: tuple[str, ...]
    """After the compiler's name."""
    env: Mapping[str, str | None]
    is_direct: bool
    """The cache server was gone: rustc ran without it."""
    compiler: str = ""
    """As it was called."""
    is_probe: bool = False
    """A build script tries what the compiler can do: no unit of cargo's, but a cache counts it."""

    @property
    def dep_info(self) -> str:
        """Where rustc writes what it read."""
        return f"{self.key.out_dir}/{self.key.crate}{self.key.extra}.d"


class CallNotes:
    """Follows the notes of one run."""

    def __init__(self, path: str, *, has_probes: bool = False) -> None:
        """`has_probes`: what build scripts try is given too."""
        self._tail = NoteTail(path)
        self._has_probes = has_probes

    def poll(self) -> list[Call]:
        """Calls since the last time; a line that is no note of ours is passed over."""
        found = (call for line in self._tail.poll() if (call := parse_call(line)) is not None)
        return [call for call in found if self._has_probes or not call.is_probe]


def parse_call(line: bytes) -> Call | None:
    """A note; None: it is none."""
    try:
        note = json.loads(line)
        words = tuple(str(word) for word in note["argv"])
        env = {str(name): None if value is None else str(value) for name, value in note["env"].items()}
        is_probe = bool(note.get("probe"))
        unit = f"{env.get('CARGO_PKG_NAME') or '?'}(probe)" if is_probe else unit_name(words, env)
        return Call(
            float(note["at"]), unit, key_of(words), str(note["cwd"]), _after_compiler(words), env,
            bool(note["direct"]), words[0], is_probe,
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return None


def _after_compiler(words: tuple[str, ...]) -> tuple[str, ...]:
    """Of `clippy-driver /path/rustc --crate-name …` too."""
    at = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    return words[at:]


def unit_name(words: tuple[str, ...], env: Mapping[str, str | None]) -> str:
    """The unit of a compiler's command line, in the form of cargo's progress line; empty: not known."""
    unit = procs.unit_of([b"rustc", *(word.encode() for word in words)], {k: v for k, v in env.items() if v})
    return unit.name if unit is not None else ""


def key_of(words: tuple[str, ...]) -> CallKey:
    """What tells this compilation apart."""
    crate = extra = out_dir = ""
    for word, following in pairwise((*words, "")):
        name, has_value, value = word.partition("=")
        if name == "--crate-name":
            crate = value if has_value else following
        elif name == "--out-dir":
            out_dir = value if has_value else following
        elif word == "-C" and following.startswith("extra-filename="):
            extra = following.removeprefix("extra-filename=")
    return CallKey(crate, extra, out_dir)
