"""What may make one call of nvcc shorter, as command lines: without anything, and with each lever. Pure.

Options as nvcc 13.0 takes them; a lever is only offered where it changes the command line.
"""

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from core.native.traces.nvcc_words import COMPILES, FOLDER, KEEP_FOLDER, KEEPS, OUTPUT, TRACES, WRITES, without

AS_IS = "as it is"
CONTROL = "as it is, again"
MOST_PARALLEL = 4
_PARALLEL = "as by CMAKE_BUILD_PARALLEL_LEVEL, ninja, or threads in a build script"
_ARCH_OPTIONS = (
    "-gencode", "--generate-code", "-arch", "--gpu-architecture", "-code", "--gpu-code",
)  # fmt: skip
_OUTPUTS = (*WRITES, *KEEP_FOLDER)
_OBJECTS = tuple(word for word in COMPILES if "ptx" not in word and "cubin" not in word)
_SM = re.compile(r"sm_(\d+)([af]?)")


class Lever(NamedTuple):
    """A way to call nvcc."""

    name: str
    """`one arch: sm_90`, `--threads=2`; AS_IS, CONTROL."""
    argv: tuple[str, ...]
    """After the program; outputs go where they went."""
    gives: str = ""
    """What is different in what it makes; empty: nothing."""
    more: tuple[tuple[str, ...], ...] = ()
    """Further calls that are made, for what several cost together."""
    jobs: int = 1
    """So many of all those calls at once."""


def levers_of(argv: Sequence[str], archs: Sequence[str], cores: int, arch: str = "") -> tuple[Lever, ...]:
    """The call as it is, twice (for the noise), then with each lever that is one here.

    Args:
        argv: As it was called, without the program.
        archs: What it makes code for, as the front noted them: `sm_80`, `compute_90`.
        cores: That may be used.
        arch: The GPU at hand, `sm_90`; empty: the newest that the call names.
    """
    words = tuple(argv)
    real = [one for one in dict.fromkeys(archs) if _SM.fullmatch(one)]
    one_arch = arch or max(real, key=_order, default="")
    found = [Lever(AS_IS, words), Lever(CONTROL, words)]
    if len(real) > 1 and one_arch:
        lean = _with_arch(words, one_arch)
        found.append(Lever(f"one arch: {one_arch}", lean, f"no code for {', '.join(a for a in real if a != one_arch)}"))
        if not _has(words, ("--threads", "-t")):
            found.append(Lever(f"--threads={min(cores, len(real))}", (*words, f"--threads={min(cores, len(real))}")))
    if not _has(words, ("--split-compile", "-split-compile")) and cores > 1:
        found.append(Lever(f"--split-compile={cores}", (*words, f"--split-compile={cores}")))
    if one_arch and any(word in _OBJECTS for word in words):
        cubin = tuple("-cubin" if word in _OBJECTS else word for word in _with_arch(words, one_arch))
        found.append(Lever(f"-cubin, {one_arch}", cubin, "registers and spills alone: nothing to link"))
    found += _debug_levers(words)
    return tuple(one for one in found if one.name in (AS_IS, CONTROL) or one.argv != words)


def parallel_levers(calls: Sequence[Sequence[str]], cores: int) -> tuple[Lever, ...]:
    """Several calls of a build one after another, twice, then as many at once as there are cores; none where that is
    all the same."""
    several = tuple(map(tuple, calls))[:MOST_PARALLEL]
    if len(several) < 2 or cores < 2:
        return ()
    first, *rest = several
    jobs = min(cores, len(several))
    told = f"{len(several)} calls"
    return (
        Lever(f"{told}, one after another", first, more=tuple(rest)),
        Lever(f"{told}, one after another, again", first, more=tuple(rest)),
        Lever(f"{told}, {jobs} at once", first, _PARALLEL, tuple(rest), jobs),
    )


def _debug_levers(words: tuple[str, ...]) -> list[Lever]:
    found = []
    for names, gives in (
        (("-G", "--device-debug"), "optimized kernels, which a debugger cannot step through"),
        (("-lineinfo", "--generate-line-info"), "profilers show no lines"),
        (("-g", "--debug"), "no debug information of the host's code"),
    ):
        if any(word in names for word in words):
            found.append(Lever(f"without {names[0]}", tuple(word for word in words if word not in names), gives))
    return found


def _order(arch: str) -> tuple[int, str]:
    match = _SM.fullmatch(arch)
    return (int(match[1]), match[2]) if match else (0, "")


def _with_arch(words: Sequence[str], arch: str) -> tuple[str, ...]:
    return (*without(words, _ARCH_OPTIONS), f"-arch={arch}")


def _has(words: Sequence[str], names: Sequence[str]) -> bool:
    return any(word in names or word.partition("=")[0] in names for word in words)


def redirected(argv: Sequence[str], folder: str) -> tuple[str, ...]:
    """The same call, which writes below a folder and nowhere else; its own name stays that of each output."""
    words = without(argv, TRACES)
    found: list[str] = []
    has_output = False
    at = 0
    while at < len(words):
        word, value = words[at], words[at + 1] if at + 1 < len(words) else ""
        name, equals, joined = word.partition("=")
        if word in (*_OUTPUTS, *FOLDER):
            has_output |= word in (*OUTPUT, *FOLDER)
            found += [word, _place(word, value, folder)]
            at += 1
        elif equals and name in (*_OUTPUTS, *FOLDER):
            has_output |= name in (*OUTPUT, *FOLDER)
            found.append(f"{name}={_place(name, joined, folder)}")
        elif word not in KEEPS:
            found.append(word)
        at += 1
    return tuple(found if has_output else [*found, "-odir", folder])


def _place(option: str, value: str, folder: str) -> str:
    return folder if option in FOLDER or "keep-dir" in option else f"{folder}/{os.path.basename(value) or 'out'}"
