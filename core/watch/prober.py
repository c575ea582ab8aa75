"""What the processes of each run use: one look at /proc for all of them, as often as it is worth its cost."""

from collections.abc import Iterable, Mapping

from core import events as e
from core.clock import Clock
from core.values import dataclass
from core.watch.procs import Unit
from core.watch.roles import Part
from core.watch.table import TICKS_A_SECOND, Proc, ProcessTable

PERIOD_S = 1.0
MAX_SHARE = 0.003
"""Of one core, for looking and for what is made of it: where a look costs more, looks become rarer."""
MAX_PERIOD_S = 10.0
"""However much they cost."""
MAX_LARGEST = 5
CACHES = ("sccache", "zccache", "zccache-daemon", "kache", "mbx", "ccache", "cachepot")
_SMALL_BYTES = 1 << 20
_TOP_ROLES = ("rustc", "rustdoc", "build script", "cc", "linker", "cmake", "ninja", "make", "nvcc", "test")


@dataclass(frozen=True, slots=True)
class Watched:
    """A run whose processes are looked at."""

    run: str
    supervisor: int
    """Pid."""
    target_dir: str | None
    links: tuple[str, ...]
    """Under way: as in `LinkStarted`, which begins with the pid of its front."""


@dataclass(frozen=True, slots=True)
class Use:
    """What the processes of a run use, as of the last sample."""

    procs: tuple[Proc, ...]
    """Its tree, then what a cache server compiles for it."""
    cores: float | None
    """CPU seconds a second since the sample before; None: there was none."""
    memory_bytes: int
    faults_s: float | None
    """Major faults a second."""
    read_bytes_s: float | None
    """None: there was no sample before, or it is not ours to see."""
    write_bytes_s: float | None


@dataclass(frozen=False, eq=False, slots=True)
class _Last:
    """The sample before."""

    at: float
    counts: tuple[int, int, int, int]
    """CPU ticks, major faults, bytes read and written of its tree; they hardly fall, because what a child used goes
    to its parent."""
    adopted_ticks: dict[int, int]
    """Of each compiler that a cache server runs for it, by pid."""
    told: e.RunSampled | None = None


class Prober:
    """Samples all runs."""

    def __init__(self, table: ProcessTable, *, clock: Clock, monotonic: Clock, cpu_time: Clock) -> None:
        self.table = table
        self._clock = clock
        self._monotonic = monotonic
        self._cpu_time = cpu_time
        self._due_at = self._sampled_at = -1e9
        self._began_s = self._cost_s = self._cost_before_s = 0.0
        self._last: dict[str, _Last] = {}
        self.uses: dict[str, Use] = {}
        """By run, as of the last sample."""

    def is_due(self) -> bool:
        """It is time for another sample."""
        return self._monotonic() >= self._due_at

    def settle(self) -> None:
        """What is made of the last sample is done: its cost counts too."""
        self._cost_s = self._cpu_time() - self._began_s
        # the cheaper of two: the first look reads what no later one reads again (0.15 s of CPU time, then 0.006 s)
        cost_s = min(self._cost_s, self._cost_before_s)
        self._due_at = self._sampled_at + min(MAX_PERIOD_S, max(PERIOD_S, cost_s / MAX_SHARE))

    def sample(self, runs: Iterable[Watched]) -> dict[str, e.RunSampled]:
        """What is new to tell, by run."""
        began_s, self._cost_before_s = self._cpu_time(), self._cost_s
        now = self._monotonic()
        self.table.look()
        runs = list(runs)
        for gone in self._last.keys() - {run.run for run in runs}:
            del self._last[gone]
        self.uses = {}
        adopted = self._compiled_by_servers(runs)
        found = {run.run: self._sample(run, adopted.get(run.run, []), now) for run in runs}
        self._sampled_at, self._began_s = now, began_s
        self.settle()
        return {run: sample for run, sample in found.items() if sample is not None}

    def _sample(self, run: Watched, adopted: list[Proc], now: float) -> e.RunSampled | None:
        root = self.table.get(run.supervisor)
        if root is None:
            return None
        tree = list(self.table.below(run.supervisor))
        procs = [*tree, *adopted]
        self.table.follow([root, *procs], run.run)
        use = self.uses[run.run] = self._use(run.run, [root, *tree], adopted, now)
        sample = e.RunSampled(
            at=self._clock(),
            processes=len(procs),
            cpu_cores=use.cores,
            memory_bytes=use.memory_bytes,
            largest=self._largest(procs),
            links=tuple((link, self._link_bytes(link)) for link in run.links),
            read_bytes_s=use.read_bytes_s,
            write_bytes_s=use.write_bytes_s,
        )
        last = self._last[run.run]
        if last.told is not None and _is_same(last.told, sample):
            return None
        last.told = sample
        return sample

    def _use(self, run: str, tree: list[Proc], adopted: list[Proc], now: float) -> Use:
        """`tree` begins with the supervisor."""
        procs = (*tree[1:], *adopted)
        memory = sum(proc.memory_bytes for proc in procs)
        ticks = {proc.pid: proc.cpu_ticks for proc in adopted}
        counts = (
            sum(proc.cpu_ticks for proc in tree),
            sum(proc.major_faults for proc in procs),
            sum(proc.read_bytes for proc in procs),
            sum(proc.write_bytes for proc in procs),
        )
        last = self._last.get(run)
        if last is None:
            self._last[run] = _Last(now, counts, ticks)
            return Use(procs, None, memory, None, None, None)
        used, faults, read, written = (max(0, new - old) for new, old in zip(counts, last.counts, strict=True))
        used += sum(max(0, count - last.adopted_ticks.get(pid, 0)) for pid, count in ticks.items())
        passed_s, last.at, last.counts, last.adopted_ticks = now - last.at, now, counts, ticks
        if passed_s <= 0:
            return Use(procs, None, memory, None, None, None)
        is_io_known = any(proc.is_io_known for proc in procs)
        return Use(
            procs,
            round(used / TICKS_A_SECOND / passed_s, 2),
            memory,
            round(faults / passed_s, 1),
            round(read / passed_s) if is_io_known else None,
            round(written / passed_s) if is_io_known else None,
        )

    def units(self, run: Watched) -> list[Unit]:
        """The units that a run compiles, as of the last sample; at most one of a name."""
        units = (self.table.part(proc).unit for proc in self.table.below(run.supervisor))
        return list({unit.name: unit for unit in units if unit is not None}.values())

    def _largest(self, procs: list[Proc]) -> tuple[tuple[str, str, int, int], ...]:
        """Those that do the work: a shell or cargo itself is none of them."""
        parts: list[tuple[Part, Proc]] = [
            (self.table.part(proc), proc) for proc in procs if proc.memory_bytes >= _SMALL_BYTES
        ]
        working = sorted((pair for pair in parts if pair[0].role in _TOP_ROLES), key=lambda pair: -pair[1].memory_bytes)
        return tuple((part.role, part.detail, proc.pid, proc.memory_bytes) for part, proc in working[:MAX_LARGEST])

    def _link_bytes(self, link: str) -> int:
        """Of its front's processes; where it is sampled, the driver may be the linker itself."""
        front = link.partition("-")[0]
        if not front.isdigit():
            return 0
        own = self.table.get(int(front)) if "-s" in link else None
        return sum(proc.memory_bytes for proc in self.table.below(int(front))) + (own.memory_bytes if own else 0)

    def _compiled_by_servers(self, runs: list[Watched]) -> Mapping[str, list[Proc]]:
        """Compilers that a cache server runs for somebody: by the target dir that they write to; where two runs have
        the same, by who asks for that unit."""
        dirs: dict[bytes, list[Watched]] = {}
        for run in runs:
            if run.target_dir:
                dirs.setdefault(run.target_dir.encode() + b"/", []).append(run)
        supervisors = {run.supervisor for run in runs}
        found: dict[str, list[Proc]] = {}
        for server in self.table.all():
            if server.name not in CACHES or self.table.is_below(server, supervisors):
                continue
            for proc in self.table.below(server.pid):
                part = self.table.part(proc)
                for folder, sharing in dirs.items():
                    if part.out_dir.startswith(folder):
                        one = sharing[0] if len(sharing) == 1 else self._who_asks(part, sharing)
                        if one is not None:
                            found.setdefault(one.run, []).append(proc)
        return found

    def _who_asks(self, part: Part, runs: Iterable[Watched]) -> Watched | None:
        """The run that has a client which waits for this unit."""
        asked = part.out_dir, part.detail
        for run in runs:
            theirs = (self.table.part(proc) for proc in self.table.below(run.supervisor))
            if any((one.out_dir, one.detail) == asked for one in theirs):
                return run
        return None


def _is_same(before: e.RunSampled, now: e.RunSampled) -> bool:
    """Nothing that a person would see changed: the numbers hold for as long as the engine gives signs of life."""
    if before.cpu_cores is None:
        return False
    step = max(before.memory_bytes, 10 * _SMALL_BYTES) / 50
    return (
        abs((now.cpu_cores or 0.0) - before.cpu_cores) < 0.05
        and abs(now.memory_bytes - before.memory_bytes) < step
        and now.processes == before.processes
        and [one[:3] for one in now.largest] == [one[:3] for one in before.largest]
        and [one[0] for one in now.links] == [one[0] for one in before.links]
        and _is_like(before.read_bytes_s, now.read_bytes_s)
        and _is_like(before.write_bytes_s, now.write_bytes_s)
    )


def _is_like(before: float | None, now: float | None) -> bool:
    """A rate that a person would not tell from the other."""
    return abs((now or 0.0) - (before or 0.0)) < max(before or 0.0, _SMALL_BYTES) / 4
