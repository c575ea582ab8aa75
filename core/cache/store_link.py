"""One client's connection: heads, bodies and files over a blocking socket that never blocks for long."""

import contextlib
import os
import select
import socket
import struct
from collections.abc import Iterator

from core.cache.store_http import MAX_HEAD_BYTES, Refusal
from core.cache.store_object import CHUNK_BYTES
from core.clock import Clock

STALL_S = 30.0
"""Within a request or an answer a client may do nothing for so long."""
HEAD_S = 10.0
SLOWEST_BYTES_S = 50_000
"""A body that comes more slowly than this, after its first minute, is given up."""
DISCARD_BYTES = 64 << 20
"""Of a body that nobody wants, so much is read so that its client sees the answer; then the connection is closed."""

_LINGER_S = 0.5


class Gone(Exception):
    """The client broke off, or is too slow."""


class Link:
    """A connection; used by one thread, but for `interrupt`."""

    def __init__(self, sock: socket.socket, monotonic: Clock) -> None:
        self._sock = sock
        self._monotonic = monotonic
        self._ahead = b""
        """Bytes that came and were not asked for yet."""
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self.is_busy = False
        """Within a request."""
        self.is_known = False
        """It has shown the token."""
        self.used_at = monotonic()
        """When its last request ended."""
        timeout = struct.pack("ll", int(STALL_S), 0)
        sock.setblocking(True)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def wait(self, timeout_s: float) -> bool:
        """Whether a request begins in time."""
        return bool(self._ahead or self._poll.poll(timeout_s * 1000))

    def read_head(self) -> bytes | None:
        """Up to the empty line, without it; None: the client is done.

        Raises:
            Gone: it broke off, or took more than 10 s.
            Refusal: it is too long.
        """
        ends = self._monotonic() + HEAD_S
        while b"\r\n\r\n" not in self._ahead:
            if len(self._ahead) > MAX_HEAD_BYTES:
                raise Refusal(431, "the header is too long")
            more = self._receive(MAX_HEAD_BYTES)
            if not more and not self._ahead:
                return None
            if not more or self._monotonic() > ends:
                raise Gone("it broke off within a header")
            self._ahead += more
        head, _, self._ahead = self._ahead.partition(b"\r\n\r\n")
        return head

    def body(self, length: int) -> Iterator[memoryview]:
        """The body in chunks; each is overwritten by the next. Raises Gone."""
        ends = self._monotonic() + 60 + length / SLOWEST_BYTES_S
        first, self._ahead = self._ahead[:length], self._ahead[length:]
        if first:
            yield memoryview(first)
        missing = length - len(first)
        buffer = memoryview(bytearray(min(CHUNK_BYTES, missing)))
        while missing:
            view = buffer[: min(len(buffer), missing)]
            try:
                got = self._sock.recv_into(view, 0, socket.MSG_WAITALL)
            except OSError as error:
                raise Gone(f"it sent nothing more: {error.strerror}") from None
            if not got or self._monotonic() > ends:
                raise Gone(f"it broke off with {missing} of {length} bytes to come")
            missing -= got
            yield view[:got]

    def discard(self, length: int) -> bool:
        """Read a body that nobody wants; whether it is all read. Raises Gone."""
        if length > DISCARD_BYTES:
            return False
        for _ in self.body(length):
            pass
        return True

    def send(self, content: bytes) -> None:
        """Raises Gone."""
        try:
            self._sock.sendall(content)
        except OSError as error:
            raise Gone(f"it took no answer: {error.strerror}") from None

    def send_file(self, fd: int, length: int) -> None:
        """So much from the start of a file. Raises Gone."""
        at = 0
        try:
            while at < length:
                sent = os.sendfile(self._sock.fileno(), fd, at, length - at)
                if not sent:
                    raise Gone("the object ended early")
                at += sent
        except OSError as error:
            raise Gone(f"it took no more: {error.strerror}") from None

    def interrupt(self) -> None:
        """From another thread: whoever waits for a request has waited enough."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RD)

    def cut(self) -> None:
        """From another thread: end it at once, whatever it is at."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def rest(self) -> None:
        """A request is answered."""
        self.is_busy, self.used_at = False, self._monotonic()

    def close(self) -> None:
        """End it, what was sent being still delivered: a client that still sends would not see it otherwise."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            ends = self._monotonic() + _LINGER_S
            while self._monotonic() < ends and self._poll.poll(_LINGER_S * 1000) and self._sock.recv(CHUNK_BYTES):
                pass
        self._sock.close()

    def _receive(self, most: int) -> bytes:
        try:
            return self._sock.recv(most)
        except OSError as error:
            raise Gone(f"it sent nothing more: {error.strerror}") from None
