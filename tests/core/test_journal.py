"""Journals: what is written is read, whatever a kill, a full disk or another version did to them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import events as e
from core.errors import JournalError
from core.journal import JournalTail, JournalWriter, Mark, read_journal

STARTED = e.RunStarted(1.0, "r1", "a", "build", "cargo", "build", "/w", "/w", None, False, True, False)
GREW = e.OutputGrew(2.0, "out", 3, 40)
DIAGNOSTIC = e.DiagnosticEmitted(2.0, "error", "bad \udcff\u202e\n", "E1", None, None, None, "x" * 5000)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "events.jsonl")


@pytest.fixture
def writer(path: str) -> Iterator[JournalWriter]:
    writer = JournalWriter(path, "r1")
    yield writer
    writer.close()


def test_what_is_written_is_read(path: str, writer: JournalWriter) -> None:
    mark = Mark(40, 0, 2.0, 2, is_backlog=True)
    assert writer.append([STARTED])
    assert writer.append([GREW, DIAGNOSTIC], mark)
    found = read_journal(path)
    assert (found.events, found.marks) == ([STARTED, GREW, DIAGNOSTIC], [mark])
    assert (found.missing_events, found.skipped_lines, found.end) == (0, 0, os.path.getsize(path))
    assert json.loads(Path(path).read_text().split("\n")[0]) == {"schema": 1, "run": "r1"}


def test_a_journal_is_readable_by_its_user_alone(path: str, writer: JournalWriter) -> None:
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_batch_is_written_with_one_call(path: str, writer: JournalWriter) -> None:
    writer.append([STARTED])
    tail = JournalTail(path)
    tail.poll()
    size = os.path.getsize(path)
    writer.append([GREW] * 1000, Mark(1, 0, 2.0, 1000))
    assert os.path.getsize(path) > size + 64 * 1024
    assert len(tail.poll()) == 1000


def test_a_torn_last_line_is_ignored_and_then_cut_off(path: str, writer: JournalWriter) -> None:
    writer.append([STARTED])
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole + b'{"event":"OutputGr')
    assert read_journal(path).events == [STARTED]
    again = JournalWriter(path, "r1")
    again.append([GREW])
    again.close()
    assert read_journal(path).events == [STARTED, GREW]
    assert Path(path).read_bytes().startswith(whole + b'{"event":"OutputGrew"')


def test_the_events_that_a_torn_batch_lacks_are_counted(path: str, writer: JournalWriter) -> None:
    writer.append([STARTED])
    writer.append([GREW, GREW, GREW], Mark(40, 0, 2.0, 3))
    lines = Path(path).read_bytes().split(b"\n")
    for kept in range(4):
        Path(path).write_bytes(b"\n".join(lines[: 3 + kept]) + b"\n")
        assert read_journal(path).missing_events == 3 - kept


@pytest.mark.parametrize("line", [b"\x00\x00\x00", b"{", b"[1]", b"5", b'{"event":"Later","at":1}', b'{"mark":5}', b""])
def test_a_corrupt_line_is_skipped_and_counted(path: str, writer: JournalWriter, line: bytes) -> None:
    writer.append([STARTED])
    with open(path, "ab") as file:
        file.write(line + b"\n")
    writer.append([GREW])
    found = read_journal(path)
    assert (found.events, found.skipped_lines) == ([STARTED, GREW], 1)
    tail = JournalTail(path)
    assert (tail.poll(), tail.skipped_lines) == ([STARTED, GREW], 1)


def test_a_newer_schema_is_refused_with_what_to_do(path: str) -> None:
    Path(path).write_text('{"schema": 2, "run": "r1"}\n')
    with pytest.raises(JournalError, match=r"events.jsonl has schema 2.*update cargo-deck") as refused:
        read_journal(path)
    assert refused.value.is_newer
    with pytest.raises(JournalError, match="update cargo-deck"):
        JournalTail(path).poll()


@pytest.mark.parametrize("header", ["{}", "hello", "[]", '{"schema": "x"}', '{"schema": null}'])
def test_a_file_without_a_header_is_no_journal(path: str, header: str) -> None:
    Path(path).write_text(header + "\n")
    with pytest.raises(JournalError, match="cargo deck forget") as refused:
        read_journal(path)
    assert not refused.value.is_newer


def test_a_tail_gives_each_event_once_at_any_cut(path: str, writer: JournalWriter) -> None:
    writer.append([STARTED])
    writer.append([GREW, DIAGNOSTIC], Mark(40, 0, 2.0, 2))
    whole = Path(path).read_bytes()
    Path(path).write_bytes(b"")
    tail = JournalTail(path)
    found: list[e.Event] = []
    for start in range(0, len(whole), 97):
        with open(path, "ab") as file:
            file.write(whole[start : start + 97])
        found += tail.poll()
        assert not tail.is_restarted
    assert found == [STARTED, GREW, DIAGNOSTIC]


def test_a_tail_survives_the_repair_of_a_torn_line(path: str, writer: JournalWriter) -> None:
    writer.append([STARTED])
    with open(path, "ab") as file:
        file.write(b'{"event":"OutputGrew","at":')
    tail = JournalTail(path)
    assert tail.poll() == [STARTED]
    again = JournalWriter(path, "r1")
    again.append([GREW])
    again.close()
    assert tail.poll() == [GREW]
    assert not tail.is_restarted


def test_a_tail_says_when_a_journal_began_anew(path: str, writer: JournalWriter) -> None:
    writer.append([STARTED, GREW])
    tail = JournalTail(path)
    assert len(tail.poll()) == 2
    os.rename(path, path + ".bad")
    again = JournalWriter(path, "r1")
    again.append([STARTED])
    again.close()
    assert tail.poll() == [STARTED]
    assert tail.is_restarted


def test_a_missing_journal_has_no_events_yet(path: str) -> None:
    assert JournalTail(path).poll() == []
