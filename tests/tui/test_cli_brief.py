"""`--brief`: what an agent is told, when, and nothing else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import events as e
from core.facts import read_exit
from core.paths import Paths
from core.reduce import reduce_run
from core.run import begin, compose, owner
from core.run.spawn import Started
from core.run.stop import is_live, stop_run
from core.run.target import Target
from core.runs import run_ids
from core.state import MAX_FAILED_TESTS, Run
from tests.core.runs import DEADLINE_S, until
from tests.tui.commands import user_folders
from tui.cli.brief import MAX_ERRORS, Pace, outcome_lines, progress_line

ROOT = Path(__file__).parents[2]
EXEC = [sys.executable, "-m", "tui.cli.main", "exec", "--brief", "--", "sh", "-c"]
OWN = Target("/w/target", "default", "")
STARTED = e.RunStarted(0.0, "r", "a", "test", "cargo", "test", "/w", "/w", "/w/target", False, True, False)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paths]:
    found = user_folders(tmp_path, monkeypatch)
    yield found
    for run in os.listdir(found.open) if os.path.isdir(found.open) else ():
        stop_run(found, run, kill=True)


def known(*events: e.Event) -> Run:
    run = reduce_run(None, [STARTED, *events])
    assert run is not None
    return run


def begun(folder: Path = Path("/s/runs/r"), target: Target = OWN) -> begin.Begun:
    composed = compose.Composed(("test",), "ours", True, True, (), False, False, "cargo")
    return begin.Begun(Started("r", str(folder), 1, -1, -1), composed, target, None, "test")


def ended(code: int | None = 0, number: int | None = None, **record: object) -> owner.Ending:
    return owner.Ending(code, number, {"code": code, **record})


def error(n: int = 1) -> e.DiagnosticEmitted:
    return e.DiagnosticEmitted(
        1.0, "error", f"no {n}", "E0308", "src/a.rs", n, 5, f"error[E0308]: no {n}\n --> src/a.rs:{n}:5\n"
    )


def test_progress_is_said_at_15_s_1_5_15_min_and_then_every_15_min() -> None:
    pace = Pace(0.0)
    assert [second for second in range(3000) if pace.is_due(float(second))] == [15, 60, 300, 900, 1800, 2700]


def test_who_slept_through_several_moments_says_it_once() -> None:
    pace = Pace(0.0)
    assert pace.is_due(1000.0)
    assert not pace.is_due(1001.0)
    assert pace.is_due(1800.0)


def test_errors_come_with_their_place_before_counts_and_log() -> None:
    warning = e.DiagnosticEmitted(1.0, "warning", "unused", None, "a.rs", 1, 1, "warning: unused")
    unit = e.UnitFinished(2.0, "libc", "libc", "1.0", "lib", False, 1.0)
    run = known(unit, warning, error(7))
    assert outcome_lines(run, ended(101), 75.0, begun()) == [
        "error[E0308]: no 7",
        " --> src/a.rs:7:5",
        "failed, exit 101 · 1 error, 1 warning · 1 unit built, 0 fresh · 1:15",
        "log: /s/runs/r/out.log",
    ]


def test_a_success_is_two_lines() -> None:
    assert outcome_lines(known(), ended(), 3.0, begun()) == ["ok · 0:03", "log: /s/runs/r/out.log"]


def test_many_errors_and_failed_tests_are_counted_not_listed() -> None:
    lines = outcome_lines(known(*map(error, range(MAX_ERRORS + 5))), ended(101), 1.0, begun())
    assert lines[-3] == "… and 5 more errors"
    assert len(lines) == 2 * MAX_ERRORS + 3
    tests = [e.TestFinished(1.0, f"t{n}", "lib", "failed", None) for n in range(MAX_FAILED_TESTS + 1)]
    counted = e.TestsCounted(1.0, 2, len(tests), 0)
    lines = outcome_lines(known(*tests, counted), ended(101), 1.0, begun())
    assert lines[0] == "test failed: t0 (lib)"
    assert lines[MAX_ERRORS] == f"… and {len(tests) - MAX_ERRORS} more failed tests"
    assert f"tests: 2 passed, {len(tests)} failed, 0 ignored" in lines[-2]


def test_foreign_text_is_harmless() -> None:
    evil = e.DiagnosticEmitted(1.0, "error", "x", None, None, None, None, "\x1b]0;title\x07error: \x1b[31mred\x9b2J")
    (first, *_) = outcome_lines(known(evil), ended(101), 1.0, begun())
    assert first.isprintable()
    assert progress_line(known(e.ProgressMoved(1.0, 0, 4, ("a\x1b[2J",), "units")), 15.0).isprintable()


def test_a_stop_a_private_folder_and_a_dead_supervisor_are_said() -> None:
    assert outcome_lines(known(), ended(None, 2, stopped_by="owner"), 1.0, begun())[0] == "stopped, signal 2 · 0:01"
    private = begun(target=Target("/c/private", "private", "another agent builds here"))
    assert outcome_lines(known(), ended(), 1.0, private)[1] == "binaries: /c/private"
    assert outcome_lines(known(), owner.Ending(None, None, {}), 1.0, begun())[0].startswith("the supervisor of this")


def test_where_nothing_is_known_for_an_error_the_log_ends_the_answer(tmp_path: Path) -> None:
    hidden = '{"reason":"compiler-artifact"}\n'
    (tmp_path / "out.log").write_text("".join(f"line {n}\n" for n in range(30)) + hidden + "\x1b[31mlast\x1b[0m")
    lines = outcome_lines(known(), ended(3), 1.0, begun(tmp_path))
    assert lines[:-2] == [*(f"line {n}" for n in range(21, 30)), "last"]
    (tmp_path / "out.log").write_bytes(b"x" * (3 << 20) + b"\nend\n")
    assert outcome_lines(known(), ended(3), 1.0, begun(tmp_path))[:-2] == ["end"]


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ((), "15 s: building"),
        ((e.ProgressMoved(1.0, 12, 40, ("serde", "syn"), "units"),), "15 s: building 12/40: serde, syn"),
        ((e.ProgressMoved(1.0, 84, 100, (), "percent"),), "15 s: building 84 %"),
        ((e.LockWaitBegan(1.0, "build directory"),), "15 s: waiting for the build directory lock"),
    ],
)
def test_progress_is_one_line(events: tuple[e.Event, ...], line: str) -> None:
    assert progress_line(known(*events), 15.9) == line


def test_a_build_of_any_kind_is_told_in_few_lines(paths: Paths) -> None:
    said = subprocess.run([*EXEC, "seq 30; echo bad >&2; exit 3"], cwd=ROOT, capture_output=True, text=True)
    (run,) = run_ids(paths)
    *shown, counts, log = said.stdout.splitlines()
    assert shown == [*map(str, range(22, 31)), "bad"]
    assert counts == "failed, exit 3 · 0:00"
    assert log == f"log: {paths.run(run)}/out.log"
    assert (said.returncode, said.stderr) == (3, "")


def test_a_reader_that_is_gone_neither_starts_the_build_again_nor_changes_its_code(paths: Paths) -> None:
    with subprocess.Popen([*EXEC, "read line; exit 3"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate("go\n", timeout=DEADLINE_S)
    assert (process.returncode, err) == (3, "")
    assert len(run_ids(paths)) == 1


def test_it_dies_as_its_build_died_and_an_interrupt_stops_it(paths: Paths) -> None:
    with subprocess.Popen([*EXEC, "echo up; exec sleep 60"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        run = until(lambda: next(iter(run_ids(paths)), None), "the run")
        log = Path(paths.run(run), "out.log")
        until(lambda: log.exists() and log.read_text() == "up\n", "its first line")
        process.send_signal(2)
        out, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == -2
    assert "stopped, signal 2" in out
    assert not is_live(paths, run)
    found = read_exit(paths, run)
    assert found is not None
    assert found.ended.signal == 2
