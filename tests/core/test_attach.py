import json
import os
from pathlib import Path

import pytest

from core import events as e
from core.attach import Reader
from core.paths import Paths
from core.run.spawn import new_run_id
from core.state import RunState
from tests.core.runs import exit_of, paths_in, start_python, until

NOW = 1_800_000_000.0


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return paths_in(tmp_path)


def write_run(paths: Paths, *events: e.Event, at: float = NOW - 60, agent: str = "a", has_record: bool = True) -> str:
    run = new_run_id(at)
    folder = Path(paths.run(run))
    folder.mkdir(parents=True)
    record = {"schema": 1, "run": run, "agent": agent, "command": "build", "tool": "cargo", "subcommand": "build",
              "cwd": "/w", "checkout": "/w", "started": at, "streams": 1}  # fmt: skip
    if has_record:
        (folder / "run.json").write_text(json.dumps(record))
    lines = [{"schema": 1, "run": run}, *map(e.to_record, events)]
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run


def reader(paths: Paths) -> Reader:
    return Reader(paths, lambda: NOW)


ENDED = e.RunEnded(NOW - 50, 0, None, 10.0, 5.0, 1.0, 1 << 20, None)


def test_the_same_board_comes_back_while_nothing_changed(paths: Paths) -> None:
    run = write_run(paths, e.ProgressMoved(NOW - 55, 3, 9, ("serde",), "units"), ENDED)
    source = reader(paths)
    board = source.poll()
    assert board.runs[run].state is RunState.DONE
    assert source.poll() is board


def test_a_journal_that_grows_changes_the_board(paths: Paths) -> None:
    run = write_run(paths)
    os.makedirs(paths.open)
    source = reader(paths)
    source.poll()
    with open(paths.run(run) + "/events.jsonl", "a") as file:
        file.write(json.dumps(e.to_record(e.ProgressMoved(NOW - 1, 4, 9, (), "units"))) + "\n")
        file.write('{"event": "ProgressMo')
    assert source.poll().runs[run].units_done == 4


def test_an_end_that_no_engine_wrote_down_is_seen(paths: Paths) -> None:
    run = start_python(paths, "import sys; sys.exit(3)")
    exit_of(paths, run)
    source = Reader(paths, lambda: NOW, shown_for_s=1e12)
    board = source.read_all()
    assert board.runs[run].state is RunState.FAILED
    assert board.engine_seen_at is None


def test_a_run_whose_supervisor_vanished_is_lost_and_never_running(paths: Paths) -> None:
    run = write_run(paths)
    assert reader(paths).read_all().runs[run].state is RunState.LOST


def test_a_live_run_is_shown_before_any_engine_looked(paths: Paths) -> None:
    run = start_python(paths, "input() if False else __import__('time').sleep(30)")
    source = Reader(paths, lambda: NOW, shown_for_s=1e12)
    assert source.read_all().runs[run].state is RunState.RUNNING
    from core.run.stop import stop_run

    until(lambda: stop_run(paths, run, kill=True), "the stop")
    exit_of(paths, run)


def test_a_journal_of_a_newer_version_is_a_note_not_a_crash(paths: Paths) -> None:
    run = write_run(paths, ENDED)
    Path(paths.run(run), "events.jsonl").write_text('{"schema": 999, "run": "x"}\n')
    board = reader(paths).read_all()
    assert len(board.notes) == 1
    assert "events.jsonl" in board.notes[0]


def test_damaged_lines_are_passed_over(paths: Paths) -> None:
    run = write_run(paths, e.ProgressMoved(NOW - 55, 3, 9, (), "units"), ENDED)
    path = Path(paths.run(run), "events.jsonl")
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([first, "\x00\xff garbage", *rest, ""]))
    assert reader(paths).read_all().runs[run].units_done == 3


def test_a_lost_record_is_made_up_for_by_the_journal(paths: Paths) -> None:
    started = e.RunStarted(NOW - 60, "x", "?", "?", "exec", "?", "", "", None, False, False, False)
    run = write_run(paths, started, ENDED, has_record=False)
    assert reader(paths).read_all().runs[run].state is RunState.DONE


def test_runs_of_yesterday_and_vanished_folders_leave_the_board(paths: Paths) -> None:
    write_run(paths, ENDED, at=NOW - 25 * 3600)
    kept = write_run(paths, ENDED)
    source = reader(paths)
    assert list(source.read_all().runs) == [kept]


def test_an_unreadable_state_folder_is_an_empty_board() -> None:
    assert Reader(Paths("/dev/null/x", "/dev/null/y"), lambda: NOW).read_all().runs == {}
