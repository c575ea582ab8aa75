"""The depfile cache of nvcc: where it lies, which builds have it, what it holds.

The front before nvcc reads and writes it (`core/fronts/nvcc_cache.rs`), and keeps its limit; here it is named, looked
at and emptied.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple

from core.paths import Paths
from core.run import nvcc_front
from core.run.fronts import Fronts

VARIABLE = "DECK_NVCC_CACHE"
"""Its folder, or any word for none."""
LIMIT_BYTES = 5_000_000_000
"""What it may hold where `DECK_NVCC_CACHE_BYTES` says nothing else; as in the front."""
_VERSION = "v1"
_GONE = "gone-"


class Held(NamedTuple):
    """What lies in it."""

    size_bytes: int
    """On the disk."""
    outputs: int
    """Files that nvcc made, and texts that it printed."""


def folder(paths: Paths) -> str:
    """Where it lies."""
    return paths.cache + "/nvcc"


def with_cache(paths: Paths, fronts: Fronts, env: Mapping[str, str], settled: frozenset[str] = frozenset()) -> Fronts:
    """The same fronts, the one before nvcc with its cache.

    Args:
        paths: Ours.
        fronts: Of the run.
        env: The caller's environment: what it says of the cache stays.
        settled: Variables that a mode, or cargo's settings, have a value for.
    """
    is_before_nvcc = any(nvcc_front.MARK in one for one in fronts.folders) or nvcc_front.PROGRAM in dict(fronts.env)
    if not is_before_nvcc or VARIABLE in env or VARIABLE in settled:
        return fronts
    return fronts._replace(env=(*fronts.env, (VARIABLE, folder(paths))))


def held(place: str) -> Held:
    """What lies in a cache; nothing where there is none."""
    size_bytes = outputs = 0
    for where, _, names in os.walk(f"{place}/{_VERSION}"):
        for name in names:
            try:
                size_bytes += os.lstat(f"{where}/{name}").st_blocks * 512
            except OSError:
                continue
            outputs += os.path.basename(os.path.dirname(where)) == "objects"
    return Held(size_bytes, outputs)


def clear(place: str) -> None:
    """Empty a cache: it goes under another name first, so that nobody sees a part of it. What somebody left who was
    killed meanwhile goes too.

    Raises:
        OSError: it cannot be removed.
    """
    import shutil

    own = f"{_GONE}{os.getpid()}"
    try:
        os.rename(f"{place}/{_VERSION}", f"{place}/{own}")
    except FileNotFoundError:
        pass
    else:
        shutil.rmtree(f"{place}/{own}")
    for name in os.listdir(place) if os.path.isdir(place) else ():
        if name.startswith(_GONE):
            shutil.rmtree(f"{place}/{name}", ignore_errors=True)
