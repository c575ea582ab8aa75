"""What a call of nvcc was made from: as the front noted it, else by its depfile, else by the text of its sources."""

import os
from collections.abc import Iterable, Sequence

from core.native.traces import includes
from core.native.traces.build_tree import prerequisites
from core.native.traces.nvcc_calls import NvccCall

_WRITES_DEPFILE = (
    "-MD", "-MMD", "--generate-dependencies-with-compile", "--generate-nonsystem-dependencies-with-compile",
)  # fmt: skip
"""Without a name for it, it lies beside the output."""


def closure_of(call: NvccCall) -> tuple[str, ...]:
    """Absolute paths, the sources first; by text it is a little more, and without what is nowhere to be found."""
    if call.inputs:
        return _absolute((*call.sources, *call.inputs), call.cwd)
    depfile = depfile_of(call)
    if depfile:
        found = prerequisites(depfile)
        if found:
            return _absolute((*call.sources, *found), call.cwd)
    folders = include_folders(call.argv, call.cwd)
    return tuple(dict.fromkeys(path for source in call.sources for path in includes.closure(source, folders)))


def _absolute(paths: Iterable[str], cwd: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(os.path.normpath(os.path.join(cwd, path)) for path in paths))


def depfile_of(call: NvccCall) -> str:
    """Where the caller has its depfile written; empty: it asked for none, or it is not said where."""
    words = call.argv
    for name in ("-MF", "--dependency-output"):
        for at, word in enumerate(words):
            if word == name and at + 1 < len(words):
                return os.path.join(call.cwd, words[at + 1])
            if word.startswith(name + "="):
                return os.path.join(call.cwd, word[len(name) + 1 :])
    if any(word in _WRITES_DEPFILE for word in words) and call.output:
        return os.path.splitext(call.output)[0] + ".d"
    return ""


def include_folders(argv: Sequence[str], cwd: str) -> tuple[str, ...]:
    """Folders that a command line of nvcc names for headers: `-I x`, `-Ix`, `-isystem x`, `--include-path=x,y`."""
    found: list[str] = []
    names = ("-I", "--include-path", "-isystem", "--system-include")
    for at, word in enumerate(argv):
        if word in names and at + 1 < len(argv):
            found += argv[at + 1].split(",")
        elif word.startswith("-I") and word != "-I":
            found += word[2:].removeprefix("=").split(",")
        elif word.startswith(tuple(name + "=" for name in names[1:])):
            found += word.partition("=")[2].split(",")
    return _absolute((folder for folder in found if folder), cwd)
