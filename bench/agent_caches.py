"""Each agent's figures equal those of its server, of the store's log and of the compilers that really ran.

`python -m bench.agent_caches [--agents 3 8] [--backend own redis] [--rounds 2]`. Several agents build one workspace at
once with sccache, jobs mixed, cold and warm, some with an edit. A `rustc` that notes each call stands for the real one.
With Redis the server is stopped in the middle of builds and started again: no build may fail, and what is counted still
has to be equal.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, NamedTuple

from bench.figures import Figures
from core import sample
from tests.real.product import Deck, read_json, temporary_deck, until

JOBS = (
    ("build",), ("check", "--all-targets"), ("test", "--no-run"), ("build", "--release"), ("build", "--bins"),
    ("check",), ("test", "--no-run", "-p", "orchard-rules"), ("build", "--profile", "bench"),
)  # fmt: skip
BUILD_LIMIT_S = 1200.0


class Truth(NamedTuple):
    """What one agent's builds did in a round."""

    hits: int
    missed: int
    not_cacheable: int
    errors: int


class Round:
    """One workspace, one set of agents, one backend."""

    def __init__(self, deck: Deck, agents: int, backend: str) -> None:
        self.deck = deck
        self.agents = [f"agent-{number + 1}" for number in range(agents)]
        self.backend = backend
        self.checkout = f"{deck.folder}/work-{backend.partition(':')[0]}-{agents}"
        self.trace = f"{deck.folder}/trace-{backend.partition(':')[0]}-{agents}"
        shared = f"{self.checkout}-shared"
        sample.write_shared(shared)
        sample.write_checkout(self.checkout, shared)
        self.env = {
            **deck.env,
            "DECK_CACHE": "sccache",
            "DECK_STORE": backend,
            "RUSTC": tracer(self.trace),
        }

    def build(self, turn: int) -> dict[str, tuple[str, int]]:
        """All agents at once; run folder and exit code by agent."""
        before = set(self.deck.runs())
        started = {}
        for number, agent in enumerate(self.agents):
            words = JOBS[(number + turn) % len(JOBS)]
            started[agent] = subprocess.Popen(
                [sys.executable, "-m", "tui.cli.main", *words, "--agent", agent], cwd=self.checkout,
                env={**self.env, "PYTHONPATH": os.getcwd()}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
        codes = {agent: process.wait(BUILD_LIMIT_S) for agent, process in started.items()}
        runs = {}
        for run in set(self.deck.runs()) - before:
            until(partial(_events, run, "RunEnded"), 20, f"the end of {run}")
            runs[read_json(run + "/run.json")["agent"]] = run
        return {agent: (runs[agent], code) for agent, code in codes.items()}

    def edit(self, turn: int) -> None:
        """A member changes."""
        with open(f"{self.checkout}/crates/orchard-model/src/lib.rs", "a") as file:
            file.write(f"/// Turn {turn}.\npub const TURN_{turn}: u32 = {turn};\n")

    def clean(self) -> None:
        """All target dirs go: what comes next is asked of the cache again."""
        for folder in (f"{self.checkout}/target", f"{self.deck.folder}/cache/cargo-deck/targets"):
            shutil.rmtree(folder, ignore_errors=True)


def tracer(trace: str) -> str:
    """A rustc that notes its command lines."""
    real = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
    path = f"{trace}.d/rustc"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {trace}\nexec {real}/bin/rustc "$@"\n')
    os.chmod(path, 0o755)
    open(trace, "ab").close()
    return path


def really_ran(trace: str, target: str, since: int) -> int:
    """Compilations into a target dir: neither a question, nor what a cache asks for its key."""
    with open(trace) as file:
        file.seek(since)
        lines = file.read().splitlines()
    return sum(f"--out-dir {target}/" in line and " --print" not in line and _emits_code(line) for line in lines)


def _emits_code(line: str) -> bool:
    words = line.split()
    emitted = [w.partition("=")[2] or words[at + 1] for at, w in enumerate(words) if w.startswith("--emit")]
    return any(kind in ("link", "metadata") for text in emitted for kind in text.split(","))


def told(run: str) -> tuple[Truth, Counter[str]]:
    """What the run's journal says; whose compilations its hits were."""
    found = [one for one in _events(run, "CacheLookedUp") if one["language"] in ("Rust", "Probe")]
    by = Counter(one["outcome"] for one in found)
    sources = Counter(one["source_agent"] for one in found if one["outcome"] == "hit")
    return Truth(by["hit"], by["missed"], by["not cacheable"], by["error"]), sources


def as_server_counts(run: str, ours: Truth) -> Truth:
    """As sccache counts: what its store did not give or take is a plain miss to it; what it never saw is nothing."""
    reasons = Counter(one["reason"] for one in _events(run, "CacheLookedUp") if one["outcome"] == "error")
    as_misses = reasons["timeout"] + reasons["read"] + reasons["write"]
    return ours._replace(missed=ours.missed + as_misses, errors=ours.errors - as_misses - reasons["server"])


def units_made(run: str) -> int:
    """Units that cargo says were compiled: those that were fresh, and runs of build scripts, are none."""
    units = _events(run, "UnitFinished")
    return sum(not one["is_fresh"] and one["kind"] not in ("run-build-script", "doc") for one in units)


def _events(run: str, name: str) -> list[dict[str, Any]]:
    try:
        with open(run + "/events.jsonl") as file:
            return [found for line in file if (found := json.loads(line)).get("event") == name]
    except OSError:
        return []


def server_figures(deck: Deck, agent: str) -> dict[str, Any]:
    """What the agent's server counts."""
    known = read_json(f"{deck.state}/caches/{agent}/server.json")
    done = subprocess.run(
        [known["program"], "--show-stats", "--stats-format=json"], capture_output=True, check=True,
        env={"SCCACHE_SERVER_UDS": known["socket"], "PATH": os.environ["PATH"]},
    )  # fmt: skip
    stats: dict[str, Any] = json.loads(done.stdout)["stats"]
    return stats


def server_truth(before: dict[str, Any], after: dict[str, Any]) -> Truth:
    """The part of a server's figures that is about Rust, without cargo's questions."""

    def rust(name: str) -> int:
        return int(after[name]["counts"].get("Rust", 0)) - int(before[name]["counts"].get("Rust", 0))

    asked = ("missing input", "-")
    refused = sum(n for why, n in after["not_cached"].items() if why not in asked)
    refused -= sum(n for why, n in before["not_cached"].items() if why not in asked)
    return Truth(rust("cache_hits"), rust("cache_misses"), refused, rust("cache_errors"))


def store_truth(deck: Deck, agent: str, since: float) -> tuple[Counter[str], Counter[str]]:
    """Hits, misses and puts of an agent in the store's log since a moment; whose entries its hits took."""
    ops: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    for name in ("log.1.jsonl", "log.jsonl"):
        path = f"{deck.state}/store/{name}"
        for note in _notes(path):
            if note["agent"] == agent and note["at"] >= since and note["key"] != ".sccache_check":
                ops[note["op"]] += 1
                if note["op"] == "hit":
                    sources[note["by"]] += 1
    return ops, sources


def _notes(path: str) -> list[dict[str, Any]]:
    try:
        with open(path) as file:
            return [json.loads(line) for line in file]
    except OSError:
        return []


def compare(figures: Figures, one: Round, turn: int, *, breaks: bool) -> None:
    """One build of all agents, and everything that can be counted of it."""
    since, offset = time.time(), os.path.getsize(one.trace)
    before = {agent: _server_or_zero(one.deck, agent) for agent in one.agents}
    with redis_going_away(one.backend) if breaks else nullcontext():
        done = one.build(turn)
    wrong, checked, sums = [], 0, Counter[str]()
    for agent, (run, code) in done.items():
        ours, sources = told(run)
        sums.update(ours._asdict())
        facts: dict[str, tuple[object, object]] = {"exit code": (0, code)}
        facts["server"] = (server_truth(before[agent], server_figures(one.deck, agent)), as_server_counts(run, ours))
        target = read_json(run + "/run.json")["target_dir"]
        compiled = ours.missed + ours.not_cacheable + ours.errors
        facts["compilers"] = (really_ran(one.trace, target, offset), compiled)
        probes = sum(one["language"] == "Probe" for one in _events(run, "CacheLookedUp"))
        facts["units"] = (units_made(run), sum(ours) - probes)
        if one.backend == "own":
            ops, whose = store_truth(one.deck, agent, since)
            facts["store's hits"] = (ops["hit"], ours.hits)
            facts["store's misses"] = (ops["miss"], ours.missed)
            facts["store's puts"] = (ops["put"], ours.missed)
            facts["whose"] = (dict(whose), dict(sources))
        checked += len(facts)
        wrong += [
            f"{agent} {name}: {truth} is told as {said}" for name, (truth, said) in facts.items() if truth != said
        ]
    name = f"{len(one.agents)} agents, {one.backend.partition(':')[0]}, round {turn + 1}" + (
        " broken" if breaks else ""
    )
    counted = ", ".join(f"{sums[field]} {field.replace('_', ' ')}" for field in Truth._fields)
    figures.at_most(name, len(wrong), 0, "{:.0f} wrong", f"of {checked} figures; {counted}")
    for text in wrong:
        print("   ", text)


def _server_or_zero(deck: Deck, agent: str) -> dict[str, Any]:
    """A server that does not run yet, or will be another one, begins at nothing."""
    empty: dict[str, Any] = {name: {"counts": {}} for name in ("cache_hits", "cache_misses", "cache_errors")}
    try:
        return server_figures(deck, agent)
    except (OSError, subprocess.CalledProcessError, KeyError):
        return {**empty, "not_cached": {}}


@contextmanager
def redis_going_away(url: str) -> Iterator[None]:
    """Redis stops two seconds after the builds began, and comes back four seconds later."""
    port = int(url.rpartition(":")[2])
    is_over = threading.Event()

    def act() -> None:
        if is_over.wait(2.0):
            return
        stop_redis()
        is_over.wait(4.0)
        start_redis(port)

    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        if not _redis:
            start_redis(port)


_redis: list["subprocess.Popen[bytes]"] = []


def start_redis(port: int) -> None:
    """Debian's, on loopback, in memory."""
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    _redis.append(subprocess.Popen(words, stdout=subprocess.DEVNULL, cwd="/tmp"))
    until(lambda: _connects(port), 10, "redis")


def _connects(port: int) -> bool:
    with socket.socket() as link:
        return link.connect_ex(("127.0.0.1", port)) == 0


def stop_redis() -> None:
    """At once: nothing is saved."""
    while _redis:
        process = _redis.pop()
        process.send_signal(signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        return int(link.getsockname()[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, nargs="+", default=[3, 8])
    parser.add_argument("--backend", nargs="+", default=["own", "redis"], choices=("own", "redis"))
    parser.add_argument("--rounds", type=int, default=3, help="cold, warm, after an edit, …")
    args = parser.parse_args()
    figures = Figures()
    port = free_port()
    with temporary_deck("deck-truth-") as deck:
        try:
            for backend in args.backend:
                if backend == "redis":
                    start_redis(port)
                for agents in args.agents:
                    one = Round(deck, agents, "own" if backend == "own" else f"redis://127.0.0.1:{port}")
                    for turn in range(args.rounds):
                        compare(figures, one, turn, breaks=backend == "redis" and turn == 1)
                        one.clean()
                        one.edit(turn)
                    deck.run("cache", "stop")
        finally:
            stop_redis()
    return figures.end("cache truth")


if __name__ == "__main__":
    sys.exit(main())
