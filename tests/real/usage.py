"""CPU time and wall time of a process tree, whoever in it detaches, and how two series of ratios compare.

The measuring process makes itself a child subreaper: what a caller leaves behind (supervisor, engine) becomes its
child, so that `getrusage` counts all that ended and /proc what still lives. Nothing of the product is asked.
"""

import contextlib
import ctypes
import os
import random
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.real.product import Process, process

_PR_SET_CHILD_SUBREAPER = 36
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """Of one command and all that it waited for."""

    wall_s: float
    cpu_s: float
    """User and system."""
    code: int


def become_subreaper() -> None:
    """Orphans of ours come to us. Raises OSError where the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def reap() -> None:
    """Collect whatever ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def tree_cpu_s() -> float:
    """Seconds of user and system of all descendants there ever were, the living to a clock tick."""
    reap()
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + sum(live_cpu_s(pid) for pid in _descendants(os.getpid()))


def live_cpu_s(pid: int) -> float:
    """Its own, and of its children that it has waited for."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(word) for word in fields[11:15]) * _TICK_S


def _descendants(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            below = [int(word) for word in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return below + [one for child in below for one in _descendants(child)]


def children() -> list[Process]:
    """Our living descendants."""
    return [one for pid in _descendants(os.getpid()) if (one := process(pid))]


def timed(argv: Sequence[str], *, cwd: str, env: dict[str, str]) -> Cost:
    """The command to its end, output thrown away. CPU: its own and of all that it waited for."""
    began = time.monotonic()
    pid = os.posix_spawnp(
        "/usr/bin/env", ["env", "-C", cwd, *argv], env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ],
    )  # fmt: skip
    _, status, usage = os.wait4(pid, 0)
    return Cost(time.monotonic() - began, usage.ru_utime + usage.ru_stime, os.waitstatus_to_exitcode(status))


def interval_of_medians(values: Sequence[float], rng: random.Random, rounds: int = 4000) -> tuple[float, float]:
    """Bootstrap: where 95 % of the medians of that many values lie."""
    medians = sorted(statistics.median(rng.choices(values, k=len(values))) for _ in range(rounds))
    return medians[int(rounds * 0.025)], medians[int(rounds * 0.975)]


def wait_until_alone(is_spared: Callable[[Process], bool], limit_s: float = 10) -> None:
    """Until all descendants but the spared ones have ended."""
    deadline = time.monotonic() + limit_s
    while [one for one in children() if not is_spared(one)]:
        reap()
        if time.monotonic() > deadline:
            left = [" ".join(one.argv)[:80] for one in children() if not is_spared(one)]
            raise AssertionError(f"still alive after {limit_s} s: {left}")
        time.sleep(0.005)


def check_call(argv: Sequence[str], *, cwd: str, env: dict[str, str]) -> None:
    """Preparation that must succeed, quietly."""
    subprocess.run(argv, cwd=cwd, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
