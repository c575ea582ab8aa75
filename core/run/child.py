"""The build's own process: forked by the supervisor, with the logs as its output."""

import os
import signal
from collections.abc import Collection
from typing import Any, NamedTuple

_PR_SET_CHILD_SUBREAPER = 36
_OF_TERMINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGHUP)
HELD = frozenset((*_OF_TERMINAL, signal.SIGTERM))
"""Signals that whoever forks a supervisor blocks: it begins in the terminal's group, and cannot hear them yet."""


class Ahead(NamedTuple):
    """A command that runs beside the build, which will ask for what it makes."""

    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]


class Job(NamedTuple):
    """What a supervisor needs to know."""

    run: str
    run_dir: str
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    out_fd: int
    err_fd: int
    lock_fd: int
    """`open/<run>`, locked."""
    owner_fd: int | None
    """Read end of the owner pipe; None: nobody owns the run."""
    report_fd: int | None
    """Write end: the exit is reported here as well."""
    handoff_fd: int | None
    """Memory file in which a program that takes over the terminal leaves its command line."""
    rustc_wrapper: str | None
    ahead: tuple[Ahead, ...] = ()
    """Begun before the build."""
    is_held: bool = False
    """The build waits for a word of its owner; what is begun ahead does not."""


def let_go_of_all_but(keep: Collection[int | None]) -> None:
    """Hold nothing of the caller: no stdio, no pipe, no folder, but these files."""
    os.chdir("/")
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        if int(name) > 2 and int(name) not in keep:
            try:
                os.close(int(name))
            except OSError:
                pass


def drop_pending() -> None:
    """Forget what the terminal sent to the whole group that we were in: the build got it, and its owner tells us."""
    for number in _OF_TERMINAL:
        before = signal.getsignal(number)
        signal.signal(number, signal.SIG_IGN)  # what is ignored is not kept
        if before is not None:
            signal.signal(number, before)


def set_subreaper() -> bool:
    """Orphans of our descendants become our children (Linux); False where the system has no such thing."""
    try:
        import _ctypes  # ctypes itself costs 3 ms at start-up

        this_process: Any = None
        prctl = _ctypes.dlsym(_ctypes.dlopen(this_process, 0), "prctl")
        return bool(_ctypes.call_function(prctl, (_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) == 0)
    except (ImportError, OSError, AttributeError):
        return False


def start_ahead(ahead: Ahead) -> int:
    """Fork and execute it in a session of its own, silent; its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        _reset_signals()
        os.chdir(ahead.cwd)
        os.execve(ahead.argv[0], ahead.argv, ahead.env)
    finally:
        os._exit(127)


def _reset_signals() -> None:
    """As a shell would have them: Python ignores some, and a supervisor blocks others."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    for number in HELD:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def start_child(job: Job) -> int:
    """Fork and execute the build; its pid. In the caller's session, or in one of its own where nobody owns it."""
    pid = os.fork()
    if pid:
        return pid
    try:
        if job.owner_fd is None:
            os.setsid()
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(job.out_fd, 1)
        os.dup2(job.err_fd, 2)
        os.chdir(job.cwd)
        _reset_signals()
        os.execvpe(job.argv[0], job.argv, job.env)
    except OSError as error:
        text = f"error: could not execute `{job.argv[0]}`: {os.strerror(error.errno or 0)}\n"
        os.write(2, text.encode("utf-8", "surrogateescape"))
    finally:
        os._exit(127)
