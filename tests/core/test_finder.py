from pathlib import Path

from core.finder import Finder
from core.logfile import LogFile
from core.search import Search, compile_pattern
from tests.core.test_search import log_of, numbered


def big_log(folder: Path) -> LogFile:
    """60,000 lines of several blocks; every 9,000th matches."""
    return log_of(folder, numbered(60000, 9000))


def found_by(finder: Finder, line: int, way: int) -> int | None:
    """With so little time for each piece of work that every one is interrupted."""
    finder.want(line, way)
    ticks = iter(range(10**6))
    while finder.is_busy:
        found = finder.work(0.5, lambda: float(next(ticks)))
        if found is not None:
            return found
    return None


def test_the_next_match_is_found_before_the_log_is_looked_through(tmp_path: Path) -> None:
    finder = Finder(Search(big_log(tmp_path), compile_pattern("needle"), 40000))
    assert found_by(finder, 40000, 1) == 45000
    assert not finder.search.is_done


def test_matches_are_gone_through_forth_and_back_and_round_the_ends(tmp_path: Path) -> None:
    finder = Finder(Search(big_log(tmp_path), compile_pattern("needle")))
    assert [found_by(finder, line, 1) for line in (1, 9001, 54001)] == [9000, 18000, 0]
    assert [found_by(finder, line, -1) for line in (9000, 0, 54000)] == [0, 54000, 45000]


def test_what_is_nowhere_is_said_to_be_nowhere(tmp_path: Path) -> None:
    finder = Finder(Search(big_log(tmp_path), compile_pattern("nothing like it")))
    for way in (1, -1):
        assert found_by(finder, 30000, way) is None
        assert finder.is_vain


def test_all_matches_are_counted_while_nothing_is_wanted(tmp_path: Path) -> None:
    finder = Finder(Search(big_log(tmp_path), compile_pattern("needle")))
    while finder.is_busy:
        assert finder.work() is None
    assert list(finder.search.lines) == list(range(0, 60000, 9000))
