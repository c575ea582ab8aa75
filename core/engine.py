"""The engine's program: `python engine.py STATE CACHE IDLE_S`. Started by `core.client`, one a user.

It runs as a plain file, with `-I -S`, so that neither a venv's site nor the caller's folder is looked at.
"""

import fcntl
import os
import sys


def main(argv: list[str]) -> int:
    """Be the engine until it is idle; at once over where another one is."""
    os.closerange(3, _max_fd())  # a pipe that we inherited would keep its reader waiting
    os.chdir("/")
    state, cache, idle_s = argv[1], argv[2], float(argv[3])
    lock_fd = _take_lock(state + "/engine")
    if lock_fd is None:
        return 0
    log_fd = os.open(state + "/engine/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(log_fd, 2)  # what nobody catches
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [os.path.dirname(here), *(path for path in sys.path if os.path.abspath(path) != here)]
    from core.engine_main import run

    return run(state, cache, idle_s, lock_fd)


def _take_lock(folder: str) -> int | None:
    """The engine's lock, held until we end; None where another engine has it, or nothing can be written."""
    try:
        for path in (os.path.dirname(folder), folder):  # a mode is for the last folder of a path only
            os.makedirs(path, 0o700, exist_ok=True)
        fd = os.open(folder + "/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return None
    return fd


def _max_fd() -> int:
    return int(os.sysconf("SC_OPEN_MAX")) if os.sysconf("SC_OPEN_MAX") < 1 << 20 else 1 << 20


if __name__ == "__main__":
    sys.exit(main(sys.argv))
