from pathlib import Path

from core import events as e
from core.journal import JournalWriter
from core.stamps import Stamps


def grew(at: float, stream: e.Stream, lines: int) -> e.OutputGrew:
    return e.OutputGrew(at=at, stream=stream, shown_lines=lines, size_bytes=lines * 10)


def test_each_line_has_the_time_at_which_the_log_was_first_that_long(tmp_path: Path) -> None:
    path = str(tmp_path / "events.jsonl")
    journal = JournalWriter(path, "run")
    journal.append([grew(10.0, "out", 2), grew(10.1, "err", 1), e.LockWaitEnded(at=10.2), grew(11.5, "out", 5)])
    stamps = Stamps(path)
    stamps.grow()
    assert [stamps.time_of("out", line) for line in range(6)] == [10.0, 10.0, 11.5, 11.5, 11.5, None]
    assert [stamps.time_of("err", line) for line in range(2)] == [10.1, None]
    assert [stamps.lines_until("out", at) for at in (9.0, 10.0, 11.0, 12.0)] == [0, 2, 2, 5]
    journal.append([grew(12.0, "out", 6)])
    stamps.grow()
    assert stamps.time_of("out", 5) == 12.0


def test_a_torn_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal = JournalWriter(str(path), "run")
    journal.append([grew(10.0, "out", 2)])
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        stamps = Stamps(str(path))
        stamps.grow()
        path.write_bytes(whole)
        stamps.grow()
        assert stamps.time_of("out", 1) == 10.0, cut


def test_no_journal_means_no_times(tmp_path: Path) -> None:
    stamps = Stamps(str(tmp_path / "missing"))
    stamps.grow()
    assert stamps.time_of("out", 0) is None
