"""The lines of Rust's test harness. Source: libtest of rustc 1.95, pretty and terse, and what cargo says around it."""

import re

from core import events as e
from core.parsers.text import plain

MAX_NAMED = 5000
"""Of tests that passed and of tests that failed, so many a run are named; all are counted."""

_ESCAPES = re.compile(rb"\x1b(?:\[[0-9;]{0,16}m|\(B)\x0f?(?:\$<[0-9.*/]{1,8}>)?")
"""Colours as terminfo has them: tmux, screen and linux shift in after `ESC [ m`, and vt100 pauses."""
_RESULT = re.compile(
    rb"test result: (?:ok|FAILED)\. ([0-9]{1,9}) passed; ([0-9]{1,9}) failed; ([0-9]{1,9}) ignored; "
    rb"([0-9]{1,9}) measured;"
)
_TEST = re.compile(rb"test (.+?)(?: - (?:should panic|compile fail|compile))? \.\.\. (.*)\Z")
_OUTCOME = re.compile(rb"(ok|FAILED|ignored|bench:)(?:\Z|,| +<([0-9.]{1,12})s>\Z| +[0-9])")
_RUNNING = re.compile(rb"running ([0-9]{1,9}) tests?\Z")
_BEGINNINGS = re.compile(rb"(?m)^running [0-9]{1,9} tests?$")
_TERSE_FAILED = b" --- FAILED"
_STARTS = (b"test ", b"running ", b"failures:", b"ok", b"FAILED", b"ignored", b"    ")
_OUTCOMES: dict[bytes, e.Outcome] = {b"ok": "ok", b"FAILED": "failed", b"ignored": "ignored", b"bench:": "ok"}


class TestReader:
    """Reads what test binaries print; one after the other, in one stream."""

    __test__ = False

    def __init__(self) -> None:
        self._announced: list[str] = []
        self._suite = ""
        self._expected: int | None = None
        self._before = (0, 0, 0)
        self._seen = [0, 0, 0]
        self._counted = (0, 0, 0)
        self._named = {"ok": 0, "failed": 0, "ignored": 0}
        self._open: bytes | None = None
        self._failures: list[bytes] | None = None
        self._failed: set[bytes] = set()

    def announce(self, suite: str) -> None:
        """Cargo starts a test binary; what it prints may come in another stream, sooner or later."""
        self._announced.append(suite)

    def is_unannounced(self, block: bytes) -> bool:
        """More binaries begin in these lines than cargo has announced so far."""
        return b"running " in block and len(_BEGINNINGS.findall(block)) > len(self._announced)

    def read(self, block: bytes, at: float, events: list[e.Event | None]) -> None:
        """Whole lines."""
        if b"\x1b" in block:
            block = _ESCAPES.sub(b"", block)
        has_terse = _TERSE_FAILED in block
        for line in block.split(b"\n"):
            if line.startswith(_STARTS):
                if self._failures is None and line.endswith(b" ... ok") and line.startswith(b"test "):
                    self._passed(line, at, events)
                else:
                    self._line(line, at, events)
            elif has_terse and line.endswith(_TERSE_FAILED) and self._failures is None:
                self._finish(line[: -len(_TERSE_FAILED)], b"FAILED", None, at, events)

    def count(self, at: float, events: list[e.Event | None]) -> None:
        """The totals of the run, if they changed."""
        passed, failed, ignored = (b + s for b, s in zip(self._before, self._seen, strict=True))
        if (passed, failed, ignored) != self._counted:
            self._counted = (passed, failed, ignored)
            events.append(e.TestsCounted(at, passed, failed, ignored))

    def _passed(self, line: bytes, at: float, events: list[e.Event | None]) -> None:
        self._open = None
        self._seen[0] += 1
        if self._named["ok"] < MAX_NAMED:
            self._named["ok"] += 1
            found = _TEST.match(line)
            name = plain(found[1] if found else line[5:-7], 500)
            events.append(e.TestFinished(at, name, self._suite, "ok", None))

    def _line(self, line: bytes, at: float, events: list[e.Event | None]) -> None:
        if line.startswith(b"test result: "):
            self._result(line, at, events)
        elif line.startswith(b"failures:"):
            if line == b"failures:":
                self._failures = []
        elif self._failures is not None:
            if line.startswith(b"    ") and line[4:5] != b" " and len(self._failures) < MAX_NAMED:
                self._failures.append(line[4:])
        elif found := _RUNNING.match(line):
            self._begin(int(found[1]), at, events)
        elif found := _TEST.match(line):
            self._open = None if self._outcome(found[1], found[2], at, events) else found[1]
        elif self._open is not None and self._outcome(self._open, line, at, events):
            self._open = None

    def _begin(self, tests: int, at: float, events: list[e.Event | None]) -> None:
        self._close_suite()
        self._suite = self._announced.pop(0) if self._announced else self._suite
        self._expected = tests
        events.append(e.TestSuiteStarted(at, self._suite, tests))

    def _outcome(self, name: bytes, text: bytes, at: float, events: list[e.Event | None]) -> bool:
        found = _OUTCOME.match(text)
        if found is None:
            return False
        self._finish(name, found[1], seconds(found[2]), at, events)
        return True

    def _finish(
        self, name: bytes, word: bytes, elapsed_s: float | None, at: float, events: list[e.Event | None]
    ) -> None:
        outcome = _OUTCOMES[word]
        if word != b"bench:":
            self._seen[("ok", "failed", "ignored").index(outcome)] += 1
        if outcome == "failed":
            self._failed.add(name)
        if self._named[outcome] < MAX_NAMED:
            self._named[outcome] += 1
            events.append(e.TestFinished(at, plain(name, 500), self._suite, outcome, elapsed_s))

    def _result(self, line: bytes, at: float, events: list[e.Event | None]) -> None:
        """The suite's own totals win, unless they are those of another harness within a test's output."""
        found = _RESULT.match(line)
        if found is None:
            return
        passed, failed, ignored, measured = (int(found[i]) for i in range(1, 5))
        if self._expected is not None and passed + failed + ignored + measured != self._expected:
            return
        for name in self._failures or ():
            if name not in self._failed:
                self._finish(name, b"FAILED", None, at, events)
        self._seen = [passed, failed, ignored]
        self._close_suite()

    def _close_suite(self) -> None:
        passed, failed, ignored = (b + s for b, s in zip(self._before, self._seen, strict=True))
        self._before = (passed, failed, ignored)
        self._seen = [0, 0, 0]
        self._expected = self._open = self._failures = None
        self._failed.clear()


def seconds(text: bytes | None) -> float | None:
    """The number, where it is one."""
    try:
        return float(text) if text else None
    except ValueError:
        return None
