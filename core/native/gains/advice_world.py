"""Scratch worlds in which advice is tried: one for each way to build, over the same checkout and target dir."""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from core.clock import monotonic
from core.errors import StateError
from core.measuring import scratch_folder
from core.native.gains import split_build
from core.native.gains.advice_arms import Arm, Project
from core.native.gains.advice_edits import Edit, text_for
from core.native.gains.advice_figures import Rebuilt
from core.native.proofs.cache_servers import calls_server, without_servers
from core.native.proofs.prove import MAX_SETTLING, compiled_units, tail_of
from core.native.proofs.prove_setup import command_for, dirs_of, plain_env, roots_of
from core.native.proofs.scratch import Done, Scratch, ScratchError, make_scratch
from core.native.proofs.scratch_edit import Edit as Undo
from core.native.proofs.scratch_edit import append as add_text
from core.native.proofs.scratch_edit import restore
from core.native.staleness.doctor import Examined
from core.native.traces.nvcc_calls import read_calls
from core.parsers.messages import Unit
from core.plan.small_file import read_head
from core.run import nvcc_front
from core.run.fronts import VARIABLE, Build, find_fronts
from core.run.fronts import folder as fronts_folder
from core.run.path_watchers import watches_path

_KEEPS_LOCK = ("--locked", "--frozen")
"""A new crate has to go into `Cargo.lock`."""
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


class Ground(NamedTuple):
    """What a way to build has in its world."""

    words: tuple[str, ...]
    """Cargo's, with the program."""
    env: Mapping[str, str]
    notes: str = ""
    """Where a front before nvcc notes calls; empty: there is none."""


class World:
    """A way to build, in its own world."""

    def __init__(self, arm: Arm, scratch: Scratch, ground: Ground) -> None:
        self.arm = arm
        self.kind = scratch.kind
        self._scratch = scratch
        self._ground = ground
        kept = [word for word in ground.words if arm.split is None or word not in _KEEPS_LOCK]
        self._argv = (*kept, *arm.flags)
        self._env = {**ground.env, **dict(arm.env), "DECK_TIMED": _TIMED}
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
            ScratchError: It cannot be written, or lies outside of the world.
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
        if self._ground.notes:
            with contextlib.suppress(OSError):
                os.unlink(self._ground.notes)
        began = monotonic()
        shell = ["sh", "-c", _SERVED if self.arm.has_sccache else _TIMED, "sh"]
        done = self.said = self._scratch.run([*shell, *self._argv], self._cwd, self._env)
        outer_s = monotonic() - began
        took = _TOOK.search(done.errors)
        calls = (
            sum(call.makes for call in read_calls(read_head(self._ground.notes, _MAX_NOTES) or b""))
            if self._ground.notes
            else None
        )
        rebuilt = rebuilt_of(done, calls)
        trouble = tail_of(done.errors) if done.code else ""
        return Built(
            int(took[1]) / 1e9 if took else outer_s, rebuilt, trouble or (f"exit {done.code}" if done.code else "")
        )

    def read(self, path: str) -> str | None:
        """A file as it is in the world; None: it is not there, or no text."""
        return split_build.read_text(self._scratch, path)


def rebuilt_of(done: Done, calls: int | None) -> Rebuilt:
    """What a build made again, as cargo says: its messages, and with `-v` the programs that it ran."""
    compiled = [f"{one.package} {_kind(one)}" for one in compiled_units(done.output)]
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
    env = without_servers(paths, place.workspace, plain_env(place.env))
    is_copied = is_copied or calls_server(examined.scripts, env)
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
            found.append(World(arm, scratch, Ground(words, {**env, **fronts, **sccache}, notes)))
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
