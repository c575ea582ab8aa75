"""What one run did, unit by unit: read from its journal when somebody looks at it."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from core import events as e
from core.clock import Clock
from core.errors import JournalError
from core.journal import JournalTail
from core.paths import Paths

MAX_TESTS = 5000
"""Results that passed or were ignored, kept with their names; failed ones are all kept."""


@dataclass(frozen=True, slots=True)
class Span:
    """A unit that was compiled, or is being compiled. Times are those at which the log told of it."""

    name: str
    """As in cargo's progress line."""
    package: str
    """Empty: not said yet."""
    version: str
    kind: str
    """`lib`, `bin`, `test`, `run-build-script`, …; empty: not said yet."""
    began: float | None
    """Seconds since the epoch; None: it was never seen in flight."""
    ended: float | None
    """None: in flight."""
    is_done: bool = False
    """The tool said that it is there; else it left the list of units in flight, or the run ended."""

    @property
    def elapsed_s(self) -> float | None:
        """Seconds that it took; None: in flight, or its start was not seen."""
        return None if self.began is None or self.ended is None else self.ended - self.began


@dataclass(frozen=True, slots=True)
class Wait:
    """A time in which the tool waited for a lock."""

    what: str
    began: float
    ended: float | None


@dataclass(frozen=True, slots=True)
class Story:
    """One run, as far as its journal tells it."""

    began: float | None = None
    """Seconds since the epoch."""
    ended: float | None = None
    spans: tuple[Span, ...] = ()
    """Units that were not fresh, by their start as far as it was seen, else by their end."""
    fresh: int = 0
    waits: tuple[Wait, ...] = ()
    typical_s: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Median seconds of each unit in earlier runs, by name."""
    typical_wall_s: float | None = None
    typical_runs: int = 0
    tests: tuple[e.TestFinished, ...] = ()
    """In order; see MAX_TESTS."""
    suites: tuple[e.TestSuiteStarted, ...] = ()
    trouble: str = ""
    """Why the journal cannot be read."""


@dataclass(slots=True)
class _Draft:
    """What was read so far."""

    began: float | None = None
    ended: float | None = None
    closed: list[Span] = field(default_factory=list)
    open: dict[str, float] = field(default_factory=dict)
    fresh: int = 0
    waits: list[Wait] = field(default_factory=list)
    typical: e.TypicalRecalled | None = None
    tests: list[e.TestFinished] = field(default_factory=list)
    suites: list[e.TestSuiteStarted] = field(default_factory=list)

    def take(self, event: e.Event) -> None:
        match event:
            case e.RunStarted():
                self.began = event.at
            case e.UnitStarted():
                self.open.setdefault(event.name, event.at)
            case e.ProgressMoved():
                self._move(event)
            case e.UnitFinished():
                self._finish(event)
            case e.LockWaitBegan():
                self.waits.append(Wait(event.what, event.at, None))
            case e.LockWaitEnded():
                self._end_wait(event.at)
            case e.BuildFinished() | e.RunEnded() | e.RunLost():
                self._end(event)
            case e.TypicalRecalled():
                self.typical = event
            case e.TestFinished():
                if event.outcome == "failed" or len(self.tests) < MAX_TESTS:
                    self.tests.append(event)
            case e.TestSuiteStarted():
                self.suites.append(event)

    def _move(self, event: e.ProgressMoved) -> None:
        if event.kind != "units" or not event.in_flight:
            return
        self._end_wait(event.at)
        if not event.is_truncated:
            for name in [name for name in self.open if name not in event.in_flight]:
                self._leave(name, event.at)
        for name in event.in_flight:
            self.open.setdefault(name, event.at)

    def _finish(self, event: e.UnitFinished) -> None:
        began = self.open.pop(event.name, None)
        if event.is_fresh:
            self.fresh += 1
            return
        if began is None:
            began = self._take_back(event.name)
        if began is None and event.elapsed_s is not None:
            began = event.at - event.elapsed_s
        if began is not None and began >= event.at:
            began = None  # told of in one breath
        span = Span(event.name, event.package, event.version, event.kind, began, event.at, is_done=True)
        self.closed.append(span)

    def _take_back(self, name: str) -> float | None:
        """Start of a unit that had left the list before it was said to be finished."""
        for index in range(len(self.closed) - 1, -1, -1):
            span = self.closed[index]
            if span.name == name and not span.is_done:
                del self.closed[index]
                return span.began
        return None

    def _leave(self, name: str, at: float) -> None:
        self.closed.append(Span(name, "", "", "", self.open.pop(name), at))

    def _end_wait(self, at: float) -> None:
        if self.waits and self.waits[-1].ended is None:
            self.waits[-1] = Wait(self.waits[-1].what, self.waits[-1].began, at)

    def _end(self, event: e.Event) -> None:
        for name in list(self.open):
            self._leave(name, event.at)
        self._end_wait(event.at)
        if not isinstance(event, e.BuildFinished):
            self.ended = event.at

    def story(self) -> Story:
        flying = (Span(name, "", "", "", began, None) for name, began in self.open.items())
        typical = self.typical
        return Story(
            began=self.began,
            ended=self.ended,
            spans=tuple(sorted((*self.closed, *flying), key=_order)),
            fresh=self.fresh,
            waits=tuple(self.waits),
            typical_s=MappingProxyType(dict(typical.crate_s) if typical is not None else {}),
            typical_wall_s=typical.wall_s if typical is not None else None,
            typical_runs=typical.runs if typical is not None else 0,
            tests=tuple(self.tests),
            suites=tuple(self.suites),
        )


def _order(span: Span) -> tuple[float, float]:
    return (span.began or span.ended or 0.0, span.ended or float("inf"))


def tell(events: Iterable[e.Event]) -> Story:
    """The story of a run's events."""
    draft = _Draft()
    for event in events:
        draft.take(event)
    return draft.story()


class StoryReader:
    """Follows one run's journal; cheap while nothing was added."""

    def __init__(self, paths: Paths, run: str, clock: Clock | None = None) -> None:
        """`clock`: of a recording, whose journal says more than has happened by then; None: all is told."""
        self._tail = JournalTail(paths.run(run) + "/events.jsonl")
        self._clock = clock
        self._draft = _Draft()
        self._ahead: deque[e.Event] = deque()
        """Read, and not yet to be told."""
        self.story = Story()
        """As of the last `poll`."""

    @property
    def is_behind(self) -> bool:
        """There is more to read: call `poll` again."""
        return self._tail.is_behind

    def poll(self) -> Story:
        """The story now, of a megabyte more of journal at most; the same object while nothing was added."""
        try:
            events = self._tail.poll()
        except JournalError as error:
            if not self.story.trouble:
                self.story = Story(trouble=str(error))
            return self.story
        if is_new := self._tail.is_restarted:
            self._draft = _Draft()
            self._ahead.clear()
        self._ahead.extend(events)
        until = self._clock() if self._clock is not None else float("inf")
        while self._ahead and self._ahead[0].at <= until:
            self._draft.take(self._ahead.popleft())
            is_new = True
        if is_new:
            self.story = self._draft.story()
        return self.story
