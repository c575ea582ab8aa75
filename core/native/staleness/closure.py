"""What the native outputs of a build script were really made from: as depfiles, ninja and nvcc say, else by text."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Literal, NamedTuple

from core.folder import absolute
from core.native.traces import includes
from core.native.traces.build_tree import all_files, told_in
from core.native.traces.fingerprint import ScriptRun
from core.native.traces.ninja_deps import deps_in
from core.native.traces.nvcc_calls import NvccCall, latest_by_output
from core.native.traces.nvcc_closure import depfile_of, include_folders

SOURCE_ENDS = (".cu", ".c", ".cc", ".cpp", ".cxx", ".c++", ".hip", ".m", ".mm", ".s", ".S", ".asm", ".ptx")
HEADER_ENDS = (".cuh", ".h", ".hh", ".hpp", ".hxx", ".h++", ".inl", ".inc", ".ipp", ".tpp", ".tcc", ".impl")
NATIVE_ENDS = SOURCE_ENDS + HEADER_ENDS
OBJECT_ENDS = (".o", ".obj", ".ptx", ".cubin", ".fatbin", ".ltoir", ".optixir", ".lo")
LIBRARY_ENDS = (".a", ".so", ".lib", ".dylib", ".dll")
MAX_FILES = 20_000
"""Of an OUT_DIR, so many are looked at."""
_SYSTEM = ("/usr/", "/lib/", "/lib64/", "/opt/", "/nix/", "/gnu/", "/Library/", "/Applications/", "/System/")

_HASH = re.compile(r"^[0-9a-f]{8,64}[-_]|[-_][0-9a-f]{8,64}$")

KnownBy = Literal["depfile", "ninja", "nvcc", "text"]
"""A compiler's note, ninja's notes, nvcc that was asked (`-M`), or only the text of the files."""
Ask = Callable[[NvccCall], Sequence[str] | None]
"""Asks nvcc for the inputs of a call; None: it does not say."""


class Made(NamedTuple):
    """One output and its inputs."""

    output: str
    """Absolute."""
    source: str
    """Absolute: the file that was compiled."""
    inputs: tuple[str, ...]
    """Absolute, the source among them; without what belongs to the system and what the build itself makes."""
    known_by: KnownBy
    note: str = ""
    """The file that says so; empty: none does."""


class Ground(NamedTuple):
    """Where a build script worked."""

    script: ScriptRun
    workspace: str
    build_dir: str
    toolkits: tuple[str, ...] = ()
    """Roots of CUDA toolkits: nobody edits their headers."""
    homes: tuple[str, ...] = ()
    """Of cargo and rustup: nor these."""


def made_of(ground: Ground, calls: Iterable[NvccCall] = (), ask: Ask | None = None) -> tuple[Made, ...]:
    """The native outputs that are there, each with its inputs, by output.

    Without what is left of a source that somebody took away: no script makes that any more.
    """
    own = _owned(ground)
    names = tuple(sorted(all_files(ground.script.out_dir)))
    latest = latest_by_output(_calls_of(ground.script.out_dir, calls))
    found: dict[str, Made] = {}
    moved = _moved(ground)
    for told in chain(_of_ninja(names), _of_depfiles(names, ground), _of_calls(latest, ask)):
        made = _as_here(told, moved)
        if made.output not in found and made.source.endswith(SOURCE_ENDS):
            found[made.output] = made
    for made in _of_text([name for name in names if name not in found], ground, latest):
        found.setdefault(made.output, made)
    there = [made for made in found.values() if not own.is_own(made.source) or os.path.exists(made.source)]
    kept = [made._replace(inputs=tuple(filter(own.is_own, made.inputs))) for made in there]
    return tuple(sorted(made for made in kept if made.inputs))


def _moved(ground: Ground) -> tuple[tuple[str, str], ...]:
    """Folders that were copied along with a target dir, as notes name them and as they lie here; the longest first."""
    script = ground.script
    was, here = os.path.realpath(script.made_in or script.out_dir), os.path.realpath(script.out_dir)
    if was == here:
        return ()
    old, new = was.split("/"), here.split("/")
    while len(old) > 2 and len(new) > 2 and old[-1] == new[-1]:
        old.pop()
        new.pop()
    top = "/".join(new)
    is_whole = f"{ground.workspace}/".startswith(f"{top}/")  # the checkout was copied, not the target dir alone
    return ((was, here), *((("/".join(old), top),) if is_whole else ()))


def _as_here(made: Made, moved: Sequence[tuple[str, str]]) -> Made:
    """With what was copied named as it lies here."""

    def here(path: str) -> str:
        return next((new + path[len(old) :] for old, new in moved if path.startswith(old + "/")), path)

    if not moved:
        return made
    return made._replace(output=here(made.output), source=here(made.source), inputs=tuple(map(here, made.inputs)))


def _calls_of(out_dir: str, calls: Iterable[NvccCall]) -> Iterator[NvccCall]:
    """Those that a build script with that OUT_DIR made. Thousands name the same few folders: each is resolved once."""
    real, is_it = os.path.realpath(out_dir), {out_dir: True, "": False}
    for call in calls:
        if call.out_dir not in is_it:
            is_it[call.out_dir] = os.path.realpath(call.out_dir) == real
        if is_it[call.out_dir] or (not call.out_dir and call.output.startswith(_slashed(out_dir))):
            yield call


def _owned(ground: Ground) -> "Owned":
    script = ground.script
    return Owned((ground.build_dir, script.out_dir), (ground.workspace, script.root), (*ground.toolkits, *ground.homes))


class Owned:
    """Tells files that somebody edits from those of the system and those that the build makes."""

    def __init__(self, made: Iterable[str], own: Iterable[str], foreign: Iterable[str]) -> None:
        """Folders: what builds make, where somebody edits whatever lies around it, what others bring."""
        self._made = tuple(_slashed(one) for one in made if one)
        self._own = tuple(_slashed(one) for one in own if one)
        self._foreign = (*_SYSTEM, *(_slashed(one) for one in foreign if one))
        self._toolkits: dict[str, bool] = {}

    def is_own(self, path: str) -> bool:
        """Somebody edits it."""
        if path.startswith(self._made):
            return False
        if path.startswith(self._own):
            return True
        return not path.startswith(self._foreign) and not self._is_toolkit(os.path.dirname(path))

    def _is_toolkit(self, folder: str) -> bool:
        """It is the `include` of a CUDA toolkit, or below it."""
        if folder not in self._toolkits:
            self._toolkits[folder] = os.path.exists(folder + "/cuda_runtime.h") or (
                len(folder) > 1 and self._is_toolkit(os.path.dirname(folder))
            )
        return self._toolkits[folder]


def _slashed(path: str) -> str:
    return path.rstrip("/") + "/"


def _of_ninja(names: Iterable[str]) -> Iterator[Made]:
    for name in names:
        if name.endswith("/.ninja_deps"):
            tree = os.path.dirname(name)
            for output, deps in deps_in(tree).items():
                path = absolute(output, tree)
                if os.path.exists(path) and deps:
                    inputs = [absolute(one, tree) for one in deps]
                    yield Made(path, _source_of(inputs), tuple(dict.fromkeys(inputs)), "ninja", name)


def _of_depfiles(names: Iterable[str], ground: Ground) -> Iterator[Made]:
    for name in names:
        if name.endswith((".d", ".dep", ".deps")):
            yield from _of_depfile(name, _bases(name, ground))


def _bases(name: str, ground: Ground) -> list[str]:
    """Folders from which the paths in a depfile may start: the compiler's, which it does not tell."""
    bases = [ground.script.root, os.path.dirname(name)]
    while bases[-1].startswith(_slashed(ground.script.out_dir)):
        bases.append(os.path.dirname(bases[-1]))
    return [one for one in (*bases, ground.workspace) if one]


def _of_depfile(name: str, bases: Sequence[str], known: str = "") -> Iterator[Made]:
    """`known`: what it is of, where that is told elsewhere."""
    for told in told_in(name, bases):
        places = (told.base, os.path.dirname(name), *bases)
        targets = [absolute(one, place) for one in told.targets for place in places]
        output = known or next((one for one in targets if os.path.exists(one)), _beside(name))
        if output:
            yield Made(output, _source_of(told.inputs), told.inputs, "depfile", name)


def _beside(name: str) -> str:
    """What a depfile is named after: `k.o.d`, `k.d` beside `k.ptx`; empty: there is none."""
    stem = name.rpartition(".")[0]
    places = (stem, *(stem + end for end in OBJECT_ENDS))
    return next((one for one in places if one.endswith(OBJECT_ENDS) and os.path.exists(one)), "")


def _of_calls(latest: dict[str, NvccCall], ask: Ask | None) -> Iterator[Made]:
    """What the front noted, where the call left a depfile, it noted the inputs, or nvcc is asked."""
    gone: dict[str, list[Made]] = {}
    for output, call in latest.items():
        if not call.sources:
            continue
        made = next(_of_call(output, call, ask), None)
        if made is not None and os.path.exists(output):
            yield made
        elif made is not None:
            for holder in _holders(output, latest.values()):
                gone.setdefault(holder, []).append(made)
    for holder, parts in gone.items():
        inputs = dict.fromkeys(path for part in parts for path in part.inputs)
        yield Made(holder, parts[0].source, tuple(inputs), parts[0].known_by, parts[0].note)


def _of_call(output: str, call: NvccCall, ask: Ask | None) -> Iterator[Made]:
    if call.inputs:
        yield Made(output, call.sources[0], tuple(dict.fromkeys((*call.sources, *call.inputs))), "nvcc")
    if name := depfile_of(call):
        yield from _of_depfile(absolute(name, call.cwd), [call.cwd or "/"], output)
    asked = ask(call) if ask is not None and not call.inputs else None
    if asked:
        yield Made(output, call.sources[0], tuple(dict.fromkeys(absolute(one, call.cwd) for one in asked)), "nvcc")


def _holders(output: str, calls: Iterable[NvccCall]) -> Iterator[str]:
    """Libraries and programs that an object went into which is there no more."""
    for call in calls:
        is_one = call.kind in ("library", "link", "program") and os.path.exists(call.output)
        if is_one and any(absolute(word, call.cwd) == output for word in call.argv if not word.startswith("-")):
            yield call.output


def _of_text(names: Sequence[str], ground: Ground, latest: dict[str, NvccCall]) -> Iterator[Made]:
    """By `#include`, where nobody told: of what the front noted, else of sources that outputs are named after."""
    root = ground.script.root
    for output, call in latest.items():
        if os.path.exists(output) and call.sources:
            yield _scanned(output, call.sources, (*include_folders(call.argv, call.cwd), root))
    outputs = [name for name in names if name.endswith(OBJECT_ENDS) and name not in latest]
    if not outputs or not root:
        return
    by_stem: dict[str, list[str]] = {}
    for name in native_files(root, ground.build_dir):
        if name.endswith(SOURCE_ENDS):
            by_stem.setdefault(os.path.basename(name).rpartition(".")[0], []).append(name)
    for name in outputs:
        fits = by_stem.get(_stem(os.path.basename(name)), [])
        if len(fits) == 1:
            yield _scanned(name, fits, _guessed(root, fits[0]))


def _stem(name: str) -> str:
    """`k` of `k.ptx`, `k.cu.o`, `0f3c9a1b2c3d4e5f-k.o`, `k-1b2c3d4e.o`: tools add hashes."""
    stem = name.rpartition(".")[0]
    for end in SOURCE_ENDS:
        stem = stem.removesuffix(end)
    return _HASH.sub("", stem)


def _scanned(output: str, sources: Sequence[str], folders: Sequence[str]) -> Made:
    inputs = dict.fromkeys(one for source in sources for one in includes.closure(source, folders))
    return Made(output, sources[0], tuple(inputs), "text")


def _guessed(root: str, source: str) -> tuple[str, ...]:
    places = (root, root + "/include", root + "/src", os.path.dirname(source), os.path.dirname(source) + "/include")
    return tuple(dict.fromkeys(places))


def native_files(folder: str, without: str = "") -> Iterator[str]:
    """Native sources and headers below a folder, but for `without`, hidden folders and `target`."""
    folders, count = [folder], 0
    while folders and count < MAX_FILES:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in sorted(entries, key=lambda one: one.name):
                    count += 1
                    if entry.is_dir(follow_symlinks=False):
                        if not entry.name.startswith(".") and entry.name != "target" and entry.path != without:
                            folders.append(entry.path)
                    elif entry.name.endswith(NATIVE_ENDS):
                        yield entry.path
        except (OSError, ValueError):
            continue


def _source_of(inputs: Sequence[str]) -> str:
    """The first that is compiled: make's depfiles may begin with something else."""
    return next((one for one in inputs if one.endswith(SOURCE_ENDS)), inputs[0])
