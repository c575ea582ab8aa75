"""Ways to build a project that advice is tried with: as it is, and with what each advice would set."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from core.native.gains.advice import Advice
from core.native.gains.split import Split
from core.native.staleness.doctor import Place
from core.native.staleness.stale import Case
from core.native.traces.build_tree import all_files
from core.native.traces.cmake_cache import CACHE_FILE, cached_value
from core.native.traces.nvcc_calls import runs_in
from core.paths import Paths
from core.plan import choose
from core.plan.given import Given, Origin
from core.plan.make import finish, prepare
from core.plan.plan import Plan, Setting
from core.plan.small_file import read_object
from core.run import begin, cache, decided

AS_IS, CONTROL = "as it is", "as it is, again"
_SHORT = {"rust-lld": "lld"}
_LESS = {"none": "", "line-directives-only": "none", "line-tables-only": "none"}
"""Fewer debug symbols than these are none; than all others, line tables."""
_LOST = {"none": "backtraces without lines", "line-tables-only": "a debugger shows no variables"}


class Arm(NamedTuple):
    """One way to build."""

    name: str
    """AS_IS, CONTROL; else what is tried: `linker mold`."""
    advice: Advice | None = None
    flags: tuple[str, ...] = ()
    """For cargo."""
    env: tuple[tuple[str, str], ...] = ()
    split: Split | None = None
    has_sccache: bool = False
    gives: str = ""
    """What is different in what it makes; empty: nothing."""


class Offer(NamedTuple):
    """What there is to be said of an advice here, before anything is tried."""

    advice: Advice
    arm: Arm | None
    """None: it cannot be had, or is there already."""
    why: str = ""
    """Why there is no arm, or what is so now."""
    way: str = ""
    """How to have it for good."""
    is_met: bool = False
    """What builds here does it by itself: no time can be saved, as `why` says. It can be tried all the same."""


class Project(NamedTuple):
    """Where advice is wanted, and what builds there."""

    paths: Paths
    place: Place
    words: tuple[str, ...]
    """Cargo's, from the subcommand on."""
    cases: tuple[Case, ...]
    mode: str | None = None
    """That the last build was given on its command line; None: files and variables say."""


def last_mode(paths: Paths, place: Place) -> str | None:
    """Value of `--mode` of the last recorded build there; None: it had none."""
    for run in runs_in(paths, (place.build_dir, place.target_dir)):
        record = read_object(f"{paths.run(run)}/run.json")
        if record.get("tool") == "cargo":
            mode = record.get("mode")
            return mode if record.get("mode_origin") == choose.FLAG and isinstance(mode, str) else None
    return None


def plan_with(project: Project, extra: Mapping[str, str]) -> Plan:
    """The plan of the project's build, with more options than its mode has.

    Raises:
        ModeRefused: The mode of its last build is none any more.
    """
    command = begin.command_of(project.paths, project.words, project.place.workspace, dict(project.place.env))
    ready = prepare(project.paths, command, flag=project.mode, may_ask=True)
    if extra:
        mode = ready.wish.mode
        options = {**mode.options, **{name: Given(value, Origin("advice")) for name, value in extra.items()}}
        mode = mode._replace(name=mode.name or "advice", options=options)
        ready = ready._replace(wish=ready.wish._replace(mode=mode))
    return finish(ready, decided.own_target(command), cache.Chosen()).plan


def base_arms(plan: Plan) -> tuple[Arm, Arm]:
    """The build as it is, twice."""
    return Arm(AS_IS, flags=plan.flags, env=plan.env), Arm(CONTROL, flags=plan.flags, env=plan.env)


def offer_debug(project: Project, plan: Plan) -> Offer:
    """Fewer debug symbols than now; the user's own setting gives way, for that is what is advised."""
    now, profile = _row(plan, "debug"), _row(plan, "profile")
    less = _LESS.get(now.value, "line-tables-only")
    if not less:
        return Offer(Advice.DEBUG, None, f"no debug symbols are made in profile {profile.value}")
    key = f"profile.{profile.value}"
    flags = (*plan.flags, "--config", f"{key}.debug={json.dumps(less)}", "--config", f'{key}.package."*".debug=false')
    why = f"debug = {now.value} now" + (f" ({now.origin.shown})" if now.origin.place else "")
    lines = f'debug = "{less}", deps-debug = "none"'
    way = f'[{key}] debug = "{less}" in Cargo.toml' if now.by == "user" else f"{lines} in a mode of deck.toml"
    if less == "line-tables-only" and now.by != "user":
        way += ", or --mode dev, which has them"
    return Offer(Advice.DEBUG, Arm(f"debug = {less}", Advice.DEBUG, flags, plan.env, gives=_LOST[less]), why, way)


def offer_linker(project: Project, plan: Plan) -> Offer:
    """mold or lld, whichever is not there yet."""
    now = _row(plan, "linker")
    if now.by == "user":
        return Offer(Advice.LINKER, None, f"{now.value} links here, as {now.origin.shown} says")
    refused = []
    for name in ("mold", "lld"):
        if name == _SHORT.get(now.value, now.value):
            continue
        found = plan_with(project, {"linker": name})
        row = _row(found, "linker")
        if row.value == name and found.flags != plan.flags:
            way = f'linker = "{name}" in a mode of deck.toml'
            arm = Arm(f"linker {name}", Advice.LINKER, found.flags, found.env)
            return Offer(Advice.LINKER, arm, f"{now.value} links here now", way)
        refused.append(row.reason.removeprefix("the toolchain's default: "))
    return Offer(Advice.LINKER, None, f"nothing: {now.value} links here already; {refused[0] if refused else ''}")


def offer_jobs(project: Project, plan: Plan) -> Offer:
    """As many compilers at once as there are jobs, where CMake builds by make."""
    generators = sorted(set(_generators(project.cases)))
    if not generators:
        return Offer(Advice.JOBS, None, "nothing: no build script here has CMake build something")
    found = plan_with(project, {"cmake-parallel": "jobs"})
    row = _row(found, "cmake-parallel")
    if row.by == "user":
        return Offer(Advice.JOBS, None, f"{row.value} at once already, as {row.origin.shown} says")
    if found.env == plan.env:
        return Offer(Advice.JOBS, None, row.reason)
    arm = Arm(f"cmake-parallel {row.value}", Advice.JOBS, found.flags, found.env)
    way = 'cmake-parallel = "jobs" in a mode of deck.toml'
    if generators == ["Ninja"]:
        return Offer(Advice.JOBS, arm, "ninja starts as many at once as there are cores already", way, is_met=True)
    return Offer(Advice.JOBS, arm, f"CMake has {', '.join(generators)} build here", way)


def _generators(cases: Sequence[Case]) -> Iterator[str]:
    for case in cases:
        for path in all_files(case.script.out_dir):
            folder, name = os.path.split(path)
            if name == CACHE_FILE and (generator := cached_value(folder, "CMAKE_GENERATOR")):
                yield generator


def offer_sccache(project: Project, plan: Plan) -> Offer:
    """A compiler cache before rustc."""
    command = begin.command_of(project.paths, project.words, project.place.workspace, dict(project.place.env))
    if command.config.rustc_wrapper:
        return Offer(Advice.SCCACHE, None, f"rustc goes through {command.config.rustc_wrapper} already")
    arm = Arm("sccache", Advice.SCCACHE, plan.flags, plan.env, has_sccache=True,
              gives="nothing incremental")  # fmt: skip
    why = "it answers what was compiled before, elsewhere or before a clean; a new edit never was"
    return Offer(Advice.SCCACHE, arm, why, 'cache = "sccache" in a mode of deck.toml, or --cache sccache')


def _row(plan: Plan, name: str) -> Setting:
    return next((row for row in plan.settings if row.name == name), Setting(name, "", "cargo", "it is not known"))
