"""Links of one run that are under way, with the most that samples saw of each: for ends that nobody notes, or half."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from core import events as e

LOST_AFTER_S = 6.0
"""A link whose front is gone ends so long afterwards: of mold, a stand-in notes the end up to 5 s later."""


class LinkBook:
    """Sees what goes to the journal of a run, in that order."""

    def __init__(self) -> None:
        self._open: dict[str, e.LinkStarted] = {}
        self._seen_bytes: dict[str, int] = {}
        self._gone_since: dict[str, float] = {}
        """When the front of a link was missed first."""

    def __contains__(self, link: str) -> bool:
        """It is under way."""
        return link in self._open

    @property
    def has_fronts(self) -> bool:
        """Of a link that is under way, a front may tell the end."""
        return any(map(_has_front, self._open.values()))

    def take(self, events: Iterable[e.Event]) -> list[e.Event]:
        """The events as they are to be told: a link ends once, and not with less memory than was seen of it."""
        taken = (self._take(event) for event in events)
        return [event for event in taken if event is not None]

    def lost(self, now: float, is_alive: Callable[[int], bool]) -> list[e.LinkEnded]:
        """Ends of links whose fronts were killed.

        Args:
            now: Seconds since the epoch.
            is_alive: Says it of a pid.
        """
        fronts = {link: int(link.partition("-")[0]) for link, begun in self._open.items() if _has_front(begun)}
        gone = {link for link, pid in fronts.items() if not is_alive(pid)}
        self._gone_since = {link: self._gone_since.get(link, now) for link in gone}
        late = [link for link, since in self._gone_since.items() if now - since >= LOST_AFTER_S]
        return [self._unnoted(self._open[link], self._gone_since[link]) for link in late]

    def left(self, now: float) -> list[e.LinkEnded]:
        """Ends of all that are under way: the run is over."""
        return [self._unnoted(begun, now) for begun in self._open.values()]

    def _take(self, event: e.Event) -> e.Event | None:
        match event:
            case e.LinkStarted():
                self._open[event.link] = event
            case e.RunSampled():
                for link, size_bytes in event.links:
                    if link in self._open:
                        self._seen_bytes[link] = max(size_bytes, self._seen_bytes.get(link, 0))
            case e.LinkEnded():
                if self._open.pop(event.link, None) is None:
                    return None
                return _with_seen(event, self._seen_bytes.pop(event.link, 0))
            case _:
                pass
        return event

    def _unnoted(self, begun: e.LinkStarted, at: float) -> e.LinkEnded:
        return e.LinkEnded(
            at=max(at, begun.at), link=begun.link, unit=begun.unit, output=begun.output, linker=begun.linker,
            input_bytes=begun.input_bytes, began=begun.at, elapsed_s=max(0.0, at - begun.at),
            peak_bytes=self._seen_bytes.get(begun.link, 0), cpu_s=None, code=None, signal=None, output_bytes=None,
            text_bytes=None, debug_bytes=None, symbol_bytes=None, before_bytes=None, is_sampled=True,
        )  # fmt: skip


def _has_front(begun: e.LinkStarted) -> bool:
    return not begun.is_sampled and begun.link.partition("-")[0].isdigit()


def _with_seen(ended: e.LinkEnded, seen_bytes: int) -> e.LinkEnded:
    """A driver that was killed did not wait for its linker, and knows nothing of the memory that this one took.

    Where all went well, `wait4` knows better than samples, which are sums of several processes.
    """
    is_whole = ended.code == 0 or (ended.is_sampled and ended.peak_bytes > 0)
    if is_whole or seen_bytes <= ended.peak_bytes:
        return ended
    return replace(ended, peak_bytes=seen_bytes, is_sampled=True)
