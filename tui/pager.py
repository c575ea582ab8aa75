"""Opens a log in the user's own pager or editor, at a line."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterable, Mapping

from tui.editor import keys_go_to_it, open_file

_PAGERS_WITH_LINES = ("more", "most", "moar", "moor", "ov")


def pager_argv(pager: str, line: int) -> list[str]:
    """The pager with the option that goes to a line (from 0), where it is known to have one; it reads stdin.

    Raises:
        ValueError: the quotes of `pager` do not match.
    """
    argv = shlex.split(pager) or ["less"]
    name = os.path.basename(argv[0])
    if name == "less":
        return [*argv, "-R", f"+{line + 1}"]
    return [*argv, f"+{line + 1}"] if name in _PAGERS_WITH_LINES else argv


def page(env: Mapping[str, str], lines: Iterable[str], line: int, *, wanted: str = "") -> str | None:
    """Show lines in a pager until it is left; a sentence where it could not be started."""
    try:
        argv = pager_argv(wanted or env.get("PAGER", ""), line)
    except ValueError as error:
        return f"the pager's name cannot be read ({error}). $PAGER names the pager"
    with keys_go_to_it():
        try:
            pager = subprocess.Popen(argv, stdin=subprocess.PIPE)
        except OSError as error:
            return f"could not start {argv[0]}: {error.strerror}. $PAGER names the pager"
        assert pager.stdin is not None
        try:
            with pager.stdin as pipe:
                for text in lines:
                    pipe.write(text.encode() + b"\n")
        except BrokenPipeError:
            pass  # it was left before it had read all
        pager.wait()
    return None


def edit(env: Mapping[str, str], lines: Iterable[str], line: int, *, wanted: str = "") -> str | None:
    """Show a copy of the lines in an editor; a sentence where that could not be done."""
    try:
        with tempfile.NamedTemporaryFile("w", prefix="cargo-deck-", suffix=".log", errors="replace") as file:
            for text in lines:
                file.write(text + "\n")
            file.flush()
            return open_file(env, file.name, line + 1, 1, wanted=wanted)
    except OSError as error:
        return f"could not copy the log to a temporary file: {error.strerror}"
