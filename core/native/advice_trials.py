"""Tries advice: each way to build has a scratch world of its own over the same checkout and target dir, where the same
files are edited and built in rounds, the ways in random order. Nothing of it is left, and no build is in the way."""

import contextlib
import os
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from core.clock import Clock, monotonic
from core.errors import StateError
from core.measuring import scratch_folder
from core.native import split_build
from core.native.advice_arms import AS_IS, Arm, Project
from core.native.advice_edits import Edit, text_for
from core.native.advice_figures import Figure, Rebuilt, Tried, append
from core.native.doctor import Examined
from core.native.lever_figures import interval, noise_of, verdict_of
from core.native.nvcc_calls import read_calls
from core.native.prove import MAX_SETTLING
from core.native.prove_setup import command_for, dirs_of, plain_env, roots_of
from core.native.scratch import Done, Scratch, ScratchError, make_scratch, restore
from core.native.scratch import Edit as Undo
from core.native.scratch import append as add_text
from core.parsers.messages import START, Unit, parse_message
from core.plan.machine import core_count
from core.plan.small_file import read_head
from core.run import nvcc_front
from core.run.fronts import VARIABLE, Build, find_fronts
from core.run.fronts import folder as fronts_folder
from core.run.path_watchers import watches_path

_TIMED = """a=$(date +%s%N); "$@"; code=$?; b=$(date +%s%N)
case $a in *[!0-9]*) ;; *) echo "deck-took-ns $((b - a))" >&2 ;; esac
exit $code
"""
_SERVED = """SCCACHE_START_SERVER=1 SCCACHE_NO_DAEMON=1 "$RUSTC_WRAPPER" </dev/null >/dev/null 2>&1 &
server=$!
tries=0
while [ ! -S "$SCCACHE_SERVER_UDS" ] && [ $tries -lt 200 ]; do sleep 0.05; tries=$((tries + 1)); done
sh -c "$DECK_TIMED" sh "$@"
code=$?
kill $server
wait $server
rm -f "$SCCACHE_SERVER_UDS"
exit $code
"""
_TOOK = re.compile(rb"^deck-took-ns (\d+)$", re.MULTILINE)
_SCRIPT = re.compile(rb"^\s*Running `[^`]*?/build/([^/`]+)/(?:[^/`]+/)*build[-_]script[-_][^/` ]*`", re.MULTILINE)
_MOST_SOCKET = 100
"""Bytes of a path at which something can listen."""
_MAX_NOTES = 1 << 24


class Built(NamedTuple):
    """One build."""

    took_s: float
    rebuilt: Rebuilt
    trouble: str = ""
    """What cargo said where it failed; empty: it built."""


class World:
    """A way to build, in its own world."""

    def __init__(self, arm: Arm, scratch: Scratch, words: Sequence[str], env: Mapping[str, str], notes: str) -> None:
        """`words`: cargo's, with the program; `notes`: where a front before nvcc notes calls; empty: there is none."""
        self.arm = arm
        self.kind = scratch.kind
        self._scratch = scratch
        self._argv = (*words, *arm.flags)
        self._env = {**env, **dict(arm.env), "DECK_TIMED": _TIMED}
        self._notes = notes
        self._undo: dict[str, Undo] = {}
        self._cwd = ""
        self.said = Done(0, b"", b"")
        """What the last build printed."""

    def prepare(self, cwd: str) -> str:
        """Make what the way is about, and build until nothing is left to build; what failed, empty: nothing."""
        self._cwd = cwd
        try:
            if self.arm.split is not None:
                split_build.apply(self._scratch, self.arm.split)
        except ScratchError as error:
            return str(error)
        for _ in range(MAX_SETTLING):
            built = self.build()
            if built.trouble or not (built.rebuilt.units or built.rebuilt.scripts):
                return built.trouble
        return ""

    def edit(self, edit: Edit, number: int) -> None:
        """Another content of a file than before.

        Raises:
            ScratchError: It cannot be written.
        """
        path = self._where(edit.path)
        if path in self._undo:
            restore(self._scratch, self._undo[path])
        self._undo[path] = add_text(self._scratch, path, text_for(edit, number))

    def _where(self, path: str) -> str:
        moved = self.arm.split.files if self.arm.split is not None else ()
        return next((move.new for move in moved if move.old == path), path)

    def build(self) -> Built:
        """Build once."""
        if self._notes:
            with contextlib.suppress(OSError):
                os.unlink(self._notes)
        began = monotonic()
        shell = ["sh", "-c", _SERVED if self.arm.has_sccache else _TIMED, "sh"]
        done = self.said = self._scratch.run([*shell, *self._argv], self._cwd, self._env)
        outer_s = monotonic() - began
        took = _TOOK.search(done.errors)
        calls = (
            sum(call.makes for call in read_calls(read_head(self._notes, _MAX_NOTES) or b"")) if self._notes else None
        )
        rebuilt = rebuilt_of(done, calls)
        trouble = split_build.tail_of(done.errors.decode("utf-8", "replace")) if done.code else ""
        return Built(
            int(took[1]) / 1e9 if took else outer_s, rebuilt, trouble or (f"exit {done.code}" if done.code else "")
        )

    def read(self, path: str) -> str | None:
        """A file as it is in the world; None: it is not there, or no text."""
        return split_build.read_text(self._scratch, path)


def rebuilt_of(done: Done, calls: int | None) -> Rebuilt:
    """What a build made again, as cargo says: its messages, and with `-v` the programs that it ran."""
    units = (parse_message(line) for line in done.output.split(b"\n") if line.startswith(START))
    compiled = [f"{one.package} {_kind(one)}" for one in units
                if isinstance(one, Unit) and not one.is_fresh and one.kind != "run-build-script"]  # fmt: skip
    scripts = [name.decode("utf-8", "replace") for name in _SCRIPT.findall(done.errors)]
    packages = [name.rpartition("-")[0] or name for name in scripts]
    return Rebuilt(tuple(sorted(compiled)), tuple(sorted(packages)), calls)


def _kind(unit: Unit) -> str:
    return "build script" if unit.kind == "custom-build" else unit.kind


@contextlib.contextmanager
def worlds(
    project: Project, examined: Examined, arms: Sequence[Arm], *, is_copied: bool = False
) -> Iterator[list[World]]:
    """A world for each way to build, gone afterwards, whatever happens.

    Raises:
        ScratchError: There is no room, or no right.
        StateError: Something is being measured already.
    """
    place, paths = project.place, project.paths
    env = plain_env(place.env)
    command = command_for(paths, place, examined.scripts, project.words, env)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(scratch_folder(paths, "advice"))
        roots = roots_of(place, examined)
        found = []
        for number, arm in enumerate(arms):
            own = f"{folder}/{number}"
            os.makedirs(own)
            scratch = stack.enter_context(make_scratch(paths, roots, env, is_copied=is_copied))
            words = (*command.argv, *dirs_of(scratch, place))
            fronts = _fronts(project, own, env)
            sccache = _sccache(project, f"{folder}/{number}", env) if arm.has_sccache else {}
            notes = f"{own}/nvcc.jsonl" if fronts else ""
            found.append(World(arm, scratch, words, {**env, **fronts, **sccache}, notes))
        yield found


def _fronts(project: Project, folder: str, env: Mapping[str, str]) -> dict[str, str]:
    """Variables by which a front stands before nvcc, notes its calls, and answers none of them. What CMake notes of it
    goes with the world, so it stands in PATH where it does not in other builds. Empty: it would not see all calls."""
    place = project.place
    kit = nvcc_front.find_toolkit(env.get("PATH", ""))
    if kit is None or watches_path(project.paths, place.build_dir):
        return {}
    found = find_fronts(project.paths, Build(dict(env), place.workspace, None, place.build_dir))
    variables = dict(found.env)
    if nvcc_front.has_other_tree(place.build_dir, place.workspace) or not (found.folders or variables):
        return {}
    try:
        path = f"{nvcc_front.mirror(fronts_folder(project.paths), kit)}:{env.get('PATH', '')}"
    except OSError:
        return {}
    return {**variables, "PATH": path, VARIABLE: folder, "DECK_NVCC_CACHE": "off"}


def _sccache(project: Project, folder: str, env: Mapping[str, str]) -> dict[str, str]:
    """Variables of a cache of its own, whose server lives as long as a build.

    Raises:
        StateError: There is none that can be used.
    """
    from core.cache.program import find_programs

    program = find_programs(project.paths, dict(env))[0]
    socket = f"{folder}/s"
    if len(os.fsencode(socket)) > _MOST_SOCKET:
        raise StateError(f"{socket} is too long a path to listen at: set XDG_CACHE_HOME to a shorter folder")
    return {
        "RUSTC_WRAPPER": program.path, "CARGO_INCREMENTAL": "0", "SCCACHE_DIR": f"{folder}/store",
        "SCCACHE_SERVER_UDS": socket, "SCCACHE_IDLE_TIMEOUT": "0", "SCCACHE_CONF": "/dev/null",
    }  # fmt: skip


class Trial(NamedTuple):
    """What is to be tried."""

    edits: tuple[Edit, ...]
    rounds: int
    inputs: Mapping[str, str]
    """Digests by path of what it rests on."""
    tell: Callable[[str], None]
    """Hears of each round."""


Taken = dict[tuple[str, str], list[Built]]
"""Builds of each way and kind of edit, round by round."""


def try_all(project: Project, found: Sequence[World], trial: Trial, clock: Clock) -> Iterator[Tried]:
    """Try all ways beside the build as it is, and keep what was measured; one of each advice.

    Raises:
        StateError: It does not build as it is.
        ScratchError: Something cannot be written.
    """
    cwd = project.place.workspace
    troubles: dict[str, str] = {}
    for world in found:
        trial.tell(f"builds {world.arm.name}")
        troubles[world.arm.name] = world.prepare(cwd)
    base, control = found[:2]
    if why := troubles[base.arm.name] or troubles[control.arm.name]:
        raise StateError(f"it does not build as it is: {why}")
    good = [world for world in found if not troubles[world.arm.name]]
    taken = _rounds(good, trial, troubles)
    for world in found[2:]:
        yield _tried(project, world, trial, taken, troubles[world.arm.name], clock)


def _rounds(good: Sequence[World], trial: Trial, troubles: dict[str, str]) -> Taken:
    """A round without a figure, then all others."""
    taken: Taken = {}
    rng = random.Random()
    for number in range(trial.rounds + 1):
        for edit in trial.edits:
            for world in rng.sample(good, len(good)):
                if troubles[world.arm.name]:
                    continue
                world.edit(edit, number)
                built = world.build()
                troubles[world.arm.name] = built.trouble
                if number:
                    taken.setdefault((world.arm.name, edit.kind), []).append(built)
        if troubles[good[0].arm.name] or troubles[good[1].arm.name]:
            raise StateError(
                f"it does not build after an edit: {troubles[good[0].arm.name] or troubles[good[1].arm.name]}"
            )
        if number:
            told = ", ".join(f"{edit.kind} {taken[AS_IS, edit.kind][-1].took_s:.2f} s" for edit in trial.edits)
            trial.tell(f"round {number} of {trial.rounds}: as it is, {told}")
    return taken


def _tried(project: Project, world: World, trial: Trial, taken: Taken, trouble: str, clock: Clock) -> Tried:
    if world.arm.advice is None:
        raise TypeError(world.arm.name)
    figures = () if trouble else tuple(_figure(world, edit, taken) for edit in trial.edits)
    one = Tried(
        clock(), project.place.workspace, world.arm.advice, world.arm.name, " ".join(project.words) or "build",
        world.kind, core_count(), trial.rounds, figures, trial.inputs, trouble,
    )  # fmt: skip
    append(project.paths, one)
    return one


def _figure(world: World, edit: Edit, taken: Taken) -> Figure:
    from core.native.advice_arms import CONTROL

    base, control, own = (taken[name, edit.kind] for name in (AS_IS, CONTROL, world.arm.name))
    noise = noise_of(_ratios(base, control))
    ratios = _ratios(base, own)
    low, high = interval(ratios)
    return Figure(
        edit.kind, edit.path, median(one.took_s for one in base), median(one.took_s for one in own), median(ratios),
        low, high, noise, verdict_of(ratios, noise), base[-1].rebuilt, own[-1].rebuilt,
    )  # fmt: skip


def _ratios(base: Sequence[Built], others: Sequence[Built]) -> list[float]:
    """Round by round."""
    return [other.took_s / one.took_s for one, other in zip(base, others, strict=True)]
