"""Picks the parser of a run."""

from typing import Literal, Protocol

from core import events as e
from core.parsers.cargo import CargoParser, Json
from core.parsers.generic import GenericParser
from core.parsers.libtest import TestReader
from core.parsers.nextest import NextestReader

Kind = Literal["cargo", "nextest", "generic"]
"""As `parser` in `run.json`."""


class Parser(Protocol):
    """Turns the bytes of a run's streams into events."""

    def feed(self, stream: e.Stream, chunk: bytes, at: float, *, is_backlog: bool = False) -> list[e.Event]:
        """What the next bytes of a stream say; `is_backlog`: they were written some time ago."""

    def close(self, at: float) -> list[e.Event]:
        """What the ends of the streams say."""


def make_parser(kind: Kind, *, is_split: bool, json: Json) -> Parser:
    """A parser for one run. Raises ValueError on a kind that this version does not know."""
    match kind:
        case "cargo":
            return CargoParser(TestReader(), is_split=is_split, json=json)
        case "nextest":
            return CargoParser(NextestReader(), is_split=is_split, json="none", has_tests=True)
        case "generic":
            return GenericParser()
    raise ValueError(f"no parser of kind {kind!r}")
