"""Where nvcc's depfile cache lies, which runs have it, and what it holds."""

from pathlib import Path

import pytest

from core.paths import Paths
from core.run.fronts import Fronts
from core.run.nvcc_cache import Held, clear, folder, held, with_cache

PATHS = Paths("/state", "/cache")
BEFORE_NVCC = Fronts(("/cache/fronts/cc", "/cache/fronts/nvcc-12ab/bin"), (("NVCC", "/x"),))
LAUNCHED = Fronts((), (("DECK_NVCC", "/cache/fronts/launch/launch"),))


@pytest.mark.parametrize("fronts", [BEFORE_NVCC, LAUNCHED])
def test_a_run_with_a_front_before_nvcc_has_the_cache(fronts: Fronts) -> None:
    found = with_cache(PATHS, fronts, {})
    assert found == Fronts(fronts.folders, (*fronts.env, ("DECK_NVCC_CACHE", "/cache/nvcc")))


def test_without_that_front_nothing_is_told() -> None:
    assert with_cache(PATHS, Fronts(("/cache/fronts/cc",)), {}) == Fronts(("/cache/fronts/cc",))
    assert with_cache(PATHS, Fronts(), {}) == Fronts()


@pytest.mark.parametrize("value", ["off", "", "/mine"])
def test_what_the_caller_or_a_mode_says_stays(value: str) -> None:
    assert with_cache(PATHS, BEFORE_NVCC, {"DECK_NVCC_CACHE": value}) == BEFORE_NVCC
    assert with_cache(PATHS, BEFORE_NVCC, {}, frozenset(("DECK_NVCC_CACHE",))) == BEFORE_NVCC


def test_what_it_holds_is_counted_and_emptied(tmp_path: Path) -> None:
    place = folder(Paths("/state", str(tmp_path)))
    assert held(place) == Held(0, 0)
    clear(place)
    for name in ("objects/ab/cd", "objects/ab/ef", "manifests/ab/cd"):
        path = Path(place, "v1", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 5000)
    found = held(place)
    assert (found.outputs, found.size_bytes >= 15000) == (2, True)
    clear(place)
    assert (held(place), list(Path(place).iterdir())) == (Held(0, 0), [])


def test_what_an_emptying_that_was_killed_left_goes_with_the_next(tmp_path: Path) -> None:
    (tmp_path / "gone-1/objects").mkdir(parents=True)
    (tmp_path / "mine").touch()
    clear(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
