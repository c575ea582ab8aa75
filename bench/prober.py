"""What looking costs: the engine's CPU time while ten builds run, and while nothing does.

`python -m bench.prober [--runs 10] [--seconds 60] [--asleep 35] [--slack 1.0]`. Each run is a real cargo build whose
build scripts hold processes, locks and links for as long as it is measured; all together some 300 processes. Of the
engine's CPU time nothing is taken off: these builds print next to nothing, so that logs are hardly read.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from bench.figures import Figures
from tests.real.product import Deck, temporary_deck, until
from tests.real.samples import write_files

BUSY_SHARE, ASLEEP_SHARE = 0.01, 0.001
SPAN_S = 5.0
"""While nothing builds: what such a machine does to some of them does not count for all."""
CHILDREN, BUSY = 45, 4
"""Processes of each run beside cargo and its build script; of those, such as do something."""
BUILD_SCRIPT = """
use std::process::{Child, Command};
use std::time::{Duration, Instant};

// Its children work a little now and then: as compilers that wait for a turn, and those that have it.
fn work(seconds: u64, share: f64) {
    let begin = Instant::now();
    let mut held: Vec<Vec<u8>> = Vec::new();
    while begin.elapsed().as_secs() < seconds {
        let turn = Instant::now();
        while turn.elapsed().as_secs_f64() < share * 0.5 { std::hint::black_box(held.len()); }
        if share > 0.0 && held.len() < 40 { held.push(vec![1; 200_000]); }
        std::thread::sleep(Duration::from_secs_f64(0.5));
    }
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if words.len() > 2 {
        return work(words[1].parse().unwrap(), words[2].parse().unwrap());
    }
    let start = |share: &str| Command::new(&words[0]).args(["SECONDS", share]).spawn().unwrap();
    let idle = (0..IDLE).map(|_| start("0.0"));
    let children: Vec<Child> = idle.chain((0..BUSY).map(|_| start("0.02"))).collect();
    for mut child in children { let _ = child.wait(); }
}
"""
CC = """#!/bin/sh
# Stands for a link that takes long.
[ -z "$HOLD_LINK_S" ] || sleep "$HOLD_LINK_S"
exec {cc} "$@"
"""
MANIFEST = '[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n'


class Cost(NamedTuple):
    """CPU time of the engine over a span."""

    share: float
    """Of one core."""
    seconds: float


def cpu_s(pid: int) -> float:
    """Time on a core so far, user and system: of the engine, which has one thread, to the nanosecond."""
    with open(f"/proc/{pid}/schedstat", "rb") as file:
        return int(file.read().split()[0]) / 1e9


def measure(pid: int, seconds: float) -> Cost:
    """The share of one core that a process takes over so long."""
    before, began = cpu_s(pid), time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    return Cost((cpu_s(pid) - before) / passed, passed)


def waited_faults(pid: int) -> int:
    """How often it had to wait for a page so far: a machine that takes memory from who sleeps has it come back so."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[9])


def start_runs(deck: Deck, runs: int, seconds: int) -> None:
    """Builds that hold their processes for so long. Of five, three compile, one waits for the lock of one of them, and
    one links."""
    script = BUILD_SCRIPT.replace("SECONDS", str(seconds)).replace("BUSY", str(BUSY))
    script = script.replace("IDLE", str(CHILDREN - BUSY))
    tools = deck.folder + "/tools"
    write_files(tools, {"cc": CC.format(cc=shutil.which("cc", path=deck.env["PATH"]))})
    os.chmod(tools + "/cc", 0o755)
    deck.env["PATH"] = f"{tools}:{deck.env['PATH']}"
    for number in range(runs):
        kind = number % 5
        owner = number - 1 if kind == 3 else number
        root = f"{deck.folder}/w{owner}"
        if kind == 4:
            write_files(root, {"Cargo.toml": MANIFEST.format(name="linked"), "src/main.rs": "fn main() {}\n"})
        else:
            write_files(root, {"Cargo.toml": MANIFEST.format(name="held"), "src/lib.rs": "", "build.rs": script})
        env = {"HOLD_LINK_S": str(seconds)} if kind == 4 else {}
        deck.run("build", "--detach", "--agent", f"agent-{owner}", cwd=root, env=env)


def processes(deck: Deck) -> int:
    """Of the whole machine."""
    return sum(name.isdigit() for name in os.listdir("/proc"))


def samples(deck: Deck) -> int:
    """How often runs were sampled."""
    found = 0
    for run in deck.runs():
        with open(run + "/events.jsonl") as file:
            found += sum(1 for line in file if json.loads(line).get("event") == "RunSampled")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the builds are watched")
    parser.add_argument("--asleep", type=float, default=35.0, help="how long nothing is watched: it ends after 60 s")
    parser.add_argument("--slack", type=float, default=1.0, help="allow so many times the limits, on a loaded machine")
    parser.add_argument("--here", action="store_true", help="among the processes and builds of this machine")
    args = parser.parse_args(argv)
    if not args.here and os.getuid() == 0:
        _go_alone(sys.argv[1:] if argv is None else list(argv))
    figures = Figures()
    with temporary_deck() as deck:
        if args.runs:
            _busy(figures, deck, args.runs, args.seconds, args.slack)
    with temporary_deck() as deck:
        _asleep(figures, deck, args.asleep, args.slack)
    return figures.end("prober")


def _go_alone(words: list[str]) -> None:
    """Go on in a process namespace of our own: what others build on this machine is seen by its prober too."""
    inside = [sys.executable, "-m", "bench.prober", "--here", *words]
    with contextlib.suppress(OSError):
        os.execvp("unshare", ["unshare", "--pid", "--fork", "--mount-proc", *inside])


def _busy(figures: Figures, deck: Deck, runs: int, seconds: float, slack: float) -> None:
    start_runs(deck, runs, int(seconds) + 60)
    until(lambda: deck.engine(), 10, "an engine")
    until(lambda: len(deck.json("ps", "--json")["runs"]) == runs, 30, "all runs")
    goal = sum(number % 5 < 3 for number in range(runs)) * CHILDREN
    until(lambda: len(deck.processes()) >= goal, 60, f"{goal} processes")
    engine = deck.engine()
    assert engine is not None
    before = samples(deck)
    cost = measure(engine.pid, seconds)
    told = samples(deck) - before
    figures.note("processes of the machine, of the runs", f"{processes(deck)}, {len(deck.processes())}")
    figures.note("samples told a second", f"{told / cost.seconds:.1f} of {runs} runs")
    figures.at_most("share of a core over a build", cost.share, slack * BUSY_SHARE, "{:.4f}", f"{cost.seconds:.0f} s")
    for run in deck.runs():
        deck.run("stop", "--kill", os.path.basename(run))
    with contextlib.suppress(ChildProcessError):  # alone, we are the parent of all orphans
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _asleep(figures: Figures, deck: Deck, seconds: float, slack: float) -> None:
    deck.run("exec", "--", "true")
    deck.run("ps")
    engine = until(lambda: deck.engine(), 10, "an engine")
    time.sleep(8)
    spans: list[Cost] = []
    faults = waited_faults(engine.pid)
    while sum(span.seconds for span in spans) < seconds:
        spans.append(measure(engine.pid, min(SPAN_S, seconds)))
        if len(spans) % 2 == 0:
            deck.run("top", "--once")
            deck.json("ps", "--json")
    shares = [span.share for span in spans]
    figures.at_most("share of a core, asleep", statistics.median(shares), slack * ASLEEP_SHARE, "{:.5f}",
                    f"median of {len(spans)} spans of {spans[0].seconds:.0f} s")  # fmt: skip
    figures.note("  all spans together", f"{statistics.fmean(shares):.5f}, {max(shares):.5f} at most; "
                 f"{waited_faults(engine.pid) - faults} waits for memory that was taken from it")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
