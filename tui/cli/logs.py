"""`cargo deck logs RUN`: what a run printed, as its caller would have seen it."""

import os
import sys
import time
from dataclasses import dataclass

from core import events as e
from core.errors import JournalError, UsageError
from core.facts import Record, read_record
from core.journal import NAME, read_journal
from core.logfile import LogFile
from core.logfile_index import Classes, classes_of
from core.parsers.text import sanitise, strip_sgr
from core.paths import Paths
from core.run.stop import is_live
from core.runs import resolve_run
from tui.cli import common

_BATCH_LINES = 2000
_READ_BYTES = 1 << 18
_NAP_S = 0.05


@dataclass(frozen=True, slots=True)
class _Part:
    """Lines of one stream that came one after another."""

    stream: str
    first: int
    count: int


def main(argv: list[str]) -> int:
    """Print the log of a run; exit code."""
    return common.guarded(_logs, argv)


def _logs(argv: list[str]) -> int:
    parser = common.make_parser("logs", "Prints what a run printed, without our messages and progress lines.")
    parser.add_argument("run", metavar="RUN", help="id, unique beginning of one, or an agent's name")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")
    parser.add_argument("-n", "--lines", type=int, metavar="N", help="only the last N lines")
    parser.add_argument("--raw", action="store_true", help="the bytes of the log as they are")
    parser.add_argument("--out", action="store_true", help="only stdout, where it was a stream of its own")
    parser.add_argument("--err", action="store_true", help="only stderr, where it was a stream of its own")
    given = parser.parse_args(argv)
    if given.lines is not None and given.lines < 0:
        parser.error("-n takes a number of lines, 0 or more")
    if given.raw and (given.json or given.lines is not None):
        parser.error("--raw goes with neither --json nor -n")
    paths = common.user_paths()
    run = resolve_run(paths, given.run)
    streams = _streams(paths, run, only_out=given.out and not given.err, only_err=given.err and not given.out)
    if given.raw:
        _copy(paths, run, streams, follow=given.follow)
    else:
        _Printer(paths, run, streams, is_json=given.json).print(given.lines, follow=given.follow)
    return 0


def _streams(paths: Paths, run: str, *, only_out: bool, only_err: bool) -> list[str]:
    found = [name for name in ("out", "err") if os.path.exists(f"{paths.run(run)}/{name}.log")]
    if not found:
        raise UsageError(f"run {run} has no log: {paths.run(run)}/out.log is not there")
    if (only_out or only_err) and found == ["out"]:
        raise UsageError(f"run {run} has one log: its stdout and stderr were one stream. Leave --out and --err away")
    return [name for name in found if not (only_out and name == "err") and not (only_err and name == "out")]


def _copy(paths: Paths, run: str, streams: list[str], *, follow: bool) -> None:
    logs = [os.open(f"{paths.run(run)}/{name}.log", os.O_RDONLY | os.O_CLOEXEC) for name in streams]
    while True:
        goes_on = follow and is_live(paths, run)
        for log in logs:
            while chunk := os.read(log, _READ_BYTES):
                common.print_bytes(chunk)
        if not goes_on:
            return
        time.sleep(_NAP_S)


class _Printer:
    """Prints the lines of a run, of two streams in the order in which they came."""

    def __init__(self, paths: Paths, run: str, streams: list[str], *, is_json: bool) -> None:
        record = read_record(paths, run)
        self._paths, self._run, self._is_json = paths, run, is_json
        self._logs = {name: LogFile(*_files(paths, run, name), _classes(name, record)) for name in streams}
        self._next = dict.fromkeys(streams, 0)
        self._is_terminal = sys.stdout.isatty()
        self._has_colour = common.has_colour()

    def print(self, last: int | None, *, follow: bool) -> None:
        """All lines, or the last ones; then, while it lives, those that are added."""
        goes_on = follow and is_live(self._paths, self._run)
        parts = self._new(with_open_line=not goes_on)
        self._print_parts(_last(self._in_order(parts), last))
        while goes_on:
            goes_on = is_live(self._paths, self._run)
            parts = self._new(with_open_line=not goes_on)
            self._print_parts(parts)
            if goes_on and not parts:
                time.sleep(_NAP_S)

    def _new(self, *, with_open_line: bool) -> list[_Part]:
        """What was added since the last call. A line that is not ended yet waits for its rest."""
        parts = []
        for name, log in self._logs.items():
            while log.extend():
                pass
            count = log.shown_line_count if with_open_line else log.ended_line_count
            first = self._next[name]
            if count < first:
                common.say(f"a part of {name}.log was removed because it was too long: going on at its end")
            elif count > first:
                parts.append(_Part(name, first, count - first))
            self._next[name] = count
        return parts

    def _in_order(self, parts: list[_Part]) -> list[_Part]:
        """The same lines, as the engine saw the two logs grow; what it has not seen comes last."""
        if len(parts) < 2:
            return parts
        ends = {part.stream: part.count for part in parts}
        at = dict.fromkeys(ends, 0)
        ordered: list[_Part] = []
        for stream, lines in self._growth():
            end = min(lines, ends.get(stream, 0))
            if end > at.get(stream, 0):
                ordered.append(_Part(stream, at[stream], end - at[stream]))
                at[stream] = end
        return [*ordered, *(_Part(name, at[name], end - at[name]) for name, end in ends.items() if end > at[name])]

    def _growth(self) -> list[tuple[str, int]]:
        try:
            seen = read_journal(f"{self._paths.run(self._run)}/{NAME}").events
        except (OSError, JournalError):
            return []
        return [(event.stream, event.shown_lines) for event in seen if isinstance(event, e.OutputGrew)]

    def _print_parts(self, parts: list[_Part]) -> None:
        for part in parts:
            first, end = part.first, part.first + part.count
            while first < end:
                lines = self._logs[part.stream].lines(first, min(_BATCH_LINES, end - first))
                if not lines:
                    break
                self._print_lines(part.stream, first, lines)
                first += len(lines)

    def _print_lines(self, stream: str, first: int, lines: list[bytes]) -> None:
        if self._is_json:
            for number, line in enumerate(lines, first):
                text = line.decode("utf-8", "replace")
                common.print_json("log-line", run=self._run, stream=stream, line=number, text=text)
        elif self._is_terminal:
            mark = f"{stream} │ " if len(self._logs) > 1 else ""
            common.print_text("\n".join(mark + self._for_terminal(line) for line in lines))
        else:
            common.print_bytes(b"\n".join(lines) + b"\n")

    def _for_terminal(self, line: bytes) -> str:
        text = sanitise(line)
        if not self._has_colour:
            return strip_sgr(text)
        return text + "\x1b[0m" if "\x1b" in text else text


def _last(parts: list[_Part], count: int | None) -> list[_Part]:
    """Those that hold the last `count` lines; None: all."""
    if count is None:
        return parts
    kept: list[_Part] = []
    for part in reversed(parts):
        take = min(part.count, count)
        if take:
            kept.append(_Part(part.stream, part.first + part.count - take, take))
        count -= take
    return kept[::-1]


def _files(paths: Paths, run: str, stream: str) -> tuple[str, str]:
    folder = paths.run(run)
    return f"{folder}/{stream}.log", f"{folder}/lines{'.err' if stream == 'err' else ''}.idx"


def _classes(stream: str, record: Record | None) -> Classes:
    if record is None:
        return classes_of(stream, is_split=False, json="none", parser="generic")
    return classes_of(stream, is_split=record.started.is_split, json=record.json, parser=record.parser)
