"""What the open dashboard costs, beside an empty Textual app: first paint, CPU at rest and at 10,000 lines/s, repaints.

`python -m bench.bench_board [--agents 10] [--seconds 20] [--starts 15]`. Agents are real detached runs. A paint that
changes no cell of the screen is a repaint for nothing; the figures of the machine in the top line do change by
themselves, and so do the seconds of a live run.
"""

import argparse
import os
import re
import statistics
import sys
import time

from bench.bench_engine import cpu_s
from bench.feeds import LINE_BYTES, Feed, Gate, log_of
from bench.figures import Figures, share, spread
from bench.watched import PAINTED, Watched, changed_rows, draw, rest_together, watched
from tests.real.product import COMMAND, Deck, temporary_deck

EMPTY = [sys.executable, "-c", "from textual.app import App; App().run()"]
SILENT = "import time; print('hello'); time.sleep(3600)"
SPEAKER = """
import time
while True:
    print(f'said {time.monotonic():.4f} end', flush=True)
    time.sleep(0.37)
"""
SETTLE_S = 3.0
PAINT_RATIO, REST_POINTS, FLOW_CPU, LAG_S = 1.4, 0.5, 20.0, 0.3
_SAID = re.compile(rb"said (\d+\.\d{4}) end")


def start(deck: Deck, agent: str, *argv: str) -> None:
    """A detached run."""
    done = deck.run("exec", "--detach", "--agent", agent, "--", *argv)
    assert done.returncode == 0, done.stderr


def first_paints(figures: Figures, starts: int, agents: int) -> None:
    """Of an empty app (any paint) and of the board (its last pane), taken in turn."""
    taken: dict[str, list[float]] = {"empty": [], "board": []}
    with temporary_deck() as deck:
        for number in range(agents):
            start(deck, f"agent-{number + 1}", sys.executable, "-c", SILENT)
        for _ in range(starts):
            with watched(EMPTY, deck) as program:
                taken["empty"].append(program.until(PAINTED) - program.began)
            with watched([COMMAND], deck) as program:
                taken["board"].append(program.until(*_names(agents)) - program.began)
    empty, board = ([1000 * one for one in taken[name]] for name in ("empty", "board"))
    ratio = statistics.median(board) / statistics.median(empty)
    more = f"{spread(board)} ms, empty app {spread(empty)} ms, {starts} starts each in turn"
    figures.at_most(f"first paint with {agents} agents, ratio", ratio, PAINT_RATIO, "{:.2f}", more)


def _names(agents: int) -> list[bytes]:
    return [b"agent-%d" % (number + 1) for number in range(min(agents, 8))]


def cpu_points(programs: list[Watched], seconds: float) -> list[float]:
    """Percent of one core that each takes within the same seconds."""
    before, began = [cpu_s(one.pid) for one in programs], time.monotonic()
    rest_together(programs, seconds)
    took_s = time.monotonic() - began
    return [100 * (cpu_s(one.pid) - was_s) / took_s for one, was_s in zip(programs, before, strict=True)]


def at_rest(figures: Figures, seconds: float, agents: int) -> None:
    """Live, silent agents; the board and an empty app at the same time. Then all agents over."""
    with temporary_deck() as deck:
        for number in range(agents):
            start(deck, f"agent-{number + 1}", sys.executable, "-c", SILENT)
        with watched([COMMAND], deck) as board, watched(EMPTY, deck) as empty:
            for one in (board, empty):
                one.rest(SETTLE_S)
            first = len(board.chunks)
            ours, theirs = cpu_points([board, empty], seconds)
            more = f"{ours:.2f} % of a core, empty app {theirs:.2f} %"
            figures.at_most(f"at rest, {agents} live agents, points more", ours - theirs, REST_POINTS, "{:.2f}", more)
            repaints(figures, board, first, f"in {seconds:.0f} s, live and silent", is_over=False)
            stopped = deck.run("stop", *(f"agent-{number + 1}" for number in range(agents)))
            assert stopped.returncode == 0, stopped.stderr
            board.rest(SETTLE_S)
            first = len(board.chunks)
            ours, theirs = cpu_points([board, empty], seconds)
            figures.note("at rest, all agents over", f"{ours:.2f} % of a core, empty app {theirs:.2f} %")
            repaints(figures, board, first, f"in {seconds:.0f} s, all over", is_over=True)


def repaints(figures: Figures, board: Watched, first: int, when: str, *, is_over: bool) -> None:
    """Judge the paints from chunk `first` on."""
    paints = changed_rows(board, first)
    size = sum(len(chunk.text) for chunk in board.chunks[first:])
    idle = sum(not rows for rows in paints)
    below = sum(max(rows, default=0) > 0 for rows in paints)
    more = f"{len(paints)} paints, {size} bytes, {below} of them below the machine's figures"
    figures.at_most(f"repaints for nothing {when}", idle, 0, "{:.0f}", more)
    if is_over:
        figures.at_most(f"paints below the top line {when}", below, 0, "{:.0f}")


def flow(figures: Figures, seconds: float, runs: int) -> None:
    """10,000 lines/s shown: of one run with its log open, or of several on the board."""
    rate = 10_000 // runs
    with temporary_deck() as deck:
        gate = Gate(deck)
        feeds = [gate.start(f"agent-{i + 1}", int(rate * (seconds + 30)), rate) for i in range(runs)]
        with watched([COMMAND], deck) as board:
            board.until(*_names(runs))
            board.type("\r" if runs == 1 else "")
            board.rest(SETTLE_S / 2)
            gate.open()
            board.rest(SETTLE_S / 2)
            first, written = len(board.chunks), _written(deck, feeds)
            (points,) = cpu_points([board], seconds)
            lines_s = (_written(deck, feeds) - written) / seconds
            deck.run("stop", "--kill", *(feed.run for feed in feeds))
            shown = sum("engine::plan" in row for row in draw(board).display)
    paints = [len(PAINTED.findall(chunk.text)) for chunk in board.chunks[first:]]
    more = f"{sum(paints) / seconds:.1f} paints/s, {lines_s:,.0f} lines/s, {shown} rows of them on the screen"
    where = "its log open" if runs == 1 else "on the board"
    figures.at_most(f"{runs} × {rate} lines/s, {where}, % of a core", points, FLOW_CPU, "{:.1f}", more)
    figures.at_least("  of which written, lines/s", lines_s, 9_500, "{:.0f}")


def _written(deck: Deck, feeds: list[Feed]) -> float:
    return sum(os.stat(log_of(deck, feed)).st_size for feed in feeds) / LINE_BYTES


def lag(figures: Figures, seconds: float, agents: int) -> None:
    """From a line's print to its bytes at the terminal, with the other agents silent."""
    with temporary_deck() as deck:
        for number in range(agents):
            start(deck, f"agent-{number + 1}", sys.executable, "-c", SILENT)
        start(deck, "speaker", sys.executable, "-c", SPEAKER)
        with watched([COMMAND], deck, rows=80) as board:
            ready = board.until(b"said ")
            board.rest(seconds)
    seen: dict[bytes, float] = {}
    rest = b""
    for chunk in board.chunks:
        rest = rest[-64:] + chunk.text
        for stamp in _SAID.findall(rest):
            seen.setdefault(stamp, chunk.at)
    lags = [at - float(stamp) for stamp, at in seen.items() if float(stamp) > ready]
    more = f"median {1000 * statistics.median(lags):.0f}, 95 % {1000 * share(lags, 0.95):.0f} ms of {len(lags)} lines"
    figures.at_most("lag of a line, ms", 1000 * max(lags), 1000 * LAG_S, "{:.0f}", more)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--starts", type=int, default=15)
    args = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    figures = Figures()
    first_paints(figures, args.starts, args.agents)
    at_rest(figures, args.seconds, args.agents)
    flow(figures, args.seconds, runs=1)
    flow(figures, args.seconds, runs=8)
    lag(figures, args.seconds, args.agents)
    return figures.end("board")


if __name__ == "__main__":
    sys.exit(main())
