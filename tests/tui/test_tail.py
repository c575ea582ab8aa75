"""Last lines of logs for panes, and whole logs for who opens one."""

import os
from dataclasses import replace
from pathlib import Path

from core.paths import Paths
from core.state import Run
from tests.scene import board_at
from tui.tail import Tails


def run_of(paths: Paths, name: str, text: str, *, is_split: bool = False) -> Run:
    """A run whose `out.log` holds a text."""
    os.makedirs(paths.run(name))
    Path(paths.run(name), "out.log").write_text(text)
    return replace(next(iter(board_at(60.0).runs.values())), run=name, is_split=is_split)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_day_of_runs_leaves_few_files_open_and_each_tail_is_right(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path), str(tmp_path / "cache"))
    tails, before = Tails(paths), open_files()
    runs = [run_of(paths, f"run-{n}", f"hello {n}\n") for n in range(300)]
    for _ in range(2):
        assert [tails(run, 10) for run in runs] == [(f"hello {n}",) for n in range(300)]
    assert open_files() - before <= 150


def test_a_log_that_nobody_reads_any_more_is_closed(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path), str(tmp_path / "cache"))
    tails, run, before = Tails(paths), run_of(paths, "run", "hello\n"), open_files()
    for _ in range(20):
        lines = tails.store(run, "out")
        assert lines.grow()
    assert open_files() - before == 1
