"""Asking a program what it is: with a time limit, nothing to read, and nothing left behind."""

import errno
import os
import select
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from core.clock import monotonic
from core.plan.answers import LATE, Answer
from core.plan.foreign import first_line
from core.plan.small_file import read_head

LIMIT_S = 2.0
"""Who has not answered in this time does not."""
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)
_MAX_BYTES = 1 << 16
_NOT_PASSED = ("RUSTUP_TOOLCHAIN", "MAKEFLAGS", "CARGO_MAKEFLAGS", "MFLAGS", "RUST_LOG", "RUSTC_LOG", "LANGUAGE")


def ask(path: str, words: tuple[str, ...], env: Mapping[str, str]) -> Answer:
    """What a program says: in the C locale, with nothing to read, from `/`, in at most `LIMIT_S`."""
    clean = {name: value for name, value in env.items() if name not in _NOT_PASSED and not name.startswith("DECK_")}
    clean |= {"LC_ALL": "C", "NO_COLOR": "1", "TERM": "dumb", "RUSTUP_AUTO_INSTALL": "0"}
    try:
        process = subprocess.Popen(
            [path, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/",
            env=clean, start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        return Answer("", _why_not_started(path, error))
    with process, _gone_with_us(process):
        output, errors, is_late = _listen(process)
    if is_late:
        return Answer(output or errors, f"{LATE} {LIMIT_S:g} s")
    if process.returncode:
        said = first_line(errors) or first_line(output)
        how = f"ends with code {process.returncode}" if process.returncode > 0 else _signal(-process.returncode)
        return Answer(output or errors, f"{how}: {said}" if said else f"{how} and says nothing")
    return Answer(output or errors)


@contextmanager
def _gone_with_us(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Nothing of it is left where we are interrupted or ended meanwhile: it is in a session of its own."""

    def end(number: int, _: object) -> None:
        _kill(process)
        signal.signal(number, before[number])
        os.kill(os.getpid(), number)

    is_main = threading.current_thread() is threading.main_thread()
    before: dict[int, Any] = {number: signal.getsignal(number) for number in _ENDINGS} if is_main else {}
    for number, handler in before.items():
        if handler is signal.SIG_DFL:
            signal.signal(number, end)
    try:
        yield
    except BaseException:
        _kill(process)
        raise
    finally:
        for number, handler in before.items():
            if handler is signal.SIG_DFL:
                signal.signal(number, handler)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The program and what it started. Its number is its own until it is waited for."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _listen(process: subprocess.Popen[bytes]) -> tuple[str, str, bool]:
    """Both outputs, and whether it had to be killed. Its children may hold the pipes open: they are not waited for."""
    ends, said = monotonic() + LIMIT_S, {pipe.fileno(): b"" for pipe in (process.stdout, process.stderr) if pipe}
    poll, is_over = select.poll(), False  # select takes no descriptor above 1,023
    open_fds = set(said)
    for fd in said:
        poll.register(fd, select.POLLIN)
    while open_fds and (left_s := ends - monotonic()) > 0:
        ready = poll.poll(0 if is_over else min(left_s, 0.05) * 1000)
        for fd, _ in ready:
            piece = os.read(fd, _MAX_BYTES)
            said[fd] = (said[fd] + piece)[:_MAX_BYTES]
            if not piece:
                poll.unregister(fd)
                open_fds.discard(fd)
        if is_over and not ready:
            break
        is_over = process.poll() is not None
    is_late = not _ends(process, ends - monotonic())
    output, errors = (text.decode("utf-8", "replace") for text in said.values())
    return output, errors, is_late


def _ends(process: subprocess.Popen[bytes], left_s: float) -> bool:
    """It ended by itself. Else it is killed, and what it started with it."""
    try:
        process.wait(max(0.0, left_s))
    except subprocess.TimeoutExpired:
        _kill(process)
        process.wait()
        return False
    return True


def _signal(number: int) -> str:
    try:
        return f"is killed by {signal.Signals(number).name}"
    except ValueError:
        return f"is killed by signal {number}"


def _why_not_started(path: str, error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.ENOEXEC:
        return "is no program for this machine"
    if number == errno.ENOENT and os.path.exists(path):
        return f"cannot be started: what its first line or its header names is missing{_interpreter(path)}"
    return f"cannot be started: {first_line(getattr(error, 'strerror', None) or str(error))}"


def _interpreter(path: str) -> str:
    head = (read_head(path, 256) or b"").split(b"\n", 1)[0]
    return f" ({first_line(head[2:].decode('utf-8', 'replace'))})" if head.startswith(b"#!") else ""
