"""The lines of cargo-nextest. Source: nextest 0.9, `        PASS [   0.012s] (1/6) app::cli runs`."""

import re

from core import events as e
from core.parsers.libtest import MAX_NAMED, seconds
from core.parsers.text import plain, strip_sgr_bytes

_TEST = re.compile(
    rb" {1,11}((?:TRY [0-9]+ )?)(PASS|LEAK|FAIL|LEAK-FAIL|TIMEOUT|ABORT|SIG[A-Z0-9]+|XFAIL|SKIP|TMT|LKFAIL) "
    rb"\[ *([0-9.]{1,12})s\] (?:\( *[0-9]+/[0-9]+\) )?(\S{1,300}) (\S.*)\Z"
)
_STARTING = re.compile(rb" +Starting ([0-9]+) tests? across [0-9]+ binar(?:y|ies)(?: \(([0-9]+) tests? skipped)?")
_SUMMARY = re.compile(rb" +Summary \[.*\] +(?:[0-9]+/)?[0-9]+ tests? run: (.*)\Z")
_PART = re.compile(rb"([0-9]+) (passed|failed|timed out|exec failed|skipped)")
_PASSED = (b"PASS", b"LEAK")


class NextestReader:
    """Reads what nextest prints after the build."""

    def __init__(self) -> None:
        self._passed = self._failed = self._skipped = 0
        self._counted = (0, 0, 0)
        self._named = {"ok": 0, "failed": 0, "ignored": 0}
        self._failures: set[tuple[bytes, bytes]] = set()
        self._is_over = False

    def announce(self, suite: str) -> None:
        """Nextest starts test binaries itself."""

    def is_unannounced(self, block: bytes) -> bool:
        """Never: each line names its binary."""
        return False

    def read(self, block: bytes, at: float, events: list[e.Event | None]) -> None:
        """Whole lines."""
        for line in strip_sgr_bytes(block).split(b"\n"):
            if not line.startswith(b"    "):
                continue
            if found := _TEST.match(line):
                self._test(found, at, events)
            elif found := _STARTING.match(line):
                self._skipped = int(found[2] or 0)
                events.append(e.TestSuiteStarted(at, "nextest", int(found[1])))
            elif found := _SUMMARY.match(line):
                self._summary(found[1])

    def count(self, at: float, events: list[e.Event | None]) -> None:
        """The totals of the run, if they changed."""
        totals = (self._passed, self._failed, self._skipped)
        if totals != self._counted:
            self._counted = totals
            events.append(e.TestsCounted(at, *totals))

    def _test(self, found: "re.Match[bytes]", at: float, events: list[e.Event | None]) -> None:
        """One result. After the summary the failures are listed once more; a retried failure counts only there."""
        is_retry, word, test = found[1] != b"", found[2], (found[4], found[5])
        outcome: e.Outcome = "ok" if word in _PASSED else "ignored" if word == b"SKIP" else "failed"
        if outcome == "failed":
            if test in self._failures or (is_retry and not self._is_over):
                return
            self._failures.add(test)
        if not self._is_over:
            self._passed += outcome == "ok"
            self._failed += outcome == "failed"
        elif outcome != "failed":
            return
        if self._named[outcome] < MAX_NAMED:
            self._named[outcome] += 1
            events.append(e.TestFinished(at, plain(test[1], 500), plain(test[0], 300), outcome, seconds(found[3])))

    def _summary(self, parts: bytes) -> None:
        totals = {name: int(count) for count, name in _PART.findall(parts)}
        self._passed = totals.get(b"passed", 0)
        self._failed = totals.get(b"failed", 0) + totals.get(b"timed out", 0) + totals.get(b"exec failed", 0)
        self._skipped = totals.get(b"skipped", 0)
        self._is_over = True
