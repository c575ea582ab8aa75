"""How editors are told to open a file at a line."""

import os
import shlex

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
