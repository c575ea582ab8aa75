"""Whose process the kernel killed: its log and counters against what is known of runs. No I/O."""

from collections.abc import Callable, Collection, Iterable, Mapping

from core import events as e
from core.values import dataclass
from core.watch.deaths import Death
from core.watch.oom import Killed

EVIDENCE_WITHIN_S = 1.2
"""A run whose process was killed says so, or is seen to have failed, within this time."""
_PIDS_OF_A_LINK = 256
"""A driver, its collect2 and their linker are started right after the front; so are others on a busy machine."""
_CLOCKS_S = 0.5
"""The kernel stamps its log by another clock."""
_BEFORE_S, _AFTER_S = 1.0, 3.0
"""What failed so long before a kill, or after it, did not fail of it."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A run that may have lost a process."""

    run: str
    agent: str
    group: str
    """Its memory cgroup; empty: not known."""
    failed_at: float | None
    """When a link of it failed last, or it was said that something died of signal 9; None: never."""
    unit: str
    """What that was."""
    memory_bytes: int
    is_ending: bool
    """It is over: now or never."""
    link: tuple[int, float, float] | None = None
    """The link that failed last: pid of the front before it, when it began and ended; None: none did."""
    death: Death | None = None
    """Of a process of it, by signal 9, of which nothing was told yet."""


@dataclass(frozen=True, slots=True)
class Victim:
    """A process of a run that lived until lately."""

    run: str
    name: str
    unit: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class _Pending:
    at: float
    kill: Killed
    limit_bytes: int | None


class KillBook:
    """Takes kills as they are seen; gives each to the run that lost a process, as soon as that is certain."""

    def __init__(self) -> None:
        self._pending: list[_Pending] = []

    def add(self, at: float, kills: Iterable[Killed], limit_of: Callable[[Killed], int | None]) -> None:
        """Take kills that the kernel named."""
        self._pending += [_Pending(at, kill, limit_of(kill)) for kill in kills]

    @property
    def is_empty(self) -> bool:
        """No kill waits to be understood."""
        return not self._pending

    def settle(
        self, now: float, suspects: Mapping[str, Suspect], victim_of: Callable[[Killed], Victim | None],
        is_strangers: Callable[[Killed], bool],
    ) -> list[tuple[str, e.ProcessKilled]]:  # fmt: skip
        """Kills whose run is certain, and deaths of signal 9 that no kill of the kernel's explains; kills of nobody we
        know are dropped."""
        settled: list[tuple[str, e.ProcessKilled]] = []
        waiting: list[_Pending] = []
        for pending in self._pending:
            victim = victim_of(pending.kill)
            if victim is None and is_strangers(pending.kill):
                continue
            suspect = suspects.get(victim.run) if victim else _blame(pending, suspects.values(), now)
            if suspect is not None:
                settled.append((suspect.run, _event(pending, suspect, victim, suspects.values(), now)))
            elif now - pending.at < EVIDENCE_WITHIN_S and victim is None:
                waiting.append(pending)
        self._pending = waiting
        explained = {run for run, _ in settled}
        return settled + [
            (one.run, e.ProcessKilled(now, None, one.death.name, one.death.unit, False, None, None))
            for one in suspects.values()
            if one.death is not None and one.run not in explained
            and (one.is_ending or now - one.death.at >= EVIDENCE_WITHIN_S)
        ]  # fmt: skip


def _blame(pending: _Pending, suspects: Collection[Suspect], now: float) -> Suspect | None:
    """The run of a process that was never seen alive: it lived for less than a sample.

    The one that failed just then, of those in the cgroup that the kernel names. One that did not fail is blamed only
    where it is alone in a group of its own. A link that failed while the kill was done, and whose processes have just
    those numbers, proves more than any group: a build may move its parts into others.
    """
    group = pending.kill.group
    linked = [one for one in suspects if one.link is not None and _is_of_link(pending, one.link)]
    if len(linked) == 1:
        return linked[0]
    near = [one for one in suspects if not group or not one.group or _is_within(group, one.group)]
    was = pending.at - pending.kill.age_s
    failed = [
        one for one in near if (at := _failed(one, pending.kill)) is not None and -_BEFORE_S <= at - was <= _AFTER_S
    ]
    if len(failed) == 1:
        return failed[0]
    is_late = now - pending.at >= EVIDENCE_WITHIN_S / 2 or any(one.is_ending for one in near)
    alone = [one for one in near if one.group not in ("", "/") and one.group == group]
    return alone[0] if is_late and not failed and len(near) == 1 and alone else None


def _failed(suspect: Suspect, kill: Killed) -> float | None:
    """When it failed as one fails whose process was killed. Where the kernel names nobody, only signal 9 counts."""
    if kill.pid:
        return suspect.failed_at
    return suspect.death.at if suspect.death is not None else None


def _is_of_link(pending: _Pending, link: tuple[int, float, float]) -> bool:
    front, began, ended = link
    was = pending.at - pending.kill.age_s
    return 0 < pending.kill.pid - front <= _PIDS_OF_A_LINK and began - _CLOCKS_S <= was <= ended + _CLOCKS_S


def _is_within(group: str, of: str) -> bool:
    return of in ("", "/") or group == of or group.startswith(of + "/")


def _event(
    pending: _Pending, suspect: Suspect, victim: Victim | None, suspects: Iterable[Suspect], now: float
) -> e.ProcessKilled:
    kill = pending.kill
    others = sorted((one for one in suspects if one.run != suspect.run), key=lambda one: -one.memory_bytes)
    return e.ProcessKilled(
        at=now,
        pid=kill.pid,
        name=kill.name,
        unit=victim.unit if victim and victim.unit else suspect.unit,
        is_oom=True,
        size_bytes=kill.anonymous_bytes,
        limit_bytes=pending.limit_bytes if kill.is_group else None,
        others=tuple((one.agent, one.memory_bytes) for one in others[:5] if one.memory_bytes),
    )
