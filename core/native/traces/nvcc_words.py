"""What a command line of nvcc asks for, as far as it takes to name a call that no front told of. Pure.

The front reads all of nvcc's options (`core/fronts/nvcc_args.rs`); this knows those that say what is made of what.
"""

import os.path
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

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
_OUTPUT, _FOLDER = ("-o", "--output-file"), ("-odir", "--output-directory")
_WITH_VALUE = frozenset((
    *_OUTPUT, *_FOLDER, "-MF", "-MT", "-MQ", "-I", "-D", "-U", "-L", "-l", "-x", "-t", "-std", "-include", "-isystem",
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
    given = next(_values(words, _OUTPUT), "")
    ending = {"object": ".o", "device-object": ".o", "ptx": ".ptx", "cubin": ".cubin", "fatbin": ".fatbin"}.get(kind)
    if given or ending is None or len(sources) != 1:
        return given or ("a.out" if kind == "program" else "a_dlink.o" if kind == "link" else "")
    name = os.path.splitext(os.path.basename(sources[0]))[0] + ending
    return os.path.join(next(_values(words, _FOLDER), ""), name)


def _archs(words: Sequence[str]) -> Iterator[str]:
    """Those that code is made for; `arch=` of a `-gencode` says for which it is compiled."""
    found = dict.fromkeys(
        arch for value in _values(words, _ARCHS) for arch in _ARCH.findall(value.rpartition("code=")[2])
    )
    real = [arch for arch in found if arch.startswith("sm_")]
    yield from (real or list(found))[:_MAX_ARCHS]


def _values(words: Sequence[str], flags: tuple[str, ...]) -> Iterator[str]:
    """Of `--flag value` and `--flag=value`."""
    for at, word in enumerate(words):
        name, is_given, value = word.partition("=")
        if is_given and name in flags:
            yield value
        elif word in flags:
            yield from words[at + 1 : at + 2]
