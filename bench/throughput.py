"""Lines a second from programs to the open dashboard, nothing dropped; memory with the log open; any line by number.

`python -m bench.throughput [--lines 10000000] [--runs 8] [--jumps 200]`. The clock runs from the moment the feeds may
write until the dashboard's terminal has got the last line of each.
"""

import argparse
import hashlib
import os
import random
import re
import subprocess
import sys
import time

from bench.bench_engine import rss_mb
from bench.feeds import Feed, Gate, log_of
from bench.figures import Figures, share
from bench.watched import Watched, draw, watched
from core.logfile import LogFile
from core.logfile_index import classes_of
from tests.real.product import COMMAND, Deck, temporary_deck

ONE_RATE, MANY_RATE = 500_000, 800_000
"""Lines a second of one run with its log open, and of several on the board together."""
RSS_MB = {1_000_000: 80.0, 10_000_000: 150.0}
JUMP_MS = 50.0
PAGE_LINES = 50
_COUNT = re.compile(r"(\d[\d,. ]*) lines")


def shown_at(board: Watched, feeds: list[Feed], since: int) -> float:
    """When the terminal had the last line of all."""
    return board.until(*(feed.last_line() for feed in feeds), limit_s=60, since=since)


def one_run(figures: Figures, lines: int, rng: random.Random, jumps: int) -> None:
    """A single run, its log open and followed."""
    with temporary_deck() as deck:
        gate = Gate(deck)
        feed = gate.start("agent-1", lines)
        with watched([COMMAND], deck) as board:
            board.until(b"agent-1")
            board.type("\r")
            board.rest(2.0)
            first, opened = len(board.chunks), gate.open()
            rate = lines / (shown_at(board, [feed], first) - opened)
            if lines >= max(RSS_MB):
                figures.at_least(f"one run, {lines / 1e6:g} M lines, its log open: lines/s", rate, ONE_RATE, "{:,.0f}")
            else:
                figures.note(f"one run, {lines / 1e6:g} M lines, its log open: lines/s", f"{rate:,.0f}")
            board.rest(1.0)
            nothing_dropped(figures, deck, gate, feed, board)
            walk(board)
            memory(figures, deck, board, lines)
            if lines >= max(RSS_MB):
                by_key(figures, board, feed, [rng.randrange(lines) for _ in range(jumps // 4)])
        if lines >= max(RSS_MB):
            by_number(figures, deck, feed, [rng.randrange(lines) for _ in range(jumps)])


def many_runs(figures: Figures, runs: int, lines: int) -> None:
    """Several runs together, all of them on the board."""
    with temporary_deck() as deck:
        gate = Gate(deck)
        feeds = [gate.start(f"agent-{number + 1}", lines // runs) for number in range(runs)]
        with watched([COMMAND], deck) as board:
            board.until(*(feed.word.encode() for feed in feeds))
            first, opened = len(board.chunks), gate.open()
            rate = lines / (shown_at(board, feeds, first) - opened)
            name = f"{runs} runs together, {lines / 1e6:g} M lines, on the board: lines/s"
            figures.at_least(name, rate, MANY_RATE, "{:,.0f}")
            board.rest(1.0)
            memory(figures, deck, board, 0)
        same = [printed(deck, feed) == fed(gate, feed) for feed in feeds]
        figures.holds(f"`cargo-deck logs` of {runs} runs: sha256 of what was fed", all(same))


def nothing_dropped(figures: Figures, deck: Deck, gate: Gate, feed: Feed, board: Watched) -> None:
    """The number on the last line, the count that the screen tells, and the hash of the whole log agree."""
    screen = "\n".join(draw(board).display)
    numbers = [int(one) for one in re.findall(rf"line (\d{{9}}) of {feed.word}", screen)]
    figures.holds("  last line on the screen is the last one fed", max(numbers, default=0) == feed.lines)
    has_all = numbers == list(range(numbers[0], numbers[-1] + 1)) if numbers else False
    figures.holds("  lines on the screen without a gap", has_all, f"{len(numbers)} lines")
    counts = [int(re.sub(r"\D", "", one)) for one in _COUNT.findall(screen)]
    figures.holds("  count on the screen is the count fed", feed.lines in counts, f"{counts}")
    figures.holds("  `cargo-deck logs`: sha256 of what was fed", printed(deck, feed) == fed(gate, feed))


def printed(deck: Deck, feed: Feed) -> str:
    """Hash of what `cargo-deck logs` prints."""
    return _sha256([COMMAND, "logs", feed.run], deck)


def fed(gate: Gate, feed: Feed) -> str:
    """Hash of what the feed prints."""
    return _sha256([*gate.argv(feed.word, feed.lines)[:3], "/dev/null", feed.word], None)


def _sha256(argv: list[str], deck: Deck | None) -> str:
    found = hashlib.sha256()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=deck.env if deck else None) as child:
        assert child.stdout is not None
        while block := child.stdout.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def walk(board: Watched) -> None:
    """Top, end and pages of the log, as a person does."""
    for keys in ("g", "\x1b[6~", "\x1b[6~", "G", "\x1b[5~", "\x1b[5~", "g", "G"):
        board.type(keys)
        board.rest(0.3)


def memory(figures: Figures, deck: Deck, board: Watched, lines: int) -> None:
    """Resident memory of the dashboard and of the engine."""
    engine = deck.engine()
    more = f"engine {rss_mb(engine.pid):.0f} MB" if engine else "no engine"
    size_mb = rss_mb(board.pid)
    limits = [limit for at, limit in RSS_MB.items() if lines and lines <= at]
    if limits:
        figures.at_most(f"  RSS at {lines / 1e6:g} M lines, log open, MB", size_mb, limits[0], "{:.0f}", more)
    else:
        figures.note("  RSS, MB", f"{size_mb:.0f}   {more}")


def by_number(figures: Figures, deck: Deck, feed: Feed, numbers: list[int]) -> None:
    """A page from any line on, each time by somebody who has not read the log before."""
    log = log_of(deck, feed)
    classes = classes_of("out", is_split=False, json="none", parser="generic")
    taken_ms = []
    for number in numbers:
        began = time.perf_counter()
        reader = LogFile(log, os.path.join(os.path.dirname(log), "lines.idx"), classes)
        reader.extend()
        page = reader.lines(number, PAGE_LINES)
        taken_ms.append(1000 * (time.perf_counter() - began))
        assert page[0].startswith(b"line %09d " % (number + 1)), page[0]
        reader.close()
    more = f"95 % {share(taken_ms, 0.95):.1f} ms of {len(numbers)}, opening included"
    figures.at_most(f"  {PAGE_LINES} lines from any number, ms", max(taken_ms), JUMP_MS, "{:.1f}", more)


def by_key(figures: Figures, board: Watched, feed: Feed, numbers: list[int]) -> None:
    """From Enter after `:` and a number to that line on the terminal."""
    taken_ms = []
    for number in numbers:
        for keys in (":", str(number + 1)):
            board.type(keys)
            board.rest(0.15)
        first, pressed = len(board.chunks), board.type("\r")
        shown = board.until(b"line %09d of %s" % (number + 1, feed.word.encode()), limit_s=5, since=first)
        taken_ms.append(1000 * (shown - pressed))
        board.rest(0.1)
    more = f"median {share(taken_ms, 0.5):.1f}, 95 % {share(taken_ms, 0.95):.1f} ms of {len(numbers)}"
    figures.at_most("  key `:`: any line on the screen, ms", max(taken_ms), JUMP_MS, "{:.1f}", more)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--jumps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    figures, rng = Figures(), random.Random(args.seed)
    one_run(figures, 1_000_000, rng, args.jumps)
    one_run(figures, args.lines, rng, args.jumps)
    many_runs(figures, args.runs, args.lines)
    return figures.end("throughput")


if __name__ == "__main__":
    sys.exit(main())
