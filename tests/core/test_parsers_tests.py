"""What test harnesses say: libtest in its forms, and nextest."""

import pytest

from core import events as e
from core.parsers.libtest import MAX_NAMED, TestReader
from tests.core.test_parsers_cargo import board, events_of, only

RESULT = b"test result: ok. %d passed; %d failed; %d ignored; 0 measured; 0 filtered out; finished in 0.00s\n"


def read(*blocks: bytes) -> tuple[list[e.Event], e.TestsCounted]:
    reader = TestReader()
    found: list[e.Event | None] = []
    for block in blocks:
        reader.read(block, 1.0, found)
    reader.count(1.0, found)
    events = [event for event in found if event is not None]
    return events, only(events, e.TestsCounted)[-1]


@pytest.mark.parametrize(("name", "passed", "failed", "ignored"), [
    ("test", 4, 0, 1), ("test-red", 3, 3, 1), ("test-red-two", 2, 2, 1), ("test-verbose", 3, 0, 1),
    ("test-color", 3, 3, 1), ("test-loud", 3, 0, 1), ("test-doc", 1, 0, 0), ("terse", 2, 2, 1), ("bench", 0, 0, 4),
    ("nightly-times", 2, 2, 1), ("nightly-bench", 0, 0, 3), ("nextest", 3, 3, 1), ("nextest-color", 3, 0, 1),
    ("build-one", 0, 0, 0), ("run", 0, 0, 0),
])  # fmt: skip
def test_tests_are_counted_as_the_harness_counts_them(name: str, passed: int, failed: int, ignored: int) -> None:
    for size in (64, 1 << 20):
        known = board(events_of(name, size))
        assert (known["tests_passed"], known["tests_failed"], known["tests_ignored"]) == (passed, failed, ignored)
        assert len(known["failed_tests"]) == failed


@pytest.mark.parametrize("reset", [b"\x1b(B\x1b[m", b"\x1b[m\x0f", b"\x1b[m\x0f$<2>", b"\x1b[0m"])
def test_tests_are_read_in_the_colours_of_every_terminal(reset: bytes) -> None:
    block = b"running 2 tests\ntest a ... \x1b[32mok%s\ntest b ... \x1b[31mFAILED%s\n" % (reset, reset)
    result = (RESULT % (1, 1, 0)).replace(b"ok", b"\x1b[31mFAILED" + reset)
    events, counted = read(block + b"\nfailures:\n    b\n\n" + result)
    assert [(test.name, test.outcome) for test in only(events, e.TestFinished)] == [("a", "ok"), ("b", "failed")]
    assert counted == e.TestsCounted(1.0, 1, 1, 0)


def test_each_test_has_its_suite_and_outcome() -> None:
    found = [(t.suite, t.name, t.outcome) for t in only(events_of("test-red"), e.TestFinished)]
    unit, doc = "unittests src/lib.rs", "Doc-tests util"
    assert sorted(found) == sorted([
        (unit, "tests::adds", "ok"), (unit, "tests::is_wrong", "failed"), (unit, "tests::says_so", "failed"),
        (unit, "tests::panics", "ok"), (unit, "tests::waits", "ignored"),
        (doc, "util/src/lib.rs - red (line 24)", "failed"), (doc, "util/src/lib.rs - plus (line 6)", "ok"),
    ])  # fmt: skip


def test_each_test_binary_is_announced_with_its_number_of_tests() -> None:
    suites = [(s.name, s.tests) for s in only(events_of("test-red"), e.TestSuiteStarted)]
    assert suites == [
        ("unittests src/main.rs", 0), ("tests/cli.rs", 2), ("unittests src/lib.rs", 0), ("unittests src/lib.rs", 0),
        ("unittests src/lib.rs", 5), ("Doc-tests script", 0), ("Doc-tests util", 2),
    ]  # fmt: skip
    verbose = [s.name for s in only(events_of("test-verbose"), e.TestSuiteStarted)]
    assert verbose == ["unittests src/lib.rs", "Doc-tests util"], "by the message that named the executable"


def test_seconds_are_read_where_the_harness_gives_them() -> None:
    timed = [t.elapsed_s for t in only(events_of("nightly-times"), e.TestFinished) if "Doc" not in t.suite]
    assert timed == [0.0, 0.0, 0.0, 0.0, None]
    assert all(t.elapsed_s and t.elapsed_s < 1 for t in only(events_of("nextest"), e.TestFinished))


def test_nextest_names_binary_and_test() -> None:
    found = [(t.suite, t.name, t.outcome) for t in only(events_of("nextest-color"), e.TestFinished)]
    assert sorted(found) == [("app::cli", "runs", "ok"), ("util", "tests::adds", "ok"), ("util", "tests::panics", "ok")]
    died = [t.name for t in only(events_of("nextest"), e.TestFinished) if t.outcome == "failed"]
    assert sorted(died) == ["dies", "tests::is_wrong", "tests::says_so"], "once each, though listed twice"


def test_the_result_line_wins_over_what_was_seen() -> None:
    events, counted = read(b"running 4 tests\nnoisetest a ... ok\n" + RESULT % (3, 0, 1))
    assert counted == e.TestsCounted(1.0, 3, 0, 1)
    assert only(events, e.TestFinished) == []


def test_failures_that_noise_hid_are_taken_from_the_list_at_the_end() -> None:
    failures = b"\nfailures:\n\n---- a stdout ----\n    indented output\n\nfailures:\n    a\n    b::c\n\n"
    result = b"test result: FAILED. 0 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
    events, counted = read(b"running 2 tests\nnoisetest a ... FAILED\ntest b::c ... FAILED\n" + failures + result)
    assert sorted(t.name for t in only(events, e.TestFinished)) == ["a", "b::c"]
    assert counted == e.TestsCounted(1.0, 0, 2, 0)


def test_a_harness_within_the_output_of_a_failed_test_is_not_counted() -> None:
    inner = b"running 1 test\ntest inner ... ok\n\n" + RESULT % (1, 0, 0)
    outer = b"running 2 tests\ntest a ... FAILED\ntest b ... ok\n\nfailures:\n\n---- a stdout ----\n" + inner
    events, counted = read(outer + b"\nfailures:\n    a\n\n" + (RESULT % (1, 1, 0)).replace(b"ok", b"FAILED"))
    assert counted == e.TestsCounted(1.0, 1, 1, 0)
    assert {t.name for t in only(events, e.TestFinished)} == {"a", "b"}


def test_a_result_that_stands_on_a_line_of_its_own_belongs_to_the_open_test() -> None:
    events, _ = read(b"running 2 tests\ntest a ... hello\nok\ntest b ... ", b"\nFAILED\n")
    assert [(t.name, t.outcome) for t in only(events, e.TestFinished)] == [("a", "ok"), ("b", "failed")]


def test_a_binary_that_dies_leaves_what_was_seen() -> None:
    _, counted = read(b"running 9 tests\ntest a ... ok\n", b"running 1 test\ntest b ... ok\n" + RESULT % (1, 0, 0))
    assert counted == e.TestsCounted(1.0, 2, 0, 0)


def test_of_very_many_tests_all_are_counted_and_some_are_named() -> None:
    count = MAX_NAMED + 100
    block = b"".join(b"test t%d ... ok\n" % i for i in range(count))
    events, counted = read(b"running %d tests\n" % (count + 1) + block + b"test z ... FAILED\n")
    assert counted == e.TestsCounted(1.0, count, 1, 0)
    assert len(only(events, e.TestFinished)) == MAX_NAMED + 1


@pytest.mark.parametrize("line", [
    b"test", b"test ", b"test  ... ok", b"test x ... okay", b"test result: ok.",
    b"running many tests", b"running 1 testament",
    b"test x ... ok <>",
    b"test result: ok. 99999999999999 passed; 0 failed; 0 ignored; 0 measured;", b" --- FAILED",
])  # fmt: skip
def test_lines_that_only_resemble_raise_nothing(line: bytes) -> None:
    reader = TestReader()
    events: list[e.Event | None] = []
    reader.read(line + b"\n", 1.0, events)
    assert not any(isinstance(event, e.TestSuiteStarted) for event in events)
