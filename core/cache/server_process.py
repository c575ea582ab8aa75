"""The process of a cache server: started outside any run, with nothing of who starts it that others would notice."""

import _socket
import hashlib
import os
import signal
import struct
from typing import Any

from core.clock import wall_clock
from core.errors import StateError
from core.run import proctree

RETRY_AFTER_S = 30.0
_LONGEST_SOCKET = 100
_CONNECT_LIMIT_S = 1.0
_CREDENTIALS = struct.Struct("3i")
"""Of a socket's other end: pid, user, group."""
_DEFAULT_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTERM)
_SHELL = "/bin/sh"
_BEGIN = 'umask 022 && cd / && exec "$0"'
"""What `posix_spawn` cannot do. A cache gives files the mode that they had when they were compiled, so all agents'
compilers have one umask (the folders around have the caller's). And the folder in which a build is started may be
removed or unmounted later."""


def surroundings() -> str:
    """What a server inherits of us beside its environment, and gives to each compiler that it starts."""
    try:
        with open("/proc/self/limits") as file:
            limits = file.read()
    except OSError:
        limits = ""
    return f"{os.nice(0)} {limits}"


def spawn(path: str, env: dict[str, str], stderr: str) -> int:
    """In a session of its own and with no file of the caller's, for whose end somebody may wait."""
    actions: list[Any] = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
    ]
    actions += [(os.POSIX_SPAWN_CLOSE, fd) for fd in _inherited()]
    try:
        words = [_SHELL, "-c", _BEGIN, path]
        return os.posix_spawn(_SHELL, words, env, file_actions=actions, setsid=True, setsigdef=_DEFAULT_SIGNALS)
    except OSError as error:
        raise StateError(f"{path} cannot be started: {error.strerror}") from error


def _inherited() -> list[int]:
    """What a program that we start would get beside its standard streams."""
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return []
    found = []
    for fd in (int(name) for name in names):
        try:
            if fd > 2 and os.get_inheritable(fd):
                found.append(fd)
        except OSError:
            continue
    return found


def reap(pid: int) -> int | None:
    """Its exit status, where it is our child and over."""
    try:
        done, status = os.waitpid(pid, os.WNOHANG)
    except OSError:
        return None
    return status if done else None


def last_words(folder: str, log: str) -> str:
    """Why it did not start, in its own words."""
    try:
        with open(f"{folder}/stderr", "rb") as file:
            lines = file.read(1 << 16).decode("utf-8", "replace").split("\n")
    except OSError:
        return f"see {log}"
    said = next((line.strip() for line in lines if "error" in line.lower()), "") or lines[0].strip()
    return said.removeprefix("sccache: error: ")[:300] or f"see {log}"


def socket_path(folder: str) -> str:
    """A path that fits into a socket's address."""
    path = folder + "/socket"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET:
        return path
    place = f"/tmp/cargo-deck-{os.getuid()}"
    os.makedirs(place, 0o700, exist_ok=True)
    status = os.lstat(place)
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise StateError(f"{place} is not ours alone: remove it, or set XDG_STATE_HOME to a shorter path")
    return f"{place}/{hashlib.blake2b(folder.encode(), digest_size=8).hexdigest()}"


def connect(path: str) -> _socket.socket:
    """A connection to who listens at that socket. Raises OSError: nobody does, or has no time within a second."""
    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        link.settimeout(_CONNECT_LIMIT_S)
        link.connect(path)
    except OSError:
        link.close()
        raise
    return link


def listener(path: str) -> proctree.Process | None:
    """The user's process that takes connections at that socket, as the kernel says; None: none does."""
    try:
        link = connect(path)
    except OSError:
        return None
    try:
        pid, uid, _ = _CREDENTIALS.unpack(link.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _CREDENTIALS.size))
    except OSError:
        return None
    finally:
        link.close()
    return proctree.read_process(pid) if pid > 0 and uid == os.getuid() else None


def note_failure(folder: str, settings: str, why: str) -> None:
    """It did not start with these settings."""
    try:
        with open(os.open(folder + "/failed", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(f"{settings}\n{why}")
    except OSError:
        pass  # it is tried again, and waited for, with the next build


def recent_failure(folder: str, settings: str) -> str | None:
    """Why it did not start with the same settings a moment ago: each build would wait for it anew. None: it did not
    fail."""
    try:
        with open(folder + "/failed") as file:
            before, why = file.read().split("\n", 1)
            age_s = wall_clock() - os.fstat(file.fileno()).st_mtime
    except (OSError, ValueError):
        return None
    return why if before == settings and 0 <= age_s < RETRY_AFTER_S else None
