"""A program in a terminal, every byte of it kept with its time; and the screen that those bytes draw."""

import os
import re
import selectors
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import pyte
from pyte.screens import Char

from tests.real.product import Deck
from tests.real.ptys import Terminal

PAINTED = re.compile(rb"\x1b\[\?2026l")
"""End of a synchronized update: one after each paint, where the terminal says that it knows them."""
_ASKS = b"\x1b[?2026$p"
_KNOWS = b"\x1b[?2026;2$y"
_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-B]|[=>78])")
_FOREIGN = re.compile(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]")
_CARRY = 512


class Chunk(NamedTuple):
    """What one read gave."""

    at: float
    """Monotonic seconds."""
    text: bytes


class Watched:
    """A program in a terminal of its own."""

    def __init__(
        self, argv: Sequence[str], deck: Deck, *, columns: int = 200, rows: int = 60, cwd: str = "", **env: str
    ) -> None:
        self.size = (columns, rows)
        full_env = {**deck.env, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8", **env}
        self.chunks: list[Chunk] = []
        self._is_closing = False
        self.began = time.monotonic()
        self.terminal = Terminal(argv, cwd=cwd or deck.folder, env=full_env, columns=columns, rows=rows)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.terminal.master, selectors.EVENT_READ)

    @property
    def pid(self) -> int:
        return self.terminal.child.pid

    @property
    def shown(self) -> bytes:
        """All bytes so far."""
        return b"".join(chunk.text for chunk in self.chunks)

    def read(self, seconds: float) -> Iterator[Chunk]:
        """What comes within so long. Raises SystemExit where the program ends by itself."""
        ends = time.monotonic() + seconds
        while (left_s := ends - time.monotonic()) > 0:
            if self._selector.select(left_s):
                if not self.take():
                    return
                yield self.chunks[-1]

    def take(self) -> bool:
        """Read once; False at the end."""
        try:
            text = os.read(self.terminal.master, 1 << 16)
        except OSError:  # EIO: the program is gone
            if self._is_closing:
                return False
            raise SystemExit("the program has ended:\n" + "\n".join(draw(self).display)) from None
        self.chunks.append(Chunk(time.monotonic(), text))
        if _ASKS in text:
            os.write(self.terminal.master, _KNOWS)
        return True

    def rest(self, seconds: float) -> None:
        """Read on for so long."""
        for _ in self.read(seconds):
            pass

    def type(self, keys: str) -> float:
        """Press keys; the moment before."""
        at = time.monotonic()
        os.write(self.terminal.master, keys.encode())
        return at

    def until(self, *wanted: bytes | re.Pattern[bytes], limit_s: float = 30.0, since: int = 0) -> float:
        """The moment when all of it has been printed, in chunks from number `since` on; escapes are looked through.

        Raises SystemExit after `limit_s`.
        """
        missing = [one if isinstance(one, re.Pattern) else re.compile(re.escape(one)) for one in wanted]
        carry = b""
        for chunk in self._from(since, limit_s):
            plain = carry + chunk.text
            carry = plain[-_CARRY:]
            plain += b"\n" + _ESCAPES.sub(b"", plain)
            missing = [one for one in missing if not one.search(plain)]
            if not missing:
                return chunk.at
        left = ", ".join(repr(one.pattern) for one in missing)
        raise SystemExit(f"not shown within {limit_s:g} s: {left}\n" + "\n".join(draw(self).display))

    def _from(self, since: int, limit_s: float) -> Iterator[Chunk]:
        yield from self.chunks[since:]
        yield from self.read(limit_s)

    def close(self) -> None:
        self._is_closing = True
        self.terminal.child.terminate()
        self.rest(0.5)
        self.terminal.close()
        self.terminal.child.wait(5)


@contextmanager
def watched(
    argv: Sequence[str], deck: Deck, *, columns: int = 200, rows: int = 60, cwd: str = "", **env: str
) -> Iterator[Watched]:
    """The program, ended afterwards."""
    program = Watched(argv, deck, columns=columns, rows=rows, cwd=cwd, **env)
    try:
        yield program
    finally:
        program.close()


def rest_together(programs: Sequence[Watched], seconds: float) -> None:
    """Read on for so long from all, each chunk as it comes."""
    ends = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for program in programs:
            selector.register(program.terminal.master, selectors.EVENT_READ, program)
        while (left_s := ends - time.monotonic()) > 0:
            for key, _ in selector.select(left_s):
                key.data.take()


class Drawn:
    """The screen that bytes of a program draw."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)

    def feed(self, text: bytes) -> None:
        # pyte knows no private marker but "?", and would print what follows another one.
        self._stream.feed(_FOREIGN.sub(b"", text))

    def rows(self) -> list[list[Char]]:
        """All cells."""
        screen = self.screen
        return [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]


def draw(program: Watched) -> pyte.Screen:
    """The screen as all its bytes have drawn it."""
    drawn = Drawn(program.size)
    drawn.feed(program.shown)
    return drawn.screen


def changed_rows(program: Watched, first: int) -> list[set[int]]:
    """For each paint from chunk number `first` on: the rows that it changed. An empty set: a paint for nothing."""
    drawn = Drawn(program.size)
    drawn.feed(b"".join(chunk.text for chunk in program.chunks[:first]))
    before, found = drawn.rows(), []
    *paints, _ = PAINTED.split(b"".join(chunk.text for chunk in program.chunks[first:]))
    for paint in paints:
        drawn.feed(paint)
        now = drawn.rows()
        found.append({y for y, row in enumerate(now) if row != before[y]})
        before = now
    return found
