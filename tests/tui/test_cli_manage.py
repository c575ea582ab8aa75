"""`wait`, `stop`, `forget`, `sweep`, `restart`: what they do, and when they come back."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.client import request
from core.errors import DeckError
from core.paths import Paths
from core.run.spawn import take_slot
from core.run.stop import is_live, stop_run
from tests.core.runs import exit_of, start_python, until
from tests.tui.commands import user_folders
from tui.cli import manage
from tui.cli.main import main

ROOT = Path(__file__).parents[2]
SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paths]:
    monkeypatch.setattr(manage, "_CLOSED_WITHIN_S", 0.0)
    found = user_folders(tmp_path, monkeypatch)
    yield found
    for run in os.listdir(found.open) if os.path.isdir(found.open) else ():
        stop_run(found, run, kill=True)


def test_wait_ends_with_the_code_of_the_first_that_failed(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    start_python(paths, "pass", agent="good")
    start_python(paths, "import sys; sys.exit(5)", agent="bad")
    assert main(["wait", "good", "bad", "good"]) == 5
    lines = sorted(line.rsplit("  ", 1)[0] for line in capsys.readouterr().out.splitlines())
    assert lines == ["bad  exit 5  0:00", "good  exit 0  0:00"]


def test_wait_comes_back_only_when_the_run_is_over(paths: Paths) -> None:
    run = start_python(paths, SLEEP, agent="a")
    with subprocess.Popen(
        [sys.executable, "-m", "tui.cli.main", "wait", "a", "--json"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.3)
        stop_run(paths, run, kill=True)
        said = json.loads(waiting.communicate(timeout=20)[0])
    assert waiting.returncode == 128 + 9
    assert (said["signal"], said["code"], said["is_lost"]) == (9, None, False)


def test_wait_says_that_a_run_is_lost(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    run = start_python(paths, "pass", agent="a")
    exit_of(paths, run)
    os.unlink(paths.run(run) + "/exit.json")
    assert main(["wait", "a"]) == 125
    assert "lost, exit unknown" in capsys.readouterr().out


def test_stop_comes_back_when_nothing_lives(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    run = start_python(paths, SLEEP, agent="a")
    assert main(["stop", "a", run]) == 0
    assert not is_live(paths, run)
    assert exit_of(paths, run)["stopped_by"] == "request"
    assert capsys.readouterr().out == f"{run}  stopped\n"
    assert main(["stop", "a"]) == 0
    assert capsys.readouterr().out == f"{run}  was over already\n"


def test_stop_reaches_a_run_that_is_still_starting(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start_python(paths, SLEEP, agent="a")
    answers = iter([False, False])
    monkeypatch.setattr(manage, "stop_run", lambda *a, **k: next(answers, None) is None and stop_run(*a, **k))
    assert main(["stop", "a", "--kill"]) == 0
    assert exit_of(paths, run)["is_killed"] is True


def test_stop_does_not_wait_for_ever_for_a_supervisor_that_cannot_be_found(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(manage, "_STARTS_WITHIN_S", 0.05)
    slot = take_slot(paths, "a", None)
    assert main(["stop", slot.run]) == 125
    assert "supervisor cannot be found" in capsys.readouterr().err
    os.close(slot.lock_fd)


def test_stop_says_who_is_still_alive(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(manage, "_SAY_AFTER_S", 0.05)
    deaf = "import signal\nfor n in (2, 15): signal.signal(n, signal.SIG_IGN)\nprint('deaf', flush=True)\n"
    run = start_python(paths, deaf + SLEEP, agent="a")
    until(lambda: Path(paths.run(run), "out.log").read_text() == "deaf\n", "the build's first line")
    stopping = threading.Thread(target=main, args=(["stop", "a"],))
    stopping.start()
    said = until(lambda: capsys.readouterr().err, "a word about who is alive")
    stop_run(paths, run, kill=True)
    stopping.join(20)
    assert "still alive: python" in said
    assert not stopping.is_alive()


def test_forget_removes_what_is_over_and_refuses_what_lives(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    over = start_python(paths, "pass", agent="over")
    exit_of(paths, over)
    live = start_python(paths, SLEEP, agent="live")
    assert main(["forget", "over", "live"]) == 2
    assert f"run {live} is not over yet" in capsys.readouterr().err
    assert os.path.isdir(paths.run(over))
    assert main(["forget", "over"]) == 0
    assert not os.path.exists(paths.run(over))
    assert os.listdir(paths.open) == [live]


def test_forget_removes_an_agents_newest_run_and_says_what_stays_or_all_that_are_over(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [start_python(paths, "pass", agent=agent) for agent in ("ada", "ada", "ada", "bob")]
    for run in runs:
        exit_of(paths, run)
    live = start_python(paths, SLEEP, agent="ada")
    assert main(["forget", runs[0]]) == 0
    assert capsys.readouterr().out == f"{runs[0]}  forgotten\n"
    assert main(["forget", "bob"]) == 0
    assert capsys.readouterr().out == f"{runs[3]}  forgotten\n"
    assert main(["stop", live, "--kill"]) == 0
    capsys.readouterr()
    assert main(["forget", "ada"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{live}  forgotten", "ada has 2 other runs, which stay: cargo deck forget --all ada removes what is over",
    ]  # fmt: skip
    live = start_python(paths, SLEEP, agent="ada")
    assert main(["forget", "--all", "ada"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{run}  forgotten" for run in runs[1:3]]
    assert os.listdir(paths.runs) == [live]
    assert main(["forget", "--all", live]) == 2
    assert "--all goes with names of agents" in capsys.readouterr().err


def test_sweep_says_what_goes_and_then_does_it(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    run = start_python(paths, "pass", agent="a")
    exit_of(paths, run)
    os.unlink(f"{paths.open}/{run}")
    record = Path(paths.run(run), "run.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), "started": 1.0}))
    assert main(["sweep", "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert "older than 14 days" in planned
    assert "would free" in planned
    assert os.path.isdir(paths.run(run))
    assert main(["sweep"]) == 0
    assert capsys.readouterr().out == planned.replace("would free", "freed")
    assert not os.path.exists(paths.run(run))


def test_restart_starts_the_command_again_and_stops_what_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                               capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    paths = Paths(f"{tmp_path}/cargo-deck", f"{tmp_path}/cache/cargo-deck")
    run = start_python(paths, SLEEP, agent="a")
    try:
        assert main(["restart", "a", "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["of"] == run
        assert exit_of(paths, run)["stopped_by"] == "request"
        assert is_live(paths, said["run"])
        assert main(["stop", "a", "--kill"]) == 0
        assert main(["forget", "a"]) == 0
        assert not os.path.exists(paths.run(said["run"]))
    finally:
        shut_down(paths)


def shut_down(paths: Paths) -> None:
    """End the engine that a command started."""
    try:
        request(paths, {"do": "shutdown"})
    except DeckError as error:
        pytest.fail(f"the engine cannot be ended: {error}")


def test_a_state_folder_that_cannot_be_read_is_a_sentence(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    for words in (["wait", "a"], ["logs", "a"], ["stop", "a"], ["forget", "a"]):
        assert main(words) == 2
        assert "there are no runs yet" in capsys.readouterr().err
    assert main(["ps"]) == 0
