"""What is told of a user's own cache is what it did: zccache, kache, mbx, sccache, three agents at once.

`python -m bench.user_caches [--tools zccache kache mbx sccache] [--folders DIR …]`. Each tool is the user's own: named
in cargo's settings (mbx: its cargo on PATH), first in PATH where `--folders` have it. Agents build the same workspace
in three checkouts at once, mixed jobs, cold, warm and edited, then two in one checkout. Their figures are compared with
the compilers that really ran (behind the wrapper stands a rustc that notes each that ends), with the units that cargo
says it made, and with what the tool itself counts.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass

from bench.cache_truth import (
    ACCOUNTS,
    COUNTED,
    Job,
    as_theirs,
    load,
    made_units,
    read_calls,
    source,
    tracing_rustc,
    write,
    write_workspace,
)
from bench.figures import Figures
from core import events as e
from tests.real.product import COMMAND, Deck, temporary_deck, until

TOOLS = ("zccache", "kache", "mbx", "sccache")


@dataclass
class Told:
    """What the journal of a run tells of its cache."""

    events: list[e.CacheLookedUp]
    note: str
    """Why there are no figures; empty: there are."""


def read_told(folder: str) -> Told | None:
    """None while the run's journal has no end."""
    try:
        with open(folder + "/events.jsonl") as file:
            rows = [row for row in map(json.loads, file) if "event" in row]
    except OSError:
        return None
    if not rows or rows[-1]["event"] != "RunEnded":
        return None
    events = [e.from_record(row) for row in rows if row["event"] in ("CacheLookedUp", "CacheUncounted")]
    notes = [one.why for one in events if isinstance(one, e.CacheUncounted)]
    return Told([one for one in events if isinstance(one, e.CacheLookedUp)], "".join(notes[:1]))


class World:
    """A user with one of the caches."""

    def __init__(self, figures: Figures, deck: Deck, tool: str, folder: str) -> None:
        self.figures = figures
        self.deck = deck
        self.tool = tool
        self.log = deck.folder + "/rustc.log"
        self.env = _environment(deck, tool, folder, tracing_rustc(deck, self.log))
        self._told: dict[str, Told] = {}

    def stage(self, name: str, jobs: list[Job], *, is_countable: bool = True, has_accounts: bool = True) -> None:
        """All jobs at once, then the figures against the truth.

        Not countable: nobody can tell the runs apart. Without accounts: the tool itself cannot.
        """
        if os.path.exists(self.log):
            os.unlink(self.log)
        before, known = self._counted(), set(self.deck.runs())
        accounts = [ACCOUNTS[self.tool](self.env, job) for job in jobs]
        running = [self._start(job, account.env) for job, account in zip(jobs, accounts, strict=True)]
        for job, one in zip(jobs, running, strict=True):
            out, err = one.communicate(timeout=600)
            assert (one.returncode == 0) == job.is_good, f"{job}: {one.returncode}\n{out}\n{err}"
        runs = {os.path.basename(run): load(run + "/run.json") for run in set(self.deck.runs()) - known}
        until(lambda: all(self._is_told(run) for run in runs), 30, "the runs' journals")
        after = self._counted()
        calls = read_calls(self.log)
        sums: Counter[str] = Counter()
        for job, account in zip(jobs, accounts, strict=True):
            run = next(
                run
                for run, record in runs.items()
                if record["agent"] == job.agent and tuple(record["typed"]) == job.words
            )
            what = f"{self.tool}, {name}: {job.agent}, {job.words[0]}"
            if not is_countable:
                told = self._told[run]
                self.figures.holds(f"{what}: none, and why", not told.events and bool(told.note), told.note)
                continue
            sums += self._check(what, run, calls if job.words[0] != "clippy" else None)
            theirs = account.counts(runs[run])
            if theirs is not None and has_accounts:
                ours = as_theirs(self._told[run].events)
                self.figures.holds(f"  as {self.tool} counts this run", theirs == ours, f"{dict(theirs)}, {dict(ours)}")
        if is_countable:
            self._compare_sums(name, sums, before, after)

    def _is_told(self, run: str) -> bool:
        told = read_told(f"{self.deck.state}/runs/{run}")
        if told is not None:
            self._told[run] = told
        return told is not None

    def _start(self, job: Job, env: dict[str, str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [COMMAND, *job.words, "--agent", job.agent], cwd=job.checkout, env={**self.env, **env}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def _check(self, what: str, run: str, calls: list[tuple[str, ...]] | None) -> Counter[str]:
        """`calls`: compilations that ran; None: they are not noted (clippy's are its own program's)."""
        told = self._told[run]
        rust = Counter(event.outcome for event in told.events if event.language == "Rust")
        ran = sum(1 for call in calls or () if call[0] == run)
        made = made_units(f"{self.deck.state}/runs/{run}/out.log")
        seen = f"{dict(rust)}, {ran} compilers ran, cargo made {made}"
        if found := re.search(r"lacks (\d+) of", told.note):
            lost = int(found[1])
            self.figures.holds(f"{what}: says what is missing", rust.total() + lost == made, f"{seen}: {told.note}")
            return Counter(event.outcome for event in told.events)
        self.figures.holds(what, not told.note, f"{seen} {told.note}")
        if calls is not None:
            self.figures.holds("  compilers that ran", rust.total() - rust["hit"] == ran, seen)
        if load(f"{self.deck.state}/runs/{run}/exit.json")["code"] == 0:
            self.figures.holds("  units that cargo made", rust.total() == made, seen)
        return Counter(event.outcome for event in told.events)

    def _counted(self) -> Counter[str] | None:
        """What the tool has counted, by our outcomes; None: it has no such figures."""
        return COUNTED[self.tool](self.env) if self.tool in COUNTED else None

    def _compare_sums(
        self, name: str, sums: Counter[str], before: Counter[str] | None, after: Counter[str] | None
    ) -> None:
        if before is not None and after is not None:
            grown = after - before
            theirs = Counter({key: grown[key] for key in ("hit", "missed", "error") if grown[key]})
            ours = Counter({key: sums[key] for key in ("hit", "missed", "error") if sums[key]})
            self.figures.holds(f"  all of {self.tool}, {name}", theirs == ours, f"{dict(theirs)} against {dict(ours)}")


def _environment(deck: Deck, tool: str, folder: str, rustc: str) -> dict[str, str]:
    home = deck.env["HOME"]
    env = {**deck.env, "PATH": f"{folder}:{deck.env['PATH']}", "RUSTC": rustc, "MBX_DISPLAY": "plain"}
    env |= {"ZCCACHE_CACHE_DIR": deck.folder + "/zccache", "SCCACHE_DIR": deck.folder + "/sccache"}
    env |= {"SCCACHE_SERVER_UDS": deck.folder + "/sccache.sock", "KACHE_CACHE_DIR": deck.folder + "/kache"}
    env |= {"MBX_CACHE_DIR": deck.folder + "/mbx"}
    if tool == "mbx":
        subprocess.run(["mbx", "setup", "--yes"], env=env, check=True, capture_output=True)
        env["PATH"] = f"{home}/.local/share/mbx/bin:{env['PATH']}"
    else:
        write(deck.folder, "tree/.cargo/config.toml", f'[build]\nrustc-wrapper = "{tool}"\n')
    if tool == "sccache":
        env["CARGO_INCREMENTAL"] = "0"
    return env


def _try_tool(figures: Figures, tool: str, folder: str) -> None:
    with temporary_deck() as deck:
        world = World(figures, deck, tool, folder)
        roots = [f"{deck.folder}/tree/checkout{number}" for number in range(3)]
        for root in roots:
            write_workspace(root)
        try:
            (_alone if tool == "sccache" else _together)(world, roots)
        finally:
            _end_daemons(deck)


def _jobs(roots: list[str]) -> list[Job]:
    words = [("build",), ("check",), ("test", "--no-run")]
    return [Job(f"a{number}", root, words[number]) for number, root in enumerate(roots)]


def _edit(roots: list[str]) -> None:
    for number, root in enumerate(roots):
        write(root, f"lib{number}/src/lib.rs", source("lib") + f"pub fn more() -> u64 {{ {number} }}\n")


def _together(world: World, roots: list[str]) -> None:
    jobs = _jobs(roots)
    world.stage("cold", jobs)
    for root in roots:
        shutil.rmtree(os.path.realpath(root + "/target"))
    world.stage("warm", jobs)
    _edit(roots)
    world.stage("edited", jobs)
    write(roots[0], "lib1/src/lib.rs", "pub fn work0(x: u64) -> u64 { wrong }\n")
    world.stage("with an error", [Job("a0", roots[0], ("build", "--keep-going"), is_good=False), jobs[1]])
    world.stage("two in one checkout", [Job(f"b{n}", roots[1], jobs[n].words) for n in range(2)])
    _edit(roots)
    twice = [Job("c0", roots[2], words) for words in (("build",), ("test", "-r"))]
    world.stage("one agent twice in a checkout", twice, has_accounts=world.tool != "kache")
    world.stage("clippy beside a build", [Job("a2", roots[2], ("clippy",)), Job("a1", roots[1], ("build", "-r"))])
    if world.tool != "mbx":
        world.env["RUSTC_WRAPPER"] = str(shutil.which(world.tool, path=world.env["PATH"]))
        write(roots[0], "lib1/src/lib.rs", source("lib"))
        _edit(roots[1:])
        world.stage("wrapper by its path", jobs)


def _alone(world: World, roots: list[str]) -> None:
    """One server counts for all: figures of a run that was alone, and none of those that were not."""
    jobs = _jobs(roots)
    for job in jobs:
        world.stage("cold, alone", [job])
    for root in roots:
        shutil.rmtree(root + "/target")
    for job in jobs:
        world.stage("warm, alone", [job])
    _edit(roots)
    world.stage("edited, at once", jobs, is_countable=False)
    write(roots[0], "lib1/src/lib.rs", "pub fn work0(x: u64) -> u64 { wrong }\n")
    world.stage("with an error, alone", [Job("a0", roots[0], ("build", "--keep-going"), is_good=False)])


def _end_daemons(deck: Deck) -> None:
    """Those that live with this deck's folder."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                is_ours = deck.folder.encode() + b"/" in file.read()
            if is_ours and int(pid) != os.getpid():
                os.kill(int(pid), 15)
        except OSError:
            continue


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--folders", nargs="*", default=[], help="where the tools are, beside PATH")
    args = parser.parse_args()
    figures = Figures()
    path = os.pathsep.join((*args.folders, os.environ["PATH"]))
    for tool in args.tools:
        program = shutil.which(tool, path=path)
        if program is None:
            figures.note(tool, "is not installed: not tried")
            continue
        _try_tool(figures, tool, os.path.dirname(os.path.abspath(program)))
    return figures.end("user_caches")


if __name__ == "__main__":
    sys.exit(main())
