"""What the engine sees of live runs beside their logs: processes, units that nobody tells of, kills for memory."""

import os
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from core import events as e
from core.clock import Clock, cpu_time
from core.host import Held, Host, lock_rows
from core.link_watch import LinkWatch
from core.watch import oom, procs
from core.watch.bottleneck import BottleneckWatch, Subject
from core.watch.foreign import IsOpen
from core.watch.kills import KillBook, Suspect, Victim
from core.watch.lock_book import LockBook
from core.watch.locks import LockWatch, build_dirs_of, owner_among, whose
from core.watch.machine_watch import MachineWatch
from core.watch.prober import CACHES, Prober, Watched
from core.watch.sampled_nvcc import SampledNvcc
from core.watch.table import Proc, ProcessTable
from core.watched import WatchedRun

RARE_AFTER = 10
"""Looks at compilers that found nothing; then they are looked for more rarely."""
RARE_SAMPLE_S = 5.0
PROGRESS_WAIT_S = 10.0
"""A run that should say how far it is gets so long before we look ourselves."""
_REMEMBERED = 400
"""Processes that ended lately."""


@dataclass(slots=True)
class _Seen:
    """A run as it was seen so far."""

    since: float
    group: oom.Group | None = None
    supervisor: int = 0
    """Pid; 0: not known."""
    samples: int = 0
    """Looks at its compilers in a row that found nothing."""
    sampled_at: float = 0.0
    memory_bytes: int = 0


@dataclass(slots=True)
class Observer:
    """Looks at all live runs; what it finds goes to their journals."""

    clock: Clock
    monotonic: Clock
    table: ProcessTable = field(default_factory=ProcessTable)
    kernel: oom.KernelLog = field(default_factory=oom.KernelLog)
    proc: str = "/proc"
    """Where locks are told of."""
    is_open: IsOpen = lambda run: False
    """Of a run that says it is ours, and is not among those to look at."""
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _ended: deque[tuple[Proc, Victim]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    _kills: KillBook = field(default_factory=KillBook)
    _kill_count: int | None = None
    _book: LockBook = field(default_factory=LockBook)
    _supervisors: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    """Run, agent and checkout by the supervisor's pid."""
    _told_locks: tuple[Held, ...] = ()
    _of_machine: list[e.Event] = field(default_factory=list)
    _changed: int | None = None
    """When the list of open runs was changed last, in nanoseconds; -1: there is none."""
    _prober: Prober = field(init=False)
    _locks: LockWatch = field(init=False)
    _links: LinkWatch = field(init=False)
    _nvcc: SampledNvcc = field(init=False)
    _machine: MachineWatch = field(init=False)
    _bottlenecks: BottleneckWatch = field(init=False)

    def __post_init__(self) -> None:
        self._prober = Prober(self.table, clock=self.clock, monotonic=self.monotonic, cpu_time=cpu_time)
        self._locks = LockWatch(self._owner_of, self.proc)
        self._links = LinkWatch(clock=self.clock, cpu_time=cpu_time)
        self._nvcc = SampledNvcc(self.table, self.clock)
        self._machine = MachineWatch(self._prober, clock=self.clock, monotonic=self.monotonic, is_open=self.is_open)
        self._bottlenecks = BottleneckWatch(self.table, clock=self.clock, monotonic=self.monotonic)

    def look(self, live: Iterable[WatchedRun], ending: Iterable[WatchedRun]) -> list[e.Event]:
        """Sample the runs that live where it is time for it; tell those that live or end now of waits and kills.

        Returns:
            What is new to tell of the machine as a whole.
        """
        self._of_machine = []
        runs = {run.run: run for run in live}
        watched = {name: found for name, run in runs.items() if (found := run.watched()) is not None}
        over = {run.run: run for run in ending}
        watched = self._links.take(runs, watched, over)
        for gone in self._seen.keys() - runs.keys() - over.keys():
            del self._seen[gone]
        for name in runs.keys() | over.keys():
            seen = self._seen.setdefault(name, _Seen(self.monotonic()))
            if seen.group is None and name in watched:
                seen.group = oom.group_of(watched[name].supervisor)
            if name in watched:
                seen.supervisor = watched[name].supervisor
        is_sampled = bool(watched) and self._prober.is_due()
        if is_sampled:
            self._sample(runs, watched)
        both = {**runs, **over}
        self._look_at_locks(both, watched)
        self._of_machine += self._machine.look(watched.values(), has_sampled=is_sampled)
        if is_sampled:
            self._judge(runs)
            self._prober.settle()
        if both:
            self._look_for_kills(both, frozenset(over))
        return self._of_machine

    @property
    def looks_for_links(self) -> bool:
        """Something runs that may link: `look_at_links` between two looks."""
        return self._links.is_needed

    @property
    def link_pause_s(self) -> float:
        """Between two of those."""
        return self._links.pause_s

    def look_at_links(self) -> None:
        """Look at what links alone."""
        self._links.look()

    @property
    def has_foreign(self) -> bool:
        """A build that is not ours is alive."""
        return self._machine.foreign.is_any

    def remember(self, host: Host) -> None:
        """What another engine saw last of the machine: waits that go on began when it says."""
        self._told_locks = host.locks
        self._locks.remember(host.locks)
        self._book.remember(host.locks, host.sample.at if host.sample is not None else self.clock())

    def is_asleep(self, folder: str) -> bool:
        """Nothing is seen to build, ours or not; and since the last call or look no run began in `folder`, the list of
        those that are open, and no lock was taken or let go."""
        try:
            changed = os.stat(folder).st_mtime_ns
        except OSError:
            changed = -1
        before, self._changed = self._changed, changed
        return changed == before and not self._machine.foreign.is_any and self._locks.is_quiet

    @property
    def is_pressed(self) -> bool:
        """Something of cargo's is alive, ours or not: look again soon."""
        return self._locks.has_locks

    def _look_at_locks(self, runs: Mapping[str, WatchedRun], watched: Mapping[str, Watched]) -> None:
        supervisors = {one.supervisor: whose(runs[name].record.started) for name, one in watched.items()}
        if supervisors != self._supervisors:
            self._supervisors = supervisors
            self._locks.forget_owners(build_dirs_of(runs[name].record.started for name in watched))
        now = self.clock()
        locks = self._locks.look(now)
        settled = self._locks.settled()
        if settled != self._told_locks:
            self._told_locks = settled
            self._of_machine.append(e.LocksSeen(now, lock_rows(settled)))
        for name, event in self._book.update(now, locks):
            if name in runs:
                runs[name].note([event])

    def _judge(self, runs: Mapping[str, WatchedRun]) -> None:
        """Say what holds each run up."""
        subjects = [
            Subject(name, runs[name].record.started.command, use, self._seen[name].group,
                    runs[name].record.started.target_dir)
            for name, use in self._prober.uses.items() if name in runs
        ]  # fmt: skip
        for name, event in self._bottlenecks.look(subjects, self._machine.meter.last, self._told_locks).items():
            runs[name].note([event])

    def _owner_of(self, pid: int) -> tuple[str, str, str]:
        return owner_among(self._supervisors, pid)

    def _sample(self, runs: Mapping[str, WatchedRun], watched: Mapping[str, Watched]) -> None:
        samples = self._prober.sample(
            replace(one, links=(*one.links, *self._nvcc.open(name))) for name, one in watched.items()
        )
        for name, event in self._nvcc.look({name: one.supervisor for name, one in watched.items()}):
            runs[name].note([event])
        for name, finding in self._nvcc.take_findings():
            runs[name].found([finding], self.clock())
        self._ended.extend((proc, self._victim(proc)) for proc in self.table.gone)
        self._links.look_through(self.table)
        now = self.monotonic()
        for name, run in runs.items():
            if name in samples:
                self._seen[name].memory_bytes = samples[name].memory_bytes
                run.note([samples[name]])
            if name in watched and self._lives(watched[name].supervisor):
                run.note_lost_links(self._lives, self.clock())
            if name in watched and self._is_silent(run, self._seen[name], now):
                self._note_units(run, self._prober.units(watched[name]), now)

    def _lives(self, pid: int) -> bool:
        return self.table.get(pid) is not None

    def _victim(self, proc: Proc) -> Victim:
        return Victim(proc.owner, proc.name, self.table.part(proc).detail if proc.part else "", proc.memory_bytes)

    def _is_silent(self, run: WatchedRun, seen: _Seen, now: float) -> bool:
        """It does not say what it compiles, and it is time to look."""
        if run.says_units or run.is_build_over:
            return False
        if run.record.has_progress and now - seen.since < PROGRESS_WAIT_S:
            return False
        return seen.samples <= RARE_AFTER or now - seen.sampled_at >= RARE_SAMPLE_S

    def _note_units(self, run: WatchedRun, units: list[procs.Unit], now: float) -> None:
        seen = self._seen[run.run]
        seen.sampled_at = now
        seen.samples = 0 if units else seen.samples + 1
        is_said = run.record.json != "none"
        changed, run.sampled = procs.changes(run.sampled, units, self.clock(), is_finish_said=is_said)
        if changed:
            run.note(changed)

    def _look_for_kills(self, runs: Mapping[str, WatchedRun], ending: frozenset[str]) -> None:
        now = self.clock()
        if kills := self._new_kills():
            self._kills.add(now, kills, self._limit_of)
        if self._kills.is_empty and not any(run.losses.death for run in runs.values()):
            return
        suspects = {
            name: Suspect(
                name, run.record.started.agent, seen.group.path if seen.group else "", run.losses.failed_at,
                run.losses.failed_unit, seen.memory_bytes, name in ending, run.losses.failed_link, run.losses.death,
            )
            for name, run in runs.items()
            if (seen := self._seen.get(name)) is not None
        }  # fmt: skip
        for name, event in self._kills.settle(now, suspects, self._victim_of, self._is_strangers):
            runs[name].note([event])

    def _new_kills(self) -> list[oom.Killed]:
        """What the kernel says: by its log, else by its counter alone."""
        if self.kernel.is_readable:
            return self.kernel.kills()
        before, self._kill_count = self._kill_count, oom.kill_count(None)
        if before is None or self._kill_count is None:
            return []
        return [oom.Killed(0, "", 0, is_group=False)] * max(0, self._kill_count - before)

    def _limit_of(self, kill: oom.Killed) -> int | None:
        """Limit of the cgroup that was full."""
        own = oom.group_of(os.getpid())  # for where the hierarchy is mounted
        found = oom.sibling(own, kill.group) if own and kill.group else None
        return oom.limit_bytes(found) if found else None

    def _is_strangers(self, kill: oom.Killed) -> bool:
        """The process that was killed was seen alive, and no run had to do with it."""
        supervisors = {seen.supervisor for seen in self._seen.values()}
        return self.table.was_strangers(kill.pid, supervisors, CACHES)

    def _victim_of(self, kill: oom.Killed) -> Victim | None:
        """The process that was killed, where it was seen alive."""
        if not kill.pid:
            return None
        for proc, victim in reversed(self._ended):
            if (proc.pid, victim.name) == (kill.pid, kill.name):
                return victim
        alive = self.table.get(kill.pid)  # as of the last look
        return self._victim(alive) if alive is not None and alive.owner and alive.name == kill.name else None
