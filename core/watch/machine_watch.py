"""What the engine sees of the machine beside its runs: load, and builds that are not ours."""

from collections.abc import Iterable

from core import events as e
from core.clock import Clock
from core.watch.foreign import ForeignWatch, IsOpen
from core.watch.machine_meter import MachineMeter
from core.watch.prober import Prober, Watched

FOREIGN_S = 1.0
LOOK_OUT_S = 2.8
"""Nothing builds: a look costs 0.3 ms."""


class MachineWatch:
    """Looks at the machine; the prober's looks serve it too."""

    def __init__(self, prober: Prober, *, clock: Clock, monotonic: Clock, is_open: IsOpen) -> None:
        self._prober = prober
        self._clock = clock
        self._monotonic = monotonic
        self._looked_at = -1e9
        self.meter = MachineMeter(clock=clock, monotonic=monotonic)
        self.foreign = ForeignWatch(prober.table, clock=clock, monotonic=monotonic, is_open=is_open)

    def look(self, watched: Iterable[Watched], *, has_sampled: bool) -> list[e.Event]:
        """What is new to tell.

        Args:
            watched: Runs that live.
            has_sampled: The prober has just looked at all processes.
        """
        watched = list(watched)
        found: list[e.Event] = []
        if self._is_due(has_sampled, has_runs=bool(watched)):
            found += self._look_for_foreign(watched, has_sampled)
        if self.meter.is_due(is_awake=bool(watched) or self.foreign.is_any):
            ours = sum(use.memory_bytes for use in self._prober.uses.values()) if watched else 0
            sample = self.meter.sample(ours, (one.target_dir for one in watched if one.target_dir))
            if sample is not None:
                found.append(sample)
        return found

    def _is_due(self, has_sampled: bool, *, has_runs: bool) -> bool:
        """With each look of the prober; without runs we look ourselves."""
        if has_sampled or has_runs:
            return has_sampled
        wait_s = FOREIGN_S if self.foreign.is_any else LOOK_OUT_S
        return self._monotonic() - self._looked_at >= wait_s - 0.05

    def _look_for_foreign(self, watched: list[Watched], has_looked: bool) -> list[e.Event]:
        self._looked_at = self._monotonic()
        if not has_looked:
            self._prober.table.look()
        ours = [proc for use in self._prober.uses.values() for proc in use.procs] if watched else []
        builds = self.foreign.look((one.supervisor for one in watched), ours)
        return [] if builds is None else [e.ForeignSeen(self._clock(), builds)]
