"""Compiler caches with a server: it lives outside of a scratch world that is an overlay, and so compiles what really
lies there, into the real target dir (tried with sccache 0.16)."""

import os
import re
from collections.abc import Iterable, Mapping

from core.native.staleness.stale import Case
from core.native.staleness.tree_steps import MAKEFILES, Tree
from core.native.traces.build_tree import all_files
from core.native.traces.cmake_cache import CACHE_FILE, read_cache
from core.paths import Paths
from core.plan.small_file import read_head
from core.run import begin

_SERVERS = ("sccache", "zccache", "kache", "cachepot")
_COMPILERS = re.compile(r"(?:HOST_|TARGET_)?(?:CC|CXX|NVCC)(?:_|\b)")
_MAX_BYTES = 1 << 20
_NOTED = re.compile(r"CMAKE_\w+_COMPILER(?:_LAUNCHER)?")


def without_servers(paths: Paths, cwd: str, env: Mapping[str, str]) -> dict[str, str]:
    """The environment of a build that calls rustc, and what CMake configures anew, without such a cache."""
    wrapper = begin.command_of(paths, ("build",), cwd, dict(env)).config.rustc_wrapper or ""
    kept = {name: value for name, value in env.items() if not (name.endswith("_LAUNCHER") and is_server(value))}
    kept |= {"RUSTC_WRAPPER": ""} if is_server(wrapper) else {}
    return {**kept, "RUSTC_WORKSPACE_WRAPPER": ""} if is_server(env.get("RUSTC_WORKSPACE_WRAPPER", "")) else kept


def calls_server(cases: Iterable[Case], env: Mapping[str, str]) -> bool:
    """A compiler of C is called through such a cache all the same, as variables or notes of CMake's say: the world has
    to be a copy."""
    if any(is_server(value) for name, value in env.items() if _COMPILERS.match(name)):
        return True
    for case in cases:
        for path in all_files(case.script.out_dir):
            folder, name = os.path.split(path)
            noted = read_cache(folder).items() if name == CACHE_FILE else ()
            if any(is_server(value) for key, value in noted if _NOTED.fullmatch(key)):
                return True
    return False


def server_of(trees: Iterable[Tree], words: Iterable[str], env: Mapping[str, str]) -> str:
    """The cache that a build of these trees would call, as far as their files, its words and variables say; empty:
    none. What CMake noted cannot be left out of a build."""
    said = [*words, *(value for name, value in env.items() if _COMPILERS.match(name))]
    for tree in trees:
        said += [value for name, value in read_cache(tree.folder).items() if _NOTED.fullmatch(name)]
        said += [step.command for step in tree.steps]
        if tree.kind == "make":
            said += [os.fsdecode(read_head(f"{tree.folder}/{name}", _MAX_BYTES) or b"") for name in MAKEFILES]
    return next(filter(None, map(_server_in, said)), "")


def _server_in(words: str) -> str:
    named = (os.path.basename(word) for word in re.split(r"[\s;=\"']+", words))
    return next((name for name in named if name in _SERVERS), "")


def is_server(words: str) -> bool:
    """One of these words calls such a cache."""
    return bool(_server_in(words))
