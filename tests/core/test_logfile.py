"""Lines of a log by number, with and without an index."""

import os
import pickle
import random
import resource
from itertools import pairwise
from pathlib import Path

import pytest

from core.logfile import MAGIC, IndexWriter, LogFile
from core.logfile_index import EVERY_BYTES, Classes, LineCounter, classes_of
from core.parsers.projection import Projection
from tests.core.recordings import NAMES, log, pieces

TEXT = Classes(has_json=False, has_progress=False)
CARGO = Classes(has_json=True, has_progress=True)
MESSAGE = b'{"reason":"compiler-artifact","package_id":"%d"}\n'
LAST = b'{"reason":"build-finished","success":true}\n'
BAR = b"    Building [====>  ] 2/11: reg1, m0      \r"


class Folder:
    """A log and its index on disk."""

    def __init__(self, path: Path) -> None:
        self.log = path / "out.log"
        self.index = path / "lines.idx"

    def write(self, content: bytes, classes: Classes = TEXT, *, indexed: bool = True) -> IndexWriter:
        self.log.write_bytes(content)
        writer = IndexWriter(str(self.index), classes)
        if indexed:
            for chunk in pieces(content, 100_000):
                writer.feed(chunk)
        return writer

    def open(self, classes: Classes = TEXT) -> LogFile:
        file = LogFile(str(self.log), str(self.index), classes)
        file.extend()
        return file


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def shown(content: bytes) -> list[bytes]:
    projection = Projection(cut_json=True, cut_progress=True)
    lines = projection.feed(content).split(b"\n")
    return lines if lines[-1] else lines[:-1]


def numbered(count: int) -> bytes:
    return b"".join(b"line %d\n" % i for i in range(count))


@pytest.mark.parametrize("name", NAMES)
def test_lines_of_a_recording_are_those_that_a_caller_sees(folder: Folder, name: str) -> None:
    content = log(name)
    writer = folder.write(content, CARGO)
    file = folder.open(CARGO)
    expected = [line.rstrip(b"\r").rpartition(b"\r")[2] for line in shown(content)]
    assert file.lines(0, 10_000) == expected
    assert writer.shown_lines == file.shown_line_count == len(expected)
    assert file.tail(3) == expected[-3:]


def mixed(dice: random.Random, size: int) -> bytes:
    """A build with messages and progress among its text, then a program."""
    parts: list[bytes] = []
    while sum(map(len, parts)) < size:
        parts += [
            dice.choice((BAR, MESSAGE % dice.randrange(9), b"\x1b[K", b"warning: x\n", b"text %d\n" % len(parts)))
        ] * 40
    return b"".join(parts) + LAST + BAR + MESSAGE + numbered(20_000)


@pytest.mark.parametrize("indexed", [True, False])
def test_any_window_of_a_large_log_can_be_read(folder: Folder, indexed: bool) -> None:
    dice = random.Random(7)
    content = mixed(dice, 400_000)
    writer = folder.write(content, CARGO, indexed=indexed)
    expected = [line.rstrip(b"\r").rpartition(b"\r")[2] for line in shown(content)]
    file = folder.open(CARGO)
    assert file.shown_line_count == len(expected)
    assert writer.shown_lines == (len(expected) if indexed else 0)
    for _ in range(100):
        first = dice.randrange(len(expected))
        assert file.lines(first, 30) == expected[first : first + 30]
    assert file.lines(len(expected), 5) == []


def test_counting_depends_on_no_cut() -> None:
    content = mixed(random.Random(3), 200_000)
    whole = LineCounter(CARGO)
    records = whole.feed(content)
    for size in (1000, 65_536, 70_001):
        counter = LineCounter(CARGO)
        assert [r for chunk in pieces(content, size) for r in counter.feed(chunk)] == records
        assert counter.shown_lines == whole.shown_lines
    assert all(content[r.offset - 1] == 10 for r in records)
    assert all(b.offset - a.offset < 2 * EVERY_BYTES for a, b in pairwise(records))


def test_a_log_that_grows_is_followed(folder: Folder) -> None:
    content = mixed(random.Random(5), 100_000)
    folder.log.write_bytes(b"")
    file = folder.open(CARGO)
    assert not file.extend()
    with folder.log.open("ab") as log_file:
        for chunk in pieces(content, 7777):
            log_file.write(chunk)
            log_file.flush()
            assert file.extend()
    assert file.lines(0, 1 << 20) == folder.open(CARGO).lines(0, 1 << 20)
    assert file.shown_line_count == len(shown(content))


def test_an_unfinished_line_is_shown_and_counted_once(folder: Folder) -> None:
    folder.log.write_bytes(b"one\ntwo")
    file = folder.open()
    assert (file.shown_line_count, file.tail(5)) == (2, [b"one", b"two"])
    with folder.log.open("ab") as log_file:
        log_file.write(b" and more\nthree\n")
    file.extend()
    assert (file.shown_line_count, file.tail(5)) == (3, [b"one", b"two and more", b"three"])


def test_a_line_redrawn_by_returns_is_given_in_its_last_state(folder: Folder) -> None:
    folder.log.write_bytes(b" 1%\r 2%\r 3%\nwindows\r\n" + b"".join(b"%9d\r" % i for i in range(20_000)) + b"\nx\r")
    assert folder.open().lines(0, 9) == [b" 3%", b"windows", b"    19999", b"x"]


def test_a_line_of_10_mb_is_given_in_part(folder: Folder) -> None:
    folder.log.write_bytes(b"a\n" + b"x" * 10_000_000 + b"\nb\n")
    file = folder.open()
    assert file.shown_line_count == 3
    assert [len(line) for line in file.lines(0, 3)] == [1, 65_536, 1]


@pytest.mark.parametrize(
    "damage", ["missing", "empty", "torn", "foreign", "beyond", "backwards", "not-a-line", "zeros"]
)
def test_a_damaged_index_costs_time_but_no_line(folder: Folder, damage: str) -> None:
    content = numbered(60_000)
    folder.write(content)
    index = bytearray(folder.index.read_bytes())
    records = len(MAGIC)
    match damage:
        case "missing":
            folder.index.unlink()
        case "empty":
            index.clear()
        case "torn":
            del index[-5:]
        case "foreign":
            index[:8] = b"SOMETHIN"
        case "beyond":
            index[-24:-16] = (1 << 40).to_bytes(8, "little")
        case "backwards":
            index[records + 24 : records + 32] = (5).to_bytes(8, "little")
        case "not-a-line":
            index[-24] ^= 1
        case _:
            index[records : records + 48] = bytes(48)
    if damage != "missing":
        folder.index.write_bytes(bytes(index))
    file = folder.open()
    assert file.shown_line_count == 60_000
    assert file.lines(43_210, 2) == [b"line 43210", b"line 43211"]


def test_an_index_that_is_ahead_of_a_reader_spares_it_the_log(folder: Folder) -> None:
    content = numbered(100_000)
    folder.write(content)
    file = LogFile(str(folder.log), str(folder.index), TEXT)
    file.extend(limit_bytes=0)
    assert file.size_bytes > len(content) - 2 * EVERY_BYTES, "all but the last stretch is known from the index"
    file.extend()
    assert file.shown_line_count == 100_000


def test_a_large_log_without_index_can_be_taken_in_bounded_steps(folder: Folder) -> None:
    folder.log.write_bytes(numbered(100_000))
    file = LogFile(str(folder.log), str(folder.index), TEXT)
    steps = 0
    while file.extend(limit_bytes=300_000):
        steps += 1
    assert steps == -(-folder.log.stat().st_size // 300_000)
    assert file.shown_line_count == 100_000


def test_a_log_that_was_emptied_is_read_anew(folder: Folder) -> None:
    folder.write(numbered(50_000))
    file = folder.open()
    folder.log.write_bytes(b"new\n")
    assert file.extend()
    assert (file.shown_line_count, file.tail(2)) == (1, [b"new"])


def test_a_hole_is_shown_as_one_line(folder: Folder) -> None:
    content = numbered(100_000)
    folder.write(content)
    file = folder.open()
    head, tail = content[: 1 << 16], content[1 << 20 :]
    with folder.log.open("r+b") as log_file:
        log_file.truncate(1 << 16)
        log_file.seek(1 << 20)
        log_file.write(tail)
    file.extend()
    removed = (1 << 20) - (1 << 16)
    expected = [*head.split(b"\n"), b"[removed %.1f KB here]" % (removed / 1000), *tail.split(b"\n")[:-1]]
    assert file.lines(0, 1 << 20) == expected
    assert file.shown_line_count == len(expected)
    middle = len(head.split(b"\n"))
    assert file.lines(middle, 2) == expected[middle : middle + 2]
    assert file.lines(len(expected) - 40_000, 3) == expected[-40_000:-39_997]


def test_an_index_writer_goes_on_after_it_was_stored(folder: Folder) -> None:
    content = mixed(random.Random(11), 300_000)
    folder.write(content, CARGO)
    whole = folder.index.read_bytes()
    writer = IndexWriter(str(folder.index), CARGO)
    stored = pickle.dumps(writer)
    for at, chunk in enumerate(pieces(content, 50_000)):
        if at == 3:
            stored = pickle.dumps(writer)
        writer.feed(chunk)
    again = pickle.loads(stored)
    for chunk in list(pieces(content, 50_000))[3:]:
        again.feed(chunk)
    assert again.shown_lines == writer.shown_lines
    assert folder.index.read_bytes() == whole, "the same records at the same places"


def test_a_folder_that_cannot_be_written_stops_nobody(folder: Folder, tmp_path: Path) -> None:
    writer = IndexWriter(str(tmp_path / "gone" / "lines.idx"), TEXT)
    for chunk in pieces(numbered(50_000), 65_536):
        writer.feed(chunk)
    assert writer.shown_lines == 50_000


def test_what_a_stream_holds_follows_from_the_run() -> None:
    one = classes_of("out", is_split=False, json="ours", parser="cargo")
    assert one == CARGO
    assert classes_of("out", is_split=True, json="ours", parser="cargo") == Classes(True, False)
    assert classes_of("err", is_split=True, json="ours", parser="cargo") == Classes(False, True)
    assert classes_of("out", is_split=False, json="user", parser="cargo") == Classes(False, True)
    assert classes_of("out", is_split=False, json="none", parser="generic") == TEXT


def test_memory_stays_flat_over_a_long_log(folder: Folder) -> None:
    with folder.log.open("wb") as log_file:
        for _ in range(50):
            log_file.write(numbered(40_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    file = folder.open()
    assert file.shown_line_count == 2_000_000
    assert file.lines(1_999_990, 100)[-1] == b"line 39999"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000, "KiB"
    assert os.path.getsize(folder.log) > 20_000_000
