"""What a program pays for being watched: CPU time of a feed in cargo-deck beside the same feed into a file.

`python -m bench.writer [--lines 3000000] [--rounds 40]`. Each round runs the feed plain, plain again and as a run that
the open dashboard shows, in random order; the two plain ones make the A/A series. Then engine and dashboard are
stopped by SIGSTOP, and the feed must end all the same.
"""

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import time

from bench.feeds import LINE_BYTES, Gate, ended, log_of
from bench.figures import Figures
from bench.throughput import fed, printed
from bench.watched import Watched, watched
from tests.real.product import COMMAND, Deck, process, temporary_deck
from tests.real.usage import interval_of_medians

CPU_RATIO = 1.02
_STOPPED_LIMIT_S = 60.0


def plain(deck: Deck, gate: Gate, lines: int) -> float:
    """Seconds of user and system of the feed, redirected to a new file."""
    path = os.path.join(deck.folder, "plain.log")
    with open(path, "wb") as file:
        child = subprocess.Popen(gate.argv("plain", lines), stdout=file)
        warm_up(deck, lines)
        gate.open()
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    assert os.stat(path).st_size == lines * LINE_BYTES
    os.unlink(path)
    return usage.ru_utime + usage.ru_stime


def ours(deck: Deck, gate: Gate, board: Watched, lines: int) -> float:
    """The same of a run, the board open."""
    feed = gate.start("agent", lines)
    board.until(b"running", since=len(board.chunks))
    warm_up(deck, lines)
    gate.open()
    found = ended(deck, feed)
    board.until(feed.last_line())
    assert found["code"] == 0
    assert os.stat(log_of(deck, feed)).st_size == lines * LINE_BYTES
    assert deck.run("forget", feed.run).returncode == 0
    return float(str(found["user_s"])) + float(str(found["sys_s"]))


def warm_up(deck: Deck, lines: int) -> None:
    """Have the pages of a file of that size at hand: a virtual machine may have given its free memory away."""
    path = os.path.join(deck.folder, "warm.log")
    with open(path, "wb") as file:
        for _ in range(lines * LINE_BYTES >> 20):
            file.write(bytes(1 << 20))
    os.unlink(path)


def cost(figures: Figures, deck: Deck, lines: int, rounds: int, rng: random.Random) -> None:
    """Ratio of CPU times over so many rounds."""
    gate = Gate(deck)
    taken: dict[str, list[float]] = {"plain": [], "again": [], "ours": []}
    with watched([COMMAND], deck) as board:
        board.rest(2.0)
        for _ in range(rounds):
            for name in rng.sample(sorted(taken), 3):
                taken[name].append(ours(deck, gate, board, lines) if name == "ours" else plain(deck, gate, lines))
    # Which of the two plain feeds of a round is the partner is drawn, so that both series are made alike.
    pairs = zip(taken["plain"], taken["again"], taken["ours"], strict=True)
    ratios = [mine / rng.choice((first, second)) for first, second, mine in pairs]
    same = [second / first for first, second in zip(taken["plain"], taken["again"], strict=True)]
    ours_at, same_at = (interval_of_medians(series, rng) for series in (ratios, same))
    more = (
        f"95 % [{ours_at[0]:.3f}–{ours_at[1]:.3f}]; A/A {statistics.median(same):.3f} "
        f"[{same_at[0]:.3f}–{same_at[1]:.3f}]; {rounds} rounds of {statistics.median(taken['plain']):.2f} s of CPU"
    )
    figures.at_most("user + sys of the writer × plain", statistics.median(ratios), CPU_RATIO, "{:.3f}", more)


def stopped(figures: Figures, deck: Deck, lines: int) -> None:
    """The feed while nobody of ours runs but its supervisor."""
    gate = Gate(deck, "gate-of-stopped")
    feed = gate.start("stopped", lines)
    with watched([COMMAND], deck) as board:
        board.until(b"stopped")
        engine = deck.engine()
        assert engine is not None
        pids = (engine.pid, board.pid)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        assert process(engine.pid) == engine
        opened = gate.open()
        found = ended(deck, feed, _STOPPED_LIMIT_S)
        took_s = time.monotonic() - opened
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        figures.holds("ends normally with engine and dashboard stopped", found["code"] == 0, f"{took_s:.2f} s")
        board.until(feed.last_line())
    figures.holds("  its log: sha256 of what was fed", printed(deck, feed) == fed(gate, feed))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=3_000_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    figures, rng = Figures(), random.Random(args.seed)
    with temporary_deck() as deck:
        cost(figures, deck, args.lines, args.rounds, rng)
    with temporary_deck() as deck:
        stopped(figures, deck, args.lines)
    return figures.end("writer")


if __name__ == "__main__":
    sys.exit(main())
