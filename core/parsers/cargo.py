"""Cargo's output: JSON messages, progress line, status lines and diagnostics while it builds; then the tests.

Source: cargo 1.95. What follows the build is the program's or the tests' own and is never taken for cargo's.
"""

import re
from typing import Literal, Protocol

from core import events as e
from core.parsers.diagnostics import DiagnosticReader
from core.parsers.lines import LineSplitter
from core.parsers.messages import START, Finished, Unit, parse_message
from core.parsers.progress import Bar, UnitClock, left_unit, parse_bar
from core.parsers.text import plain, strip_sgr_bytes

Json = Literal["ours", "user", "none"]
"""Whose the JSON messages are, as in `run.json`."""

_ERASE = b"\x1b[K"
_REPORT = re.compile(rb"\x1b\]9;4;[0-9;]{0,12}(?:\x1b\\|\x07)")
_STATUS = re.compile(rb" {1,11}([A-Z][A-Za-z-]{0,11}) (.*)\Z")
_STATUS_COLUMNS = 12
_KNOWN = frozenset(
    b"Adding Blocking Building Checking Compiling Created Dirty Doc-tests Documenting Downgrading Downloaded "
    b"Downloading Executable Fetch Finished Fixed Fixing Fresh Generated Ignored Installing Locking Opening Patching "
    b"Removing Replacing Running Scraping Summary Unpacking Unused Updating Vendoring Verifying Waiting Warning".split()
)
_PACKAGE = re.compile(rb"(\S{1,200}) v(\S{1,100})(?: \([^)]*\))*(?:: (.*))?\Z")
_LOCK = re.compile(rb"waiting for file lock on (.+?)(?: \(/.*\))?\Z")
_SUITE = re.compile(rb"(.+?) \(.*\)\Z")
_TEST_BINARY = re.compile(rb"`(?:\S* )*?(\S*/deps/(\S+)-[0-9a-f]{16}(?:\.exe)?)[ `]")
_MAX_UNDECIDED_BYTES = 1 << 18
_MAX_TENTATIVE = 1000
_STATUS_AFTER = (b"     Running ", b"   Doc-tests ")


_REPEATED = frozenset((b"   Compiling ", b"    Checking ", b" Documenting "))
_HEAD_BYTES = 13


def parse_status(line: bytes) -> "re.Match[bytes] | None":
    """Word and rest of a status line: a word of cargo's, right-aligned in twelve columns."""
    found = _STATUS.match(line)
    return found if found and found.start(2) == _STATUS_COLUMNS + 1 and found[1] in _KNOWN else None


class AfterBuild(Protocol):
    """Reads what follows the build."""

    def announce(self, suite: str) -> None: ...  # noqa: D102
    def is_unannounced(self, block: bytes) -> bool: ...  # noqa: D102
    def read(self, block: bytes, at: float, events: list[e.Event | None]) -> None: ...  # noqa: D102
    def count(self, at: float, events: list[e.Event | None]) -> None: ...  # noqa: D102


class _Stream:
    """Where one stream stands."""

    __slots__ = ("diagnostics", "has_json", "has_status", "is_building", "lines", "tentative")

    def __init__(self, *, is_building: bool, has_json: bool) -> None:
        self.lines = LineSplitter(keeps_messages=has_json)
        self.diagnostics = DiagnosticReader()
        self.is_building = is_building
        self.has_json = has_json
        self.has_status = False
        self.tentative: list[e.Event | None] = []


class CargoParser:
    """One run of cargo. Feeds of its streams may interleave in any way."""

    def __init__(self, after: AfterBuild, *, is_split: bool, json: Json, has_tests: bool | None = None) -> None:
        has_json = json != "none"
        self._streams: dict[e.Stream, _Stream] = {
            "out": _Stream(is_building=has_json or not is_split, has_json=has_json),
            "err": _Stream(is_building=True, has_json=False),
        }
        self._after = after
        self._has_json = has_json
        self._has_tests = has_tests
        """None: cargo has not said yet whether tests or a program follow."""
        self._undecided = b""
        self._unannounced = b""
        self._has_announcements = is_split
        self._clock = UnitClock()
        self._versions: dict[str, str] = {}
        self._suites: dict[str, str] = {}
        self._fresh_scripts: set[str] = set()
        self._is_waiting = False
        self._is_backlog = False
        self._is_success: bool | None = None
        self._shown: Bar | None = None
        self._bar_at: int | None = None
        self._events: list[e.Event | None] = []

    def feed(self, stream: e.Stream, chunk: bytes, at: float, *, is_backlog: bool = False) -> list[e.Event]:
        """What the next bytes of a stream say. `is_backlog`: they are old, so nobody saw when units started."""
        s = self._streams[stream]
        if not s.is_building and self._has_tests is False:
            return []
        self._is_backlog = is_backlog
        if stream == "out":
            self._read_unannounced(at)
        block = s.lines.feed(chunk)
        if block:
            self._read(s, block[:-1], at)
        if stream == "err":
            self._read_unannounced(at)
        return self._take(at)

    def close(self, at: float) -> list[e.Event]:
        """What the ends of the streams say: an unfinished line, a diagnostic that nothing followed."""
        for s in self._streams.values():
            rest = s.lines.close()
            if rest:
                self._read(s, rest, at)
            s.diagnostics.end(at, s.tentative)
            self._events += filter(_is_warning_with_place if self._is_late(s) else None, s.tentative)
            s.tentative = []
        self._read_unannounced(at)
        return self._take(at)

    def _take(self, at: float) -> list[e.Event]:
        if self._has_tests and self._undecided:
            undecided, self._undecided = self._undecided, b""
            self._after.read(undecided, at, self._events)
        self._after.count(at, self._events)
        events = [event for event in self._events if event is not None]
        self._events = []
        self._bar_at = None
        return events

    def _read(self, s: _Stream, block: bytes, at: float) -> None:
        if s.is_building:
            lines = block.split(b"\n")
            before = b""
            for i, line in enumerate(lines):
                head = line[:_HEAD_BYTES]
                if head == before and head in _REPEATED and self._has_json:
                    continue  # only the first of several in a row says something: units come by message
                before = head
                (self._late if self._is_late(s) else self._building)(s, line, at)
                if not s.is_building:
                    block = b"\n".join(lines[i + 1 :])
                    break
            else:
                return
        if block and self._has_tests is not False:
            self._read_after(block, at)

    def _building(self, s: _Stream, line: bytes, at: float) -> None:
        """One line, or state of the progress line, while cargo speaks."""
        if b"\x1b" in line:
            if b"\x1b]" in line:
                line = _REPORT.sub(b"", line)
            line = line.removeprefix(_ERASE)
        if s.has_json and line.startswith(START):
            s.diagnostics.end(at, self._events)
            self._resume(at)
            self._message(s, line, at)
            return
        text = strip_sgr_bytes(line)
        first = text[:1]
        if first in (b" ", b"[") and (bar := parse_bar(text)):
            s.diagnostics.end(at, self._events)
            self._resume(at)
            self._bar(bar, at)
            return
        if first == b" " and (found := parse_status(text)):
            s.diagnostics.end(at, self._events)
            self._status(s, found[1], found[2], at)
        else:
            s.diagnostics.read(text, at, self._events)

    def _is_late(self, s: _Stream) -> bool:
        return self._is_success is True and not s.has_status and not s.has_json

    def _late(self, s: _Stream, line: bytes, at: float) -> None:
        """A line of stderr, read after the message that the build succeeded, before any status line.

        Either cargo's status lines are still to come, `Finished` at least, or it was told to be quiet and this is the
        program's: until that is clear, only warnings with a place are believed.
        """
        text = strip_sgr_bytes(line.removeprefix(_ERASE))
        if parse_status(text):
            self._events += filter(_is_warning, s.tentative)
            s.tentative = []
            self._building(s, line, at)
        elif text[:1] != b"[" and len(s.tentative) < _MAX_TENTATIVE:
            s.diagnostics.read(text, at, s.tentative)
            self._events += filter(_is_warning_with_place, s.tentative)
            s.tentative = [event for event in s.tentative if not _is_warning_with_place(event)]

    def _resume(self, at: float) -> None:
        if self._is_waiting:
            self._is_waiting = False
            self._events.append(e.LockWaitEnded(at))

    def _bar(self, bar: Bar, at: float) -> None:
        """Only the last state of a batch becomes an event; it stays where it was said among the others."""
        gone = self._clock.move(bar, at, is_backlog=self._is_backlog)
        if self._is_success is not None:
            # The message that the build is over came by the other stream, and was read before this.
            bar = Bar(bar.total if self._is_success else bar.done, bar.total, (), is_truncated=False)
        if not self._has_json:
            self._leave(gone, at)
        if bar == self._shown:
            return
        self._shown = bar
        if self._bar_at is not None:
            self._events[self._bar_at] = None
        self._bar_at = len(self._events)
        self._events.append(e.ProgressMoved(at, bar.done, bar.total, bar.names, "units", bar.is_truncated))

    def _leave(self, units: list[tuple[str, float | None]], at: float) -> None:
        self._events.extend(left_unit(name, seconds, self._versions, at) for name, seconds in units)

    def _message(self, s: _Stream, line: bytes, at: float) -> None:
        match parse_message(line):
            case Unit() as unit:
                self._unit(unit, at)
            case Finished(is_success):
                s.is_building = False
                self._is_success = is_success
                self._events.append(e.BuildFinished(at, is_success))
            case e.DiagnosticEmitted() as found:
                self._events.append(e.DiagnosticEmitted(
                    at, found.level, found.message, found.code, found.file, found.line, found.column, found.rendered,
                    found.package,
                ))  # fmt: skip

    def _unit(self, unit: Unit, at: float) -> None:
        is_fresh = unit.is_fresh
        if unit.kind == "custom-build" and is_fresh:
            self._fresh_scripts.add(unit.package)
        elif unit.kind == "run-build-script":
            # The message does not say whether the script was run: it was, if it was in flight or compiled anew.
            is_fresh = unit.package in self._fresh_scripts and not self._clock.has(unit.name)
        if unit.suite is not None:
            self._has_tests = True
            if unit.executable:
                self._suites[unit.executable] = unit.suite
        elapsed_s = None if is_fresh else self._clock.finish(unit.name, at)
        self._events.append(e.UnitFinished(at, unit.name, unit.package, unit.version, unit.kind, is_fresh, elapsed_s))

    def _status(self, s: _Stream, word: bytes, rest: bytes, at: float) -> None:
        self._resume(at)
        s.has_status = True
        match word:
            case b"Blocking":
                if found := _LOCK.match(rest):
                    self._is_waiting = True
                    self._events.append(e.LockWaitBegan(at, plain(found[1], 200)))
            case b"Finished" if not s.has_json:
                s.is_building = False
                if not self._has_json:
                    self._leave(self._clock.leave_all(at), at)
                    self._events.append(e.BuildFinished(at, True))
            case b"Dirty" | b"Fresh" | b"Compiling" | b"Checking" | b"Documenting":
                if found := _PACKAGE.match(rest):
                    self._package(word, plain(found[1], 200), plain(found[2], 100), found[3], at)

    def _package(self, word: bytes, package: str, version: str, reason: bytes | None, at: float) -> None:
        self._versions[package] = version
        if word == b"Dirty" and reason:
            self._events.append(e.UnitDirtied(at, package, plain(reason, 500)))
        elif word == b"Fresh" and not self._has_json:
            self._events.append(e.UnitFinished(at, package, package, version, "", True, None))

    def _read_after(self, block: bytes, at: float) -> None:
        """What follows the build: cargo's announcements of test binaries, and their own lines between them."""
        if b"     Running" not in block and b"   Doc-tests" not in block:
            self._read_tests(block, at)
            return
        pending: list[bytes] = []
        for line in block.split(b"\n"):
            text = strip_sgr_bytes(line)
            if text.startswith(_STATUS_AFTER):
                self._read_tests(b"\n".join(pending), at)
                pending.clear()
                self._announce(text)
            else:
                pending.append(line)
        self._read_tests(b"\n".join(pending), at)

    def _read_tests(self, block: bytes, at: float) -> None:
        """Whole lines, if tests follow. The announcement may be read later, for it may be in the other stream."""
        if self._has_tests is None:
            if block and len(self._undecided) < _MAX_UNDECIDED_BYTES:
                self._undecided = (self._undecided + block + b"\n")[:_MAX_UNDECIDED_BYTES]
        elif self._has_tests and block:
            if self._has_announcements and self._after.is_unannounced(block):
                self._unannounced += block + b"\n"
            else:
                self._after.read(block, at, self._events)

    def _read_unannounced(self, at: float) -> None:
        """Tests whose binary was not announced yet when they were read; with `-q` cargo never announces."""
        if self._unannounced:
            self._has_announcements = not self._after.is_unannounced(self._unannounced)
            block, self._unannounced = self._unannounced, b""
            self._after.read(block, at, self._events)

    def _announce(self, text: bytes) -> None:
        rest = text[_STATUS_COLUMNS + 1 :]
        suite: str | None = None
        if text.startswith(b"   Doc-tests "):
            suite = "Doc-tests " + plain(rest, 200)
        elif not rest.startswith(b"`"):
            found = _SUITE.match(rest)
            suite = plain(found[1], 200) if found else None
        elif found := _TEST_BINARY.match(rest):
            suite = self._suites.get(plain(found[1]), plain(found[2], 200))
        if suite is not None:
            self._has_tests = True
            self._after.announce(suite)
        elif self._has_tests is None:
            self._has_tests = False
            self._undecided = b""


def _is_warning(event: e.Event | None) -> bool:
    return not isinstance(event, e.DiagnosticEmitted) or event.level == "warning"


def _is_warning_with_place(event: e.Event | None) -> bool:
    return isinstance(event, e.DiagnosticEmitted) and event.level == "warning" and event.file is not None
