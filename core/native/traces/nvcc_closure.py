"""What a call of nvcc was made from: as the front noted it, else by its depfile, else by the text of its sources."""

import os
from collections.abc import Iterable, Sequence

from core.native.traces import includes
from core.native.traces.build_tree import prerequisites
from core.native.traces.nvcc_calls import NvccCall
from core.native.traces.nvcc_words import DEPFILE, values

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
    if name := next(values(call.argv, DEPFILE), ""):
        return os.path.join(call.cwd, name)
    if any(word in _WRITES_DEPFILE for word in call.argv) and call.output:
        return os.path.splitext(call.output)[0] + ".d"
    return ""


def include_folders(argv: Sequence[str], cwd: str) -> tuple[str, ...]:
    """Folders that a command line of nvcc names for headers: `-I x`, `-Ix`, `-isystem x`, `--include-path=x,y`."""
    found = values(argv, ("-I", "--include-path", "-isystem", "--system-include"), joined=("-I",))
    return _absolute((folder for value in found for folder in value.split(",") if folder), cwd)
