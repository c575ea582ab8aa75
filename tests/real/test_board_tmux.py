"""The dashboard in a real terminal: tmux, real runs, real keys."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.run.stop import is_live
from tests.core.runs import until
from tests.real.product import COMMAND

PROGRAM = """
import time
for n in range(10**6):
    print('line', n, '\\x1b]0;title\\x07[bold]', flush=True)
    time.sleep(0.1)
"""


class Terminal:
    """One tmux window of its own server."""

    def __init__(self, folder: Path) -> None:
        self.socket = str(folder / "tmux")
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("TMUX") and k != "NO_COLOR"},
            "XDG_STATE_HOME": str(folder / "s"), "XDG_CACHE_HOME": str(folder / "c"),
            "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PS1": "$ ",
        }  # fmt: skip
        self.state = f"{folder}/s/cargo-deck"
        self("new-session", "-d", "-x", "120", "-y", "40", "bash --norc --noprofile")

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self.socket, "-f", "/dev/null", *words],
            env=self.env, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def type(self, text: str) -> None:
        self("send-keys", "-l", text)
        self("send-keys", "Enter")

    def keys(self, *names: str) -> None:
        self("send-keys", *names)

    def shows(self, text: str) -> str:
        return str(until(lambda: seen if text in (seen := self("capture-pane", "-p")) else None, f"{text!r} on screen"))


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    yield terminal
    terminal("kill-server")


def test_a_run_is_watched_zoomed_stopped_and_left(terminal: Terminal) -> None:
    started = subprocess.run(
        [COMMAND, "exec", "--detach", "--agent", "speaker", "--", sys.executable, "-c", PROGRAM],
        env=terminal.env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    run = started.stdout.strip()
    assert os.path.isdir(f"{terminal.state}/runs/{run}")
    terminal.type(COMMAND)
    shown = terminal.shows("speaker")
    assert "q leave" in shown
    assert "[bold]" in terminal.shows("line 3")
    terminal.keys("Enter")
    assert "out.log" in terminal.shows("follows the end")
    terminal.keys("Escape")
    terminal.shows("q leave (1 go on)")
    terminal.keys("x")
    terminal.shows("stopped")
    assert not _is_live(terminal, run)
    terminal.keys("q")
    left = terminal.shows("logs: ")
    assert "cargo deck   " not in left
    terminal.type("stty -a | grep -o ' echo '; tput cols")
    terminal.shows("120")


def _is_live(terminal: Terminal, run: str) -> bool:
    from core.paths import Paths

    return is_live(Paths(terminal.state, terminal.state), run)
