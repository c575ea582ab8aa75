"""Made-up builds of four agents and more, step by step: what journals and logs of such builds say, and when.

Used where a real build would be slow or different each time: tests of the board, screenshots, measurements.
"""

import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from core import events as e
from core.host import Host
from core.reduce import reduce_run
from core.state import Board, Run

LINKS_AFTER_S = 56.0
"""A build that goes on for so long links something."""
T0 = 1_767_000_000.0
"""When the scene begins, seconds since the epoch."""
CRATES = (
    "libc", "proc-macro2", "unicode-ident", "quote", "syn", "serde", "serde_derive", "memchr", "aho-corasick",
    "regex-syntax", "regex-automata", "regex", "serde_json", "tokio", "bytes", "tracing", "hyper", "router", "engine",
    "planner", "store", "api", "cli",
)  # fmt: skip
G, R, Y, B, END = "\x1b[1m\x1b[32m", "\x1b[1m\x1b[31m", "\x1b[1m\x1b[33m", "\x1b[1m\x1b[34m", "\x1b[0m"
ERROR = """error[E0308]: mismatched types
  --> crates/router/src/lib.rs:41:18
   |
40 |     fn weight(&self) -> u32 {
   |                         --- expected `u32` because of return type
41 |         self.edges.len()
   |         ^^^^^^^^^^^^^^^^ expected `u32`, found `usize`
   |
help: you can convert a `usize` to a `u32` and panic if the converted value doesn't fit
   |
41 |         self.edges.len().try_into().unwrap()
   |                         ++++++++++++++++++++
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens: bytes in a log, an event in the journal, or both."""

    at: float
    run: str
    event: e.Event | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Cast:
    """One agent's build."""

    agent: str
    command: str
    story: str
    """`test`, `waits`, `fails`, `cmake`, `done`, `build`."""
    begins_s: float = 0.0


FOUR = (
    Cast("claude-1", "test -p engine", "test"),
    Cast("claude-2", "build --release", "waits", 3.0),
    Cast("codex", "clippy --all-targets", "fails", 5.0),
    Cast("gpu-agent", "cmake --build out --parallel 4", "cmake", 1.0),
)


def many(agents: int) -> tuple[Cast, ...]:
    """A cast of any size, all stories in turn."""
    stories = ("build", "test", "waits", "fails", "cmake", "done")
    commands = {"build": "build --workspace", "test": "test -p engine", "waits": "build --release", "done": "check",
                "fails": "clippy --all-targets", "cmake": "cmake --build out"}  # fmt: skip
    return tuple(
        Cast(f"agent-{i + 1}", commands[s], s, i * 0.7) for i, s in ((i, stories[i % 6]) for i in range(agents))
    )


@cache
def steps(cast: tuple[Cast, ...] = FOUR) -> tuple[Step, ...]:
    """All that happens, in time."""
    agents = tuple(one.agent for one in cast)
    found = [step for index, one in enumerate(cast) for step in _story(one, index, agents)]
    return tuple(sorted(found, key=lambda step: step.at))


def run_id(index: int, begins_s: float) -> str:
    """The id of a build of the scene."""
    return f"20251229-09{int(begins_s) // 60:02}{int(begins_s) % 60:02}-{index:03}-{index + 41000:04x}"


@cache
def board_at(seconds: float, cast: tuple[Cast, ...] = FOUR) -> Board:
    """The board as it is so long after the beginning."""
    runs: dict[str, Run] = {}
    for step in steps(cast):
        if step.at > T0 + seconds or step.event is None:
            continue
        run = reduce_run(runs.get(step.run), [step.event])
        if run is not None:
            runs[step.run] = run
    now = T0 + seconds
    return Board(MappingProxyType(runs), now=now, engine_seen_at=now, host=Host(caches=_caches(runs, now)))


def write_until(folder: str, seconds: float, cast: tuple[Cast, ...] = FOUR) -> None:
    """Run folders under `folder` (`run.json`, journals, logs) as they are so long after the beginning."""
    for run, files in _texts_at(seconds, cast).items():
        os.makedirs(f"{folder}/{run}", exist_ok=True)
        for name, text in files.items():
            with open(f"{folder}/{run}/{name}", "w") as file:
                file.write(text)


@cache
def _texts_at(seconds: float, cast: tuple[Cast, ...]) -> dict[str, dict[str, str]]:
    """What is in the files of each run's folder."""
    logs: dict[str, list[str]] = {}
    journals: dict[str, list[str]] = {}
    for step in steps(cast):
        if step.at > T0 + seconds:
            break
        if isinstance(step.event, e.RunStarted):
            journals[step.run] = [json.dumps({"schema": 1, "run": step.run})]
        if step.text:
            logs.setdefault(step.run, []).append(step.text)
        if step.event is not None:
            journals[step.run].append(json.dumps(e.to_record(step.event), separators=(",", ":")))
    return {
        run: {
            "events.jsonl": "\n".join(lines) + "\n",
            "out.log": "".join(logs.get(run, [])),
            "run.json": json.dumps(_run_json(json.loads(lines[1]))),
        }
        for run, lines in journals.items()
    }


def _run_json(started: dict[str, object]) -> dict[str, object]:
    kept = ("run", "agent", "tool", "subcommand", "command", "cwd", "checkout", "target_dir")
    return {
        "schema": 1, "version": "0.1.0", **{k: started[k] for k in kept}, "agent_source": "flag", "typed": [],
        "target_source": "default", "plan": [], "json": "none", "progress": False, "parser": "cargo", "streams": 1,
        "owner": False, "terminal": False, "started": started["at"], "env": {"HOME": "/home/ada", "API_TOKEN": None},
        "launch": {"argv": ["cargo"], "env": {"DECK_RUN": started["run"]}, "unset": [], "path_front": [], "wrappers": []},
    }  # fmt: skip


def _story(one: Cast, index: int, agents: tuple[str, ...]) -> Iterator[Step]:
    run, at = run_id(index, one.begins_s), T0 + one.begins_s
    cwd = f"/home/ada/src/{one.agent}"
    tool, _, subcommand = ("exec", "", "cmake") if one.story == "cmake" else ("cargo", "", one.command.split()[0])
    yield Step(at, run, e.RunStarted(
        at, run, one.agent, one.command, tool, subcommand, cwd, cwd, None if tool == "exec" else cwd + "/target",
        False, False, False))  # fmt: skip
    body = {"cmake": _cmake, "waits": _waits, "test": _test, "fails": _fails, "done": _done, "build": _build}
    size = 0
    lines = 0
    chance = random.Random(f"cache {index}")
    for step in body[one.story](run, at, random.Random(index)):
        yield step
        yield from _looked_up(step, one, agents, chance)
        if step.text:
            size += len(step.text.encode())
            lines += step.text.count("\n")
            yield Step(step.at, run, e.OutputGrew(step.at, "out", lines, size))


def _compile(run: str, at: float, dice: random.Random, total: int, until: int, pace_s: float) -> Iterator[Step]:
    """Units of a cargo build up to `until`, four at a time."""
    yield Step(at, run, e.TypicalRecalled(at, total * pace_s, (), 5))
    began = sampled = at
    link: e.LinkStarted | None = None
    flying: list[str] = []
    fresh = total // 3
    for done in range(until):
        name = CRATES[done % len(CRATES)] + ("" if done < len(CRATES) else f"_{done // len(CRATES)}")
        version = f"{dice.randint(0, 3)}.{dice.randint(0, 20)}.{dice.randint(0, 9)}"
        is_fresh = done < fresh
        if not is_fresh:
            at += pace_s * (0.4 + 1.2 * dice.random())
            flying.append(name)
            yield Step(at, run, text=f"{G}   Compiling{END} {name} v{version}\n")
        if len(flying) > 4:
            gone = flying.pop(dice.randrange(1, 4))
            yield Step(at, run, e.UnitFinished(at, gone, gone, version, "lib", False, pace_s * 4))
        elif is_fresh:
            yield Step(at, run, e.UnitFinished(at, name, name, version, "lib", True, None))
        yield Step(at, run, e.ProgressMoved(at, done, total, tuple(flying), "units"))
        if link is None and flying and at - began >= LINKS_AFTER_S:
            link = e.LinkStarted(at, "7-1", flying[0], f"/t/{flying[0]}", "rust-lld", 210, 512_000_000)
            yield Step(at, run, link)
        if at - sampled >= 2:
            sampled = at
            yield Step(at, run, _sample(at, began, flying, link))


def _sample(at: float, began: float, flying: list[str], link: e.LinkStarted | None) -> e.RunSampled:
    """What four compilers and perhaps a link use: a wave, so that there is something to see."""
    wave = abs((at - began) % 30 - 15) / 15
    each = int(120e6 + 380e6 * wave)
    largest = tuple(("rustc", name, 4000 + i, each) for i, name in enumerate(flying))
    taken = ((link.link, 1_300_000_000),) if link is not None else ()
    total = each * len(flying) + sum(size for _, size in taken)
    return e.RunSampled(at, len(flying) + 2, round(0.9 + wave, 1), total, largest, taken)


def _last(made: list[Step]) -> float:
    return made[-1].at


def _build(run: str, at: float, dice: random.Random) -> Iterator[Step]:
    yield from _compile(run, at + 0.3, dice, 240, 239, 0.6)


def _test(run: str, at: float, dice: random.Random) -> Iterator[Step]:
    made = list(_compile(run, at + 0.3, dice, 301, 300, 0.35))
    warning = e.DiagnosticEmitted(
        at + 40, "warning", "unused variable: `k`", "unused_variables", "crates/engine/src/plan.rs", 88, 9,
        "warning: unused variable: `k`\n  --> crates/engine/src/plan.rs:88:9\n", "engine")  # fmt: skip
    made.append(Step(at + 40, run, warning,
                     f"{Y}warning{END}: unused variable: `k`\n {B}-->{END} crates/engine/src/plan.rs:88:9\n"))  # fmt: skip
    yield from sorted(made, key=lambda step: step.at)
    at = max(step.at for step in made) + 2
    yield Step(
        at, run, e.BuildFinished(at, True), f"{G}    Finished{END} `test` profile [unoptimized + debuginfo] target(s)\n"
    )
    yield Step(at, run, e.TestSuiteStarted(at, "unittests src/lib.rs", 400), "running 400 tests\n")
    for index in range(400):
        at += 0.1
        yield Step(at, run, e.TestsCounted(at, index + 1, 0, 0), f"test plan::case_{index} ... {G[4:]}ok{END}\n")


def _waits(run: str, at: float, dice: random.Random) -> Iterator[Step]:
    made = list(_compile(run, at + 0.3, dice, 301, 118, 0.2))
    yield from made
    at = _last(made) + 0.5
    yield Step(at, run, e.LockWaitBegan(at, "build directory"),
               f"{B}    Blocking{END} waiting for file lock on build directory\n")  # fmt: skip
    for late_s in range(1, 120, 5):
        yield Step(at + late_s, run, e.RunSampled(at + late_s, 1, 0.0, 38_000_000))


def _fails(run: str, at: float, dice: random.Random) -> Iterator[Step]:
    made = list(_compile(run, at + 0.3, dice, 169, 120, 0.2))
    yield from made
    at = _last(made) + 1
    for level in ("warning",) * 7:
        yield Step(at, run, e.DiagnosticEmitted(at, "warning", "unused import", None, None, None, None, "", level))
    for message in ("mismatched types", "cannot find value `edgs` in this scope"):
        yield Step(at, run, e.DiagnosticEmitted(
            at, "error", message, "E0308", "crates/router/src/lib.rs", 41, 18, ERROR, "router"), ERROR)  # fmt: skip
    yield Step(
        at,
        run,
        e.BuildFinished(at, False),
        f"{R}error{END}: could not compile `router` (lib) due to 2 previous errors\n",
    )
    yield Step(at + 0.1, run, e.RunEnded(at + 0.1, 101, None, 21.0, 60.0, 4.0, 900_000_000, None))


def _done(run: str, at: float, dice: random.Random) -> Iterator[Step]:
    made = list(_compile(run, at + 0.3, dice, 60, 59, 0.2))
    yield from made
    at = _last(made) + 1
    yield Step(
        at, run, e.BuildFinished(at, True), f"{G}    Finished{END} `dev` profile [unoptimized + debuginfo] target(s)\n"
    )
    yield Step(at + 0.1, run, e.RunEnded(at + 0.1, 0, None, 9.0, 30.0, 2.0, 400_000_000, None))


def _cmake(run: str, at: float, dice: random.Random) -> Iterator[Step]:
    for index in range(1, 40):
        at += 2.5 + 2 * dice.random()
        yield Step(at, run, e.RunSampled(at, 9, 1.9, 600_000_000 + 350_000_000 * (index % 5)))
        name = ("gemm", "softmax", "rope", "attention", "layernorm")[index % 5]
        yield Step(at, run, e.ProgressMoved(at, index, 40, (), "steps"),
                   f"[{index}/40] Building CUDA object kernels/CMakeFiles/kernels.dir/{name}_{index}.cu.o\n"
                   f"ptxas info    : Used {32 + 8 * dice.randint(0, 20)} registers, 0 bytes spill stores\n")  # fmt: skip


_HIT_SHARES = {"test": 0.86, "waits": 0.98, "fails": 0.73, "build": 0.6, "done": 0.9, "cmake": 0.5}
_MISSES = (
    ("first time", ""), ("source", "src/lib.rs"), ("environment", "CARGO_PKG_VERSION: 1.2.0, was 1.1.0"),
    ("dependency", "serde"), ("flags", "-C debuginfo=2, was 1"),
)  # fmt: skip


def _looked_up(step: Step, one: Cast, agents: tuple[str, ...], chance: random.Random) -> Iterator[Step]:
    """What a cache said of what a step compiled."""
    event = step.event
    if isinstance(event, e.UnitFinished) and not event.is_fresh:
        is_kept = not event.name.startswith(("serde_derive", "cli"))
        reason = ("crate-type", "proc-macro" if event.name.startswith("serde_derive") else "bin")
        yield Step(
            step.at, step.run, _look_up(step.at, event.name, "Rust", one, agents, chance, None if is_kept else reason)
        )
    elif one.story == "cmake" and isinstance(event, e.ProgressMoved):
        name = step.text.rpartition("/")[2].partition(".cu.o")[0]
        for unit, language in ((f"{name}.compute_90.ptx", "PTX"), (f"{name}.compute_90.sm_90.cubin", "CUBIN")):
            yield Step(step.at, step.run, _look_up(step.at, unit, language, one, agents, chance, None))
        if event.done % 8 == 0:
            yield Step(
                step.at, step.run, _look_up(step.at, f"bind_{event.done}.cpp.o", "C/C++", one, agents, chance, None)
            )


def _look_up(
    at: float, unit: str, language: str, one: Cast, agents: tuple[str, ...], chance: random.Random,
    not_kept: tuple[str, str] | None,
) -> e.CacheLookedUp:  # fmt: skip
    key = f"{chance.getrandbits(256):064x}"
    compile_s = round(0.3 + 3 * chance.random() ** 2, 3)
    size = chance.randrange(40_000, 900_000)
    is_hit = chance.random() < _HIT_SHARES[one.story]
    source = one.agent if chance.random() < 0.2 or language != "Rust" else chance.choice(agents[: len(agents) // 2 + 1])
    reason, detail = chance.choice(_MISSES)
    if not_kept is not None:
        return e.CacheLookedUp(
            at, "sccache", unit, language, "not cacheable", "", "", *not_kept, compile_s, None, None
        )  # fmt: skip
    if is_hit:
        saved_s = None if chance.random() < 0.05 else compile_s
        return e.CacheLookedUp(at, "sccache", unit, language, "hit", key, source, "", "", 0.06, saved_s, size)
    return e.CacheLookedUp(at, "sccache", unit, language, "missed", key, "", reason, detail, compile_s, None, size)


def _caches(runs: dict[str, Run], now: float) -> e.CachesSeen:
    """A server an agent; that of the one that runs cmake has lost its way to the store."""
    alarm = "its server stores nothing any more (the store refused 3 entries); what it compiles helps nobody"
    servers = []
    trades: dict[tuple[str, str], int] = {}
    for index, run in enumerate(runs.values()):
        counts = run.cache.total
        is_broken = run.subcommand == "cmake"
        servers.append((run.agent, "sccache", 5100 + index, counts.hits, counts.missed, counts.not_cacheable,
                        counts.errors, 0, 0, 3 if is_broken else 0, "our store", alarm if is_broken else ""))  # fmt: skip
        for source, hits in run.cache.sources.items():
            trades[source, run.agent] = trades.get((source, run.agent), 0) + hits
    rows = tuple((source, taker, hits, hits * 420_000) for (source, taker), hits in trades.items())
    return e.CachesSeen(now, tuple(servers), "running", 4210, 1_940_000_000, 50_000_000_000, now - 3.5 * 86400, 0, rows)
