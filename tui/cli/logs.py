"""`cargo deck logs RUN`: what a run printed, as its caller would have seen it."""

import os
import sys
import time

from core.facts import Record, read_record
from core.logfile import LogFile
from core.logfile_index import Classes, classes_of
from core.parsers.text import sanitise, strip_sgr
from core.paths import Paths
from core.run.stop import is_live
from core.runs import resolve_run
from tui.cli import common

_BATCH_LINES = 2000
_NAP_S = 0.05


def main(argv: list[str]) -> int:
    """Print the log of a run; exit code."""
    return common.guarded(_logs, argv)


def _logs(argv: list[str]) -> int:
    parser = common.make_parser("logs", "Prints what a run printed, without our messages and progress lines.")
    parser.add_argument("run", metavar="RUN", help="id, unique beginning of one, or an agent's name")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")
    parser.add_argument("-n", "--lines", type=int, metavar="N", help="only the last N lines of each stream")
    parser.add_argument("--raw", action="store_true", help="the bytes of the log as they are")
    parser.add_argument("--out", action="store_true", help="only stdout, where it was a stream of its own")
    parser.add_argument("--err", action="store_true", help="only stderr, where it was a stream of its own")
    given = parser.parse_args(argv)
    if given.lines is not None and given.lines < 0:
        parser.error("-n takes a number of lines, 0 or more")
    paths = common.user_paths()
    run = resolve_run(paths, given.run)
    streams = [s for s in ("out", "err") if os.path.exists(f"{paths.run(run)}/{s}.log")]
    if given.out != given.err:
        streams = [s for s in streams if s == ("out" if given.out else "err")]
    printers = [_Printer(paths, run, s, given.lines, is_raw=given.raw, is_json=given.json) for s in streams]
    while True:
        goes_on = given.follow and is_live(paths, run)
        moved = [printer.step() for printer in printers]
        if not goes_on:
            return 0
        if not any(moved):
            time.sleep(_NAP_S)


class _Printer:
    """Prints one stream of a run as it grows."""

    def __init__(self, paths: Paths, run: str, stream: str, last: int | None, *, is_raw: bool, is_json: bool) -> None:
        self.run, self.stream = run, stream
        self.is_raw, self.is_json = is_raw, is_json
        self.path = f"{paths.run(run)}/{stream}.log"
        record = read_record(paths, run)
        index = f"{paths.run(run)}/lines{'.err' if stream == 'err' else ''}.idx"
        self.log = LogFile(self.path, index, _classes(stream, record))
        self.raw = os.open(self.path, os.O_RDONLY) if is_raw else -1
        self.next = 0
        if last is not None:
            while self.log.extend():
                pass
            self.next = max(0, self.log.shown_line_count - last)

    def step(self) -> bool:
        """Print what is new; True where something was."""
        if self.is_raw:
            return self._raw()
        while self.log.extend():
            pass
        moved = False
        while self.next < self.log.shown_line_count:
            lines = self.log.lines(self.next, min(_BATCH_LINES, self.log.shown_line_count - self.next))
            if not lines:
                break
            self._print(lines)
            self.next += len(lines)
            moved = True
        return moved

    def _raw(self) -> bool:
        moved = False
        while chunk := os.read(self.raw, 1 << 18):
            sys.stdout.buffer.write(chunk)
            moved = True
        sys.stdout.buffer.flush()
        return moved

    def _print(self, lines: list[bytes]) -> None:
        if self.is_json:
            for n, line in enumerate(lines, self.next):
                text = line.decode("utf-8", "replace")
                common.print_json("log-line", run=self.run, stream=self.stream, line=n, text=text)
            return
        if not sys.stdout.isatty():
            sys.stdout.buffer.write(b"\n".join(lines) + b"\n")
            sys.stdout.buffer.flush()
            return
        shown = [sanitise(line) for line in lines]
        if not common.has_colour():
            shown = [strip_sgr(line) for line in shown]
        reset = "\x1b[0m" if common.has_colour() else ""
        common.print_text("\n".join(line + (reset if "\x1b" in line else "") for line in shown))


def _classes(stream: str, record: Record | None) -> Classes:
    if record is None:
        return classes_of(stream, is_split=False, json="none", parser="generic")
    return classes_of(stream, is_split=record.started.is_split, json=record.json, parser=record.parser)
