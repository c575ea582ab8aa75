"""Calls of nvcc of one run that are under way: for ends that nobody notes."""

from collections.abc import Callable, Iterable

from core import events as e

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
        return bool(self._open)

    def take(self, event: e.Event) -> e.Event | None:
        """The event as it is to be told: a call ends once."""
        match event:
            case e.NvccStarted():
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
        gone = {call for call in self._open if not is_alive(_pid_of(call))}
        self._gone_since = {call: self._gone_since.get(call, now) for call in gone}
        late = [call for call, since in self._gone_since.items() if now - since >= LOST_AFTER_S]
        return [_unnoted(self._open[call], self._gone_since[call]) for call in late]

    def left(self, now: float) -> Iterable[e.NvccEnded]:
        """Ends of all that are under way: the run is over."""
        return [_unnoted(begun, now) for begun in self._open.values()]


def _pid_of(call: str) -> int:
    pid = call.partition("-")[0]
    return int(pid) if pid.isascii() and pid.isdigit() and len(pid) < 12 else 0


def _unnoted(begun: e.NvccStarted, at: float) -> e.NvccEnded:
    return e.NvccEnded(
        at=max(at, begun.at), call=begun.call, package=begun.package, source=begun.source, output=begun.output,
        kind=begun.kind, began=begun.at, elapsed_s=max(0.0, at - begun.at), cpu_s=None, peak_bytes=None, code=None,
        signal=None, output_bytes=None, verdict="", why=CUT_SHORT,
    )  # fmt: skip
