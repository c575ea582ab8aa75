"""Whether anything moved since one looked last: a few `stat` calls, for who looks ten times a second."""

import os

from core.paths import Paths

_FILES = ("events.jsonl", "out.log", "err.log")


class Pulse:
    """Watches the list of live runs, and the journals and logs of each: 2 µs a file."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._opened = 0
        self._files: list[str] = []
        self._seen: list[tuple[int, int]] = []

    def has_moved(self) -> bool:
        """Something was added or changed since the last call; what is over does not move any more."""
        opened = _state(self._paths.open)[1]
        is_other = opened != self._opened
        if is_other:
            self._opened = opened
            self.look_for_files()
        seen = [_state(path) for path in self._files]
        if seen == self._seen and not is_other:
            return False
        self._seen = seen
        return True

    def look_for_files(self) -> None:
        """Find out which files there are: a log may come a moment after its run."""
        try:
            runs = os.listdir(self._paths.open)
        except OSError:
            runs = []
        found = (f"{self._paths.run(run)}/{name}" for run in sorted(runs) for name in _FILES)
        files = [path for path in (self._paths.machine + "/events.jsonl", *found) if os.path.exists(path)]
        if files != self._files:
            self._files, self._seen = files, []


def _state(path: str) -> tuple[int, int]:
    """Size and time of the last change in nanoseconds."""
    try:
        status = os.stat(path)
    except OSError:
        return -1, 0
    return status.st_size, status.st_mtime_ns
