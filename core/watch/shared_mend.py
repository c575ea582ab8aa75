"""What keeps two checkouts from sharing a target dir, in exact lines."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from core.run.config_files import config_files
from core.values import dataclass
from core.watch.shared_target import Proof, prove

_KEYS = ("target-dir", "build-dir")
_VARIABLES = ("CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_BUILD_BUILD_DIR")


@dataclass(frozen=True, slots=True)
class Setting:
    """A line of a config file of cargo's that names the dir."""

    file: str
    line: int
    """From 1."""
    text: str


class Proven(NamedTuple):
    """What was read in a shared dir."""

    proof: Proof
    mends: tuple[str, ...]


def examine(path: str, checkouts: Sequence[str]) -> Proven:
    """Read a dir that these checkouts share, and what makes them share it. A large dir takes a second."""
    proof = prove(path, checkouts)
    settings = settings_of(path, checkouts, os.environ, os.path.expanduser("~"))
    return Proven(proof, mends(proof, settings, os.environ))


def settings_of(path: str, checkouts: Sequence[str], env: Mapping[str, str], home: str) -> tuple[Setting, ...]:
    """Lines that make these checkouts use that dir, each once."""
    found: dict[tuple[str, int], Setting] = {}
    for checkout in checkouts:
        for file in config_files(checkout, dict(env), home):
            for setting in _lines(file, path):
                found[file, setting.line] = setting
    return tuple(found.values())


def _lines(file: str, path: str) -> Iterator[Setting]:
    try:
        with open(file, encoding="utf-8", errors="replace") as content:
            lines = content.read(1 << 20).split("\n")
    except OSError:
        return
    base = os.path.dirname(os.path.dirname(file))
    for number, line in enumerate(lines, 1):
        key, equals, value = line.partition("=")
        named = value.split("#")[0].strip().strip("\"'")
        if equals and key.strip().rpartition(".")[2] in _KEYS and os.path.normpath(os.path.join(base, named)) == path:
            yield Setting(file, number, line.strip())


def mends(proof: Proof, settings: Sequence[Setting], env: Mapping[str, str]) -> tuple[str, ...]:
    """Sentences with what to type, the lasting ones first."""
    said = [f"Remove line {one.line} of {one.file}: {one.text}" for one in settings]
    set_here = [name for name in _VARIABLES if env.get(name) and os.path.normpath(env[name]) == proof.path]
    said += [f"Unset {name} where builds are started; here: unset {name}" for name in set_here]
    if not said:
        said.append(
            "No config file names this dir, so CARGO_TARGET_DIR or --target-dir does, where these builds are started:"
            " leave it out there."
        )
    own = "; ".join(f"cd {one} && cargo build --target-dir target" for one in proof.checkouts)
    said.append(f"Or give each checkout its own: {own}")
    stale = sorted(
        f"{judged.checkout}/{name}"
        for made in proof.made
        for judged in made.judged
        if judged.verdict in ("wrong", "either")
        for name in judged.differs
    )
    if stale:
        said.append(f"To build what is meant once: touch {' '.join(dict.fromkeys(stale))}")
    return tuple(said)
