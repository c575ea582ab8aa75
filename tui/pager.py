"""Opens a log in the user's own pager or editor, at a line."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence

from tui.editor import argv_for

_BYTES = 1 << 16
_PAGERS_WITH_LINES = ("less", "more", "most", "bat", "moar", "moor", "ov")


def pager_argv(env: Mapping[str, str], line: int, *, wanted: str = "") -> list[str]:
    """The pager with the option that goes to a line (from 0), where it is known to have one; it reads stdin."""
    argv = shlex.split(wanted or env.get("PAGER", "")) or ["less"]
    name = os.path.basename(argv[0])
    if name == "less":
        return [*argv, "-R", f"+{line + 1}"]
    return [*argv, f"+{line + 1}"] if name in _PAGERS_WITH_LINES and name != "bat" else argv


def page(argv: Sequence[str], lines: Iterable[str]) -> str | None:
    """Show lines in a pager until it is left; a sentence where it could not be started."""
    try:
        pager = subprocess.Popen(argv, stdin=subprocess.PIPE)
    except OSError as error:
        return f"could not start {argv[0]}: {error.strerror}. $PAGER names the pager"
    assert pager.stdin is not None
    try:
        for line in lines:
            pager.stdin.write(line.encode() + b"\n")
        pager.stdin.close()
    except BrokenPipeError:
        pass  # it was left before it had read all
    pager.wait()
    return None


def edit(env: Mapping[str, str], lines: Iterable[str], line: int, *, wanted: str = "") -> str | None:
    """Show a copy of the lines in an editor; a sentence where it could not be started."""
    with tempfile.NamedTemporaryFile("w", prefix="cargo-deck-", suffix=".log", errors="replace") as file:
        for text in lines:
            file.write(text + "\n")
        file.flush()
        argv = argv_for(wanted or env.get("VISUAL") or env.get("EDITOR") or "vi", file.name, line + 1, 1)
        try:
            subprocess.run(argv, check=False)
        except OSError as error:
            return f"could not start {argv[0]}: {error.strerror}. $EDITOR names the editor"
    return None
