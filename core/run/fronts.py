"""Fronts: small programs that stand before a tool in PATH and note what lives too briefly to be sampled.

`front_build` compiles them once and keeps them by their content: `front.rs`, and where there is an nvcc
`front_nvcc.rs`, the same with all about nvcc. The folders that go into PATH keep their names for ever: CMake writes the
path of a compiler into its cache.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

from core.errors import StateError
from core.paths import Paths
from core.run import front_build, nvcc_front
from core.run.noters import Noters, find_noters
from core.run.path_watchers import has_outputs, watches, watches_path

VARIABLE = "DECK_FRONTS"
"""Folder in which fronts leave their notes."""
NO_LINKS = "no-links"
"""A file among the notes of a run: no front stands before `cc` in it."""
CACHES = ("sccache", "ccache", "zccache", "kache", "cachepot", "buildcache")
"""They hash the compiler that they find in PATH, so each gets a front that hides `cc`'s from it."""


def folder(paths: Paths) -> str:
    """Of all fronts."""
    return paths.cache + "/fronts"


def need_front(paths: Paths, name: str, env: dict[str, str], *, with_nvcc: bool = False) -> str:
    """Path of the front before a tool. `with_nvcc`: the one that can stand before nvcc as well.

    Raises:
        StateError: it cannot be made, or not be told to anybody.
    """
    path = f"{folder(paths)}/{name}/{name}"
    if ":" in path or not path.isprintable():
        raise StateError(f"{paths.cache!r} cannot stand in PATH: set XDG_CACHE_HOME to another folder")
    try:
        is_made = _make(paths, env, with_nvcc=with_nvcc)
    except OSError as error:
        place = error.filename or folder(paths)
        raise StateError(f"what stands before {name} cannot be written to {place}: {error.strerror}") from error
    if not is_made:
        raise StateError(f"what stands before {name} could not be built with this rustc: see {folder(paths)}/*/log")
    return path


class Fronts(NamedTuple):
    """What stands before the tools of one run."""

    folders: tuple[str, ...] = ()
    """To put first in PATH."""
    env: tuple[tuple[str, str], ...] = ()
    """Variables to set."""


class Build(NamedTuple):
    """What decides which fronts a build of cargo's may have."""

    env: dict[str, str]
    """The caller's."""
    root: str | None = None
    """The workspace, for its `Cargo.lock`."""
    wrapper: str | None = None
    """The user's `rustc-wrapper`."""
    build_dir: str | None = None
    """Where cargo keeps what build scripts said; None: not to be known."""
    has_our_cache: bool = False
    """We start sccache for the build, behind the front that `need_front` made; it may not be on PATH."""
    settled: frozenset[str] = frozenset()
    """Variables that a mode, or cargo's settings, have a value for."""


def find_fronts(paths: Paths, build: Build) -> Fronts:
    """The fronts of a build; none where one would do harm or cannot be made."""
    env, path = build.env, without_fronts(build.env.get("PATH", ""))
    has_cc, kit = _is_on_path("cc", env), nvcc_front.find_toolkit(path)
    has_cuda = nvcc_front.has_cuda(env, kit)
    noters = find_noters(build.root) if has_cc or has_cuda else Noters()
    is_free = not (build.build_dir and watches_path(paths, build.build_dir))
    has_cc = has_cc and is_free and not noters.any and not _names_cache_by_path(env, _is_of_cc, build.wrapper)
    may_mirror = is_free and not noters.others and not _names_cache_by_path(env, _is_of_nvcc)
    kit = kit if may_mirror and kit is not None and nvcc_front.is_alone(kit, path) else None
    if kit is not None and noters.cmake and not _may_name_folder(paths, build, kit):
        kit = None
    launched = noters.cmake and has_cuda and _may_launch(paths, build)
    if (kit or launched) and not _is_made(paths, env, with_nvcc=True):
        kit, launched = None, False
    if not build.has_our_cache and not (kit or launched or (has_cc and _is_made(paths, env))):
        return Fronts()
    mirrors, variables = _mirrors(paths, build, kit) if may_mirror else ((), ())
    caches = [cache for cache in CACHES if (has_cc or mirrors) and _is_on_path(cache, env)]
    if build.has_our_cache and "sccache" not in caches:
        caches.append("sccache")
    names = (*(("cc",) if has_cc else ()), *caches)
    launcher = ((nvcc_front.LAUNCHER, nvcc_front.LAUNCH), _launch(paths)) if launched else ()
    named = (nvcc_front.cmakes_own(kit, env),) if kit is not None and noters.cmake else ()
    return Fronts((*(f"{folder(paths)}/{name}" for name in names), *mirrors), (*variables, *launcher, *named))


def _may_name_folder(paths: Paths, build: Build, kit: nvcc_front.Toolkit) -> bool:
    """CMake can be told where the real nvcc stands, so that it notes that one."""
    name, where = nvcc_front.PROGRAMS, build.build_dir
    is_free = name not in build.settled and not (where and watches(paths, where, name))
    return is_free and nvcc_front.has_own_folder(kit)


def _may_launch(paths: Paths, build: Build) -> bool:
    """CMake can be told of a launcher: nobody has told it of one, and no tree would have to be compiled anew."""
    name, where = nvcc_front.LAUNCHER, build.build_dir
    if name in build.env or name in build.settled or (where and watches(paths, where, name)):
        return False
    return not nvcc_front.has_other_tree(where, build.root)


def _launch(paths: Paths) -> tuple[str, str]:
    return nvcc_front.PROGRAM, launcher(paths)


def launcher(paths: Paths) -> str:
    """What runs the nvcc that its first word names, and notes it."""
    return folder(paths) + "/launch/launch"


def _mirrors(
    paths: Paths, build: Build, kit: nvcc_front.Toolkit | None
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Folders for PATH, and variables. `NVCC` is only replaced where it is known that no build script watches it: one
    that does would run anew as soon as that is learnt, and compile all of its kernels."""
    found = _mirror(paths, kit)
    given = build.env.get("NVCC", "")
    if not given.startswith("/") or "NVCC" in build.settled or not build.build_dir:
        return found, ()
    if watches(paths, build.build_dir, "NVCC") or not has_outputs(build.build_dir):
        return found, ()
    own = _mirror(paths, nvcc_front.toolkit_of(given))
    return found, tuple(("NVCC", f"{place}/nvcc") for place in own)


def _mirror(paths: Paths, kit: nvcc_front.Toolkit | None) -> tuple[str, ...]:
    try:
        return (nvcc_front.mirror(folder(paths), kit),) if kit is not None else ()
    except OSError:
        return ()


def find_exec_fronts(paths: Paths, env: dict[str, str], words: tuple[str, ...], cwd: str) -> Fronts:
    """The fronts of a command that is not cargo: nvcc's, and those that hide it from caches."""
    path = without_fronts(env.get("PATH", ""))
    kit = nvcc_front.find_toolkit(path)
    if _names_cache_by_path(env, _is_of_nvcc) or not nvcc_front.has_cuda(env, kit):
        return Fronts()
    command = nvcc_front.read_command(words, cwd, path)
    if not command.may_compile or not _is_made(paths, env, with_nvcc=True):
        return Fronts()
    texts = nvcc_front.texts_of(command)
    variables: tuple[tuple[str, str], ...] = (_launch(paths),)
    if nvcc_front.LAUNCHER not in env and nvcc_front.makes_tree(command, texts):
        variables = ((nvcc_front.LAUNCHER, nvcc_front.LAUNCH), *variables)
    if kit is None or not nvcc_front.is_alone(kit, path):
        return Fronts((), variables)
    is_told = nvcc_front.has_own_folder(kit)
    if not nvcc_front.takes_front(command, texts, has_cmake_told=is_told):
        return Fronts((), variables)
    mirrors = _mirror(paths, kit)
    if mirrors and is_told:
        variables = (*variables, nvcc_front.cmakes_own(kit, env))
    caches = [f"{folder(paths)}/{cache}" for cache in CACHES if mirrors and _is_on_path(cache, env)]
    return Fronts((*caches, *mirrors), variables)


def notes_links(run: str) -> bool:
    """A front stands before `cc` in this run, and before caches. `run`: its folder."""
    return os.path.isdir(run + "/fronts") and not os.path.exists(f"{run}/fronts/{NO_LINKS}")


def without_fronts(path: str) -> str:
    """PATH as the caller had it."""
    ours = tuple(f"/fronts/{name}" for name in ("cc", *CACHES))
    return ":".join(one for one in path.split(":") if not one.endswith(ours) and nvcc_front.MARK not in one)


def _names_cache_by_path(env: dict[str, str], is_asked: Callable[[str], bool], wrapper: str | None = None) -> bool:
    """A cache is called by its absolute path in one of these variables, so no front of ours can stand before it."""
    words = [wrapper or ""]
    for name, value in env.items():
        if is_asked(name):
            words += value.split()
    return any("/" in word and word.rpartition("/")[2] in CACHES for word in words)


def _is_of_cc(name: str) -> bool:
    """A variable that may name a compiler of C or rustc, and a cache before it."""
    return name.startswith(("CC", "CXX", "HOST_C", "TARGET_C", "CMAKE_", "RUSTC_")) or name.endswith("_LAUNCHER")


def _is_of_nvcc(name: str) -> bool:
    """The same for nvcc."""
    return name.startswith(("NVCC", "CUDACXX", "CMAKE_CUDA_"))


def _is_on_path(name: str, env: dict[str, str]) -> bool:
    folders = env.get("PATH", "").split(":")
    return any(one and os.access(f"{one}/{name}", os.X_OK) for one in folders)


def _is_made(paths: Paths, env: dict[str, str], *, with_nvcc: bool = False) -> bool:
    try:
        return _make(paths, env, with_nvcc=with_nvcc)
    except OSError:
        return False


def _make(paths: Paths, env: dict[str, str], *, with_nvcc: bool = False) -> bool:
    """They are there: found, or built now. Raises OSError where there is no place for them."""
    plain = {**env, "PATH": without_fronts(env.get("PATH", ""))}
    return front_build.make(folder(paths), ("cc", *CACHES, "launch"), plain, with_nvcc=with_nvcc)
