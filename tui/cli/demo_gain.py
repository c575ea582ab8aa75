"""What the store that four agents filled gives to a fifth, measured beside plain cargo and told as it is."""

import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from core import events as e
from core.client import ensure_engine
from core.clock import monotonic
from core.errors import DeckError, JournalError, StateError
from core.journal import read_journal
from core.paths import Paths
from core.reduce import reduce_run
from core.run import begin
from core.run.stop import is_live
from core.run_plan import read_plan
from core.state import Run, RunState
from core.values import dataclass
from tui import format as f

FILLS = "claude-1"
"""Who compiles the crates that the fifth agent shares, with the same settings."""
AGENT, BESIDE = "claude-5", "no-cache"
WORDS = ("build", "--workspace")
CHECKOUTS = (AGENT, "plain")
"""Folders of their own below the scratch folder: the fifth agent's, and plain cargo's."""
KIND = "DECK_CACHE"
_PULL_S = 0.2
_LIMIT_S = 1800.0
_EQUAL = 0.05
"""Two times that differ by less are not told apart."""


@dataclass(frozen=True, slots=True)
class Gain:
    """What was measured."""

    hits: int
    units: int
    """Compilations that had to be made; 0: none went through a cache."""
    seconds: float
    plain_s: float
    reason: str = ""
    """Why nothing went through a cache."""
    is_alone: bool = True
    """False: other builds ran while these two did."""


def sentence(gain: Gain) -> str:
    """The gain as a colleague would tell it."""
    return _sentence(gain) + ("" if gain.is_alone else " Other builds ran meanwhile.")


def _sentence(gain: Gain) -> str:
    took, plain = f.seconds(gain.seconds), f.seconds(gain.plain_s)
    if not gain.units:
        why = f" ({gain.reason})" if gain.reason else ""
        return f"{AGENT} in a second checkout had no compiler cache{why}: {took}; plain cargo took {plain}."
    said = f"{AGENT} in a second checkout: {gain.hits} of {gain.units} units came from the store, {took}"
    if gain.seconds < gain.plain_s * (1 - _EQUAL):
        return f"{said}; plain cargo took {plain}."
    much = "slower" if gain.seconds > gain.plain_s * (1 + _EQUAL) else "no faster"
    return f"{said}: {much} than plain cargo, which took {plain}."


def measure(paths: Paths, folder: str, env: Mapping[str, str]) -> Gain:
    """Build in two fresh checkouts, one after the other: the fifth agent with the cache, then cargo alone.

    Raises:
        StateError, SpawnError: one of them could not be started, or failed.
    """
    run = start(paths, folder, env)
    try:
        told = await_end(paths, run)
    except KeyboardInterrupt:
        from tui.cli.manage import main_stop

        main_stop([run])
        raise
    if told is None or told.state is not RunState.DONE:
        raise _no_build()
    return _gain(paths, run, told, _build_plainly(f"{folder}/{CHECKOUTS[1]}", env))


def _gain(paths: Paths, run: str, told: Run, plain_s: float) -> Gain:
    if told.ended is None or told.state is not RunState.DONE:
        raise _no_build()
    counts = told.cache.total
    return Gain(counts.hits, counts.all, told.ended.wall_s, plain_s, "" if counts.all else _why_none(paths, run))


def _no_build() -> StateError:
    return StateError(f"{AGENT} did not build: `cargo deck logs {AGENT}` tells more")


def cached(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of a build with a cache; a person's own choice stays."""
    return {KIND: "sccache", **env}


def uncached(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of a build without any: cargo takes an empty wrapper for none, whatever its files say."""
    return {**env, KIND: "none", "RUSTC_WRAPPER": ""}


def start(paths: Paths, folder: str, env: Mapping[str, str]) -> str:
    """Start the fifth agent; its run."""
    cwd = f"{folder}/{CHECKOUTS[0]}"
    return begin.start_detached(paths, agent=AGENT, cwd=cwd, words=WORDS, tool="cargo", env=cached(env))


def start_beside(paths: Paths, folder: str, env: Mapping[str, str]) -> str:
    """Start the same build without a cache, as a pane of its own; its run."""
    cwd = f"{folder}/{CHECKOUTS[1]}"
    return begin.start_detached(paths, agent=BESIDE, cwd=cwd, words=WORDS, tool="cargo", env=uncached(env))


def await_end(paths: Paths, run: str) -> Run | None:
    """The run when its journal tells that it is over, and what caches did for it; None: it takes too long."""
    ends = monotonic() + _LIMIT_S
    while monotonic() < ends:
        ensure_engine(paths)  # the one that was started may be gone
        try:
            events = read_journal(paths.run(run) + "/events.jsonl").events
        except (OSError, JournalError):
            events = []
        if any(isinstance(event, (e.RunEnded, e.RunLost)) for event in events):
            return reduce_run(None, events)
        time.sleep(_PULL_S)
    return None


def _build_plainly(cwd: str, env: Mapping[str, str]) -> float:
    """Seconds that cargo alone takes."""
    cargo = begin.find_cargo(dict(env))
    if cargo is None:
        raise StateError("cargo was not found on PATH any more")
    began = monotonic()
    with subprocess.Popen(
        [cargo, *WORDS], cwd=cwd, env=uncached(env), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as build:  # fmt: skip
        try:
            code = build.wait()
        except BaseException:
            build.terminate()
            raise
    if code != 0:
        raise StateError(f"plain cargo failed in {cwd}: exit {code}")
    return monotonic() - began


def _why_none(paths: Paths, run: str) -> str:
    plan = read_plan(paths, run)
    return next((one.reason for one in plan.settings if one.setting == "cache"), "")


def follow(
    paths: Paths, folder: str, env: Mapping[str, str], runs: Mapping[str, str], tell: Callable[[Gain], None]
) -> None:
    """Build as the fifth agent once `FILLS` has filled the store, then the same without a cache: for a thread beside
    the dashboard. `runs`: agents of all that were started, by run. Who looks need not wait for the slowest of them."""
    try:
        for run in (run for run, agent in runs.items() if agent == FILLS):
            await_end(paths, run)
        is_alone = not any(is_live(paths, run) for run in runs)
        fifth = start(paths, folder, env)
        told = await_end(paths, fifth)
        beside = await_end(paths, start_beside(paths, folder, env))
        if told is not None and beside is not None and beside.state is RunState.DONE and beside.ended is not None:
            tell(replace(_gain(paths, fifth, told, beside.ended.wall_s), is_alone=is_alone))
    except DeckError:
        pass  # nothing more is built; whoever looks sees the panes that there are
