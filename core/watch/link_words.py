"""What a command line links, read as the front before `cc` reads it (`core/fronts/front.rs`)."""

import os
from collections.abc import Callable, Iterator, Sequence

from core.values import dataclass

_NO_LINK = frozenset(
    (b"-c", b"-S", b"-E", b"-M", b"-MM", b"-fsyntax-only", b"--version", b"-v", b"-V", b"-###", b"--help",
     b"-dumpversion", b"-dumpmachine")
)  # fmt: skip
_NO_LINK_STARTS = (b"-print-", b"--print-", b"-dump")
_TAKES_WORD = frozenset((b"-z", b"-m", b"-L", b"-l", b"-rpath", b"-soname", b"-plugin", b"-dynamic-linker", b"-T"))
"""Options whose next word is no input."""
_INPUT_ENDS = (b".o", b".a", b".rlib", b".so", b".c", b".cc", b".cpp", b".cxx", b".s", b".S")
_MAX_DEPTH = 8

ReadFile = Callable[[bytes], bytes]
"""Content of an `@file`; empty: it cannot be read."""
SizeOf = Callable[[bytes], int]
"""Bytes of an input; 0: it is not there."""


@dataclass(frozen=False, eq=False, slots=True)
class LinkWords:
    """A link, as its command line says it."""

    output: bytes = b""
    """As it stands there; empty: not said."""
    inputs: int = 0
    input_bytes: int = 0
    fuse: str | None = None
    """What follows `-fuse-ld=` or `--ld-path=`."""
    is_rust_lld: bool = False
    """rustc's own lld: it gives gcc a folder of that name to look in."""


def read_link(words: Sequence[bytes], read_file: ReadFile, size_of: SizeOf) -> LinkWords | None:
    """What the words after the program's name link; None: nothing."""
    link = LinkWords()
    if not _read(iter(words), link, read_file, size_of, 0) or not link.inputs:
        return None
    return link


def _read(words: Iterator[bytes], link: LinkWords, read_file: ReadFile, size_of: SizeOf, depth: int) -> bool:
    """Take words over; False: this is no link."""
    for word in words:
        if word in _NO_LINK or word.startswith(_NO_LINK_STARTS):
            return False
        if word in (b"-o", b"--output"):
            link.output = next(words, b"")
        elif word in _TAKES_WORD:
            next(words, b"")
        elif word.startswith(b"@"):
            inner = split_response(read_file(word[1:])) if depth < _MAX_DEPTH else []
            if not _read(iter(inner), link, read_file, size_of, depth + 1):
                return False
        elif word.startswith((b"-fuse-ld=", b"--ld-path=")):
            link.fuse = word.partition(b"=")[2].decode("utf-8", "replace")
        elif word.startswith(b"-B") and word.rstrip(b"/").endswith(b"gcc-ld"):
            link.is_rust_lld = True
        elif not word.startswith(b"-") and is_input(word):
            link.inputs += 1
            link.input_bytes += size_of(word)
    return True


def is_input(word: bytes) -> bool:
    """A file that is linked, by its name."""
    name = word.rpartition(b"/")[2]
    return name.endswith(_INPUT_ENDS) or b".so." in name


def split_response(content: bytes) -> list[bytes]:
    """Words of an `@file`: separated by white space, `\\` and quotes as gcc reads them."""
    words: list[bytes] = []
    word: bytearray | None = None
    quote = 0
    signs = iter(content)
    for sign in signs:
        if sign == 0x5C:
            word = word if word is not None else bytearray()
            word += bytes(filter(None, (next(signs, 0),)))
        elif sign in b"\"'" and not quote:
            quote, word = sign, word if word is not None else bytearray()
        elif sign == quote:
            quote = 0
        elif not quote and sign in b" \t\r\n\f\v":
            if word is not None:
                words.append(bytes(word))
            word = None
        else:
            word = word if word is not None else bytearray()
            word.append(sign)
    return [*words, bytes(word)] if word is not None else words


def reader_in(cwd: bytes) -> tuple[ReadFile, SizeOf]:
    """Reads files that are named relative to a folder."""

    def read_file(name: bytes) -> bytes:
        try:
            with open(os.path.join(cwd, name), "rb") as file:
                return file.read(1 << 24)
        except OSError:
            return b""

    def size_of(name: bytes) -> int:
        try:
            return os.stat(os.path.join(cwd, name)).st_size
        except OSError:
            return 0

    return read_file, size_of
