"""How editors are told to open a file at a line."""

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_PLUS = ("vi", "vim", "nvim", "view", "nano", "pico", "ed", "joe", "mcedit", "ne", "gedit", "less")
"""`+LINE FILE`."""
_PLUS_COLUMN = ("emacs", "emacsclient", "kak", "micro")
"""`+LINE:COLUMN FILE`."""
_COLON = ("hx", "helix", "subl", "zed", "zeditor", "lapce", "gram")
"""`FILE:LINE:COLUMN`."""
_GOTO = ("code", "codium", "vscodium", "cursor", "windsurf")
"""`--goto FILE:LINE:COLUMN`, and `--wait`, for they return at once."""
_IDES = ("idea", "rustrover", "clion")
"""`--line LINE --column COLUMN FILE`."""


def argv_for(editor: str, file: str, line: int, column: int) -> list[str]:
    """The command that opens a file at a line and a column (from 1); of an unknown editor, at its beginning.

    Raises:
        ValueError: the quotes of `editor` do not match.
    """
    argv = shlex.split(editor) or ["vi"]
    name = os.path.basename(argv[0])
    if name in _PLUS:
        return [*argv, f"+{line}", file]
    if name in _PLUS_COLUMN:
        return [*argv, f"+{line}:{column}", file]
    if name in _COLON:
        return [*argv, f"{file}:{line}:{column}"]
    if name in _GOTO:
        waits = () if "--wait" in argv or "-w" in argv else ("--wait",)
        return [*argv, *waits, "--goto", f"{file}:{line}:{column}"]
    if name in _IDES:
        return [*argv, "--line", str(line), "--column", str(column), file]
    return [*argv, file]


def open_file(env: Mapping[str, str], file: str, line: int, column: int, *, wanted: str = "") -> str | None:
    """Open a file in the person's editor and wait for its end; a sentence where that could not be done."""
    try:
        argv = argv_for(wanted or env.get("VISUAL") or env.get("EDITOR") or "vi", file, line, column)
        with keys_go_to_it():
            subprocess.run(argv, check=False)
    except OSError as error:
        return f"could not start {argv[0]}: {error.strerror}. $EDITOR names the editor"
    except ValueError as error:
        return f"the editor's name cannot be read ({error}). $EDITOR names the editor"
    return None


@contextmanager
def keys_go_to_it() -> Iterator[None]:
    """While another program has the terminal, its Ctrl-C is not ours. By handlers that do nothing: it would inherit
    signals that are ignored."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
