"""The stale-kernel doctor: reads a target dir and finds builds that are wrong, or that go on for ever. Writes nothing
but what it saw of inputs (`core.native.staleness.seen`)."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from core.facts import read_exit, read_record
from core.git import ask_git
from core.native.staleness.closure import Ask, Ground, made_of
from core.native.staleness.cover import Cover
from core.native.staleness.input_state import read_stamp
from core.native.staleness.listing import list_package
from core.native.staleness.seen import remember
from core.native.staleness.stale import Case, World, not_known, troubles
from core.native.staleness.stale_findings import Concern, Found, found_of
from core.native.traces import nvcc_calls
from core.native.traces.fingerprint import ScriptRun, linked, script_runs
from core.native.traces.nvcc_calls import NvccCall
from core.paths import Paths
from core.plan.findings import SEVERITIES
from core.plan.small_file import read_small

_SPANS = 8
"""Of so many of the latest runs is known when they were."""
TICK_NS = 20_000_000
"""The clock of file systems is a tick or two behind."""
_FETCHED = ("/registry/src/", "/git/checkouts/")
"""In paths of packages that cargo fetched, whatever its home is now."""


class Place(NamedTuple):
    """Where somebody builds."""

    workspace: str
    build_dir: str
    """Where cargo keeps what build scripts said: the target dir, unless one is set apart."""
    env: Mapping[str, str]
    cargo: str = "cargo"
    target_dir: str = ""
    """Empty: the build dir."""
    is_given: bool = False
    """Somebody named another dir than cargo would take."""


class Examined(NamedTuple):
    """What was read and found."""

    scripts: tuple[Case, ...]
    """Build scripts of packages that somebody edits, by package."""
    found: tuple[Found, ...]
    """Worst first."""
    not_known: tuple[str, ...] = ()
    """Inputs that were touched after the build and have an older mtime, whose content then is not known."""

    @property
    def inputs(self) -> frozenset[str]:
        """All native inputs."""
        return frozenset(path for case in self.scripts for made in case.made for path in made.inputs)


class Span(NamedTuple):
    """From when to when a run took."""

    run: str
    began_ns: int
    ended_ns: int


class Told(NamedTuple):
    """What the front before nvcc noted."""

    calls: tuple[NvccCall, ...]
    """Newest run first."""
    spans: tuple[Span, ...]
    toolkits: tuple[str, ...] = ()
    """Roots of CUDA toolkits."""
    ask: Ask | None = None

    def called_in(self, script: ScriptRun) -> int | None:
        """How often a script called nvcc to make something when it ran; None: that run was not recorded."""
        run = next((one.run for one in self.spans if one.began_ns <= script.began_ns + TICK_NS <= one.ended_ns), None)
        if run is None:
            return None
        return sum(call.run == run and call.makes and call.out_dir == script.out_dir for call in self.calls)


def examine_all(paths: Paths, place: Place, only: str = "") -> Examined:
    """All build scripts, those of other features than the latest too; what is wrong with them is not asked."""
    return Examined(tuple(cases_of(paths, place, only, has_all=True)), ())


def examine(paths: Paths, place: Place, only: str = "", ask: Ask | None = None) -> Examined:
    """What is wrong in a target dir.

    Args:
        paths: Ours: for what nvcc's front noted, and what earlier builds saw.
        place: Where.
        only: A package's name; empty: all that are not of a registry.
        ask: Asks nvcc for the inputs of a call that left no depfile.
    """
    cases = tuple(cases_of(paths, place, only, ask))
    world = World(lambda path: read_stamp(path).digest, lambda root, files: tracked(root, files, place.env))
    found = list(_found(cases, world, place.workspace))
    found.sort(key=lambda one: SEVERITIES.index(one.finding.severity))
    unknown = tuple(dict.fromkeys(path for case in cases for path in not_known(case)))
    return Examined(cases, tuple(found), unknown)


def _found(cases: Sequence[Case], world: World, base: str) -> Iterator[Found]:
    """Of each build script each kind of trouble once, in however many profiles it is."""
    concerns: dict[tuple[str, ...], list[Concern]] = {}
    profiles: dict[tuple[str, ...], set[str]] = {}
    for case in cases:
        script = case.script
        name = script.package, script.root, script.script
        profiles.setdefault(name, set()).add(script.profile)
        for trouble in troubles(case, world):
            concerns.setdefault((*name, trouble.kind), []).append((case, trouble))
    for key, some in concerns.items():
        there = {case.script.profile for case, _ in some}
        yield found_of(some, base, sorted(there) if there != profiles[key[:-1]] else ())


def cases_of(
    paths: Paths, place: Place, only: str = "", ask: Ask | None = None, *, has_all: bool = False
) -> Iterable[Case]:
    """All that is known of each build script of a package that somebody edits; `has_all` as of `script_runs`."""
    runs = script_runs(place.build_dir, place.workspace, has_all=has_all)
    told = told_of(paths, place)._replace(ask=ask)
    for script in runs:
        if _is_wanted(script, place, only):
            yield _case(paths.state, place, Cover(script, linked(script, runs), _listed(script, place)), told)


def _listed(script: ScriptRun, place: Place) -> frozenset[str] | None:
    is_package = script.directives.is_empty and script.root
    return list_package(script.root, place.cargo, place.env) if is_package else None


def _case(state: str, place: Place, cover: Cover, told: Told) -> Case:
    """All that is known of one build script; what is certain of its inputs is kept."""
    script = cover.script
    ground = Ground(script, place.workspace, place.build_dir, told.toolkits, homes_of(place.env))
    made = made_of(ground, told.calls, told.ask)
    watched = [one.path for one in cover.own if one.kind == "file"]
    seen = remember(state, script, made, watched, lambda path: read_stamp(path).digest)
    text = (read_small(script.script) or b"").decode("utf-8", "surrogateescape") if script.script else ""
    return Case(script, made, cover, seen, text, place.build_dir, told.called_in(script))


def told_of(paths: Paths, place: Place) -> Told:
    """What was noted of builds in that dir."""
    runs = nvcc_calls.runs_in(paths, (place.build_dir, place.target_dir))
    spans = tuple(span for run in runs[:_SPANS] if (span := _span(paths, run)) is not None)
    calls = tuple(call for run in runs for call in nvcc_calls.calls_of_run(paths, run))
    return Told(calls, spans, toolkits_of(calls, place.env))


def _span(paths: Paths, run: str) -> Span | None:
    """Of a run whose calls of nvcc were noted, had there been any; None: it had no front, or it lives."""
    record, left = read_record(paths, run), read_exit(paths, run)
    if record is None or left is None or not nvcc_calls.has_front(paths, run):
        return None
    return Span(run, int(record.started.at * 1e9), int(left.ended.at * 1e9))


def _is_wanted(script: ScriptRun, place: Place, only: str) -> bool:
    if not script.root or (only and script.package != only):
        return False
    is_foreign = any(part in script.root for part in _FETCHED)
    return bool(only) or not (is_foreign or script.root.startswith(tuple(f"{home}/" for home in homes_of(place.env))))


def homes_of(env: Mapping[str, str]) -> tuple[str, ...]:
    """Folders of cargo and rustup: nobody edits what lies there."""
    home = env.get("HOME") or os.path.expanduser("~")
    places = (env.get("CARGO_HOME") or home + "/.cargo", env.get("RUSTUP_HOME") or home + "/.rustup")
    return tuple(dict.fromkeys(one for place in places for one in (place.rstrip("/"), os.path.realpath(place))))


def toolkits_of(calls: Iterable[NvccCall], env: Mapping[str, str]) -> tuple[str, ...]:
    """Roots of CUDA toolkits: of nvcc as it was called, or is found."""
    tools = {call.tool for call in calls if call.tool}
    tools |= {
        f"{folder}/nvcc" for folder in env.get("PATH", "").split(":") if folder and os.path.isfile(folder + "/nvcc")
    }
    roots = {os.path.dirname(os.path.dirname(one)) for tool in tools for one in (tool, os.path.realpath(tool))}
    roots |= {env[name].rstrip("/") for name in ("CUDA_HOME", "CUDA_PATH", "CUDA_ROOT") if env.get(name)}
    return tuple(sorted(root for root in roots if os.path.isdir(root + "/include") or os.path.isdir(root + "/nvvm")))


def tracked(root: str, files: Sequence[str], env: Mapping[str, str]) -> frozenset[str]:
    """Which of these files are in git's index; none where there is no git."""
    said = ask_git(("ls-files", "-z", "--full-name", "--", *files[:500]), root, env)
    top = ask_git(("rev-parse", "--show-toplevel"), root, env)
    if said is None or top is None:
        return frozenset()
    folder = os.fsdecode(top.rstrip(b"\n"))
    names = {os.path.realpath(f"{folder}/{os.fsdecode(name)}") for name in said.split(b"\0") if name}
    return frozenset(path for path in files if os.path.realpath(path) in names)
