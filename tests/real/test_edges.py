"""Callers in strange places: closed streams, a folder that is gone, names that are no text."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.core.runs import until
from tests.fronts import lend_fronts
from tests.real.product import COMMAND


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    lend_fronts(tmp_path / "c" / "cargo-deck")
    return {**os.environ, "XDG_STATE_HOME": str(tmp_path / "s"), "XDG_CACHE_HOME": str(tmp_path / "c")}


def shell(line: str, env: dict[str, str], cwd: Path) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["bash", "-c", line], env={**env, "DECK": COMMAND}, cwd=cwd, capture_output=True, check=False)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(closed: str, env: dict[str, str], tmp_path: Path) -> None:
    done = shell(f'"$DECK" exec -- /bin/sh -c "echo out; echo err >&2; exit 5" {closed}', env, tmp_path)
    assert done.returncode == 5
    assert done.stdout == (b"" if ">&-" in closed.replace("2>&-", "") else b"out\n")
    assert done.stderr == (b"" if "2>&-" in closed else b"err\n")


def test_a_folder_that_is_gone_leaves_the_plain_command(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    done = shell('cd gone && rmdir ../gone && "$DECK" exec -- /bin/echo hi', env, tmp_path)
    assert (done.returncode, done.stdout) == (0, b"hi\n")
    assert b"not recorded" in done.stderr


def test_words_that_are_no_text_reach_the_program_as_they_are(env: dict[str, str], tmp_path: Path) -> None:
    done = shell("\"$DECK\" exec -- /bin/echo $'a\\xffb' $'\\x1b]0;t\\x07'", env, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"a\xffb \x1b]0;t\x07\n", b"")
    listed = shell('"$DECK" ps', env, tmp_path)
    assert listed.returncode == 0
    assert b"\x1b]0" not in listed.stdout


def test_an_environment_that_is_no_text_is_no_obstacle(env: dict[str, str], tmp_path: Path) -> None:
    done = shell("ODD=$'x\\xfe' \"$DECK\" exec -- /bin/sh -c 'printf %s \"$ODD\"'", env, tmp_path)
    assert (done.returncode, done.stdout) == (0, b"x\xfe")


def test_a_pipe_whose_reader_left_ends_the_program_as_it_would_have(env: dict[str, str], tmp_path: Path) -> None:
    done = shell('"$DECK" exec -- yes | head -n 2; exit ${PIPESTATUS[0]}', env, tmp_path)
    assert done.stdout == b"y\ny\n"
    assert done.returncode == 141


def test_a_caller_whose_parent_died_before_it_could_look_runs_nothing_on(env: dict[str, str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "told")
    line = f'( read -r go < {tmp_path}/told; exec "$DECK" exec -- sleep 600 ) & exec true'
    subprocess.run(["setsid", "--wait", "bash", "-c", line], env={**env, "DECK": COMMAND}, check=True)
    (tmp_path / "told").write_text("go\n")  # its parent, the leader of its group, is gone
    (run,) = until(lambda: list((tmp_path / "s/cargo-deck/runs").glob("*/exit.json")), "the end of the run")
    assert '"stopped_by": "interrupt"' in run.read_text()
