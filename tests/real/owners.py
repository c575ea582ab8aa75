"""Callers that are killed while their build hangs, in each way a caller dies, and what then still lives."""

import os
import random
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from typing import NamedTuple

from tests.real.product import COMMAND, Deck, Process, end, marked, process, read_json, until
from tests.real.ptys import Terminal
from tests.real.samples import write_files

LIMIT_S = 2.0
_SETTLED_S = 0.3
"""Nothing alive for this long: nothing more will come."""
_HANG = r"""use std::process::Command;
#[test]
fn hangs() {
    let marker = std::env::var("DECK_TEST_MARK").unwrap();
    let line = format!("(exec -a {marker}-leaf sleep 600) & exec -a {marker}-leaf sleep 600");
    Command::new("bash").args(["-c", &line]).status().unwrap();
}
"""


class Trial(NamedTuple):
    """One killed caller."""

    way: str
    gone_s: float
    """Since the kill, until nothing of the run lived."""
    survivors: list[Process]
    problem: str
    """What was wrong besides; empty: nothing."""


def write_hanging(root: str) -> None:
    """A crate whose one test never ends and has children."""
    manifest = '[package]\nname = "hang"\nversion = "0.1.0"\nedition = "2021"\n'
    write_files(root, {"Cargo.toml": manifest, "src/lib.rs": "", "tests/hang.rs": _HANG})


def command(kind: str, marker: str, ours: str = COMMAND) -> list[str]:
    """A command that hangs: a cargo test, or a shell with a child in another session."""
    if kind == "test":
        return [ours, "test", "--test", "hang"]
    leaf = f"exec -a {marker}-leaf sleep 600"
    return [ours, "exec", "--", "bash", "-c", f"setsid bash -c '{leaf}' & {leaf}"]


def _kill_caller(argv: list[str], cwd: str, env: dict[str, str], wait: Callable[[], object]) -> None:
    caller = _start(argv, cwd, env)
    wait()
    caller.kill()
    caller.wait()


def _kill_parent(argv: list[str], cwd: str, env: dict[str, str], wait: Callable[[], object]) -> None:
    parent = _start(["bash", "-c", '"$@"; true', "bash", *argv], cwd, env)
    wait()
    parent.kill()
    parent.wait()


def _time_out(argv: list[str], cwd: str, env: dict[str, str], wait: Callable[[], object]) -> None:
    """As an agent's harness does; the time is over when `wait` is."""
    keeper = _start(["timeout", "-s", "KILL", "600", *argv], cwd, env)
    wait()
    # `timeout` does this at its own deadline: KILL to the command, then to its whole group.
    for pid in _children(keeper.pid):
        os.kill(pid, signal.SIGKILL)
    os.killpg(keeper.pid, signal.SIGKILL) if os.getpgid(keeper.pid) == keeper.pid else keeper.kill()
    keeper.wait()


def _really_time_out(argv: list[str], cwd: str, env: dict[str, str], wait: Callable[[], object]) -> None:
    _start(["timeout", "-s", "KILL", f"{random.uniform(0.05, 1.0):.3f}", *argv], cwd, env).wait()


def _close_terminal(argv: list[str], cwd: str, env: dict[str, str], wait: Callable[[], object]) -> None:
    terminal = Terminal(argv, cwd=cwd, env=env)
    wait()
    terminal.close()
    _reap_later(terminal.child)


def _close_shell_terminal(argv: list[str], cwd: str, env: dict[str, str], wait: Callable[[], object]) -> None:
    """The command is a foreground job of an interactive shell, in a process group of its own."""
    terminal = Terminal(["bash", "-c", 'set -m; "$@"; true', "bash", *argv], cwd=cwd, env=env)
    wait()
    terminal.close()
    _reap_later(terminal.child)


def _reap_later(child: "subprocess.Popen[bytes]") -> None:
    """It may hang: the trial sees that, we only must not leave a zombie."""
    threading.Thread(target=child.wait, daemon=True).start()


WAYS: dict[str, Callable[[list[str], str, dict[str, str], Callable[[], object]], None]] = {
    "caller killed": _kill_caller,
    "timeout -s KILL": _really_time_out,
    "timeout at a chosen moment": _time_out,
    "parent killed": _kill_parent,
    "terminal closed": _close_terminal,
    "terminal of a shell closed": _close_shell_terminal,
}


def run_trial(deck: Deck, cwd: str, way: str, kind: str, *, is_early: bool, ours: str = COMMAND) -> Trial:
    """Start, kill, look. Early: at a random moment of the start, else when the whole tree is up."""
    marker = f"deckowner{uuid.uuid4().hex[:12]}"
    env = {**deck.env, "DECK_TEST_MARK": marker}
    before = set(deck.runs())
    engine = deck.engine()
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # we run under nohup: the callers shall not

    def wait() -> None:
        if is_early:
            time.sleep(random.uniform(0.0, 0.4))
        else:
            until(lambda: len([p for p in marked(f"{marker}-leaf") if p.argv[0] == f"{marker}-leaf"]) == 2, 30, "tree")

    WAYS[way](command(kind, marker, ours), cwd, env, wait)
    gone_s, survivors = _watch(marker, engine)
    for one in survivors:
        end(one, signal.SIGKILL)
    problem = "" if ours != COMMAND else _record_problem(deck, before)
    return Trial(way, gone_s, survivors, problem)


def _watch(marker: str, engine: Process | None) -> tuple[float, list[Process]]:
    began = time.monotonic()
    seen_s = 0.0
    while True:
        alive = [one for one in marked(marker) if engine is None or one.pid != engine.pid]
        now_s = time.monotonic() - began
        if alive:
            seen_s = now_s
        if now_s > LIMIT_S or (now_s - seen_s > _SETTLED_S):
            return seen_s, alive
        time.sleep(0.01)


def _record_problem(deck: Deck, before: set[str]) -> str:
    """A run that began must have an end on record, and say who ended it."""
    for folder in set(deck.runs()) - before:
        if not os.path.exists(f"{folder}/run.json"):
            continue
        try:
            ended = until(lambda: os.path.exists(f"{folder}/exit.json"), 2, "exit.json")  # noqa: B023
        except AssertionError:
            return f"no exit.json in {os.path.basename(folder)}"
        reason = read_json(f"{folder}/exit.json")["stopped_by"]
        if ended and reason not in ("owner", "interrupt"):
            return f"{os.path.basename(folder)} says stopped_by {reason!r}"
    return ""


def _start(argv: list[str], cwd: str, env: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split() if process(int(word))]
