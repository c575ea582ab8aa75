"""`cargo deck prove`: edits each native source and header in a scratch world, and tells what was made again."""

import os
import shutil
import signal
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

from core.clock import monotonic
from core.errors import UsageError
from core.native.proofs.prove import Command, Verdict, prove
from core.native.proofs.prove_setup import plain_env, proof_of
from core.native.proofs.prove_tree import TreeProver, roots_of
from core.native.proofs.scratch import make_scratch
from core.native.staleness.doctor import examine_all
from core.native.staleness.stale_place import find_place
from core.native.staleness.tree_place import TreePlace, build_words, find_trees, has_no_cargo, read_made
from tui import format as f
from tui.cli import common
from tui.cli import plan_words as words
from tui.cli.events import plain
from tui.nothing_native import nothing_native

EXIT_UNTRACKED = 1
_EXIT_CODES = (
    "Exit code: 0, all are tracked; 1, some are not; 2, the command line cannot be used, or nothing is to be proven; "
    "125, it cannot be tried or does not build; 130, it was interrupted."
)
_SIGNS = {"tracked": "✓", "wide": "+", "untracked": "✗", "failed": "!", "left out": "·"}
_COLOURS = {"untracked": "error", "failed": "warning", "wide": "warning", "left out": "faint"}
_MAX_REASONS = 2
_MAX_LINES = 20
"""Of what a build that failed said."""


class Tried(NamedTuple):
    """What was tried, and what came of it."""

    verdicts: Sequence[Verdict]
    command: Sequence[str]
    """What built, with the program."""
    base: str
    """Folder that files are named from."""
    world: str
    """`overlay`, `copy`."""
    always: tuple[str, ...]
    """Build scripts that run, or outputs that are made, at each build."""
    took_s: float


def main(argv: list[str]) -> int:
    """Prove, and tell; exit code as `_EXIT_CODES` says."""
    return common.guarded(run, argv)


def run(argv: list[str]) -> int:
    """The same, with failures as exceptions.

    Raises:
        UsageError: The command line cannot be used, or names a file that is not there.
        ScratchError: There can be no scratch world, or what is there does not build.
    """
    at = argv.index("--") if "--" in argv else len(argv)
    given = _parser().parse_args(argv[:at])
    paths, cwd = common.user_paths(), common.current_folder()
    if has_no_cargo(cwd, given.tree or ""):
        return _run_tree(given, find_trees(paths, cwd, dict(os.environ), given.tree or ""), argv[at + 1 :])
    place = find_place(paths, cwd, dict(os.environ), given.target_dir)
    found = examine_all(paths, place, given.package or "")
    files = _files(found.inputs, given.files, cwd)
    if not files:
        raise UsageError(nothing_native("prove", [case.script.package for case in found.scripts], place.env))
    end_cleanly()
    began = monotonic()
    with proof_of(paths, place, found, argv[at + 1 :]) as proof:
        made = [path for path in files if given.files or path in proof.prover.inputs]
        verdicts = list(prove(proof.prover, made, show_progress))
    always = tuple(sorted(proof.baseline.again.scripts))
    tried = Tried(verdicts, proof.command.argv, place.workspace, proof.scratch.kind, always, monotonic() - began)
    return _tell(tried, is_json=given.json)


def _run_tree(given: Namespace, place: TreePlace, command: Sequence[str]) -> int:
    """The same in build trees of ninja, make and CMake."""
    paths, cwd = common.user_paths(), common.current_folder()
    reading = read_made(paths, place)
    files = _files(reading.inputs, given.files, cwd)
    if not files:
        raise UsageError(_nothing_in(place))
    argv, where = (tuple(command), cwd) if command else build_words(place)
    end_cleanly()
    began = monotonic()
    env = plain_env(place.env)
    with make_scratch(paths, roots_of(place, files), env, needs_overlay=True) as scratch:
        prover = TreeProver(scratch, Command(argv, where, env), place, reading)
        always = prover.baseline()
        verdicts = []
        for number, path in enumerate(files, 1):
            show_progress(path, number, len(files))
            verdicts.append(prover.judge(path, always))
    names = tuple(sorted(os.path.relpath(one, place.root) for one in always))
    return _tell(Tried(verdicts, argv, place.root, scratch.kind, names, monotonic() - began), is_json=given.json)


def _nothing_in(place: TreePlace) -> str:
    folders = ", ".join(tree.folder for tree in place.trees)
    said = f"There is nothing to prove: of no native input in {folders} is known what is made of it. Build first."
    is_unknown = any(tree.kind == "make" for tree in place.trees)
    return f"{said} Of make without CMake that is seen by `cargo deck exec -- make`." if is_unknown else said


def _tell(tried: Tried, *, is_json: bool) -> int:
    clear_progress()
    if is_json:
        common.print_json("prove", **record(tried))
    else:
        for line in lines(tried):
            common.print_text(line)
    return EXIT_UNTRACKED if any(one.outcome in ("untracked", "failed") for one in tried.verdicts) else 0


def _parser() -> common.Parser:
    parser = common.make_parser(
        "prove", "Edits each native source and header in a scratch world, one at a time, builds, and tells whether "
        "exactly what is made of it was made again. The checkout and its target dir stay as they are."
    )  # fmt: skip
    parser.usage = "cargo deck prove [OPTIONS] [FILE…] [-- CARGO WORDS… | COMMAND…]"
    parser.epilog = _EXIT_CODES
    parser.add_argument("files", nargs="*", metavar="FILE", help="only these; else all native inputs that are known")
    parser.add_argument("-p", "--package", metavar="PKG", help="only its inputs")
    parser.add_argument("--target-dir", metavar="DIR", help="build there, instead of where cargo would")
    parser.add_argument("--tree", metavar="DIR", help="a build tree of CMake, ninja or make instead of cargo's; where "
                        "no Cargo.toml is around, those that are found")  # fmt: skip
    return parser


def _files(known: frozenset[str], named: Sequence[str], cwd: str) -> list[str]:
    """What is to be edited, as the inputs are called.

    Raises:
        UsageError: A file is not there.
    """
    if not named:
        return sorted(known)
    by_real = {os.path.realpath(path): path for path in known}
    files = []
    for name in named:
        path = os.path.normpath(os.path.join(cwd, name))
        if not os.path.isfile(path):
            raise UsageError(f"{plain(name)} is no file")
        files.append(by_real.get(os.path.realpath(path), path))
    return list(dict.fromkeys(files))


# While it lasts


def end_cleanly() -> None:
    """Have a request to end be what Ctrl-C is: nothing of the world is left."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def show_progress(path: str, number: int, count: int) -> None:
    """Say on a terminal what is tried now."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write("\r" + f.fit(f"{number} of {count}  {plain(os.path.basename(path))}", max(20, width)))
        sys.stderr.flush()


def clear_progress() -> None:
    """Take that line away."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


# For people


def lines(tried: Tried) -> Iterator[str]:
    """`tracked N of M`, and each file that is not."""
    width = common.room() or words.COLUMNS
    look = words.Look(width, common.has_colour())
    yield from words.folded(plain(" ".join((os.path.basename(tried.command[0]), *tried.command[1:]))), width, hang=2)
    told: set[str] = set()
    for one in tried.verdicts:
        name = os.path.relpath(one.path, tried.base)
        made = ", ".join(os.path.basename(path) for path in one.expected[:4]) or f.UNKNOWN
        first, *rest = words.folded(f"{_SIGNS[one.outcome]} {plain(name)}: {plain(made)}", width, 2, hang=4)
        yield look.tint(_COLOURS.get(one.outcome, ""), first)
        yield from rest
        for text in _said(one, told):
            yield from words.folded(plain(text), width, 6, hang=8)
    if tried.always:
        names = ", ".join(tried.always)
        yield from words.folded(plain(f"! {names} runs at each build, edit or not: see `cargo deck stale`"), width, 2)
    yield summary(tried.verdicts, tried.took_s)


def summary(verdicts: Sequence[Verdict], took_s: float) -> str:
    """`tracked 5 of 7, 4 of them exactly; …`."""
    good = sum(one.outcome in ("tracked", "wide") for one in verdicts)
    wide = sum(one.outcome == "wide" for one in verdicts)
    exactly = f", {good - wide} of them exactly" if wide else ""
    left = sum(one.outcome == "left out" for one in verdicts)
    not_tried = f", {left} not tried" if left else ""
    return f"tracked {good} of {len(verdicts)}{exactly}{not_tried}; {f.duration(took_s)}"


def _said(one: Verdict, told: set[str]) -> Iterator[str]:
    """`told`: long reasons that were told in full already, of another file."""
    if one.outcome == "wide":
        names = ", ".join(os.path.basename(path) for path in one.extra[:6])
        yield f"made again too: {names}{f' and {len(one.extra) - 6} more' if len(one.extra) > 6 else ''}"
    why = [line for line in one.why.splitlines() if line.strip()]
    if len(why) > 1 and one.why in told:
        yield f"{why[0]} (as above)"
    else:
        told.add(one.why)
        yield from why[:_MAX_LINES]
    if one.outcome == "untracked":
        yield from (f"cargo: {reason}" for reason in one.reasons[:_MAX_REASONS])


# For programs


def record(tried: Tried) -> dict[str, Any]:
    """As docs/json.md says."""
    verdicts = tried.verdicts
    return {
        "workspace": tried.base, "command": list(tried.command), "world": tried.world,
        "tracked": sum(one.outcome in ("tracked", "wide") for one in verdicts), "tried": len(verdicts),
        "runs_always": list(tried.always),
        "files": [
            {
                "path": one.path, "outcome": one.outcome, "expected": list(one.expected), "missing": list(one.missing),
                "extra": list(one.extra), "why": one.why or None, "reasons": list(one.reasons),
            }
            for one in verdicts
        ],
    }  # fmt: skip
