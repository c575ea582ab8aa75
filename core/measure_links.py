"""Measures what settings do to one link of a run: builds it anew with each, one after another, in a folder of ours.

The builds are runs like any other, of the agent `measure`, detached and nice; the repository is not touched. Nothing
of it is on the way of a build.
"""

import json
import os
import shutil
import time
from collections.abc import Callable
from typing import Any

from core import events as e
from core.client import ensure_engine
from core.clock import Clock
from core.errors import DeckError, UsageError
from core.facts import read_exit
from core.history import read_run
from core.measure_plan import Variant, first_target, variants, with_target_dir
from core.measured import Measurement, Trial, append, profile_of
from core.measuring import scratch_folder
from core.memory_queries import MEASURING_AGENT
from core.paths import Paths
from core.plan.workspace import read_metadata
from core.run import begin
from core.run.fronts import without_fronts
from core.run.stop import is_live, stop_run
from core.state import Run
from core.values import dataclass

NICE = 10
_NAP_S = 0.05
_CLOSED_WITHIN_S = 20.0
"""An engine has put the end of a run into its journal."""
_LINKER_PROGRAMS = {"mold": ("ld.mold", "mold"), "lld": ("ld.lld",), "bfd": ("ld.bfd",)}


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be built."""

    run: str
    """That linked it."""
    unit: str
    checkout: str
    profile: str
    cwd: str
    env: dict[str, str]
    variants: tuple[Variant, ...]

    @property
    def full_builds(self) -> int:
        """Builds that compile all crates."""
        return sum(variant.is_full for variant in self.variants)


def make_plan(paths: Paths, run: str, unit: str | None) -> Plan:
    """What to build for a link of a run: of the unit, else of the members' the one with the highest peak.

    Raises:
        UsageError: the run linked nothing that can be measured, or its command cannot be repeated.
        StateError: cargo does not say what is in the workspace.
    """
    if not is_live(paths, run):
        _until_closed(paths, run)
    links = _links(read_run(paths, run), run, unit)
    record = _record(paths, run)
    env = {k: v if v is not None else os.environ.get(k) for k, v in record["env"].items()}
    known = {name: value for name, value in env.items() if value is not None and not name.startswith("DECK_")}
    parsed, _ = begin.parse_cargo(tuple(record["typed"]), record["cwd"], known)
    if parsed.command is None or not parsed.is_known or record["tool"] != "cargo":
        raise UsageError(f"`{record['command']}` is no build of cargo's that can be narrowed to one target")
    metadata = _metadata(parsed.value("manifest-path"), record["cwd"], known)
    named, target = first_target((one.unit for one in links), metadata, parsed.options.get("package", ()))
    link = next(one for one in links if one.unit == named)
    found = variants(parsed, target, _linkers(link.linker, known), has_debug=link.debug_bytes != 0)
    return Plan(run, link.unit, record["checkout"], profile_of(link.output), record["cwd"], known, found)


def _links(run: Run | None, name: str, unit: str | None) -> list[e.LinkEnded]:
    """Of the unit, else all; the highest peak first."""
    links = [link for link in run.link_ends if link.unit and link.output_bytes] if run is not None else []
    fitting = [link for link in links if unit in (None, link.unit)]
    if not fitting:
        none = "none, or they were too short to be seen"
        named = ", ".join(dict.fromkeys(link.unit for link in links)) or none
        raise UsageError(f"run {name} linked no {unit or 'unit of cargo'}: its links are: {named}")
    return sorted(fitting, key=lambda link: -link.peak_bytes)


def _record(paths: Paths, run: str) -> dict[str, Any]:
    path = paths.run(run) + "/run.json"
    try:
        with open(path, "rb") as file:
            record = json.load(file)
        if record.get("is_masked"):
            raise UsageError(f"the command line or the flags of {run} held a credential, which is not recorded")
        if not {"env", "typed", "cwd", "tool", "checkout", "command"} <= record.keys():
            raise ValueError
    except (OSError, ValueError, TypeError, AttributeError):
        raise UsageError(f"{path} cannot be read: build it once more, then measure that run") from None
    return dict(record)


def _metadata(manifest: str | None, cwd: str, env: dict[str, str]) -> dict[str, Any]:
    cargo = begin.find_cargo(env)
    if cargo is None:
        raise UsageError("cargo was not found on PATH")
    return read_metadata(cargo, manifest, cwd, env)


def _linkers(now: str, env: dict[str, str]) -> list[str]:
    """Those that are installed, without the one in use."""
    path = without_fronts(env.get("PATH", ""))
    same = "lld" if now == "rust-lld" else now
    return [
        name
        for name, programs in _LINKER_PROGRAMS.items()
        if name != same and any(shutil.which(program, path=path) for program in programs)
    ]


def measure(paths: Paths, plan: Plan, clock: Clock, tell: Callable[[Trial], None]) -> Measurement:
    """Build all variants and keep what was measured; `tell` gets each trial when it is done. Takes minutes.

    Raises:
        StateError: somebody measures already, or there is no room.
        DeckError: a build could not be started. What was measured until then is lost.
    """
    with scratch_folder(paths, "target") as folder:
        ensure_engine(paths)
        os.nice(NICE)  # the supervisors are ours, and their builds theirs
        trials = []
        for variant in plan.variants:
            trials.append(_trial(paths, plan, variant, folder))
            tell(trials[-1])
    measurement = Measurement(clock(), plan.checkout, plan.unit, plan.profile, tuple(trials))
    append(paths, measurement)
    return measurement


def _trial(paths: Paths, plan: Plan, variant: Variant, folder: str) -> Trial:
    words = with_target_dir(variant.words, folder)
    try:
        run = begin.start_detached(paths, agent=MEASURING_AGENT, cwd=plan.cwd, words=words, tool="cargo", env=plan.env)
    except DeckError as error:
        return _failed(variant, "", str(error))
    try:
        _until_over(paths, run)
    except BaseException:
        stop_run(paths, run, kill=False)
        raise
    found = read_run(paths, run)
    links = [link for link in found.link_ends if link.unit == plan.unit] if found is not None else []
    if not links or links[-1].output_bytes is None:
        ended = read_exit(paths, run)
        code = ended.ended.code if ended is not None else None
        return _failed(variant, run, f"not linked, exit {'unknown' if code is None else code}")
    link = links[-1]
    if variant.linker and link.linker != variant.linker:
        return _failed(variant, run, f"{link.linker or 'another linker'} linked: a setting of yours chooses it")
    return Trial(variant.setting, link.peak_bytes or None, link.elapsed_s, link.output_bytes, link.linker,
                 link.is_sampled, run)  # fmt: skip


def _failed(variant: Variant, run: str, why: str) -> Trial:
    return Trial(variant.setting, None, None, None, variant.linker, False, run, why)


def _until_over(paths: Paths, run: str) -> None:
    """Until the build has ended and its journal says so."""
    ensure_engine(paths)
    while is_live(paths, run):
        time.sleep(_NAP_S)
    _until_closed(paths, run)


def _until_closed(paths: Paths, run: str) -> None:
    """Until an engine has read what a build that is over left behind."""
    ends = time.monotonic() + _CLOSED_WITHIN_S
    while os.path.exists(f"{paths.open}/{run}") and time.monotonic() < ends:
        ensure_engine(paths)
        time.sleep(_NAP_S)
