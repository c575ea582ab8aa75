"""The cache store: `python store.py STORE_STATE DATA LIMIT_BYTES IDLE_S`, started by `core.cache.store_client`.

It runs as a plain file, with `-I -S`, so that neither a venv's site nor the caller's folder is looked at.
"""

import fcntl
import os
import sys

_ERRORS_BYTES = 1 << 20


def main(argv: list[str]) -> int:
    """Be the store until it is idle; at once over where another one is."""
    os.closerange(3, _max_fd())  # a pipe that we inherited would keep its reader waiting
    os.chdir("/")
    state, data, limit_bytes, idle_s = argv[1], argv[2], int(argv[3]), float(argv[4])
    lock_fd = _take_lock(state)
    if lock_fd is None:
        return 0
    _redirect_errors(state + "/errors")
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    sys.path[:] = [root, *(path for path in sys.path if os.path.abspath(path) != here)]
    from core.cache.store_main import run

    return run(state, data, limit_bytes=limit_bytes, idle_s=idle_s, lock_fd=lock_fd)


def _take_lock(folder: str) -> int | None:
    """The store's lock, held until we end; None where another store has it, or nothing can be written."""
    try:
        for path in (os.path.dirname(folder), folder):  # a mode is for the last folder of a path only
            os.makedirs(path, 0o700, exist_ok=True)
        fd = os.open(folder + "/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return None
    return fd


def _redirect_errors(path: str) -> None:
    """What nobody catches goes into a file, which starts anew where it has grown large."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if os.fstat(fd).st_size > _ERRORS_BYTES:
            os.ftruncate(fd, 0)
        os.dup2(fd, 2)
    except OSError:
        return  # a full disk: stderr stays what it was


def _max_fd() -> int:
    return int(os.sysconf("SC_OPEN_MAX")) if os.sysconf("SC_OPEN_MAX") < 1 << 20 else 1 << 20


if __name__ == "__main__":
    sys.exit(main(sys.argv))
