"""What the dashboard leaves of a terminal, however it ends; and how it speaks to one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.runs import until
from tests.real.product import COMMAND, process
from tests.real.terminal import Terminal, children

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AS_BEFORE = "0 0 1 1"
IN_USE = "1 1 0 0"
CRASH = """
import sys
sys.path.insert(0, "{ROOT}")
from core.paths import Paths
from core.state import Board
from tui.app import DeckApp, run_app
from tui.source import Deck
class Breaks:
    count = 0
    def poll(self):
        self.count += 1
        if self.count > 5:
            secret = "hunter2"
            raise RuntimeError("it broke \\x1b]0;title\\x07")
        return Board()
sys.exit(run_app(DeckApp(Deck(Breaks(), Paths("{FOLDER}", "{FOLDER}"), lambda: 0.0, dict))))
""".replace("{ROOT}", ROOT)
DEAF = (
    CRASH[: CRASH.index("class Breaks")]
    + """
import signal
class Quiet:
    def poll(self):
        signal.signal(signal.SIGWINCH, signal.SIG_IGN)
        return Board()
sys.exit(run_app(DeckApp(Deck(Quiet(), Paths("{FOLDER}", "{FOLDER}"), lambda: 0.0, dict))))
"""
)


def types_and_sees(terminal: Terminal) -> None:
    """The shell echoes what is typed, in lines."""
    terminal.type("stty -a | grep -o ' echo ' ; tput cols; echo as be''fore")
    shown = terminal.shows("as before")
    assert "echo as be''fore" in shown
    assert "120" in shown


@pytest.mark.parametrize(("number", "code"), [("TERM", 0), ("HUP", 0), ("INT", 0), ("KILL", 137)])
def test_a_signal_leaves_the_terminal_as_it_was(terminal: Terminal, tmp_path: Path, number: str, code: int) -> None:
    said = tmp_path / "code"  # not on screen: after a kill, what the shell says may still go to the screen that is left
    terminal.type(f"{COMMAND}; echo $? > {said}")
    terminal.shows("q leave")
    assert terminal.modes() == IN_USE
    (guardian,) = (pid for pid in children(terminal.board_pid()) if _is_guardian(pid))
    terminal.signal_board(number)
    until(lambda: said.exists() and said.read_text() == f"{code}\n", f"exit code {code}")
    terminal.has_modes(AS_BEFORE)
    types_and_sees(terminal)
    until(lambda: not _is_guardian(guardian), "the end of the guardian")


def _is_guardian(pid: int) -> bool:
    one = process(pid)
    return one is not None and "cargo-deck-guardian" in one.argv


@pytest.mark.parametrize("trial", range(3))
def test_a_terminal_that_is_closed_ends_its_dashboard(terminal: Terminal, trial: int) -> None:
    speak(terminal)
    terminal.type(COMMAND)
    terminal.shows("said")
    board = terminal.board_pid()
    terminal.keys("c", "x", "g")
    terminal("new-session", "-d", "sleep 1000")  # else the server would go with it
    terminal("kill-session", "-t", "0")
    until(lambda: process(board) is None, "the end of the dashboard")


def test_a_fault_of_ours_is_a_sentence_and_a_file(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "crash.py").write_text(CRASH.replace("{FOLDER}", str(tmp_path)))
    terminal.type(f"{sys.executable} {tmp_path}/crash.py; echo code $?")
    shown = terminal.shows("code 125").replace("\n", "")
    assert "the dashboard failed (RuntimeError: it broke" in shown
    assert f"Its traceback is in {tmp_path}/crash.txt" in shown
    terminal.has_modes(AS_BEFORE)
    types_and_sees(terminal)
    report = (tmp_path / "crash.txt").read_text()
    assert "in poll" in report
    assert "hunter2" not in report
    assert "\x1b" not in report


def test_a_new_size_is_seen_without_a_signal(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "deaf.py").write_text(DEAF.replace("{FOLDER}", str(tmp_path)))
    terminal.type(f"{sys.executable} {tmp_path}/deaf.py")
    terminal.shows("q leave")
    terminal("resize-window", "-x", "90", "-y", "30")
    terminal.shows("q leave")  # at its right end
    terminal.keys("q")
    terminal.has_modes(AS_BEFORE)


def test_ctrl_z_gives_the_shell_and_fg_comes_back(terminal: Terminal) -> None:
    terminal.type(COMMAND)
    terminal.shows("q leave")
    for _ in range(2):
        terminal.keys("C-z")
        terminal.shows("Stopped")
        terminal.has_modes(AS_BEFORE)
        types_and_sees(terminal)
        terminal.type("clear; fg")
        terminal.shows("q leave")
        terminal.has_modes(IN_USE)
    terminal.keys("q")
    terminal.has_modes(AS_BEFORE)


def test_a_stop_without_notice_is_got_over(terminal: Terminal) -> None:
    terminal.type(COMMAND)
    terminal.shows("q leave")
    terminal.signal_board("STOP")
    terminal.shows("Stopped")
    terminal.type("fg")
    until(lambda: "Stopped" not in terminal("capture-pane", "-p"), "the dashboard alone")
    terminal.shows("q leave")
    terminal.has_modes(IN_USE)
    terminal.keys("?")
    terminal.shows("type to find a key")
    terminal.keys("Escape")
    terminal.shows("q leave")
    terminal.keys("q")
    terminal.has_modes(AS_BEFORE)
    types_and_sees(terminal)


def test_a_key_is_moved_while_the_board_is_open_and_a_mistake_is_said(terminal: Terminal) -> None:
    terminal.settings("[keys]\nrun.start = 'f9'\nrun.stop = 'nosuch'\n")
    terminal.type(COMMAND)
    terminal.shows("F9 start")
    terminal.says("line 3: there is no key 'nosuch'")
    terminal.settings("[keys]\nrun.start = 'ctrl+k'\n")
    terminal.shows("^k start")
    terminal.keys("C-k")
    terminal.shows("Start a build")
    terminal.keys("C-c")
    terminal.has_modes(AS_BEFORE)


def speak(terminal: Terminal) -> None:
    subprocess.run(
        [COMMAND, "exec", "--detach", "--agent", "speaker", "--", "sh", "-c", "echo said; exec sleep 1000"],
        env=terminal.env, capture_output=True, check=True,
    )  # fmt: skip


def test_inside_tmux_the_command_line_is_in_its_buffer(terminal: Terminal) -> None:
    speak(terminal)
    terminal.type(f"env -u DISPLAY -u WAYLAND_DISPLAY {COMMAND}")
    terminal.shows("said")
    terminal.keys("c")
    terminal.shows("tmux's buffer")
    assert terminal("show-buffer") == f"cd {os.getcwd()} && sh -c 'echo said; exec sleep 1000'"


def test_while_a_run_is_stopped_the_pane_says_who_is_alive(terminal: Terminal) -> None:
    subprocess.run(
        [COMMAND, "exec", "--detach", "--agent", "speaker", "--", "sh", "-c",
         "trap '' TERM INT; echo said; while :; do sleep 0.2; done"],
        env=terminal.env, capture_output=True, check=True,
    )  # fmt: skip
    terminal.type(COMMAND)
    terminal.shows("said")
    terminal.keys("x")
    terminal.shows("stopping")
    terminal.shows("still alive: ")
    terminal.shows("stopped")


def test_no_color_is_obeyed_and_a_dumb_terminal_gets_lines(terminal: Terminal) -> None:
    speak(terminal)
    terminal.type(f"NO_COLOR=1 {COMMAND}")
    terminal.shows("said")
    coloured = terminal("capture-pane", "-p", "-e")
    parameters = {p for part in coloured.split("\x1b[")[1:] for p in part.partition("m")[0].split(";")}
    assert "speaker" in coloured
    assert _is_grey(coloured), parameters
    terminal.keys("q")
    terminal.has_modes(AS_BEFORE)
    terminal.type(f"clear; TERM=dumb {COMMAND}; echo ov''er")
    shown = terminal.shows("over\n")
    assert "speaker" in shown
    assert "q leave" not in shown


def _is_grey(screen: str) -> bool:
    """Every colour of 24 bits on it has three equal parts, and there is no other."""
    for part in screen.split("\x1b[")[1:]:
        numbers = part.partition("m")[0].split(";")
        while numbers:
            match numbers:
                case ["38" | "48", "2", red, green, blue, *numbers]:
                    if not red == green == blue:
                        return False
                case ["38" | "48", "5", index, *numbers]:
                    if not (int(index) in (0, 7, 8, 15, 16) or int(index) >= 231):
                        return False
                case [number, *numbers]:
                    if number.isdigit() and 31 <= int(number) <= 36:
                        return False
    return True
