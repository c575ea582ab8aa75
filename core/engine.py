"""The engine's program: `python engine.py STATE CACHE IDLE_S`. Started by `core.client`, one a user.

It runs as a plain file, with `-I -S`, so that neither a venv's site nor the caller's folder is looked at.
"""

import os
import sys


def main(argv: list[str]) -> int:
    """Be the engine until it is idle; at once over where another one is."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [os.path.dirname(here), *(path for path in sys.path if os.path.abspath(path) != here)]
    from core.daemon import detach, take_lock

    detach()
    state, cache, idle_s = argv[1], argv[2], float(argv[3])
    lock_fd = take_lock(state + "/engine")
    if lock_fd is None:
        return 0
    log_fd = os.open(state + "/engine/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(log_fd, 2)  # what nobody catches
    from core.engine_main import run

    return run(state, cache, idle_s, lock_fd)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
