"""Errors of a call of nvcc: what it printed, else those in the log of its run that name its source. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from core import events as e
from core.events.native import NvccEnded
from core.parsers.call_errors import error_of
from core.state import Run

MAX_FAILURES = 50


class Failure(NamedTuple):
    """A call that failed, and what it said."""

    call: NvccEnded
    errors: tuple[e.CallError, ...]
    """The first ones. Where what it printed went to a terminal they are those of the log, without errors in headers,
    which could be any call's."""


def failures(run: Run) -> tuple[Failure, ...]:
    """The last calls that were to make something and failed, in order."""
    failed = [end for end in run.nvcc_ends if end.code not in (0, None) or end.signal is not None]
    failed = [end for end in failed if end.kind not in ("query", "depend")][-MAX_FAILURES:]
    return tuple(
        Failure(end, tuple(_errors_of(end, failed, run)) if end.errors is None else end.errors) for end in failed
    )


def _errors_of(end: NvccEnded, failed: list[NvccEnded], run: Run) -> Iterator[e.CallError]:
    """Errors in its source, if no call of another source may be meant."""
    for found in run.diagnostics:
        if found.level == "error" and found.file and _is_of(found.file, end.source):
            sources = {one.source for one in failed if _is_of(found.file, one.source)}
            if len(sources) == 1:
                yield error_of(found)


def _is_of(name: str, source: str) -> bool:
    """A file, as a compiler names it, may be that source: below whatever folder it was started in."""
    return bool(source) and (source == name or (name[:1] != "/" and source.endswith("/" + _plain(name))))


def _plain(name: str) -> str:
    while name.startswith(("./", "../")):
        name = name.partition("/")[2]
    return name
