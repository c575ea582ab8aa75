"""`cargo deck links`: what the links of builds took; `links measure RUN`: what settings do to one of them."""

import shutil
import sys
from typing import Any

from core import measured
from core.advice import best_of, measurement_of
from core.clock import wall_clock
from core.measure_links import make_plan, measure
from core.measured import Trial
from core.memory_queries import LinkRow, link_rows
from core.runs import resolve_run
from core.state import Board
from tui import format as f
from tui import link_words
from tui.cli import common, listing
from tui.cli.events import plain
from tui.own_program import own_command

_EMPTY = "No link is known yet: build something that links, and look again."
_MOST_LINKS = 1000


def main(argv: list[str]) -> int:
    """List the links of live and recent runs, or measure one; exit code."""
    if argv[:1] == ["measure"]:
        return common.guarded(_measure, argv[1:])
    return common.guarded(_list, argv)


def _list(argv: list[str]) -> int:
    parser = common.make_parser(
        "links",
        "Links of builds of the last 24 hours: live ones, then the largest."
        " `cargo deck links measure RUN`: what would make one take less; see its --help.",
    )
    given = parser.parse_args(argv)
    paths = common.user_paths()
    listing.bring_up_to_date(paths)
    board = common.whole_board(paths)
    rows = link_rows(board, _MOST_LINKS)
    known = measured.read(paths)
    if given.json:
        common.print_json("links", now=board.now, links=[_record_of(row, board) for row in rows],
                          measurements=[measured.to_record(one) for one in known])  # fmt: skip
        return 0
    for line in _table(rows, board):
        common.print_text(line)
    for row in rows[:1]:
        if (found := measurement_of(row, known)) is not None and (best := best_of(found)) is not None:
            common.print_text(plain(link_words.said_of(found, best, board.now, found.unit)))
    return 0


def _record_of(row: LinkRow, board: Board) -> dict[str, Any]:
    """A link as `--json` gives it; fields as in docs/json.md."""
    link = row.ended
    return {
        "run": row.run, "agent": row.agent, "checkout": row.checkout, "unit": row.unit, "output": row.output,
        "linker": row.linker, "is_running": link is None, "is_sampled": row.is_sampled, "began": row.began,
        "elapsed_s": link.elapsed_s if link is not None else board.now - row.began,
        "input_bytes": row.input_bytes, "estimate_bytes": row.estimate_bytes, "now_bytes": row.now_bytes,
        "peak_bytes": row.peak_bytes, "cpu_s": link.cpu_s if link is not None else None,
        "code": link.code if link is not None else None, "signal": link.signal if link is not None else None,
        "output_bytes": link.output_bytes if link is not None else None,
        "text_bytes": link.text_bytes if link is not None else None,
        "debug_bytes": link.debug_bytes if link is not None else None,
        "symbol_bytes": link.symbol_bytes if link is not None else None,
        "before_bytes": link.before_bytes if link is not None else None,
    }  # fmt: skip


def _table(rows: tuple[LinkRow, ...], board: Board) -> list[str]:
    if not rows:
        return [_EMPTY]
    heading = ("link", "agent", "linker", "inputs", "peak", "time", "size", "change")
    cells = [heading, *(_cells(row, board.now) for row in rows)]
    widths = common.column_widths(cells)
    if sys.stdout.isatty():
        excess = sum(widths) + 2 * (len(widths) - 1) - shutil.get_terminal_size().columns
        widths[0] = max(10, widths[0] - max(0, excess))
    lines = [common.aligned(row, widths) for row in cells]
    return [*lines, link_words.SAMPLED] if any(row.is_sampled and not row.is_cut_short for row in rows) else lines


def _cells(row: LinkRow, now: float) -> tuple[str, ...]:
    link = row.ended
    taken = row.peak_bytes if link is not None else row.now_bytes
    memory = link_words.figure(taken, is_sampled=row.is_sampled) + ("" if link is not None else " now")
    return (
        plain(row.name), plain(row.agent), plain(row.linker) or f.UNKNOWN, f.size(row.input_bytes), memory,
        f.seconds(link.elapsed_s if link is not None else now - row.began),
        f.size(link.output_bytes if link is not None else None), link_words.change_of(link),
    )  # fmt: skip


def _measure(argv: list[str]) -> int:
    parser = common.make_parser(
        "links measure",
        "Builds one link of a run anew with several settings, one after another, in a folder of ours, and says what "
        "each takes. The repository is not touched.",
    )
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--unit", help="such as 'app(bin)'; without it, the link of a member that took most")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    given = parser.parse_args(argv)
    paths = common.user_paths()
    plan = make_plan(paths, resolve_run(paths, given.run), given.unit)
    common.say(
        f"{plan.unit} is built {len(plan.variants)} times, {plan.full_builds} of them with all crates, as agent measure"
    )
    if not given.yes and not given.json and not _is_sure():
        return 0
    trials: list[Trial] = []

    def tell(trial: Trial) -> None:
        trials.append(trial)
        if not given.json:
            common.print_text(plain(link_words.trial_line(trial, trials[0])))

    found = measure(paths, plan, wall_clock, tell)
    if given.json:
        common.print_json("links-measure", run=plan.run, **measured.to_record(found))
    return 0 if found.as_is is not None else 125


def _is_sure() -> bool:
    """A person said yes; nobody to ask: yes, the command was typed."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return True
    return input("Build them now? [y/N] ").strip().lower() in ("y", "yes")


def command_of(run: str, unit: str) -> tuple[str, ...]:
    """What measures a link in a process of its own."""
    return own_command("links", "measure", run, "--unit", unit, "--yes")
