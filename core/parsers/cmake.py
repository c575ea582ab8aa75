"""CMake's own errors and warnings. Source: cmake 3.25, `CMake Error at CMakeLists.txt:3 (add_library):`."""

import re
from collections.abc import MutableSequence
from typing import cast

from core import events as e
from core.parsers.messages import MAX_RENDERED_BYTES, clean_rendered
from core.parsers.text import plain

_HEADER = re.compile(rb"CMake (Error|Warning)(?: \(dev\))?(?: at (.+?):([0-9]{1,9}) \(.*\))?:(?: (.+))?\Z")


class CmakeReader:
    """Gathers a header and the indented text under it."""

    def __init__(self) -> None:
        self._header: tuple[bytes, bytes | None, int | None, bytes | None] | None = None
        self._lines: list[bytes] = []
        self._size = 0

    @property
    def is_open(self) -> bool:
        """More lines of a diagnostic may follow."""
        return self._header is not None

    def read(self, block: bytes, at: float, events: MutableSequence[e.Event]) -> None:
        """Whole lines without SGR."""
        for line in block.split(b"\n"):
            if header := _HEADER.match(line):
                self.end(at, events)
                row = int(header[3]) if header[3] else None
                self._header = (header[1], header[2], row, header[4])
                self._lines, self._size = [line], len(line)
            elif self._header is not None:
                if line and not line.startswith(b"  "):
                    self.end(at, events)
                elif self._size < MAX_RENDERED_BYTES:
                    self._lines.append(line)
                    self._size += len(line) + 1

    def end(self, at: float, events: MutableSequence[e.Event]) -> None:
        """Something else follows."""
        header, self._header = self._header, None
        if header is None:
            return
        level, file, row, message = header
        message = message or next((line.strip() for line in self._lines[1:] if line.strip()), b"")
        events.append(
            e.DiagnosticEmitted(
                at,
                cast(e.Level, level.decode().lower()),
                plain(message, 500),
                None,
                plain(file, 500) if file else None,
                row,
                None,
                clean_rendered(b"\n".join(self._lines)),
            )
        )
