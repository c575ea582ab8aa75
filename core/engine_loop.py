"""The engine's loop: finds runs, reads on in each of them in turn, closes those that ended, answers requests."""

import os
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from core import adopt, checkpoint, facts
from core import events as e
from core.cache.caches import Caches
from core.clock import Clock, cpu_time
from core.ending import final_events
from core.engine_entries import Arrival, OpenRun
from core.errors import JournalError
from core.keeper import Keeper
from core.late_plan import LatePlans
from core.machine_journal import HostReader, MachineJournal
from core.native.cleans.clean_notes import findings_for
from core.native.kernels.kernel_store import KernelStore
from core.native.kernels.ptx_queue import PtxQueue
from core.observer import Observer
from core.pace import Pace
from core.paths import Paths
from core.requests import Server
from core.run import stop
from core.tenure import Tenure
from core.watch.kernel_watch import KernelWatch
from core.watch.memory_room import has_room
from core.watch.ptx_watch import PtxWatch

ACTIVE_TICK_S = 0.2
"""While a log grew in the last seconds."""
QUIET_TICK_S = 0.5
EMPTY_TICK_S = 0.7
"""No run is open; a new one wakes us by a connection. Who holds cargo's locks is looked at (0.1 ms)."""
DOZE_S = 2.7
"""Where nothing changed, a tick is a glance at that, but for one in so long."""
ACTIVE_FOR_S = 5.0
SLICE_S = 0.15
"""Requests wait so long at most while logs are read."""
RECORD_WAIT_S = 2.0
"""A run without a readable `run.json` is being started, for so long."""
_BEAT_S = 1.0
_EARLY_S = 0.002
"""`poll` takes whole milliseconds."""
_RETRY_S = 2.0
_T = TypeVar("_T")


class Engine:
    """All runs of one user."""

    def __init__(
        self, paths: Paths, makers: adopt.Makers, *, clock: Clock, monotonic: Clock, keeper: Keeper,
        tenure: Tenure | None = None, observer: Observer | None = None, measures_ptx: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        self.paths = paths
        self._tenure = tenure or Tenure(paths.engine + "/lock", -1, monotonic)
        self._is_stopping = False
        self._makers = makers
        self._clock = clock
        self._monotonic = monotonic
        self._keeper = keeper
        self._open: dict[str, OpenRun] = {}
        self._arrivals: dict[str, Arrival] = {}
        self._observer = observer or Observer(clock, monotonic, is_open=partial(stop.is_live, paths))
        self._observer.remember(HostReader(paths).poll())
        self._machine: MachineJournal | None = None
        self._caches = Caches(paths, clock, monotonic)
        self._late = LatePlans(paths, monotonic)
        store, queue = KernelStore(paths.kernels), PtxQueue(paths.cache + "/ptx")
        self._ptx = PtxWatch(monotonic, store, queue, is_wanted=measures_ptx, has_room=has_room)
        self._kernels = KernelWatch(clock, monotonic, store, self._ptx)
        self._are_caches_lost = False  # by a look that failed: no run waits for what it would have told
        self._beat_at = -1e9
        self._woke_at = -1e9
        self._busy_at = monotonic()
        self._pace = Pace(cpu_time, ACTIVE_TICK_S, QUIET_TICK_S)

    def loop(self, server: Server, idle_s: float) -> None:
        """Run until nothing runs and nobody asks."""
        while not self._is_stopping:
            self._serve(server, self.tick())
            last = max(self._busy_at, server.asked_at or 0.0)
            if not self._open and self._monotonic() - last > idle_s:
                return
        self._kernels.close()
        self._ptx.close()

    def _serve(self, server: Server, wait_s: float) -> None:
        """Answer requests until the next tick, at least once; links live more briefly than that."""
        ends = self._monotonic() + wait_s
        while True:
            before = self._monotonic()
            step_s = wait_s
            if self._observer.looks_for_links:
                step_s = min(self._observer.link_pause_s, max(0.0, ends - before))
            server.serve(step_s, self._monotonic)
            now = self._monotonic()
            if step_s >= wait_s or now - before < step_s - _EARLY_S or now >= ends - _EARLY_S:
                return  # the time is up, or somebody asked
            self._attempt("links", self._observer.look_at_links)

    def tick(self) -> float:
        """Do what there is to do, for at most a slice; how long to wait before the next tick."""
        if self._can_doze():
            return EMPTY_TICK_S
        if self._is_beat_due() and self._tenure.is_over():
            self.stop()
            return 0.0
        self._discover()
        is_busy = self._read_logs()
        self._observe()
        self._attempt("plan", self._plan)
        self._attempt("kernels", self._measure_kernels)
        self._attempt("ptx", self._ptx.work)
        for name in list(self._open):
            self._guard(name, self._close_if_over)
        self._beat()
        has_more = self._keeper.work([entry.run for entry in self._open.values() if not entry.is_ended])
        return 0.0 if is_busy or has_more or self._late.waiting else self._pause_s()

    def _can_doze(self) -> bool:
        """Nothing runs, nothing began, and no lock changed since the last look at all there is, a moment ago."""
        is_calm = not (self._open or self._arrivals or self._ptx.has_work) and self._observer.is_asleep(self.paths.open)
        if is_calm and self._monotonic() - self._woke_at < DOZE_S:
            return True
        self._woke_at = self._monotonic()
        return False

    def stop(self) -> None:
        """End after this turn; builds and their logs are not concerned."""
        self._is_stopping = True

    @property
    def open_runs(self) -> tuple[str, ...]:
        """Runs that are watched, oldest first."""
        return tuple(sorted(self._open))

    def _pause_s(self) -> float:
        now = self._monotonic()
        if not self._open:
            if self._ptx.is_running:
                self._busy_at = now
            is_due = self._arrivals or self._observer.is_pressed or self._ptx.is_running
            return ACTIVE_TICK_S if is_due else EMPTY_TICK_S
        self._busy_at = now
        newest, pressed_s = max(entry.grew_at for entry in self._open.values()), self._pace.pause_s()
        if now - newest < ACTIVE_FOR_S:
            return ACTIVE_TICK_S
        return pressed_s if self._observer.is_pressed else QUIET_TICK_S

    def _discover(self) -> None:
        try:
            names = os.listdir(self.paths.open)
        except OSError:
            return
        for name in names:
            if name not in self._open and not name.startswith("."):
                self._guard(name, self._arrive)
        for name in self._arrivals.keys() - set(names):
            del self._arrivals[name]

    def _arrive(self, name: str) -> None:
        """Adopt a run as soon as that is possible."""
        now = self._monotonic()
        arrival = self._arrivals.setdefault(name, Arrival(now))
        if arrival.is_newer or now < arrival.retry_at:
            return
        lock = facts.Lock(f"{self.paths.open}/{name}")
        try:
            record = self._record(name, lock, arrival)
            if record is not None:
                self._adopt(name, record, lock)
                return
        except JournalError as error:
            arrival.is_newer = True
            self._keeper.log(str(error))
        except OSError as error:
            arrival.retry_at = now + _RETRY_S
            self._keeper.log(f"run {name} cannot be recorded ({error}): it is tried again")
        lock.close()

    def _record(self, name: str, lock: facts.Lock, arrival: Arrival) -> facts.Record | None:
        record = facts.read_record(self.paths, name)
        if record is not None or self._monotonic() - arrival.first_seen < RECORD_WAIT_S:
            return record
        folder = self.paths.run(name)
        if not os.path.exists(folder + "/out.log"):
            if not lock.is_held():
                self._forget_start(name)
            return None
        return facts.guess_record(self.paths, name, os.stat(folder + "/out.log").st_mtime)

    def _forget_start(self, name: str) -> None:
        """Whoever wanted to start this run was killed before anything was started."""
        os.unlink(f"{self.paths.open}/{name}")
        if os.path.isdir(self.paths.run(name)) and not os.listdir(self.paths.run(name)):
            os.rmdir(self.paths.run(name))

    def _adopt(self, name: str, record: facts.Record, lock: facts.Lock) -> None:
        adopted = adopt.adopt(
            self.paths, record, self._makers, lock=lock, now=self._clock(), last_size=self._keeper.last_size
        )
        if adopted.is_new and (typical := self._keeper.typical(record.started, self._clock())):
            adopted.run.note([typical])
        if adopted.is_new and (cleaned := findings_for(self.paths, record.started)):
            adopted.run.found(cleaned, self._clock())
        self._keeper.run_adopted(record.started)
        self._late.add(adopted.run)
        self._open[name] = OpenRun(adopted.run, adopted.is_ended, self._monotonic())
        self._arrivals.pop(name, None)

    def _read_logs(self) -> bool:
        """Steps through all runs in turn; True where the time was up before all was read."""
        ends = self._monotonic() + SLICE_S
        waiting = [name for name in self._open if self._guard(name, self._look)]
        while waiting:
            if self._monotonic() > ends:
                return True
            waiting = [name for name in waiting if self._guard(name, self._step)]
        return False

    def _look(self, name: str) -> bool:
        """Whether there is something to read or write; notes first whether the supervisor lives, so that what it wrote
        before its end is seen."""
        entry = self._open[name]
        if entry.is_ended:
            return False
        is_live = entry.drain_to is None and entry.run.is_live()
        entry.run.poll_notes()
        has_more = entry.run.poll()
        if not is_live and entry.drain_to is None:
            entry.drain_to = tuple(log.size for log in entry.run.logs)
            entry.exit = facts.read_exit(self.paths, name)
            entry.run.exited(entry.exit)
        return has_more or entry.run.is_stuck

    def _step(self, name: str) -> bool:
        entry = self._open[name]
        if not entry.run.step(self._now_in(entry)):
            return False
        entry.grew_at = self._monotonic()
        return entry.run.poll() and not self._is_drained(entry)

    def _now_in(self, entry: OpenRun) -> float:
        """What is read after the end of a run was written before it."""
        now = self._clock()
        return min(now, entry.exit.ended.at or now) if entry.exit is not None else now

    def _is_drained(self, entry: OpenRun) -> bool:
        if entry.drain_to is None or entry.run.is_catching_up or entry.run.is_stuck:
            return False
        ends = zip(entry.run.logs, entry.drain_to, strict=True)
        return all(log.offset >= min(end, log.size) for log, end in ends)

    def _is_told(self, name: str) -> bool:
        run = self._open[name].run
        is_read = self._is_drained(self._open[name]) and (self._are_caches_lost or self._caches.is_settled(name))
        return is_read and name not in self._late.waiting and not run.waits_for_notes(self._monotonic())

    def _close_if_over(self, name: str) -> None:
        entry = self._open[name]
        if entry.run.is_gone:
            is_live = entry.run.is_live()
            self._drop(name)
            if not is_live:
                os.unlink(f"{self.paths.open}/{name}")
            return
        if not entry.is_ended and self._is_told(name):
            entry.is_ended = entry.run.end(final_events(entry.run, entry.exit, self._clock()), self._now_in(entry))
        if entry.is_ended and not entry.is_kept:
            entry.run.sync()
            self._keeper.run_closed(name)
            checkpoint.remove(entry.run.folder)
            entry.is_kept = True
            self._attempt("kernels", self._measure_kernels)  # of what was noted last, too
        if entry.is_ended and not self._kernels.holds(name):
            os.unlink(f"{self.paths.open}/{name}")
            self._drop(name)

    def _drop(self, name: str) -> None:
        self._open.pop(name).run.close()
        self._busy_at = self._monotonic()

    def _observe(self) -> None:
        """What cannot be seen is not known; the logs are read all the same."""
        live = [entry for entry in self._open.values() if not entry.is_ended and not entry.run.is_stuck]
        try:
            seen = self._observer.look(
                [entry.run for entry in live if entry.drain_to is None],
                [entry.run for entry in live if entry.drain_to is not None],
            )
            if seen:
                self._write_machine(seen)
        except Exception as error:
            self._keeper.fault("observer", error)
        self._look_at_caches([entry for entry in self._open.values() if not entry.is_ended])

    def _plan(self) -> None:
        """What is not planned has no plan to show."""
        self._late.work({name: entry.run for name, entry in self._open.items()}, self._clock())

    def _measure_kernels(self) -> None:
        """What is not measured is not known."""
        self._kernels.work({name: entry.run for name, entry in self._open.items()})

    def _look_at_caches(self, live: list[OpenRun]) -> None:
        """Also at those of runs whose journal takes nothing now: who is left out is begun anew, and told twice."""
        self._are_caches_lost = True
        try:
            seen = self._caches.look(
                [entry.run for entry in live if entry.drain_to is None],
                [entry.run for entry in live if entry.drain_to is not None],
                has_foreign=self._observer.has_foreign,
            )
            self._are_caches_lost = False
            if seen:
                self._write_machine(seen)
        except Exception as error:
            self._keeper.fault("caches", error)

    def _write_machine(self, seen: list[e.Event]) -> None:
        if self._machine is None:
            self._machine = MachineJournal(self.paths.machine)
        self._machine.append(seen)

    def _beat(self) -> None:
        if self._is_beat_due():
            self._beat_at = self._monotonic()
            self._keeper.beat()

    def _is_beat_due(self) -> bool:
        return self._monotonic() - self._beat_at >= _BEAT_S

    def _attempt(self, what: str, act: Callable[[], None]) -> None:
        """What fails is written down, and left out."""
        try:
            act()
        except Exception as error:
            self._keeper.fault(what, error)

    def _guard(self, name: str, act: Callable[[str], _T]) -> _T | None:
        """One run's trouble is its own: it is written down, and the others go on."""
        try:
            return act(name)
        except Exception as error:
            self._keeper.fault(f"run {name}", error)
            return None
