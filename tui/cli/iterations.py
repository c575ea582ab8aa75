"""`cargo deck iterations`: what an edit of each kind costs here, against its budget; `--levers`: what would make it
less, measured."""

import argparse
import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from typing import Any

from core.clock import wall_clock
from core.errors import UsageError
from core.native.edits import lever_figures
from core.native.edits.budgets import read_budgets
from core.native.edits.iteration_book import read_iterations
from core.native.edits.iterations import ClassRow, Iteration, rows_of, to_record, unseen_now
from core.native.edits.lever_figures import FEWEST, Measurement
from core.native.edits.lever_trials import make_plan, measure
from core.paths import Paths
from core.plan.machine import core_count, has_gpu
from core.run import identity
from tui import format as f
from tui.cli import common, listing
from tui.cli.events import plain
from tui.widgets import iteration_rows as words

_MOST_SOURCES = 3
_LEVERS_GIVE_WAY = ((5, 12), (0, 20), (4, 0), (5, 0), (0, 8))
"""Columns of the table of levers in the order in which they give way: their size and what they give are left out."""
_MOST = 500
"""Iterations in `--json`, the last ones."""


def main(argv: list[str]) -> int:
    """Print the table, or measure levers; exit code."""
    return common.guarded(_main, argv)


def _parser() -> common.Parser:
    parser = common.make_parser(
        "iterations",
        "What edits cost until their build was there: medians by kind of edit, the last one against the ten before it, "
        "against budgets ([budgets] of deck.toml and config.toml).",
    )
    parser.add_argument("--all", action="store_true", help="of all checkouts, not only of the one around this folder")
    parser.add_argument(
        "--levers", metavar="FILE.cu",
        help="compile this source as its last build did, with and without what may be faster, and say what that gives",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=7, help="of --levers; five at least")
    parser.add_argument(
        "--arch", default="", help="of --levers: the GPU at hand, sm_90; else this machine's, or the newest"
    )
    return parser


def _main(argv: list[str]) -> int:
    given = _parser().parse_args(argv)
    paths = common.user_paths()
    if given.levers is not None:
        return _levers(paths, given)
    listing.bring_up_to_date(paths)
    root = identity.checkout_of(common.current_folder())
    budgets = read_budgets(paths.cache, root, os.environ)
    found = [one for one in read_iterations(paths) if given.all or one.checkout == root]
    rows = rows_of(found, budgets.by_class)
    sources = {path for one in found for path in one.changed}
    measured = [one for one in lever_figures.read(paths) if one.source in sources or one.source.startswith(root + "/")]
    if given.json:
        common.print_json("iterations", checkout=None if given.all else root, rows=[_row_record(row) for row in rows],
                          iterations=[to_record(one) for one in found[-_MOST:]],
                          levers=[_lever_record(one) for one in measured],
                          troubles=[plain(one.why) for one in budgets.troubles])  # fmt: skip
        return 0
    for trouble in budgets.troubles:
        common.say(plain(f"{trouble.origin.place}:{trouble.origin.line}: {trouble.why}"))
    for line in _table(rows, found, measured, is_package=os.path.isfile(root + "/Cargo.toml")):
        common.print_prose(line)
    return 0


def _levers(paths: Paths, given: argparse.Namespace) -> int:
    """Measure the levers of a source."""
    if given.rounds < FEWEST:
        raise UsageError(f"--rounds is {FEWEST} at least: fewer tell nothing")
    if given.arch and not re.fullmatch(r"sm_\d+[af]?", given.arch):
        raise UsageError(f"--arch is such as sm_90, not {given.arch[:60]!r}")
    source, cores = os.path.abspath(given.levers), core_count()
    plan = make_plan(paths, source, env=os.environ, cores=cores, arch=given.arch or arch_at_hand())
    calls = (given.rounds + 1) * sum(1 + len(lever.more) for family in plan.families for lever in family)
    common.say(f"nvcc is called {calls} times for {plain(given.levers)}, into a scratch folder")
    found = measure(paths, plan, given.rounds, wall_clock, lambda said: common.say(plain(said)))
    if given.json:
        common.print_json("levers", **_lever_record(found))
        return 0
    for line in lever_lines(found):
        common.print_prose(line)
    return 0


def _lever_record(found: Measurement) -> dict[str, Any]:
    """As `--json` gives it."""
    return {name: value for name, value in lever_figures.to_record(found).items() if name != "schema"}


def arch_at_hand() -> str:
    """Of this machine's GPU, as its driver's tool says; empty: there is none, or it does not say."""
    argv = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    if not has_gpu():
        return ""
    try:
        done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = re.match(rb"\s*(\d+)\.(\d+)", done.stdout)
    return f"sm_{match[1].decode()}{match[2].decode()}" if match else ""


def lever_lines(found: Measurement) -> list[str]:
    """What was measured, as a table."""
    heading = ("lever", "time", "against as it is", "", "size", "gives")
    cells = [heading, *(tuple(plain(cell) for cell in words.lever_cells(one)) for one in found.figures)]
    about = f"measured here with nvcc {found.version or '?'} on {found.cores} cores in {found.rounds} rounds; the same "
    return [*common.table(cells, _LEVERS_GIVE_WAY),
            f"{about}call differs from itself by a factor of {1 + found.noise:.2f}"]  # fmt: skip


def _table(
    rows: tuple[ClassRow, ...], found: list[Iteration], measured: Sequence[Measurement], *, is_package: bool
) -> list[str]:
    """`is_package`: cargo builds here."""
    if not rows:
        return [words.EMPTY]
    lines: list[str] = []
    for checkout, command in dict.fromkeys((row.checkout, row.command) for row in rows):
        own = [row for row in rows if (row.checkout, row.command) == (checkout, command)]
        lines += ["", f"{plain(command)}  in {plain(checkout)}: {words.count_words(own)}"]
        cells = [words.HEADING, *(tuple(plain(cell.text) for cell in words.cells_of(row)) for row in own)]
        lines += common.table(cells, [(len(words.HEADING) - 1, 10)])
        lines += [f"▲ {line}" for row in own if (line := _slower(row))]
    lines += _measured(found, measured)
    if unseen := unseen_now(found):
        lines += ["", f"{plain(unseen[0])} changed and nvcc was not called: `cargo deck stale` says why"]
    if is_package:
        lines += ["", "what a native crate apart, fewer symbols, a cache, a linker would gain: cargo deck advise"]
    return lines[1:]


def _measured(found: Sequence[Iteration], measured: Sequence[Measurement]) -> list[str]:
    """What levers were measured to give, of the sources that were edited last; where none were, how to."""
    lines = [line for one in measured[-_MOST_SOURCES:] if (line := words.lever_words(one))]
    if lines:
        return ["", "measured here:", *(f"  {plain(line)}" for line in lines)]
    edited = [path for one in found for path in one.changed if path.endswith(".cu")]
    if not edited:
        return []
    return ["", f"what would make it less: cargo deck iterations --levers {shlex.quote(os.path.relpath(edited[-1]))}"]


def _slower(row: ClassRow) -> str:
    """What is to be said of a class whose last iteration was slower."""
    if not row.is_slower or row.last is None or row.before_s is None:
        return ""
    changed = plain(words.changed_words(row.last))
    return (
        f"{row.kind}: the last one ({changed}) took {f.span(row.last.wait_s)}, those before it "
        f"{f.span(row.before_s)}" + (f"; most of it is {row.culprit}" if row.culprit else "")
    )


def _row_record(row: ClassRow) -> dict[str, Any]:
    """A row as `--json` gives it; fields as in docs/json.md."""
    budget = row.budget
    return {
        "checkout": row.checkout, "command": row.command, "class": str(row.kind), "done": row.done,
        "failed": row.failed, "stopped": row.stopped, "built_nothing": row.idle, "answered": row.answered,
        "median_s": row.median_s,
        "last_s": row.last.wait_s if row.last is not None else None, "last_run": row.last.run if row.last else None,
        "before_s": row.before_s, "trend": row.trend, "is_slower": row.is_slower, "culprit": row.culprit or None,
        "budget_s": [budget.least_s, budget.most_s] if budget is not None else None,
        "budget_origin": (budget.origin or "built in") if budget is not None else None,
        "is_over_budget": row.is_over_budget,
        "phases": [{"what": one.what, "median_s": one.median_s, "last_s": one.last_s} for one in row.phases],
    }  # fmt: skip
