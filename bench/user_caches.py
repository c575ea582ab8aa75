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
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from bench.figures import Figures
from core import events as e
from core.cache.readers import CacheReader, CacheReaders
from core.cache.subject import Subject
from tests.real.product import Deck, temporary_deck, until

TOOLS = ("zccache", "kache", "mbx", "sccache")
_TRACE_C = r"""
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
    static char line[1 << 17]; size_t n = sprintf(line, "%s\x1f", getenv("DECK_RUN") ? getenv("DECK_RUN") : "");
    for (int i = 1; i < argc && n + strlen(argv[i]) + 2 < sizeof line; i++) {
        n += sprintf(line + n, "%s\x1f", argv[i]);
    }
    for (size_t i = 0; i < n; i++) if (line[i] == '\n') line[i] = ' ';
    line[n++] = '\n';
    pid_t pid = fork();
    if (!pid) { prctl(PR_SET_PDEATHSIG, SIGKILL); execv(REAL, argv); _exit(126); }
    int status; waitpid(pid, &status, 0);
    int fd = open(LOG, O_WRONLY | O_CREAT | O_APPEND, 0600);
    write(fd, line, n); close(fd);
    if (WIFSIGNALED(status)) { signal(WTERMSIG(status), SIG_DFL); raise(WTERMSIG(status)); }
    return WEXITSTATUS(status);
}
"""
_BUILD_RS = """fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    std::fs::write(format!("{out}/made.rs"), "pub const MADE: u64 = 7;").unwrap();
    println!("cargo:rerun-if-changed=build.rs");
}
"""
_MACRO = """use proc_macro::TokenStream;
#[proc_macro]
pub fn same(x: TokenStream) -> TokenStream { x }
"""


def write_workspace(root: str) -> None:
    """Libraries over a common one, a proc-macro, a build script, two programs, tests."""
    members = ["base", "made", "mac", *(f"lib{number}" for number in range(4)), "app", "tool"]
    _write(root, "Cargo.toml", '[workspace]\nresolver = "2"\nmembers = ' + json.dumps(members) + "\n")
    for name in members:
        more = "[lib]\nproc-macro = true\n" if name == "mac" else ""
        needs = "" if name in ("base", "made", "mac") else 'base = { path = "../base" }\n'
        if name in ("app", "tool"):
            needs += "".join(f'lib{number} = {{ path = "../lib{number}" }}\n' for number in range(4))
            needs += 'made = { path = "../made" }\nmac = { path = "../mac" }\n'
        manifest = f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n{more}[dependencies]\n{needs}'
        _write(root, f"{name}/Cargo.toml", manifest)
        _write(root, f"{name}/src/{'main' if name in ('app', 'tool') else 'lib'}.rs", _source(name))
    _write(root, "made/build.rs", _BUILD_RS)


def _source(name: str) -> str:
    match name:
        case "mac":
            return _MACRO
        case "made":
            return 'include!(concat!(env!("OUT_DIR"), "/made.rs"));\npub fn made() -> u64 { MADE }\n'
        case "app" | "tool":
            calls = "".join(f"lib{number}::work0(1) + " for number in range(4))
            return f'fn main() {{ println!("{{}}", mac::same!({calls}made::made())); }}\n'
    body = "".join(
        f"pub fn work{number}(x: u64) -> u64 {{ let mut all: Vec<String> = (0..x).map(|i| format!("
        f'"{{i}}-{number}")).collect(); all.sort(); all.len() as u64 }}\n'
        for number in range(40)
    )
    return f"{body}#[cfg(test)]\nmod tests {{ #[test]\n fn works() {{ assert_eq!(super::work0(3), 3); }} }}\n"


def _write(root: str, path: str, text: str) -> None:
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w") as file:
        file.write(text)


@dataclass
class Told:
    """What a reader told of a run."""

    events: list[e.CacheLookedUp] = field(default_factory=list)
    note: str = ""
    is_settled: bool = False
    polls: int = 0
    cpu_s: float = 0.0


class Watcher(threading.Thread):
    """Does for readers what the engine does: makes one for each run, polls at 5 Hz, tells of the run's end."""

    def __init__(self, state: str) -> None:
        super().__init__(daemon=True)
        self.told: dict[str, Told] = {}
        self._runs = state + "/runs"
        self._readers: dict[str, CacheReader] = {}
        self._all = CacheReaders()
        self._is_over = False

    def run(self) -> None:
        while not self._is_over:
            self._look(time.time())
            time.sleep(0.2)

    def stop(self) -> None:
        self._is_over = True
        self.join()

    def _look(self, now: float) -> None:
        for name in sorted(os.listdir(self._runs)) if os.path.isdir(self._runs) else ():
            if name not in self.told:
                self._begin(name)
        for name, reader in list(self._readers.items()):
            told, began = self.told[name], time.thread_time()
            ended = _load(f"{self._runs}/{name}/exit.json")
            if ended is not None:
                reader.end(ended["ended"], is_whole=ended["signal"] is None and not ended["stopped_by"])
            told.events += reader.poll(now)
            told.polls, told.cpu_s = told.polls + 1, told.cpu_s + time.thread_time() - began
            if reader.is_settled(now):
                told.note, told.is_settled = reader.note, True
                reader.close()
                del self._readers[name]

    def _begin(self, name: str) -> None:
        record = _load(f"{self._runs}/{name}/run.json")
        if record is None:
            return
        subject = Subject(
            wrapper=record["env"].get("RUSTC_WRAPPER") or record.get("rustc_wrapper") or "",
            env=record["env"], run=name, folder=f"{self._runs}/{name}", agent=record["agent"],
            target_dir=record["target_dir"], checkout=record["checkout"],
            words=tuple(record["launch"]["argv"][1:]), started=record["started"],
        )  # fmt: skip
        self.told[name] = Told()
        reader = self._all.make_reader(subject)
        if reader is not None:
            self._readers[name] = reader


def _load(path: str) -> Any:
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


@dataclass
class Job:
    """One build of one agent."""

    agent: str
    checkout: str
    words: tuple[str, ...]
    is_good: bool = True


class World:
    """A user with one of the caches."""

    def __init__(self, figures: Figures, deck: Deck, tool: str, folder: str) -> None:
        self.figures = figures
        self.deck = deck
        self.tool = tool
        self.log = deck.folder + "/rustc.log"
        self.env = _environment(deck, tool, folder, _tracing_rustc(deck, self.log))
        self.watcher = Watcher(deck.state)
        self.watcher.start()

    def stage(self, name: str, jobs: list[Job]) -> None:
        """All jobs at once; then each run's figures against the truth."""
        if os.path.exists(self.log):
            os.unlink(self.log)
        before, known = self._counted(), set(self.deck.runs())
        running = [self._start(job) for job in jobs]
        for job, one in zip(jobs, running, strict=True):
            out, err = one.communicate(timeout=600)
            assert (one.returncode == 0) == job.is_good, f"{job}: {one.returncode}\n{out}\n{err}"
        runs = {os.path.basename(run): _load(run + "/run.json") for run in set(self.deck.runs()) - known}
        until(lambda: all(self._is_told(run) for run in runs), 30, "the readers")
        after = self._counted()
        calls = _calls(self.log)
        sums: Counter[str] = Counter()
        for job in jobs:
            (run,) = [
                run
                for run, record in runs.items()
                if record["agent"] == job.agent and tuple(record["typed"]) == job.words
            ]
            sums += self._check(f"{self.tool}, {name}: {job.agent}, {job.words[0]}", run, calls)
        self._compare_sums(name, sums, before, after)

    def _is_told(self, run: str) -> bool:
        return run in self.watcher.told and self.watcher.told[run].is_settled

    def _start(self, job: Job) -> "subprocess.Popen[str]":
        from tests.real.product import COMMAND

        return subprocess.Popen(
            [COMMAND, *job.words, "--agent", job.agent], cwd=job.checkout, env=self.env, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def _check(self, what: str, run: str, calls: list[tuple[str, ...]]) -> Counter[str]:
        told = self.watcher.told[run]
        rust = Counter(event.outcome for event in told.events if event.language == "Rust")
        ran = sum(1 for call in calls if call[0] == run)
        made = _made(f"{self.deck.state}/runs/{run}/out.log")
        seen = f"{dict(rust)}, {ran} compilers ran, cargo made {made}"
        if found := re.search(r"lacks (\d+) of", told.note):
            lost = int(found[1])
            self.figures.holds(f"{what}: says what is missing", rust.total() + lost == made, f"{seen}: {told.note}")
            return Counter(event.outcome for event in told.events)
        self.figures.holds(what, not told.note, f"{seen} {told.note}")
        self.figures.holds("  compilers that ran", rust.total() - rust["hit"] == ran, seen)
        if _load(f"{self.deck.state}/runs/{run}/exit.json")["code"] == 0:
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


def _zccache(env: dict[str, str]) -> Counter[str]:
    found = json.loads(_ask(env, "zccache", "status", "--json") or "{}").get("daemon", {})
    hits, misses = found.get("cache_hits", 0), found.get("cache_misses", 0)
    return Counter({"hit": hits, "missed": misses, "error": found.get("compile_errors", 0)})


COUNTED = {"zccache": _zccache}


def _ask(env: dict[str, str], *words: str) -> str:
    return subprocess.run(words, env=env, capture_output=True, text=True, check=False).stdout


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
        _write(deck.folder, "work/.cargo/config.toml", f'[build]\nrustc-wrapper = "{tool}"\n')
    return env


def _tracing_rustc(deck: Deck, log: str) -> str:
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
    _write(deck.folder, "trace/trace.c", _TRACE_C)
    defines = (f'-DLOG="{log}"', f'-DREAL="{sysroot}/bin/rustc"')
    rustc = deck.folder + "/trace/rustc"
    subprocess.run(["cc", "-O1", "-w", *defines, deck.folder + "/trace/trace.c", "-o", rustc], check=True)
    return rustc


def _calls(log: str) -> list[tuple[str, ...]]:
    """Compilations that ran to their end, each with its run: no questions, and not where only the list of dependencies
    was wanted (kache kills a compiler at that point when it has the entry).
    """
    if not os.path.exists(log):
        return []
    with open(log) as file:
        words = [tuple(line.rstrip("\n").split("\x1f")[:-1]) for line in file]
    return [call for call in words if _out_dir(call) and "-" not in call and not _is_list(call)]


def _is_list(call: tuple[str, ...]) -> bool:
    return "--emit=dep-info" in call or (
        "--emit" in call[:-1] and call[call.index("--emit") + 1].startswith("dep-info=")
    )


def _out_dir(call: tuple[str, ...]) -> str:
    return call[call.index("--out-dir") + 1] if "--out-dir" in call[:-1] else ""


def _made(path: str) -> int:
    """Units that cargo had compiled anew, build scripts' runs not counted."""
    count = 0
    with open(path, "rb") as file:
        for line in file:
            if line.startswith(b'{"reason":"compiler-artifact"'):
                count += not json.loads(line)["fresh"]
    return count


def _try_tool(figures: Figures, tool: str, folder: str) -> None:
    with temporary_deck() as deck:
        world = World(figures, deck, tool, folder)
        roots = [f"{deck.folder}/work/checkout{number}" for number in range(3)]
        for root in roots:
            write_workspace(root)
        words = [("build",), ("check",), ("test", "--no-run")]
        jobs = [Job(f"a{number}", root, words[number]) for number, root in enumerate(roots)]
        world.stage("cold", jobs)
        for root in roots:
            shutil.rmtree(os.path.realpath(root + "/target"))
        world.stage("warm", jobs)
        for number, root in enumerate(roots):
            _write(root, f"lib{number}/src/lib.rs", _source("lib") + f"pub fn more() -> u64 {{ {number} }}\n")
        world.stage("edited", jobs)
        _write(roots[0], "lib1/src/lib.rs", "pub fn work0(x: u64) -> u64 { wrong }\n")
        world.stage("with an error", [Job("a0", roots[0], ("build", "--keep-going"), is_good=False), jobs[1]])
        world.stage("two in one checkout", [Job(f"b{number}", roots[1], words[number]) for number in range(2)])
        world.watcher.stop()
        polls = sum(told.polls for told in world.watcher.told.values())
        cpu_s = sum(told.cpu_s for told in world.watcher.told.values())
        figures.note(f"{tool}: one poll takes", f"{cpu_s / max(1, polls) * 1e3:.2f} ms ({polls} polls)")
        _end_daemons(deck)


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
