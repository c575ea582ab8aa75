"""`cargo deck watch`: builds after each save what must be built, and says what each edit cost."""

import contextlib
import json
import os
import shlex
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from core import watches
from core.clock import wall_clock
from core.errors import UsageError
from core.native.edits.edit_class import EditClass
from core.run import begin, cache, command, identity
from core.state import Run
from core.watch_loop import Ended, Step, Told, Watch
from core.watch_world import RealWorld
from tui import format as f
from tui import phases
from tui.cli import brief, common
from tui.cli.build import split_own
from tui.cli.events import plain
from tui.cli.watch_lines import Lines

_HELP = """\
usage: cargo deck watch [--test NAME | --then CMD] [--json] [build …cargo's words… | exec -- CMD …]

Builds once, then again after each save of a file that the build reads, and runs what --test or --then names after each
build that went well. A save while it builds stops that build first. Without a command: build. Ctrl-C ends it.

  --test NAME    cargo test NAME, with the build's own packages, features and profile: a test target, else part of names
  --then CMD     any command, as `cargo deck run-all` takes them: 'test -p engine', 'exec -- ./run.sh', 'ctest'
  --json         a line of JSON for all that happens: docs/json.md
  --agent NAME, --mode NAME, --cache KIND   as for a build
"""
_WISHES = (cache.KIND, cache.STORE, command.MODE, command.VERBOSE, command.FEATURES)
"""Of our variables those that say what builds are to be like; the others are of a run that we may be a part of."""
_MOST_NAMED = 3
"""Files of an edit."""
_PASSED_ON = (
    "package", "features", "target", "profile", "target-dir", "manifest-path", "config", "jobs", "Z", "C",
)  # fmt: skip
_PASSED_ON_FLAGS = (
    "release", "workspace", "all-features", "no-default-features", "locked", "offline", "frozen",
    "ignore-rust-version",
)  # fmt: skip


class Wanted(NamedTuple):
    """What was asked for."""

    words: tuple[str, ...]
    test: str | None = None
    then: str | None = None
    is_json: bool = False
    is_bound: bool = False
    """It ends with whoever started it: at the end of its stdin."""
    own: Mapping[str, str] = {}


def main(argv: list[str]) -> int:
    """Watch; the exit code of the last build or test, 0 where none ended."""
    if argv[:1] in (["-h"], ["--help"]):
        common.print_text(_HELP.rstrip("\n"))
        return 0
    return common.guarded(_main, argv)


def _main(argv: list[str]) -> int:
    wanted = parse(argv)
    env = {name: value for name, value in os.environ.items() if not name.startswith("DECK_") or name in _WISHES}
    if "cache" in wanted.own:
        env[cache.KIND] = wanted.own["cache"]
    cwd = os.getcwd()
    agent = identity.find_agent(wanted.own.get("agent"), env, cwd)
    steps = steps_of(wanted, cwd, env)
    parent_fd = os.dup(0) if wanted.is_bound else None
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # what is typed is for nobody
    paths = common.user_paths()
    checkout = identity.checkout_of(cwd)
    with watches.held(paths, watches.Subject(agent.name, checkout, shlex.join(steps[0].words)), wall_clock()):
        world = RealWorld(paths, agent=agent, cwd=cwd, env=env, mode=wanted.own.get("mode"), parent_fd=parent_fd)
        shown = _Shown(world, steps, is_json=wanted.is_json)
        try:
            watch = Watch(world, steps, shown.tell)
            watch.go()
        finally:
            world.close()
    return 0 if watch.last is None or watch.last.code is None else watch.last.code


def parse(argv: list[str]) -> Wanted:
    """The command line taken apart. Raises UsageError."""
    given: dict[str, str] = {}
    at = 0
    while at < len(argv) and argv[at].startswith("-") and argv[at] != "--":
        name, equals, value = argv[at].partition("=")
        if name in ("--json", "--with-caller"):
            given[name] = "yes"
        elif name in ("--test", "--then", "--agent", "--mode", "--cache"):
            if not equals:
                at += 1
                if at >= len(argv):
                    raise UsageError(f"{name} needs a value: see `cargo deck watch --help`")
                value = argv[at]
            given[name] = value
        else:
            raise UsageError(
                f"{argv[at]}: write the subcommand before cargo's flags, as in `cargo deck watch build -p x`"
            )
        at += 1
    words, own = split_own(argv[at:])
    if {"detach", "brief"} & own.keys():
        raise UsageError("--detach and --brief are for a single build")
    if "--test" in given and "--then" in given:
        raise UsageError("--test and --then are one or the other")
    own |= {name[2:]: value for name, value in given.items() if name in ("--agent", "--mode", "--cache")}
    return Wanted(words or ("build",), given.get("--test"), given.get("--then"), "--json" in given,
                  "--with-caller" in given, own)  # fmt: skip


def steps_of(wanted: Wanted, cwd: str, env: dict[str, str]) -> tuple[Step, ...]:
    """What is run after each save, in order. Raises UsageError."""
    build = _step(wanted.words, cwd, env)
    if wanted.then is not None:
        return build, _step(tuple(_split(wanted.then)), cwd, env)
    if wanted.test is not None:
        return build, _test_step(build, wanted.test, cwd, env)
    return (build,)


def _step(words: tuple[str, ...], cwd: str, env: dict[str, str]) -> Step:
    tool, rest = begin.tool_of(words, cwd, env)
    if not rest:
        raise UsageError(f"{shlex.join(words)}: it names no command")
    return Step(tool, rest, shlex.join(("cargo", *rest) if tool == "cargo" else rest))


def _split(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--then {text!r}: {error}") from None
    if not words:
        raise UsageError("--then needs a command: --then 'test -p engine'")
    return words


def _test_step(build: Step, name: str, cwd: str, env: dict[str, str]) -> Step:
    """`cargo test` with the build's own choice of packages, features and profile."""
    if not name:
        raise UsageError("--test needs the name of a test, or a part of it")
    if build.tool != "cargo":
        raise UsageError("--test is for builds of cargo: write --then 'CMD' after another command")
    parsed, _ = begin.parse_cargo(build.words, cwd, env)
    words = ["test"]
    for option in _PASSED_ON:
        for value in parsed.options.get(option, ()):
            words += [f"--{option}" if len(option) > 1 else f"-{option}", value]
    words += [f"--{flag}" for flag in _PASSED_ON_FLAGS if flag in parsed.options]
    words += ["--test", name] if _is_test_target(name, cwd) else [name]
    return Step("cargo", tuple(words), shlex.join(("cargo", *words)))


def _is_test_target(name: str, cwd: str) -> bool:
    """A file or folder of that name stands where cargo looks for integration tests."""
    if "/" in name or "\0" in name:
        return False
    root = identity.workspace_root(cwd, None) or cwd
    return any(os.path.exists(f"{folder}/tests/{name}{end}") for folder in (cwd, root) for end in (".rs", "/main.rs"))


class _Shown:
    """Says what happens, as text or as JSON."""

    def __init__(self, world: RealWorld, steps: tuple[Step, ...], *, is_json: bool) -> None:
        self._world = world
        self._steps = steps
        self._is_json = is_json
        self._is_said = False
        """How many files are watched."""
        self._lines = Lines()

    def tell(self, told: Told) -> None:
        """Say it."""
        run = self._read(told)
        tests = tests_run(run, self._steps[told.step]) if run is not None else None
        if self._is_json:
            record = record_of(told) | ({} if tests is None else {"tests_run": tests})
            common.print_text(json.dumps({"schema": "cargo-deck/watch", "version": common.VERSION, **record}))
            return
        match told.what:
            case "started":
                self._lines.show(self._now_words(told))
            case "watching" if not self._lines.is_open and not self._is_said:
                self._is_said = True
                less = "" if told.is_exact else " (all that is not ignored: nobody says what is read)"
                self._lines.say(f"watching {f.many(told.files, 'file')}{less}")
            case "ended" if told.ended is not None:
                self._ended(told, told.ended, run, has_no_test=tests == 0)
            case "refused" | "notice":
                self._lines.say(f"cargo-deck: {plain(told.text)}")
            case "over" if sys.stdout.isatty():
                with contextlib.suppress(OSError):  # it may be the terminal that is gone
                    common.print_text("")  # behind the ^C that it shows

    def _read(self, told: Told) -> Run | None:
        """What the log of a run that ended by itself says; None: there is none."""
        ended = told.ended
        begun = self._world.begun.get(ended.run) if ended is not None and told.what == "ended" else None
        if begun is None or ended is None or told.is_cancelled or ended.is_stopped:
            return None
        reader = brief.LogReader(begun)
        reader.read()
        return reader.finished()

    def _ended(self, told: Told, ended: Ended, run: Run | None, *, has_no_test: bool) -> None:
        is_going_on = told.step + 1 < len(self._steps) and ended.is_good and not told.is_cancelled
        words = result_words(told, ended, has_no_test=has_no_test)
        self._lines.show("")
        if told.step == 0:
            self._lines.say(f"{f.clock(told.at)}  {edit_words(told)}  {words}", is_open=is_going_on)
        else:
            self._lines.say(f"  {self._command_of(told)}: {words}", is_open=is_going_on, goes_on=True)
        if run is not None:
            begun = self._world.begun[ended.run]
            # Of a program, what it said last is its result.
            is_silent = ended.code == 0 and not (told.step and begun.composed.parser == "generic")
            for line in brief.trouble_lines(run, begun, is_good=is_silent):
                self._lines.quote(line)

    def _now_words(self, told: Told) -> str:
        """What goes on: `20:53:52  building: header kernels/units.cuh`."""
        if told.step:
            return f"{'':10}running: {self._command_of(told)}"
        built = edit_words(told) if told.edit.kind is not None else self._command_of(told)
        return f"{f.clock(told.at)}  building: {built}"

    def _command_of(self, told: Told) -> str:
        return plain(self._steps[told.step].command)


def tests_run(run: Run, step: Step) -> int | None:
    """How many tests a run ran; None: it was not to run any, or came to none of the harnesses that say so."""
    is_test = step.tool == "cargo" and step.words[:1] in (("test",), ("t",), ("nextest",))
    return run.tests_passed + run.tests_failed if is_test and run.suites else None


def result_words(told: Told, ended: Ended, *, has_no_test: bool = False) -> str:
    """`ok 3.1 s · ptxas 1.2 s · cicc 0.9 s · link 0.3 s`."""
    took = f.seconds(ended.wall_s)
    if told.is_cancelled or ended.is_stopped:
        return f"stopped after {took}{', saved again' if told.is_cancelled and told.edit.changed else ''}"
    died = f" (signal {ended.signal})" if ended.signal is not None else ""
    how = "no test ran," if has_no_test else "ok" if ended.code == 0 else f"failed{died}"
    since = f" ({f.seconds(told.since_save_s)} since the save)" if told.since_save_s is not None else ""
    return f"{how} {took}{since}{phase_words(told)}"


def phase_words(told: Told) -> str:
    """` · cicc 0.9 s · link 0.3 s · nvcc 2 calls, 1 from the cache`; empty: nothing is known."""
    if told.measured is None:
        return ""
    measured = told.measured
    words = [found] if (found := phases.phase_words(measured.phases)) else []
    if measured.compiled:
        hits = sum(call.verdict == "hit" for call in measured.compiled)
        words.append(f"nvcc {f.many(len(measured.compiled), 'call')}" + (f", {hits} from the cache" if hits else ""))
    return "".join(f" · {word}" for word in words)


def edit_words(told: Told) -> str:
    """`cu k/gemm.cu`, `several a.rs b.cu +3`, `first`."""
    if told.edit.kind is None:
        return "first"
    names = [plain(os.path.relpath(path)) for path in told.edit.changed[:_MOST_NAMED]]
    more = len(told.edit.changed) - len(names)
    return " ".join([str(told.edit.kind), *names, *([f"+{more}"] if more else [])])


def record_of(told: Told) -> dict[str, Any]:
    """As `--json` gives it; fields as in docs/json.md."""
    ended, kind = told.ended, told.edit.kind
    record: dict[str, Any] = {"event": told.what, "at": told.at}
    match told.what:
        case "watching":
            return record | {"files": told.files, "is_exact": told.is_exact}
        case "notice" | "refused":
            return record | {"text": told.text}
        case "over":
            return record
    record |= {
        "step": told.step, "run": told.run or (ended.run if ended else ""),
        "class": str(kind) if isinstance(kind, EditClass) else None, "changed": list(told.edit.changed),
    }  # fmt: skip
    if ended is not None:
        record |= {
            "code": ended.code, "signal": ended.signal, "wall_s": ended.wall_s, "is_stopped": ended.is_stopped,
            "is_cancelled": told.is_cancelled, "since_save_s": told.since_save_s,
        }  # fmt: skip
    if told.measured is not None:
        calls = told.measured.compiled
        record |= {
            "phases": {what: round(s, 4) for what, s in told.measured.phases.items()},
            "units_built": told.measured.units, "nvcc_calls": None if calls is None else len(calls),
            "nvcc_hits": None if calls is None else sum(call.verdict == "hit" for call in calls),
        }  # fmt: skip
    return record
