"""Which objects there are, in the order of their last use. Pure, and not for two threads at once."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple


class Entry(NamedTuple):
    """What is known of an object without reading it."""

    size_bytes: int
    """Of its file."""
    used: float
    """When it was stored or last taken, seconds since the epoch."""


class Index:
    """Sizes by name, least recently used first."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self.total_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def used(self, name: str, size_bytes: int, at: float) -> None:
        """It was stored or taken: it goes last."""
        self.drop(name)
        self._entries[name] = Entry(size_bytes, at)
        self.total_bytes += size_bytes

    def drop(self, name: str) -> None:
        """It is gone; nothing where it was not known."""
        entry = self._entries.pop(name, None)
        if entry is not None:
            self.total_bytes -= entry.size_bytes

    def first(self) -> tuple[str, Entry] | None:
        """The least recently used; None: there is none."""
        return next(iter(self._entries.items()), None)

    def size_of(self, name: str) -> int:
        """Bytes of its file; 0: not known."""
        entry = self._entries.get(name)
        return entry.size_bytes if entry else 0

    def put_before(self, found: Iterable[tuple[float, int, str]], gone: set[str]) -> None:
        """Add what a look at the disk found (used, size, name), all less recent than what is known already.

        `gone` was removed while the disk was looked at.
        """
        newer, self._entries, self.total_bytes = self._entries, OrderedDict(), 0
        for used, size_bytes, name in sorted(found):
            if name not in gone:
                self.used(name, size_bytes, used)
        for name, entry in newer.items():
            self.used(name, entry.size_bytes, entry.used)
