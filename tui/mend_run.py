"""Doing what a finding offers: a small clean, as `cargo deck clean` does it. Nothing else is ever run."""

import os
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from core.native.cleans.clean import mend_words
from core.plan.plan import Finding
from tui.own_program import own_command

_LIMIT_S = 600.0


class Doable(NamedTuple):
    """A mend that can be run."""

    words: tuple[str, ...]
    """After `cargo deck clean`."""
    cwd: str
    agent: str
    """Whose target dir is meant."""


def doable(finding: Finding, cwd: str, agent: str) -> Doable | None:
    """What would be run; None: there is nothing that could be."""
    words = mend_words(finding)
    return Doable(words, cwd, agent) if words and os.path.isdir(cwd) else None


def run_mend(what: Doable, command: Sequence[str] = ()) -> tuple[bool, str]:
    """Run it to its end; whether it went well, and its last line. `command`: instead of ours."""
    argv = [*(command or own_command("clean")), *what.words, "--yes", "--agent", what.agent]
    env = {name: value for name, value in os.environ.items() if name != "DECK_RUN"}
    try:
        done = subprocess.run(
            argv, cwd=what.cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=_LIMIT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return False, str(error)
    lines = [line.strip() for line in done.stdout.decode("utf-8", "replace").splitlines() if line.strip()]
    said = lines[-1].removeprefix("cargo-deck: ") if lines else f"exit {done.returncode}"
    return done.returncode == 0, said
