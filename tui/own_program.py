"""Our own program: for processes of their own, and as a person can type it."""

import os
import shlex
import shutil
import sys

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_START = f"import sys; sys.path.insert(0, {_ROOT!r}); from tui.cli.main import main; sys.exit(main(sys.argv[1:]))"


def own_command(*words: str) -> tuple[str, ...]:
    """What starts it, with these words: neither the caller's folder nor variables of Python's change what is run."""
    return (sys.executable, "-I", "-c", _START, *words)


def typed_command(program: str, path: str, cwd: str) -> str:
    """What a person types in `cwd` to start it: `cargo deck` where PATH has both, else `program`, which is argv[0]."""
    name = os.path.basename(program)
    if name != "cargo-deck" or (shutil.which(name, path=path) and shutil.which("cargo", path=path)):
        return "cargo deck"
    place = os.path.abspath(os.path.join(cwd, program))
    near = os.path.relpath(place, cwd)
    return shlex.quote(place if near.startswith("..") else near if os.sep in near else f"./{near}")


def own_words() -> str:
    """The same for this process."""
    return typed_command(sys.argv[0], os.environ.get("PATH", ""), current_folder())


def current_folder() -> str:
    """Where we were started; the root where that is gone."""
    try:
        return os.getcwd()
    except OSError:
        return "/"
