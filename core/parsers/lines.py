"""Splits a stream of bytes into lines, at any cut."""

MAX_LINE_BYTES = 1 << 16
"""Of a text line, what is kept."""
MAX_MESSAGE_BYTES = 1 << 24
"""A longer JSON message is skipped."""
_MESSAGE = b'{"reason":"'
_ERASED_MESSAGE = b"\x1b[K" + _MESSAGE


class LineSplitter:
    """Lines of one stream. `\\n`, `\\r` and `\\r\\n` end one each; the unfinished rest is held, up to a limit.

    With `keeps_messages`, a line that begins as one of cargo's messages may be `MAX_MESSAGE_BYTES` long.
    """

    __slots__ = ("_held", "_is_after_return", "_is_message", "_is_skipping", "_parts", "keeps_messages")

    def __init__(self, *, keeps_messages: bool = False) -> None:
        self.keeps_messages = keeps_messages
        self._parts: list[bytes] = []
        self._held = 0
        self._is_message: bool | None = None
        self._is_skipping = False
        self._is_after_return = False

    def feed(self, chunk: bytes) -> bytes:
        """The lines that the chunk completes, each ended by `\\n`; empty while there is none."""
        if self._is_after_return and chunk:
            self._is_after_return = False
            if chunk.startswith(b"\n"):
                chunk = chunk[1:]
        if b"\r" in chunk:
            self._is_after_return = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._hold(chunk)
            return b""
        lines = self._finished(chunk[:end]) if self._parts or self._is_skipping else chunk[:end]
        self._hold(chunk[end:])
        return lines

    def close(self) -> bytes:
        """The unfinished last line, without an end."""
        return self._let_go()

    def _finished(self, block: bytes) -> bytes:
        if self._is_skipping:
            self._is_skipping = False
            block = block[block.index(b"\n") :]
        self._parts.append(block)
        return self._let_go()

    def _let_go(self) -> bytes:
        held = b"".join(self._parts)
        self._parts.clear()
        self._held = 0
        self._is_message = None
        return held

    def _hold(self, rest: bytes) -> None:
        if not rest or self._is_skipping:
            return
        self._parts.append(rest)
        self._held += len(rest)
        if self._held > MAX_LINE_BYTES and self._held > self._limit():
            self._parts[:] = [b"".join(self._parts)[:MAX_LINE_BYTES]]
            self._is_skipping = True

    def _limit(self) -> int:
        if self._is_message is None:
            self._parts[:] = [b"".join(self._parts)]
            self._is_message = self.keeps_messages and self._parts[0].startswith((_MESSAGE, _ERASED_MESSAGE))
        return MAX_MESSAGE_BYTES if self._is_message else MAX_LINE_BYTES
