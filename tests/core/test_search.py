import random
import re
from pathlib import Path

import pytest

from core.logfile import LogFile
from core.logfile_index import Classes
from core.parsers.text import plain
from core.search import Search, SearchError, compile_pattern

LINES = [
    b"   Compiling serde v1.0.1", b"error[E0308]: mismatched types", b"", b"  --> src/lib.rs:4:9", b"a\tb",
    b"\x1b[1m\x1b[31merror\x1b[0m: bad", "größer → als".encode(), b"err\x07or", b"Error: ABC",
    b"10 %\r 20 %\r100 % done", b"tail\r", b"\xff\xfe broken", b"x" * 500, b"warning: unused variable: `k`",
    b"\x1b]0;title\x07after", b"(paren) [brackets] {braces} a+b",
]  # fmt: skip
PATTERNS = [
    "error", "ERROR", "Error", r"error\[E0308\]", r"error\[e\d+\]", "^error", "types$", "error|warning",
    "(error|warning)", r"\bbad\b", ".", "", "x{3,}", "xx*", "a?b", r"[a-c]\t[a-c]", "größer", "GRÖSSER",
    r"\d+ % done", "^$", "(?i)abc", "[^x]", r"\x61", r"a\+b", r"\(paren\)", "colou?r", "serde v1",
    r"lib\.rs:\d+", "[A-Z]", "10 %", "b(a)d", "(a|(b))c?",
    "error|größer", "(error|größer)", "[eö]rror", "ö?error", "ſerde", "[^ö]", "error ?→?",
]  # fmt: skip


def numbered(lines: int, needle_every: int) -> bytes:
    """Numbered lines, some of which have a needle, in many blocks."""
    return b"".join(b"%06d %s\n" % (n, b"hay" * 20 if n % needle_every else b"needle") for n in range(lines))


def log_of(folder: Path, text: bytes) -> LogFile:
    (folder / "out.log").write_bytes(text)
    log = LogFile(str(folder / "out.log"), str(folder / "lines.idx"), Classes(has_json=False, has_progress=False))
    log.extend()
    return log


def found_by(search: Search) -> list[int]:
    while not search.is_done:
        search.step()
    return list(search.lines)


def expected(log: LogFile, text: str, *, is_exact: bool | None = None) -> list[int]:
    """The same by the simplest means: line after line."""
    is_exact = text != text.lower() if is_exact is None else is_exact
    pattern = re.compile(text, 0 if is_exact else re.IGNORECASE)
    return [n for n, line in enumerate(log.lines(0, log.shown_line_count)) if pattern.search(plain(line))]


@pytest.mark.parametrize("text", PATTERNS)
def test_every_line_that_matches_is_found_and_no_other(text: str, tmp_path: Path) -> None:
    rng = random.Random(text)
    log = log_of(tmp_path, b"\n".join(rng.choice(LINES) for _ in range(3000)) + b"\n")
    search = Search(log, compile_pattern(text))
    assert found_by(search) == expected(log, text)
    assert search.next_known(0) == (search.lines[0] if search.lines else None)


@pytest.mark.parametrize("text", ["error", "x{3,}", "error.or", "größer", "^$"])
def test_it_does_not_matter_where_the_search_begins(text: str, tmp_path: Path) -> None:
    rng = random.Random(text)
    log = log_of(tmp_path, b"\n".join(rng.choice(LINES) for _ in range(30000)))
    all_lines = expected(log, text)
    for start in (0, 1, 1500, 2999, 99999):
        assert found_by(Search(log, compile_pattern(text), start)) == all_lines, start


def test_lines_are_found_over_many_blocks_and_from_the_middle_of_one(tmp_path: Path) -> None:
    log = log_of(tmp_path, numbered(60000, 997))
    search = Search(log, compile_pattern("needle"))
    assert found_by(search) == [i for i in range(60000) if i % 997 == 0]
    assert search.next_known(998) == 997 * 2
    assert search.previous_known(997) == 0
    assert search.next_known(59999) == 0
    assert search.previous_known(0) == 997 * 60
    assert search.rank(997) == 2


def test_a_log_that_grows_is_looked_through_to_its_new_end(tmp_path: Path) -> None:
    log = log_of(tmp_path, b"one\ntwo\nthr")
    search = Search(log, compile_pattern("three"))
    assert found_by(search) == []
    with (tmp_path / "out.log").open("ab") as file:
        file.write(b"ee\nfour three\nfi")
    log.extend()
    assert found_by(search) == [2, 3]


def test_the_open_last_line_is_found_once(tmp_path: Path) -> None:
    log = log_of(tmp_path, b"a\nmatch")
    search = Search(log, compile_pattern("match"))
    search.step()
    search.step()
    assert list(search.lines) == [1]
    with (tmp_path / "out.log").open("ab") as file:
        file.write(b" more\n")
    log.extend()
    assert found_by(search) == [1]


def test_case_matters_where_the_pattern_has_a_capital_or_on_request(tmp_path: Path) -> None:
    log = log_of(tmp_path, b"Error\nerror\nERROR\n")
    assert found_by(Search(log, compile_pattern("error"))) == [0, 1, 2]
    assert found_by(Search(log, compile_pattern("Error"))) == [0]
    assert found_by(Search(log, compile_pattern("error", is_case_sensitive=True))) == [1]
    assert found_by(Search(log, compile_pattern("ERROR", is_case_sensitive=False))) == [0, 1, 2]


@pytest.mark.parametrize("text", ["(", "[a", "*x", "a{5,2}", "(?P<n>a)(?P<n>b)"])
def test_what_is_no_pattern_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(SearchError, match="not a regular expression"):
        compile_pattern(text)


def test_a_pattern_that_backtracks_for_ever_is_given_up(tmp_path: Path) -> None:
    log = log_of(tmp_path, b"x" * 4000 + b"!\n")
    with pytest.raises(SearchError, match="takes for ever"):
        Search(log, compile_pattern("(x+x+)+[yz]")).step()


def test_a_hole_in_a_log_is_a_line_like_others(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    with path.open("wb") as file:
        file.write(b"first needle\n" * 10)
        file.seek(4 << 20)
        file.write(b"last needle\n" * 10)
    log = LogFile(str(path), str(tmp_path / "i"), Classes(has_json=False, has_progress=False))
    log.extend()
    assert found_by(Search(log, compile_pattern("removed|needle"))) == expected(log, "removed|needle")
