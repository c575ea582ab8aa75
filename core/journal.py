"""Journals: `runs/<run>/events.jsonl`, written by the engine alone, read by everybody.

Lines: the header `{"schema": 1, "run": ID}`; events (`core.events`); and *marks*,
`{"mark": [OUT, ERR], "at": SECONDS, "events": N}`: "the logs were read up to these offsets at that moment, and
that gave the next N events". A mark comes before its events, so that an engine that finds a batch torn by a kill
can feed a parser the same bytes at the same moment, get the same N events, and write only those that are missing.
Readers that want events alone skip marks as any object that they do not know.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from core.errors import JournalError
from core.events import SCHEMA_VERSION, Event, from_record, to_record

NAME = "events.jsonl"
_READ_BYTES = 1 << 20
_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)


class Mark(NamedTuple):
    """A step of the engine through the logs of a run."""

    out: int
    """Offset in `out.log` up to which bytes were parsed."""
    err: int
    at: float
    events: int
    """How many of the lines that follow came of it."""
    is_backlog: bool = False
    """The bytes had been written some time before."""
    is_closing: bool = False
    """The logs were at their end: what the parser had held back."""


@dataclass(slots=True)
class Content:
    """What a journal says."""

    events: list[Event] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    missing_events: int = 0
    """Events of the last mark that are not there: the batch was torn."""
    skipped_lines: int = 0
    """Neither a mark, nor an event of a version we know."""
    end: int = 0
    """Bytes up to the last newline; what follows is a torn line."""


class JournalWriter:
    """Appends to one journal. What the disk does not take is kept and tried again with the next call."""

    def __init__(self, path: str, run: str) -> None:
        """Open or create the journal; a torn last line is cut off.

        Raises:
            OSError: it cannot be opened or written.
        """
        self.path = path
        self._pending = b""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            _cut_torn_line(self._fd)
            if os.fstat(self._fd).st_size == 0:
                self._pending = json.dumps({"schema": SCHEMA_VERSION, "run": run}).encode() + b"\n"
        except OSError:
            os.close(self._fd)
            raise

    @property
    def has_pending(self) -> bool:
        """The disk refused a part; `flush` before more is read."""
        return bool(self._pending)

    @property
    def is_gone(self) -> bool:
        """Somebody removed the file."""
        return os.fstat(self._fd).st_nlink == 0

    def append(self, events: Iterable[Event], mark: Mark | None = None) -> bool:
        """Write a batch with one call; False where the disk did not take all of it (see `flush`)."""
        records: list[Any] = [to_record(event) for event in events]
        if mark is not None:
            records.insert(0, _mark_record(mark))
        self._pending += b"".join(_line(record) for record in records)
        return self.flush()

    def flush(self) -> bool:
        """Try to write what is pending; False while the disk is full or read-only."""
        if not self._pending:
            return True
        try:
            written = os.write(self._fd, self._pending)
        except OSError:
            return False
        self._pending = self._pending[written:]
        return not self._pending

    def sync(self) -> None:
        """Put it on the disk for good (3 ms: only when a run ends)."""
        os.fsync(self._fd)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


class JournalTail:
    """Follows one journal: each `poll` gives the events that were added."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.skipped_lines = 0
        self.is_restarted = False
        """The last `poll` found another or a shorter file, and began again: forget the events before it."""
        self.is_behind = False
        """There is more to read: call `poll` again."""
        self._offset = 0
        """After the last newline that was read: a torn line may be cut off again."""
        self._seen = (0, 0, 0)

    def poll(self) -> list[Event]:
        """New events since the last call, of about a megabyte at most; none while the journal is missing.

        Raises:
            JournalError: it was written by a newer version, or is no journal.
        """
        self.is_restarted = False
        lines = self._read().split(b"\n")
        events: list[Event] = []
        is_header = self._offset == 0
        self._offset += sum(map(len, lines[:-1])) + len(lines) - 1
        for line in lines[:-1]:
            if is_header:
                check_header(line, self.path)
                is_header = False
                continue
            parsed = _parse(line)
            if isinstance(parsed, Event):
                events.append(parsed)
            elif parsed is None:
                self.skipped_lines += 1
        return events

    def _read(self) -> bytes:
        try:
            status = os.stat(self.path)
            seen = (status.st_ino, status.st_size, status.st_mtime_ns)
            if seen == self._seen:
                return b""
            if self._offset and (seen[0] != self._seen[0] or seen[1] < self._offset):
                self.is_restarted = True
                self._offset = self.skipped_lines = 0
            with open(self.path, "rb") as file:
                file.seek(self._offset)
                content = file.read(_READ_BYTES)
                while b"\n" not in content and (more := file.read(_READ_BYTES)):
                    content += more
        except OSError:
            return b""
        self.is_behind = self._offset + len(content) < status.st_size
        self._seen = (seen[0], seen[1], 0) if self.is_behind else seen
        return content


def read_journal(path: str) -> Content:
    """All of a journal; a torn last line is ignored, lines that are no event are counted.

    Raises:
        JournalError: it was written by a newer version, or is no journal.
        OSError: it cannot be read.
    """
    content = Content()
    with open(path, "rb") as file:
        header = file.readline()
        if not header.endswith(b"\n"):
            return content
        check_header(header, path)
        content.end = len(header)
        for line in file:
            if not line.endswith(b"\n"):
                break
            content.end += len(line)
            _take(content, line)
    return content


def check_header(line: bytes, path: str) -> None:
    """Refuse what this version cannot read.

    Raises:
        JournalError: the line is not the header of a journal of this schema or an earlier one.
    """
    try:
        header = json.loads(line)
        schema = int(header["schema"])
    except (ValueError, KeyError, TypeError):
        raise JournalError(f"{path} is not a journal of cargo-deck: its first line should name a schema. "
                           "Remove the run with `cargo deck forget`") from None  # fmt: skip
    if schema > SCHEMA_VERSION:
        newer = JournalError(f"{path} has schema {schema}, this cargo-deck reads up to {SCHEMA_VERSION}: "
                             "update cargo-deck to see this run")  # fmt: skip
        newer.is_newer = True
        raise newer


def _take(content: Content, line: bytes) -> None:
    parsed = _parse(line)
    if isinstance(parsed, Mark):
        content.marks.append(parsed)
        content.missing_events = parsed.events
        return
    content.missing_events = max(0, content.missing_events - 1)
    if parsed is None:
        content.skipped_lines += 1
    else:
        content.events.append(parsed)


def _parse(line: bytes) -> Event | Mark | None:
    try:
        record = json.loads(line)
        if "event" in record:
            return from_record(record)
        out, err = record["mark"]
        return Mark(
            int(out),
            int(err),
            float(record["at"]),
            int(record["events"]),
            is_backlog=bool(record.get("backlog")),
            is_closing=bool(record.get("closing")),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _mark_record(mark: Mark) -> dict[str, Any]:
    record: dict[str, Any] = {"mark": [mark.out, mark.err], "at": mark.at, "events": mark.events}
    for name, is_set in (("backlog", mark.is_backlog), ("closing", mark.is_closing)):
        if is_set:
            record[name] = True
    return record


def _line(record: dict[str, Any]) -> bytes:
    return _ENCODER.encode(record).encode() + b"\n"


def _cut_torn_line(fd: int) -> None:
    size = end = os.fstat(fd).st_size
    while end > 0:
        start = max(0, end - _READ_BYTES)
        newline = os.pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(fd, end)
