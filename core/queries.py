"""Values derived from a Board: panes, estimates, who waits for whom. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping

from core import events as e
from core.state import Board, Run, RunState
from core.values import dataclass

_TARGET_LOCKS = ("artifact directory", "build directory")
_PROFILE_FOLDERS = {"dev": "debug", "test": "debug", "bench": "release"}
_LEAST_ELAPSED_S = 1.0
"""Before this an observed speed means nothing."""

_BY_URGENCY = (
    RunState.FAILED, RunState.LOST, RunState.KILLED, RunState.WAITING, RunState.BUILDING, RunState.LINKING,
    RunState.TESTING, RunState.RUNNING, RunState.QUEUED, RunState.DONE, RunState.STOPPED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pane:
    """An agent on the board."""

    agent: str
    run: Run
    """Its newest live run, else its newest."""
    others: int
    """Further live runs of the agent."""


def panes(board: Board) -> tuple[Pane, ...]:
    """One pane an agent, in the order in which agents first appeared."""
    by_agent: dict[str, list[Run]] = {}
    for run in board.runs.values():
        by_agent.setdefault(run.agent, []).append(run)
    found = []
    for agent, runs in by_agent.items():
        live = [run for run in runs if not run.state.is_over]
        found.append(Pane(agent, (live or runs)[-1], max(0, len(live) - 1)))
    return tuple(found)


def tells_units(run: Run) -> bool:
    """How many units it built is known: it is cargo's, or cargo ran in it."""
    return run.tool == "cargo" or bool(run.units_built or run.units_fresh)


def elapsed_s(run: Run, now: float) -> float:
    """Seconds since the start, or how long it took."""
    if run.ended is not None:
        return run.ended.wall_s
    return max(0.0, (run.ended_at if run.ended_at is not None else now) - run.started_at)


def eta_s(run: Run, now: float) -> float | None:
    """Seconds that are probably left; None where history says nothing.

    The seconds that the remaining crates took before, divided by how many ran at once so far; what is in flight
    counts with what is left of it. Early, and where no crate is known, the typical wall time less the elapsed.
    """
    typical = run.typical
    if typical is None or run.state.is_over or run.is_build_over:
        return None
    elapsed = elapsed_s(run, now)
    crates = run.typical_s
    total = sum(crates.values())
    if not crates or total <= 0:
        return max(0.0, typical.wall_s - elapsed)
    if run.units_total is not None and run.units_total <= run.units_done:
        return 0.0
    done = sum(crates.get(name, s) for name, s in run.finished_s.items())
    usual = max(1.0, total / typical.wall_s) if typical.wall_s > 0 else 1.0
    speed = done / elapsed if elapsed > _LEAST_ELAPSED_S and done > total * 0.05 else usual
    return _work_left_s(run, crates, now) / max(speed, usual / 4)


def _work_left_s(run: Run, crates: Mapping[str, float], now: float) -> float:
    """Compile seconds of what is not finished. Of the crates that wait for their turn some may be fresh: where
    fewer units remain than crates are known, the known seconds count in that proportion."""
    flying = {unit.name for unit in run.in_flight}
    begun = sum(max(0.0, crates.get(unit.name, 0.0) - (now - unit.since)) for unit in run.in_flight)
    ahead = [s for name, s in crates.items() if name not in run.finished_s and name not in flying]
    if run.units_total is None or not ahead:
        return begun + sum(ahead)
    remaining = max(0, run.units_total - run.units_done - len(flying))
    return begun + sum(ahead) * min(1.0, remaining / len(ahead))


def fraction(run: Run) -> float | None:
    """How much of the units is done, 0..1; None where no total is known."""
    if not run.units_total:
        return None
    return min(1.0, run.units_done / run.units_total)


def holder_of(board: Board, run: Run) -> Run | None:
    """The live run that a waiting one probably waits for: it builds into the same folder, began before, and waits
    for nobody itself. None where the lock is not one of a target dir, or no such run is ours."""
    if run.blocked is not None:
        return board.runs.get(run.blocked.holder_run)
    if run.target_dir is None or run.waits_for not in _TARGET_LOCKS:
        return None
    others = [
        other
        for other in board.runs.values()
        if other.run != run.run
        and other.target_dir == run.target_dir
        and not (other.state.is_over or other.is_build_over)
    ]
    by_fit = sorted(others, key=lambda o: (o.waits_for is not None, _profile(o) != _profile(run), o.run))
    return by_fit[0] if by_fit else None


def _profile(run: Run) -> str:
    """The folder of the target dir that a command builds into, as far as its words tell."""
    words = run.command.split(" -- ")[0].replace("--profile=", "--profile ").split()
    if "--profile" in words[:-1]:
        named = words[words.index("--profile") + 1]
        return _PROFILE_FOLDERS.get(named, named)
    is_release = run.subcommand == "bench" or "--release" in words or "-r" in words
    return "release" if is_release else "debug"


def waits_on(board: Board, run: Run) -> str | None:
    """Whom and what a run waits for, as a colleague would say it; None where it does not wait."""
    if run.waits_for is None:
        return None
    if run.blocked is not None:
        return f"waits for {_whose(run, run.blocked)} · {run.blocked.kind} lock"
    holder = holder_of(board, run)
    if holder is None:
        return f"waits for the {run.waits_for} lock"
    whose = f"{holder.agent}'s build" if holder.agent != run.agent else "its other build"
    return f"waits for {whose} · {run.waits_for} lock"


def _whose(run: Run, blocked: e.LockBlocked) -> str:
    behind = f", who waits for {blocked.behind[0]}" if blocked.behind else ""
    if blocked.holder_agent:
        own = blocked.holder_agent == run.agent
        return ("its other build" if own else f"{blocked.holder_agent}'s build") + behind
    if blocked.holder_pid is None:
        return "nobody that is to be seen"
    where = f" in {blocked.holder_cwd}" if blocked.holder_cwd else ""
    return f"{blocked.holder or 'a process'}{where} (not ours, pid {blocked.holder_pid}){behind}"


def waits_text(board: Board, run: Run, now: float) -> str | None:
    """The same with how long."""
    text = waits_on(board, run)
    if text is None:
        return None
    return f"{text} · {max(0, int(now - (run.waits_since if run.waits_since is not None else now)))} s"


def needs_attention(run: Run) -> bool:
    """A person should look: it failed, died unasked, waits, or nobody knows how it ended."""
    if run.state is RunState.KILLED:
        return run.stop is None and (run.ended is None or run.ended.stopped_by is None)
    return run.state in (RunState.FAILED, RunState.LOST, RunState.WAITING)


def summary(runs: Iterable[Run]) -> str:
    """How many are in which state, what calls for attention first: `1 failed · 3 building`; empty without runs."""
    counts = Counter(run.state for run in runs)
    return " · ".join(f"{counts[state]} {state}" for state in _BY_URGENCY if counts[state])
