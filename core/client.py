"""Talking to the engine: waking or starting it, and asking it for something.

Imported before every build: `_socket` instead of `socket` (7 ms), no `subprocess`.
"""

import _socket
import os
from typing import Any

from core.daemon import Daemons
from core.errors import EngineError
from core.paths import Paths

IDLE_S = 60.0
"""The engine ends so long after the last run was closed, unless somebody asks."""
MAX_REQUEST_BYTES = 4 << 20
"""A start holds an environment, which the kernel lets grow to 2 MB."""
_ANSWER_BYTES = 16 << 20
_DIRECT_PATH_BYTES = 100


def ensure_engine(paths: Paths, *, idle_s: float = IDLE_S) -> None:
    """Wake the engine, or start one, without waiting for it (0.1 ms, or 2).

    What goes wrong is silent: builds do not need an engine, and the next command tries again.
    """
    try:
        found = _connect(paths, timeout_s=0.2)
        if found is not None:
            found.close()
            return
        _engines.reap()
        _start(paths, idle_s)
    except OSError:
        return


def request(paths: Paths, message: dict[str, Any], *, timeout_s: float = 5.0) -> dict[str, Any]:
    """Ask the engine, starting it where none runs; the answer, whose `ok` is true.

    Raises:
        EngineError: it refused (its sentence), or did not answer in time.
    """
    import json
    import time

    ends = time.monotonic() + timeout_s
    ensure_engine(paths)
    while (link := _connect(paths, timeout_s=timeout_s)) is None:
        if time.monotonic() > ends:
            raise EngineError(f"the engine did not start within {timeout_s:g} s: see {paths.engine}/log")
        time.sleep(0.01)
    try:
        with open(paths.engine + "/token") as file:
            token = file.read().strip()
        link.sendall(json.dumps({"v": 1, "token": token, **message}).encode() + b"\n")
        line = _read_line(link, ends)
        answer = json.loads(line)
    except TimeoutError:
        raise EngineError(f"the engine did not answer within {timeout_s:g} s: see {paths.engine}/log") from None
    except (OSError, ValueError) as error:
        raise EngineError(f"the engine could not be asked ({error}): try again") from error
    finally:
        link.close()
    if not isinstance(answer, dict) or not answer.get("ok"):
        raise EngineError(str(answer.get("error") if isinstance(answer, dict) else answer))
    return answer


def socket_address(folder: str, folder_fd: int) -> str:
    """Address of the socket in `folder`; through the folder's open fd where the path is over 107 bytes."""
    path = folder + "/socket"
    if len(os.fsencode(path)) <= _DIRECT_PATH_BYTES:
        return path
    return f"/proc/self/fd/{folder_fd}/socket"


def _connect(paths: Paths, *, timeout_s: float) -> "_socket.socket | None":
    try:
        folder_fd = os.open(paths.engine, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        link.settimeout(timeout_s)
        link.connect(socket_address(paths.engine, folder_fd))
    except OSError:
        link.close()
        return None
    finally:
        os.close(folder_fd)
    return link


def _read_line(link: "_socket.socket", ends: float) -> bytes:
    import time

    content = bytearray()
    while not content.endswith(b"\n"):
        link.settimeout(max(0.001, ends - time.monotonic()))
        chunk = link.recv(1 << 16)
        if not chunk or len(content) > _ANSWER_BYTES:
            raise OSError("it closed the connection")
        content += chunk
    return bytes(content)


_engines = Daemons()


def _start(paths: Paths, idle_s: float) -> None:
    for folder in (paths.state, paths.engine):  # a mode is for the last folder of a path only
        os.makedirs(folder, 0o700, exist_ok=True)
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "engine.py")
    _engines.start(program, paths.state, paths.cache, f"{idle_s:g}")
