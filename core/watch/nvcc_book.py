"""Calls of nvcc of one run that are under way: for ends that nobody notes."""

import os
from collections.abc import Callable, Iterable

from core import events as e
from core.events.native import SEEN

LOST_AFTER_S = 6.0
"""A call whose front is gone ends so long afterwards: its note may still come."""
CUT_SHORT = "its front was killed"


class NvccBook:
    """Sees what goes to the journal of a run, in that order."""

    def __init__(self) -> None:
        self._open: dict[str, e.NvccStarted] = {}
        self._gone_since: dict[str, float] = {}
        """When the front of a call was missed first."""

    def __contains__(self, call: str) -> bool:
        """It is under way."""
        return call in self._open

    @property
    def has_fronts(self) -> bool:
        """Of a call that is under way, a front may tell the end."""
        return any(map(_has_front, self._open))

    def take(self, event: e.Event) -> e.Event | None:
        """The event as it is to be told: a call ends once."""
        match event:
            case e.NvccStarted():
                if event.call in self._open:
                    return None  # an engine before this one saw it begin
                self._open[event.call] = event
            case e.NvccPhaseBegan():
                return event if event.call in self._open else None
            case e.NvccEnded():
                return event if self._open.pop(event.call, None) is not None else None
            case _:
                pass
        return event

    def lost(self, now: float, is_alive: Callable[[int], bool]) -> Iterable[e.NvccEnded]:
        """Ends of calls whose fronts were killed.

        Args:
            now: Seconds since the epoch.
            is_alive: Says it of a pid.
        """
        gone = {call for call in self._open if _has_front(call) and not is_alive(_pid_of(call))}
        self._gone_since = {call: self._gone_since.get(call, now) for call in gone}
        late = [call for call, since in self._gone_since.items() if now - since >= LOST_AFTER_S]
        return [_unnoted(self._open[call], self._gone_since[call]) for call in late]

    def left(self, now: float) -> Iterable[e.NvccEnded]:
        """Ends of all that are under way: the run is over."""
        return [_unnoted(begun, now) for begun in self._open.values()]


def _has_front(call: str) -> bool:
    """Its end is noted; that of a call that was seen among the processes is told by whoever saw it."""
    return "-s" not in call


def _pid_of(call: str) -> int:
    pid = call.partition("-")[0]
    return int(pid) if pid.isascii() and pid.isdigit() and len(pid) < 12 else 0


def seen_end(begun: e.NvccStarted, now: float, peak_bytes: int = 0, why: str = "") -> e.NvccEnded:
    """The end of a call that was seen, as its output tells it; whether it went well is not known.

    Args:
        begun: Its begin.
        now: When it was missed, seconds since the epoch.
        peak_bytes: Most that samples saw of it; 0: nothing.
        why: No front stood before it.
    """
    at, size_bytes = now, None
    try:
        made = os.stat(begun.output)
        if begun.at <= made.st_mtime <= now:
            at, size_bytes = made.st_mtime, made.st_size
    except (OSError, ValueError):
        pass  # it made none, or it is gone again
    return e.NvccEnded(
        at=max(now, begun.at), call=begun.call, package=begun.package, source=begun.source, output=begun.output,
        kind=begun.kind, began=begun.at, elapsed_s=max(0.0, at - begun.at), cpu_s=None, peak_bytes=peak_bytes or None,
        code=None, signal=None, output_bytes=size_bytes, verdict=SEEN, why=why,
    )  # fmt: skip


def _unnoted(begun: e.NvccStarted, at: float) -> e.NvccEnded:
    if not _has_front(begun.call):
        return seen_end(begun, at)
    return e.NvccEnded(
        at=max(at, begun.at), call=begun.call, package=begun.package, source=begun.source, output=begun.output,
        kind=begun.kind, began=begun.at, elapsed_s=max(0.0, at - begun.at), cpu_s=None, peak_bytes=None, code=None,
        signal=None, output_bytes=None, verdict="", why=CUT_SHORT,
    )  # fmt: skip
