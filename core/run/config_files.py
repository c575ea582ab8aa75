"""Where cargo looks for its config files."""

import os
from collections.abc import Mapping


def config_files(cwd: str, env: Mapping[str, str], home: str) -> list[str]:
    """Existing config files, nearest first, `$CARGO_HOME` last.

    Source: cargo 1.95, `GlobalContext::walk_tree`: where both names are there, `config` counts.
    """
    folders = []
    folder = cwd
    while True:
        folders.append(folder.rstrip("/") + "/.cargo")
        parent = os.path.dirname(folder)
        if parent == folder:
            break
        folder = parent
    found = [path for folder in folders if (path := _config_in(folder))]
    cargo_home = os.path.join(cwd, env.get("CARGO_HOME") or home + "/.cargo")
    if cargo_home not in folders and (path := _config_in(cargo_home)) and not _is_one_of(path, found):
        found.append(path)
    return found


def _config_in(folder: str) -> str:
    for path in (folder + "/config", folder + "/config.toml"):
        if os.path.exists(path):
            return path
    return ""


def _is_one_of(path: str, found: list[str]) -> bool:
    """Its folder is one of theirs, by another way."""
    folder = os.path.realpath(os.path.dirname(path))
    return any(os.path.realpath(os.path.dirname(one)) == folder for one in found)
