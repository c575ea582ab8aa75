"""Starting a build, searching its log and copying from it, in a real terminal with real keys."""

from tests.real.product import COMMAND
from tests.real.terminal import Terminal


def clear_field(terminal: Terminal) -> None:
    terminal.keys("C-e")
    terminal.keys("C-u")


def first_row(terminal: Terminal) -> str:
    """The line at the top of the log."""
    rows = (row[2:].split("  ")[0].strip() for row in terminal("capture-pane", "-p").split("\n"))
    return next((row for row in rows if row.startswith("row ")), "")


def test_a_build_is_started_searched_and_copied_from(terminal: Terminal) -> None:
    terminal.type(f"env -u DISPLAY -u WAYLAND_DISPLAY {COMMAND}")
    terminal.shows("q leave")
    terminal.keys("s")
    terminal.shows("Start a build")
    clear_field(terminal)
    terminal("send-keys", "-l", "sh -c 'for n in $(seq 1 400); do echo row $n; done; echo a needle in the hay; exit 3'")
    terminal.keys("Enter")
    terminal.shows("✗ 1 failed")
    terminal.keys("Enter")
    terminal.shows("end of the log")
    terminal.keys("g")
    terminal.shows("row 1 ")
    terminal.keys("/")
    terminal("send-keys", "-l", "row 1.7$")
    terminal.shows("1 of 10")
    terminal.keys("Enter")
    terminal.keys("n")
    terminal.shows("2 of 10")
    terminal.keys("v")
    terminal.keys("j")
    terminal.shows("2 lines selected")
    terminal.keys("y")
    terminal.shows("tmux's buffer")
    assert terminal("show-buffer") == "row 117\nrow 118"
    top = first_row(terminal)
    terminal("resize-window", "-x", "90", "-y", "30")
    terminal.until(lambda: first_row(terminal) == top, f"{top!r} at the top")
    terminal.keys("q")
    terminal.shows("logs: ")
