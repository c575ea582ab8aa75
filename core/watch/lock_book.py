"""What successive looks at locks mean for runs: who began to wait for whom, and what it paid. No I/O."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from core import events as e
from core.host import Held, Owner, Waiter
from core.values import dataclass
from core.watch.locks import NOISE_S, between, chain

Fact = tuple[str, e.LockBlocked | e.LockPassed]
"""Run, and what is to tell of it."""


@dataclass(frozen=True, slots=True)
class _Told:
    """A wait that was told."""

    event: e.LockBlocked
    run: str
    known_until: float | None = None
    """Another engine told it, and saw it last then."""


class LockBook:
    """Turns looks into facts."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, int], _Told] = {}
        """By path and pid of who waits."""
        self._looked_at = float("-inf")

    def remember(self, locks: Sequence[Held], seen_at: float) -> None:
        """Waits that another engine told, and saw last at that time."""
        for held in locks:
            for waiter in held.waiters:
                if waiter.owner.run:
                    told = _Told(_blocked(seen_at, held, waiter, locks), waiter.owner.run, seen_at)
                    self._told[held.path, waiter.owner.pid] = told

    def update(self, now: float, locks: Sequence[Held]) -> list[Fact]:
        """What is new to tell, with the run that it is about."""
        waits = {(held.path, waiter.owner.pid): (held, waiter) for held in locks for waiter in held.waiters}
        facts = self._passed(now, waits.keys())
        for key, (held, waiter) in waits.items():
            if not waiter.owner.run or now - waiter.since < NOISE_S:
                continue
            event = _blocked(now, held, waiter, locks)
            before = self._told.get(key)
            if before is None or _is_other(before.event, event):
                facts.append((waiter.owner.run, event))
            elif before.known_until is None:
                continue
            self._told[key] = _Told(event, waiter.owner.run)
        self._looked_at = now
        return facts

    def _passed(self, now: float, waiting: AbstractSet[tuple[str, int]]) -> list[Fact]:
        """Waits that are over; a run of which another process still waits is told of that one again."""
        facts: list[Fact] = []
        ended = between(self._looked_at, now)
        for key, told in list(self._told.items()):
            if key in waiting:
                continue
            del self._told[key]
            facts.append((told.run, _passed(told.event, now, ended if told.known_until is None else told.known_until)))
            others = [other.event for other in self._told.values() if other.run == told.run]
            facts += [(told.run, other) for other in others[:1]]
        return facts


def _blocked(now: float, held: Held, waiter: Waiter, locks: Sequence[Held]) -> e.LockBlocked:
    holder = held.holders[0] if held.holders else None
    return e.LockBlocked(
        at=now,
        kind=held.kind,
        path=held.path,
        since=waiter.since,
        holder_pid=holder.pid if holder else None,
        holder_run=holder.run if holder else "",
        holder_agent=holder.agent if holder else "",
        holder=holder.command if holder else "",
        holder_cwd=holder.cwd if holder else "",
        holder_since=held.since,
        behind=tuple(_name(owner) for owner in chain(locks, waiter.owner.pid)[1:]),
    )


def _is_other(before: e.LockBlocked, now: e.LockBlocked) -> bool:
    return (before.holder_pid, before.behind) != (now.holder_pid, now.behind)


def _passed(blocked: e.LockBlocked, now: float, ended: float) -> e.LockPassed:
    waited_s = round(max(0.0, ended - blocked.since), 3)
    return e.LockPassed(now, blocked.kind, blocked.path, waited_s, blocked.holder_agent, blocked.holder)


def _name(owner: Owner) -> str:
    return owner.agent or owner.command or f"process {owner.pid}"
