"""What a process of a build is there for, from its name and command line."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from core.watch.link_words import output_of
from core.watch.procs import Unit, is_build_script, is_compiler_or_script, package_of, unit_of

Role = Literal[
    "cargo", "rustc", "rustdoc", "build script", "cc", "linker", "cmake", "ninja", "make", "nvcc", "test", "cache",
    "program",
]  # fmt: skip
_BY_NAME: dict[str, Role] = {
    "cargo": "cargo", "rustc": "rustc", "clippy-driver": "rustc", "rustdoc": "rustdoc",
    **dict.fromkeys(("cc", "c++", "gcc", "g++", "clang", "clang++", "cc1", "cc1plus", "as", "cpp", "ar"), "cc"),
    **dict.fromkeys(
        ("ld", "ld.bfd", "ld.gold", "ld.lld", "lld", "rust-lld", "ld.mold", "mold", "wild", "collect2", "lto1",
         "lto-wrapper", "gold", "ld64.lld"), "linker"),
    **dict.fromkeys(("cmake", "ctest", "cpack"), "cmake"),
    "ninja": "ninja", "make": "make", "gmake": "make",
    **dict.fromkeys(("nvcc", "cicc", "ptxas", "cudafe++", "fatbinary", "nvlink", "bin2c", "tileiras"), "nvcc"),
    **dict.fromkeys(("sccache", "ccache", "zccache", "kache", "mbx", "cachepot"), "cache"),
}  # fmt: skip
_TEST_BINARY = re.compile(rb"/deps/[^/]+-[0-9a-f]{16}(?:\.exe)?\Z|/build/[^/]+/[0-9a-f]{16}/out/[^/]+\Z")
_VERSIONED = re.compile(r"(?:.*-)?(gcc|g\+\+|clang|clang\+\+|ld|ar|as)(?:[.-][0-9][0-9.]*|\.(?:bfd|gold|lld|mold))?\Z")


class Part(NamedTuple):
    """What one process does in a build."""

    role: Role
    detail: str
    """The unit of a compiler, build script or test (`serde`, `app(bin)`), else the file that is worked on, or empty."""
    unit: Unit | None = None
    out_dir: bytes = b""
    """Where a compiler writes to; empty: not said."""


def part_of(name: str, words: Sequence[bytes], environ: bytes = b"") -> Part:
    """What a process does.

    Args:
        name: Its executable's, or the kernel's fifteen letters of it.
        words: Its command line.
        environ: Of it only the package that cargo builds is looked at.
    """
    program = words[0].rpartition(b"/")[2].decode("utf-8", "replace") if words else name
    role = _role(program) or _role(name)
    if role is None and words and _TEST_BINARY.search(words[0]):
        role = "test"
    if is_compiler_or_script(words):
        unit = unit_of(words, package_of(environ))
        out_dir = _word_after(words, b"--out-dir")
        return Part(role or "program", unit.name if unit else "", unit, out_dir)
    if role == "test":
        return Part("test", re.sub(r"-[0-9a-f]{16}\Z", "", program))
    if role in ("linker", "cc", "nvcc"):
        output = _word_after(words, b"-o") if role == "nvcc" else output_of(words)  # nvcc has `-odir`
        return Part(role, output.rpartition(b"/")[2].decode("utf-8", "replace"))
    return Part(role or "program", "" if role else program)


def _role(name: str) -> Role | None:
    if is_build_script(name.encode("utf-8", "replace")):
        return "build script"
    found = _BY_NAME.get(name)
    if found is None and (versioned := _VERSIONED.match(name)):
        found = "linker" if versioned[1] == "ld" else "cc"
    return found


def _word_after(words: Sequence[bytes], flag: bytes) -> bytes:
    return next((words[at + 1] for at, word in enumerate(words[:-1]) if word == flag), b"")
