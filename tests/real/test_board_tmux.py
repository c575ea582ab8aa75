"""The dashboard in a real terminal: tmux, real runs, real keys."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.paths import Paths
from core.run.stop import is_live
from tests.core.runs import until
from tests.real.product import COMMAND, with_argument

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = """
import time
for n in range(10**6):
    print('line', n, '\\x1b]0;title\\x07[bold]', flush=True)
    time.sleep(0.1)
"""


CRASH = """
import sys
sys.path.insert(0, "{ROOT}")
from core.paths import Paths
from core.state import Board
from tui.app import DeckApp
from tui.source import Deck
class Breaks:
    count = 0
    def poll(self):
        self.count += 1
        if self.count > 5:
            raise RuntimeError("it broke")
        return Board()
app = DeckApp(Deck(Breaks(), Paths("/nowhere", "/nowhere"), lambda: 0.0, dict))
app.run()
sys.exit(app.return_code)
""".replace("{ROOT}", ROOT)


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

    def modes(self) -> str:
        """Whether the other screen is shown, and whether somebody wants the mouse."""
        return self("display-message", "-p", "#{alternate_on} #{mouse_any_flag}").strip()

    def signal_board(self, number: str) -> None:
        shell = self("display-message", "-p", "#{pane_pid}").strip()
        subprocess.run(["pkill", f"-{number}", "-P", shell], check=True)

    def engine_pid(self) -> int:
        """0: none lives."""
        found = [one.pid for one in with_argument(self.state) if any("engine.py" in word for word in one.argv)]
        return found[0] if found else 0

    def shows(self, text: str) -> str:
        return str(until(lambda: seen if text in (seen := self("capture-pane", "-p")) else None, f"{text!r} on screen"))


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    yield terminal
    terminal("kill-server")
    subprocess.run([COMMAND, "stop", "--kill", "speaker"], env=terminal.env, capture_output=True, check=False)


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


@pytest.mark.parametrize("number", ["TERM", "HUP"])
def test_a_signal_leaves_the_terminal_as_it_was(terminal: Terminal, number: str) -> None:
    terminal.type(f"{COMMAND}; echo code $?")
    terminal.shows("No builds yet.")
    assert terminal.modes() == "1 1"
    terminal.signal_board(number)
    terminal.shows("code 0")
    assert terminal.modes() == "0 0"
    terminal.type("stty -a | grep -o ' echo '")
    terminal.shows(" echo ")


def test_a_failure_of_ours_leaves_the_terminal_as_it_was(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "crash.py").write_text(CRASH)
    terminal.type(f"{sys.executable} {tmp_path}/crash.py; echo code $?")
    terminal.shows("code 1")
    assert "it broke" in terminal.shows("it broke")
    assert terminal.modes() == "0 0"


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
