"""All that is known of one run beside its log. What takes long is done by methods that a thread may call."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from core import events as e
from core.chain import Chain, find_chain, read_needs
from core.clock import Clock, wall_clock
from core.errors import JournalError
from core.facts import LATE_PLAN
from core.findings import merged
from core.log_place import find_diagnostic, find_output, find_text
from core.native.reasons.rebuilt import Why
from core.paths import Paths
from core.plan.mended import mended
from core.plan.plan import Finding
from core.run_plan import Plan, read_plan
from core.stamps import Stamps
from core.state import Run, RunState
from core.story import Span, StoryReader
from core.watch import run_processes
from core.watch.run_processes import RunProcess
from tui.pages import crates, errors, tests
from tui.pages.scene import SORTS, Scene
from tui.tail import Lines
from tui.widgets.look import Glyphs

Store = Callable[[Run, str], Lines]
"""Opens a log of a run anew."""
Place = tuple[str, int]
"""Stream, number of a line."""


class Dossier:
    """One run."""

    def __init__(self, paths: Paths, run: str, store: Store, clock: Clock | None = None) -> None:
        """`clock`: of a recording."""
        self._paths = paths
        self._run_id = run
        self._store = store
        self._reader = StoryReader(paths, run, clock)
        self._planned_at = self._late_stamp()  # before it is read: what lands between is read again
        self._plan = read_plan(paths, run)
        self._found: tuple[tuple[Finding, ...], ...] = ()
        self._findings: tuple[Finding, ...] = ()
        self.sort = SORTS[0]
        self.is_caught_up = False
        """The journal was read to its end once; what is added since is little."""
        self.chain: Chain | None = None
        self.knows_needs = False
        self._chained: tuple[Span, ...] = ()
        self.processes: Sequence[RunProcess] | None = None
        self.whys: Sequence[Why] | None = None
        self.is_why_told = True
        self._is_recorded = clock is not None
        self.outputs: dict[str, Sequence[str] | None] = {}
        self._output_state = (False, 0)

    @property
    def plan(self) -> Plan:
        """How the run was started; read again where it was planned while it runs."""
        stamp = self._late_stamp()
        if stamp != self._planned_at:
            self._plan, self._planned_at = read_plan(self._paths, self._run_id), stamp
        return self._plan

    def _plan_of(self, run: Run) -> Plan:
        """With what was found while it ran, or in its log; with diffs that mend it, of files as they were then."""
        plan = self.plan
        if (plan.findings, run.findings) != self._found:
            self._found = plan.findings, run.findings
            self._findings = mended(merged(*self._found))
        return replace(plan, findings=self._findings)

    def _late_stamp(self) -> int:
        try:
            return os.stat(f"{self._paths.run(self._run_id)}/{LATE_PLAN}").st_mtime_ns
        except OSError:
            return 0

    def scene(self, run: Run, now: float, glyphs: Glyphs) -> Scene:
        """What is known at a moment."""
        story = self._reader.poll() if self.is_caught_up else self._reader.story
        state = run.state.is_over, len(story.suites)
        if state != self._output_state:  # what was not in the log may be by now
            self._output_state = state
            self.outputs = {key: lines for key, lines in self.outputs.items() if lines is not None}
        if run.state.is_over:
            self.processes = ()
        return Scene(
            run=run, story=story, plan=self._plan_of(run), now=run.ended_at or now, chain=self.chain,
            knows_needs=self.knows_needs, processes=self.processes, outputs=dict(self.outputs), whys=self.whys,
            is_why_told=self.is_why_told, sort=self.sort,
            folder=self._paths.run(self._run_id), glyphs=glyphs,
        )  # fmt: skip

    def lacks_chain(self, run: Run) -> bool:
        """All units are done, and nobody looked how they followed one another."""
        spans = self._reader.story.spans
        is_over = run.is_build_over or run.state in (RunState.DONE, RunState.FAILED)
        return self.is_caught_up and is_over and bool(spans) and spans != self._chained

    def lacks_whys(self, run: Run) -> bool:
        """It is over, and nobody looked why units were rebuilt. A recording's target dir is not there."""
        return self.is_caught_up and run.state.is_over and self.whys is None and not self._is_recorded

    # For threads

    def catch_up(self) -> None:
        """Read the whole journal: 50 ms a megabyte."""
        self._reader.poll()
        while self._reader.is_behind:
            self._reader.poll()
        self.is_caught_up = True

    def derive_chain(self, checkout: str) -> None:
        """Find the chain that ended the build; reads `Cargo.lock`."""
        spans = self._reader.story.spans
        needs = read_needs(checkout)
        self.chain, self.knows_needs = find_chain(spans, needs), needs is not None
        self._chained = spans

    def look_why(self) -> None:
        """Find why units were rebuilt or not; reads the target dir, a second where it is large."""
        from core.native.reasons.why_run import why_of  # with what it needs 20 ms: not before the first paint

        try:
            found = why_of(self._paths, self._run_id, os.environ, wall_clock())
            self.whys, self.is_why_told = found
        except JournalError:
            self.whys = ()  # the story says what is wrong with it

    def look_at_processes(self) -> None:
        """Read /proc."""
        self.processes = run_processes.look(self._paths, self._run_id)

    def read_output(self, scene: Scene, key: str) -> None:
        """Find what a failed test printed."""
        test = tests.chosen(scene, key)
        if test is not None:
            stream = _test_stream(scene.run)
            found = find_output(self._lines(scene.run, stream), self._stamps(), stream, test, tests.earlier(scene, key))
            self.outputs[key] = None if found is None else found[1]

    def find(self, scene: Scene, page: str, key: str) -> Place | None:
        """Where in the log the thing stands that a row of a page is about."""
        match page:
            case "errors":
                return self._place_of_diagnostic(scene, key)
            case "tests":
                return self._place_of_test(scene, key)
            case "crates":
                return self._place_of_unit(scene, key)
            case _:
                return None

    def _place_of_diagnostic(self, scene: Scene, key: str) -> Place | None:
        one = errors.chosen(scene, key)
        if one is None:
            return None
        stream = _message_stream(scene.run)
        lines = self._lines(scene.run, stream)
        line = find_diagnostic(lines, self._stamps(), stream, one, errors.earlier(scene, key))
        return None if line is None else (stream, line)

    def _place_of_test(self, scene: Scene, key: str) -> Place | None:
        stream, stamps = _test_stream(scene.run), self._stamps()
        lines, test = self._lines(scene.run, stream), tests.chosen(scene, key)
        if test is not None and test.outcome == "failed":
            found = find_output(lines, stamps, stream, test, tests.earlier(scene, key))
            if found is not None:
                return stream, found[0]
        told: e.TestFinished | e.TestSuiteStarted | None = test
        if test is None and key[0] == "s" and int(key[1:]) < len(scene.story.suites):
            told = scene.story.suites[int(key[1:])]
        line = find_text(lines, stamps, stream, told.at, told.name) if told is not None else None
        return None if line is None else (stream, line)

    def _place_of_unit(self, scene: Scene, key: str) -> Place | None:
        stream = _message_stream(scene.run)
        lines, stamps = self._lines(scene.run, stream), self._stamps()
        line = None
        if (wait := crates.chosen_wait(scene, key)) is not None:
            line = find_text(lines, stamps, stream, wait.began, f"file lock on {wait.what}")
        elif (span := crates.chosen(scene, key)) is not None:
            name = f" {span.package} v{span.version}" if span.package else f" {span.name.partition('(')[0]} v"
            line = find_text(lines, stamps, stream, None, name)
        return None if line is None else (stream, line)

    def _lines(self, run: Run, stream: str) -> Lines:
        lines = self._store(run, stream)
        while lines.grow():
            pass
        return lines

    def _stamps(self) -> Stamps:
        stamps = Stamps(self._paths.run(self._run_id) + "/events.jsonl")
        stamps.grow()
        return stamps


def _message_stream(run: Run) -> str:
    """Where cargo speaks."""
    return "err" if run.is_split else "out"


def _test_stream(run: Run) -> str:
    """Where the results of tests stand: nextest writes them beside its messages."""
    return "err" if run.is_split and run.subcommand == "nextest" else "out"
