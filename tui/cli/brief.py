"""`--brief`: what an agent needs of a build and nothing else: errors with place, counts, the log's path."""

import os
import time

from core import events as e
from core.clock import wall_clock
from core.parsers.select import make_parser
from core.paths import Paths
from core.reduce import reduce_run
from core.run import begin, compose, identity, owner
from core.state import Run, RunState
from tui import format as f

PACE_S = (15.0, 60.0, 300.0, 900.0)
"""When progress is said; after the last one, every 15 minutes."""
MAX_ERRORS = 20
_NAP_S = 0.1


def run_brief(paths: Paths, tool: str, words: tuple[str, ...], agent: identity.Agent) -> int:
    """Run a build and print its outcome in few lines; the build's own exit code.

    Raises:
        DeckError: it could not be started.
    """
    request = begin.Request(tool, words, agent, os.getcwd(), dict(os.environ), compose.NOBODY, is_owned=True)
    begun = begin.begin(paths, request)
    watch = _Watch(begun, agent.name)
    holder = owner.Owner([begun.started])
    started, said = time.monotonic(), 0
    while holder.live:
        holder.nap(_NAP_S)
        watch.read()
        elapsed = time.monotonic() - started
        if elapsed >= _due(said):
            said += 1
            _print(_progress_line(watch.run, elapsed))
    watch.read()
    holder.close()
    ending = holder.endings[begun.started.run]
    for line in outcome_lines(watch.finished(), ending, time.monotonic() - started, begun.started.folder):
        _print(line)
    if ending.signal is not None:
        owner.die_of(ending.signal)
    return ending.code if ending.code is not None else 125


def _due(said: int) -> float:
    return PACE_S[said] if said < len(PACE_S) else PACE_S[-1] * (said - len(PACE_S) + 2)


class _Watch:
    """Reads the one log of a run into a Run."""

    def __init__(self, begun: begin.Begun, agent: str) -> None:
        self.parser = make_parser(begun.composed.parser, is_split=False, json=begun.composed.json)
        self.log = os.open(begun.started.folder + "/out.log", os.O_RDONLY)
        tool = "exec" if begun.composed.parser == "generic" else "cargo"
        run = reduce_run(None, [e.RunStarted(0.0, begun.started.run, agent, "", tool, begun.program, "", "", None,
                                             False, True, False)])  # fmt: skip
        assert run is not None
        self.run: Run = run

    def read(self) -> None:
        while chunk := os.read(self.log, 1 << 20):
            self.run = reduce_run(self.run, self.parser.feed("out", chunk, wall_clock())) or self.run

    def finished(self) -> Run:
        self.run = reduce_run(self.run, self.parser.close(wall_clock())) or self.run
        return self.run


def outcome_lines(run: Run, ending: owner.Ending, elapsed_s: float, folder: str) -> list[str]:
    """What is said at the end."""
    lines: list[str] = []
    errors = [d for d in run.diagnostics if d.level == "error"]
    lines += [error.rendered.rstrip() for error in errors[:MAX_ERRORS]]
    if len(errors) > MAX_ERRORS or run.errors > len(errors):
        lines.append(f"… and {run.errors - min(len(errors), MAX_ERRORS)} more errors")
    lines += [f"test failed: {test.name} ({test.suite})" for test in run.failed_tests[:MAX_ERRORS]]
    lines.append(" · ".join(_counts(run, ending, elapsed_s)))
    lines.append(f"log: {folder}/out.log")
    return lines


def _counts(run: Run, ending: owner.Ending, elapsed_s: float) -> list[str]:
    how = f"signal {ending.signal}" if ending.signal is not None else f"exit {ending.code}"
    counts = ["ok" if ending.code == 0 else f"failed, {how}"]
    if run.errors or run.warnings:
        counts.append(f"{f.many(run.errors, 'error')}, {f.many(run.warnings, 'warning')}")
    if run.units_built or run.units_fresh:
        counts.append(f"{f.many(run.units_built, 'unit')} built, {run.units_fresh} fresh")
    if run.suites or run.tests_passed or run.tests_failed:
        counts.append(f"tests: {run.tests_passed} passed, {run.tests_failed} failed, {run.tests_ignored} ignored")
    counts.append(f.duration(elapsed_s))
    return counts


def _progress_line(run: Run, elapsed_s: float) -> str:
    total = "?" if run.units_total is None else str(run.units_total)
    flight = ", ".join(unit.name for unit in run.in_flight[:3])
    state = RunState.WAITING.value if run.waits_for else run.state.value
    wait = f" for {run.waits_for}" if run.waits_for else ""
    where = f": {flight}" if flight else ""
    return f"{int(elapsed_s)} s: {state}{wait} {run.units_done}/{total}{where}"


def _print(text: str) -> None:
    os.write(1, text.encode("utf-8", "backslashreplace") + b"\n")
