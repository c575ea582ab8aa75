"""`--brief`: what an agent needs of a build and nothing else: errors with place, counts, the log's path."""

import os
import time
from collections.abc import Callable

from core import events as e
from core.clock import wall_clock
from core.parsers.projection import Projection
from core.parsers.select import make_parser
from core.parsers.text import plain
from core.reduce import reduce_run
from core.run import begin, compose, owner
from core.run.follow import WAKE_ENGINE_AFTER_S
from core.state import Run, RunState
from tui import format as f
from tui.cli.stdout import Stdout

PACE_S = (15.0, 60.0, 300.0, 900.0)
"""When progress is said; after the last one, every 15 minutes."""
MAX_ERRORS = 20
LAST_LINES = 10
_MOST_LAST_BYTES = 1 << 20
_NAP_S = 0.1


def follow_brief(begun: begin.Begun, wake_engine: Callable[[], None]) -> int:
    """Wait for a build and print its outcome in few lines; the build's own exit code."""
    holder = owner.Owner([begun.started])
    watch, out = LogReader(begun), Stdout()
    clock = Pace(time.monotonic())
    is_awake = False
    while holder.live:
        holder.nap(_NAP_S)
        watch.read()
        elapsed_s = time.monotonic() - clock.began
        if not is_awake and elapsed_s >= WAKE_ENGINE_AFTER_S:
            is_awake = True
            wake_engine()
        if clock.is_due(elapsed_s):
            out.add(progress_line(watch.run, elapsed_s) + "\n")
        out.flush()
    ending = holder.endings[begun.started.run]
    lines = outcome_lines(watch.finished(), ending, time.monotonic() - clock.began, begun)
    out.add("".join(f"{line}\n" for line in lines))
    while not out.flush():
        holder.die_if_asked(_NAP_S)
    holder.close()
    if ending.signal is not None:
        owner.die_of(ending.signal)
    return ending.code if ending.code is not None else 125


class Pace:
    """When progress is said: after 15 s, 1, 5 and 15 minutes, then every 15 minutes."""

    def __init__(self, began: float) -> None:
        self.began = began
        self._said = 0

    def is_due(self, elapsed_s: float) -> bool:
        """Something is to be said now; once for each moment, and once where several passed unseen."""
        is_due = False
        while elapsed_s >= _due(self._said):
            self._said += 1
            is_due = True
        return is_due


def _due(said: int) -> float:
    return PACE_S[said] if said < len(PACE_S) else PACE_S[-1] * (said - len(PACE_S) + 2)


class LogReader:
    """Reads the one log of a run into a Run."""

    def __init__(self, begun: begin.Begun) -> None:
        self.parser = make_parser(begun.composed.parser, is_split=False, json=begun.composed.json)
        self.log = os.open(begun.started.folder + "/out.log", os.O_RDONLY)
        tool = "exec" if begun.composed.parser == "generic" else "cargo"
        run = reduce_run(None, [e.RunStarted(0.0, begun.started.run, "", "", tool, begun.program, "", "", None,
                                             False, True, False)])  # fmt: skip
        assert run is not None
        self.run: Run = run
        """As far as it was read."""

    def read(self) -> None:
        """Take what the log holds by now."""
        while chunk := os.read(self.log, 1 << 20):
            self.run = reduce_run(self.run, self.parser.feed("out", chunk, wall_clock())) or self.run

    def finished(self) -> Run:
        """All of it: the run is over."""
        self.run = reduce_run(self.run, self.parser.close(wall_clock())) or self.run
        os.close(self.log)
        return self.run


def outcome_lines(run: Run, ending: owner.Ending, elapsed_s: float, begun: begin.Begun) -> list[str]:
    """What is said at the end."""
    log = begun.started.folder + "/out.log"
    if not ending.record:
        return ["the supervisor of this build died: how it ended is unknown", f"log: {log}"]
    lines = trouble_lines(run, begun, is_good=ending.code == 0)
    lines.append(" · ".join(_counts(run, ending, elapsed_s)))
    if begun.target.source == "private" and ending.code == 0:
        lines.append(f"binaries: {begun.target.path}")
    return [*lines, f"log: {log}"]


def trouble_lines(run: Run, begun: begin.Begun, *, is_good: bool) -> list[str]:
    """Errors and failed tests of a run that is over; where it failed without any, the end of its log."""
    errors = [d for d in run.diagnostics if d.level == "error"][:MAX_ERRORS]
    lines = [_plain(line) for error in errors for line in error.rendered.rstrip().splitlines()]
    if run.errors > len(errors):
        lines.append(f"… and {f.many(run.errors - len(errors), 'more error')}")
    failed = run.failed_tests[:MAX_ERRORS]
    lines += [_plain(f"test failed: {test.name} ({test.suite})") for test in failed]
    if run.tests_failed > len(failed) > 0:
        lines.append(f"… and {f.many(run.tests_failed - len(failed), 'more failed test')}")
    if not lines and not is_good:
        return _last_lines(begun.started.folder + "/out.log", begun.composed)
    return lines


def _last_lines(log: str, composed: compose.Composed) -> list[str]:
    """Where nothing in it is known for an error, the end of the log."""
    projection = Projection(cut_json=composed.json == "ours", cut_progress=composed.cut_progress)
    try:
        with open(log, "rb") as file:
            if file.seek(0, os.SEEK_END) > _MOST_LAST_BYTES:
                file.seek(-_MOST_LAST_BYTES, os.SEEK_END)
                file.readline()
            else:
                file.seek(0)
            content = projection.feed(file.read()) + projection.close()
    except OSError:
        return []
    return [plain(line) for line in content.split(b"\n") if line.strip()][-LAST_LINES:]


def _plain(text: str) -> str:
    return plain(text.encode("utf-8", "replace"))


def _counts(run: Run, ending: owner.Ending, elapsed_s: float) -> list[str]:
    counts = ["ok" if ending.code == 0 else _how(ending)]
    if run.errors or run.warnings:
        counts.append(f"{f.many(run.errors, 'error')}, {f.many(run.warnings, 'warning')}")
    if run.units_built or run.units_fresh:
        counts.append(f"{f.many(run.units_built, 'unit')} built, {run.units_fresh} fresh")
    if run.suites or run.tests_passed or run.tests_failed:
        counts.append(f"tests: {run.tests_passed} passed, {run.tests_failed} failed, {run.tests_ignored} ignored")
    counts.append(f.duration(elapsed_s))
    return counts


def _how(ending: owner.Ending) -> str:
    word = "stopped" if ending.record.get("stopped_by") else "failed"
    return f"{word}, " + (f"signal {ending.signal}" if ending.signal is not None else f"exit {ending.code}")


def progress_line(run: Run, elapsed_s: float) -> str:
    """How far a build is, in one line: `60 s: building 12/40: serde, syn`."""
    words = [f"{int(elapsed_s)} s:", RunState.WAITING.value if run.waits_for else run.state.value]
    if run.waits_for:
        words.append(f"for the {run.waits_for} lock")
    if run.progress_kind == "percent":
        words.append(f"{run.units_done} %")
    elif run.units_done or run.units_total is not None:
        words.append(f"{run.units_done}/{'?' if run.units_total is None else run.units_total}")
    if run.tests_passed or run.tests_failed:
        words.append(f"tests: {run.tests_passed} passed, {run.tests_failed} failed")
    flight = ", ".join(unit.name for unit in run.in_flight[:3])
    return _plain(" ".join(words) + (f": {flight}" if flight else ""))
