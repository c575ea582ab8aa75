"""The dashboard in a real terminal: tmux, real runs, real keys."""

import os
import signal
import subprocess
import sys

from core.paths import Paths
from core.run.stop import is_live
from tests.core.runs import until
from tests.real.product import COMMAND
from tests.real.terminal import Terminal

PROGRAM = """
import time
for n in range(10**6):
    print('line', n, '\\x1b]0;title\\x07[bold]', flush=True)
    time.sleep(0.1)
"""


def test_a_run_is_watched_zoomed_stopped_and_left(terminal: Terminal) -> None:
    started = subprocess.run(
        [COMMAND, "exec", "--detach", "--agent", "speaker", "--", sys.executable, "-c", PROGRAM],
        env=terminal.env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    run = started.stdout.strip()
    assert os.path.isdir(f"{terminal.state}/runs/{run}")
    terminal.type(COMMAND)
    terminal.shows("speaker")
    terminal.shows("q leave")
    terminal.shows("line 3 [bold]")
    terminal.keys("Enter")
    terminal.shows("follows the end")
    terminal.shows("out.log")
    terminal.keys("Escape")
    terminal.shows("↵ open")
    terminal.shows("q leave (1 go on)")
    terminal.keys("x")
    terminal.shows("stopped")
    assert not _is_live(terminal, run)
    terminal.keys("q")
    left = terminal.shows("logs: ")
    assert "cargo deck   " not in left
    terminal.type("stty -a | grep -o ' echo '; tput cols")
    terminal.shows("120")


def test_a_killed_engine_is_started_again_by_the_open_board(terminal: Terminal) -> None:
    subprocess.run(
        [COMMAND, "exec", "--detach", "--agent", "speaker", "--", sys.executable, "-c", PROGRAM],
        env=terminal.env, capture_output=True, check=True,
    )  # fmt: skip
    terminal.type(COMMAND)
    terminal.shows("line 2")
    first = terminal.engine_pid()
    os.kill(first, signal.SIGKILL)
    until(lambda: terminal.engine_pid() not in (0, first), "another engine")
    terminal.keys("X")
    terminal.shows("Kill speaker's build?")
    terminal.keys("y")
    terminal.shows("killed")


def _is_live(terminal: Terminal, run: str) -> bool:
    return is_live(Paths(terminal.state, terminal.state), run)
