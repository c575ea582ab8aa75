"""Makes an iteration of a run that is over: by its record, its exit, and what fronts and cargo noted while it ran."""

import shlex
from collections.abc import Sequence
from functools import partial

from core import events as e
from core.facts import read_exit, read_record
from core.folder import modified_ns
from core.native.edits.cargo_times import ninja_pieces, unit_pieces
from core.native.edits.edit_class import EditClass
from core.native.edits.iterations import MOST_CHANGED, Iteration, State
from core.native.edits.make_times import make_pieces
from core.native.edits.wait_phases import CARGO, LOCK, ORDER, PROGRAM, REST, RUSTC, TEST, Piece, divide, pieces_of
from core.native.traces.build_tree import all_files, trees_of
from core.native.traces.cargo_said import Package, Said, read_log
from core.native.traces.nvcc_calls import NOTES, has_called_nvcc
from core.paths import Paths
from core.values import dataclass
from core.watch.links import LinkNotes
from core.watch.nvcc_notes import NvccNotes

_BOOKS = ("/.ninja_log", "/.ninja_deps", "/.ninja_lock", "/compiler_depend.make", "/compiler_depend.internal",
          "/compiler_depend.ts")  # fmt: skip
_TICK_S = 0.02
"""Of a file system's clock."""
_AFTER = {"test": TEST, "nextest": TEST, "bench": TEST, "run": PROGRAM}
"""What follows the build, by subcommand."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run did."""

    started: e.RunStarted
    ended: e.RunEnded
    state: State
    is_built: bool
    """The build itself went well, whatever tests said after it."""
    phases: dict[str, float]
    compiled: tuple[e.NvccEnded, ...] | None
    """Calls of nvcc that compiled; None: no front told of any."""
    units: int
    """Crates that were compiled."""
    has_built: bool | None = None
    """It made anything; None: that is not known."""


def measure(paths: Paths, run: str, told: Sequence[e.Event] | None = None) -> Measured | None:
    """What a run did; None where it is not over, or its record cannot be read. Do it soon: the next build in its
    target dir writes over times of this one.

    `told`: its journal, which has links that were sampled too; None: what fronts noted must do.
    """
    record, exit_ = read_record(paths, run), read_exit(paths, run)
    if record is None or exit_ is None:
        return None
    started, ended = record.started, exit_.ended
    began = ended.at - ended.wall_s
    said = read_log(paths.run(run) + "/out.log") if started.tool == "cargo" else Said(is_built=ended.code is not None)
    notes = _notes(paths, run) if told is None else told
    calls = [event for event in notes if isinstance(event, e.NvccEnded)]
    units = _unit_pieces(started, said.packages, began, ended.at)
    pieces = [*pieces_of(notes), *units]
    pieces += _after(started, pieces, ended.at)
    rustcs = sum(piece.what == RUSTC for piece in units)
    trees = _trees(started)
    if trees and told is not None:
        pieces += make_pieces(paths.run(run), told, (started.cwd, *trees), began, ended.at)
    rest = (REST if trees else PROGRAM) if started.tool != "cargo" else (
        CARGO if rustcs >= said.compiled else REST
    )  # fmt: skip
    return Measured(
        started, ended, _state(ended), said.is_built and not _is_stopped(ended),
        divide(began, ended.at, pieces, rest),
        tuple(call for call in calls if call.kind in _COMPILES) if calls or has_called_nvcc(paths, run) else None,
        said.compiled, _has_built(said, trees, pieces, is_cargo=started.tool == "cargo", began=began),
    )  # fmt: skip


_BUILD = frozenset(ORDER) - {LOCK, CARGO, TEST, PROGRAM, REST}


def _has_built(
    said: Said, trees: Sequence[str], pieces: Sequence[Piece], *, is_cargo: bool, began: float
) -> bool | None:
    """By what ran; in build trees also by what was written there since it began."""
    if said.compiled or any(piece.what in _BUILD for piece in pieces):
        return True
    if is_cargo:
        return False if said.is_built else None
    return any(map(partial(_is_written_since, began), trees)) if trees else None


def _is_written_since(began: float, tree: str) -> bool:
    """Anything in a build tree but the books that its tools keep."""
    return any(
        not path.endswith(_BOOKS) and modified_ns(path) >= int((began - _TICK_S) * 1e9) for path in all_files(tree)
    )


def _trees(started: e.RunStarted) -> tuple[str, ...]:
    """Build trees that a command works in which is not cargo: of make, what compilers took there nobody tells."""
    if started.tool == "cargo":
        return ()
    try:
        words = shlex.split(started.command)
    except ValueError:
        words = started.command.split()
    return trees_of(words, started.cwd)


_COMPILES = ("object", "device-object", "ptx", "cubin", "fatbin", "library", "program")


def _notes(paths: Paths, run: str) -> list[e.Event]:
    links = LinkNotes(paths.run(run) + "/fronts/links.jsonl", lambda output: None)
    nvcc = NvccNotes(f"{paths.run(run)}/{NOTES}")
    found: list[e.Event] = []
    while more := [*links.poll(), *nvcc.poll()]:
        found += more
    return found


def _unit_pieces(started: e.RunStarted, packages: Sequence[Package], began: float, ended: float) -> list[Piece]:
    folders = [started.cwd] if started.tool != "cargo" else [one for package in packages for one in package.out_dirs]
    place = started.build_dir or started.target_dir
    units = unit_pieces(place, began, ended) if place and started.tool == "cargo" else []
    return [*units, *ninja_pieces(folders, began, ended)]


def _after(started: e.RunStarted, pieces: Sequence[Piece], ended: float) -> list[Piece]:
    """What ran behind the build: after the last thing that was built."""
    what = _AFTER.get(started.subcommand)
    if what is None:
        return []
    last = max((piece.ended for piece in pieces), default=None)
    return [Piece(what, last, ended)] if last is not None and last < ended else []


def _state(ended: e.RunEnded) -> State:
    if _is_stopped(ended):
        return "stopped"
    return "done" if ended.code == 0 else "failed"


def _is_stopped(ended: e.RunEnded) -> bool:
    return ended.stopped_by is not None or ended.is_killed


def make_iteration(measured: Measured, kind: EditClass, changed: Sequence[str]) -> Iteration:
    """The iteration that a run was, for an edit of these files."""
    started, ended, calls = measured.started, measured.ended, measured.compiled
    return Iteration(
        run=started.run, at=ended.at, checkout=started.checkout, command=started.command, kind=kind,
        state=measured.state, wall_s=ended.wall_s, agent=started.agent, changed=tuple(changed[:MOST_CHANGED]),
        changed_count=len(changed), phases=measured.phases,
        nvcc_calls=None if calls is None else len(calls),
        nvcc_hits=None if calls is None else sum(call.verdict == "hit" for call in calls),
        has_built=measured.has_built,
    )  # fmt: skip
