"""`cargo deck run-all [NAME=]'CMD …' …`: several builds at once, a pane each, one exit code."""

import os
import re
import shlex
import sys

from core.errors import DeckError, UsageError
from core.parsers.projection import Projection
from core.parsers.text import sanitise
from core.paths import Paths, find_paths
from core.run import begin, compose, grammar, identity, owner

_HELP = """\
usage: cargo deck run-all [--detach] [NAME=]'CMD …' …

Starts every command at once, each as an agent of its own with a pane of its own. CMD is one quoted word: a cargo
subcommand ('test -p engine'), a whole cargo command ('cargo build --release') or any other program ('ninja -C out').
NAME is the agent's; without one they are called job-1, job-2, …

Output is shown line by line behind the agent's name. Ctrl-C stops them all, twice kills. Ends with 0 where all
succeeded, else with the code of the first that failed, and names it. With --detach it prints the ids of the runs
and returns.
"""
_NAMED = re.compile(r"([A-Za-z0-9._-]{1,64})=(?=\S)")
_NAP_S = 0.05


def main(argv: list[str]) -> int:
    """Start the commands and follow them to their ends; exit code."""
    is_detached = "--detach" in argv
    given = [word for word in argv if word != "--detach"]
    if given[:1] in (["-h"], ["--help"]) or not given:
        sys.stdout.write(_HELP)
        return 0 if given else 2
    try:
        jobs = [_job(word, n, is_detached=is_detached) for n, word in enumerate(given, 1)]
        names = [job.agent.name for job in jobs]
        if len(set(names)) < len(names):
            raise UsageError("two commands have the same name: give each its own, as in a='build' b='test'")
        return _run(find_paths(os.environ), jobs, is_detached=is_detached)
    except UsageError as error:
        os.write(2, f"cargo-deck: {error}\n".encode())
        return 2
    except DeckError as error:
        os.write(2, f"cargo-deck: {error}\n".encode())
        return 125


def _job(word: str, number: int, *, is_detached: bool) -> begin.Request:
    env, cwd = dict(os.environ), os.getcwd()
    named = _NAMED.match(word)
    name = named[1] if named else f"job-{number}"
    try:
        words = tuple(shlex.split(word[named.end() :] if named else word))
    except ValueError as error:
        raise UsageError(f"cannot split {word!r} into words: {error}") from error
    if not words:
        raise UsageError(f"{word!r} has no command: write NAME='test -p engine'")
    tool = "exec"
    if words[0] == "cargo":
        tool, words = "cargo", words[1:]
    elif words[0] in grammar.COMMANDS or words[0] in grammar.ALIASES or words[0].startswith("+"):
        tool = "cargo"
    elif words[0] == "exec":
        words = words[2:] if words[1:2] == ("--",) else words[1:]
    agent = identity.find_agent(name, env, cwd)
    return begin.Request(tool, words, agent, cwd, env, compose.NOBODY, is_owned=not is_detached)


def _run(paths: Paths, jobs: list[begin.Request], *, is_detached: bool) -> int:
    if not is_detached:
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)  # several builds cannot share one terminal's input
    begun: list[begin.Begun] = []
    try:
        begun.extend(begin.begin(paths, job) for job in jobs)
    except DeckError:
        for run in begun:  # owned ones end with their pipe; detached ones were asked for
            if run.started.owner_fd >= 0:
                os.close(run.started.owner_fd)
        raise
    _wake_engine(paths)
    if is_detached:
        for run in begun:
            sys.stdout.write(run.started.run + "\n")
        return 0
    return _follow(jobs, begun)


def _follow(jobs: list[begin.Request], begun: list[begin.Begun]) -> int:
    width = max(len(job.agent.name) for job in jobs)
    tails = [_Tail(job.agent.name.ljust(width), run) for job, run in zip(jobs, begun, strict=True)]
    holder = owner.Owner([run.started for run in begun])
    ended: list[str] = []
    while holder.live:
        for tail in tails:
            tail.copy()
        holder.nap(_NAP_S)
        ended += [run for run in holder.endings if run not in ended]
    for tail in tails:
        tail.copy()
        tail.finish()
    holder.close()
    return _summary(jobs, begun, holder, ended)


def _summary(jobs: list[begin.Request], begun: list[begin.Begun], holder: owner.Owner, ended: list[str]) -> int:
    names = {run.started.run: job.agent.name for job, run in zip(jobs, begun, strict=True)}
    logs = {run.started.run: run.started.folder + "/out.log" for run in begun}
    first_failed: tuple[str, int] | None = None
    for run in ended:
        ending = holder.endings[run]
        code = 128 + ending.signal if ending.signal is not None else ending.code
        if code is None:
            code = 125
        if code and first_failed is None:
            first_failed = (run, code)
    done = sum(1 for run in ended if holder.endings[run].code == 0)
    if first_failed is None:
        os.write(2, f"cargo-deck: all {done} done\n".encode())
        return 0
    run, code = first_failed
    text = f"{done} of {len(ended)} done; the first that failed: {names[run]} (exit {code}), log {logs[run]}"
    os.write(2, f"cargo-deck: {text}\n".encode())
    return code


class _Tail:
    """Copies the lines of one run behind its name."""

    def __init__(self, label: str, begun: begin.Begun) -> None:
        self.label = label
        self.log = os.open(begun.started.folder + "/out.log", os.O_RDONLY)
        self.projection = Projection(cut_json=begun.composed.json == "ours", cut_progress=begun.composed.cut_progress)
        self.rest = b""

    def copy(self) -> None:
        while chunk := os.read(self.log, 1 << 18):
            self._lines(self.projection.feed(chunk))

    def finish(self) -> None:
        self._lines(self.projection.close() + (b"" if self.rest == b"" else b"\n"))

    def _lines(self, text: bytes) -> None:
        *lines, self.rest = (self.rest + text).split(b"\n")
        if lines:
            shown = "".join(f"{self.label} │ {sanitise(line)}\n" for line in lines)
            os.write(1, shown.encode("utf-8", "replace"))


def _wake_engine(paths: Paths) -> None:
    from core.client import ensure_engine

    ensure_engine(paths)
