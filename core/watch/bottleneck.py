"""What holds each run up: gathers what `core.decide` wants to know, and tells where the answer changed for good."""

import os
import re
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import field

from core import events as e
from core.clock import Clock
from core.clock import uptime as real_uptime
from core.decide import IDLE_CORES, NOTHING, STALLED, CacheWait, Evidence, Verdict, Wait, decide
from core.host import Held, Owner
from core.values import dataclass
from core.watch import oom
from core.watch.group_memory import GroupMemory, read_group
from core.watch.prober import CACHES, Use
from core.watch.proc_files import read
from core.watch.sockets import Sockets
from core.watch.table import TICKS_A_SECOND, Proc, ProcessTable

LOOKS = 3
"""Of so many looks in a row the answer is taken that most of them gave: it is known in two seconds, and one look that
differs changes nothing."""
TELL_AGAIN_S = 10.0
"""The figures of the same answer are told anew after so long; who holds a lock, at once."""
CLIENT_PATIENCE_S = 1.5
"""A client of a cache that waits for less is being served."""
_WORKERS = ("rustc", "rustdoc", "build script", "cc", "linker", "nvcc", "test")
_TALKERS = ("cargo", "git", "git-remote-http", "ssh", "curl", "wget")
_MAX_BLOCKED = 12
"""Processes whose threads are looked at."""
_MAX_TALKERS = 4
_TALK_S = 1.8
"""Between two looks at the sockets of a run that does nothing else: 0.1 ms a process."""
_MAX_THREADS = 100
_JOBS = re.compile(r"(?:^|\s)(?:-j|--jobs)[ =]?(\d+)(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Subject:
    """A run, as the observer knows it."""

    run: str
    command: str
    use: Use
    group: oom.Group | None
    target_dir: str | None


@dataclass(frozen=False, eq=False, slots=True)
class _Past:
    """What was thought of a run."""

    verdicts: deque[Verdict] = field(default_factory=lambda: deque(maxlen=LOOKS))
    told: Verdict = NOTHING
    told_at: float = 0.0
    group: GroupMemory | None = None
    at: float = 0.0
    sockets: tuple[str, ...] = ()
    talked_at: float = -1e9


class BottleneckWatch:
    """Judges runs after each sample of the prober."""

    def __init__(
        self, table: ProcessTable, *, clock: Clock, monotonic: Clock, cores: int | None = None,
        uptime: Clock = real_uptime,
    ) -> None:  # fmt: skip
        self._uptime = uptime
        self._table = table
        self._clock = clock
        self._monotonic = monotonic
        self._cores = cores or os.cpu_count() or 1
        self._past: dict[str, _Past] = {}
        self._connected = Sockets()

    def look(
        self, subjects: Iterable[Subject], machine: e.MachineSampled | None, locks: Iterable[Held]
    ) -> dict[str, e.BottleneckFound]:
        """What is new to tell, by run. Call it once after each sample."""
        subjects, locks = list(subjects), tuple(locks)
        self._past = {one.run: self._past.get(one.run) or _Past() for one in subjects}
        found = {}
        for subject in subjects:
            past = self._past[subject.run]
            past.verdicts.append(decide(self._evidence(subject, past, machine, locks)))
            if (verdict := self._news(past)) is not None:
                past.told, past.told_at = verdict, self._monotonic()
                found[subject.run] = e.BottleneckFound(self._clock(), verdict.word, verdict.why)
        return found

    def _news(self, past: _Past) -> Verdict | None:
        """What to tell; None: what was told still holds."""
        word, votes = Counter(verdict.word for verdict in past.verdicts).most_common(1)[0]
        if votes < 2:
            return None
        verdict = next(one for one in reversed(past.verdicts) if one.word == word)
        is_other = verdict.why != past.told.why
        is_old = self._monotonic() - past.told_at >= TELL_AGAIN_S
        return verdict if word != past.told.word or (is_other and (is_old or word == "lock")) else None

    def _evidence(
        self, subject: Subject, past: _Past, machine: e.MachineSampled | None, locks: tuple[Held, ...]
    ) -> Evidence:
        use = subject.use
        is_idle = use.cores is not None and use.cores < IDLE_CORES
        pressure = {name: some for name, some, _ in machine.pressure} if machine else {}
        sockets = self._sockets(use.procs, past) if is_idle or use.cores is None else ()
        workers = self._workers(use.procs, is_idle=bool(sockets))
        refaults_s, group = self._group(subject, past)
        disk_busy = _disk_of(machine, subject.target_dir)
        is_short = use.cores is not None and use.cores < 0.8 * min(max(1, len(workers)), self._cores)
        is_stalled = max(disk_busy or 0.0, *(pressure.get(name, 1.0) for name in ("memory", "io"))) >= STALLED / 2
        return Evidence(
            cores=self._cores,
            used_cores=use.cores,
            machine_cpu=machine.cpu if machine else None,
            workers=tuple(self._name(proc) for proc in workers),
            blocked=self._blocked(self._likely(use.procs)) if is_short and is_stalled else 0,
            jobs=jobs_of(subject.command),
            wait=wait_of(subject.run, locks),
            cache=self._cache(use.procs) if is_idle and not workers else None,
            sockets=sockets,
            pressure_cpu=pressure.get("cpu"),
            pressure_memory=pressure.get("memory"),
            pressure_io=pressure.get("io"),
            faults_s=use.faults_s or 0.0,
            refaults_s=refaults_s,
            group_share=(group.usage_bytes - group.file_bytes) / group.limit_bytes if group else None,
            group_limit_bytes=group.limit_bytes if group else 0,
            disk_busy=disk_busy,
            read_bytes_s=use.read_bytes_s,
            write_bytes_s=use.write_bytes_s,
        )

    def _workers(self, procs: Iterable[Proc], *, is_idle: bool) -> list[Proc]:
        """The topmost of those that work: a linker below a compiler is the compiler's work. A build script of a run
        that only talks to somebody does not count."""
        roles = {proc.pid: self._table.part(proc).role for proc in procs}
        busy = {pid for pid, role in roles.items() if role in _WORKERS and not (is_idle and role == "build script")}
        return [proc for proc in procs if proc.pid in busy and not self._table.is_below(proc, busy)]

    def _name(self, proc: Proc) -> str:
        part = self._table.part(proc)
        return f"{part.role} {part.detail}".strip()

    def _likely(self, procs: Iterable[Proc]) -> list[Proc]:
        """Those that did something last."""
        return sorted(procs, key=lambda one: one.slept)[:_MAX_BLOCKED]

    def _blocked(self, procs: Iterable[Proc]) -> int:
        """Threads that wait for a disk. The state of a process is its first thread's, which rustc leaves asleep."""
        left, found = _MAX_THREADS, 0
        for proc in procs:
            folder = f"{self._table.folder(proc)}/task"
            try:
                threads = os.listdir(folder)
            except OSError:
                continue
            for thread in threads[: max(0, left)]:
                found += _state(f"{folder}/{thread}/stat") == b"D"
            left -= len(threads)
        return found

    def _sockets(self, procs: Iterable[Proc], past: _Past) -> tuple[str, ...]:
        """Whom the run talks to, as it was a moment ago."""
        if self._monotonic() - past.talked_at < _TALK_S:
            return past.sockets
        found: list[str] = []
        talkers = [one for one in procs if one.name in _TALKERS or self._table.part(one).role == "build script"]
        for proc in talkers[:_MAX_TALKERS]:
            found += self._connected.connections(self._table.folder(proc))
        past.sockets, past.talked_at = tuple(found), self._monotonic()
        return past.sockets

    def _cache(self, procs: Iterable[Proc]) -> CacheWait | None:
        """Clients that wait for long."""
        now_ticks = self._uptime() * TICKS_A_SECOND
        clients = [
            proc
            for proc in procs
            if proc.name in CACHES
            and self._table.part(proc).unit is not None
            and now_ticks - proc.started_ticks > CLIENT_PATIENCE_S * TICKS_A_SECOND
        ]
        if not clients:
            return None
        return CacheWait(clients[0].name, len(clients), self._server_of(clients[0]))

    def _server_of(self, client: Proc) -> str:
        """What is seen of the server that a client waits for."""
        where = self._endpoint(client)
        servers = [
            proc
            for proc in self._table.all()
            if proc.name.startswith(client.name) and self._table.part(proc).unit is None
            and self._endpoint(proc) == where
        ]  # fmt: skip
        if not servers:
            return "is not to be seen"
        state = _state(f"{self._table.folder(servers[0])}/stat")
        word = {b"T": "is stopped", b"D": "waits for a disk", b"R": "runs"}.get(state, "sleeps")
        return f"{word} (pid {servers[0].pid})"

    def _endpoint(self, proc: Proc) -> tuple[bytes, ...]:
        named = (b"SCCACHE_SERVER_PORT=", b"SCCACHE_SERVER_UDS=")
        return tuple(sorted(one for one in self._table.environ(proc) if one.startswith(named)))

    def _group(self, subject: Subject, past: _Past) -> tuple[float, GroupMemory | None]:
        """Pages a second that came back, and the run's memory cgroup where it has a limit."""
        if subject.group is None:
            return 0.0, None
        now, group = self._monotonic(), read_group(subject.group)
        before, at = past.group, past.at
        past.group, past.at = group, now
        if group is None or before is None or now <= at:
            return 0.0, group
        return max(0, group.refaults - before.refaults) / (now - at), group


def wait_of(run: str, locks: Iterable[Held]) -> Wait | None:
    """The lock that a run waits for."""
    for held in locks:
        if any(waiter.owner.run == run for waiter in held.waiters):
            return Wait(held.kind, held.path, _who(held.holders[0]) if held.holders else "")
    return None


def _who(owner: Owner) -> str:
    if owner.agent:
        return f"{owner.agent}'s build"
    where = f" in {owner.cwd}" if owner.cwd else ""
    return f"{owner.command or 'a process'}{where} (not ours, pid {owner.pid})"


def jobs_of(command: str) -> int | None:
    """How many jobs a command line allows: `-j 2`, `-j2`, `--jobs=2`; None: it does not say."""
    found = _JOBS.search(command.partition(" -- ")[0])
    return int(found[1]) or None if found else None


def _disk_of(machine: e.MachineSampled | None, target: str | None) -> float | None:
    """How busy the disk of a target dir is; of several file systems only where the folder itself was sampled."""
    if machine is None or target is None:
        return None
    named = [busy for folder, _, _, busy in machine.disks if folder == target or len(machine.disks) == 1]
    return named[0] if named else None


def _state(path: str) -> bytes:
    content = read(path)
    return content[content.rfind(b")") + 2 :][:1]
