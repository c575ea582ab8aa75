"""`cargo deck shim install|remove|status`."""

import json
import os
import sys

from core.errors import DeckError
from core.paths import find_paths
from core.run import shim

_HELP = """\
usage: cargo deck shim install|remove|status [--json]

A folder with a `cargo` of ours. Put first in an agent's PATH, its plain `cargo build` goes through cargo-deck,
unchanged; every other subcommand is the real cargo.
"""


def main(argv: list[str]) -> int:
    """Install, remove or describe the shim; exit code."""
    words = [word for word in argv if word != "--json"]
    if words[:1] in (["-h"], ["--help"]) or not words:
        sys.stdout.write(_HELP)
        return 0 if words else 2
    paths, env = find_paths(os.environ), dict(os.environ)
    try:
        match words:
            case ["install"]:
                folder = shim.install_shim(paths, env)
                return _tell(argv, {"folder": folder}, f'Installed. Put it first:\n  export PATH="{folder}:$PATH"')
            case ["remove"]:
                was_there = shim.remove_shim(paths)
                return _tell(argv, {"removed": was_there}, "Removed." if was_there else "There was no shim.")
            case ["status"]:
                return _status(argv, shim.shim_status(paths, env))
    except DeckError as error:
        sys.stderr.write(f"cargo-deck: {error}\n")
        return 125
    sys.stderr.write(f"cargo-deck: shim does not know {' '.join(words)!r}: use install, remove or status\n")
    return 2


def _status(argv: list[str], status: shim.ShimStatus) -> int:
    if not status.is_installed:
        text = "Not installed: cargo deck shim install"
    elif status.is_first:
        text = f"Installed and first in PATH: {status.folder}"
    else:
        text = f'Installed, but not first in PATH here:\n  export PATH="{status.folder}:$PATH"'
    return _tell(argv, status._asdict(), text + f"\nThe real cargo: {status.real or 'not found'}")


def _tell(argv: list[str], record: dict[str, object], text: str) -> int:
    if "--json" in argv:
        text = json.dumps({"schema": "cargo-deck/shim", "version": 1, **record})
    sys.stdout.write(text + "\n")
    return 0
