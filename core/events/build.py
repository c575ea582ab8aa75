"""What a build said, or was asked to do."""

from typing import ClassVar, Literal

from core.events.base import Event, Level, Outcome, Stream
from core.values import dataclass


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A build was started. Carries what the board needs of `run.json`."""

    run: str
    agent: str
    command: str
    """As the person would type it, without `cargo`: `test -p engine`. Credentials masked."""
    tool: str
    """`cargo` or `exec`."""
    subcommand: str
    """Canonical: `build`, `test`, `clippy`, …; for `exec` the program's name."""
    cwd: str
    checkout: str
    """Workspace root, or `cwd` where there is none."""
    target_dir: str | None
    """Absolute; None for commands that have none."""
    is_private_target: bool
    is_owned: bool
    """A foreground caller holds it."""
    is_split: bool
    """Two logs (`out.log`, `err.log`), else all in `out.log`."""
    build_dir: str | None = None
    """Absolute; None: the target dir, or not to be known."""


@dataclass(frozen=True, slots=True)
class OutputGrew(Event):
    """A log got longer."""

    stream: Stream
    shown_lines: int
    """Lines a person would count: no JSON message of ours, no progress line."""
    size_bytes: int
    """Length of the raw log."""


@dataclass(frozen=True, slots=True)
class ProgressMoved(Event):
    """The tool said how far it is."""

    done: int
    total: int | None
    """None: the tool named no total."""
    in_flight: tuple[str, ...]
    """Names as the tool gives them (`serde`, `ring(build)`, `app(bin)`), in its order; empty: none named."""
    kind: Literal["units", "percent", "steps"]
    """`units` of cargo; `percent` 0..100 (total 100); `steps` of `[3/9]`."""
    is_truncated: bool = False
    """The tool cut the list of names to the line's width."""


@dataclass(frozen=True, slots=True)
class UnitStarted(Event):
    """A crate began to compile, a build script to run."""

    name: str
    """As in cargo's progress line."""
    is_sampled: bool = False
    """Seen in /proc, not said by the tool."""


@dataclass(frozen=True, slots=True)
class UnitFinished(Event):
    """A unit is there: compiled, or found fresh."""

    name: str
    """As in cargo's progress line: `serde`, `app(bin)`, `ring(build.rs)`, `ring(build)`, `cli(test)`, `x(doc)`."""
    package: str
    version: str
    kind: str
    """`lib`, `bin`, `test`, `proc-macro`, `custom-build`, `run-build-script`, `doc`, …"""
    is_fresh: bool
    elapsed_s: float | None
    """Since it was first seen in flight; None: fresh, or its start was not seen."""


@dataclass(frozen=True, slots=True)
class UnitDirtied(Event):
    """Cargo said why a package is rebuilt (`-v`)."""

    package: str
    reason: str


@dataclass(frozen=True, slots=True)
class DiagnosticEmitted(Event):
    """A compiler error or warning, or an error of the tool itself."""

    level: Level
    message: str
    """First line, without `error[E0308]: `."""
    code: str | None
    file: str | None
    line: int | None
    column: int | None
    rendered: str
    """The whole text, sanitised, SGR removed, at most 4 KB."""
    package: str | None = None


@dataclass(frozen=True, slots=True)
class LockWaitBegan(Event):
    """`Blocking waiting for file lock on …`."""

    what: str
    """As cargo says it: `package cache`, `artifact directory`, `build directory`."""


@dataclass(frozen=True, slots=True)
class LockWaitEnded(Event):
    """Output went on after a wait."""


@dataclass(frozen=True, slots=True)
class BuildFinished(Event):
    """Cargo's build phase is over; what follows is the program's or the tests' own output."""

    is_success: bool


@dataclass(frozen=True, slots=True)
class TestSuiteStarted(Event):
    """A test binary began."""

    __test__: ClassVar[bool] = False
    name: str
    """`unittests src/lib.rs`, `tests/cli.rs`, `Doc-tests engine`."""
    tests: int | None


@dataclass(frozen=True, slots=True)
class TestFinished(Event):
    """One test's result. At most 5,000 a run that passed; all that failed, up to 5,000."""

    __test__: ClassVar[bool] = False
    name: str
    suite: str
    outcome: Outcome
    elapsed_s: float | None
    """None: the harness gave no time."""


@dataclass(frozen=True, slots=True)
class TestsCounted(Event):
    """Running totals of the run, once a batch of output."""

    __test__: ClassVar[bool] = False
    passed: int
    failed: int
    ignored: int


@dataclass(frozen=True, slots=True)
class TypicalRecalled(Event):
    """What history knows of this command in this checkout."""

    wall_s: float
    """Median of the last five runs that succeeded and compiled something."""
    crate_s: tuple[tuple[str, float], ...]
    """Unit name in the progress line's form, median seconds when it was compiled; at most 2,000."""
    runs: int
    """How many runs that rests on."""


@dataclass(frozen=True, slots=True)
class HandedOver(Event):
    """The build is done; the program took over the caller's terminal, and is not logged."""

    program: str


@dataclass(frozen=True, slots=True)
class LogCut(Event):
    """A hole was punched in a log that was over its cap."""

    stream: Stream
    offset: int
    removed_bytes: int


@dataclass(frozen=True, slots=True)
class StopAsked(Event):
    """Somebody asked for the end of the run; processes may still be alive."""

    by: str
    """`owner`, `interrupt`, `request`, `log cap`."""
    is_kill: bool


@dataclass(frozen=True, slots=True)
class RunEnded(Event):
    """The run's main process is gone and its exit is known."""

    code: int | None
    """None: died of a signal."""
    signal: int | None
    wall_s: float
    user_s: float
    sys_s: float
    largest_process_bytes: int
    """`ru_maxrss` of the largest single process, not a total."""
    stopped_by: str | None
    """None: it ended by itself; else as in `StopAsked.by`."""
    is_killed: bool = False
    """It took, or somebody asked for, SIGKILL."""
    left_running: tuple[str, ...] = ()
    """Shared cache servers that it started and that live on: `sccache 4121`."""


@dataclass(frozen=True, slots=True)
class RunLost(Event):
    """The supervisor died without leaving an exit: how the run ended is unknown."""

    survivors: tuple[int, ...] = ()
    """Pids of its processes that were still alive when this was seen."""
