"""Board and engine killed while real builds run: the builds, their logs and their record must be whole."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import NamedTuple

from tests.real import samples, shown
from tests.real.product import COMMAND, Deck, Process, end, process, read_json, until
from tests.real.ptys import Terminal

ADOPTED_S = 2.0
VICTIMS = ("engine", "board", "both")
_PROGRAM = """import sys, time, random
rng = random.Random(int(sys.argv[1]))
for i in range(1500):
    for stream in (sys.stdout, sys.stderr):
        stream.buffer.write(rng.randbytes(rng.randrange(60)) + b" %d\\n" % i)
    if i % 15 == 0:
        sys.stdout.flush()
        time.sleep(0.012)
sys.exit(7)
"""


class Expected(NamedTuple):
    """What the same program gave without us."""

    code: int
    out: bytes
    err: bytes


class Trial(NamedTuple):
    """One kill."""

    victim: str
    kind: str
    harms: list[str]
    """What of the build was not as without us."""
    adopted_s: float | None
    """From the start of the next command until a new engine wrote on; None: the engine was not killed."""


class Board:
    """The dashboard in a terminal that is read all the time."""

    def __init__(self, deck: Deck) -> None:
        self._terminal = Terminal([COMMAND], cwd=deck.folder, env=deck.env, columns=160, rows=45)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._terminal.master, 1 << 16)
            except OSError:
                return
            if not chunk:
                return
            self.seen(chunk)

    def seen(self, chunk: bytes) -> None:
        """What is done with what it draws: nothing."""

    @property
    def is_alive(self) -> bool:
        return self._terminal.child.poll() is None

    def kill(self) -> None:
        self._terminal.child.kill()
        self._terminal.child.wait()
        self._reader.join(5)
        self._terminal.close()


class Grounds:
    """Programs and workspaces whose outcome without us is known."""

    def __init__(self, deck: Deck) -> None:
        self.deck = deck
        self.program = os.path.join(deck.folder, "program.py")
        samples.write_files(deck.folder, {"program.py": _PROGRAM})
        self.good, self.bad = os.path.join(deck.folder, "good"), os.path.join(deck.folder, "bad")
        samples.write_chain(self.good, crates=3, functions=300)
        samples.write_chain(self.bad, crates=3, functions=300)
        with open(os.path.join(self.bad, "link2/src/main.rs"), "a", encoding="utf-8") as file:
            file.write('fn wrong() -> u64 { "text" }\n')
        self._expected: dict[str, Expected] = {}

    def command(self, kind: str) -> tuple[list[str], list[str], str]:
        """Without us, with us, folder."""
        if kind.startswith("program"):
            argv = [sys.executable, "-S", self.program, kind.split()[1]]
            return argv, [COMMAND, "exec", "--", *argv], self.deck.folder
        # Each in a target dir that the last trial left: removed before the start.
        folder = self.good if kind == "build" else self.bad
        return ["cargo", "build"], [COMMAND, "build"], folder

    def clean(self, kind: str) -> None:
        shutil.rmtree(os.path.join(self.command(kind)[2], "target"), ignore_errors=True)

    def expected(self, kind: str) -> Expected:
        if kind not in self._expected:
            argv, _, folder = self.command(kind)
            self.clean(kind)
            done = subprocess.run(argv, cwd=folder, env=self.deck.env, capture_output=True, check=False)
            self._expected[kind] = Expected(done.returncode, done.stdout, done.stderr)
        return self._expected[kind]


def run_trial(grounds: Grounds, rng: random.Random, victim: str, board: Board | None) -> Trial:
    """Start a build, kill the victim at a random moment, ask with the next command, wait for all ends."""
    deck = grounds.deck
    kind = rng.choice(("build", "failing build", f"program {rng.randrange(5)}"))
    expected = grounds.expected(kind)
    _, argv, folder = grounds.command(kind)
    grounds.clean(kind)
    before = set(deck.runs())
    with open(f"{deck.folder}/got.out", "wb") as out, open(f"{deck.folder}/got.err", "wb") as err:
        caller = subprocess.Popen(argv, cwd=folder, env=deck.env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    time.sleep(rng.uniform(0, 1.6))
    engine = deck.engine()
    sizes = _journal_sizes(deck)
    if board and victim in ("board", "both"):
        board.kill()
    is_killed = bool(victim in ("engine", "both") and engine and end(engine, signal.SIGKILL))
    has_work = is_killed and sizes  # with no run open there is nothing to adopt, and `ps` starts no engine
    adopted_s = _adopted_s(deck, engine, sizes) if has_work and engine else None
    code = caller.wait(60)
    return Trial(victim, kind, _harms(deck, expected, code, before), adopted_s)


def _journal_sizes(deck: Deck) -> dict[str, int]:
    """Journals of the runs that are open."""
    found = {}
    try:
        names = os.listdir(os.path.join(deck.state, "open"))
    except FileNotFoundError:
        return {}
    for name in names:
        path = os.path.join(deck.state, "runs", name, "events.jsonl")
        found[path] = os.path.getsize(path) if os.path.exists(path) else 0
    return found


def _adopted_s(deck: Deck, dead: Process, sizes: dict[str, int]) -> float:
    """Seconds from the start of the next command until another engine has written on in every journal."""
    began = time.monotonic()
    asked = subprocess.Popen(
        [COMMAND, "ps", "--json"], env=deck.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def is_adopted() -> bool:
        now = deck.engine()
        return now is not None and now.pid != dead.pid and all(_has_grown(path, size) for path, size in sizes.items())

    try:
        until(is_adopted, 10, "adoption")
    except AssertionError:
        return float("inf")
    finally:
        taken_s = time.monotonic() - began
        asked.wait(30)
    return taken_s


def _has_grown(path: str, size: int) -> bool:
    """A journal that is closed is as good as one that grew."""
    if not os.path.exists(path):
        return False
    with open(path, "rb") as file:
        return os.path.getsize(path) > size or b'"RunEnded"' in file.read()


def _harms(deck: Deck, expected: Expected, code: int, before: set[str]) -> list[str]:
    found = [] if code == expected.code else [f"the caller's exit code is {code}, not {expected.code}"]
    new = set(deck.runs()) - before
    if len(new) != 1:
        return [*found, f"{len(new)} runs on record, not 1"]
    folder = new.pop()
    recorded = read_json(f"{folder}/exit.json").get("code") if os.path.exists(f"{folder}/exit.json") else "missing"
    if recorded != expected.code:
        found.append(f"exit.json says {recorded}, not {expected.code}")
    for name, want in (("out", expected.out), ("err", expected.err)):
        with open(f"{deck.folder}/got.{name}", "rb") as got, open(f"{folder}/{name}.log", "rb") as log:
            found += text_harms(f"the caller's {name}", want, got.read())
            if expected.code == 7:
                found += text_harms(f"{name}.log", want, log.read())
    return found + _journal_harms(deck, os.path.basename(folder), expected)


def text_harms(what: str, want: bytes, got: bytes) -> list[str]:
    """Bytes are equal; cargo's only without times and order."""
    if hashlib.sha256(want).digest() == hashlib.sha256(got).digest():
        return []
    lines = [shown.comparable(shown.stream_lines(one)) for one in (want, got)]
    if b"Compiling" in want and lines[0] == lines[1]:
        return []
    return [f"{what}: {len(got)} bytes in place of {len(want)}"]


def _journal_harms(deck: Deck, run: str, expected: Expected) -> list[str]:
    """The end must reach the journal, and with it `ps`."""

    def entry() -> object:
        path = os.path.join(deck.state, "runs", run, "events.jsonl")
        if not os.path.exists(path):
            return None
        with open(path, encoding="utf-8") as file:
            lines = [line for line in file if '"RunEnded"' in line]
        return json.loads(lines[-1]) if lines else None

    try:
        until(lambda: entry() is not None, 0.5, "journal")
    except AssertionError:
        deck.run("ps", "--json")
    try:
        ended = until(entry, 5, "the end in the journal")
    except AssertionError:
        return ["the end is not in the journal"]
    assert isinstance(ended, dict)
    return [] if ended["code"] == expected.code else [f"the journal says code {ended['code']}"]


def living(one: Process | None) -> bool:
    """That very process lives."""
    return one is not None and process(one.pid) == one
