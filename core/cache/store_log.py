"""What the store did: one JSON object a line, and the same added up.

`{"at", "agent", "op", "key", "bytes", "by", "stored_at"}`, and `"reason"` where it did not go as asked. `op` is one of
`hit`, `miss`, `put`, `refused`, `error`, `evict`; `by` is who stored the object, `stored_at` when (null: not known).
A look-up that found a damaged object gives an `error` and a `miss`. An `evict` without a key: all objects were removed.
"""

import contextlib
import json
import os
import threading
from collections import Counter, defaultdict
from typing import Any, Literal, NamedTuple

Op = Literal["hit", "miss", "put", "refused", "error", "evict"]
ROTATE_BYTES = 8 << 20
CLEARED = "cleared"
_PENDING_BYTES = 1 << 20


class Note(NamedTuple):
    """One line."""

    at: float
    """Seconds since the epoch."""
    agent: str
    """Who asked; empty: nobody did, or that is not known."""
    op: Op
    key: str = ""
    """Last part of the path; empty: it is none."""
    size_bytes: int = 0
    """Of the object's content; of what was evicted, of its file."""
    by: str = ""
    """Who stored the object; empty: not known."""
    stored_at: float | None = None
    reason: str = ""


class StoreLog:
    """`log.jsonl` in a folder, and its predecessor `log.1.jsonl`.

    On a full disk up to 1 MB of lines wait in memory. A line is torn only where the store was killed then.
    """

    def __init__(self, folder: str, *, rotate_bytes: int = ROTATE_BYTES) -> None:
        self._path, self._old = folder + "/log.jsonl", folder + "/log.1.jsonl"
        self._rotate_bytes = rotate_bytes
        self._lock = threading.Lock()
        self._pending = bytearray()
        self._fd: int | None = None
        self._size_bytes = 0
        self.lost_lines = 0
        """There was no room for them, neither on disk nor in memory."""

    def write(self, note: Note) -> None:
        """Append a line; when this returns, whoever reads the file has it (but for a full disk)."""
        line = _as_line(note)
        with self._lock:
            if len(self._pending) + len(line) > _PENDING_BYTES:
                self.lost_lines += 1
            else:
                self._pending += line
            with contextlib.suppress(OSError):
                self._flush()

    def _flush(self) -> None:
        if self._fd is not None and self._size_bytes + len(self._pending) > self._rotate_bytes:
            os.close(self._fd)
            self._fd = None
            os.replace(self._path, self._old)
        if self._fd is None:
            self._open()
        assert self._fd is not None
        while self._pending:
            # What a nearly full disk did not take goes on where it ended: no line is torn for good.
            written = os.write(self._fd, self._pending)
            self._size_bytes += written
            del self._pending[:written]

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size_bytes = os.fstat(self._fd).st_size
        if self._size_bytes and os.pread(self._fd, 1, self._size_bytes - 1) != b"\n":
            self._pending[:0] = b"\n"  # the last store was killed within a line


def _as_line(note: Note) -> bytes:
    told: dict[str, object] = {
        "at": round(note.at, 6), "agent": note.agent, "op": note.op, "key": note.key, "bytes": note.size_bytes,
        "by": note.by, "stored_at": note.stored_at,
    }  # fmt: skip
    if note.reason:
        told["reason"] = note.reason
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"


class Tally:
    """Notes added up, since this store was started; for many threads."""

    def __init__(self, since: float) -> None:
        self._since = since
        self._lock = threading.Lock()
        self._ops: Counter[str] = Counter()
        self._evicted_bytes = 0
        self._agents: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._trades: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def add(self, note: Note) -> None:
        """Count one more."""
        with self._lock:
            self._ops[note.op] += 1 if note.reason != CLEARED else 0
            match note.op:
                case "hit":
                    self._agents[note.agent].update(hits=1, hit_bytes=note.size_bytes)
                    self._trades[note.by, note.agent].update(hits=1, bytes=note.size_bytes)
                case "miss":
                    self._agents[note.agent].update(misses=1)
                case "put":
                    self._agents[note.agent].update(puts=1, put_bytes=note.size_bytes)
                case "evict" if note.reason != CLEARED:
                    self._evicted_bytes += note.size_bytes
                case _:
                    pass

    def figures(self) -> dict[str, Any]:
        """All of it, for JSON."""
        names = ("hits", "misses", "puts", "hit_bytes", "put_bytes")
        with self._lock:
            return {
                "since": self._since,
                "agents": {agent: {name: n[name] for name in names} for agent, n in sorted(self._agents.items())},
                "trades": [
                    {"by": by, "agent": agent, "hits": n["hits"], "bytes": n["bytes"]}
                    for (by, agent), n in sorted(self._trades.items())
                ],
                "evicted": self._ops["evict"],
                "evicted_bytes": self._evicted_bytes,
                "refused": self._ops["refused"],
                "errors": self._ops["error"],
            }
