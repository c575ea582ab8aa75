"""Programs that print numbered lines of 85 characters: how they are built, started behind a gate, and let go."""

import os
import shutil
import subprocess
import time
from typing import NamedTuple

from tests.real.product import REPO, Deck, read_json, until

LINE_BYTES = 86
"""With its end."""


class Feed(NamedTuple):
    """One program, started as a run of cargo-deck and waiting at its gate."""

    word: str
    """The agent's name; a part of each line."""
    run: str
    lines: int

    def last_line(self) -> bytes:
        """The beginning of its last line."""
        return b"line %09d of %s" % (self.lines, self.word.encode())


class Gate:
    """A FIFO at which feeds wait; and the program itself."""

    def __init__(self, deck: Deck, name: str = "gate") -> None:
        self._deck = deck
        self.program = os.path.join(deck.folder, "feed")
        self.path = os.path.join(deck.folder, name)
        os.mkfifo(self.path)
        if not os.path.exists(self.program):
            compiler = shutil.which("cc")
            if compiler is None:
                raise SystemExit("the feeds are a C program: put `cc` into PATH")
            source = os.path.join(REPO, "bench", "feed.c")
            subprocess.run([compiler, "-O2", "-o", self.program, source], check=True)

    def argv(self, word: str, lines: int, rate: int = 0) -> list[str]:
        """The command of one feed; `rate`: lines a second, 0 for no limit."""
        return [self.program, str(lines), str(rate), self.path, word]

    def start(self, word: str, lines: int, rate: int = 0) -> Feed:
        """A detached run of that agent."""
        done = self._deck.run("exec", "--detach", "--agent", word, "--", *self.argv(word, lines, rate))
        if done.returncode != 0:
            raise SystemExit(f"exec --detach: exit {done.returncode}: {done.stderr}")
        return Feed(word, os.path.basename(self._deck.runs()[-1]), lines)

    def open(self) -> float:
        """Let all go that wait here; the moment. Nobody waiting: waits for one."""
        at = time.monotonic()
        os.close(os.open(self.path, os.O_WRONLY))
        return at


def log_of(deck: Deck, feed: Feed) -> str:
    """The run's log."""
    return os.path.join(deck.state, "runs", feed.run, "out.log")


def ended(deck: Deck, feed: Feed, limit_s: float = 60.0) -> dict[str, object]:
    """Its `exit.json`, once it is there."""
    path = os.path.join(deck.state, "runs", feed.run, "exit.json")
    until(lambda: os.path.exists(path), limit_s, f"the end of {feed.word}")
    return read_json(path)
