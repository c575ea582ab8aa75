"""Accepts connections, a thread each, until nobody needs the store."""

import contextlib
import os
import select
import signal
import socket
import threading
from collections.abc import Callable

from core.cache.store_http import SERVER, answer_head
from core.cache.store_link import Gone, Link
from core.cache.store_service import Service
from core.clock import Clock

MAX_LINKS = 256
"""Connections at once that have shown the token: memory is bounded, 0.3 MB each where it comes to that. Of more, the
one that has rested longest is ended; where all are at work, the new one is told that there is no room."""
MAX_STRANGERS = 64
"""Connections at once that have not: of more, the oldest is ended, so that nobody keeps out who has the token."""
ENDING_S = 3.0
"""Requests under way are answered when the store is told to end, if they take no longer."""
_TICK_S = 1.0
_STACK_BYTES = 512 << 10


def listen(port: int) -> socket.socket:
    """A socket on 127.0.0.1, on that port where it is free. Raises OSError."""
    for wanted in (port, 0):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", wanted))
            sock.listen(128)
        except OSError:
            sock.close()
            if wanted == 0:
                raise
        else:
            sock.setblocking(False)
            return sock
    raise AssertionError("the second port is any")


class Server:
    """Ends after `idle_s` without a connection, on SIGTERM, when told to, or when it is not wanted any more."""

    def __init__(self, listener: socket.socket, *, idle_s: float, monotonic: Clock) -> None:
        self._listener = listener
        self._idle_s = idle_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._links: dict[Link, None] = {}
        """In the order in which they came."""
        self._quiet_since = monotonic()
        self._is_ending = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        threading.stack_size(_STACK_BYTES)

    def stop(self) -> None:
        """End soon; from any thread, or from a signal."""
        self._is_ending = True
        self._wake()

    def figures(self) -> dict[str, object]:
        """For `/_stats`."""
        with self._lock:
            return {
                "pid": os.getpid(), "port": self._listener.getsockname()[1], "connections": len(self._links),
                "idle_s": self._idle_s,
            }  # fmt: skip

    def run(self, service: Service, is_wanted: Callable[[], bool]) -> None:
        """Serve until the end."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stop())
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        while not self._is_ending and is_wanted() and not self._is_idle():
            ready = {fd for fd, _ in poll.poll(min(_TICK_S, max(self._idle_s, 0.01)) * 1000)}
            if self._wake_read in ready:
                os.read(self._wake_read, 4096)
            if self._listener.fileno() in ready:
                self._accept(service)
        self._end(service)

    def _is_idle(self) -> bool:
        with self._lock:
            return not self._links and self._monotonic() - self._quiet_since >= self._idle_s

    def _accept(self, service: Service) -> None:
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:  # too many open files, mostly: some will be closed soon
            select.select([self._wake_read], [], [], 0.05)
            return
        if len(self._links) >= MAX_LINKS + 2 * MAX_STRANGERS:  # those that were cut are not gone yet
            sock.close()
            return
        serve = self._serve if self._make_room() else self._refuse
        link = Link(sock, self._monotonic)
        with self._lock:
            self._links[link] = None
        try:
            threading.Thread(target=serve, args=(service, link), daemon=True).start()
        except RuntimeError:  # the machine has no thread left
            self._leave(link)

    def _make_room(self) -> bool:
        """For one more connection; False: all are at work."""
        with self._lock:
            strangers = [link for link in self._links if not link.is_known]
            known = [link for link in self._links if link.is_known]
        for link in strangers[: max(0, len(strangers) - MAX_STRANGERS + 1)]:
            link.cut()
        resting = [link for link in known if not link.is_busy]
        if len(known) >= MAX_LINKS and resting:
            min(resting, key=lambda link: link.used_at).cut()
        return len(known) < MAX_LINKS or bool(resting)

    def _refuse(self, service: Service, link: Link) -> None:
        try:
            link.send(answer_head(503, 0, is_kept=False, fields=(f"Server: {SERVER}/{os.getpid()}",)))
        except Gone:
            pass
        finally:
            self._leave(link)

    def _serve(self, service: Service, link: Link) -> None:
        try:
            service.serve(link)
        except Gone:
            pass
        except Exception as error:
            service.note_fault(error)
        finally:
            self._leave(link)

    def _leave(self, link: Link) -> None:
        link.close()
        with self._lock:
            self._links.pop(link, None)
            self._quiet_since = self._monotonic()
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"\0")

    def _end(self, service: Service) -> None:
        """Answer what is under way, and accept nothing more."""
        service.is_ending = True
        self._listener.close()
        ends = self._monotonic() + ENDING_S
        while self._links and self._monotonic() < ends:
            with self._lock:
                waiting = [link for link in self._links if not link.is_busy]
            for link in waiting:
                link.interrupt()
            select.select([self._wake_read], [], [], 0.02)
