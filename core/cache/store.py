"""The cache store: `python store.py STORE_STATE DATA LIMIT_BYTES IDLE_S`, started by `core.cache.store_client`.

It runs as a plain file, with `-I -S`, so that neither a venv's site nor the caller's folder is looked at.
"""

import os
import sys

_ERRORS_BYTES = 1 << 20


def main(argv: list[str]) -> int:
    """Be the store until it is idle; at once over where another one is."""
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    sys.path[:] = [root, *(path for path in sys.path if os.path.abspath(path) != here)]
    from core.daemon import detach, take_lock

    detach()
    state, data, limit_bytes, idle_s = argv[1], argv[2], int(argv[3]), float(argv[4])
    lock_fd = take_lock(state)
    if lock_fd is None:
        return 0
    _redirect_errors(state + "/errors")
    from core.cache.store_main import run

    return run(state, data, limit_bytes=limit_bytes, idle_s=idle_s, lock_fd=lock_fd)


def _redirect_errors(path: str) -> None:
    """What nobody catches goes into a file, which starts anew where it has grown large."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if os.fstat(fd).st_size > _ERRORS_BYTES:
            os.ftruncate(fd, 0)
        os.dup2(fd, 2)
    except OSError:
        return  # a full disk: stderr stays what it was


if __name__ == "__main__":
    sys.exit(main(sys.argv))
