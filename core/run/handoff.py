"""How a built program takes over the caller's terminal.

`cargo run` is started with a runner that does not run the program but leaves its environment and command line in a
memory file (never on disk: it may hold credentials) and exits 0; the caller then executes exactly that. So the
program gets everything that cargo gives it (`CARGO_*`, library path, `[env]`), and the real terminal.
"""

import os
import signal
from typing import NamedTuple

from core.run import fronts, nvcc_front

VARIABLE = "DECK_HANDOFF"
_OURS = frozenset((VARIABLE, "DECK_RUN", fronts.VARIABLE, nvcc_front.PROGRAM, "__CARGO_TEST_TTY_WIDTH_DO_NOT_USE_THIS"))
"""What the program would not have had from plain cargo."""


class Handoff(NamedTuple):
    """What to execute."""

    argv: tuple[str, ...]
    env: dict[str, str]


def runner_config() -> str:
    """Value for cargo's `--config`: our runner on every target that has none of its own."""
    return _runner("handoff.sh")


def color_config(own_harnesses: frozenset[str]) -> str:
    """The same for a runner that keeps libtest's `--color` from the binaries named."""
    return _runner("color.sh", ",".join(sorted(own_harnesses)))


def _runner(script: str, *words: str) -> str:
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), script)
    return "target.'cfg(all())'.runner=[" + ",".join(f"'{word}'" for word in ("/bin/sh", path, *words)) + "]"


def open_memory() -> int | None:
    """A memory file that children inherit; None where the system has none."""
    if not hasattr(os, "memfd_create"):
        return None
    return os.memfd_create("deck-handoff", 0)


def read_handoff(fd: int) -> Handoff | None:
    """What the runner left; None where it was not called."""
    content = b""
    while chunk := os.pread(fd, 1 << 20, len(content)):
        content += chunk
    head, mark, tail = content.partition(b"\0\0")
    if not mark:
        return None
    env: dict[str, str] = {}
    for entry in head.split(b"\0"):
        name, _, value = os.fsdecode(entry).partition("=")
        if name and name not in _OURS and value != nvcc_front.LAUNCH:
            env[name] = value
    if "PATH" in env:
        env["PATH"] = fronts.without_fronts(env["PATH"])
    words = [os.fsdecode(word) for word in tail.split(b"\0")[:-1]]
    argv = tuple(words[2:])  # without /bin/sh and the script
    return Handoff(argv, env) if argv else None


def restore_signals() -> None:
    """Undo what the interpreter ignores, before this process becomes another program."""

    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def become(taken: Handoff) -> int:
    """Execute the program in this process; only returns (127) where that fails."""
    restore_signals()
    try:
        os.execvpe(taken.argv[0], taken.argv, taken.env)
    except OSError as error:
        os.write(2, f"error: could not execute `{taken.argv[0]}`: {error.strerror}\n".encode())
        return 127
