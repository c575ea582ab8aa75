"""What git says of a folder."""

import os
import subprocess
from collections.abc import Mapping, Sequence

LIMIT_S = 20.0
"""Who does not answer within this says nothing."""


def ask_git(
    words: Sequence[str], folder: str, env: Mapping[str, str] | None = None, text: bytes = b"", limit_s: float = LIMIT_S
) -> bytes | None:
    """What it prints; None: it failed, was too slow, or there is no git.

    Args:
        words: Behind `git`.
        folder: Where it is asked. Variables that name another repository (in a hook: `GIT_DIR`) are left out.
        env: The caller's variables; None: our own.
        text: Its input.
        limit_s: Seconds it may take.
    """
    given = os.environ if env is None else env
    clean = {name: value for name, value in given.items() if not name.startswith("GIT_")} | {"LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, env=clean, input=text, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=limit_s, check=False,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None
