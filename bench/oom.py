"""Kills for want of memory are named, and no other death is.

`python -m bench.oom [--trials 50]`. Needs root and a memory cgroup of its own (v1 or v2). In half of the trials the
linker of a real build is put into a cgroup that is too small for it; in the others a process of a build dies of
something else: `kill -9` by hand, a link error, a build script that aborts, a plain error; or a process that has
nothing to do with the build runs out of memory just when a link of it fails, or while it goes well.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from typing import Any

from bench.figures import Figures, share, spread
from tests.real.product import Deck, read_json, temporary_deck, until

LIMIT_BYTES = 8 << 20
NAMED_SHARE, WITHIN_S = 0.95, 2.0
_V1, _V2 = "/sys/fs/cgroup/memory", "/sys/fs/cgroup"
BY_HAND = ("kill -9 of the linker", "rustc is killed")
STRANGER = ("a stranger, and a link error", "a stranger, and nothing else")
OTHERS = (*BY_HAND, *STRANGER, "link error", "build script aborts", "plain error")
HOG = "echo $$ > {group}/cgroup.procs; sleep 2; exec tail /dev/zero"
CC = """#!/bin/bash
# Stands for cc behind our front.
case "$TRIAL" in
  oom) echo $$ > {group}/cgroup.procs; exec {cc} "$@" ;;
  "kill -9 of the linker") {cc} "$@" & kill -9 $!; wait $!; exit $? ;;
  "a stranger"*)
    until ! [ -e /proc/$HOG ] || grep -q ") Z" /proc/$HOG/stat; do sleep 0.02; done
    [ "$TRIAL" = "a stranger, and nothing else" ] || set -- "$@" -lno_such_library
    exec {cc} "$@" ;;
  "link error") exec {cc} "$@" -lno_such_library ;;
  "rustc is killed") kill -9 $PPID $(ps -o ppid= -p $PPID); exec {cc} "$@" ;;
  *) exec {cc} "$@" ;;
esac
"""


def make_group() -> str:
    """A memory cgroup with the limit; its folder. Exits where that is not possible."""
    is_v1 = os.path.exists(_V1 + "/memory.limit_in_bytes")
    folder = f"{_V1 if is_v1 else _V2}/deck-bench-{os.getpid()}"
    try:
        os.mkdir(folder)
        with open(folder + ("/memory.limit_in_bytes" if is_v1 else "/memory.max"), "w") as file:
            file.write(str(LIMIT_BYTES))
    except OSError as error:
        raise SystemExit(f"a memory cgroup cannot be made ({error}): run this as root, outside a container") from None
    return folder


def write_package(folder: str) -> None:
    """A binary with a build script."""
    os.makedirs(folder + "/src")
    files = {
        "Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n',
        "src/main.rs": "fn main() {}\n",
        "build.rs": 'fn main() { if std::env::var("TRIAL").as_deref() == Ok("build script aborts") '
        '{ std::process::abort() }\n println!("cargo:rerun-if-env-changed=TRIAL"); }\n',
    }
    for name, text in files.items():
        with open(f"{folder}/{name}", "w") as file:
            file.write(text)


def trial(deck: Deck, package: str, group: str, kind: str, number: int) -> tuple[dict[str, Any] | None, float]:
    """One build; the kill that its journal tells of, if it does, and after how long since the build's end."""
    broken = "compile error;" if kind == "plain error" else ""
    with open(package + "/src/main.rs", "w") as file:
        file.write(f'{broken} fn main() {{ println!("{number}") }}\n')
    before = set(deck.runs())
    hog = (
        subprocess.Popen(["sh", "-c", HOG.format(group=group)], stderr=subprocess.DEVNULL)
        if "stranger" in kind
        else None
    )
    deck.run("build", "--agent", "a", cwd=package, env={"TRIAL": kind, "HOG": str(hog.pid if hog else 0)})
    if hog is not None:
        hog.wait()
    (run,) = set(deck.runs()) - before
    until(lambda: _events(run, "RunEnded"), 10, f"the end of {run}")
    ended = read_json(run + "/exit.json")["ended"]
    kills = _events(run, "ProcessKilled")
    return (kills[0], kills[0]["at"] - ended) if kills else (None, 0.0)


def _events(run: str, name: str) -> list[dict[str, Any]]:
    if not os.path.exists(run + "/events.jsonl"):
        return []
    with open(run + "/events.jsonl") as file:
        return [found for line in file if (found := json.loads(line)).get("event") == name]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50, help="of each half")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    figures = Figures()
    group = make_group()
    dice = random.Random(args.seed)
    kinds = ["oom"] * args.trials + [OTHERS[n % len(OTHERS)] for n in range(args.trials)]
    dice.shuffle(kinds)
    try:
        with temporary_deck() as deck:
            _measure(figures, deck, group, kinds)
    finally:
        time.sleep(0.2)
        os.rmdir(group)
    return figures.end("oom")


def _measure(figures: Figures, deck: Deck, group: str, kinds: list[str]) -> None:
    package, tools = deck.folder + "/app", deck.folder + "/tools"
    write_package(package)
    os.makedirs(tools)
    with open(tools + "/cc", "w") as file:
        file.write(CC.format(group=group, cc=shutil.which("cc")))
    os.chmod(tools + "/cc", 0o755)
    deck.env["PATH"] = f"{tools}:{deck.env['PATH']}"
    deck.run("build", "--agent", "a", cwd=package, env={"TRIAL": ""})
    deck.run("top", "--once")  # wakes the engine
    named: list[float] = []
    right, by_hand, false, examples = 0, 0, [], {}
    for number, kind in enumerate(kinds):
        kill, after_s = trial(deck, package, group, kind, number)
        if kind == "oom" and kill and kill["is_oom"]:
            named.append(after_s)
            right += kill["limit_bytes"] == LIMIT_BYTES and bool(kill["unit"])
            examples = kill
        elif kind != "oom" and kill and (kill["is_oom"] or kind not in BY_HAND):
            false.append(kind)
        by_hand += kind in BY_HAND and kill is not None and not kill["is_oom"]
    all_of = kinds.count("oom")
    figures.at_least("kills for want of memory that are named", len(named) / all_of, NAMED_SHARE, "{:.2f}",
                     f"{len(named)} of {all_of}")  # fmt: skip
    figures.note("  with their limit and unit", f"{right} of {len(named)}: {examples}")
    figures.holds("of a kill by hand it is said that nobody knows by whom",
                  by_hand == sum(kind in BY_HAND for kind in kinds), f"{by_hand}")  # fmt: skip
    figures.holds("no other death is called so", not false, f"{len(kinds) - all_of} deaths; {', '.join(false)}")
    if named:
        figures.at_most("named after the build's end, s", max(named), WITHIN_S, "{:.2f}",
                        f"{spread(named, '{:.2f}')}, 95 % {share(named, 0.95):.2f}")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
