"""Fronts are built once for all tests: each temporary cache borrows them."""

import contextlib
import os
from pathlib import Path

_SHARED = Path(__file__).parents[1] / ".tools" / "test-fronts"


def lend_fronts(cache: str | Path) -> str:
    """Let a cache folder of cargo-deck (`$XDG_CACHE_HOME/cargo-deck`) use the shared fronts; the folder."""
    _SHARED.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):  # a test of what cannot be written, or another worker was first
        os.makedirs(cache, exist_ok=True)
        os.symlink(_SHARED, f"{cache}/fronts")
    return str(cache)
