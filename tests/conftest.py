"""In which order tests run: what takes longest, or mostly waits, begins first and beside what computes; with which
signals."""

import signal
from itertools import chain, zip_longest

import pytest

SLOWEST = (
    "tests/real/test_demo.py",
    "tests/real/test_caller.py",
    "tests/real/test_cache.py",
    "tests/tui/test_run_screen.py",
    "tests/real/test_terminal_state.py",
    "tests/tui/test_cache_screen.py",
    "tests/real/test_hostile_output.py",
    "tests/real/test_store.py",
    "tests/core/test_store_process.py",
    "tests/core/test_engine_process.py",
    "tests/core/test_native_stale.py",
    "tests/core/test_native_prove.py",
)
"""Of the files that take more than ten seconds those that take longest, in this order."""


for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    # A shell in the background, and nohup, start things with these ignored, and all that tests start would inherit it.
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files stay whole: workers take them one after the other (`--dist loadfile --no-loadscope-reorder`)."""
    by_file: dict[str, list[pytest.Item]] = {}
    for item in items:
        by_file.setdefault(item.nodeid.partition("::")[0], []).append(item)
    items[:] = [item for name in in_order(list(by_file)) for item in by_file[name]]


def in_order(files: list[str]) -> list[str]:
    """The slowest, then real builds and screens in turn, then the many small ones."""
    slowest = [name for name in SLOWEST if name in files]
    real, screens = (
        [name for name in files if name.startswith(f"tests/{kind}/") and name not in slowest]
        for kind in ("real", "tui")
    )
    in_turn = [name for name in chain.from_iterable(zip_longest(real, screens)) if name]
    return [*slowest, *in_turn, *(name for name in files if name not in {*slowest, *in_turn})]
