"""What lies in a build tree of make, from what it was made, and why it was made again: by depfiles, what CMake wrote
for its Makefiles, and times of files."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from core.folder import absolute
from core.native.staleness.closure import LIBRARY_ENDS, OBJECT_ENDS, SOURCE_ENDS
from core.native.staleness.stale import tail_of, times
from core.native.traces import includes
from core.native.traces.build_tree import all_files, told_in
from core.native.traces.cmake_api import REPLY, read_reply
from core.native.traces.make_said import Made, made_by, split_words
from core.plan.small_file import read_small

_MAX_DEPTH = 16
_MAX_LINK = 1 << 20
_CMAKES = "/CMakeFiles/"
_MOST_SCANNED = 300
"""Commands without a depfile whose sources are read."""
_TRIES = ("/CMakeFiles/CMakeTmp/", "/CMakeFiles/CMakeScratch/", "/CompilerId", "/CMakeFiles/_CMakeLTOTest")
"""Where CMake tries compilers."""
_OUTPUT_ENDS = (*OBJECT_ENDS, *LIBRARY_ENDS)


class Output(NamedTuple):
    """Something that was made there."""

    path: str
    inputs: tuple[str, ...] = ()
    """Absolute; empty: not known."""
    settings: tuple[str, ...] = ()
    """Files of CMake's that hold its command line."""
    note: str = ""
    """The file of a compiler that says so; empty: none does."""
    is_said: bool = False
    """Make said that it made it."""


class Moment(NamedTuple):
    """When a build was."""

    before_ns: int
    """When the one before it began; 0: none is known."""
    is_of_it: Callable[[int], bool]
    """Something happened in it."""
    ended_ns: int
    born_ns: Callable[[str], int]
    """When a file came to be; 0: not known."""


def outputs_in(tree: str, said: Iterable[Made] = ()) -> tuple[Output, ...]:
    """What lies below a build tree, or make said that it made; by path. Nothing of trees of ninja's and cargo's, nor
    of CMake's tries."""
    names = _names_in(tree)
    if f"{tree}/.ninja_log" in names:
        return ()
    found = {name: Output(name) for name in names if name.endswith(_OUTPUT_ENDS)}
    for name in names:
        if f"/{REPLY}/index-" in name:
            _take(found, outputs_by_cmake(name.partition(f"/{REPLY}/")[0]))
    for name in names:
        if name.endswith(("/compiler_depend.make", "/depend.make")):
            _take(found, _of_depfile(name, tree))
    for name in names:
        if name.endswith((".d", ".dep")):
            _take(found, _of_depfile(name, tree))
        elif name.endswith("/link.txt") and _CMAKES in name:
            _take(found, _of_link(name))
    by_name: dict[str, list[str]] = {}
    for name in names:
        by_name.setdefault(os.path.basename(name), []).append(name)
    _take(found, _said(said, tree, by_name, found))
    return tuple(found[path] for path in sorted(found))


def _names_in(tree: str) -> list[str]:
    every = sorted(all_files(tree))
    others = tuple(
        name.rpartition("/")[0] + "/" for name in every
        if name.endswith(("/.ninja_log", "/CACHEDIR.TAG")) and name.count("/") > tree.count("/") + 1
    )  # fmt: skip
    return [name for name in every if not name.startswith(others) and not any(one in name for one in _TRIES)]


def said_outputs(said: Iterable[Made], cwd: str) -> tuple[Output, ...]:
    """What compilers were said to make, where no tree is known."""
    found: dict[str, Output] = {}
    _take(found, _said(said, cwd, {}, found))
    return tuple(found[path] for path in sorted(found))


def _take(found: dict[str, Output], more: Iterable[Output]) -> None:
    """What is told later counts, where it tells of inputs."""
    for one in more:
        known = found.get(one.path, Output(one.path))
        found[one.path] = Output(
            one.path, one.inputs or known.inputs, one.settings or known.settings or _settings_of(one.path),
            one.note or known.note, one.is_said or known.is_said,
        )  # fmt: skip


def _of_depfile(name: str, tree: str) -> Iterator[Output]:
    bases = _above(name, tree)
    for told in told_in(name, bases):
        for target in told.targets:
            places = (absolute(target, one) for one in (told.base, *bases))
            path = next((one for one in places if os.path.isfile(one)), "")
            if path and path not in told.inputs:
                yield Output(path, told.inputs, note=name if name.endswith((".d", ".dep")) else "")


def _above(name: str, tree: str) -> list[str]:
    """Folders where a compiler may have been started, from the tree's top down to that of its depfile."""
    found = [os.path.dirname(name)]
    while found[-1] != tree and found[-1].startswith(tree) and len(found) < _MAX_DEPTH:
        found.append(os.path.dirname(found[-1]))
    return found[::-1]


def outputs_by_cmake(tree: str) -> Iterator[Output]:
    """By what CMake told of its targets: sources of objects, objects of programs and libraries."""
    reply = read_reply(tree)
    for target in reply.targets if reply is not None else ():
        objects = []
        for source in target.sources:
            for path in filter(os.path.isfile, target.objects_of(source)):
                objects.append(path)
                yield Output(path, (source.path,))
        yield from (Output(path, tuple(objects)) for path in target.artifacts if os.path.isfile(path))


def _of_link(name: str) -> Iterator[Output]:
    """By the command of a link that CMake wrote down: `ar qc libk.a CMakeFiles/k.dir/k.cu.o`."""
    folder = name.partition(_CMAKES)[0]
    for line in (read_small(name, _MAX_LINK) or b"").decode("utf-8", "surrogateescape").split("\n"):
        for made in made_by(split_words(line), folder):
            inputs = tuple(absolute(one, folder) for one in made.inputs)
            yield Output(absolute(made.output, folder), inputs, (name,))


def _settings_of(path: str) -> tuple[str, ...]:
    """`CMakeFiles/k.dir/flags.make` of an object below that folder."""
    head, has, rest = path.partition(_CMAKES)
    target = rest.partition("/")[0]
    file = f"{head}{_CMAKES}{target}/flags.make"
    return (file,) if has and target.endswith(".dir") and os.path.isfile(file) else ()


def _said(
    said: Iterable[Made], tree: str, by_name: Mapping[str, Sequence[str]], found: Mapping[str, Output]
) -> Iterator[Output]:
    """What make said, where it lies: CMake names what it links by its own folder, which it does not say."""
    scans = _MOST_SCANNED
    for made in said:
        path = next((one for one in _places(made, tree) if os.path.exists(one)), "")
        if not path:
            named = by_name.get(os.path.basename(made.output), ())
            ends = [name for name in named if name.endswith("/" + made.output)]
            path = ends[0] if len(ends) == 1 else _places(made, tree)[0]
        known = found.get(path)
        if known is not None and known.inputs:
            yield Output(path, is_said=True)
        else:
            scans -= 1
            yield Output(path, _inputs_of(made, has_scan=scans > 0), is_said=True)


def _inputs_of(made: Made, *, has_scan: bool) -> tuple[str, ...]:
    """By the command, and by what its sources include."""
    inputs = tuple(absolute(one, made.folder) for one in made.inputs)
    folders = [absolute(one, made.folder) for one in made.folders]
    sources = [name for name in inputs if name.endswith(SOURCE_ENDS)] if has_scan else []
    return tuple(dict.fromkeys((*inputs, *(one for name in sources for one in includes.closure(name, folders)))))


def _places(made: Made, tree: str) -> tuple[str, ...]:
    return absolute(made.output, made.folder), absolute(made.output, tree)


def remade(outputs: Sequence[Output], moment: Moment) -> dict[str, str | None]:
    """Those that were made in a build, with the reason; empty: it is not known; None: make alone says that they were,
    for a later build has overwritten them."""
    again = {one.path for one in outputs if moment.is_of_it(times(one.path)[0])}
    found: dict[str, str | None] = {}
    for one in outputs:
        if one.path in again:
            found[one.path] = _reason(one, moment, again)
        elif one.is_said and times(one.path)[0] > moment.ended_ns:
            found[one.path] = None
    return found


def _reason(one: Output, moment: Moment, again: set[str]) -> str:
    made_at = times(one.path)[0]
    if parts := [path for path in one.inputs if path in again]:
        return f"made again of {_names(parts)}"
    if one.note and moment.is_of_it(moment.born_ns(one.note)):
        return "it was not made before"
    if not moment.before_ns:
        return ""
    if edited := [path for path in one.inputs if moment.before_ns < times(path)[0] <= made_at]:
        newest = max(edited, key=lambda path: times(path)[0])
        more = f", and {len(edited) - 1} more" if len(edited) > 1 else ""
        return f"{tail_of(newest)} has changed since the build before{more}"
    if any(moment.before_ns < times(path)[0] <= made_at for path in one.settings):
        return "its command line changed"
    return ""


def _names(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(os.path.basename(path) for path in paths[:3]) + more


def left_old(outputs: Iterable[Output], until_ns: int) -> Iterator[tuple[str, str]]:
    """Outputs that a compiler's note says to be older than an input was when a build ended, and that input."""
    for one in outputs:
        made_at = times(one.path)[0]
        newer = [path for path in one.inputs if 0 < made_at < times(path)[0] <= until_ns] if one.note else []
        if newer:
            yield one.path, max(newer, key=lambda path: times(path)[0])
