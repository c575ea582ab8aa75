"""Where in a recorded log the things stand that its journal tells of, and how one test is run again."""

from pathlib import Path

import pytest

from core import events as e
from core.events import Stream
from core.journal import JournalWriter
from core.log_place import find_diagnostic, find_output
from core.logfile import LogFile
from core.logfile_index import Classes, classes_of
from core.parsers.text import sanitise, strip_sgr
from core.retry import retry_words
from core.stamps import Stamps
from tests.core.recordings import DATA, is_split
from tests.core.test_parsers_cargo import events_of, only


class Text:
    """A log as the dashboard reads it."""

    def __init__(self, path: Path, classes: Classes) -> None:
        self._log = LogFile(str(path), "", classes)
        self._log.extend()

    @property
    def shown_line_count(self) -> int:
        return self._log.shown_line_count

    def lines(self, first: int, count: int) -> list[str]:
        return [sanitise(line) for line in self._log.lines(first, count)]


def recorded(name: str, stream: Stream, tmp_path: Path) -> tuple[Text, Stamps, list[e.Event]]:
    """A recording, all of whose log came in the moment in which its journal tells everything."""
    events = events_of(name)
    classes = classes_of(stream, is_split=is_split(name), json="ours", parser="cargo")
    text = Text(DATA / name / f"{stream}.log", classes)
    grew = e.OutputGrew(events[0].at, stream, text.shown_line_count, 1)
    JournalWriter(str(tmp_path / "events.jsonl"), "r").append([grew, *events])
    stamps = Stamps(str(tmp_path / "events.jsonl"))
    stamps.grow()
    return text, stamps, events


@pytest.mark.parametrize("name", ["test-red", "build-broken", "build-broken-two", "clippy", "check", "build-two"])
def test_every_error_and_warning_is_found_where_it_is_drawn(name: str, tmp_path: Path) -> None:
    stream: Stream = "err" if is_split(name) else "out"
    text, stamps, events = recorded(name, stream, tmp_path)
    seen: dict[str, int] = {}
    for wanted in only(events, e.DiagnosticEmitted):
        at = find_diagnostic(text, stamps, stream, wanted, seen.get(wanted.rendered, 0))
        seen[wanted.rendered] = seen.get(wanted.rendered, 0) + 1
        assert at is not None
        assert wanted.message in strip_sgr(text.lines(at, 1)[0])
    assert seen


def failures(name: str, stream: Stream, tmp_path: Path) -> dict[str, tuple[int, tuple[str, ...]] | None]:
    text, stamps, events = recorded(name, stream, tmp_path)
    tests = [test for test in only(events, e.TestFinished) if test.outcome == "failed"]
    return {test.name: find_output(text, stamps, stream, test) for test in tests}


def test_what_a_failed_test_printed_is_cut_out_of_the_log(tmp_path: Path) -> None:
    found = failures("test-red", "out", tmp_path)
    assert set(found) == {"tests::is_wrong", "tests::says_so", "util/src/lib.rs - red (line 24)"}
    wrong, says, doc = found["tests::is_wrong"], found["tests::says_so"], found["util/src/lib.rs - red (line 24)"]
    assert wrong is not None and says is not None and doc is not None  # noqa: PT018
    assert wrong[1][0] == "seen by nobody"
    assert wrong[1][-1].startswith("note: run with `RUST_BACKTRACE=1`")
    assert says[1] == ('Error: "no"',)
    assert doc[1][0] == "Test executable failed (exit status: 101)."
    text, *_ = recorded("test-red", "out", tmp_path)
    assert [text.lines(one[0], 1)[0] for one in (wrong, says)] == [
        "---- tests::is_wrong stdout ----", "---- tests::says_so stdout ----",
    ]  # fmt: skip


def test_nextest_prints_under_the_failed_line(tmp_path: Path) -> None:
    found = failures("nextest", "err", tmp_path)
    assert len(found) == 3
    wrong = found["tests::is_wrong"]
    assert wrong is not None
    assert any("assertion `left == right` failed: plus is wrong" in line for line in wrong[1])
    assert not any("util tests::panics" in line or "says_so" in line for line in wrong[1])


def test_of_two_tests_of_one_name_each_has_its_own_output(tmp_path: Path) -> None:
    block = "---- same stdout ----\n{}\n\nfailures:\n    same\n\ntest result: FAILED. 0 passed\n"
    (tmp_path / "log").write_text(block.format("one") + block.format("two"))
    text = Text(tmp_path / "log", Classes(has_json=False, has_progress=False))
    test, stamps = e.TestFinished(1.0, "same", "s", "failed", None), Stamps(str(tmp_path / "nothing"))
    first, second = (find_output(text, stamps, "out", test, earlier) for earlier in (0, 1))
    assert (first, second) == ((0, ("one",)), (7, ("two",)))
    assert find_output(text, stamps, "out", test, 2) is None


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("test", "test NAME -- --exact"),
        ("t -p engine filter -- --nocapture", "t -p engine NAME -- --exact"),
        ("+nightly test --workspace --test cli some", "+nightly test --workspace --test cli NAME -- --exact"),
        ("test --test --lib -F a,b x", "test --test --lib -F a,b NAME -- --exact"),
        ("test --features=a --target-dir t x", "test --features=a --target-dir t NAME -- --exact"),
        ("nextest run -p engine filter", "nextest run -p engine -E test(=NAME)"),
        ("build", None),
        ("nextest list", None),
        ("", None),
    ],
)
def test_one_test_is_run_again_with_the_flags_of_before(typed: str, words: str | None) -> None:
    found = retry_words(tuple(typed.split()), e.TestFinished(1.0, "NAME", "tests/cli.rs", "failed", None))
    assert found == (None if words is None else tuple(words.split()))


def test_a_doc_test_is_run_again_as_such() -> None:
    test = e.TestFinished(1.0, "src/lib.rs - plus (line 6)", "Doc-tests util", "failed", None)
    assert retry_words(("test",), test) == ("test", "--doc", "src/lib.rs - plus (line 6)", "--", "--exact")
    assert retry_words(("test", "--doc"), test) == ("test", "--doc", "src/lib.rs - plus (line 6)", "--", "--exact")
