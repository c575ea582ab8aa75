"""What is known of an agent's cache server: `server.json` in its folder, one JSON object, 0600."""

import json
import os
from typing import NamedTuple

from core.paths import Paths

_MAX_BYTES = 64 << 10
_LARGEST_PID = 1 << 22
_TEXTS = ("agent", "folder", "socket", "log", "program", "program_folder", "version", "backend", "settings",
          "namespace")  # fmt: skip


class Server(NamedTuple):
    """A cache server of an agent."""

    agent: str
    folder: str
    socket: str
    log: str
    pid: int
    start: int
    """Field 22 of /proc/PID/stat."""
    program: str
    program_folder: str
    """Holds the cache alone, under its own name: to go into PATH."""
    version: str
    backend: str
    """Where it stores, without credentials."""
    settings: str
    """Digest of all that it was started with, and gives on to compilers."""
    started: float
    namespace: str = ""
    """What its objects depend on beside their command lines; empty: nothing."""


def agent_folder(paths: Paths, agent: str) -> str:
    """Of an agent's server."""
    return f"{paths.caches}/{agent}"


def read_server(paths: Paths, agent: str) -> Server | None:
    """The server that was started last for an agent, alive or not; None: none was, or the file is damaged."""
    try:
        with open(agent_folder(paths, agent) + "/server.json", "rb") as file:
            found = json.loads(file.read(_MAX_BYTES))
        given = {name: found[name] for name in Server._fields if name in found or name not in Server._field_defaults}
        server = Server(**given)
        is_sound = server.agent == agent and _is_sound(server)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return server if is_sound else None


def _is_sound(server: Server) -> bool:
    """Each field is what it is said to be. Raises ValueError for a text that can be no path."""
    texts = [getattr(server, name) for name in _TEXTS]
    if not all(isinstance(text, str) and b"\0" not in os.fsencode(text) for text in texts):
        return False
    if type(server.pid) is not int or type(server.start) is not int or type(server.started) not in (int, float):
        return False
    return 0 < server.pid <= _LARGEST_PID and 0 <= server.start < 1 << 63 and 0 <= server.started < 1 << 40


def write_server(server: Server) -> None:
    """Keep it in its folder. Raises OSError."""
    path = server.folder + "/server.json"
    part = f"{path}.{os.getpid()}"
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(server._asdict(), file)
    os.replace(part, path)
