"""What was seen of a run from outside: in /proc, by fronts, at locks, in settings."""

from typing import Any, Literal

from core.events.base import Event
from core.values import dataclass

FindingRow = tuple[str, str, str, tuple[tuple[str, int, str], ...], str, str]
"""Id, severity, title, places with line (0: none) and what they say, cost, command that mends it."""
ChangeRow = tuple[str, tuple[str, ...], Any, str]
"""Of a file that a mend changes: path, words of the key, value (None: it goes away), folder that names start from."""


@dataclass(frozen=True, slots=True)
class ContradictionsSeen(Event):
    """Settings were seen that defeat one another, or what they are for: before a run, while it ran, or in its log."""

    findings: tuple[FindingRow, ...]
    """All that are known by then, worst first."""
    changes: tuple[tuple[ChangeRow, ...], ...] = ()
    """Of each of them, in the same order, what would mend it; empty: a version wrote it that kept none."""


@dataclass(frozen=True, slots=True)
class LinkStarted(Event):
    """A linker was started."""

    link: str
    """Which one: unique in its run."""
    unit: str
    """As in cargo's progress line: `app(bin)`, `cli(test)`; empty: not cargo's, or not known."""
    output: str
    """Absolute path; empty: not known."""
    linker: str
    """`rust-lld`, `lld`, `mold`, `bfd`, `gold`, `wild`; empty: not known."""
    inputs: int | None
    """Object files and libraries named on its command line; None: not known."""
    input_bytes: int | None
    """Their sizes together."""
    is_sampled: bool = False
    """Seen in /proc, not told by a front."""


@dataclass(frozen=True, slots=True)
class LinkEnded(Event):
    """A linker is done."""

    link: str
    unit: str
    output: str
    linker: str
    input_bytes: int | None
    began: float
    """Seconds since the epoch."""
    elapsed_s: float
    peak_bytes: int
    """`ru_maxrss` of the largest of its processes, from `wait4`; where it was sampled, the largest `VmHWM` seen; where
    it was cut short, the largest sample of it in `RunSampled`. 0: nobody saw any."""
    cpu_s: float | None
    """User and system time."""
    code: int | None
    """Exit code; None: it died of a signal, or that is not known."""
    signal: int | None
    output_bytes: int | None
    """None: there is no output."""
    text_bytes: int | None
    """Sections that are loaded and executed; None: the output is no ELF file."""
    debug_bytes: int | None
    symbol_bytes: int | None
    before_bytes: int | None
    """`output_bytes` of the last link of the same output in this checkout; None: the first one that is known."""
    is_sampled: bool = False
    """Its peak was seen in /proc: no front told of the link, or it was cut short (`core.watch.link_book`)."""


@dataclass(frozen=True, slots=True)
class RunSampled(Event):
    """What the processes of a run use, until the next one is told: only what changed is."""

    processes: int
    cpu_cores: float | None
    """CPU seconds a second since the last sample, children that ended included; None: this is the first."""
    memory_bytes: int
    """Anonymous memory of all of them together: no page is counted twice, and no page of a file."""
    largest: tuple[tuple[str, str, int, int], ...] = ()
    """At most five, largest first: role, unit or file, pid, anonymous bytes. Roles: `core.watch.roles`."""
    links: tuple[tuple[str, int], ...] = ()
    """Links and calls of nvcc under way: which one (as in `LinkStarted`, `NvccStarted`), anonymous bytes now."""
    read_bytes_s: float | None = None
    """Read from disks since the last sample, bytes a second, of the processes that were seen; None: not known."""
    write_bytes_s: float | None = None


@dataclass(frozen=True, slots=True)
class ProcessKilled(Event):
    """A process of the run died of signal 9, and not because somebody stopped the run."""

    pid: int | None
    """None: not known."""
    name: str
    """Its program, at most fifteen letters; empty: not known."""
    unit: str
    """What it worked on: a unit, or the file that a linker makes; empty: not known."""
    is_oom: bool
    """The kernel killed it for want of memory; False: by whom is unknown."""
    size_bytes: int | None
    """Its anonymous memory then."""
    limit_bytes: int | None
    """Of the memory cgroup that was full; None: the whole machine was."""
    others: tuple[tuple[str, int], ...] = ()
    """Who else was large: agent, anonymous bytes; largest first, at most five."""


@dataclass(frozen=True, slots=True)
class LockBlocked(Event):
    """A process of the run waits for a lock that somebody holds, as the kernel says; told again of another holder."""

    kind: str
    """`package cache`, `shared package cache`, `artifact dir`, `build dir`."""
    path: str
    since: float
    """When it was first seen to wait, seconds since the epoch."""
    holder_pid: int | None
    """None: nobody is seen to hold it."""
    holder_run: str
    """Empty: not ours."""
    holder_agent: str
    """Empty: not ours."""
    holder: str
    """Command of one that is not ours: `cargo build`; empty: not known."""
    holder_cwd: str
    holder_since: float
    """When the lock was first seen in its hands."""
    behind: tuple[str, ...] = ()
    """Whom the holder waits for, and that one, and so on: agents, or commands of those that are not ours."""


@dataclass(frozen=True, slots=True)
class LockPassed(Event):
    """A wait is over."""

    kind: str
    path: str
    waited_s: float
    holder_agent: str
    """Of the last holder; empty: not ours."""
    holder: str


@dataclass(frozen=True, slots=True)
class BottleneckFound(Event):
    """What holds the run up now, told when it changed."""

    word: Literal["", "cpu", "memory", "disk", "lock", "cache", "network", "critical path"]
    """Empty: nothing that is known does."""
    evidence: str
    """One sentence with its figures."""
