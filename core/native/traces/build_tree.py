"""What a folder that compilers, make, ninja and CMake write to says of the files that they read."""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from core.folder import absolute
from core.native.traces.cmake_api import REPLY, Reply, read_reply
from core.native.traces.cmake_inputs import cmake_inputs, make_inputs
from core.native.traces.depfile import MAX_BYTES, read_depfile
from core.native.traces.ninja_deps import read_ninja_deps
from core.plan.small_file import read_head

_MOST_ENTRIES = 20_000
"""Of a tree; what lies beyond is not looked at."""
_MAX_DEPTH = 16
_MARKS = ("build.ninja", "CMakeCache.txt", "Makefile")


def read(path: str) -> bytes:
    """A file's content, of a long one its beginning; empty where it is none, or cannot be read."""
    return read_head(path, MAX_BYTES) or b""


def prerequisites(path: str) -> tuple[str, ...]:
    """What the targets of all rules in a depfile depend on, each once; empty where it is none."""
    return tuple(dict.fromkeys(one for rule in read_depfile(read(path)) for one in rule.inputs))


class Told(NamedTuple):
    """A rule of a depfile, with absolute inputs."""

    targets: tuple[str, ...]
    """As they stand there."""
    inputs: tuple[str, ...]
    base: str
    """Where relative names of it start."""


def told_in(path: str, bases: Sequence[str]) -> Iterator[Told]:
    """Rules of a depfile. `bases`: where relative names may start; the first from which an input is there counts."""
    for rule in read_depfile(read(path)):
        base = next((one for one in bases if os.path.exists(absolute(rule.inputs[0], one))), bases[0])
        yield Told(rule.targets, tuple(dict.fromkeys(absolute(one, base) for one in rule.inputs)), base)


def all_files(folder: str) -> Iterator[str]:
    """Files below a folder, links to folders not followed; a bounded number."""
    waiting = [(folder, 0)]
    seen = 0
    while waiting:
        place, depth = waiting.pop()
        try:
            entries = list(os.scandir(place))
        except (OSError, ValueError):
            continue
        for entry in entries:
            seen += 1
            if seen > _MOST_ENTRIES:
                return
            try:
                if entry.is_dir(follow_symlinks=False):
                    if depth < _MAX_DEPTH:
                        waiting.append((entry.path, depth + 1))
                else:
                    yield entry.path
            except OSError:
                continue


class Read(NamedTuple):
    """What was read to make what lies below a folder."""

    files: frozenset[str]
    cmake_files: frozenset[str]
    """Those of them that CMake read."""


def inputs_in(folder: str, *, is_apart: bool = True) -> frozenset[str]:
    """What was read to make what lies below a folder.

    `is_apart`: what lies below it was made, and is left out; else sources lie among it.
    """
    return read_in(folder, is_apart=is_apart).files


def read_in(folder: str, *, is_apart: bool = True) -> Read:
    """The same, with what CMake read apart. Where CMake told that itself, that counts, with sources of targets of which
    something was compiled, and without its nvcc's own headers."""
    found: set[str] = set()
    by_tree: dict[str, set[str]] = {}
    replies: set[str] = set()
    for path in all_files(folder):
        place, name = os.path.split(path)
        if name.endswith(".d"):
            found |= _absolute(prerequisites(path), *_bases(place, folder))
        elif name == ".ninja_deps":
            found |= _absolute((one for some in read_ninja_deps(read(path)).values() for one in some), place)
        elif name == "build.ninja":
            by_tree[place] = _absolute(cmake_inputs(read(path)), place)
        elif name == "Makefile.cmake":
            tree = os.path.dirname(place)
            by_tree[tree] = _absolute(make_inputs(read(path)), tree)
        elif place.endswith("/" + REPLY) and name.startswith("index-"):
            replies.add(place.removesuffix("/" + REPLY))
    toolkits: list[str] = []
    for tree in replies:
        if (reply := read_reply(tree)) is not None:
            by_tree[tree] = set(reply.inputs) or by_tree.get(tree, set())
            found |= set(_sources_of(reply))
            toolkits += [os.path.dirname(os.path.dirname(reply.nvcc)) + "/"] if reply.nvcc.count("/") > 2 else []
    cmake = frozenset().union(*by_tree.values())
    left_out = (*toolkits, f"{folder}/") if is_apart else tuple(toolkits)
    files = frozenset(path for path in found | cmake if not path.startswith(left_out))
    return Read(files, cmake & files)


def _sources_of(reply: Reply) -> Iterator[str]:
    """Of targets that were compiled at least in part: others may be for nobody."""
    for target in reply.targets:
        if any(os.path.exists(one) for source in target.sources for one in target.objects_of(source)):
            yield from (source.path for source in target.sources)


def _bases(place: str, folder: str) -> tuple[str, ...]:
    """Where relative names of a depfile may start: where make was, that is at some folder above."""
    found: list[str] = []
    while place.startswith(folder) and len(found) < _MAX_DEPTH:
        found.append(place)
        place = os.path.dirname(place)
    return tuple(found)


def _absolute(names: Sequence[str] | Iterator[str], *bases: str) -> set[str]:
    found = set()
    for name in names:
        if name.startswith("/"):
            found.add(os.path.normpath(name))
            continue
        paths = [os.path.normpath(os.path.join(base, name)) for base in bases]
        found.add(next((path for path in paths if os.path.exists(path)), paths[0]))
    return found


def trees_of(words: Sequence[str], cwd: str) -> tuple[str, ...]:
    """Build trees that a command names (`ninja -C out`, `cmake --build out`, `make -C out`), and the folder that it
    runs in where that is one."""
    named = [word[2:] for word in words if word.startswith(("-C", "-B")) and len(word) > 2]
    for flag in ("-C", "-B", "--build", "--directory"):
        named += [words[at + 1] for at, word in enumerate(words[:-1]) if word == flag]
    named += [word.partition("=")[2] for word in words if word.startswith("--directory=")]
    folders = dict.fromkeys(os.path.normpath(os.path.join(cwd, name)) for name in (*named, "."))
    return tuple(folder for folder in folders if any(os.path.isfile(f"{folder}/{mark}") for mark in _MARKS))
