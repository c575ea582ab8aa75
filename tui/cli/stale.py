"""`cargo deck stale`: builds that go on with old code, or that run for ever, and the lines that mend them."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from core.errors import UsageError
from core.native.proofs.prove_finding import Confirmed, confirm
from core.native.proofs.prove_setup import plain_env, proof_of
from core.native.staleness.build_script_mend import changed
from core.native.staleness.doctor import Examined, Place, examine
from core.native.staleness.nvcc_ask import asker
from core.native.staleness.stale_findings import Found, Mend
from core.native.staleness.stale_place import find_place
from core.native.staleness.tree_place import find_trees, has_no_cargo
from core.paths import Paths
from core.plan.plan import Finding
from core.plan.small_file import read_small
from tui import format as f
from tui.cli import common
from tui.cli import plan_words as words
from tui.cli.events import plain
from tui.cli.prove import clear_progress, end_cleanly, show_progress
from tui.nothing_native import nothing_native

EXIT_STALE = 1
NOTHING = "Nothing is stale, as far as that is to be seen."
_EXIT_CODES = (
    "Exit code: 0, nothing is wrong, or there is nothing to judge; 1, something is; 2, the command line cannot be "
    "used; 125, cargo-deck failed."
)
_MAX_FILES = 5
_SIGNS = {"error": "✗", "warning": "!", "hint": "·"}


Ask = Callable[[str], bool]


class World(NamedTuple):
    """What the command needs of its surroundings."""

    ask: Ask | None
    """Puts a question to the person; None: there is none."""


def main(argv: list[str]) -> int:
    """Show what is wrong; exit code as `_EXIT_CODES` says."""
    has_person = sys.stdin.isatty() and sys.stderr.isatty()
    return common.guarded(lambda given: run(given, World(_ask if has_person else None)), argv)


def run(argv: list[str], world: World) -> int:
    """The same in a given world.

    Raises:
        UsageError: The command line cannot be used, or there is no workspace.
    """
    given = _parser().parse_args(argv)
    if given.json and given.apply:
        raise UsageError("--json shows the diffs, --apply makes the changes: one of both")
    paths = common.user_paths()
    if has_no_cargo(common.current_folder(), given.tree or ""):
        from tui.cli import stale_tree  # it takes lines of this one

        trees = find_trees(paths, common.current_folder(), dict(os.environ), given.tree or "")
        return EXIT_STALE if stale_tree.run(given, paths, trees, world.ask) else 0
    place = find_place(paths, common.current_folder(), dict(os.environ), given.target_dir)
    found = examine(paths, place, given.package or "", asker(plain_env(place.env)) if given.ask else None)
    proofs = _proofs(paths, place, found) if given.prove and found.found else ()
    if given.json:
        common.print_json("stale", **record(found, place, proofs))
    else:
        for line in lines(found, place, proofs):
            common.print_text(line)
    if given.apply:
        _apply(found.found, world.ask, is_sure=given.yes)
    return EXIT_STALE if found.found else 0


def _proofs(paths: Paths, place: Place, found: Examined) -> tuple[Confirmed, ...]:
    """Each finding tried in a scratch world."""
    end_cleanly()
    confirmed = []
    with proof_of(paths, place, found, ()) as proof:
        for number, one in enumerate(found.found, 1):
            show_progress(one.finding.id, number, len(found.found))
            confirmed.append(confirm(proof, one))
    clear_progress()
    return tuple(confirmed)


def _parser() -> common.Parser:
    parser = common.make_parser("stale", "Native inputs that no rerun-if-changed covers, build scripts that run at "
                                "each build or that skip nvcc, edits that cargo cannot see: what is in the target "
                                "dir says so. Nothing is built.")  # fmt: skip
    parser.epilog = _EXIT_CODES
    parser.add_argument("-p", "--package", metavar="PKG", help="only this one, which may be of a registry")
    parser.add_argument("--target-dir", metavar="DIR", help="look there, instead of where cargo would build")
    parser.add_argument("--tree", metavar="DIR", help="a build tree of CMake, ninja or make instead of cargo's; where "
                        "no Cargo.toml is around, those that are found")  # fmt: skip
    parser.add_argument("--ask", action="store_true", help="ask nvcc for inputs of calls that left no depfile (-M), "
                        "2 s each")  # fmt: skip
    parser.add_argument("--prove", action="store_true", help="try each finding, and what mends it, in a scratch world; "
                        "the checkout and its target dir stay as they are")  # fmt: skip
    parser.add_argument(
        "--apply", action="store_true", help="change build scripts and CMakeLists.txt as the diffs say, after a yes"
    )
    parser.add_argument("--yes", action="store_true", help="with --apply: without a question")
    return parser


# For people


def lines(found: Examined, place: Place, proofs: Sequence[Confirmed] = ()) -> Iterator[str]:
    """What was looked at, and each finding with its mend and, where it was tried, what came of it."""
    width = common.room() or words.COLUMNS
    look = words.Look(width, common.has_colour(), is_asked_why=True)
    native = {(case.script.package, case.script.root) for case in found.scripts if case.made}
    yield from words.folded(plain(
        f"{f.many(len(native), 'build script')} with native outputs, {f.many(len(found.inputs), 'input')}, "
        f"in {place.build_dir}"
    ), width)  # fmt: skip
    for one, proof in zip_longest(found.found, proofs):
        yield ""
        yield from finding_lines(one.finding, look)
        if proof is not None:
            yield from words.folded(plain(sentence(proof)), width, 6, hang=8)
    if found.not_known:
        names = ", ".join(os.path.relpath(path, place.workspace) for path in found.not_known[:_MAX_FILES])
        more = f" and {len(found.not_known) - _MAX_FILES} more" if len(found.not_known) > _MAX_FILES else ""
        yield ""
        yield from words.folded(plain(
            f"Not known: {names}{more} changed after the build and kept an older mtime; nobody saw what the build read."
        ), width)  # fmt: skip
    if not found.found:
        yield ""
        packages = [case.script.package for case in found.scripts]
        yield from words.folded(NOTHING if native else plain(nothing_native("judge", packages, place.env)), width)


def finding_lines(finding: Finding, look: words.Look) -> Iterator[str]:
    """What it is, where, why, what it costs and what mends it."""
    first, *rest = words.folded(
        f"{_SIGNS[finding.severity]} {finding.severity}: {plain(finding.title)}", look.width, 2, hang=4
    )
    yield look.tint(finding.severity, first)
    yield from rest
    for one in finding.evidence:
        yield from words.folded(plain(f"{one.origin.shown}: {one.value}"), look.width, 6, hang=8)
    yield from words.folded(plain(finding.cost), look.width, 6)
    if finding.mend:
        yield from words.folded(f"mend ({finding.id}):", look.width, 6)
        yield from (f"      {plain(line)}" for line in finding.mend.splitlines())


def sentence(proof: Confirmed) -> str:
    """What came of a trial."""
    verdict = {True: "proven", False: "not so", None: "not tried"}[proof.is_true]
    mended = {True: "; with the mend it is right", False: "; with the mend it is no better", None: ""}[proof.is_mended]
    return f"{verdict}: {proof.said}{mended}"


# For programs


def record(found: Examined, place: Place, proofs: Sequence[Confirmed] = ()) -> dict[str, Any]:
    """As docs/json.md says."""
    return {
        "workspace": place.workspace, "build_dir": place.build_dir,
        "scripts": [
            {
                "package": case.script.package, "profile": case.script.profile, "root": case.script.root,
                "script": case.script.script or None, "out_dir": case.script.out_dir, "declares": case.cover.style,
                "declared": [one.path for one in case.script.directives.changed],
                "outputs": [
                    {"output": made.output, "known_by": made.known_by, "inputs": list(made.inputs)}
                    for made in case.made
                ],
            }
            for case in found.scripts
        ],
        "findings": [_finding(one, proof) for one, proof in zip_longest(found.found, proofs)],
        "not_known": list(found.not_known), "trees": [],
    }  # fmt: skip


def _finding(one: Found, proof: Confirmed | None) -> dict[str, Any]:
    trouble = one.trouble
    return {
        **one.finding.record(), "mend": one.finding.mend, "package": trouble.script.package,
        "profile": trouble.script.profile, "profiles": [each.script.profile for each in one.each],
        "paths": list(trouble.paths), "outputs": list(trouble.outputs),
        "is_certain": trouble.is_certain, "declare": list(one.lines),
        "proof": None if proof is None else {
            "is_true": proof.is_true, "said": proof.said, "is_mended": proof.is_mended, "reasons": list(proof.reasons),
        },
    }  # fmt: skip


# Changing


def _apply(found: Sequence[Found], ask: Ask | None, *, is_sure: bool) -> None:
    """Change the scripts that have diffs, each after a yes."""
    paths = list(dict.fromkeys(one.mend.path for one in found if one.mend))
    if not found or not can_change(paths, ask, is_sure=is_sure):
        return
    for path in paths:
        mends = [one.mend for one in found if one.mend and one.mend.path == path]
        text = joined(mends)
        if text is None:
            common.say(f"{plain(path)} is left as it is: its changes do not go together")
            continue
        change(path, (mends[0].before, text), ask, is_sure=is_sure)


def can_change(paths: Sequence[str], ask: Ask | None, *, is_sure: bool) -> bool:
    """Something is to be changed, and there is a yes or somebody to ask for one; if not, that is said."""
    if not paths:
        common.say("Nothing is changed: no finding has a diff")
    elif not is_sure and ask is None:
        common.say("Nothing is changed: there is no terminal to ask at; --yes changes without a question")
    else:
        return True
    return False


def change(path: str, texts: tuple[str, str], ask: Ask | None, *, is_sure: bool) -> None:
    """Put the second text in the place of the first, after a yes."""
    if is_sure or (ask is not None and ask(f"Change {plain(path)} like this? [y/N] ")):
        write_script(path, *texts)
        common.say(f"{plain(path)} is changed")
    else:
        common.say(f"{plain(path)} is left as it is")


def joined(mends: Sequence[Mend]) -> str | None:
    """The script with the changes of several mends; None: one cannot be made after the others."""
    text: str | None = mends[0].before
    for mend in mends:
        text = changed(text, mend.add, mend.remove) if text is not None else None
    return text


def write_script(path: str, before: str, after: str) -> None:
    """Put a text in the place of what was read.

    Raises:
        UsageError: It is another one by now, or cannot be written.
    """
    real = os.path.realpath(path)
    if (read_small(real) or b"").decode("utf-8", "surrogateescape") != before:
        raise UsageError(f"{path} was changed meanwhile: nothing is written")
    part = f"{real}.{os.getpid()}"
    try:
        with open(part, "x", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(after)
        os.chmod(part, os.stat(real).st_mode & 0o7777)
        os.replace(part, real)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _ask(question: str) -> bool:
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
