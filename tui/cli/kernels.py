"""`cargo deck kernels`: what kernels need, against what they needed before."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from core import events as e
from core import kernel_queries as queries
from core.attach import Reader
from core.clock import wall_clock
from core.kernel_order import ordered
from core.kernel_queries import Compiled, KernelRow
from core.native.kernels.branch_blobs import BranchPoint, blobs_of, branch_points, git_of
from core.native.kernels.ptxas_force import force
from core.native.kernels.repository import repository_of
from core.paths import Paths
from core.run import identity
from core.runs import resolve_run
from core.state import Board
from tui import format as f
from tui.cli import common, listing
from tui.cli.events import plain
from tui.cli.kernel_calls import call_records, calls_of, print_calls
from tui.cli.plan_words import COLUMNS, folded
from tui.nothing_native import NO_NVCC, has_nvcc, no_kernel
from tui.widgets import kernel_words as words
from tui.widgets import ptx_words
from tui.widgets.checkout_names import checkout_names

_ALL_S = 400 * 24 * 3600.0
_HEADING = (
    "", "", "kernel", "arch", *(f"{title:>{cells}}" for title, cells in (
        ("regs", words.COUNT), ("spills", words.SPILLS), ("occup", words.OCCUPANCY), ("smem", words.SIZE),
        ("stack", words.SIZE), ("code", words.SIZE), ("time", words.TIME),
    )), "file", "agent",
)  # fmt: skip
_GIVES_WAY = (
    (2, 24), (12, 0), (11, 14), (8, 0), (7, 0), (9, 0), (11, 0), (1, 12), (2, 14), (10, 0), (2, 8), (6, 0),
    (1, 6),
)  # fmt: skip
"""Columns in the order in which they give way on a narrow terminal: agent, stack, shared memory, code, file, time and
occupancy are left out. The checkout, where there are several, stays."""
_NONE_MEASURED = "Calls of nvcc are known here, and none of them left a kernel: --calls lists them."
_EXIT_CODES = (
    "First column: ⚠ worse, · changed, – nothing to compare with. Exit code: 0, also where there is no kernel; "
    "2, the command line cannot be used; 125, cargo-deck failed."
)


def main(argv: list[str]) -> int:
    """List kernels; exit code."""
    return common.guarded(_main, argv)


def _parser() -> common.Parser:
    parser = common.make_parser(
        "kernels",
        "Kernels as they were compiled last, in the last 24 hours, or by one run: registers, spills, shared memory, "
        "code and time for each arch, against what they were before.",
    )
    parser.add_argument("run", metavar="RUN", nargs="?", help="an id, the beginning of one, or an agent's name")
    parser.add_argument("--all", action="store_true", help="of all checkouts, not only of the one around this folder")
    parser.add_argument(
        "--against", metavar="RUN|last|branch", default="last",
        help="last: the build before of the same source (default); branch: as it was at the branch point; or a run",
    )  # fmt: skip
    parser.add_argument(
        "--ptxas",
        action="store_true",
        help="have ptxas count now what PTX needs, where the engine has not done it yet, or left it out",
    )
    parser.add_argument(
        "--calls",
        action="store_true",
        help="calls of nvcc instead of kernels; of a RUN each with all its phases, their time and memory",
    )
    parser.epilog = _EXIT_CODES
    return parser


def _main(argv: list[str]) -> int:
    given = _parser().parse_args(argv)
    paths = common.user_paths()
    listing.bring_up_to_date(paths)
    run = resolve_run(paths, given.run) if given.run else None
    is_whole = run is not None or given.against != "last"
    board = _board(paths, is_whole=is_whole)
    scope = "" if run or given.all else _scope(board)
    found, now = _compiled(board, run, scope)
    if given.ptxas:
        for sentence in force(paths, [(one.run, one.measured) for one in now], os.environ.get("PATH", "")):
            common.say(plain(sentence))
        board = _board(paths, is_whole=is_whole)
        found, now = _compiled(board, run, scope)
    calls = [row for row in calls_of(board, run) if not scope or row.run.checkout == scope]
    others = "" if run else _of_others(board, scope, is_all=given.all)
    if given.calls and not given.json:
        print_calls(calls, board.now, is_whole=run is not None)
        _print_others(others)
        return 0
    baseline, against, why = _baseline(paths, given.against, found, now)
    rows = ordered(queries.kernel_rows(now, baseline), "changed")
    if given.json:
        about = {"now": board.now, "run": run, "checkout": scope or None, "against": against, "why": why or None}
        common.print_json("kernels", **about, **_records(rows), calls=call_records(calls))
    else:
        ends = board.runs[run].nvcc_ends if run is not None and run in board.runs else ()
        none = no_kernel(ends) if run else _none_known(found, scope, os.environ)
        _print(queries.distinct(rows), why, none)
        _print_others(others)
    return 0


def _compiled(board: Board, run: str | None, scope: str) -> tuple[tuple[Compiled, ...], list[Compiled]]:
    """All compilations, and those to show; `scope`: their checkout, empty: any."""
    found = queries.compilations(board.runs.values())
    if run:
        return found, [one for one in found if one.run == run]
    newest = [one for one in queries.newest(found) if not scope or one.checkout == scope]
    return found, queries.there(newest, os.path.exists)


def _with_nvcc(board: Board) -> set[str]:
    """Checkouts that called nvcc."""
    return {run.checkout for run in board.runs.values() if run.kernels or run.nvcc_ends}


def _scope(board: Board) -> str:
    """The checkout around this folder; empty: nothing called nvcc there."""
    here = identity.checkout_of(common.current_folder())
    return here if here in _with_nvcc(board) else ""


def _of_others(board: Board, scope: str, *, is_all: bool) -> str:
    """What else there is, or why all is shown; empty: there is one checkout alone."""
    others = len(_with_nvcc(board) - {scope})
    if scope:
        return f"of this checkout alone: {plain(scope)}; --all has {f.many(others, 'other')}" if others else ""
    return f"of {f.many(others, 'checkout')}: none called nvcc around this folder" if others > 1 and not is_all else ""


def _none_known(found: Sequence[Compiled], scope: str, env: Mapping[str, str]) -> str:
    """Why there is no kernel to show, and what to do."""
    if scope and not any(one.checkout == scope for one in found):
        return _NONE_MEASURED
    if found:
        return words.ALL_GONE
    return "\n".join(words.NO_KERNELS if has_nvcc(env) else (*NO_NVCC, "", *words.NO_KERNELS))


def _board(paths: Paths, *, is_whole: bool) -> Board:
    """Runs of the last 24 hours; where that is not enough, all that are kept."""
    board = common.whole_board(paths)
    if is_whole or not any(run.kernels for run in board.runs.values()):
        board = Reader(paths, wall_clock, _ALL_S).read_all()
    return board


def _baseline(
    paths: Paths, word: str, found: Sequence[Compiled], now: Iterable[Compiled]
) -> tuple[queries.Baseline, str, str]:
    """What to compare with, what to call it, and why it may be nothing."""
    if word == "last":
        return queries.last_of(found), "last", ""
    if word != "branch":
        run = resolve_run(paths, word)
        why = (
            "" if any(one.run == run for one in found) else f"run {run} compiled no kernel: there is nothing to compare"
        )
        return queries.run_of(found, run, lru_cache(repository_of)), run, why
    now = list(now)
    points = branch_points(queries.asked_of(now, found), git_of(os.environ))
    baseline = queries.branch_of(found, blobs_of(points))
    return baseline, "branch", "; ".join(_not_known(now, points, baseline))


def _not_known(now: Sequence[Compiled], points: Mapping[str, BranchPoint], baseline: queries.Baseline) -> Iterator[str]:
    """Of each checkout, why there is nothing to compare with."""
    for checkout, point in points.items():
        if not point.commit:
            yield f"{checkout}: {words.NO_BRANCH_POINT}"
            continue
        missing = sorted({one.place for one in now if one.checkout == checkout and baseline(one) is None})
        names = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        if missing:
            yield (
                f"no build of the branch point is known: no run that is kept compiled {names}, headers included, "
                f"as of {point.name} ({point.commit[:8]})"
            )


# For people


def _print_others(said: str) -> None:
    if said:
        common.print_prose(said)


def _print(rows: Sequence[KernelRow], why: str, empty: str) -> None:
    if why:
        common.say(plain(why))
    if not rows:
        for line in empty.split("\n"):
            common.print_text("\n".join(folded(line, common.room() or COLUMNS)))
        return
    names = checkout_names(row.compiled.checkout for row in rows)
    cells = [(*_HEADING[:1], "checkout" if names else "", *_HEADING[2:]), *(_cells(row, names) for row in rows)]
    for line in common.table(cells, _GIVES_WAY, paths=(11,)):
        common.print_text(line)
    for line in _remarks(rows, names):
        common.print_prose(line)


def _remarks(rows: Sequence[KernelRow], names: Mapping[str, str]) -> Iterator[str]:
    """What is to be said below the table."""
    for one in rows:
        name = f"{plain(words.kernel_name(one.change.now))} {ptx_words.arch_name(one.change.now)}"
        where = f" in {plain(names[one.compiled.checkout])}" if names else ""
        yield from (f"{words.WORSE} {name}{where}: {warning}" for warning in one.warnings)
    for place, said in sorted({(words.place_of(one), one.other_flags) for one in rows if one.change.differs}):
        if said:
            yield f"{plain(place)}: {plain(said)}"
    if any(one.change.now.ptxas_arch for one in rows):
        yield ptx_words.OF_PTX


def _cells(row: KernelRow, names: Mapping[str, str]) -> tuple[str, ...]:
    kernel, deltas = row.change.now, row.change.deltas
    cells = (
        words.count_cell(kernel.registers, deltas["registers"]), words.spills_cell(row.change),
        words.occupancy_cell(row.change), words.size_cell(kernel.shared_bytes, deltas["shared_bytes"]),
        words.size_cell(kernel.stack_bytes, deltas["stack_bytes"]),
        words.size_cell(kernel.code_bytes, deltas["code_bytes"]), words.time_cell(row.arch_s, row.arch_s_before),
    )  # fmt: skip
    made = f" ▸ {row.output}" if row.output else ""
    return (
        words.news_sign(row), plain(names.get(row.compiled.checkout, "")), plain(words.kernel_name(kernel)),
        ptx_words.arch_name(kernel),
        *(cell.text for cell in cells), plain(words.place_of(row) + made), plain(row.compiled.agent),
    )  # fmt: skip


# For programs


def _records(rows: Sequence[KernelRow]) -> dict[str, Any]:
    sources = {(row.compiled.run, row.compiled.measured.call, row.compiled.source): row for row in rows}
    gone = [
        {"name": kernel.name, "arch": kernel.arch, "source": row.compiled.source, "run": row.compiled.run}
        for row in sources.values()
        for kernel in queries.gone_since(row.compiled, row.before)
    ]
    return {"kernels": [kernel_record(row) for row in rows], "gone": gone}


def kernel_record(row: KernelRow) -> dict[str, Any]:
    """A kernel as `--json` gives it; fields as in docs/json.md."""
    kernel, occupancy, before = row.change.now, row.change.occupancy, row.before
    figures = {**figures_of(kernel), "arch_s": row.arch_s}
    return {
        "kernel": words.kernel_name(kernel), "name": kernel.name, "arch": kernel.arch, "run": row.compiled.run,
        "agent": row.compiled.agent, "checkout": row.compiled.checkout, "call": row.compiled.measured.call,
        "source": row.compiled.source, "output": row.compiled.measured.output, "began": row.compiled.began,
        **figures,
        "occupancy": None if occupancy is None else {
            "share": occupancy.share, "threads": occupancy.threads, "is_block_known": occupancy.is_block_known,
            "by": occupancy.by or None,
        },
        "before": None if row.change.before is None or before is None else {
            "run": before.run, "agent": before.agent, "checkout": before.checkout, "began": before.began,
            **figures_of(row.change.before), "arch_s": row.arch_s_before,
            "occupancy_share": None if row.change.occupancy_before is None else row.change.occupancy_before.share,
        },
        "differs": row.change.differs, "warnings": list(row.warnings),
    }  # fmt: skip


def figures_of(kernel: e.Kernel) -> dict[str, Any]:
    """Its figures by name."""
    return {
        "registers": kernel.registers, "spill_store_bytes": kernel.spill_store_bytes,
        "spill_load_bytes": kernel.spill_load_bytes, "called_spill_bytes": kernel.called_spill_bytes,
        "stack_bytes": kernel.stack_bytes, "shared_bytes": kernel.shared_bytes,
        "constant_bytes": kernel.constant_bytes, "barriers": kernel.barriers, "code_bytes": kernel.code_bytes,
        "compile_s": kernel.compile_s, "block_threads": kernel.block_threads, "is_block_exact": kernel.is_block_exact,
        "ptxas_arch": kernel.ptxas_arch or None,
    }  # fmt: skip
