"""The part of HTTP/1.1 and WebDAV that a cache needs, as functions of bytes. Pure."""

import re
import time
from typing import NamedTuple

VERBS = ("GET", "HEAD", "PUT", "PROPFIND", "MKCOL", "DELETE", "OPTIONS")
SERVER = "cargo-deck-store"
"""As the answer to OPTIONS says, with its pid."""
MAX_HEAD_BYTES = 16 << 10
_REASONS = {
    200: "OK", 201: "Created", 204: "No Content", 207: "Multi-Status", 400: "Bad Request", 401: "Unauthorized",
    404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout", 411: "Length Required",
    413: "Content Too Large", 431: "Request Header Fields Too Large", 500: "Internal Server Error",
    503: "Service Unavailable", 505: "HTTP Version Not Supported", 507: "Insufficient Storage",
}  # fmt: skip
_LINE = re.compile(rb"([A-Z]{1,16}) ([!-~]{1,1024}) HTTP/1\.([01])\Z")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*\Z", re.DOTALL)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Refusal(Exception):
    """The request cannot be done as it was asked: status, and a few words."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Head(NamedTuple):
    """What a request says before its body."""

    verb: str
    path: str
    authorization: str
    """Empty: it has none."""
    length: int
    """Bytes of the body."""
    is_kept: bool
    """The connection goes on afterwards."""
    is_waiting: bool
    """The body comes once we said `100 Continue`."""


def parse_head(raw: bytes) -> Head:
    """Request line and fields, without the empty line after them.

    Raises:
        Refusal: this is no request that we read.
    """
    first, *lines = raw.split(b"\r\n")
    matched = _LINE.match(first)
    if matched is None:
        raise Refusal(400, "the request line cannot be read")
    fields: dict[bytes, bytes] = {}
    for line in lines:
        field = _FIELD.match(line)
        if field is None or b"\n" in line or b"\0" in line:
            raise Refusal(400, "a header field cannot be read")
        name = field[1].lower()
        if name in (b"content-length", b"authorization") and fields.get(name, field[2]) != field[2]:
            raise Refusal(400, "a header field contradicts itself")
        fields[name] = field[2]
    connection = fields.get(b"connection", b"").lower()
    return Head(
        verb=matched[1].decode(),
        path=matched[2].decode(),
        authorization=fields.get(b"authorization", b"").decode("latin-1"),
        length=_length(fields, is_needed=matched[1] == b"PUT"),
        is_kept=b"close" not in connection if matched[3] == b"1" else b"keep-alive" in connection,
        is_waiting=fields.get(b"expect", b"").lower() == b"100-continue",
    )


def _length(fields: dict[bytes, bytes], *, is_needed: bool) -> int:
    if b"transfer-encoding" in fields or (is_needed and b"content-length" not in fields):
        raise Refusal(411, "a body needs its length")
    told = fields.get(b"content-length", b"0")
    if not told.isdigit() or len(told) > 18:
        raise Refusal(400, "the length cannot be read")
    return int(told)


def answer_head(status: int, length: int, *, is_kept: bool = True, fields: tuple[str, ...] = ()) -> bytes:
    """Status line and fields, with the empty line after them."""
    lines = [f"HTTP/1.1 {status} {_REASONS[status]}", f"Content-Length: {length}", *fields]
    if not is_kept:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def http_date(at: float) -> str:
    """As in `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110), whatever the locale."""
    t = time.gmtime(at)
    day, month = _DAYS[t.tm_wday], _MONTHS[t.tm_mon - 1]
    return f"{day}, {t.tm_mday:02} {month} {t.tm_year:04} {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"


def properties(path: str, modified: float, size_bytes: int | None) -> bytes:
    """Body of an answer to PROPFIND for one object or, without a size, one folder.

    Args:
        path: As it was asked for; letters of XML are in none.
        modified: Seconds since the epoch.
        size_bytes: None: it is a folder.
    """
    kind = "<D:resourcetype><D:collection/></D:resourcetype>"
    if size_bytes is not None:
        kind = f"<D:resourcetype/><D:getcontentlength>{size_bytes}</D:getcontentlength>"
    return (
        '<?xml version="1.0" encoding="utf-8"?><D:multistatus xmlns:D="DAV:"><D:response>'
        f"<D:href>{path}</D:href><D:propstat><D:prop><D:getlastmodified>{http_date(modified)}</D:getlastmodified>"
        f"{kind}</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>"
    ).encode()
