"""Runs a shell line the way a caller would: over pipes or in a terminal of its own, and keeps every byte."""

import fcntl
import os
import pty
import selectors
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

COLUMNS = 120
ROWS = 50
DRAIN_S = 2.0
"""After the caller's exit its streams must end within this time: a reader of a pipe waits for that."""


class Answer(NamedTuple):
    """What a person types when a text has appeared."""

    expected: bytes
    typed: bytes


class Outcome(NamedTuple):
    """What a caller gets."""

    status: int
    """Exit code; a negative number is the signal it died of."""
    out: bytes
    """In a terminal: all of it."""
    err: bytes
    is_held_open: bool
    """Somebody still had the stream open DRAIN_S after the exit."""
    wall_s: float


class _Pump:
    """Reads several descriptors to their ends."""

    def __init__(self, fds: Sequence[int], answers: Sequence[Answer] = ()) -> None:
        self.bytes_of = {fd: bytearray() for fd in fds}
        self._selector = selectors.DefaultSelector()
        self._answers = list(answers)
        self._answered_to = 0
        for fd in fds:
            self._selector.register(fd, selectors.EVENT_READ)

    @property
    def is_open(self) -> bool:
        return bool(self._selector.get_map())

    def step(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            try:
                chunk = os.read(key.fd, 1 << 16)
            except OSError:  # EIO: the last holder of the terminal's other side is gone
                chunk = b""
            self.bytes_of[key.fd] += chunk
            if chunk:
                self._answer(key.fd)
            else:
                self._selector.unregister(key.fd)

    def _answer(self, fd: int) -> None:
        while self._answers:
            at = self.bytes_of[fd].find(self._answers[0].expected, self._answered_to)
            if at < 0:
                return
            self._answered_to = at + len(self._answers[0].expected)
            os.write(fd, self._answers.pop(0).typed)

    def run(self, child: "subprocess.Popen[bytes]", limit_s: float) -> bool:
        """Until the child has ended and the streams are at their ends; True: held open."""
        deadline = time.monotonic() + limit_s
        while child.poll() is None:
            self.step(0.02)
            if time.monotonic() > deadline:
                os.killpg(child.pid, signal.SIGKILL)
        drained = time.monotonic() + DRAIN_S
        while self.is_open and time.monotonic() < drained:
            self.step(0.02)
        return self.is_open


def run_piped(
    line: str, *, cwd: str, env: Mapping[str, str], stdin: bytes | None = None, limit_s: float = 120
) -> Outcome:
    """The line in a session without a terminal, stdout and stderr two pipes, stdin a pipe or /dev/null."""
    began = time.monotonic()
    child = subprocess.Popen(
        ["bash", "-c", line], cwd=cwd, env=env, start_new_session=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
    )  # fmt: skip
    if stdin is not None and child.stdin is not None:
        child.stdin.write(stdin)
        child.stdin.close()
    assert child.stdout is not None
    assert child.stderr is not None
    fds = (child.stdout.fileno(), child.stderr.fileno())
    pump = _Pump(fds)
    is_held_open = pump.run(child, limit_s)
    wall_s = time.monotonic() - began
    child.stdout.close()
    child.stderr.close()
    return Outcome(child.returncode, bytes(pump.bytes_of[fds[0]]), bytes(pump.bytes_of[fds[1]]), is_held_open, wall_s)


class Terminal:
    """A process in a new session whose controlling terminal we hold the other side of."""

    def __init__(
        self, argv: Sequence[str], *, cwd: str, env: Mapping[str, str], columns: int = COLUMNS, rows: int = ROWS
    ) -> None:
        self.master, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.child = subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=inner, stdout=inner, stderr=inner, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(inner)
        self._is_open = True

    def close(self) -> None:
        """Close our side: the kernel hangs up the session."""
        if self._is_open:
            os.close(self.master)
            self._is_open = False


def run_in_terminal(
    line: str, *, cwd: str, env: Mapping[str, str], answers: Sequence[Answer] = (), limit_s: float = 120
) -> Outcome:
    """The line in a terminal of COLUMNS × ROWS; `answers` are typed in order as their texts appear."""
    began = time.monotonic()
    terminal = Terminal(["bash", "-c", line], cwd=cwd, env=env)
    pump = _Pump([terminal.master], answers)
    is_held_open = pump.run(terminal.child, limit_s)
    wall_s = time.monotonic() - began
    shown = bytes(pump.bytes_of[terminal.master])
    terminal.close()
    return Outcome(terminal.child.returncode, shown, b"", is_held_open, wall_s)
