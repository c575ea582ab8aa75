"""Measures what levers do to one call of nvcc, as a build made it: into a scratch folder, in rounds, each with all of
them in random order beside the call as it is, twice. The repository is not touched, and no build is in the way.
"""

import contextlib
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from core.clock import Clock, monotonic
from core.errors import StateError, UsageError
from core.measuring import scratch_folder
from core.native.edits.lever_figures import Figure, Measurement, append, interval, noise_of, verdict_of
from core.native.edits.levers import MOST_PARALLEL, Lever, levers_of, parallel_levers, redirected
from core.native.traces.nvcc_calls import NvccCall, calls_of_run
from core.native.traces.nvcc_words import is_repeatable
from core.paths import Paths
from core.plan.small_file import read_object
from core.run.fronts import without_fronts
from core.runs import run_ids
from core.values import dataclass

_MOST_RUNS = 2000
"""In which a call is looked for, newest first."""
_WITHIN_S = 1800.0
"""Of one call."""
_MAX_SAID = 300
_RELEASE = re.compile(rb"V(\d+\.\d+\.\d+)")


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be measured."""

    source: str
    call: NvccCall
    env: Mapping[str, str]
    families: tuple[tuple[Lever, ...], ...]
    """Each begins with what its others are compared with, and that again."""
    version: str
    cores: int


class _Took(NamedTuple):
    """One trial."""

    wall_s: float
    peak_bytes: int
    output_bytes: int
    trouble: str = ""


def make_plan(paths: Paths, source: str, *, env: Mapping[str, str], cores: int, arch: str = "") -> Plan:
    """What to measure for a source, by the last call that compiled it.

    Raises:
        UsageError: no such call is known, or it cannot be repeated.
    """
    run, call = _last_call(paths, os.path.normpath(source))
    if not is_repeatable(call.argv):
        raise UsageError(f"the command line of {call.sources[0]} held a credential, which is not recorded")
    if not os.access(call.tool, os.X_OK) or not os.path.isdir(call.cwd):
        raise UsageError(f"{call.tool} in {call.cwd} is not there any more: build {source} once more")
    known = _environment(paths, run, env)
    single = levers_of(call.argv, call.archs, cores, arch)
    others = [one.argv for one in calls_of_run(paths, run) if one.kind == call.kind and one.cwd == call.cwd
              and one.code == 0 and one.sources != call.sources and is_repeatable(one.argv)]  # fmt: skip
    several = parallel_levers([call.argv, *others[: MOST_PARALLEL - 1]], cores)
    families = (single, several) if several else (single,)
    return Plan(call.sources[0], call, known, families, version_of(call.tool, known), cores)


def _last_call(paths: Paths, source: str) -> tuple[str, NvccCall]:
    for run in reversed(run_ids(paths)[-_MOST_RUNS:]):
        for call in reversed(calls_of_run(paths, run)):
            if source in call.sources and call.makes and call.code == 0:
                return run, call
    raise UsageError(f"no call of nvcc that compiled {source} is known: build it once more with cargo deck")


def _environment(paths: Paths, run: str, env: Mapping[str, str]) -> dict[str, str]:
    """Of the build, as far as it was recorded; without anything of ours."""
    kept = read_object(paths.run(run) + "/run.json").get("env")
    known = dict(env)
    if isinstance(kept, dict):
        known = {name: value if isinstance(value, str) else env.get(name, "") for name, value in kept.items()}
    known = {name: value for name, value in known.items() if not name.startswith("DECK_")}
    return {**known, "PATH": without_fronts(known.get("PATH", ""))}


def version_of(tool: str, env: Mapping[str, str]) -> str:
    """`13.0.88`; empty: it does not say."""
    try:
        done = subprocess.run([tool, "--version"], env=dict(env), capture_output=True, stdin=subprocess.DEVNULL,
                              timeout=20, check=False)  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = _RELEASE.search(done.stdout)
    return found[1].decode() if found else ""


def measure(paths: Paths, plan: Plan, rounds: int, clock: Clock, tell: Callable[[str], None]) -> Measurement:
    """Make all calls, and keep what was measured; `tell` hears of each round.

    Raises:
        StateError: somebody measures already, or the call as it is fails.
    """
    figures: list[Figure] = []
    noise = 0.0
    with scratch_folder(paths, "levers") as folder:
        for number, family in enumerate(plan.families):
            found, family_noise = _measure_family(plan, family, rounds, folder, tell)
            noise = noise if number else family_noise
            figures += found
    one = Measurement(clock(), plan.source, plan.version, plan.cores, rounds, noise, tuple(figures))
    append(paths, one)
    return one


def _measure_family(
    plan: Plan, family: Sequence[Lever], rounds: int, folder: str, tell: Callable[[str], None]
) -> tuple[list[Figure], float]:
    base = family[0]
    warm = _trial(plan, base, folder)  # files are in memory for all that follow
    if warm.trouble:
        raise StateError(f"{plan.call.sources[0]} is not compiled as it was: {warm.trouble}")
    taken: dict[str, list[_Took]] = {lever.name: [] for lever in family}
    rng = random.Random()
    for number in range(rounds):
        for lever in rng.sample(family, len(family)):
            if not any(took.trouble for took in taken[lever.name]):
                taken[lever.name].append(_trial(plan, lever, folder))
        tell(f"round {number + 1} of {rounds}: {base.name} {taken[base.name][-1].wall_s:.2f} s")
    control = _ratios(taken[base.name], taken[family[1].name])
    if not control:
        tried = (*taken[base.name], *taken[family[1].name])
        trouble = next((took.trouble for took in tried if took.trouble), "no round was measured")
        raise StateError(f"{plan.call.sources[0]} is not always compiled as it was: {trouble}")
    noise = noise_of(control)
    return [_figure(lever, base, taken, noise) for lever in family], noise


def _ratios(base: Sequence[_Took], others: Sequence[_Took]) -> list[float]:
    """Round by round; none where one failed."""
    if any(took.trouble for took in (*base, *others)):
        return []
    return [other.wall_s / one.wall_s for one, other in zip(base, others, strict=False) if one.wall_s > 0]


def _figure(lever: Lever, base: Lever, taken: Mapping[str, Sequence[_Took]], noise: float) -> Figure:
    own = taken[lever.name]
    trouble = next((took.trouble for took in own if took.trouble), "")
    if trouble or not own:
        return Figure(lever.name, lever.gives, None, None, None, None, "", None, None, trouble or "it was not tried")
    wall_s = median(took.wall_s for took in own)
    peak, size = max(took.peak_bytes for took in own), own[-1].output_bytes
    ratios = _ratios(taken[base.name], own)
    if lever.name == base.name or not ratios:
        return Figure(lever.name, lever.gives, wall_s, None, None, None, "", peak, size)
    low, high = interval(ratios)
    return Figure(lever.name, lever.gives, wall_s, median(ratios), low, high, verdict_of(ratios, noise), peak, size)


def _trial(plan: Plan, lever: Lever, folder: str) -> _Took:
    """Make the calls of a lever, so many at once, each into a folder of its own."""
    waiting = [lever.argv, *lever.more]
    places: list[str] = []
    for at in range(len(waiting)):
        places.append(f"{folder}/{at}")
        shutil.rmtree(places[-1], ignore_errors=True)
        os.makedirs(places[-1] + "/tmp")
    began = monotonic()
    running: dict[int, str] = {}
    peak, trouble = 0, ""
    number = 0
    try:
        while running or number < len(waiting):
            while number < len(waiting) and len(running) < lever.jobs:
                running[_start(plan, waiting[number], places[number])] = places[number]
                number += 1
            pid, status, usage = _wait_any(running, began)
            place = running.pop(pid)
            peak = max(peak, usage.ru_maxrss * 1024)
            if status:
                trouble = trouble or _said(place, status)
                number = len(waiting)
    finally:
        for pid in running:
            _end(pid)
    wall_s = monotonic() - began
    size = sum(_size(place) for place in places)
    return _Took(wall_s, peak, size, trouble)


def _start(plan: Plan, argv: Sequence[str], place: str) -> int:
    words = redirected(argv, place)
    with open(place + "/said", "wb") as said:
        child = subprocess.Popen(
            [plan.call.tool, *words], cwd=plan.call.cwd, env={**plan.env, "TMPDIR": place + "/tmp"},
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip
    child.returncode = 0  # it is waited for by `os.wait4`, which tells what it used
    return child.pid


def _wait_any(running: Mapping[int, str], began: float) -> tuple[int, int, resource.struct_rusage]:
    while monotonic() - began < _WITHIN_S:
        for pid in running:
            found, status, usage = os.wait4(pid, os.WNOHANG)
            if found:
                return pid, status, usage
        time.sleep(0.002)
    raise StateError(f"a call of nvcc took more than {_WITHIN_S:g} s: nothing is measured")


def _end(pid: int) -> None:
    """It and what it started, and wait for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _said(place: str, status: int) -> str:
    try:
        with open(place + "/said", "rb") as file:
            text = file.read(1 << 16).decode("utf-8", "replace")
    except OSError:
        text = ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    code = os.waitstatus_to_exitcode(status)
    how = f"exit {code}" if code >= 0 else f"signal {-code}"
    return f"{how}: {lines[-1][:_MAX_SAID]}" if lines else how


def _size(place: str) -> int:
    """Of what a call made."""
    return sum(entry.stat().st_size for entry in os.scandir(place) if entry.is_file() and entry.name != "said")
