"""Answers requests: one thread a connection, all over the same objects."""

import errno
import hmac
import json
import os
from collections.abc import Callable
from typing import NamedTuple

from core.cache.store_files import Evicted, Objects, Taken
from core.cache.store_http import SERVER, VERBS, Head, Refusal, answer_head, parse_head, properties
from core.cache.store_link import Gone, Link
from core.cache.store_log import CLEARED, Note, Op, StoreLog, Tally
from core.cache.store_names import Target, find_target
from core.cache.store_object import OVERHEAD_BYTES, Damage
from core.clock import Clock

FIRST_S = 10.0
"""A connection begins with a request, or ends."""
KEEP_S = 120.0
"""A connection without a request is kept so long: sccache's pool drops its own after 90 s."""
_CHECK_BYTES = 4096
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOBODY = Target("folder")


class Parts(NamedTuple):
    """What requests are answered from."""

    objects: Objects
    log: StoreLog
    tally: Tally
    token: str
    clock: Clock
    stop: Callable[[], None]
    """Ends the store once its requests are answered."""
    figures: Callable[[], dict[str, object]]
    """Of the server, for `/_stats`."""


class Service:
    """Answers on any number of links at once."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts
        self._expected = f"Bearer {parts.token}".encode()
        self._checks: dict[str, bytes] = {}
        """What agents wrote to learn whether they may write; kept in memory, so that a full disk does not make an
        sccache server read-only for the rest of its life."""
        self.is_ending = False

    def serve(self, link: Link) -> None:
        """All requests of one connection. Raises Gone."""
        keep_s = FIRST_S
        while not self.is_ending and link.wait(keep_s):
            link.is_busy = True
            try:
                raw = link.read_head()
                if raw is None:
                    return
                head = parse_head(raw)
            except Refusal as refusal:
                self._note("refused", _NOBODY, reason=str(refusal))
                link.send(answer_head(refusal.status, 0, is_kept=False))
                return
            if not self._answer(link, head):
                return
            link.rest()
            keep_s = KEEP_S

    def _answer(self, link: Link, head: Head) -> bool:
        """One request; whether another one may follow."""
        target = find_target(head.path)
        try:
            self._admit(link, head, target)
            assert target is not None
            return self._do(link, head, target)
        except Refusal as refusal:
            known = target or _NOBODY
            self._note("refused", known, reason=str(refusal))
            if refusal.status == 401:  # whoever has no token holds no connection
                head = head._replace(is_kept=False)
            return self._send(link, head, refusal.status, fields=_fields_of(refusal.status))

    def _admit(self, link: Link, head: Head, target: Target | None) -> None:
        """Raises Refusal."""
        if not hmac.compare_digest(head.authorization.encode("latin-1"), self._expected):
            raise Refusal(401, "the token is wrong" if head.authorization else "there is no token")
        link.is_known = True
        if target is None:
            raise Refusal(400, "the path names nothing")
        if (
            target.kind == "object"
            and head.verb == "PUT"
            and head.length + OVERHEAD_BYTES > self._p.objects.limit_bytes
        ):
            raise Refusal(413, f"{head.length} bytes are more than the whole store may hold")

    def _do(self, link: Link, head: Head, target: Target) -> bool:
        match head.verb, target.kind:
            case "GET" | "HEAD", "object":
                return self._get(link, head, target)
            case "PUT", "object":
                return self._put(link, head, target)
            case "PUT", "check":
                return self._put_check(link, head, target)
            case "GET" | "HEAD", "check":
                content = self._checks.get(target.agent)
                return self._send(link, head, 404 if content is None else 200, content or b"")
            case "PROPFIND", "object" | "check" | "folder":
                return self._propfind(link, head, target)
            case "MKCOL", "folder":
                return self._send(link, head, 201)
            case "DELETE", "object" | "check":
                return self._delete(link, head, target)
            case "DELETE", "objects":
                return self._clear(link, head)
            case "GET", "stats":
                return self._send(link, head, 200, json.dumps(self._stats()).encode())
            case "POST", "stop":
                is_kept = self._send(link, head, 204)
                self._p.stop()
                return is_kept
            case "OPTIONS", _:
                fields = ("DAV: 1", f"Allow: {', '.join(VERBS)}", f"Server: {SERVER}/{os.getpid()}")
                return self._send(link, head, 200, fields=fields)
            case _:
                raise Refusal(405, f"{head.verb} is not for that path")

    def _get(self, link: Link, head: Head, target: Target) -> bool:
        taken = self._take(target, is_use=head.verb == "GET")
        if taken is None:
            if head.verb == "GET":
                self._note("miss", target)
            return self._send(link, head, 404)
        try:
            stored = taken.stored
            if head.verb == "HEAD":
                return self._send(link, head, 200, length=stored.size_bytes)
            self._note("hit", target, size_bytes=stored.size_bytes, by=stored.agent, stored_at=stored.stored_at)
            if taken.content is not None:
                return self._send(link, head, 200, taken.content)
            is_kept = self._send(link, head, 200, length=stored.size_bytes)
            link.send_file(taken.fd, stored.size_bytes)
            return is_kept
        finally:
            os.close(taken.fd)

    def _take(self, target: Target, *, is_use: bool) -> Taken | None:
        try:
            return self._p.objects.take(target.name, is_use=is_use)
        except Damage as damage:
            self._note("error", target, reason=f"removed, it was damaged: {damage}")
        except OSError as error:
            self._note("error", target, reason=f"it cannot be read: {error.strerror}")
        return None

    def _put(self, link: Link, head: Head, target: Target) -> bool:
        if head.is_waiting:
            link.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        read = 0
        try:
            incoming = self._p.objects.begin(target.name, target.agent)
            try:
                for chunk in link.body(head.length):
                    read += len(chunk)
                    incoming.add(chunk)
                at = self._p.clock()
                evicted = incoming.keep(at)
            except BaseException:
                incoming.abandon()
                raise
        except Gone as gone:
            self._note("error", target, reason=str(gone))
            raise
        except OSError as error:
            return self._fail_put(link, head._replace(length=head.length - read, is_waiting=False), target, error)
        self._note_evicted(evicted, target.agent)
        self._note("put", target, size_bytes=head.length, by=target.agent, stored_at=at)
        return self._send(link, head._replace(length=0), 201)

    def _fail_put(self, link: Link, head: Head, target: Target, error: OSError) -> bool:
        """`head.length` is what is still to come of the body."""
        is_full = error.errno in _FULL
        words = "the disk is full" if is_full else "it cannot be written"
        self._note("error", target, reason=f"{words}: {error.strerror}")
        return self._send(link, head, 507 if is_full else 500)

    def _put_check(self, link: Link, head: Head, target: Target) -> bool:
        if head.length > _CHECK_BYTES:
            raise Refusal(413, "a check is small")
        if head.is_waiting:
            link.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._checks[target.agent] = b"".join(bytes(chunk) for chunk in link.body(head.length))
        return self._send(link, head._replace(length=0), 201)

    def _propfind(self, link: Link, head: Head, target: Target) -> bool:
        at, size_bytes = self._p.clock(), None
        if target.kind == "object":
            stored = self._p.objects.stored(target.name)
            if stored is None:
                return self._send(link, head, 404)
            at, size_bytes = stored.stored_at, stored.size_bytes
        elif target.kind == "check":
            if target.agent not in self._checks:
                return self._send(link, head, 404)
            size_bytes = len(self._checks[target.agent])
        content = properties(head.path, at, size_bytes)
        return self._send(link, head, 207, content, fields=('Content-Type: application/xml; charset="utf-8"',))

    def _delete(self, link: Link, head: Head, target: Target) -> bool:
        if target.kind == "check":
            return self._send(link, head, 204 if self._checks.pop(target.agent, None) is not None else 404)
        removed = self._p.objects.remove(target.name)
        if removed is not None:
            self._note_evicted([removed], target.agent, reason="deleted")
        return self._send(link, head, 204 if removed else 404)

    def _clear(self, link: Link, head: Head) -> bool:
        removed = self._p.objects.clear()
        self._note("evict", _NOBODY, size_bytes=removed, reason=CLEARED)
        return self._send(link, head, 200, json.dumps({"removed_bytes": removed}).encode())

    def _send(
        self, link: Link, head: Head, status: int, content: bytes = b"", *, length: int | None = None,
        fields: tuple[str, ...] = (),
    ) -> bool:  # fmt: skip
        """Answer once the rest of the body is read; whether the connection goes on."""
        is_read = not head.is_waiting and link.discard(head.length) if head.length else True
        is_kept = head.is_kept and is_read and not self.is_ending
        said = answer_head(status, len(content) if length is None else length, is_kept=is_kept, fields=fields)
        link.send(said if head.verb == "HEAD" else said + content)
        return is_kept

    def _stats(self) -> dict[str, object]:
        return {
            **self._p.figures(),
            **self._p.objects.figures(),
            **self._p.tally.figures(),
            "lost_lines": self._p.log.lost_lines,
        }

    def note_fault(self, error: Exception) -> None:
        """Something that nobody thought of went wrong in a request."""
        self._note("error", _NOBODY, reason=f"{type(error).__name__}: {error}")

    def note_evicted_at_start(self, evicted: list[Evicted]) -> None:
        """The limit is lower than it was."""
        self._note_evicted(evicted, "")

    def _note_evicted(self, evicted: list[Evicted], agent: str, reason: str = "") -> None:
        for one in evicted:
            by, stored_at = (one.stored.agent, one.stored.stored_at) if one.stored else ("", None)
            target = Target("object", agent, one.name.rpartition(",")[2], one.name)
            self._note("evict", target, size_bytes=one.size_bytes, by=by, stored_at=stored_at, reason=reason)

    def _note(
        self, op: Op, target: Target, *, size_bytes: int = 0, by: str = "", stored_at: float | None = None,
        reason: str = "",
    ) -> None:  # fmt: skip
        note = Note(self._p.clock(), target.agent, op, target.key, size_bytes, by, stored_at, reason)
        self._p.log.write(note)
        self._p.tally.add(note)


def _fields_of(status: int) -> tuple[str, ...]:
    match status:
        case 401:
            return ("WWW-Authenticate: Bearer",)
        case 405:
            return (f"Allow: {', '.join(VERBS)}",)
        case _:
            return ()
