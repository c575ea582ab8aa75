"""How this person wants the dashboard: what `config.toml` says, else how it was left."""

import os
from collections.abc import Mapping

from core.paths import Paths
from tui import config, remembered
from tui.config import Complaint, Settings
from tui.remembered import Change, Remembered
from tui.themes import TERMINAL, THEMES

SORTS = ("appearance", "name", "state")
LAYOUTS = ("fit", "list", "1", "2", "3")


class Preferences:
    """Settings and memory of one person; without files (a test, a recording) the defaults."""

    def __init__(self, *, config_file: str = "", memory_file: str = "") -> None:
        self.config_file = config_file
        self.settings = Settings()
        self.complaints: tuple[Complaint, ...] = ()
        """What is wrong in the file."""
        self.memory = remembered.read(memory_file) if memory_file else Remembered()
        self.folder = os.path.dirname(memory_file)
        """Where the memory is; empty: nowhere."""
        self._memory_file = memory_file
        self._stamp: tuple[int, int, int] | None = None
        self.reload()

    @classmethod
    def of_user(cls, env: Mapping[str, str], paths: Paths) -> "Preferences":
        """Those in this user's folders."""
        return cls(config_file=config.config_path(env), memory_file=f"{paths.state}/dashboard.json")

    def reload(self) -> bool:
        """Read the settings again if the file changed; whether it did. A file that became unreadable as a whole
        (an editor is writing it, a slip of a bracket) leaves the settings as they were."""
        stamp = _stamp_of(self.config_file) if self.config_file else None
        if stamp == self._stamp:
            return False
        is_first, self._stamp = self._stamp is None, stamp
        settings, self.complaints = config.load(self.config_file)
        if is_first or not self.complaints or settings != Settings():
            self.settings = settings
        return True

    def complaint(self) -> str:
        """What is wrong in the file, as one sentence; empty: nothing."""
        if not self.complaints:
            return ""
        more = f" (and {len(self.complaints) - 1} more: cargo deck config check)" if len(self.complaints) > 1 else ""
        return self.complaints[0].sentence(self.config_file) + more

    def theme(self, suited: str) -> str:
        """The theme to begin with; `suited`: what suits the terminal. What was chosen in a terminal of many colours
        is not forced on one of sixteen."""
        names = [theme.name for theme in THEMES]
        if self.settings.theme != "auto":
            return f"deck-{self.settings.theme}"
        left = self.memory.theme
        return left if left in names and suited != TERMINAL.name else suited

    def sort(self) -> str:
        """Order of panes to begin with."""
        return _first_of(SORTS, self.settings.sort, self.memory.sort)

    def layout(self) -> str:
        """Layout of panes to begin with."""
        return _first_of(LAYOUTS, self.settings.layout, self.memory.layout)

    def remember(self, how: Change) -> None:
        """Change what is remembered, at once here; `write` puts it on disk.

        The file may hold more than we know: each change is applied to it anew.
        """
        self.memory = how(self.memory)

    def write(self, how: Change) -> None:
        """Put a change on disk. Blocks: not for the event loop.

        Raises:
            OSError: it cannot be written.
        """
        if self._memory_file:
            remembered.change(self._memory_file, how)


def _first_of(known: tuple[str, ...], *wanted: str | None) -> str:
    return next((one for one in wanted if one in known), known[0])


def _stamp_of(path: str) -> tuple[int, int, int] | None:
    """Changes whenever the file does; None: there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
