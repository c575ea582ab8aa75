"""What holds a run up, from what was seen of it and of the machine. Pure."""

from typing import Literal, NamedTuple

from core.values import dataclass

Word = Literal["", "cpu", "memory", "disk", "lock", "cache", "network", "critical path"]

IDLE_CORES = 0.2
"""A run that uses less compiles nothing to speak of."""
FULL = 0.9
"""Of all cores: a machine that is busier has none to spare."""
STALLED = 0.1
"""Share of the time that is worth a word, where the kernel says how long tasks stood still for want of something."""
FAULTS_S = 20.0
"""Pages a second that a run has to wait for: fewer are the start of a program."""
GROUP_FULL = 0.95
DISK_BUSY = 0.7
_BUSY_CORE = 0.6
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Wait:
    """A lock that the run waits for."""

    kind: str
    path: str
    holder: str
    """Who has it, in words; empty: nobody that is to be seen."""


@dataclass(frozen=True, slots=True)
class CacheWait:
    """Clients of a compiler cache that wait for an answer."""

    tool: str
    clients: int
    server: str
    """What is seen of the server: `is stopped (pid 12)`, `sleeps (pid 12)`, `is not to be seen`."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A run and its machine over the last seconds."""

    cores: int
    """That the run may use."""
    used_cores: float | None
    """CPU seconds a second of the run; None: not known yet."""
    machine_cpu: float | None
    """Share of all cores that was busy, 0..1."""
    workers: tuple[str, ...] = ()
    """What works for it now: compilers, build scripts, linkers, tests, a cache server's compilers for it too."""
    blocked: int = 0
    """Threads of it that wait for a disk."""
    jobs: int | None = None
    """How many it may start at once by its own command line; None: not said."""
    wait: Wait | None = None
    cache: CacheWait | None = None
    sockets: tuple[str, ...] = ()
    """Whom cargo or a build script is connected to, or tries: `10.0.0.1:443 (no answer yet)`."""
    pressure_cpu: float | None = None
    """Share of the time in which some task of the machine stood still for want of it; None: not known."""
    pressure_memory: float | None = None
    pressure_io: float | None = None
    faults_s: float = 0.0
    """Major faults of its processes a second."""
    refaults_s: float = 0.0
    """Pages a second that its memory cgroup had thrown out and needed again."""
    group_share: float | None = None
    """How full its memory cgroup is, files aside: 0..1; None: it has no limit."""
    group_limit_bytes: int = 0
    disk_busy: float | None = None
    """Share of the time in which the disk of its target dir had something to do."""
    read_bytes_s: float | None = None
    write_bytes_s: float | None = None


class Verdict(NamedTuple):
    """What holds the run up."""

    word: Word
    """Empty: nothing that is known."""
    why: str
    """One sentence with its figures."""


NOTHING = Verdict("", "")


def decide(seen: Evidence) -> Verdict:
    """The word and its reason: what waits for others first, then what there is too little of."""
    for rule in (_lock, _cache, _network, _memory, _disk, _few_jobs, _cpu, _path):
        found = rule(seen)
        if found is not None:
            return found
    return NOTHING


def _is_idle(seen: Evidence) -> bool:
    return seen.used_cores is not None and seen.used_cores < IDLE_CORES


def _lock(seen: Evidence) -> Verdict | None:
    if seen.wait is None or seen.workers or not _is_idle(seen):
        return None
    holder = f"{seen.wait.holder} holds it" if seen.wait.holder else "nobody is seen to hold it"
    return Verdict("lock", f"it waits for the {seen.wait.kind} lock {seen.wait.path}: {holder}")


def _cache(seen: Evidence) -> Verdict | None:
    if seen.cache is None or seen.workers or not _is_idle(seen):
        return None
    cache = seen.cache
    who = f"{cache.clients} {cache.tool} client{'s wait' if cache.clients > 1 else ' waits'}"
    return Verdict("cache", f"{who} while no compiler runs: the server {cache.server}")


def _network(seen: Evidence) -> Verdict | None:
    if not seen.sockets or seen.workers or seen.used_cores is None or seen.used_cores > _BUSY_CORE:
        return None
    more = f" and {len(seen.sockets) - 1} more" if len(seen.sockets) > 1 else ""
    return Verdict("network", f"nothing compiles; it talks to {seen.sockets[0]}{more}, {_used(seen)}")


def _memory(seen: Evidence) -> Verdict | None:
    is_thrashing = seen.faults_s >= FAULTS_S or seen.blocked > 0
    stalled = seen.pressure_memory or 0.0
    if seen.group_share is not None and seen.group_share >= GROUP_FULL and (is_thrashing or stalled >= STALLED):
        limit = f"its memory group is {_percent(seen.group_share)} full of {seen.group_limit_bytes / _MIB:.0f} MiB"
        return Verdict("memory", f"{limit}; {_faults(seen)}")
    if seen.refaults_s >= FAULTS_S * 5 and is_thrashing:
        return Verdict(
            "memory", f"{seen.refaults_s:.0f} pages a second had been thrown out and come back; {_faults(seen)}"
        )
    if stalled >= STALLED and is_thrashing:
        return Verdict("memory", f"tasks stood still for memory {_percent(stalled)} of the time; {_faults(seen)}")
    return None


def _faults(seen: Evidence) -> str:
    return f"it waits for {seen.faults_s:.0f} pages a second, {_used(seen)}"


def _disk(seen: Evidence) -> Verdict | None:
    if seen.used_cores is None or not seen.blocked or seen.used_cores > max(_BUSY_CORE, seen.cores * 0.6):
        return None
    stalled = seen.pressure_io or 0.0
    if stalled < STALLED and (seen.disk_busy or 0.0) < DISK_BUSY:
        return None
    busy = seen.disk_busy or 0.0
    how = f"the disk is busy {_percent(busy)} of the time" if busy >= DISK_BUSY else (
        f"tasks stood still for a disk {_percent(stalled)} of the time"
    )  # fmt: skip
    threads = f"{seen.blocked} thread{'s' if seen.blocked > 1 else ''} of it wait{'' if seen.blocked > 1 else 's'}"
    return Verdict("disk", f"{threads} for a disk; {how}{_rates(seen)}, {_used(seen)}")


def _rates(seen: Evidence) -> str:
    """What it reads and writes, where that is worth a word."""
    read, written = seen.read_bytes_s or 0.0, seen.write_bytes_s or 0.0
    if max(read, written) < _MIB / 10:
        return ""
    return f"; it reads {read / _MIB:.1f} and writes {written / _MIB:.1f} MiB/s"


def _few_jobs(seen: Evidence) -> Verdict | None:
    if seen.jobs is None or seen.jobs >= seen.cores or len(seen.workers) < seen.jobs or _idle_cores(seen) < 0.5:
        return None
    jobs = f"{seen.jobs} job{'s' if seen.jobs > 1 else ''} at once (-j {seen.jobs})"
    return Verdict("cpu", f"it may start {jobs} while ≈{_idle_cores(seen):.1f} of {seen.cores} cores are idle")


def _cpu(seen: Evidence) -> Verdict | None:
    if seen.machine_cpu is None or seen.used_cores is None or seen.machine_cpu < FULL or not seen.workers:
        return None
    others = max(0.0, seen.machine_cpu * seen.cores - seen.used_cores)
    stalled = (
        "" if seen.pressure_cpu is None else f"; some task waited for a core {_percent(seen.pressure_cpu)} of the time"
    )
    return Verdict(
        "cpu",
        f"all {seen.cores} cores are busy ({_percent(seen.machine_cpu)}): it uses ≈{seen.used_cores:.1f}, "
        f"others ≈{others:.1f}{stalled}",
    )


def _path(seen: Evidence) -> Verdict | None:
    if len(seen.workers) != 1 or seen.used_cores is None or seen.used_cores < _BUSY_CORE or _idle_cores(seen) < 0.5:
        return None
    return Verdict(
        "critical path",
        f"only {seen.workers[0]} works, {_used(seen)}, while ≈{_idle_cores(seen):.1f} of {seen.cores} cores are idle",
    )


def _idle_cores(seen: Evidence) -> float:
    return 0.0 if seen.machine_cpu is None else seen.cores * (1 - seen.machine_cpu)


def _used(seen: Evidence) -> str:
    return f"it uses ≈{seen.used_cores or 0.0:.1f} of {seen.cores} cores"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
