"""`cargo deck run-all [NAME=]'CMD …' …`: several builds at once, a pane each, one exit code."""

import contextlib
import os
import re
import shlex
import sys

from core.client import ensure_engine
from core.errors import DeckError, UsageError
from core.parsers.projection import Projection
from core.parsers.text import sanitise
from core.paths import Paths, find_paths
from core.run import begin, compose, identity, owner
from tui.cli.build import OWN_OPTIONS
from tui.cli.stdout import Stdout

_HELP = """\
usage: cargo deck run-all [--detach] [--mode NAME] [NAME=]'CMD …' …

Starts every command at once, each as an agent of its own with a pane of its own. CMD is one quoted word: a cargo
subcommand ('test -p engine'), a whole cargo command ('cargo build --release') or any other program ('ninja -C out').
NAME is the agent's; without one they are called job-1, job-2, … With --mode all that are cargo's get that mode.

Output is shown line by line behind the agent's name. Ctrl-C stops them all, twice kills. Ends with 0 where all
succeeded, else with the code of the first that failed, and names it. With --detach it prints the ids of the runs
and returns.
"""
_NAMED = re.compile(r"([A-Za-z0-9._-]{1,64})=(?=\S)")
_NAP_S = 0.05
_PAUSE_S = 0.004
"""Between two copies of a flood."""
_READ_BYTES = 1 << 18


def main(argv: list[str]) -> int:
    """Start the commands and follow them to their ends; exit code."""
    if not argv or argv[0] in ("-h", "--help"):
        sys.stdout.write(_HELP)
        return 0 if argv else 2
    is_detached = "--detach" in argv
    try:
        mode, given = _take_mode([word for word in argv if word != "--detach"])
        jobs = [_job(word, n, mode, is_detached=is_detached) for n, word in enumerate(given, 1)]
        _refuse_what_cannot_start(jobs, is_mode_asked=mode is not None)
        return _run(find_paths(os.environ), jobs, is_detached=is_detached)
    except UsageError as error:
        return _say(str(error), 2)
    except (DeckError, OSError) as error:
        return _say(str(error), 125)
    except KeyboardInterrupt:  # before they were ours to stop: their pipes end with us
        return 130


def _take_mode(words: list[str]) -> tuple[str | None, list[str]]:
    """`--mode NAME` before the commands, and these.

    Raises:
        UsageError: there is no name.
    """
    mode = None
    while words and words[0].partition("=")[0] == "--mode":
        first, equals, mode = words[0].partition("=")
        if not equals and len(words) < 2:
            raise UsageError(f"{first} needs a name, for example --mode dev; `cargo deck plan --modes` lists them")
        mode, words = (mode, words[1:]) if equals else (words[1], words[2:])
    return mode, words


def _job(word: str, number: int, mode: str | None, *, is_detached: bool) -> begin.Request:
    env, cwd = dict(os.environ), os.getcwd()
    if word.startswith("-"):
        raise UsageError(f"run-all does not know {word[:60]!r}: see `cargo deck run-all --help`")
    named = _NAMED.match(word)
    name = named[1] if named else f"job-{number}"
    try:
        words = tuple(shlex.split(word[named.end() :] if named else word))
    except ValueError as error:
        raise UsageError(f"cannot split {word!r} into words: {error}") from error
    if not words:
        raise UsageError(f"{word!r} has no command: write NAME='test -p engine'")
    tool, words = begin.tool_of(words, cwd, env)
    if tool == "cargo":
        _refuse_our_options(words, cwd, env)
    agent = identity.find_agent(name, env, cwd)
    mode = mode if tool == "cargo" else None
    return begin.Request(tool, words, agent, cwd, env, compose.NOBODY, is_owned=not is_detached, mode=mode)


def _refuse_our_options(words: tuple[str, ...], cwd: str, env: dict[str, str]) -> None:
    """Cargo knows none of them; externals and programs may.

    Raises:
        UsageError: one is among the words of a command of cargo's.
    """
    end = words.index("--") if "--" in words else len(words)
    found = next((word for word in words[:end] if word.partition("=")[0] in OWN_OPTIONS), None)
    parsed = begin.parse_cargo(words, cwd, env)[0]
    if found is None or parsed.command is None or parsed.is_known:
        return
    raise UsageError(
        f"{found[:60]} is no option of cargo's: ours stand before all commands, as in run-all --mode dev 'build'; "
        "the name of an agent stands before its own, as in a='build'"
    )


def _refuse_what_cannot_start(jobs: list[begin.Request], *, is_mode_asked: bool) -> None:
    """Before any of them is started.

    Raises:
        UsageError: there is no command, two have the same name, or one names no program.
    """
    names = [job.agent.name for job in jobs]
    if not names:
        raise UsageError("run-all needs commands: cargo deck run-all 'build' 'test -p engine'")
    if all(job.tool != "cargo" for job in jobs) and is_mode_asked:
        raise UsageError("--mode is for builds of cargo: none of these is one")
    if len(set(names)) < len(names):
        raise UsageError("two commands have the same name: give each its own, as in a='build' b='test'")
    for job in jobs:
        begin.need_program(job)


def _run(paths: Paths, jobs: list[begin.Request], *, is_detached: bool) -> int:
    if not is_detached:
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)  # several builds cannot share one terminal's input
    begun: list[begin.Begun] = []
    try:
        begun.extend(begin.begin(paths, job) for job in jobs)
    finally:  # where one could not be started: owned ones end with us, the detached ones go on
        if is_detached:
            sys.stdout.write("".join(f"{run.started.run}\n" for run in begun))
            sys.stdout.flush()
    for job, run in zip(jobs, begun, strict=True):
        for notice in run.notices:
            _say(f"{job.agent.name}: {notice}", 0)
    ensure_engine(paths)
    return 0 if is_detached else _follow(jobs, begun)


def _follow(jobs: list[begin.Request], begun: list[begin.Begun]) -> int:
    width = max(len(job.agent.name) for job in jobs)
    tails = [_Tail(job.agent.name.ljust(width), run) for job, run in zip(jobs, begun, strict=True)]
    out, holder = Stdout(), owner.Owner([run.started for run in begun])
    is_told = False
    while holder.live:
        is_busy = _copy(tails, out)
        if out.is_closed and not is_told:
            is_told = True
            _end_what_needs_a_reader(holder, begun)
        holder.nap(_PAUSE_S if is_busy else _NAP_S)
    while _copy(tails, out) or out.pending:
        holder.die_if_asked(_PAUSE_S)
    out.add("".join(tail.finish() for tail in tails))
    while not out.flush():
        holder.die_if_asked(_PAUSE_S)
    holder.close()
    return _summary(jobs, begun, holder.endings)


def _copy(tails: list["_Tail"], out: Stdout) -> bool:
    """Take what was printed since, once the reader took what was before; True where there may be more."""
    if not out.flush():
        return True
    if out.is_closed:
        return False
    has_more = [tail.copy(out) for tail in tails]
    out.flush()
    return any(has_more)


def _end_what_needs_a_reader(holder: owner.Owner, begun: list[begin.Begun]) -> None:
    closed = {run.started.run for run in begun if run.stops_when_closed}
    for run in holder.live.values():
        if run.run in closed:
            with contextlib.suppress(OSError):  # its supervisor is gone
                os.write(run.owner_fd, b"p")


def _summary(jobs: list[begin.Request], begun: list[begin.Begun], endings: dict[str, owner.Ending]) -> int:
    names = {run.started.run: job.agent.name for job, run in zip(jobs, begun, strict=True)}
    in_order = sorted(endings.items(), key=lambda item: float(str(item[1].record.get("ended", 0.0))))
    failed = [run for run, ending in in_order if ending.code != 0]
    if not failed:
        return _say(f"all {len(endings)} done", 0)
    first = endings[failed[0]]
    if first.signal is not None:
        code, how = 128 + first.signal, f"signal {first.signal}"
    else:
        code, how = (125, "its supervisor died") if first.code is None else (first.code, f"exit {first.code}")
    log = next(run.started.folder for run in begun if run.started.run == failed[0]) + "/out.log"
    done = len(endings) - len(failed)
    return _say(f"{done} of {len(endings)} done; the first that failed: {names[failed[0]]} ({how}), log {log}", code)


class _Tail:
    """The lines of one run behind its name."""

    def __init__(self, label: str, begun: begin.Begun) -> None:
        self._label = label
        self._log = os.open(begun.started.folder + "/out.log", os.O_RDONLY | os.O_CLOEXEC)
        self._projection = Projection(cut_json=begun.composed.json == "ours", cut_progress=begun.composed.cut_progress)
        self._rest = b""

    def copy(self, out: Stdout) -> bool:
        """Hand on lines that were added; False where nothing was."""
        chunk = os.read(self._log, _READ_BYTES)
        out.add(self._lines(self._projection.feed(chunk)))
        return bool(chunk)

    def finish(self) -> str:
        """What was held back, and a last line without an end."""
        shown = self._lines(self._projection.close())
        return shown + (self._lines(b"\n") if self._rest else "")

    def _lines(self, text: bytes) -> str:
        *lines, self._rest = (self._rest + text).split(b"\n")
        return "".join(f"{self._label} │ {sanitise(line)}\n" for line in lines)


def _say(text: str, code: int) -> int:
    with contextlib.suppress(OSError):
        os.write(2, f"cargo-deck: {text}\n".encode("utf-8", "backslashreplace"))
    return code
