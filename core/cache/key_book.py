"""Which agent filled which entry of a cache, how long that took, how large it is: for hits of others, and later ones.

An index in a file of its own, because it is looked into for each hit and must not grow in memory.
"""

import contextlib
import sqlite3
from typing import NamedTuple

MAX_ENTRIES = 200_000
"""The oldest go first; some 20 MB."""
_TABLE = """
CREATE TABLE IF NOT EXISTS entries
(key TEXT PRIMARY KEY, agent TEXT NOT NULL, compile_s REAL, size_bytes INTEGER, at REAL NOT NULL) WITHOUT ROWID
"""
_ADD = """
INSERT INTO entries VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE
SET agent = excluded.agent, compile_s = excluded.compile_s, size_bytes = excluded.size_bytes, at = excluded.at
WHERE excluded.at >= at
"""


class Entry(NamedTuple):
    """An entry of a cache."""

    agent: str
    compile_s: float | None
    size_bytes: int | None


class KeyBook:
    """Knows entries by their keys. Where its file cannot be used, it knows nothing."""

    def __init__(self, path: str) -> None:
        self._added = 0
        self._base: sqlite3.Connection | None = None
        with contextlib.suppress(sqlite3.Error):
            self._base = sqlite3.connect(path, isolation_level=None, timeout=0.2)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=OFF")
            self._base.execute(_TABLE)

    def add(self, key: str, entry: Entry, at: float) -> None:
        """An entry was made; one of the same key that is older is replaced."""
        if self._base is None or not key:
            return
        with contextlib.suppress(sqlite3.Error):
            self._base.execute(_ADD, (key, *entry, at))
            self._added += 1
            if self._added % 1000 == 0:
                self._trim()

    def find(self, key: str) -> Entry | None:
        """Who made it; None: not known."""
        if self._base is None or not key:
            return None
        with contextlib.suppress(sqlite3.Error):
            query = "SELECT agent, compile_s, size_bytes FROM entries WHERE key = ?"
            row = self._base.execute(query, (key,)).fetchone()
            return Entry(*row) if row else None
        return None

    def forget_all(self) -> None:
        """The store was emptied."""
        if self._base is not None:
            with contextlib.suppress(sqlite3.Error):
                self._base.execute("DELETE FROM entries")

    def close(self) -> None:
        """Let go of the file."""
        if self._base is not None:
            self._base.close()

    def _trim(self) -> None:
        assert self._base is not None
        (count,) = self._base.execute("SELECT count(*) FROM entries").fetchone()
        if count > MAX_ENTRIES:
            self._base.execute(
                "DELETE FROM entries WHERE key IN (SELECT key FROM entries ORDER BY at LIMIT ?)", (count - MAX_ENTRIES,)
            )
