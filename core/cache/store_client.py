"""The cache store from outside: finding, starting, asking and ending it.

Imported before builds: `_socket` instead of `socket` (7 ms), no `subprocess`.
"""

import _socket
import os
import sys
from typing import Any, Literal, NamedTuple

from core.cache.store_address import StoreAddress as StoreAddress
from core.cache.store_address import read_address
from core.clock import monotonic, wall_clock
from core.daemon import Daemons, is_locked, take_lock
from core.errors import StoreError
from core.paths import Paths
from core.run.cache import STORE_LIMIT_BYTES

IDLE_S = 600.0
START_S = 2.0
HUNG_S = 1.0
"""A store that does not answer in this time is no help to anybody."""
_LOST_S = 1.5
"""A store writes its address anew, where it was lost, within a second. One that is not found in this time is none."""
_PAUSE_S = 0.005
_AGAIN_S = 0.1
_ANSWER_BYTES = 16 << 20
_SERVER = b"\r\nServer: cargo-deck-store/%d\r\n"


_State = Literal["runs", "none", "hung", "lost"]
"""`lost`: one may live, and this is not its address; it may also be just ending."""


class _Answer(NamedTuple):
    status: int
    head: bytes
    body: bytes


def data_folder(paths: Paths) -> str:
    """Where the objects are."""
    return paths.cache + "/store"


def ensure_store(paths: Paths, *, limit_bytes: int = STORE_LIMIT_BYTES, idle_s: float = IDLE_S) -> StoreAddress:
    """The store that runs (1 ms), or a new one (50 ms); one that hangs is killed.

    Limit and idle time are those of whoever starts it.

    Raises:
        StoreError: none answers within 2 s, or none could write anything.
    """
    began = monotonic()
    ends = began + START_S
    child, start_at, pause_s = 0, 0.0, _AGAIN_S
    while True:
        found, state = _look(paths, timeout_s=max(0.05, min(HUNG_S, ends - monotonic())))
        if found is not None:
            return found
        now = monotonic()
        if now > began + (HUNG_S if state == "hung" else _LOST_S):
            _kill_if_ours(paths)
        if now > ends:
            raise StoreError(f"the cache store did not start within {START_S:g} s: see {paths.store}/errors")
        _stores.reap()
        if child not in _stores.pids and now >= start_at:
            _try_folders(paths)
            # One that was killed may hold the lock still, so that the first of ours gives way to it.
            child = _start(paths, limit_bytes, idle_s)
            start_at, pause_s = now + pause_s, pause_s * 2
        _sleep(_PAUSE_S)


def find_store(paths: Paths, *, timeout_s: float = 1.0) -> StoreAddress | None:
    """The store that runs; None: none does, or it does not answer in time."""
    return _look(paths, timeout_s)[0]


def find_lost_store(paths: Paths) -> StoreAddress | None:
    """The same, for who has time: one whose address was lost is waited for, as long as it holds its lock."""
    ends = monotonic() + _LOST_S
    while (found := find_store(paths)) is None and is_locked(paths.store + "/lock") and monotonic() < ends:
        _sleep(_PAUSE_S)
    return found


def _look(paths: Paths, timeout_s: float) -> tuple[StoreAddress | None, _State]:
    """The store that runs, and what the one that was started last is at."""
    address = read_address(paths.store)
    # Nobody else is to hear the token: a dead store's port may be anybody's.
    if address is None or not _is_alive(address.pid):
        return None, "none"
    try:
        answer = _ask(address, "OPTIONS", "/", timeout_s)
    except TimeoutError:
        return None, "hung"
    except OSError:
        return None, "lost"
    # 503: it lives, and has no room just now.
    is_it = answer.status in (200, 503) and _SERVER % address.pid in answer.head
    return (address, "runs") if is_it else (None, "lost")


def end_hung_store(paths: Paths) -> bool:
    """Kill a store that lives and does not answer within 1 s; whether there was one.

    Who asks a hung store waits a minute for each object, who asks a dead one does not wait.
    """
    return _look(paths, HUNG_S)[1] == "hung" and _kill_if_ours(paths)


def store_stats(paths: Paths, *, timeout_s: float = 2.0) -> dict[str, Any] | None:
    """What the store did since it was started, and holds; None: none runs.

    `since`, `pid`, `port`, `connections`, `idle_s`; `entries`, `bytes`, `limit`, `oldest` (last use of the one that
    goes first; null: there is none), `is_looked_through` (false: entries of earlier days are still being counted);
    `agents` (name: `hits`, `misses`, `puts`, `hit_bytes`, `put_bytes`); `trades` (a list of `by`, `agent`, `hits`,
    `bytes`); `evicted`, `evicted_bytes`, `refused`, `errors`, `lost_lines`.
    """
    import json

    address = find_store(paths, timeout_s=timeout_s)
    if address is None:
        return None
    try:
        answer = _ask(address, "GET", "/_stats", timeout_s)
        found = json.loads(answer.body)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and answer.status == 200 else None


def stop_store(paths: Paths, *, timeout_s: float = 5.0) -> bool:
    """End the store once its requests are answered; False: none runs.

    Raises:
        StoreError: it did not end in time.
    """
    address = find_lost_store(paths)
    if address is None:
        return False
    ends = monotonic() + timeout_s
    try:
        _ask(address, "POST", "/_stop", timeout_s)
    except OSError:
        pass  # it was ending already
    while (lock_fd := take_lock(paths.store)) is None:
        _stores.reap()
        if monotonic() > ends:
            raise StoreError(f"the cache store (process {address.pid}) did not end within {timeout_s:g} s")
        _sleep(_PAUSE_S)
    os.close(lock_fd)
    _stores.reap()
    return True


def clear_store(paths: Paths, *, timeout_s: float = 60.0) -> int:
    """Remove all objects, whether or not the store runs; their bytes.

    Raises:
        StoreError: they could not be removed.
    """
    import json

    ends = monotonic() + timeout_s
    try:
        while True:
            address = find_store(paths)
            if address is not None:
                answer = _ask(address, "DELETE", "/_objects", timeout_s)
                return int(json.loads(answer.body)["removed_bytes"])
            lock_fd = take_lock(paths.store)
            if lock_fd is not None:
                return _clear_files(paths, lock_fd)
            if monotonic() > ends:
                raise StoreError(f"the cache store holds {paths.store}/lock and does not answer: end it, and try again")
            _sleep(_PAUSE_S)
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(f"the cache store's objects in {data_folder(paths)} could not be removed: {error}") from error


def _clear_files(paths: Paths, lock_fd: int) -> int:
    """With the store's lock, so that none starts meanwhile."""
    from core.cache.store_files import Objects
    from core.cache.store_log import CLEARED, Note, StoreLog

    try:
        if not os.path.isdir(data_folder(paths)):
            return 0
        objects = Objects(data_folder(paths), sys.maxsize, wall_clock)
        objects.prepare()
        objects.look()
        removed = objects.clear()
        StoreLog(paths.store).write(Note(wall_clock(), "", "evict", size_bytes=removed, reason=CLEARED))
        return removed
    finally:
        os.close(lock_fd)


def _ask(address: StoreAddress, verb: str, path: str, timeout_s: float) -> _Answer:
    """One request on a connection of its own. Raises OSError."""
    ends = monotonic() + timeout_s
    link = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    try:
        link.settimeout(timeout_s)
        link.connect(("127.0.0.1", address.port))
        lines = (f"{verb} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {address.token}")
        link.sendall("\r\n".join((*lines, "Connection: close", "", "")).encode())
        content = bytearray()
        while len(content) < _ANSWER_BYTES:
            link.settimeout(max(0.001, ends - monotonic()))
            chunk = link.recv(1 << 16)
            if not chunk:
                break
            content += chunk
    finally:
        link.close()
    head, _, body = bytes(content).partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 ") or not head[9:12].isdigit():
        raise OSError("what listens there is no cache store")
    return _Answer(int(head[9:12]), head + b"\r\n", body)


def _is_alive(pid: int) -> bool:
    _stores.reap()
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return False  # somebody else's: the pid was given anew
    return True


def _kill_if_ours(paths: Paths) -> bool:
    """Kill the process of the address, if it is a store of these folders: it may be killed at any time."""
    import signal

    address = read_address(paths.store)
    if address is None:
        return False
    try:
        with open(f"/proc/{address.pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
        if os.fsencode(paths.store) not in words or not any(word.endswith(b"/store.py") for word in words):
            return False
        os.kill(address.pid, signal.SIGKILL)
    except OSError:
        return False
    return True


_stores = Daemons()


def _start(paths: Paths, limit_bytes: int, idle_s: float) -> int:
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "store.py")
    try:
        return _stores.start(program, paths.store, data_folder(paths), str(limit_bytes), f"{idle_s:g}")
    except OSError as error:
        raise StoreError(f"the cache store could not be started: {error}") from error


def _try_folders(paths: Paths) -> None:
    """A store would not come up where it can write nothing: it is said at once, and which folder that is."""
    for folder in (paths.store, data_folder(paths)):
        try:
            for place in (os.path.dirname(folder), folder):  # a mode is for the last folder of a path only
                os.makedirs(place, 0o700, exist_ok=True)
            os.close(os.open(folder + "/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreError(f"the cache store cannot write to {folder}: {error.strerror}") from error


def _sleep(seconds: float) -> None:
    import time

    time.sleep(seconds)
