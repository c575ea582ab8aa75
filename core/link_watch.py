"""Links of all live runs that are seen among their processes: what they are goes to the journals of the runs."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from core import events as e
from core.clock import Clock
from core.run.fronts import notes_links
from core.watch.prober import Watched
from core.watch.sampled_links import LOOK_S, LinkRun, SampledLinks
from core.watch.table import ProcessTable
from core.watched import WatchedRun

MAX_SHARE = 0.003
"""Of one core, for finding links: where many processes come and go, they are looked for more rarely."""
_LATEST_WEIGHT = 0.1


class LinkWatch:
    """Between the engine's runs and the processes."""

    def __init__(self, clock: Clock, cpu_time: Clock) -> None:
        self._sampled = SampledLinks(clock)
        self._cpu_time = cpu_time
        self._cost_s = 0.0
        """Of the last looks, on average."""
        self._watched: dict[str, WatchedRun] = {}
        self._runs: dict[str, LinkRun] = {}
        self.is_needed = False
        """Something runs that may link unseen by a front; as of the last `take`."""

    def _may_link(self) -> bool:
        """What waits for a lock does not; a cargo that said nothing yet may: it is silent for its first half second."""
        return any(
            (run.record.started.tool == "exec" or not run.is_build_over)
            and not run.is_waiting
            and self._sampled.is_needed_for(self._runs[name])
            for name, run in self._watched.items()
        )

    def take(
        self, runs: Mapping[str, WatchedRun], watched: Mapping[str, Watched], over: Mapping[str, WatchedRun]
    ) -> dict[str, Watched]:
        """From now on, look at these runs, and for a last time at those that are over; `watched` with their links."""
        both = {**runs, **over}
        for gone in self._runs.keys() - both.keys():
            del self._runs[gone], self._watched[gone]
        for name, one in watched.items():
            if name not in self._runs:
                self._begin(name, runs[name], one)
        self.look()
        self.is_needed = self._may_link()
        if not self._sampled.has_links:
            return dict(watched)
        return {name: replace(one, links=(*one.links, *self._sampled.open(name))) for name, one in watched.items()}

    def _begin(self, name: str, run: WatchedRun, watched: Watched) -> None:
        self._watched[name] = run
        has_fronts = notes_links(run.folder)
        self._runs[name] = LinkRun(name, watched.supervisor, run.link_notes, run.poll_notes, has_fronts)
        self._note(self._sampled.take_over(self._runs[name], run.sampled_links))

    def look(self) -> None:
        """Look once: 0.1 ms where little is new. Between two ticks as well, because links are short."""
        if self._runs:
            began_s = self._cpu_time()
            self._note(self._sampled.look(self._runs))
            self._cost_s += (self._cpu_time() - began_s - self._cost_s) * _LATEST_WEIGHT

    @property
    def pause_s(self) -> float:
        """Until the next look; while something links, what it costs does not matter: that is soon over."""
        return LOOK_S if self._sampled.has_links else max(LOOK_S, self._cost_s / MAX_SHARE)

    def look_through(self, table: ProcessTable) -> None:
        """Find what was not new when it was looked for: linkers and compilers of a run that was found late."""
        for run in list(self._runs.values()):
            below = (proc.pid for proc in table.below(run.supervisor) if table.part(proc).role in ("linker", "rustc"))
            self._note(self._sampled.consider(below, self._runs))

    def _note(self, found: Iterable[tuple[str, e.Event]]) -> None:
        for name, event in found:
            self._watched[name].note([event])
