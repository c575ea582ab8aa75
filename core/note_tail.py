"""Lines of a growing file of our own: notes that fronts add to a run's folder."""

import os

_MAX_READ_BYTES = 1 << 20


class NoteTail:
    """Whole lines as they are added; the file may not exist yet."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._offset = 0

    def poll(self) -> list[bytes]:
        """Lines that are new, of a megabyte at most; one `stat` where there are none."""
        try:
            if os.stat(self._path).st_size <= self._offset:
                return []
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                content = file.read(_MAX_READ_BYTES)
        except OSError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        if not whole and len(content) == _MAX_READ_BYTES:
            whole = content  # no line of ours is so long
        self._offset += len(whole)
        return whole.splitlines()
