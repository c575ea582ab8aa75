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
        self._header: re.Match[bytes] | None = None
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
                self._header, self._lines, self._size = header, [line], len(line)
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
        message = header[4] or next((line.strip() for line in self._lines[1:] if line.strip()), b"")
        events.append(
            e.DiagnosticEmitted(
                at,
                cast(e.Level, header[1].decode().lower()),
                plain(message, 500),
                None,
                plain(header[2], 500) if header[2] else None,
                int(header[3]) if header[3] else None,
                None,
                clean_rendered(b"\n".join(self._lines)),
            )
        )
