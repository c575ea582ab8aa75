"""`run-all`: several builds, one reader, one exit code; and how all of them are stopped at once."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.facts import read_exit
from core.paths import Paths
from core.run.stop import is_live, stop_run
from core.runs import run_ids
from tests.core.runs import DEADLINE_S, until
from tests.real.ptys import Terminal
from tests.tui.commands import user_folders
from tui.cli.main import main

ROOT = Path(__file__).parents[2]
RUN_ALL = [sys.executable, "-m", "tui.cli.main", "run-all"]
DEAF = "trap 'echo heard' INT TERM; echo ready; while :; do sleep 0.05; done"
CHATTY = "a=sh -c 'while echo y; do sleep 0.01; done'"


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paths]:
    found = user_folders(tmp_path, monkeypatch)
    (Path(found.engine)).mkdir(parents=True)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield found
    for run in os.listdir(found.open) if os.path.isdir(found.open) else ():
        stop_run(found, run, kill=True)


def run_all(*jobs: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN_ALL, *jobs], cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S)


@contextlib.contextmanager
def started(*jobs: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*RUN_ALL, *jobs], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def nothing_lives(paths: Paths) -> bool:
    return not any(is_live(paths, run) for run in run_ids(paths))


def test_lines_stand_behind_their_agents_names_and_none_is_missing(paths: Paths) -> None:
    said = run_all("a=sh -c 'seq 3; printf end'", r"long=printf 'x\ny'")
    assert said.returncode == 0
    assert sorted(said.stdout.splitlines()) == [
        "a    │ 1",
        "a    │ 2",
        "a    │ 3",
        "a    │ end",
        "long │ x",
        "long │ y",
    ]
    assert said.stderr == "cargo-deck: all 2 done\n"


def test_a_flood_without_line_ends_is_whole(paths: Paths) -> None:
    said = run_all("a=sh -c 'head -c 700000 /dev/zero | tr \"\\\\0\" x; echo; echo last'")
    assert said.stdout.splitlines()[-1] == "a │ last"
    assert said.stdout.startswith("a │ xxxx")


def test_it_ends_with_the_code_of_the_first_that_failed_and_names_it(paths: Paths) -> None:
    said = run_all("good=true", "late=sh -c 'sleep 0.4; exit 4'", "early=sh -c 'exit 3'")
    assert said.returncode == 3
    assert re.fullmatch(
        r"cargo-deck: 1 of 3 done; the first that failed: early \(exit 3\), log .*/out.log\n", said.stderr
    )


def test_a_build_that_died_of_a_signal_is_named_with_it(paths: Paths) -> None:
    said = run_all("a=sh -c 'kill -9 $$'")
    assert said.returncode == 128 + 9
    assert "a (signal 9)" in said.stderr


@pytest.mark.parametrize(
    ("jobs", "sentence"),
    [
        (["true", "no-such-program x"], "no-such-program: no such program on PATH"),
        (["a=true", "a=true"], "two commands have the same name"),
        (["true", "x='"], "cannot split"),
        (["true", "''"], "no such program"),
        (["--detach"], "run-all needs commands"),
        (["--nosuch", "true"], "run-all does not know '--nosuch'"),
        (["true", "exec"], "exec needs a command"),
        (["--mode"], "--mode needs a name"),
        (["--mode", "dev"], "run-all needs commands"),
        (["--mode=dev", "true", "ninja=exec true"], "none of these is one"),
        (["a=build --mode dev", "true"], "ours stand before all commands"),
        (["a=cargo test --mode=dev -- x", "true"], "--mode=dev is no option of cargo's"),
        (["a=check --agent x", "true"], "as in a='build'"),
        (["true", "--mode", "dev"], "run-all does not know '--mode'"),
    ],
)
@pytest.mark.parametrize("detached", [[], ["--detach"]])
def test_one_bad_command_refuses_before_anything_starts(
    jobs: list[str], sentence: str, detached: list[str], paths: Paths, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["run-all", *detached, *jobs]) == 2
    assert sentence in capfd.readouterr().err
    assert run_ids(paths) == []


@pytest.fixture
def crate(tmp_path: Path) -> Path:
    """A crate, and a cargo that says with what it was called."""
    (tmp_path / "ws" / "src").mkdir(parents=True)
    (tmp_path / "ws" / "Cargo.toml").write_text('[package]\nname = "a"\nversion = "1.0.0"\nedition = "2021"\n')
    (tmp_path / "ws" / "src" / "lib.rs").touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "cargo").write_text('#!/bin/sh\necho "called $*"\n')
    (tmp_path / "bin" / "cargo").chmod(0o755)
    return tmp_path / "ws"


def run_there(crate: Path, *jobs: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": f"{crate.parent}/bin:{os.environ['PATH']}"}
    return subprocess.run(
        [*RUN_ALL, *jobs], cwd=crate, capture_output=True, text=True, timeout=DEADLINE_S, env=env, check=False
    )


def test_a_mode_is_for_all_that_is_cargos(paths: Paths, crate: Path) -> None:
    said = run_there(crate, "--mode", "release", "a=check", "b=exec true", "c=cargo xt --mode its")
    assert said.returncode == 0, said.stderr
    records = [json.loads(Path(paths.run(run), "run.json").read_text()) for run in run_ids(paths)]
    modes = {record["agent"]: (record["mode"], record["mode_asked"]) for record in records}
    assert modes == {"a": ("release", "release"), "b": (None, None), "c": (None, "release")}
    assert "c │ called xt --mode its" in said.stdout
    lost = "cargo-deck: c: this command line is run as plain cargo runs it: without the mode 'release'"
    assert [line for line in said.stderr.splitlines() if "mode" in line] == [lost]


def test_what_is_said_before_a_build_stands_behind_its_agents_name(paths: Paths, crate: Path) -> None:
    (crate / "deck.toml").write_text('mode = "devv"\n')
    said = run_there(crate, "a=check", "b=true")
    assert said.returncode == 0, said.stderr
    first = said.stderr.splitlines()[0]
    assert first.startswith(f'cargo-deck: a: {crate}/deck.toml, line 1: there is no mode "devv"')


def test_detached_ones_are_named_and_go_on(paths: Paths) -> None:
    said = run_all("--detach", "a=sleep 60", "b=true")
    first, second = said.stdout.split()
    assert said.returncode == 0
    assert run_ids(paths) == [first, second]
    assert is_live(paths, first)


def test_an_interrupt_stops_all_of_them(paths: Paths) -> None:
    with started("a=sh -c 'echo ready; exec sleep 60'", "b=sh -c 'echo ready; exec sleep 60'") as process:
        assert process.stdout is not None
        assert {process.stdout.readline()[4:], process.stdout.readline()[4:]} == {"ready\n"}
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 128 + signal.SIGINT
    assert "0 of 2 done" in err
    assert nothing_lives(paths)


def test_a_second_ctrl_c_kills_what_ignored_the_first(paths: Paths) -> None:
    terminal = Terminal([*RUN_ALL, f'a=sh -c "{DEAF}"', f'b=sh -c "{DEAF}"'], cwd=str(ROOT), env=dict(os.environ),
                        columns=80, rows=24)  # fmt: skip
    shown = b""
    try:
        while shown.count(b"ready") < 2:
            shown += os.read(terminal.master, 4096)
        os.write(terminal.master, b"\x03")
        while shown.count(b"heard") < 2:
            shown += os.read(terminal.master, 4096)
        os.write(terminal.master, b"\x03")
        until(lambda: terminal.child.poll() is not None, "the end of run-all")
        assert terminal.child.returncode == 128 + signal.SIGKILL
        ends = [read_exit(paths, run) for run in run_ids(paths)]
        assert [found.ended.signal for found in ends if found is not None] == [9, 9]
        assert nothing_lives(paths)
    finally:
        terminal.child.kill()
        terminal.child.wait()
        os.close(terminal.master)


def test_programs_end_with_their_reader(paths: Paths) -> None:
    with started(CHATTY) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "a │ y\n"
        process.stdout.close()
        assert process.wait(DEADLINE_S) == 128 + signal.SIGPIPE
    assert nothing_lives(paths)


def test_a_reader_that_stands_still_holds_no_signal_up(paths: Paths) -> None:
    with started("a=sh -c 'seq 100000; exec sleep 60'") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "a │ 1\n"
        process.send_signal(signal.SIGTERM)
        until(lambda: nothing_lives(paths), "the end of the build, though nobody reads")
        shown = process.stdout.read()
        assert process.wait(DEADLINE_S) == 128 + signal.SIGTERM
    (run,) = run_ids(paths)
    printed = Path(paths.run(run), "out.log").read_text()
    assert "a │ 1\n" + shown == "".join(f"a │ {line}\n" for line in printed.splitlines())


def test_who_kills_run_all_leaves_no_build_behind(paths: Paths) -> None:
    with started("a=sh -c 'echo ready; exec sleep 60'") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        until(lambda: nothing_lives(paths), "the end of an owned build")
