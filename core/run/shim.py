"""The shim: a folder with a `cargo` of ours, to put first in PATH of an agent."""

import os
import shlex
import sys
from typing import NamedTuple

from core.errors import StateError, UsageError
from core.paths import Paths
from core.run import begin, grammar

_SCRIPT = """\
#!/bin/sh
{mark}: builds go through cargo-deck, all else is the real cargo. Remove with `cargo deck shim remove`.
real={real}
if [ -z "$DECK_RUN" ] && [ -x {python} ] && [ -r {entry} ]; then
    skip=
    for word do
        if [ -n "$skip" ]; then skip=; continue; fi
        case $word in
            -C|-Z|--config|--color) skip=1; continue ;;
            -*|+*) continue ;;
            {ours}) exec {python} -I {entry} "$real" "$@" ;;
            {foreign}) ;;
            *) command -v "cargo-$word" >/dev/null 2>&1 || exec {python} -I {entry} "$real" "$@" ;;
        esac
        break
    done
fi
if [ ! -x "$real" ]; then
    here=$(cd "$(dirname "$0")" && pwd)
    IFS=:
    for folder in $PATH; do
        if [ "$folder" != "$here" ] && [ -x "$folder/cargo" ]; then real=$folder/cargo; break; fi
    done
    unset IFS
fi
exec "$real" "$@"
"""


class ShimStatus(NamedTuple):
    """What is installed."""

    folder: str
    is_installed: bool
    is_first: bool
    """`cargo` on PATH is the shim."""
    real: str | None
    """The cargo that it would run."""


def shim_folder(paths: Paths) -> str:
    """The folder to put first in PATH."""
    return paths.state + "/shim"


def install_shim(paths: Paths, env: dict[str, str]) -> str:
    """Write the shim; its folder.

    Raises:
        UsageError: there is no cargo to stand in front of.
        StateError: the folder cannot be written.
    """
    real = begin.find_cargo(env)
    if real is None:
        raise UsageError("cargo was not found on PATH: install Rust (https://rustup.rs) first")
    folder = shim_folder(paths)
    content = _SCRIPT.format(
        mark=begin.SHIM_MARK.decode(),
        real=shlex.quote(real),
        python=shlex.quote(sys.executable),
        entry=shlex.quote(_entry()),
        ours="|".join((*grammar.COMMANDS, *grammar.ALIASES, "clean")),
        foreign="|".join(sorted(grammar.FOREIGN)),
    )
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        part = folder + "/.cargo.part"
        with open(part, "w") as file:
            file.write(content)
        os.chmod(part, 0o755)
        os.rename(part, folder + "/cargo")
    except OSError as error:
        raise StateError(f"cannot write the shim to {folder}: {error.strerror}") from error
    return folder


def remove_shim(paths: Paths) -> bool:
    """Remove the shim; False where there was none."""
    try:
        os.unlink(shim_folder(paths) + "/cargo")
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StateError(f"cannot remove {shim_folder(paths)}/cargo: {error.strerror}") from error
    return True


def shim_status(paths: Paths, env: dict[str, str]) -> ShimStatus:
    """Whether the shim is there and whether it is what `cargo` means on this PATH."""
    folder = shim_folder(paths)
    first = next((f for f in env.get("PATH", "").split(":") if f and os.access(f + "/cargo", os.X_OK)), None)
    return ShimStatus(
        folder,
        os.path.isfile(folder + "/cargo"),
        first is not None and begin.is_shim(first + "/cargo"),
        begin.find_cargo(env),
    )


def _entry() -> str:
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "shim_entry.py")
