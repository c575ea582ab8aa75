"""What the dashboard costs, beside an empty Textual app in the same terminal: first paint, CPU at rest, lag of a line.

`python -m bench.bench_board [--agents 10] [--seconds 20] [--starts 7]`. Agents are real detached runs: at rest all of
them sleep; then one of them prints a line every 0.37 s, and the lag is from its clock to the bytes at the terminal.
"""

import argparse
import os
import re
import selectors
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.bench_engine import cpu_s
from tests.real.product import COMMAND, Deck, temporary_deck
from tests.real.ptys import Terminal

EMPTY = "from textual.app import App; App().run()"
SPEAKER = """
import time
while True:
    print(f'said {time.time():.4f} end', flush=True)
    time.sleep(0.37)
"""
_SAID = re.compile(rb"said (\d+\.\d{4}) end")
_PAINTED = re.compile(rb"\x1b\[\?2026l")
"""End of a synchronized update: Textual writes one after each paint, where the terminal says that it knows them."""
_ASKS = re.compile(rb"\x1b\[\?2026\$p")
_KNOWS = b"\x1b[?2026;2$y"
LAG_LIMIT_S, REST_LIMIT, PAINT_RATIO_LIMIT = 0.3, 0.05, 2.0


class Watched:
    """A program in a terminal, and when which bytes came."""

    def __init__(self, argv: list[str], deck: Deck) -> None:
        env = {**deck.env, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
        self.began = time.time()
        self.terminal = Terminal(argv, cwd=deck.folder, env=env, columns=200, rows=60)
        self.shown = bytearray()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.terminal.master, selectors.EVENT_READ)

    @property
    def pid(self) -> int:
        return self.terminal.child.pid

    def chunks(self, seconds: float) -> Iterator[tuple[float, bytes]]:
        """What comes within so long, and when."""
        ends = time.monotonic() + seconds
        while (left_s := ends - time.monotonic()) > 0:
            for key, _ in self._selector.select(left_s):
                try:
                    chunk = os.read(key.fd, 1 << 16)
                except OSError:  # EIO: the program is gone
                    return
                self.shown += chunk
                if _ASKS.search(chunk):
                    os.write(self.terminal.master, _KNOWS)
                yield time.time(), chunk

    def until(self, wanted: bytes | re.Pattern[bytes], limit_s: float = 20.0) -> float:
        """Seconds from the start until it is shown."""
        pattern = re.compile(re.escape(wanted)) if isinstance(wanted, bytes) else wanted
        for at, _ in self.chunks(limit_s):
            if pattern.search(self.shown):
                return at - self.began
        raise SystemExit(f"{wanted!r} did not appear within {limit_s:g} s:\n{bytes(self.shown[-2000:])!r}")


@contextmanager
def watched(argv: list[str], deck: Deck) -> Iterator[Watched]:
    program = Watched(argv, deck)
    try:
        yield program
    finally:
        program.terminal.child.terminate()
        for _ in program.chunks(0.5):
            pass
        program.terminal.close()
        program.terminal.child.wait(5)


def first_paints_s(deck: Deck, starts: int, shows: bytes) -> tuple[list[float], list[float]]:
    """Of an empty app (any paint) and of the board (a pane), taken in turn."""
    empty, board = [], []
    for _ in range(starts):
        with watched([sys.executable, "-c", EMPTY], deck) as program:
            empty.append(program.until(_PAINTED))
        with watched([COMMAND], deck) as program:
            board.append(program.until(shows))
    return empty, board


def cpu_at_rest(argv: list[str], deck: Deck, seconds: float) -> float:
    """Share of one core, after three seconds of settling."""
    with watched(argv, deck) as program:
        for _ in program.chunks(3.0):
            pass
        before_s, began = cpu_s(program.pid), time.monotonic()
        for _ in program.chunks(seconds):
            pass
        return (cpu_s(program.pid) - before_s) / (time.monotonic() - began)


def lags_s(deck: Deck, seconds: float) -> list[float]:
    """Of each line that was printed while the board was open."""
    seen: dict[bytes, float] = {}
    with watched([COMMAND], deck) as program:
        program.until(b"said ")
        ready = time.time()
        rest = b""
        for at, chunk in program.chunks(seconds):
            rest = rest[-64:] + chunk
            for stamp in _SAID.findall(rest):
                seen.setdefault(stamp, at)
    return [at - float(stamp) for stamp, at in seen.items() if float(stamp) > ready]


def start(deck: Deck, agent: str, program: str) -> None:
    done = deck.run("exec", "--detach", "--agent", agent, "--", sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--starts", type=int, default=7)
    args = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with temporary_deck() as deck:
        for number in range(args.agents):
            start(deck, f"agent-{number + 1}", "import time; print('hello'); time.sleep(3600)")
        empty_s, board_s = (statistics.median(times) for times in first_paints_s(deck, args.starts, b"agent-1"))
        empty_rest = cpu_at_rest([sys.executable, "-c", EMPTY], deck, args.seconds)
        board_rest = cpu_at_rest([COMMAND], deck, args.seconds)
        start(deck, "speaker", SPEAKER)
        lags = sorted(lags_s(deck, args.seconds))
    worst_s = lags[-1]
    print(f"first paint   {board_s * 1000:.0f} ms, empty app {empty_s * 1000:.0f} ms: × {board_s / empty_s:.2f}")
    print(f"CPU at rest   {board_rest:.1%} of a core with {args.agents} live agents, empty app {empty_rest:.1%}")
    print(f"lag of a line {statistics.median(lags) * 1000:.0f} ms median, {worst_s * 1000:.0f} ms worst of {len(lags)}")
    return int(worst_s > LAG_LIMIT_S or board_rest > empty_rest + REST_LIMIT or board_s / empty_s > PAINT_RATIO_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
