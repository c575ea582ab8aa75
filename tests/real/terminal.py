"""A terminal of its own for the dashboard: tmux, driven by keys and read as text."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.core.runs import until
from tests.fronts import lend_fronts
from tests.real.product import with_argument


def children(pid: int) -> list[int]:
    """Of all threads of a process."""
    found = (path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(one) for part in found for one in part]


class Terminal:
    """One tmux window of its own server."""

    def __init__(self, folder: Path) -> None:
        self.socket = str(folder / "tmux")
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("TMUX") and k != "NO_COLOR"},
            "XDG_STATE_HOME": str(folder / "s"), "XDG_CACHE_HOME": str(folder / "c"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PS1": "$ ",
        }  # fmt: skip
        self.state = f"{folder}/s/cargo-deck"
        lend_fronts(folder / "c" / "cargo-deck")
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

    def settings(self, text: str) -> None:
        """Write config.toml."""
        folder = Path(self.env["XDG_CONFIG_HOME"], "cargo-deck")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(text)

    def keys(self, *names: str) -> None:
        self("send-keys", *names)

    def modes(self) -> str:
        """Whether the other screen is shown, somebody wants the mouse, the cursor is seen, lines wrap."""
        return self("display-message", "-p", "#{alternate_on} #{mouse_any_flag} #{cursor_flag} #{wrap_flag}").strip()

    def board_pid(self) -> int:
        """The process that the shell runs in the foreground."""
        shell = self("display-message", "-p", "#{pane_pid}").strip()
        return children(int(shell))[0]

    def signal_board(self, number: str) -> None:
        shell = self("display-message", "-p", "#{pane_pid}").strip()
        subprocess.run(["pkill", f"-{number}", "-P", shell], check=True)

    def engine_pid(self) -> int:
        """0: none lives."""
        found = [one.pid for one in with_argument(self.state) if any("engine.py" in word for word in one.argv)]
        return found[0] if found else 0

    def has_modes(self, modes: str) -> None:
        self.until(lambda: self.modes() == modes, f"terminal modes {modes}")

    def shows(self, text: str) -> str:
        return str(self.until(lambda: seen if text in (seen := self.screen()) else None, f"{text!r} on screen"))

    def says(self, text: str) -> None:
        """The same, wherever the lines of it were broken."""
        self.until(lambda: text in " ".join(self.screen().split()), f"{text!r} on screen")

    def screen(self) -> str:
        return self("capture-pane", "-p")

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """As `until`; where it fails, it says what is on the screen."""
        try:
            return until(condition, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen()}") from None
