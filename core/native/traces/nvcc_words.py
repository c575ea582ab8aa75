"""Command lines of nvcc: its options that say what is made of what, and where it is written. Pure.

The front reads all of nvcc's options (`core/fronts/nvcc_args.rs`); this knows what names a call that no front told of,
and what has to differ where a call is made again. Source: nvcc 13.0, `--help`.
"""

import os.path
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from core.run.mask import MASK

_SOURCES = (".cu", ".c", ".cc", ".cpp", ".cxx", ".gpu", ".ptx", ".cubin")
_OBJECTS = (".o", ".obj", ".a", ".so", ".fatbin")
_KINDS = {
    "-c": "object", "--compile": "object", "-dc": "device-object", "--device-c": "device-object",
    "-dw": "device-object", "--device-w": "device-object", "-ptx": "ptx", "--ptx": "ptx",
    "-cubin": "cubin", "--cubin": "cubin", "-fatbin": "fatbin", "--fatbin": "fatbin",
    "-dlink": "link", "--device-link": "link", "-lib": "library", "--lib": "library",
    "-E": "preprocess", "--preprocess": "preprocess", "-M": "depend", "-MM": "depend",
    "--generate-dependencies": "depend", "--version": "query", "-V": "query", "--help": "query", "-h": "query",
    "--dryrun": "query", "-dryrun": "query", "--list-gpu-arch": "query", "--list-gpu-code": "query",
}  # fmt: skip
COMPILES = tuple(word for word, kind in _KINDS.items() if kind in ("object", "device-object", "ptx", "cubin", "fatbin"))
OUTPUT, FOLDER = ("-o", "--output-file"), ("-odir", "--output-directory")
DEPFILE = ("-MF", "--dependency-output")
KEEP_FOLDER = ("-keep-dir", "--keep-dir")
WRITES = (*OUTPUT, *DEPFILE, "--time", "-time")
"""Behind each stands a file that it writes."""
KEEPS = ("-keep", "--keep", "-save-temps", "--save-temps")
TRACES = ("-fdevice-time-trace", "--fdevice-time-trace")
_WITH_VALUE = frozenset((
    *OUTPUT, *FOLDER, "-MF", "-MT", "-MQ", "-I", "-D", "-U", "-L", "-l", "-x", "-t", "-std", "-include", "-isystem",
    "-ccbin", "-Xcompiler", "-Xptxas", "-Xlinker", "-Xcudafe", "-Xfatbin", "-Xnvlink", "-optf", "-idp", "-ddp",
))  # fmt: skip
_ARCHS = ("-arch", "--gpu-architecture", "-code", "--gpu-code", "-gencode", "--generate-code")
_ARCH = re.compile(r"(?:sm|compute|lto)_[0-9]{2,3}[af]?")
_MAX_ARCHS = 64


class NvccWords(NamedTuple):
    """What a call makes."""

    kind: str
    """As in `NvccStarted`."""
    sources: tuple[str, ...]
    """As given."""
    output: str
    """As given, else as nvcc names it; empty: not known."""
    archs: tuple[str, ...]


def read_words(words: Sequence[str]) -> NvccWords:
    """What the words of a call say, those behind the program's name."""
    sources, objects = tuple(_files(words, _SOURCES)), tuple(_files(words, _OBJECTS))
    said = [_KINDS[word] for word in words if word in _KINDS]
    is_question = "query" in said or not (sources or objects)
    kind = "query" if is_question else said[0] if said else "program"
    return NvccWords(kind, sources, _output(kind, sources, words), tuple(_archs(words)))


def _files(words: Sequence[str], endings: tuple[str, ...]) -> Iterator[str]:
    for before, word in pairwise(("", *words)):
        if before not in _WITH_VALUE and not word.startswith("-") and word.endswith(endings):
            yield word


def _output(kind: str, sources: Sequence[str], words: Sequence[str]) -> str:
    given = next(values(words, OUTPUT), "")
    ending = {"object": ".o", "device-object": ".o", "ptx": ".ptx", "cubin": ".cubin", "fatbin": ".fatbin"}.get(kind)
    if given or ending is None or len(sources) != 1:
        return given or ("a.out" if kind == "program" else "a_dlink.o" if kind == "link" else "")
    name = os.path.splitext(os.path.basename(sources[0]))[0] + ending
    return os.path.join(next(values(words, FOLDER), ""), name)


def _archs(words: Sequence[str]) -> Iterator[str]:
    """Those that code is made for; `arch=` of a `-gencode` says for which it is compiled."""
    found = dict.fromkeys(
        arch for value in values(words, _ARCHS) for arch in _ARCH.findall(value.rpartition("code=")[2])
    )
    real = [arch for arch in found if arch.startswith("sm_")]
    yield from (real or list(found))[:_MAX_ARCHS]


def values(words: Sequence[str], flags: tuple[str, ...], joined: tuple[str, ...] = ()) -> Iterator[str]:
    """Of `--flag value` and `--flag=value`, in order; of those of `joined` also `-Fvalue`."""
    for at, word in enumerate(words):
        name, is_given, value = word.partition("=")
        if is_given and name in flags:
            yield value
        elif word in flags:
            yield from words[at + 1 : at + 2]
        elif word.startswith(joined):
            yield next(word[len(flag) :] for flag in joined if word.startswith(flag)).removeprefix("=")


def without(words: Sequence[str], flags: Sequence[str]) -> list[str]:
    """Without options of these names and their values."""
    kept: list[str] = []
    is_value = False
    for word in words:
        if is_value:
            is_value = False
        elif word in flags:
            is_value = True
        elif "=" not in word or word.partition("=")[0] not in flags:
            kept.append(word)
    return kept


def is_repeatable(argv: Sequence[str]) -> bool:
    """The command line is whole: no word of it looked like a credential, and was not recorded."""
    return not any(MASK in word for word in argv)
