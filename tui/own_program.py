"""Our own program, for processes of their own."""

import os
import sys

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_START = f"import sys; sys.path.insert(0, {_ROOT!r}); from tui.cli.main import main; sys.exit(main(sys.argv[1:]))"


def own_command(*words: str) -> tuple[str, ...]:
    """What starts it, with these words: neither the caller's folder nor variables of Python's change what is run."""
    return (sys.executable, "-I", "-c", _START, *words)
