"""What files say of a native failure: which CMake folder is stale, whether a library is older than its source.

Read once a failure, and bounded: at most `_MAX_FILES` sources and `_MAX_BYTES` of each.
"""

import os
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from core.folder import modified_ns, names_in
from core.native.staleness.closure import SOURCE_ENDS, native_files
from core.native.traces.cmake_cache import cached_value, cmake_folders, is_cmake_folder
from core.native.traces.fingerprint import ScriptRun, script_runs
from core.plan.small_file import read_head, read_small
from core.watch.native_failures import CACHE, NVCC, RULE, SYMBOL, NativeFault

_MAX_FILES = 2000
_MAX_BYTES = 4 << 20
_MAX_DEPTH = 4
_NAME = re.compile(r"(?:.*::)?([A-Za-z_]\w{2,})")
_TOOLKITS = ("/usr/local/cuda", "/opt/cuda", "/usr/lib/cuda")


class Place(NamedTuple):
    """Where a build works."""

    cwd: str
    target_dir: str = ""
    """Of cargo's, or where it builds; empty: none."""
    checkout: str = ""
    """Root of the workspace."""
    env: Mapping[str, str] = {}
    """Of the build."""


class Blame(NamedTuple):
    """What was found; all empty where nothing was."""

    folder: str = ""
    """CMake's build folder that is stale: it is one, and is there."""
    named_at: str = ""
    """`CMakeLists.txt:3`: names the file that is missing, so a clean mends nothing."""
    package: str = ""
    """Whose build script should have made what is missing."""
    source: str = ""
    """Native source that has the symbol."""
    library: str = ""
    """What the build script made last, that should have it."""
    is_stale: bool | None = None
    """The library is older than the source; None: not known."""
    nvcc: str = ""
    """Folder of an nvcc that is not in PATH."""


def look_into(fault: NativeFault, place: Place) -> Blame:
    """What files say of the failure."""
    if fault.kind in (CACHE, RULE):
        return _of_folder(fault, place)
    if fault.kind == SYMBOL:
        return _of_symbol(fault, place)
    return Blame(nvcc=_nvcc_beside(place.env)) if fault.kind == NVCC else Blame()


def _of_folder(fault: NativeFault, place: Place) -> Blame:
    base = fault.package_dir or place.cwd
    said = fault.subject if fault.kind == CACHE else fault.folder
    folder = _up_to_cache(os.path.normpath(os.path.join(base, said))) if said else ""
    if not folder:
        folder = _only(one for one in cmake_folders(_tops(fault, place)) if _fits(one, fault))
    if not folder or fault.kind != RULE:
        return Blame(folder=folder)
    source = cached_value(folder, "CMAKE_HOME_DIRECTORY")
    return Blame(folder=folder, named_at=_named_at(source, os.path.basename(fault.subject)) if source else "")


def _up_to_cache(folder: str) -> str:
    """The folder, or the nearest above it (make enters folders below), that CMake configured into; empty: none."""
    while folder not in ("", "/"):
        if is_cmake_folder(folder):
            return folder
        folder = os.path.dirname(folder)
    return ""


def _tops(fault: NativeFault, place: Place) -> list[str]:
    """Where CMake's folder may be."""
    runs = script_runs(place.target_dir, place.checkout) if place.target_dir else ()
    outs = [run.out_dir for run in runs if not fault.package or run.package == fault.package]
    return [*outs, fault.package_dir or place.cwd]


def _fits(folder: str, fault: NativeFault) -> bool:
    """A CMake folder may be the one that a failure without a folder is about."""
    if fault.kind == RULE:
        return _has_rule(folder, fault.subject)
    if fault.by.endswith("/CMakeLists.txt"):
        return cached_value(folder, "CMAKE_HOME_DIRECTORY") == os.path.dirname(fault.by)
    return cached_value(folder, "CMAKE_GENERATOR") == fault.by


def _has_rule(folder: str, missing: str) -> bool:
    """What ninja or make reads in a folder names the missing file."""
    names = ["build.ninja", *(f"CMakeFiles/{one}/build.make" for one in names_in(folder + "/CMakeFiles"))]
    return any(os.fsencode(missing) in (read_head(f"{folder}/{name}", _MAX_BYTES) or b"") for name in names)


def _only(found: Iterator[str]) -> str:
    """The one that there is; empty where there are none, or several."""
    first = next(found, "")
    return first if next(found, None) is None else ""


def _named_at(source: str, name: str) -> str:
    """Where CMakeLists.txt of a project names a file; empty: nowhere in the uppermost one."""
    path = os.path.join(source, "CMakeLists.txt")
    lines = (read_small(path) or b"").split(b"\n")
    word = re.compile(rb"(?<![\w.-])" + re.escape(os.fsencode(name)) + rb"(?![\w.-])")
    line = next((at for at, text in enumerate(lines, 1) if word.search(text.partition(b"#")[0])), 0)
    return f"{path}:{line}" if line else ""


def _of_symbol(fault: NativeFault, place: Place) -> Blame:
    """The source that has the symbol, and what was made of it."""
    name = _NAME.match(fault.subject.partition("(")[0])
    if name is None or not place.target_dir:
        return Blame()
    word = re.compile(rb"(?<!\w)" + re.escape(name[1].encode()) + rb"(?!\w)")
    for run in _native_runs(fault, place):
        found = next((path for path in _sources(run.root) if _has(path, word)), "")
        if found:
            return _of_source(run, found)
    return Blame()


def _of_source(run: ScriptRun, source: str) -> Blame:
    libraries = [one for one in _made(run.out_dir) if one.endswith((".a", ".so", ".o", ".lib"))]
    newest = max(libraries, key=modified_ns, default="")
    if not newest:
        return Blame(package=run.package, source=source)
    return Blame(package=run.package, source=source, library=newest, is_stale=modified_ns(source) > modified_ns(newest))


def _native_runs(fault: NativeFault, place: Place) -> list[ScriptRun]:
    """Build scripts that made something for the linker, those of the profile that was linked first."""
    linked = fault.by.partition("/deps/")[0]
    runs = [run for run in script_runs(place.target_dir, place.checkout) if run.root]
    return sorted(runs, key=lambda run: (f"{place.target_dir}/{run.profile}" != linked, -run.began_ns))


def _sources(root: str) -> Iterator[str]:
    for count, path in enumerate(native_files(root)):
        if count >= _MAX_FILES:
            return
        if path.endswith(SOURCE_ENDS):
            yield path


def _has(path: str, word: "re.Pattern[bytes]") -> bool:
    return word.search(read_head(path, _MAX_BYTES) or b"") is not None


def _made(folder: str, depth: int = 0) -> Iterator[str]:
    for name in names_in(folder)[:_MAX_FILES]:
        path = f"{folder}/{name}"
        if os.path.isdir(path) and not os.path.islink(path):
            if depth < _MAX_DEPTH:
                yield from _made(path, depth + 1)
        else:
            yield path


def _nvcc_beside(env: Mapping[str, str]) -> str:
    """The folder of an nvcc where toolkits are installed; empty: there is none."""
    homes = (*(env.get(name, "") for name in ("CUDA_HOME", "CUDA_PATH", "CUDA_ROOT", "CUDAToolkit_ROOT")), *_TOOLKITS)
    return next((home + "/bin" for home in homes if home[:1] == "/" and os.access(home + "/bin/nvcc", os.X_OK)), "")
