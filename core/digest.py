"""What the logs of a run say: a pure function of (bytes, moments), so that it can be done again.

A digest holds the parser and the line index of each log. Fed the same steps it gives the same events; an engine
that takes over from a killed one relies on that (`core.adopt`).
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from core import events as e

Chunk = tuple[e.Stream, bytes, int]
"""Bytes of one log, and the offset at which they end."""


class Parser(Protocol):
    """What `core.parsers.select.make_parser` gives."""

    def feed(self, stream: e.Stream, chunk: bytes, at: float) -> list[e.Event]:
        """Events of the next bytes."""

    def close(self, at: float) -> list[e.Event]:
        """Events of what was held back."""


class Index(Protocol):
    """The line index of one log while it is written."""

    @property
    def shown_lines(self) -> int:
        """Lines so far that a person would count."""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the log."""


IndexMaker = Callable[[e.Stream], Index]


class Digest:
    """Parser and line indexes of one run."""

    def __init__(self, parser: Parser, indexes: dict[e.Stream, Index]) -> None:
        self._parser = parser
        self.indexes = indexes

    def feed(self, chunks: Sequence[Chunk], at: float) -> list[e.Event]:
        """Events of one step: how the logs grew, then what they say."""
        grown: list[e.Event] = []
        said: list[e.Event] = []
        for stream, chunk, size in chunks:
            index = self.indexes[stream]
            index.feed(chunk)
            said += self._parser.feed(stream, chunk, at)
            grown.append(e.OutputGrew(at, stream, shown_lines=index.shown_lines, size_bytes=size))
        return grown + coalesce(said)

    def close(self, at: float) -> list[e.Event]:
        """Events of the end of all logs."""
        return coalesce(self._parser.close(at))


class SilentParser:
    """Takes the place of a parser that failed: the logs are still there to be read by a person."""

    def feed(self, stream: e.Stream, chunk: bytes, at: float) -> list[e.Event]:
        """Nothing."""
        return []

    def close(self, at: float) -> list[e.Event]:
        """Nothing."""
        return []


def coalesce(events: list[e.Event]) -> list[e.Event]:
    """The events without those that a later one of the same step replaces: a flood of `[3/900]` is one step.

    Progress of cargo stays whole, for a unit may be named in a single line.
    """
    last: dict[str, int] = {}
    for position, event in enumerate(events):
        if (key := _replaced_by_later(event)) is not None:
            last[key] = position
    if not last:
        return events
    keep = set(last.values())
    return [x for i, x in enumerate(events) if i in keep or _replaced_by_later(x) is None]


def _replaced_by_later(event: e.Event) -> str | None:
    if isinstance(event, e.TestsCounted):
        return "tests"
    if isinstance(event, e.ProgressMoved) and event.kind != "units":
        return event.kind
    return None
