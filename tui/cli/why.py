"""`cargo deck why`: why each unit of a run was rebuilt, or was not although a file near it changed."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from core.clock import wall_clock
from core.errors import UsageError
from core.facts import read_record
from core.native.reasons.rebuilt import Why
from core.native.reasons.why_run import why_of
from core.paths import Paths
from core.run import identity
from core.runs import newest_run_in, resolve_run
from tui.cli import common, listing
from tui.cli import plan_words as words
from tui.cli.events import plain
from tui.pages.why import named, said

_TITLES = (
    ("crate", "Crates"), ("script", "Build scripts"), ("output", "Native outputs"), ("call", "Calls of nvcc"),
    ("file", "Changed in vain"), ("input", "Not watched"),
)  # fmt: skip

_MOST_ALONE = 3
"""Crates with the same reason that are named."""
_NOT_KNOWN = (
    "Not known: this run left nothing that says what it made. What make, ninja and CMake write is read where the "
    "command names their build tree, or runs in it."
)
_NOTHING = "Nothing was rebuilt, and nothing changed, as far as times and what is known of contents tell."
_UNSAID = "– : nobody said why, and no change is to be seen any more. Cargo tells with -v."


def main(argv: list[str]) -> int:
    """Tell it; exit code."""
    return common.guarded(run, argv)


def run(argv: list[str]) -> int:
    """The same, with failures as exceptions.

    Raises:
        UsageError: No run fits, or there is none.
    """
    parser = common.make_parser(
        "why", "Why each unit of a run was rebuilt: what cargo, ninja and nvcc said, else what changed since the build "
        "before; and what was not rebuilt although a file near it changed."
    )  # fmt: skip
    parser.add_argument("run", nargs="?", metavar="RUN", help="id, unique prefix of one, or an agent: its newest run; "
                        "else the newest of this checkout")  # fmt: skip
    given = parser.parse_args(argv)
    paths = common.user_paths()
    listing.bring_up_to_date(paths)
    wanted = resolve_run(paths, given.run) if given.run else _newest(paths)
    found = why_of(paths, wanted, os.environ, wall_clock())
    if given.json:
        common.print_json("why", run=wanted, is_told=found.is_told, units=[record(one) for one in found.units])
        return 0
    for line in lines(found.units, wanted, _command(paths, wanted), is_told=found.is_told):
        common.print_text(line)
    if any(one.kind in ("crate", "script") and not one.reason for one in found.units):
        common.print_text("")
        for line in words.folded(_UNSAID, words.COLUMNS):
            common.print_text(line)
    return 0


def _newest(paths: Paths) -> str:
    checkout = identity.checkout_of(common.current_folder())
    run = newest_run_in(paths, checkout)
    if run is None:
        raise UsageError(f"no run is known yet of {checkout}: build here through cargo-deck, or name a run")
    return run


def _command(paths: Paths, run: str) -> str:
    record = read_record(paths, run)
    return record.started.command if record is not None else ""


def lines(found: Sequence[Why], run: str, command: str, *, is_told: bool = True) -> Iterator[str]:
    """Units by kind, each with its reason."""
    width = common.room() or words.COLUMNS
    look = words.Look(width, common.has_colour())
    yield from words.folded(plain(f"{run}  {command}"), width)
    for kind, title in _TITLES:
        some = [one for one in found if one.kind == kind]
        if some:
            yield from ("", look.tint("head", title))
        for one in _joined(some):
            text = f"{plain(named(one))}: {plain(said(one))}"
            first, *rest = words.folded(text, width, 2, hang=4)
            yield first if one.is_rebuilt or one.kind == "call" else look.tint("warning", first)
            yield from rest
    if not found:
        yield from words.folded(_NOTHING if is_told else _NOT_KNOWN, width)


def _joined(some: Sequence[Why]) -> Iterator[Why]:
    """Crates that have one reason in common as one: a first build has hundreds."""
    by_reason: dict[tuple[str, str], list[Why]] = {}
    for one in some:
        shared = one.reason if one.kind in ("crate", "script") and one.by == "times" else ""
        by_reason.setdefault((shared, "" if shared else one.unit), []).append(one)
    for (reason, _), same in by_reason.items():
        if reason and len(same) > _MOST_ALONE:
            names = f"{', '.join(one.unit for one in same[:_MOST_ALONE])} and {len(same) - _MOST_ALONE} more"
            yield same[0]._replace(unit=names)
        else:
            yield from same


def record(one: Why) -> dict[str, Any]:
    """A unit, as docs/json.md says."""
    return {
        "unit": one.unit, "kind": one.kind, "is_rebuilt": one.is_rebuilt, "reason": one.reason or None,
        "by": one.by or None, "package": one.package or None,
    }  # fmt: skip
