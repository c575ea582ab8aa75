"""Process trees that do not want to end, runs of them, and servers that must outlive a run."""

import os
import re
import signal
import subprocess
import time
import uuid
from typing import NamedTuple

from tests.real.product import Deck, Process, end, process, read_json, until, with_argument

# Every leaf is called MARK-leaf, whatever it inherits: it is found by its argv alone.
_TREE = r"""#!/bin/bash
mark=$1
leaf='exec -a "$0-leaf" sleep 600'
shift
for kind in "$@"; do
  case $kind in
    plain) bash -c "$leaf" "$mark" & ;;
    ignores) (trap '' TERM INT HUP; exec bash -c "$leaf" "$mark") & ;;
    setsid) setsid bash -c "$leaf" "$mark" & ;;
    double) ( ( bash -c "$leaf" "$mark" & ) & ) ;;
    daemon) ( setsid bash -c "( $leaf ) & exit" "$mark" & ) ;;
    env) env -i bash -c "$leaf" "$mark" & ;;
    hidden) ( env -i setsid bash -c "( $leaf ) & exit" "$mark" & ) ;;
    worst) (trap '' TERM INT HUP; env -i setsid bash -c "( $leaf ) & exit" "$mark" & ) ;;
    namesake) NAMESAKE=$mark bash -c 'exec -a "$NAMESAKE-leaf" "$FAKE_CACHE" 600' & ;;
  esac
done
exec -a "$mark-main" sleep 600
"""
GENTLE = ("plain", "setsid", "double", "daemon", "env", "hidden")
STUBBORN = ("ignores", "worst")

_CACHE = r"""use std::process::{Command, Stdio};
fn main() {
    if std::env::args().any(|a| a == "--serve") {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        for _ in socket.incoming() {}
    }
    let me = std::env::current_exe().unwrap();
    Command::new("setsid").arg(me).arg("--serve").arg(std::env::var("MARK").unwrap())
        .stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
}
"""


class Stopped(NamedTuple):
    """One `stop` of several runs."""

    wall_s: float
    """Of the command, a run."""
    survivors: list[Process]
    problem: str


def write_tree(folder: str) -> str:
    """The script that grows a tree; its arguments: marker, kinds."""
    path = os.path.join(folder, "tree.sh")
    with open(path, "w", encoding="utf-8") as file:
        file.write(_TREE)
    return path


def build_cache_tool(folder: str) -> str:
    """A stand-in for a compiler cache, called sccache: starts a server that listens, and ends."""
    os.makedirs(folder, exist_ok=True)
    source = os.path.join(folder, "sccache.rs")
    with open(source, "w", encoding="utf-8") as file:
        file.write(_CACHE)
    tool = os.path.join(folder, "sccache")
    subprocess.run(["rustc", "-C", "debuginfo=0", "-o", tool, source], check=True)
    return tool


def start_run(deck: Deck, marker: str, argv: list[str], env: dict[str, str] | None = None) -> str:
    """A detached run; its id as printed."""
    done = deck.run("exec", "--detach", "--agent", marker, "--", *argv, env=env)
    found = re.search(r"\b\d{8}-\d{6}-\d{3}-[0-9a-f]{4}\b", done.stdout)
    assert found, f"no run id: exit {done.returncode}, {done.stdout!r}, {done.stderr!r}"
    return found.group()


def leaves(marker: str) -> list[Process]:
    """The living leaves of a tree."""
    return [one for one in with_argument(f"{marker}-leaf") if one.argv[0] == f"{marker}-leaf"]


def stop_trees(deck: Deck, script: str, kinds: list[tuple[str, ...]], env: dict[str, str] | None = None) -> Stopped:
    """Grow one tree a tuple of kinds, stop them all with one command, and look at once."""
    grown = {f"deckstop{uuid.uuid4().hex[:12]}": each for each in kinds}
    runs = []
    for marker, each in grown.items():
        runs.append(start_run(deck, marker, ["bash", script, marker, *each], env))
    for marker, each in grown.items():
        until(lambda: len(leaves(marker)) == len(each), 10, f"tree of {each}")  # noqa: B023
    began = time.monotonic()
    done = deck.run("stop", *runs)
    wall_s = (time.monotonic() - began) / len(runs)
    left = [one for marker in grown for one in with_argument(marker) if _outlived(one)]
    for one in left:
        end(one, signal.SIGKILL)
    return Stopped(wall_s, left, _problem(deck, runs, done))


def _outlived(one: Process) -> bool:
    """Alive a moment later too: an exit that the kernel is still at is none."""
    time.sleep(0.05)
    return process(one.pid) == one


def _problem(deck: Deck, runs: list[str], done: "subprocess.CompletedProcess[str]") -> str:
    if done.returncode != 0:
        return f"stop: exit {done.returncode}: {done.stderr.strip()[:300]}"
    for run in runs:
        path = os.path.join(deck.state, "runs", run, "exit.json")
        if not os.path.exists(path):
            return f"no exit.json of {run} when stop returned"
        if read_json(path)["stopped_by"] != "request":
            return f"{run}: stopped_by {read_json(path)['stopped_by']!r}"
    return ""
