"""Workspaces that link, and a `cc` that measures each link independently of us."""

import json
import os
import shutil
import subprocess
from typing import Any, NamedTuple

from tests.real.product import Deck, until

Event = dict[str, Any]
_MEASURE_C = r"""
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
    const char *output = "";
    int is_link = 0; /* Without an output it is asked what it is. */
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "-o") && i + 1 < argc) { output = argv[i + 1]; is_link = 1; }
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "-c")) is_link = 0;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t pid = fork();
    if (!pid) { argv[0] = CC; execv(CC, argv); _exit(126); }
    int status; struct rusage use, more; char line[8192];
    wait4(pid, &status, 0, &use);
    siginfo_t left;
    /* Seen and not taken: whoever is above us gets it. */
    if (!syscall(SYS_waitid, P_ALL, 0, &left, WEXITED | WNOWAIT, &more) && more.ru_maxrss > use.ru_maxrss)
        use.ru_maxrss = more.ru_maxrss;
    if (is_link) {
        int n = snprintf(line, sizeof line, "%s\t%ld\n", output, use.ru_maxrss * 1024);
        int fd = open(LOG, O_WRONLY | O_CREAT | O_APPEND, 0600);
        write(fd, line, n);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
"""


class Told(NamedTuple):
    """A link as it was told, and its true peak."""

    end: Event
    true_bytes: int

    @property
    def peak_bytes(self) -> int:
        """As told."""
        return int(self.end["peak_bytes"])

    @property
    def elapsed_s(self) -> float:
        """As told."""
        return float(self.end["elapsed_s"])

    @property
    def off(self) -> float:
        """Share by which the peak is wrong; 1 where nobody else saw the link."""
        return abs(self.peak_bytes / self.true_bytes - 1) if self.true_bytes else 1.0


def write_workspace(folder: str, binaries: int, sections: int = 0) -> None:
    """Binaries of growing size over a common library; the later half with machine code of up to so many sections."""
    common = {"Cargo.toml": _manifest("common", ""), "src/lib.rs": "".join(_function(n) for n in range(300))}
    _write_all(folder + "/common", common)
    _write_all(folder, {"Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["common", "tool*"]\n'})
    for number in range(binaries):
        calls = "".join(f"s += common::work{i}(s);" for i in range(300 * (number + 1) // binaries))
        files = {
            "Cargo.toml": _manifest(f"tool{number}", 'common = { path = "../common" }'),
            "src/main.rs": f'fn main() {{ let mut s = 1u64; {calls} println!("{{s}}"); }}\n',
        }
        if sections and number == 0:
            files["build.rs"] = 'fn main() { println!("cargo:rerun-if-changed=build.rs"); }\n'
        if sections and number >= binaries // 2:
            share = ((number - binaries // 2 + 1) / (binaries - binaries // 2)) ** 3
            path = _object(folder + "/objects", number, int(sections * share))
            files["src/main.rs"] += f'#[used] static A: unsafe extern "C" fn() = f0;\n{_LINKED}'
            files["build.rs"] = f'fn main() {{ println!("cargo:rustc-link-arg={path}"); }}\n'
        _write_all(f"{folder}/tool{number}", files)


_LINKED = 'unsafe extern "C" { fn f0(); }\n'


def _object(folder: str, number: int, sections: int) -> str:
    """An object file of so many functions, each in a section of its own, calling the next."""
    os.makedirs(folder, exist_ok=True)
    path = f"{folder}/many{number}"
    with open(path + ".s", "w") as file:
        file.write('.section .note.GNU-stack,"",@progbits\n')
        for i in range(sections):
            after = f"call f{i + 1}\n" if i + 1 < sections else ""
            file.write(f'.section .text.f{i},"ax",@progbits\n.globl f{i}\nf{i}:\n{after}ret\n')
    subprocess.run(["as", path + ".s", "-o", path + ".o"], check=True)
    os.unlink(path + ".s")
    return path + ".o"


def _manifest(name: str, needs: str) -> str:
    return f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2024"\n[dependencies]\n{needs}\n'


def _function(number: int) -> str:
    return (
        f"pub fn work{number}(x: u64) -> u64 {{ let mut all: Vec<String> = (0..x % {number + 2}).map(|i| "
        f'format!("{{i}}-{number}")).collect(); all.sort(); all.dedup(); all.len() as u64 + {number} }}\n'
    )


def _write_all(folder: str, files: dict[str, str]) -> None:
    for name, text in files.items():
        os.makedirs(os.path.dirname(f"{folder}/{name}"), exist_ok=True)
        with open(f"{folder}/{name}", "w") as file:
            file.write(text)


def measuring_cc(deck: Deck, name: str = "cc") -> str:
    """A folder with a driver of that name that measures; to be put first in PATH."""
    folder = f"{deck.folder}/tools-{name}"
    os.makedirs(folder)
    with open(folder + "/measure.c", "w") as file:
        file.write(_MEASURE_C)
    defines = (f'-DCC="{shutil.which(name)}"', f'-DLOG="{deck.folder}/peaks"')
    subprocess.run(["cc", "-O1", "-w", *defines, folder + "/measure.c", "-o", f"{folder}/{name}"], check=True)
    return folder


def build(deck: Deck, words: list[str], folder: str, env: dict[str, str]) -> list[Event]:
    """A build through us; its links. Raises AssertionError where it fails."""
    if os.path.exists(deck.folder + "/peaks"):
        os.unlink(deck.folder + "/peaks")
    before = set(deck.runs())
    done = deck.run(*words, "--agent", "a", cwd=folder, env=env, timeout_s=1200)
    assert done.returncode == 0, done.stderr
    (run,) = set(deck.runs()) - before
    deck.run("ps")
    events = until(lambda: _ended(run), 30, f"the journal of {run}")
    return [event for event in events if event["event"] == "LinkEnded"]


def read_peaks(deck: Deck) -> dict[str, int]:
    """True peaks of the last build, by output."""
    with open(deck.folder + "/peaks") as file:
        pairs = (line.rstrip("\n").split("\t") for line in file)
        return {output: int(peak) for output, peak in pairs}


def _ended(run: str) -> list[Event]:
    try:
        with open(run + "/events.jsonl") as file:
            events = [found for line in file if "event" in (found := json.loads(line))]
    except OSError:
        return []
    return events if events and events[-1]["event"] == "RunEnded" else []
