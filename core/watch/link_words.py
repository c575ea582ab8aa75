"""What a command line links, read as the front before `cc` reads it (`core/fronts/front.rs`)."""

import os
from collections.abc import Callable, Iterator, Sequence

from core.values import dataclass

_NO_LINK = frozenset(
    (b"-c", b"-S", b"-E", b"-M", b"-MM", b"-fsyntax-only", b"--version", b"-###", b"--help", b"--target-help",
     b"-dumpversion", b"-dumpfullversion", b"-dumpmachine", b"-dumpspecs", b"--compile", b"--assemble", b"--preprocess",
     b"-cc1", b"-cc1as")
)  # fmt: skip
"""`-v` is none of them: it links whatever it is given, and talks about it."""
_NO_LINK_STARTS = (b"-print-", b"--print-", b"--help=")
_TAKES_WORD = frozenset(
    (b"-z", b"-m", b"-L", b"-l", b"-rpath", b"-soname", b"-plugin", b"-dynamic-linker", b"-T", b"-e", b"-u",
     b"-Xlinker", b"-Xassembler", b"-Xpreprocessor", b"-Xclang", b"-I", b"-D", b"-U", b"-A", b"-include", b"-imacros",
     b"-isystem", b"-isysroot", b"-iquote", b"-idirafter", b"-MF", b"-MT", b"-MQ", b"--param", b"-target", b"-arch",
     b"-framework", b"-dumpbase", b"-dumpdir")
)  # fmt: skip
"""Options whose next word is no input."""
_INPUT_ENDS = (
    b".o", b".a", b".rlib", b".so", b".c", b".cc", b".cpp", b".cxx", b".c++", b".cp", b".C", b".i", b".ii", b".m",
    b".mm", b".s", b".S", b".lo", b".bc", b".ll",
)  # fmt: skip
_MAX_DEPTH = 8

ReadFile = Callable[[bytes], bytes]
"""Content of an `@file`; empty: it cannot be read."""
SizeOf = Callable[[bytes], int]
"""Bytes of an input; 0: it is not there."""


@dataclass(frozen=False, eq=False, slots=True)
class LinkWords:
    """A link, as its command line says it."""

    output: bytes = b"a.out"
    """As it stands there, else what linkers call it unless they are told."""
    inputs: int = 0
    input_bytes: int = 0
    fuse: str | None = None
    """What follows `-fuse-ld=` or `--ld-path=`."""
    is_rust_lld: bool = False
    """rustc's own lld: it gives gcc a folder of that name to look in."""
    is_language_named: bool = False
    """All files from here on are in a language that was named, whatever they are called."""


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
        if word.startswith(b"@"):
            inner = split_response(read_file(word[1:])) if depth < _MAX_DEPTH else []
            if not _read(iter(inner), link, read_file, size_of, depth + 1):
                return False
        elif (output := _value(word, words, b"-o", b"--output")) is not None:
            link.output = output
        elif (language := _value(word, words, b"-x", b"--language")) is not None:
            if language.endswith(b"-header"):
                return False
            link.is_language_named = language != b"none"
        elif (folder := _value(word, words, b"-B", b"--prefix")) is not None:
            link.is_rust_lld |= folder.rstrip(b"/").endswith(b"gcc-ld")
        elif word in _TAKES_WORD:
            next(words, b"")
        elif word.startswith((b"-fuse-ld=", b"--ld-path=")):
            link.fuse = word.partition(b"=")[2].decode("utf-8", "replace")
        elif word == b"-" or (not word.startswith(b"-") and (link.is_language_named or is_input(word))):
            link.inputs += 1
            link.input_bytes += size_of(word)
    return True


def _value(word: bytes, rest: Iterator[bytes], short: bytes, long: bytes) -> bytes | None:
    """What an option was given: `-o FILE`, `-oFILE`, `--output FILE`, `--output=FILE`; None: it is not that option."""
    if word in (short, long):
        return next(rest, b"")
    if word.startswith(long + b"="):
        return word[len(long) + 1 :]
    return word[len(short) :] if word.startswith(short) else None


def output_of(words: Sequence[bytes]) -> bytes:
    """The file that a compiler or linker is told to write; empty: none."""
    rest = iter(words)
    return next((value for word in rest if (value := _value(word, rest, b"-o", b"--output")) is not None), b"")


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
