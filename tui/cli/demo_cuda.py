"""The demo's agent that works on kernels, where there is an nvcc: it builds them, edits a header, builds again."""

import os
import shutil
import subprocess
from collections.abc import Mapping

from core import sample
from core.errors import DeckError, StateError
from core.paths import Paths
from core.run import begin
from tui.cli import demo_gain

AGENT = "kernels"
"""And the folder of its checkout, below the scratch folder."""
WORDS = ("build", *(word for name in sample.CUDA for word in ("-p", name)))
_BEFORE, _AFTER = "KELVIN + 1.5f", "KELVIN + 1.25f"


def has_nvcc(env: Mapping[str, str]) -> bool:
    """There is an nvcc on PATH, and it starts."""
    path = shutil.which("nvcc", path=env.get("PATH", ""))
    if path is None:
        return False
    try:
        asked = subprocess.run(
            [path, "--version"], env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=30, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return False
    return asked.returncode == 0


def edit(folder: str) -> None:
    """Change a header that all kernels of the checkout read.

    Raises:
        StateError: it is not there, or not as it was written.
    """
    path = os.path.join(folder, AGENT, sample.KERNEL_HEADER)
    try:
        with open(path, "r+", encoding="utf-8") as file:
            text = file.read()
            if _BEFORE not in text:
                raise StateError(f"{path} is not as the demo wrote it")
            file.seek(0)
            file.write(text.replace(_BEFORE, _AFTER))
            file.truncate()
    except OSError as error:
        raise StateError(f"cannot edit {path}: {error.strerror}") from error


def build_again(paths: Paths, folder: str, env: Mapping[str, str]) -> str:
    """Edit the header and start the same build; its run.

    Raises:
        StateError, SpawnError: the header cannot be edited, or nothing could be started.
    """
    edit(folder)
    cwd = f"{folder}/{AGENT}"
    return begin.start_detached(paths, agent=AGENT, cwd=cwd, words=WORDS, tool="cargo", env=demo_gain.cached(env))


def follow(paths: Paths, folder: str, env: Mapping[str, str], run: str) -> None:
    """Wait for the first build, then edit and build again: for a thread beside the dashboard."""
    try:
        if demo_gain.await_end(paths, run) is not None:
            build_again(paths, folder, env)
    except DeckError:
        pass  # nothing more is built; whoever looks sees the panes that there are
