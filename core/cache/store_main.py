"""Puts the store together and runs it: the outer edge, where whatever goes wrong is written down."""

import contextlib
import fcntl
import os
import sys
import threading
import traceback

from core.cache.store_address import StoreAddress, read_address, write_address
from core.cache.store_files import Objects
from core.cache.store_log import StoreLog, Tally
from core.cache.store_server import Server, listen
from core.cache.store_service import Parts, Service
from core.clock import monotonic, wall_clock

_OTHER_S = 1.0
"""Another store over the same objects may be about to end."""


def run(state: str, data: str, *, limit_bytes: int, idle_s: float, lock_fd: int) -> int:
    """Be the store; the exit code. `lock_fd` holds the store's lock."""
    try:
        data_fd = _lock_data(data)
        if data_fd is None:
            sys.stderr.write(f"another store is at work in {data}\n")
            return 1
        _serve(state, Objects(data, limit_bytes, wall_clock), idle_s, lock_fd)
        os.close(data_fd)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def _serve(state: str, objects: Objects, idle_s: float, lock_fd: int) -> None:
    objects.prepare()
    last = read_address(state)
    token = last.token if last else os.urandom(24).hex()
    listener = listen(last.port if last else 0)
    server = Server(listener, idle_s=idle_s, monotonic=monotonic)
    parts = Parts(
        objects, StoreLog(state), Tally(wall_clock()), token, wall_clock, stop=server.stop, figures=server.figures
    )
    service = Service(parts)
    address = StoreAddress(listener.getsockname()[1], token, os.getpid())
    write_address(state, address)
    threading.Thread(target=_look, args=(objects, service), daemon=True).start()
    server.run(service, lambda: _is_same(state + "/lock", lock_fd) and _can_be_found(state, address))


def _look(objects: Objects, service: Service) -> None:
    try:
        service.note_evicted_at_start(objects.look())
    except Exception as error:
        service.note_fault(error)


def _is_same(path: str, fd: int) -> bool:
    """The state folder is still the one that we were started for."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))
    except OSError:
        return False


def _can_be_found(state: str, address: StoreAddress) -> bool:
    """Our address is where it is looked for, written anew where it was lost: nobody else may hold the lock, so nobody
    else has one. True, because a store that is not found still serves those that know it."""
    if read_address(state) != address:
        with contextlib.suppress(OSError):
            write_address(state, address)
    return True


def _lock_data(folder: str) -> int | None:
    """Held until we end; None: another store has these objects. Raises OSError."""
    os.makedirs(os.path.dirname(folder), 0o700, exist_ok=True)
    os.makedirs(folder, 0o700, exist_ok=True)
    fd = os.open(folder + "/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    ends = monotonic() + _OTHER_S
    pause = threading.Event()
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError:
            if monotonic() > ends:
                return None
        except OSError:
            return fd  # a file system without locks
        pause.wait(0.02)
