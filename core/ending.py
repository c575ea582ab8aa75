"""The last events of a run."""

from core import events as e
from core import facts
from core.watch import procs
from core.watched import WatchedRun


def final_events(run: WatchedRun, left: facts.Exit | None, now: float) -> list[e.Event]:
    """How it ended, with what only its end tells.

    Args:
        run: The run.
        left: What its supervisor left; None: nothing.
        now: Seconds since the epoch.
    """
    if left is None:
        supervisor = run.supervisor()
        return [e.RunLost(now, procs.survivors(run.run, supervisor[1] if supervisor else 0))]
    final: list[e.Event] = []
    if left.ended.code == 0 and run.record.json == "none":
        final += procs.finished(run.sampled, left.ended.at)
    if left.handed_to:
        final.append(e.HandedOver(left.ended.at, left.handed_to))
    return [*final, left.ended]
