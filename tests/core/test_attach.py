import fcntl
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


def test_what_comes_after_the_end_of_a_run_is_read_while_it_is_open_and_once_more_then(paths: Paths) -> None:
    run = write_run(paths, ENDED)
    os.makedirs(paths.open)
    Path(paths.open, run).touch()
    source = reader(paths)
    assert source.poll().runs[run].state is RunState.DONE
    for number in (1, 2):
        measured = e.KernelsMeasured(NOW - 40, str(number), "/k.cu", "/k.o", ())
        with open(paths.run(run) + "/events.jsonl", "a") as file:
            file.write(json.dumps(e.to_record(measured)) + "\n")
        if number == 2:
            os.unlink(f"{paths.open}/{run}")
        assert len(source.poll().runs[run].kernels) == number
    assert not source.is_behind


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


def test_a_long_run_is_shown_for_a_day_after_its_end_not_after_its_start(paths: Paths) -> None:
    old = write_run(paths, ENDED, at=NOW - 50 * 3600)
    recent = write_run(paths, ENDED, at=NOW - 50 * 3600)
    for run, ago_s in ((old, 25 * 3600.0), (recent, 23 * 3600.0)):
        exit_json = Path(paths.run(run), "exit.json")
        exit_json.write_text("{}")
        os.utime(exit_json, (NOW - ago_s, NOW - ago_s))
    assert list(reader(paths).read_all().runs) == [recent]


def test_a_live_run_is_shown_however_old(paths: Paths) -> None:
    run = write_run(paths, at=NOW - 50 * 3600)
    os.makedirs(paths.open)
    with open(f"{paths.open}/{run}", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert reader(paths).read_all().runs[run].state is RunState.BUILDING


def test_a_run_whose_record_is_corrupt_is_shown_with_a_note(paths: Paths) -> None:
    run = write_run(paths)
    Path(paths.run(run), "run.json").write_text('{"schema": 1, "run"')
    Path(paths.run(run), "out.log").write_text("hello\n")
    board = reader(paths).read_all()
    assert board.runs[run].agent == "?"
    assert [run in note and "run.json" in note for note in board.notes] == [True]


def test_a_folder_in_which_nothing_was_started_is_no_run(paths: Paths) -> None:
    os.makedirs(paths.run(new_run_id(NOW - 60)))
    os.makedirs(paths.run("lost+found"))
    board = reader(paths).read_all()
    assert (dict(board.runs), board.notes) == ({}, ())


def test_a_record_of_a_newer_version_is_shown_as_far_as_it_is_understood(paths: Paths) -> None:
    run = write_run(paths)
    path = Path(paths.run(run), "run.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 2, "news": []}))
    board = reader(paths).read_all()
    assert board.runs[run].agent == "a"
    assert ["schema 2" in note for note in board.notes] == [True]


def test_events_with_values_of_a_strange_kind_are_a_note(paths: Paths) -> None:
    run = write_run(paths, e.ProgressMoved(NOW - 55, 3, 9, (), "units"))
    source = reader(paths)
    assert source.read_all().runs[run].units_done == 3
    with open(paths.run(run) + "/events.jsonl", "a") as file:
        file.write('{"event":"ProgressMoved","at":1,"done":"many","total":[],"in_flight":7,"kind":"units"}\n')
    board = source.poll()
    assert board.runs[run].units_done == 3
    assert len(board.notes) == 1


def test_a_journal_that_was_put_aside_is_read_from_its_new_beginning(paths: Paths) -> None:
    run = write_run(paths)
    path = Path(paths.run(run), "events.jsonl")
    whole = path.read_text()
    path.write_text("no journal\n")
    os.makedirs(paths.open)
    with open(f"{paths.open}/{run}", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        source = reader(paths)
        assert len(source.read_all().notes) == 1
        path.rename(path.with_suffix(".bad"))
        moved = e.to_record(e.ProgressMoved(NOW - 55, 5, 9, (), "units"))
        path.write_text(whole + json.dumps(moved) + "\n")
        board = source.poll()
    assert board.notes == ()
    assert board.runs[run].units_done == 5


def test_a_long_journal_is_read_over_several_polls(paths: Paths) -> None:
    moved = [e.ProgressMoved(NOW - 55, n, 30_000, ("some-crate",), "units") for n in range(20_000)]
    run = write_run(paths, *moved)
    os.makedirs(paths.open)
    with open(f"{paths.open}/{run}", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        source = reader(paths)
        first = source.poll().runs[run].units_done
        assert 0 < first < 19_999
        assert source.read_all().runs[run].units_done == 19_999


def test_a_live_engine_is_given_time_to_write_the_last_counts(paths: Paths) -> None:
    run = write_run(paths)
    Path(paths.run(run), "exit.json").write_text(json.dumps({"code": 0, "ended": NOW - 0.1, "wall_s": 3.0}))
    os.makedirs(paths.engine)
    beat = Path(paths.engine, "beat")
    beat.touch()
    os.utime(beat, (NOW - 1, NOW - 1))
    source = reader(paths)
    assert source.poll().runs[run].state is RunState.BUILDING
    os.utime(beat, (NOW - 60, NOW - 60))
    assert reader(paths).poll().runs[run].state is RunState.DONE


def test_who_looks_once_does_not_wait_for_an_engine_that_hangs(paths: Paths) -> None:
    run = write_run(paths)
    Path(paths.run(run), "exit.json").write_text(json.dumps({"code": 0, "ended": NOW - 0.1, "wall_s": 3.0}))
    os.makedirs(paths.engine)
    beat = Path(paths.engine, "beat")
    beat.touch()
    os.utime(beat, (NOW, NOW))
    assert reader(paths).read_all().runs[run].state is RunState.DONE


def test_the_first_board_has_every_agent_and_state_whatever_was_read(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.attach._READ_BUDGET_S", 0.0)
    runs = [write_run(paths, ENDED, at=NOW - 900 + n, agent=f"a{n}") for n in range(5)]
    for run in runs:
        Path(paths.run(run), "exit.json").write_text(json.dumps({"code": 1, "ended": NOW - 50, "wall_s": 3.0}))
    source = reader(paths)
    first = source.poll()
    assert [run.agent for run in first.runs.values()] == ["a0", "a1", "a2", "a3", "a4"]
    assert {run.state for run in first.runs.values()} == {RunState.FAILED}
    assert {run.state for run in source.read_all().runs.values()} == {RunState.DONE}


def unclosed(paths: Paths) -> str:
    """A run that ended a while ago, too short for an engine; one is there by now."""
    run = write_run(paths)
    Path(paths.run(run), "exit.json").write_text(json.dumps({"code": 101, "ended": NOW - 50, "wall_s": 3.0}))
    os.makedirs(paths.engine)
    beat = Path(paths.engine, "beat")
    beat.touch()
    os.utime(beat, (NOW, NOW))
    return run


def test_who_looks_once_has_the_counts_of_a_run_that_no_engine_had_read(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = unclosed(paths)
    error = e.DiagnosticEmitted(NOW - 51, "error", "no", None, "a.rs", 1, 1, "error: no")

    def close_it(seconds: float) -> None:
        with open(paths.run(run) + "/events.jsonl", "a") as journal:
            journal.writelines(json.dumps(e.to_record(event)) + "\n" for event in (error, ENDED))

    monkeypatch.setattr("core.attach.time.sleep", close_it)
    assert reader(paths).read_all().runs[run].errors == 1


def test_nobody_waits_for_an_engine_to_close_a_journal_that_it_cannot_read(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = unclosed(paths)
    Path(paths.run(run), "events.jsonl").write_text('{"schema": 999, "run": "x"}\n')
    monkeypatch.setattr("core.attach.time.sleep", lambda seconds: pytest.fail("it waited"))
    assert reader(paths).read_all().runs[run].state is RunState.FAILED


def test_an_end_in_the_future_is_an_end(paths: Paths) -> None:
    run = write_run(paths)
    Path(paths.run(run), "exit.json").write_text(json.dumps({"code": 0, "ended": NOW + 9000, "wall_s": 3.0}))
    assert reader(paths).poll().runs[run].state is RunState.DONE
