"""Locks held and waited for by real processes, as one wants them; and what /proc/locks says of that meanwhile."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from tests.real.product import COMMAND, Deck, until
from tests.real.samples import write_files

GENERATIONS = ("stable", "nightly")
_READ_EVERY_S = 0.01
_GATE = """fn main() {
    println!("cargo:rerun-if-env-changed=GATE");
    let gate = std::env::var("GATE").unwrap_or_default();
    while !gate.is_empty() && !std::path::Path::new(&gate).exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
"""
_SHELLS = {"flock": 'exec flock "$0" cat', "shell": 'exec 9>>"$0"; flock 9; read line'}
_FILES = {
    "Cargo.toml": '[package]\nname = "gate"\nversion = "0.1.0"\nedition = "2021"\n',
    "src/main.rs": "fn main() {}\n",
    "build.rs": _GATE,
}
Started = subprocess.Popen[bytes]
_HOLD = ("import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); sys.stdin.read()",)


@dataclass(frozen=True)
class Situation:
    """Who holds what, and who waits."""

    lock: str
    """`target`, `package cache`, `shared package cache`, `chain`."""
    generation: str
    holder: str
    """`ours`, `cargo`; `python`, `flock`; `shell`: the process that called for the lock is gone, its shell has it."""
    waiters: tuple[str, ...]
    """`ours` or `cargo` each."""

    @property
    def name(self) -> str:
        return f"{self.lock}, {self.generation}: {self.holder} <- {' <- '.join(self.waiters)}"


@dataclass
class Waited:
    """A wait as /proc/locks says."""

    path: str
    holder: int
    waiter: int
    began: float
    ended: float | None = None


@dataclass
class Truth:
    """Reads /proc/locks again and again: who waits for whom, at files that were named."""

    inodes: dict[str, str] = field(default_factory=dict)
    """Path by `:inode`."""
    waits: list[Waited] = field(default_factory=list)
    holders: dict[str, int] = field(default_factory=dict)
    """Pid by path, now."""
    is_over: bool = False
    pause_s: float = 0.0
    """The longest between two readings: more than some hundredths means that the machine has no time for us."""

    def watch(self, path: str) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a"):
            self.inodes[f":{os.stat(path).st_ino}"] = path

    def run(self) -> None:
        live: dict[tuple[str, int], Waited] = {}
        before = time.time()
        while not self.is_over:
            with open("/proc/locks") as file:
                text = file.read()
            now = time.time()
            self.pause_s, before = max(self.pause_s, now - before), now
            holders, waiting = self._read(text)
            for path, pid in waiting:
                if (path, pid) not in live and path in holders:
                    live[path, pid] = Waited(path, holders[path], pid, now)
                    self.waits.append(live[path, pid])
            for key in [key for key in live if key not in waiting]:
                live.pop(key).ended = now
            self.holders = holders
            time.sleep(_READ_EVERY_S)

    def _read(self, text: str) -> tuple[dict[str, int], set[tuple[str, int]]]:
        holders: dict[str, int] = {}
        waiting = set()
        for line in text.split("\n"):
            words = line.replace("-> ", " ").split()
            path = self.inodes.get(":" + words[5].rpartition(":")[2]) if len(words) > 6 else None
            if path is None:
                continue
            if "-> " in line:
                waiting.add((path, int(words[4])))
            else:
                holders[path] = int(words[4])
        return holders, waiting


@dataclass
class Case:
    """A wait, and what should be said of it."""

    situation: Situation
    true: Waited
    holder: str
    """Agent; empty: not ours."""
    waiter: str


class Slot:
    """A place where one situation at a time is played."""

    def __init__(self, deck: Deck, truth: Truth, number: int) -> None:
        self.deck, self.truth, self.number = deck, truth, number
        self.folder = f"{deck.folder}/slot{number}"
        self.home = f"{self.folder}/cargo-home"
        self.gates = 0
        write_files(f"{self.folder}/ws", _FILES)
        os.makedirs(self.home)
        for generation in GENERATIONS:
            for name in "xy":
                self._cargo(generation, name, "").wait()
            self._cargo(generation, "x", "", build_dir="y").wait()
            for path in self._locks(generation):
                truth.watch(path)
        for name in (".package-cache", ".package-cache-mutate"):
            truth.watch(f"{self.home}/{name}")

    def target(self, generation: str, name: str) -> str:
        return f"{self.folder}/{name}-{generation}"

    def _locks(self, generation: str) -> list[str]:
        names = (".cargo-lock",) if generation == "stable" else (".cargo-build-lock", ".cargo-artifact-lock")
        return [f"{self.target(generation, dir_)}/debug/{name}" for dir_ in "xy" for name in names]

    def _words(self, generation: str, name: str, build_dir: str) -> list[str]:
        more = ["--config", f"build.build-dir='{self.target(generation, build_dir)}'"] if build_dir else []
        return ["build", "-q", "--offline", "--target-dir", self.target(generation, name), *more]

    def _env(self, generation: str, gate: str) -> dict[str, str]:
        return {**self.deck.env, "GATE": gate, "RUSTUP_TOOLCHAIN": generation, "CARGO_HOME": self.home}

    def _cargo(self, generation: str, name: str, gate: str, *, build_dir: str = "", agent: str = "") -> Started:
        """A build; through `cargo deck` where an agent is named. It holds its locks until the gate is there."""
        words = self._words(generation, name, build_dir)
        argv = [COMMAND, words[0], "--agent", agent, *words[1:]] if agent else ["cargo", *words]
        null = subprocess.DEVNULL
        env = self._env(generation, gate)
        return subprocess.Popen(argv, cwd=f"{self.folder}/ws", env=env, stdin=null, stdout=null, stderr=null)

    def play(self, situation: Situation, held_s: float) -> "list[Case]":
        """Let it happen; the waits that there should be. Raises AssertionError where it did not come about."""
        self.gates += 1
        gate = f"{self.folder}/gate{self.gates}"
        lock, (holder, release) = self._hold(situation, gate, self._agent(situation.holder, 0))
        started = [holder]
        try:
            cases = self._waits(situation, lock, started)
            time.sleep(held_s)
        finally:
            release()
            for one in started:
                one.wait(120)
        until(lambda: all(case.true.ended for case in cases), 20, "the end of the waits")
        return cases

    def _waits(self, situation: Situation, lock: str, started: list[Started]) -> "list[Case]":
        """One waiter after the other; each is added to `started`."""
        cases: list[Case] = []
        before = len(self.truth.waits)
        for index, kind in enumerate(situation.waiters):
            agent = self._agent(kind, index + 1)
            started.append(self._wait(situation, agent, index))
            wanted = self._wanted(situation, lock, index)
            found = until(partial(self._newest, wanted, before), 60, f"a wait at {wanted}")
            before = max(before, self.truth.waits.index(found) + 1)
            if situation.holder == "shell" and found.path == lock:
                found.holder = started[0].pid
            behind = cases[0].waiter if situation.lock == "chain" and index == 1 else None
            holder = self._agent(situation.holder, 0) if behind is None else behind
            cases.append(Case(situation, found, holder, agent))
        return cases

    def _agent(self, kind: str, number: int) -> str:
        """Whose the process of that number is; empty: not ours."""
        return f"{('first', 'second', 'third')[number]}-{self.number}" if kind == "ours" else ""

    def _newest(self, path: str, first: int) -> Waited | None:
        return next((one for one in self.truth.waits[first:] if one.path == path), None)

    def _hold(self, situation: Situation, gate: str, agent: str) -> tuple[str, tuple[Started, Callable[[], None]]]:
        """Have the lock held; its path, and how to let it go."""
        lock = self._lock(situation)
        if situation.holder in ("python", *_SHELLS):
            argv = [sys.executable, "-I", "-S", "-c", *_HOLD, lock]
            if situation.holder != "python":
                argv = ["sh", "-c", _SHELLS[situation.holder], lock]
            holder = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=self.folder)
            assert holder.stdin is not None
            release = holder.stdin.close
        else:
            holder = self._cargo(situation.generation, "x", gate, agent=agent)

            def release() -> None:
                open(gate, "w").close()

        until(lambda: lock in self.truth.holders, 60, f"a holder of {lock}")
        return lock, (holder, release)

    def _lock(self, situation: Situation) -> str:
        if situation.lock == "package cache":
            return f"{self.home}/.package-cache"
        if situation.lock == "shared package cache":
            return f"{self.home}/.package-cache-mutate"
        is_old = situation.generation == "stable"
        name = ".cargo-lock" if is_old else ".cargo-artifact-lock" if situation.lock == "chain" else ".cargo-build-lock"
        return f"{self.target(situation.generation, 'x')}/debug/{name}"

    def _wanted(self, situation: Situation, lock: str, index: int) -> str:
        """Where the waiter of that number waits."""
        if situation.lock != "chain" or index == 0:
            return lock
        name = ".cargo-lock" if situation.generation == "stable" else ".cargo-build-lock"
        return f"{self.target(situation.generation, 'y')}/debug/{name}"

    def _wait(self, situation: Situation, agent: str, index: int) -> Started:
        """In a chain the first waiter holds `y` and waits for `x`; the second waits for `y`."""
        generation = situation.generation
        if situation.lock == "chain" and index == 0:
            return self._cargo(generation, "x", "", build_dir="y", agent=agent)
        return self._cargo(generation, "y" if situation.lock == "chain" else "x", "", agent=agent)
