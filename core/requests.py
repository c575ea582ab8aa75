"""The engine's socket: one JSON object a line, answered by one. Nothing is done without the token."""

import json
import os
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from core.client import MAX_REQUEST_BYTES, socket_address
from core.errors import DeckError

Handler = Callable[[dict[str, Any]], dict[str, Any]]
"""Does what a request says and gives what the answer holds beside `ok`. Raises DeckError to refuse."""
Fault = Callable[[str, BaseException], None]
"""Is told of what a handler raised beside that, and where."""
VERSION = 1
MAX_LINKS = 64
LINK_TIMEOUT_S = 10.0
"""Who says nothing for so long is let go."""


@dataclass(slots=True)
class _Link:
    socket: socket.socket
    opened_at: float
    received: bytearray = field(default_factory=bytearray)
    answer: bytes = b""


class Server:
    """Listens on `engine/socket`."""

    def __init__(self, folder: str, handle: Handler, fault: Fault) -> None:
        """Take the place of whatever lies there: the caller holds the engine's lock, so it is a dead engine's.

        Raises:
            OSError: the socket or the token cannot be made.
        """
        self.asked_at: float | None = None
        """When somebody last connected (a nudge of `ensure_engine` says nothing), on the clock of `serve`."""
        self._handle = handle
        self._fault = fault
        self._links: dict[int, _Link] = {}
        self._token = _write_token(folder + "/token")
        folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if os.path.lexists(folder + "/socket"):
                os.unlink(folder + "/socket")
            self._listener.bind(socket_address(folder, folder_fd))
            self._listener.listen(MAX_LINKS)
            self._listener.setblocking(False)
        finally:
            os.close(folder_fd)
        self._poll = select.poll()
        self._poll.register(self._listener, select.POLLIN)

    def watch(self, fd: int) -> None:
        """Return from `serve` early when this descriptor becomes readable."""
        self._poll.register(fd, select.POLLIN)

    def unwatch(self, fd: int) -> None:
        """Undo `watch`."""
        self._poll.unregister(fd)

    def serve(self, timeout_s: float, now: Callable[[], float]) -> None:
        """Wait for requests for at most so long, and answer them."""
        for fd, _ in self._poll.poll(max(0, int(timeout_s * 1000))):
            if fd == self._listener.fileno():
                self._accept(now())
            elif fd in self._links:
                self._serve_link(fd, now())
        for fd in [fd for fd, link in self._links.items() if now() - link.opened_at > LINK_TIMEOUT_S]:
            self._drop(fd)

    def close(self) -> None:
        """Stop listening. The socket's file stays: a next engine may already have put its own there."""
        for fd in list(self._links):
            self._drop(fd)
        self._listener.close()

    def _accept(self, now: float) -> None:
        try:
            link, _ = self._listener.accept()
        except OSError:
            return
        self.asked_at = now
        if len(self._links) >= MAX_LINKS:
            link.close()
            return
        link.setblocking(False)
        self._links[link.fileno()] = _Link(link, now)
        self._poll.register(link, select.POLLIN)

    def _serve_link(self, fd: int, now: float) -> None:
        link = self._links[fd]
        try:
            if link.answer:
                self._send(fd, link)
                return
            chunk = link.socket.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            self._drop(fd)
            return
        link.received += chunk
        if b"\n" in chunk:
            self._answer(fd, link, bytes(link.received).split(b"\n")[0])
        elif len(link.received) > MAX_REQUEST_BYTES:
            self._reply(fd, link, _refusal(f"a request has at most {MAX_REQUEST_BYTES} bytes"))
        elif not chunk:
            self._drop(fd)

    def _answer(self, fd: int, link: _Link, line: bytes) -> None:
        try:
            message = self._checked(line)
            answer = {"ok": True, **self._handle(message)}
        except DeckError as error:
            answer = _refusal(str(error))
        except Exception as error:  # whatever it is: builds are watched on
            self._fault("request", error)
            answer = _refusal(f"this failed by a fault of ours, see the engine's log: {type(error).__name__}: {error}")
        self._reply(fd, link, answer)

    def _checked(self, line: bytes) -> dict[str, Any]:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise DeckError("a request is one JSON object on a line") from None
        if not isinstance(message, dict):
            raise DeckError("a request is one JSON object on a line")
        if message.get("token") != self._token:
            raise DeckError("the token is missing or wrong: it is in engine/token of the state directory")
        if message.get("v") != VERSION:
            raise DeckError(f"this engine speaks version {VERSION}, not {message.get('v')!r}: run one cargo-deck")
        return message

    def _reply(self, fd: int, link: _Link, answer: dict[str, Any]) -> None:
        link.answer = json.dumps(answer).encode() + b"\n"
        self._poll.modify(fd, select.POLLOUT)
        self._send(fd, link)

    def _send(self, fd: int, link: _Link) -> None:
        try:
            sent = link.socket.send(link.answer)
        except BlockingIOError:
            return
        except OSError:
            self._drop(fd)
            return
        link.answer = link.answer[sent:]
        if not link.answer:
            self._drop(fd)

    def _drop(self, fd: int) -> None:
        link = self._links.pop(fd)
        self._poll.unregister(fd)
        link.socket.close()


def _refusal(sentence: str) -> dict[str, Any]:
    return {"ok": False, "error": sentence}


def _write_token(path: str) -> str:
    token = os.urandom(16).hex()
    part = path + ".part"
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(token + "\n")
    os.rename(part, path)
    return token
