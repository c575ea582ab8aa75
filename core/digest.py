"""What the logs of a run say: a pure function of (bytes, moments), so that it can be done again.

A digest holds the parser and the line index of each log. Fed the same steps it gives the same events; an engine
that takes over from a killed one relies on that (`core.adopt`).
"""

from collections.abc import Sequence
from typing import Protocol

from core import events as e

Chunk = tuple[e.Stream, bytes, int]
"""Bytes of one log, and the offset at which they end."""


class Parser(Protocol):
    """What `core.parsers.select.make_parser` gives."""

    def feed(self, stream: e.Stream, chunk: bytes, at: float, *, is_backlog: bool = False) -> list[e.Event]:
        """Events of the next bytes; `is_backlog`: they were written some time ago."""

    def close(self, at: float) -> list[e.Event]:
        """Events of what was held back."""


class Index(Protocol):
    """The line index of one log while it is written."""

    @property
    def shown_lines(self) -> int:
        """Lines so far that a person would count."""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the log."""


class Digest:
    """Parser and line indexes of one run."""

    def __init__(self, parser: Parser, indexes: dict[e.Stream, Index]) -> None:
        self._parser = parser
        self.indexes = indexes

    def feed(self, chunks: Sequence[Chunk], at: float, *, is_backlog: bool) -> list[e.Event]:
        """Events of one step: how the logs grew, then what they say."""
        grown: list[e.Event] = []
        said: list[e.Event] = []
        for stream, chunk, size in chunks:
            index = self.indexes[stream]
            index.feed(chunk)
            said += self._parser.feed(stream, chunk, at, is_backlog=is_backlog)
            grown.append(e.OutputGrew(at, stream, shown_lines=index.shown_lines, size_bytes=size))
        return grown + said

    def close(self, at: float) -> list[e.Event]:
        """Events of the end of all logs."""
        return self._parser.close(at)


class SilentParser:
    """Takes the place of a parser that failed: the logs are still there to be read by a person."""

    def feed(self, stream: e.Stream, chunk: bytes, at: float, *, is_backlog: bool = False) -> list[e.Event]:
        """Nothing."""
        return []

    def close(self, at: float) -> list[e.Event]:
        """Nothing."""
        return []
