"""What a compiler cache did for a build, by other means than ours: a rustc that notes what ran, and the tool itself."""

import json
import os
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from core import events as e
from tests.real.product import Deck

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
    pid_t pid = fork();
    if (!pid) { prctl(PR_SET_PDEATHSIG, SIGKILL); execv(REAL, argv); _exit(126); }
    int status; waitpid(pid, &status, 0);
    n += sprintf(line + n, "%d\x1f", status);
    for (int i = 1; i < argc && n + strlen(argv[i]) + 2 < sizeof line; i++) {
        n += sprintf(line + n, "%s\x1f", argv[i]);
    }
    for (size_t i = 0; i < n; i++) if (line[i] == '\n') line[i] = ' ';
    line[n++] = '\n';
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
    write(root, "Cargo.toml", '[workspace]\nresolver = "2"\nmembers = ' + json.dumps(members) + "\n")
    for name in members:
        more = "[lib]\nproc-macro = true\n" if name == "mac" else ""
        needs = "" if name in ("base", "made", "mac") else 'base = { path = "../base" }\n'
        if name in ("app", "tool"):
            needs += "".join(f'lib{number} = {{ path = "../lib{number}" }}\n' for number in range(4))
            needs += 'made = { path = "../made" }\nmac = { path = "../mac" }\n'
        manifest = f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n{more}[dependencies]\n{needs}'
        write(root, f"{name}/Cargo.toml", manifest)
        write(root, f"{name}/src/{'main' if name in ('app', 'tool') else 'lib'}.rs", source(name))
    write(root, "made/build.rs", _BUILD_RS)


def source(name: str) -> str:
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


def write(root: str, path: str, text: str) -> None:
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w") as file:
        file.write(text)


@dataclass
class Job:
    """One build of one agent."""

    agent: str
    checkout: str
    words: tuple[str, ...]
    is_good: bool = True


def load(path: str) -> Any:
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def _zccache(env: dict[str, str]) -> Counter[str]:
    found = json.loads(ask(env, "zccache", "status", "--json") or "{}").get("daemon", {})
    hits, misses = found.get("cache_hits", 0), found.get("cache_misses", 0)
    return Counter({"hit": hits, "missed": misses, "error": found.get("compile_errors", 0)})


def _sccache(env: dict[str, str]) -> Counter[str]:
    found = json.loads(ask(env, "sccache", "--show-stats", "--stats-format=json"))["stats"]
    names = ("cache_hits", "cache_misses", "cache_errors")
    hits, misses, failed = (sum(found[name]["counts"].values()) for name in names)
    return Counter({"hit": hits, "missed": misses, "error": found["compile_fails"] + failed})


COUNTED = {"zccache": _zccache, "sccache": _sccache}


class Account:
    """What a tool counts for one run by its own means; this one has none."""

    def __init__(self, env: dict[str, str], job: Job) -> None:
        self._all = env
        self.env: dict[str, str] = {}

    def counts(self, record: dict[str, Any]) -> Counter[str] | None:
        return None


class ZccacheAccount(Account):
    """A session of its own: the daemon writes its calls to a journal of its own."""

    def __init__(self, env: dict[str, str], job: Job) -> None:
        super().__init__(env, job)
        self._journal = f"{env['HOME']}/{job.agent}-{time.monotonic_ns()}.jsonl"
        said = ask(env, "zccache", "session-start", "--cwd", job.checkout, "--journal", self._journal)
        self._session = json.loads(said)["session_id"]
        self.env = {"ZCCACHE_SESSION_ID": self._session}

    def counts(self, record: dict[str, Any]) -> Counter[str] | None:
        ask(self._all, "zccache", "session-end", self._session)
        found: Counter[str] = Counter()
        if not os.path.exists(self._journal):
            return found  # nobody asked
        with open(self._journal) as file:
            for row in map(json.loads, file):
                if "--out-dir" in row["args"] and "-" not in row["args"]:
                    is_whole = row["outcome"] in ("hit", "miss") and row.get("miss_reason") != "uncacheable_input"
                    found[{"hit": "hit", "miss": "missed"}[row["outcome"]] if is_whole else "other"] += 1
        return found


class KacheAccount(Account):
    """`kache report` of the folder around the target dir, before and after."""

    def __init__(self, env: dict[str, str], job: Job) -> None:
        super().__init__(env, job)
        self._before = {root: self._report(root) for root in self._roots(job)}

    def counts(self, record: dict[str, Any]) -> Counter[str] | None:
        root = os.path.dirname(os.path.realpath(record["target_dir"]))
        return self._report(root) - self._before.get(root, Counter())

    def _roots(self, job: Job) -> list[str]:
        private = self._all["XDG_CACHE_HOME"] + "/cargo-deck/targets"
        kept = os.listdir(private) if os.path.isdir(private) else []
        return [os.path.realpath(job.checkout), *(os.path.realpath(f"{private}/{name}") for name in kept)]

    def _report(self, root: str) -> Counter[str]:
        said = ask(self._all, "kache", "report", "--json", "--root", root)
        found = json.loads(said)["summary"] if said else {}
        names = {"hit": ("local_hits", "prefetch_hits", "remote_hits"), "missed": ("misses", "dups")}
        names["other"] = ("passthroughs", "errors", "skipped")
        return +Counter({name: sum(found.get(part, 0) for part in parts) for name, parts in names.items()})


class MbxAccount(Account):
    """The report that mbx writes for one command."""

    def __init__(self, env: dict[str, str], job: Job) -> None:
        super().__init__(env, job)
        self._path = f"{env['HOME']}/{job.agent}-{time.monotonic_ns()}.json"
        self.env = {"MBX_STATS_REPORT": self._path}

    def counts(self, record: dict[str, Any]) -> Counter[str] | None:
        found = load(self._path)
        if found is None:
            return Counter()  # it writes none where it did nothing
        missed = sum(found["compiler"].get(name, {}).get("invocations", 0) for name in ("miss", "unconsulted"))
        none = ("compiler-query", "standard-input", "rustdoc")
        other = sum(n for name, n in found["bypasses"].items() if name not in none)
        return +Counter({"hit": found["hits"], "missed": missed, "other": other})


ACCOUNTS = {"zccache": ZccacheAccount, "kache": KacheAccount, "mbx": MbxAccount, "sccache": Account}


def as_theirs(events: list[e.CacheLookedUp]) -> Counter[str]:
    return Counter(one.outcome if one.outcome in ("hit", "missed") else "other" for one in events)


def ask(env: dict[str, str], *words: str) -> str:
    return subprocess.run(words, env=env, capture_output=True, text=True, check=False).stdout


def tracing_rustc(deck: Deck, log: str) -> str:
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
    write(deck.folder, "trace/trace.c", _TRACE_C)
    defines = (f'-DLOG="{log}"', f'-DREAL="{sysroot}/bin/rustc"')
    rustc = deck.folder + "/trace/rustc"
    subprocess.run(["cc", "-O1", "-w", *defines, deck.folder + "/trace/trace.c", "-o", rustc], check=True)
    return rustc


def read_calls(log: str) -> list[tuple[str, ...]]:
    """Compilations that ran to their end, each with its run and its status before its words.

    Not questions, nor where only the list of dependencies was wanted; kache kills a compiler that has given that list
    when it has the entry. One that fails at the list is a compilation: sccache asks no further.
    """
    if not os.path.exists(log):
        return []
    with open(log) as file:
        words = [tuple(line.rstrip("\n").split("\x1f")[:-1]) for line in file]
    return [call for call in words if _is_compilation(call) and not _is_list(call)]


def _is_compilation(call: tuple[str, ...]) -> bool:
    is_named = "--crate-name" in call[:-1] and call[call.index("--crate-name") + 1] != "___"
    return is_named and "-" not in call and not any(word.startswith("--print") for word in call)


def _is_list(call: tuple[str, ...]) -> bool:
    """Only the list of dependencies was asked for, and given."""
    wanted = [word.removeprefix("--emit=") for word in call if word.startswith("--emit=")]
    wanted += [call[at + 1] for at, word in enumerate(call[:-1]) if word == "--emit"]
    kinds = {kind.partition("=")[0] for one in wanted for kind in one.split(",")}
    return kinds == {"dep-info"} and call[1] == "0"


def made_units(path: str) -> int:
    """Units that cargo had compiled anew, build scripts' runs not counted."""
    count = 0
    with open(path, "rb") as file:
        for line in file:
            if line.startswith(b'{"reason":"compiler-artifact"'):
                count += not json.loads(line)["fresh"]
    return count
