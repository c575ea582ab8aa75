"""The order in which tests run: no file is lost, and what is slow begins first."""

import os

from tests.conftest import SLOWEST, in_order
from tests.real.product import REPO


def test_the_slowest_files_are_there_and_begin() -> None:
    assert [name for name in SLOWEST if not os.path.exists(f"{REPO}/{name}")] == []
    assert in_order(["tests/core/test_a.py", *reversed(SLOWEST)])[: len(SLOWEST)] == list(SLOWEST)


def test_every_file_is_run_once_real_ones_and_screens_in_turn() -> None:
    files = [f"tests/{kind}/test_{name}.py" for kind in ("core", "real", "tui") for name in "abc"]
    ordered = in_order(files[:-1])
    assert sorted(ordered) == sorted(files[:-1])
    assert [name.split("/")[1] for name in ordered] == ["real", "tui", "real", "tui", "real", "core", "core", "core"]
