"""`ps` and `top`: the table, what it gives up when there is little room, and its plain stream."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyte
import pytest

from core import events as e
from core.paths import Paths
from core.reduce import reduce_run
from core.run.stop import stop_run
from core.state import Board, Run
from tests.core.runs import exit_of, start_python, until
from tests.real.ptys import Terminal
from tests.scene import board_at
from tests.tui.commands import user_folders
from tui import format as f
from tui.cli import common
from tui.cli.listing import newest_of_each, run_record, table
from tui.cli.main import main

ROOT = Path(__file__).parents[2]
TOP = [sys.executable, "-u", "-m", "tui.cli.main", "top"]


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    return user_folders(tmp_path, monkeypatch)


def run_of(*events: e.Event, command: str = "build", checkout: str = "/home/ada/src/engine") -> Run:
    run = reduce_run(None, [e.RunStarted(0.0, "20260101-120000-000-aaaa", "claude-1", command, "cargo", "build",
                                         checkout, checkout, "/t", False, False, False), *events])  # fmt: skip
    assert run is not None
    return run


def board(*runs: Run) -> Board:
    return Board({str(n): run for n, run in enumerate(runs)}, now=100.0)


def ended(code: int | None = 0, sig: int | None = None, by: str | None = None) -> e.RunEnded:
    return e.RunEnded(62.0, code, sig, 62.0, 1.0, 1.0, 1, by, is_killed=sig == 9)


def row_of(run: Run) -> str:
    return " ".join(table(board(run), [run], None)[1].split())


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (e.ProgressMoved(1.0, 3, 9, ("a",), "units"), "● building 3/9 1:40 – –"),
        (e.ProgressMoved(1.0, 3, None, (), "units"), "● building 3/? 1:40 – –"),
        (e.ProgressMoved(1.0, 40, 100, (), "percent"), "● building 40 % 1:40 – –"),
        (e.TypicalRecalled(1.0, 148.0, (), 2), "● building – 1:40 ≈0:48 –"),
        (ended(), "✓ done – 1:02 – –"),
        (ended(101), "✗ failed 101 – 1:02 – –"),
        (ended(None, 11), "✗ killed by 11 – 1:02 – –"),
        (ended(None, 9, "request"), "■ killed by 9 – 1:02 – –"),
        (ended(None, 2, "interrupt"), "■ stopped – 1:02 – –"),
        (e.RunLost(30.0), "? lost – 0:30 – –"),
        (e.TestsCounted(2.0, 5, 2, 0), "● testing – 1:40 – 2 tests"),
    ],
)
def test_a_row_says_state_progress_time_and_failures(event: e.Event, said: str) -> None:
    suite = (e.TestSuiteStarted(1.0, "unit", 7),) if isinstance(event, e.TestsCounted) else ()
    assert row_of(run_of(*suite, event)) == f"claude-1 {said} 20260101-120000-000-aaaa /home/ada/src/engine build"


def test_a_live_run_says_what_defeats_its_settings_and_one_that_is_over_does_not() -> None:
    rows = (
        ("no-lto", "hint", "thin LTO would do", (), "", ""),
        ("x", "warning", "sccache\x1b[2J caches\n nothing", (), "", ""),
    )
    seen = e.ContradictionsSeen(0.0, rows)
    assert row_of(run_of(seen)).endswith(" build ⚠ sccache caches nothing")
    assert row_of(run_of(seen, ended())).endswith(" build")
    assert row_of(run_of(e.ContradictionsSeen(0.0, rows[:1]))).endswith(" build")


def test_who_waits_says_for_whom() -> None:
    holder = replace(run_of(), run="20260101-110000-000-0000", agent="codex")
    waiting = run_of(e.LockWaitBegan(69.0, "build directory"))
    lines = table(board(holder, waiting), [holder, waiting], None)
    assert lines[2].endswith("build   waits for codex's build · build directory lock · 31 s")
    assert run_record(board(holder, waiting), waiting)["waits_on"] == {"run": holder.run, "agent": "codex"}


@pytest.mark.parametrize("room", [40, 60, 80, 100, 140, 300])
def test_the_table_fits_the_terminal_and_the_command_goes_last(room: int) -> None:
    scene = board_at(60.0)
    runs = [*scene.runs.values(), run_of(command="build " + "--features 日本語 " * 20)]
    lines = table(scene, runs, room)
    assert len(lines) == len(runs) + 1
    assert max(map(f.cell_len, lines)) <= room
    assert all(str(run.state) in line for run, line in zip(runs, lines[1:], strict=True))
    assert ("build -" in lines[-1]) == (room > 40)
    assert ("20260101-120000-000-aaaa" in lines[-1]) == (room > 40)


def test_the_name_of_a_run_is_the_last_thing_that_a_narrow_terminal_takes_away() -> None:
    run = run_of(e.ProgressMoved(1.0, 3, 9, ("a",), "units"), command="build --release --bin orchard-gateway")
    headings = [table(board(run), [run], room)[0].split() for room in (80, 60, 50, 30)]
    assert headings[0] == ["agent", "state", "done", "time", "run", "command"]
    assert headings[1] == ["agent", "state", "run", "command"]
    assert headings[2:] == [["agent", "state", "run"], ["agent", "state"]]


def test_a_pipe_gets_each_row_whole_and_in_columns(paths: Paths) -> None:
    code = f"pass  # {'x' * 300}"
    for agent in ("a", "a-long-name"):
        exit_of(paths, start_python(paths, code, agent=agent))
    env = {**os.environ, "COLUMNS": "40"}
    said = subprocess.run([*TOP, "--once"], cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout
    heading, *rows = said.splitlines()[:3]
    at = heading.index("  command") + 2
    assert [row[at:].endswith(code) or code in row[at:] for row in rows] == [True, True]
    assert {row[at - 1] for row in rows} == {" "}


def test_builds_before_the_last_one_of_an_agent_are_listed_only_on_demand(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [start_python(paths, "pass", agent=agent) for agent in ("ada", "ada", "bob")]
    for run in runs:
        exit_of(paths, run)
    assert main(["ps"]) == 0
    said = capsys.readouterr().out
    assert [run in said for run in runs] == [False, True, True]
    assert "1 earlier build of the last hour: cargo deck ps --all" in said.splitlines()
    assert main(["ps", "--all"]) == 0
    said = capsys.readouterr().out
    assert [run in said for run in runs] == [True, True, True]
    assert "earlier" not in said


def test_of_an_agents_builds_those_that_are_live_stay() -> None:
    old, over, new = (replace(run_of(*events), run=f"r{n}") for n, events in enumerate([(), (ended(),), (ended(),)]))
    assert newest_of_each([old, over, new]) == [old, new]


def test_foreign_text_is_harmless_in_the_table() -> None:
    hostile = run_of(command="build \x1b]0;x\x07\x1b[2J[red]\udcff\ud83d\n--x")
    (line,) = table(board(hostile), [hostile], None)[1:]
    assert line.endswith("build [red]??--x")
    assert "\x1b" not in line
    noted = Board({}, notes=("run x\x1b[2J cannot be read",))
    assert table(noted, [], 20) == [table(noted, [], 20)[0], "note: run x cannot …"]


def test_an_empty_board_says_how_to_begin(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ps"]) == 0
    assert capsys.readouterr().out.startswith("No builds. Start one: cargo deck build")
    assert main(["ps", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == []


def test_what_ended_an_hour_ago_is_listed_only_on_demand(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    run = start_python(paths, "pass", agent="early")
    exit_of(paths, run)
    exit_json = Path(paths.run(run), "exit.json")
    record = json.loads(exit_json.read_text())
    exit_json.write_text(json.dumps({**record, "ended": record["ended"] - 3700}))
    main(["ps"])
    assert "early" not in capsys.readouterr().out
    main(["ps", "--all"])
    assert "early" in capsys.readouterr().out


def test_a_terminal_without_unicode_gets_plain_signs(paths: Paths) -> None:
    exit_of(paths, start_python(paths, "pass", agent="a"))
    env = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    said = subprocess.run([*TOP, "--once"], cwd=ROOT, env=env, capture_output=True, check=True).stdout.decode("ascii")
    assert "+ done" in said


@pytest.fixture
def sleeper(paths: Paths) -> Callable[[], str]:
    return lambda: start_python(paths, "import time; time.sleep(60)", agent="sleeper")


def test_top_streams_changes_where_there_is_no_terminal(paths: Paths, sleeper: Callable[[], str]) -> None:
    run = sleeper()
    with subprocess.Popen(TOP, cwd=ROOT, stdout=subprocess.PIPE, text=True) as top:
        assert top.stdout is not None
        assert "sleeper  starts" in top.stdout.readline()
        assert "sleeper  running" in top.stdout.readline()
        stop_run(paths, run, kill=True)
        assert "sleeper  killed   signal 9" in top.stdout.readline()
        top.send_signal(signal.SIGINT)
        assert top.wait(10) == 0


def test_who_waits_for_changes_ends_where_nobody_reads_any_more() -> None:
    reads, writes = os.pipe()
    common.rest(0.0, writes)
    os.close(reads)
    with pytest.raises(SystemExit) as ended:
        common.rest(60.0, writes)
    os.close(writes)
    assert ended.value.code == 141


def test_top_redraws_in_place_and_leaves_with_ctrl_c(paths: Paths, sleeper: Callable[[], str]) -> None:
    for _ in range(3):
        exit_of(paths, start_python(paths, "pass", agent="over"))
    run = sleeper()
    screen = pyte.Screen(80, 5)
    stream = pyte.ByteStream(screen)
    own = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}  # snapshots leave theirs behind
    terminal = Terminal(TOP, cwd=str(ROOT), env={**own, "TERM": "xterm"}, columns=80, rows=5)
    frames = 0
    try:
        while frames < 3:
            chunk = os.read(terminal.master, 1 << 16)
            frames += chunk.count(b"\x1b[J")
            stream.feed(chunk)
        os.write(terminal.master, b"\x03")
        assert until(lambda: terminal.child.poll() is not None, "the end of top")
        assert terminal.child.returncode == 0
    finally:
        stop_run(paths, run, kill=True)
        exit_of(paths, run)
        terminal.child.wait()
        os.close(terminal.master)
    shown = [line.rstrip() for line in screen.display]
    assert shown[0].startswith("agent")
    assert sum("sleeper" in line for line in shown) == 1
    assert "1 running · 3 done   … 2 more: cargo deck ps --all" in shown
