"""Each link is told, with its true peak; and a build without us afterwards finds all as it was.

`python -m bench.links [--binaries 10]`. Behind our front stands a small C program as `cc`: it measures the same link by
`wait4` on its own child. One workspace, with rust-lld, bfd and, where it is installed, mold; debug and release.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from typing import Any

from bench.figures import Figures
from tests.real.product import Deck, temporary_deck, until

OFF_SHARE = 0.05
_MEASURE_C = r"""
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
    const char *output = "";
    for (int i = 1; i + 1 < argc; i++) if (!strcmp(argv[i], "-o")) output = argv[i + 1];
    pid_t pid = fork();
    if (!pid) { argv[0] = CC; execv(CC, argv); _exit(126); }
    int status; struct rusage use; char line[8192];
    wait4(pid, &status, 0, &use);
    int n = snprintf(line, sizeof line, "%s\t%ld\n", output, use.ru_maxrss * 1024);
    int fd = open(LOG, O_WRONLY | O_CREAT | O_APPEND, 0600);
    write(fd, line, n);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
"""


def write_workspace(folder: str, binaries: int) -> None:
    """Binaries of growing size over a common library."""
    for name in ["common", *(f"tool{number}" for number in range(binaries))]:
        os.makedirs(f"{folder}/{name}/src")
        needs = "" if name == "common" else '[dependencies]\ncommon = { path = "../common" }\n'
        _write(
            f"{folder}/{name}/Cargo.toml", f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n{needs}'
        )
    _write(f"{folder}/Cargo.toml", '[workspace]\nresolver = "2"\nmembers = ["common", "tool*"]\n')
    _write(f"{folder}/common/src/lib.rs", "".join(_function(number) for number in range(300)))
    for number in range(binaries):
        calls = "".join(f"s += common::work{i}(s);" for i in range(300 * (number + 1) // binaries))
        _write(f"{folder}/tool{number}/src/main.rs", f'fn main() {{ let mut s = 1u64; {calls} println!("{{s}}"); }}\n')


def _function(number: int) -> str:
    return (
        f"pub fn work{number}(x: u64) -> u64 {{ let mut all: Vec<String> = (0..x % {number + 2}).map(|i| "
        f'format!("{{i}}-{number}")).collect(); all.sort(); all.dedup(); all.len() as u64 + {number} }}\n'
    )


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=int, default=10)
    args = parser.parse_args()
    figures = Figures()
    with temporary_deck() as deck:
        tools = _measuring_cc(deck)
        worst = links = 0.0
        for linker in ("rust-lld", "bfd", "mold"):
            if linker == "mold" and shutil.which("mold") is None:
                figures.note("mold", "is not installed")
                continue
            for profile in ("debug", "release"):
                off, count = _build(figures, deck, tools, linker, profile, args.binaries)
                worst, links = max(worst, off), links + count
    figures.at_most("a peak is off by at most, share", worst, OFF_SHARE, "{:.3f}", f"{links:.0f} links")
    return figures.end("links")


def _measuring_cc(deck: Deck) -> str:
    folder = deck.folder + "/tools"
    os.makedirs(folder)
    _write(folder + "/measure.c", _MEASURE_C)
    defines = (f'-DCC="{shutil.which("cc")}"', f'-DLOG="{deck.folder}/peaks"')
    subprocess.run(["cc", "-O1", "-w", *defines, folder + "/measure.c", "-o", folder + "/cc"], check=True)
    return folder


def _build(figures: Figures, deck: Deck, tools: str, linker: str, profile: str, binaries: int) -> tuple[float, int]:
    """One clean build; the largest deviation of a peak, and how many links there were."""
    folder = f"{deck.folder}/{linker}-{profile}"
    write_workspace(folder, binaries)
    words = ["build", *(["--release"] if profile == "release" else [])]
    flags = {} if linker == "rust-lld" else {"RUSTFLAGS": f"-Clink-arg=-fuse-ld={linker}"}
    peaks = deck.folder + "/peaks"
    if os.path.exists(peaks):
        os.unlink(peaks)
    env = {"PATH": f"{tools}:{deck.env['PATH']}", **flags}
    before = set(deck.runs())
    done = deck.run(*words, "--agent", "a", cwd=folder, env=env, timeout_s=600)
    assert done.returncode == 0, done.stderr
    (run,) = set(deck.runs()) - before
    deck.run("ps")
    events = until(lambda: _ended(run), 20, f"the journal of {run}")
    told = {event["output"]: event for event in events if event["event"] == "LinkEnded"}
    with open(peaks) as file:
        true = dict(line.rstrip("\n").split("\t") for line in file)
    off = max(abs(told[path]["peak_bytes"] / int(peak) - 1) for path, peak in true.items() if path in told)
    plain = ["cargo", *words, "-v"]
    again = subprocess.run(
        plain, cwd=folder, env={**deck.env, **flags}, capture_output=True, text=True, check=True
    ).stderr
    seconds = sorted(event["elapsed_s"] for event in told.values())
    is_whole = told.keys() == true.keys() and len(true) == binaries
    more = f"{len(told)} of {len(true)}, {seconds[0]:.2f} to {seconds[-1]:.2f} s, peaks off by {off:.3f} at most"
    figures.holds(f"{linker}, {profile}: every link is told", is_whole, more)
    figures.holds("  its linker is named", {event["linker"] for event in told.values()} == {linker})
    figures.holds("  sizes are those on the disk", all(e["output_bytes"] == _size(e["output"]) for e in told.values()))
    figures.holds("  plain cargo afterwards builds nothing", "Fresh" in again and "Compiling" not in again)
    return off, len(true)


def _ended(run: str) -> list[dict[str, Any]]:
    try:
        with open(run + "/events.jsonl") as file:
            events = [found for line in file if "event" in (found := json.loads(line))]
    except OSError:
        return []
    return events if events and events[-1]["event"] == "RunEnded" else []


def _size(path: str) -> int:
    return os.path.getsize(path)


if __name__ == "__main__":
    sys.exit(main())
