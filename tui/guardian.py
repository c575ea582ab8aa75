"""The terminal after a `kill -9` of the dashboard: a shell of 1 MB waits for its end, and tidies up if nobody else did.

Only what escape sequences set is put back: echo and line mode are restored by the shell that started the dashboard,
and its prompt may already be there.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

RESTORE = (
    "\\033[<u"  # keys of the kitty protocol
    "\\033[?1000l\\033[?1002l\\033[?1003l\\033[?1006l\\033[?1015l\\033[?1016l"  # mouse
    "\\033[?1004l\\033[?2004l\\033[?2048l\\033[?2026l"  # focus, paste, sizes, half a frame
    "\\033[?7h\\033[0m\\033[?1049l\\033[?25h\\r"  # wrap, colours, the screen as it was, cursor
)
"""What undoes Textual's modes, as `printf %b` reads it."""
_WAITS = """\
trap '' HUP INT QUIT TERM TSTP TTIN TTOU
read -r word
[ "$word" = bye ] || printf '%b' "$1" >/dev/tty
"""


@contextmanager
def guarded_terminal() -> Iterator[None]:
    """While inside, the death of this process leaves a usable terminal. Where no shell can be started, it does not."""
    end = _start() if sys.stderr.isatty() else None
    try:
        yield
    finally:
        if end is not None:
            os.write(end, b"bye\n")
            os.close(end)


def _start() -> int | None:
    """Start the guardian; what tells it of our end, or None."""
    ours, end = os.pipe()
    try:
        # In a group of its own: a signal to the whole job is not for it.
        os.posix_spawn(
            "/bin/sh", ["sh", "-c", _WAITS, "cargo-deck-guardian", RESTORE], {"PATH": "/usr/bin:/bin"},
            file_actions=[(os.POSIX_SPAWN_DUP2, ours, 0)], setpgroup=0,
        )  # fmt: skip
    except OSError:
        os.close(end)
        return None
    finally:
        os.close(ours)
    return end
