"""Programs of our own in the background, the engine and the store: how they are started, and what they do first.

Imported before every build: little is imported here.
"""

import os
import sys


class Daemons:
    """Those of one kind that this process started, as long as it has not reaped them."""

    def __init__(self) -> None:
        self.pids: set[int] = set()

    def start(self, program: str, *words: str) -> int:
        """A new session with nothing of ours: no stdio, no build's `DECK_RUN`, no cwd (`detach` leaves it); its pid.

        Raises:
            OSError: it could not be started.
        """
        env = {name: value for name, value in os.environ.items() if not name.startswith("DECK_")}
        null = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
        argv = [sys.executable, "-I", "-S", program, *words]
        pid = os.posix_spawn(sys.executable, argv, env, file_actions=null, setsid=True, setsigmask=())
        self.pids.add(pid)
        return pid

    def reap(self) -> None:
        """Forget those that ended."""
        for pid in tuple(self.pids):
            try:
                is_over = os.waitpid(pid, os.WNOHANG)[0] == pid
            except OSError:
                is_over = True
            if is_over:
                self.pids.discard(pid)


def detach() -> None:
    """Let go of what the starter had open, and of its folder."""
    limit = os.sysconf("SC_OPEN_MAX")
    os.closerange(3, limit if limit < 1 << 20 else 1 << 20)  # an inherited pipe would keep its reader waiting
    os.chdir("/")


def take_lock(folder: str) -> int | None:
    """The lock of the one that may run, held until we end; None: another one has it.

    Raises:
        OSError: nothing can be written there.
    """
    import fcntl

    for path in (os.path.dirname(folder), folder):  # a mode is for the last folder of a path only
        os.makedirs(path, 0o700, exist_ok=True)
    fd = os.open(folder + "/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def is_locked(path: str) -> bool:
    """Somebody holds the lock of that file."""
    import fcntl

    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
