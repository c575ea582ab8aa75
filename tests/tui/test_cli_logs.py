"""`logs`: lines in the order in which they came, whole, and safe where a terminal shows them."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import events as e
from core.paths import Paths
from core.run.spawn import new_run_id
from core.run.stop import stop_run
from tests.core.runs import exit_of, log_of, start_python, until
from tests.real.ptys import run_in_terminal
from tests.tui.commands import user_folders
from tui.cli.main import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    return user_folders(tmp_path, monkeypatch)


def write_run(paths: Paths, out: bytes, err: bytes | None = None, grown: tuple[tuple[e.Stream, int], ...] = ()) -> str:
    run = new_run_id(1_800_000_000.0)
    folder = Path(paths.run(run))
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(
        json.dumps({"agent": "a", "started": 1.0, "streams": 1 if err is None else 2, "parser": "generic"})
    )
    (folder / "out.log").write_bytes(out)
    if err is not None:
        (folder / "err.log").write_bytes(err)
    events = [e.to_record(e.OutputGrew(2.0, stream, lines, 0)) for stream, lines in grown]
    (folder / "events.jsonl").write_text("".join(json.dumps(x) + "\n" for x in [{"schema": 1, "run": run}, *events]))
    return run


@pytest.fixture
def two_streams(paths: Paths) -> str:
    return write_run(paths, b"o1\no2\no3", b"e1\ne2\n", (("out", 1), ("err", 1), ("out", 2), ("err", 2)))


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["logs", *words]) == 0
    return capsys.readouterr().out


def test_two_streams_come_in_the_order_in_which_they_grew(two_streams: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "a") == "o1\ne1\no2\ne2\no3\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [(("-n", "2"), "e2\no3\n"), (("-n", "0"), ""), (("--err",), "e1\ne2\n"), (("--out", "-n1"), "o3\n")],
)
def test_a_part_can_be_chosen(
    words: tuple[str, ...], text: str, two_streams: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert printed(capsys, "a", *words) == text


def test_without_a_journal_every_line_is_still_there(
    two_streams: str, paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    os.unlink(paths.run(two_streams) + "/events.jsonl")
    assert printed(capsys, "a") == "o1\no2\no3\ne1\ne2\n"


def test_raw_is_every_byte(paths: Paths, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    log = b"\x1b]0;x\x07\xff\r\n   Building [=>  ] 1/2\rno newline"
    write_run(paths, log)
    assert main(["logs", "a", "--raw"]) == 0
    assert capsysbinary.readouterr().out == log


@pytest.mark.parametrize(
    ("words", "why"), [(("--raw", "-n", "1"), "--raw"), (("--raw", "--json"), "--raw"), (("-n", "-1"), "0 or more")]
)
def test_what_does_not_go_together_is_a_sentence(
    words: tuple[str, ...], why: str, two_streams: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["logs", "a", *words]) == 2
    assert why in capsys.readouterr().err


def test_one_log_for_both_streams_cannot_be_taken_apart(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(paths, b"x\n")
    assert main(["logs", "a", "--err"]) == 2
    assert "were one stream" in capsys.readouterr().err


def test_a_log_that_was_removed_is_a_sentence(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    os.unlink(paths.run(write_run(paths, b"")) + "/out.log")
    assert main(["logs", "a"]) == 2
    assert "has no log" in capsys.readouterr().err


def test_a_reader_that_leaves_early_ends_it_quietly(paths: Paths) -> None:
    write_run(paths, b"line\n" * 200_000)
    command = f"{sys.executable} -m tui.cli.main logs a | head -n 1"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("line\n", "")


@pytest.fixture
def talker(paths: Paths, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A live run that prints each line that is put into a file, as it stands there."""
    script = tmp_path / "script"
    script.touch()
    code = (
        "import sys, time\nfile = open(sys.argv[1])\n"
        "while True:\n"
        "    text = file.read()\n"
        "    if 'END' in text: break\n"
        "    sys.stdout.write(text); sys.stdout.flush(); time.sleep(0.01)\n"
    )
    run = start_python(paths, code, str(script), agent="a")
    yield run, script
    stop_run(paths, run, kill=True)
    exit_of(paths, run)


def test_following_gives_whole_lines_until_the_run_ends(talker: tuple[str, Path], paths: Paths) -> None:
    run, script = talker
    command = [sys.executable, "-u", "-m", "tui.cli.main", "logs", "a", "-f"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.extend(follower.stdout or ()))
        reader.start()
        add(script, "first\nsec")
        until(lambda: lines, "the first line")
        add(script, "ond\n")
        until(lambda: len(lines) > 1, "the second line")
        add(script, "open end")
        until(lambda: log_of(paths, run).endswith("open end"), "the open line")
        add(script, "END")
        reader.join(20)
        assert follower.wait(20) == 0
    assert lines == ["first\n", "second\n", "open end\n"]


def test_a_terminal_is_given_nothing_that_it_would_obey(paths: Paths, tmp_path: Path) -> None:
    write_run(paths, b"\x1b]0;title\x07\x1b[2Jplain \x1b[31mred\n\xc2\x9b2J[bold]x\n", b"oops\n")
    env = {**os.environ, "TERM": "xterm"}
    env.pop("NO_COLOR", None)
    seen = run_in_terminal(f"{sys.executable} -m tui.cli.main logs a", cwd=str(ROOT), env=env).out
    assert seen == b"out \xe2\x94\x82 plain \x1b[31mred\x1b[0m\r\nout \xe2\x94\x82 [bold]x\r\nerr \xe2\x94\x82 oops\r\n"
    without = run_in_terminal(f"{sys.executable} -m tui.cli.main logs a", cwd=str(ROOT), env={**env, "NO_COLOR": "1"})
    assert b"\x1b" not in without.out


def add(script: Path, text: str) -> None:
    with open(script, "a") as file:
        file.write(text)
