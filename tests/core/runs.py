"""Real runs for core tests: started through `begin`, in folders of their own, watched without sleeping blindly."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.paths import Paths
from core.run import begin, compose, identity
from core.run.stop import is_live
from tests.fronts import lend_fronts

DEADLINE_S = 20.0


def paths_in(folder: Path) -> Paths:
    return Paths(str(folder / "state"), lend_fronts(folder / "cache"))


def until(condition: Callable[[], Any], what: str) -> Any:
    """The condition's first true value; fails when the deadline passes."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"not within {DEADLINE_S} s: {what}")


def start_python(paths: Paths, code: str, *words: str, agent: str = "tester", env: dict[str, str] | None = None) -> str:
    """A detached run of a piece of Python; its id."""
    return begin.start_detached(
        paths,
        agent=agent,
        cwd=os.getcwd(),
        words=(sys.executable, "-I", "-c", code, *words),
        tool="exec",
        env={**os.environ, **(env or {})},
    )


def start_owned(paths: Paths, *words: str) -> begin.Begun:
    agent = identity.Agent("owner", "flag")
    request = begin.Request("exec", words, agent, os.getcwd(), dict(os.environ), compose.NOBODY, is_owned=True)
    return begin.begin(paths, request)


def exit_of(paths: Paths, run: str) -> dict[str, Any]:
    """How the run ended, once it has."""
    until(lambda: not is_live(paths, run), f"the end of {run}")
    with open(paths.run(run) + "/exit.json") as file:
        record: dict[str, Any] = json.load(file)
    return record


def log_of(paths: Paths, run: str, name: str = "out.log") -> str:
    return Path(paths.run(run), name).read_text()


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False
