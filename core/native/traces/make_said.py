"""What make said that it made: CMake's words (`[ 50%] Building CXX object …`), and commands as make echoes them. Pure.

    make[1]: Entering directory '/w/build'
    [ 33%] Building CUDA object CMakeFiles/k.dir/k.cu.o
    [100%] Linking CXX static library libk.a
    nvcc -arch=sm_80 -c k.cu -o k.o
    make: Nothing to be done for 'all'.

Source: make 4.3, CMake 3.25 with its Makefiles.
"""

import os.path
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from core.parsers.text import strip_sgr_bytes

MAX_BYTES = 1 << 24
_MAX_LINE_BYTES = 1 << 16
_MOST = 5000
_MOST_COMMANDS = 50_000
"""Lines that may be one are taken apart: a second."""
_SOURCE_ENDS = (".cu", ".c", ".cc", ".cpp", ".cxx", ".c++", ".s", ".S", ".ptx")
_INPUT_ENDS = (*_SOURCE_ENDS, ".o", ".obj", ".a", ".so", ".cubin", ".fatbin", ".lo")
_OF_CMAKE = re.compile(
    rb"\[ *[0-9]{1,3}%\] (?:Building [\w+-]{1,20} object|Linking [\w+-]{1,20} "
    rb"(?:static library|shared library|shared module|executable|device code)) (.+?)\s*\Z"
)
_FOLDER = re.compile(rb"\S{0,100}?make(?:\[[0-9]{1,4}\])?: (Entering|Leaving) directory [`'](.+)'")
_NOTHING = re.compile(
    rb"\S{0,100}?make(?:\[[0-9]{1,4}\])?: (?:Nothing to be done for |[`'].+' is up to date\.)|ninja: no work to do\."
    rb"|\[100%\] Built target "
)
_TOOL = re.compile(r"(?:[\w.-]*-)?(?:nvcc|gcc|g\+\+|cc|c\+\+|clang|clang\+\+|hipcc|icpx|icx|ld|ar)(?:-[0-9.]{1,6})?\Z")
_COMMAND = re.compile(
    rb"(?:\A|[\s/;&-])(?:nvcc|gcc|g\+\+|cc|c\+\+|clang|clang\+\+|hipcc|icpx|icx|ld|ar)(?:-[0-9.]{1,6})?\s"
)
_WORD = re.compile(r"""(?:[^\s"'\\]+|"(?:\\.|[^"\\])*"|'[^']*'|\\.)+""")
_QUOTED = re.compile(r""""((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)""")
_ESCAPED = re.compile(r'\\(["\\$`])')
_LAUNCHERS = ("ccache", "sccache", "libtool", "env")
_OUTPUT_WORDS = ("-o", "--output-file")
_NO_OUTPUT = ("-odir", "-opt", "-obj", "-offload")
"""Begin other flags of nvcc and its like."""
_SIGNS = (b" -o", b" -c", b"ar ", b"--output-file")


class Made(NamedTuple):
    """Something that make said."""

    output: str
    """As it is called there."""
    folder: str
    """Where make was."""
    inputs: tuple[str, ...] = ()
    """Of a command: sources, objects and libraries, as they are called there; empty: not said."""
    folders: tuple[str, ...] = ()
    """Of a command: where it looks for headers."""


class Told(NamedTuple):
    """What a log tells."""

    made: tuple[Made, ...] = ()
    is_nothing: bool = False
    """Make or ninja said that something is as it should be, and of nothing that it made."""


def read_make(log: bytes, cwd: str) -> Told:
    """What was made, in order; `cwd`: where the first make was, unless it says otherwise."""
    made = tuple(one for _, one in said_at(log, cwd))
    is_nothing = not made and any(_NOTHING.match(_bare(line)) for line in log[:MAX_BYTES].split(b"\n"))
    return Told(made, is_nothing)


def said_at(log: bytes, cwd: str) -> Iterator[tuple[int, Made]]:
    """What was made, each with where its line ends in the log; a bounded number."""
    folders = [cwd]
    count = end = commands = 0
    for raw in log[:MAX_BYTES].split(b"\n"):
        end += len(raw) + 1
        line = _bare(raw)
        found: Iterable[Made] = ()
        if moved := _FOLDER.match(line):
            if moved[1] == b"Entering":
                folders.append(_text(moved[2]))
            elif len(folders) > 1:
                folders.pop()
        elif named := _OF_CMAKE.match(line):
            found = (Made(_text(named[1]), folders[-1]),)
        elif commands < _MOST_COMMANDS and any(sign in line for sign in _SIGNS) and _COMMAND.search(line):
            commands += 1
            found = _of_command(_text(line), folders[-1])
        for made in found:
            count += 1
            if count > _MOST:
                return
            yield end, made


def _bare(line: bytes) -> bytes:
    return strip_sgr_bytes(line[:_MAX_LINE_BYTES]).replace(b"\x1b[K", b"").rstrip()


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape").replace("\0", "")


def _of_command(line: str, folder: str) -> Iterator[Made]:
    """What a command line makes: compilers, linkers and archivers, each behind `&&` for itself."""
    command: list[str] = []
    for word in (*split_words(line), ";"):
        if word not in ("&&", ";"):
            command.append(word.rstrip(";"))
        else:
            if command[:1] == ["cd"] and len(command) == 2:
                folder = os.path.join(folder, command[1])
            yield from made_by(command, folder)
            command = []


def split_words(line: str) -> list[str]:
    """Words as a shell has them; a quote that is left open stands for nothing. Thirty times as fast as `shlex`."""
    if not any(char in line for char in "'\"\\"):
        return line.split()
    return [_QUOTED.sub(_unquoted, word[0]) for word in _WORD.finditer(line)]


def _unquoted(found: "re.Match[str]") -> str:
    if found[1] is not None:
        return _ESCAPED.sub(r"\1", found[1])
    return found[2] if found[2] is not None else found[3]


def made_by(words: Sequence[str], folder: str) -> Iterator[Made]:
    """What one command makes, where it is one of a compiler, linker or archiver."""
    at = next((at for at, word in enumerate(words) if not _is_before(word)), len(words))
    if at >= len(words) or not _TOOL.match(os.path.basename(words[at])):
        return
    given = words[at + 1 :]
    inputs = tuple(word for word in given if word.endswith(_INPUT_ENDS) and not word.startswith("-"))
    headers = tuple(_headers(given))
    name = os.path.basename(words[at])
    if name == "ar" or name.endswith("-ar"):
        names = [word for word in given if not word.startswith("-")]
        output = next((word for word in names if word.endswith((".a", ".lib"))), "")
        if output:
            yield Made(output, folder, tuple(word for word in inputs if word != output))
        return
    output = _output(given)
    if output:
        yield Made(output, folder, tuple(word for word in inputs if word != output), headers)
    elif "-c" in given or "-dc" in given or "--compile" in given:
        for source in inputs:
            if source.endswith(_SOURCE_ENDS):
                stem = os.path.basename(source).rpartition(".")[0]
                yield Made(stem + ".o", folder, (source,), headers)


def _is_before(word: str) -> bool:
    """It stands before the tool: a setting, a launcher."""
    name = os.path.basename(word)
    return name in _LAUNCHERS or bool(re.match(r"\w+=", word))


def _output(words: Sequence[str]) -> str:
    for at, word in enumerate(words):
        if word in _OUTPUT_WORDS:
            return words[at + 1] if at + 1 < len(words) else ""
        if word.startswith("-o") and len(word) > 2 and not word.startswith(_NO_OUTPUT):
            return word[2:].removeprefix("=")
        if word.startswith("--output-file="):
            return word.partition("=")[2]
    return ""


def _headers(words: Sequence[str]) -> Iterator[str]:
    for at, word in enumerate(words):
        if word in ("-I", "-isystem", "-iquote", "--include-path"):
            yield from words[at + 1 : at + 2]
        elif word.startswith("-I") or word.startswith("--include-path="):
            yield word.removeprefix("--include-path=").removeprefix("-I").removeprefix("=")
