"""stdout for commands that own builds: a slow reader holds nothing up, one that is gone is no error."""

import os
import select
import stat

_CHUNK = 4096
"""A pipe that polls writable takes this much without blocking (PIPE_BUF)."""


class Stdout:
    """Text on its way to stdout."""

    def __init__(self) -> None:
        self.pending = b""
        self.is_closed = False
        """The reader is gone: what follows is only in the logs."""
        self._may_block = not stat.S_ISREG(os.fstat(1).st_mode)
        self._poll = select.poll()
        self._poll.register(1, select.POLLOUT)

    def add(self, text: str) -> None:
        """Write this as soon as the reader takes it."""
        if not self.is_closed:
            self.pending += text.encode("utf-8", "backslashreplace")

    def flush(self) -> bool:
        """Write what the reader takes now; True where nothing is left."""
        data, at = memoryview(self.pending), 0
        try:
            while at < len(data) and (not self._may_block or self._poll.poll(0)):
                at += os.write(1, data[at : at + _CHUNK] if self._may_block else data[at:])
        except BlockingIOError:
            pass  # the caller made its end non-blocking, and it is full
        except OSError:
            self.is_closed, at = True, len(data)
        self.pending = bytes(data[at:])
        return not self.pending
