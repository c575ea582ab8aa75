"""Fronts are built once for all tests: each temporary cache borrows them."""

import contextlib
import os
import shutil
from pathlib import Path

from core.paths import Paths
from core.run.fronts import CACHES, need_front

_SHARED = Path(__file__).parents[1] / ".tools" / "test-fronts"


def lend_fronts(cache: str | Path) -> str:
    """Let a cache folder of cargo-deck (`$XDG_CACHE_HOME/cargo-deck`) use the shared fronts; the folder."""
    _SHARED.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):  # a test of what cannot be written, or another worker was first
        os.makedirs(cache, exist_ok=True)
        os.symlink(_SHARED, f"{cache}/fronts")
    return str(cache)


def own_fronts(cache: str | Path) -> str:
    """A cache folder with fronts of its own, for a test that has folders made among them; it."""
    need_front(Paths("", lend_fronts(_SHARED.parent / "test-fronts-cache")), "cc", dict(os.environ), with_nvcc=True)
    built = os.path.dirname(os.path.realpath(_SHARED / "cc" / "cc"))
    for folder in (built, *(str(_SHARED / name) for name in ("cc", *CACHES, "launch"))):
        shutil.copytree(folder, f"{cache}/fronts/{os.path.basename(folder)}", symlinks=True)
    return str(cache)
