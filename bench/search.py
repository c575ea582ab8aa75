"""Search in a log of a million lines, in the real dashboard: first hit, full count, and whether keys are still obeyed.

`python -m bench.search [--lines 1000000] [--rounds 5]`. The log lies there in plain text and as coloured cargo output.
From the top of it a pattern is pasted; the clock runs from there to the bytes that show the line, or the count. Each
round has patterns of its own, so that nothing is remembered from the last.
"""

import argparse
import os
import random
import re
import statistics
import sys

from bench.bench_board import start
from bench.figures import Figures, share
from bench.watched import PAINTED, Watched, watched
from tests.real.product import COMMAND, Deck, temporary_deck

FIRST_MS, COUNT_MS, KEY_MS = 100.0, 600.0, 60.0
_GREEN, _PLAIN = b"\x1b[1m\x1b[92m", b"\x1b[0m"


def write_log(path: str, lines: int, *, is_coloured: bool) -> None:
    """Lines of 85 columns; each thousandth has a word of its own, and the last thousandth an error."""
    before, after = (_GREEN, _PLAIN) if is_coloured else (b"", b"")
    with open(path, "wb") as file:
        for first in range(0, lines, 1000):
            block = [before + b"   Compiling" + after + b" crate-%07d v1.2.3 (/home/user/src/project/crates/x)" % number
                     for number in range(first, first + 1000)]  # fmt: skip
            block[500] = before + b"     Running" + after + b" thousand %07d of the whole log" % first
            if first + 1000 >= lines:
                block[900] = b"error[E0999]: the very last trouble of %d" % lines
            file.write(b"\n".join(line.ljust(85, b".") for line in block) + b"\n")


def searched(board: Watched, pattern: str, shows: bytes, count: int) -> tuple[float, float, float]:
    """Milliseconds to the first hit, to the full count, and from a key in between to a paint."""
    board.type("g")
    board.rest(0.3)
    board.type("/")
    board.rest(0.2)
    since = len(board.chunks)
    typed = board.type(pattern)
    hit = board.until(shows, since=since)
    key_since = len(board.chunks)
    key = board.type("\r")
    counted = board.until(re.compile(rb"\d[\d,]* of " + f"{count:,}".encode() + rb" "), since=since)
    painted = board.until(PAINTED, since=key_since)
    return 1000 * (hit - typed), 1000 * (counted - typed), 1000 * (painted - key)


def measure(figures: Figures, deck: Deck, name: str, lines: int, rounds: int, dice: random.Random) -> None:
    """Words, expressions and what is at the very end, in turn."""
    path = os.path.join(deck.folder, f"{name}.log")
    write_log(path, lines, is_coloured=name == "coloured")
    start(deck, name, "cat", path)
    hits: list[float] = []
    counts: list[float] = []
    keys: list[float] = []
    with watched([COMMAND], deck) as board:
        board.until(name.encode())
        board.rest(2.0)
        board.type("\r")
        board.until(f"{lines:,} lines".encode())
        board.rest(1.0)
        for _ in range(rounds):
            far = dice.randrange(lines // 2000, lines // 1000) * 1000
            for pattern, shows, count in (
                (f"thousand {far:07}", b"thousand %07d of" % far, 1),
                (f"crate-{far + 7:07} v", b"crate-%07d" % (far + 7), 1),
                (f"THOUSAND|thousand {far:07}", b"thousand %07d of" % far, 1),
                (r"^error\[E\d+\]: the", b"the very last trouble", 1),
                (r"thousand \d+ of", b"thousand 0000000 of", lines // 1000),
            ):  # fmt: skip
                hit, counted, key = searched(board, pattern, shows, count)
                hits.append(hit)
                counts.append(counted)
                keys.append(key)
    said = f"{lines:,} lines, {name}"
    hit_ms, more = statistics.median(hits), f"worst {max(hits):.0f}, {len(hits)} searches"
    if name == "plain":
        figures.at_most(f"{said}: first hit, ms", hit_ms, FIRST_MS, more=more)
    else:  # every line has escapes to be taken out before it can be compared
        figures.note(f"{said}: first hit, ms", f"{hit_ms:.1f}   {more}")
    figures.at_most(f"{said}: full count, ms", statistics.median(counts), COUNT_MS, more=f"worst {max(counts):.0f}")
    figures.at_most(f"{said}: a key meanwhile, p95, ms", share(keys, 0.95), KEY_MS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    figures, dice = Figures(), random.Random(7)
    for name in ("plain", "coloured"):
        with temporary_deck() as deck:
            measure(figures, deck, name, args.lines, args.rounds, dice)
    return figures.end("search")


if __name__ == "__main__":
    sys.exit(main())
