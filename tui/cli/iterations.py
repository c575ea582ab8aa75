"""`cargo deck iterations`: what an edit of each kind costs here, against its budget; `--levers`: what would make it
less, measured."""

import os
import shutil
import sys
from typing import Any

from core.native.budgets import read_budgets
from core.native.iteration_book import read_iterations
from core.native.iterations import ClassRow, Iteration, rows_of, to_record
from core.run import identity
from tui.cli import common, listing
from tui.cli.events import plain
from tui.widgets import iteration_rows as words

_MOST = 500
"""Iterations in `--json`, the last ones."""


def main(argv: list[str]) -> int:
    """Print the table, or measure levers; exit code."""
    return common.guarded(_main, argv)


def _main(argv: list[str]) -> int:
    parser = common.make_parser(
        "iterations",
        "What edits cost until their build was there: medians by kind of edit, the last one against the ten before it, "
        "against budgets ([budgets] of deck.toml and config.toml).",
    )
    parser.add_argument("--all", action="store_true", help="of all checkouts, not only of the one around this folder")
    given = parser.parse_args(argv)
    paths = common.user_paths()
    listing.bring_up_to_date(paths)
    root = checkout_here()
    budgets = read_budgets(paths.cache, root, os.environ)
    found = [one for one in read_iterations(paths) if given.all or one.checkout == root]
    rows = rows_of(found, budgets.by_class)
    if given.json:
        common.print_json("iterations", checkout=None if given.all else root, rows=[_row_record(row) for row in rows],
                          iterations=[to_record(one) for one in found[-_MOST:]],
                          troubles=[plain(one.why) for one in budgets.troubles])  # fmt: skip
        return 0
    for trouble in budgets.troubles:
        common.say(plain(f"{trouble.origin.place}:{trouble.origin.line}: {trouble.why}"))
    for line in _table(rows, found):
        common.print_text(line)
    return 0


def checkout_here() -> str:
    """The checkout that runs started in this folder have."""
    cwd = os.getcwd()
    return identity.workspace_root(cwd, None) or identity.git_root(cwd) or cwd


def _table(rows: tuple[ClassRow, ...], found: list[Iteration]) -> list[str]:
    if not rows:
        return [words.EMPTY]
    lines: list[str] = []
    for checkout, command in dict.fromkeys((row.checkout, row.command) for row in rows):
        own = [row for row in rows if (row.checkout, row.command) == (checkout, command)]
        failed, stopped = sum(row.failed for row in own), sum(row.stopped for row in own)
        more = "".join(f", {count} {word}" for count, word in ((failed, "failed"), (stopped, "stopped")) if count)
        lines += ["", f"{plain(command)}  in {plain(checkout)}: {sum(row.done for row in own)} done{more}"]
        cells = [words.HEADING, *(tuple(plain(cell.text) for cell in words.cells_of(row)) for row in own)]
        widths = common.column_widths(cells)
        if sys.stdout.isatty():
            rest = sum(widths[:-1]) + 2 * (len(widths) - 1)
            widths[-1] = max(10, min(widths[-1], shutil.get_terminal_size().columns - rest))
        lines += [common.aligned(row, widths) for row in cells]
        lines += [f"▲ {line}" for row in own if (line := _slower(row))]
    unseen = [one for one in found if one.unseen]
    if unseen:
        lines += ["", f"{plain(unseen[-1].unseen[0])} changed and nvcc was not called: `cargo deck stale` says why"]
    return lines[1:]


def _slower(row: ClassRow) -> str:
    """What is to be said of a class whose last iteration was slower."""
    if not row.is_slower or row.last is None or row.before_s is None:
        return ""
    changed = plain(words.changed_words(row.last))
    return (
        f"{row.kind}: the last one ({changed}) took {words.brief_seconds(row.last.wait_s)}, those before it "
        f"{words.brief_seconds(row.before_s)}" + (f"; most of it is {row.culprit}" if row.culprit else "")
    )


def _row_record(row: ClassRow) -> dict[str, Any]:
    """A row as `--json` gives it; fields as in docs/json.md."""
    budget = row.budget
    return {
        "checkout": row.checkout, "command": row.command, "class": str(row.kind), "done": row.done,
        "failed": row.failed, "stopped": row.stopped, "median_s": row.median_s,
        "last_s": row.last.wait_s if row.last is not None else None, "last_run": row.last.run if row.last else None,
        "before_s": row.before_s, "trend": row.trend, "is_slower": row.is_slower, "culprit": row.culprit or None,
        "budget_s": [budget.least_s, budget.most_s] if budget is not None else None,
        "budget_origin": (budget.origin or "built in") if budget is not None else None,
        "is_over_budget": row.is_over_budget,
        "phases": [{"what": one.what, "median_s": one.median_s, "last_s": one.last_s} for one in row.phases],
    }  # fmt: skip
