"""What is known of all runs at one moment: the Board."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType

from core import events as e
from core.cache_use import CacheUse
from core.host import Host
from core.plan.plan import Finding
from core.values import dataclass

MAX_DIAGNOSTICS = 500
"""Kept per run; further ones are counted only."""
MAX_FAILED_TESTS = 500
MAX_TRAIL = 8
MAX_KILLS = 20
MAX_LINKS = 1000
"""Kept per run; the earliest go first."""
MAX_NVCC = 500
"""Calls of nvcc kept per run; the earliest go first."""
MAX_HISTORY = 300
"""Samples of memory kept per run, with their times: at least five minutes."""


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    BUILDING = "building"
    WAITING = "waiting"
    LINKING = "linking"
    TESTING = "testing"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    KILLED = "killed"
    LOST = "lost"

    @property
    def is_over(self) -> bool:
        """No process of it is expected to live."""
        return self in _OVER


_OVER = frozenset({RunState.DONE, RunState.FAILED, RunState.STOPPED, RunState.KILLED, RunState.LOST})


@dataclass(frozen=True, slots=True)
class InFlight:
    """A unit that is being compiled now."""

    name: str
    since: float
    """When it was first seen, seconds since the epoch."""
    is_sampled: bool = False


@dataclass(frozen=True, slots=True)
class NvccUnderWay:
    """A call of nvcc that is not over."""

    started: e.NvccStarted
    tool: str = ""
    """That runs now; empty: none was seen yet."""
    arch: str | None = None
    """That it works for; None: for all, or not known."""
    seen: tuple[str, ...] = ()
    """Archs that a tool was seen to work for, in order, that one included."""


@dataclass(frozen=True, slots=True)
class Run:
    """One build, as far as it is known."""

    run: str
    agent: str
    command: str
    tool: str
    subcommand: str
    cwd: str
    checkout: str
    target_dir: str | None
    is_private_target: bool
    is_owned: bool
    is_split: bool
    started_at: float
    state: RunState = RunState.BUILDING
    units_done: int = 0
    units_total: int | None = None
    """None: not said (yet)."""
    units_fresh: int = 0
    units_built: int = 0
    progress_kind: str = "units"
    in_flight: tuple[InFlight, ...] = ()
    """Longest first."""
    waits_for: str | None = None
    """The lock as cargo names it."""
    waits_since: float | None = None
    blocked: e.LockBlocked | None = None
    """What it waits for as the kernel says, which knows the holder; None: it does not, or that is not to be seen."""
    lock_paid: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Seconds that it spent waiting for locks, by the lock's path, in waits that are over."""
    errors: int = 0
    warnings: int = 0
    diagnostics: tuple[e.DiagnosticEmitted, ...] = ()
    """In order of appearance, at most MAX_DIAGNOSTICS, errors preferred."""
    dirtied: tuple[e.UnitDirtied, ...] = ()
    suite: str | None = None
    """The test binary that runs now, or ran last."""
    suites: int = 0
    tests_passed: int = 0
    tests_failed: int = 0
    tests_ignored: int = 0
    failed_tests: tuple[e.TestFinished, ...] = ()
    links: tuple[e.LinkStarted, ...] = ()
    """Under way, oldest first."""
    link_ends: tuple[e.LinkEnded, ...] = ()
    """In order, at most MAX_LINKS."""
    nvcc: tuple[NvccUnderWay, ...] = ()
    """Calls under way, oldest first."""
    nvcc_starts: tuple[e.NvccStarted, ...] = ()
    """In order, at most MAX_NVCC."""
    nvcc_ends: tuple[e.NvccEnded, ...] = ()
    """In order, at most MAX_NVCC."""
    kernels: tuple[e.KernelsMeasured, ...] = ()
    """One a call and source, in the order in which they were first measured, at most MAX_NVCC."""
    kills: tuple[e.ProcessKilled, ...] = ()
    """At most MAX_KILLS."""
    use: e.RunSampled | None = None
    """What its processes use, as of its `at`; None: not looked at yet, or it is over."""
    memory_trail: tuple[int, ...] = ()
    """Bytes at its last samples, oldest first, at most MAX_TRAIL."""
    memory_peak_bytes: int | None = None
    """The most that a sample saw: less than the true peak, which may lie between two."""
    memory_history: tuple[tuple[float, int], ...] = ()
    """When, and bytes, at its samples, oldest first, at most MAX_HISTORY; between two the first one holds."""
    cache: CacheUse = CacheUse()
    """What a compiler cache did for it."""
    build_dir: str | None = None
    """Where cargo builds, if not in the target dir."""
    bottleneck: e.BottleneckFound | None = None
    """What holds it up now; None: nothing was found yet, or it is over."""
    findings: tuple[Finding, ...] = ()
    """Settings that defeat one another, seen before it started, while it ran or in its log, worst first. Without diffs:
    `core.plan.mended` makes them."""
    out_lines: int = 0
    err_lines: int = 0
    out_bytes: int = 0
    err_bytes: int = 0
    cut_bytes: int = 0
    is_build_over: bool = False
    handed_to: str | None = None
    typical: e.TypicalRecalled | None = None
    typical_s: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Median seconds of each unit when it was compiled before, by unit name."""
    finished_s: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Seconds of each unit that was compiled, by unit name."""
    stop: e.StopAsked | None = None
    ended: e.RunEnded | None = None
    ended_at: float | None = None
    survivors: tuple[int, ...] = ()
    output_at: float | None = None
    """When a log last grew."""

    @property
    def first_error(self) -> e.DiagnosticEmitted | None:
        """The first error by appearance."""
        return next((d for d in self.diagnostics if d.level == "error"), None)


@dataclass(frozen=True, slots=True)
class Board:
    """All runs that are shown, by run id (oldest first)."""

    runs: Mapping[str, Run] = field(default_factory=lambda: MappingProxyType({}))
    now: float = 0.0
    """When this board was made, seconds since the epoch; elapsed times are `now - started_at`."""
    engine_seen_at: float | None = None
    """When the engine last gave a sign of life; None: none runs."""
    host: Host = Host()
    """The machine that they run on."""
    notes: tuple[str, ...] = ()
    """Runs that cannot be shown, and why: a journal of a newer version."""
