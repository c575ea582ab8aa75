"""What live runs are told of their agent's cache server: each compilation once, and to the run that asked for it."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core import events as e
from core.cache.key_book import Entry, KeyBook
from core.cache.server_record import Server
from core.cache.watch import SETTLE_S, CacheWatch
from core.paths import Paths
from core.watched import WatchedRun

NOW = 1_795_000_000.0


class World:
    """A state folder, a clock, servers' logs, and runs that take down what they are told."""

    def __init__(self, folder: Path) -> None:
        self.paths = Paths(str(folder / "state"), str(folder / "cache"))
        self.passed_s = 0.0
        self.logs: dict[str, str] = {}
        self.watch = self.another_engine()

    def another_engine(self) -> CacheWatch:
        """One that knows only what is on the disk."""
        return CacheWatch(self.paths, lambda: NOW + self.passed_s, lambda: self.passed_s)

    def server(self, agent: str, at: float = -200.0) -> None:
        """It is no process: nobody asks it for figures."""
        folder = f"{self.paths.caches}/{agent}"
        os.makedirs(folder, exist_ok=True)
        self.logs[agent] = f"{folder}/log-{NOW + at:.3f}"
        known = Server(
            agent, folder, folder + "/socket", self.logs[agent], 1, 1, "/none", "/", "0.16.0", "redis://x", "", NOW + at
        )  # fmt: skip
        Path(folder, "server.json").write_text(json.dumps(known._asdict()))
        Path(self.logs[agent]).touch()

    def log(self, agent: str, at: float, text: str, target: str = "sccache::compiler::compiler") -> None:
        """A record, `at` seconds after the beginning."""
        stamp = datetime.fromtimestamp(NOW + at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with open(self.logs[agent], "a") as file:
            file.write(f"[{stamp} DEBUG {target}] {text}\n")

    def hit(self, agent: str, at: float, crate: str, *, key: str = "cafe", extra: str = "") -> None:
        """All that a server says of a hit."""
        self.begin(agent, at, crate, extra=extra)
        self.log(agent, at + 0.02, f"[{crate}]: Hash key: {key}")
        self.log(agent, at + 0.03, f"[{crate}]: Cache hit in 0.001 s")
        self.log(agent, at + 0.04, f"[{crate}]: compile result: cache hit", "sccache::server")

    def miss(self, agent: str, at: float, crate: str, *, key: str = "cafe", took_s: float = 0.1,
             event: str = "miss") -> None:  # fmt: skip
        """All that a server says of a miss."""
        self.begin(agent, at, crate)
        self.log(agent, at + 0.02, f"[{crate}]: Hash key: {key}")
        self.log(agent, at + 0.03, f"[{crate}]: Cache {event} in 0.001 s")
        self.log(agent, at + 0.03 + took_s, f"[{crate}]: Compiled in {took_s:.3f} s, storing in cache")
        self.log(agent, at + 0.03 + took_s, f"[{crate}]: compile result: cache miss", "sccache::server")
        self.log(agent, at + 0.04 + took_s, f"[{crate}]: Cache write finished in 0.001 s", "sccache::server")

    def begin(self, agent: str, at: float, crate: str, *, extra: str = "") -> None:
        words = json.dumps(argv(crate, extra)[1:])
        self.log(agent, at, f"[{crate}]: get_cached_or_compile: {words}")
        self.log(agent, at + 0.01, f"[{crate}]: generate_hash_key took 0.010 s")

    def run(self, name: str, agent: str, at: float = 0.0, *, has_notes: bool = True, tool: str = "cargo") -> "FakeRun":
        run = FakeRun(self.paths.run(name), name, agent, NOW + at, tool)
        os.makedirs(run.folder + "/fronts")
        if has_notes:
            Path(run.folder, "fronts", "cache.jsonl").touch()
        return run

    def look(self, *live: "FakeRun", ending: tuple["FakeRun", ...] = (), after_s: float = 0.2) -> None:
        self.passed_s += after_s
        self.watch.look(cast(list[WatchedRun], live), cast(list[WatchedRun], ending))


class FakeRun:
    """As much of a WatchedRun as caches look at."""

    def __init__(self, folder: str, run: str, agent: str, at: float, tool: str = "cargo") -> None:
        self.folder, self.run = folder, run
        started = SimpleNamespace(agent=agent, at=at, target_dir=folder + "/target", tool=tool)
        self.record = SimpleNamespace(cache_server="/some", started=started)
        self.told_lookups: frozenset[tuple[str, float]] = frozenset()
        self.is_given_up = False
        self.events: list[e.Event] = []

    def note(self, events: list[e.Event]) -> None:
        self.events += events

    def call(self, at: float, crate: str, *, extra: str = "") -> None:
        """The front notes what rustc is asked."""
        note = {"call": "1-1", "at": NOW + at, "cwd": "/w", "direct": False, "argv": argv(crate, extra), "env": {}}
        with open(self.folder + "/fronts/cache.jsonl", "a") as file:
            file.write(json.dumps(note) + "\n")

    @property
    def told(self) -> list[tuple[str, str, float]]:
        """Unit, outcome, seconds since the beginning."""
        found = [one for one in self.events if isinstance(one, e.CacheLookedUp)]
        return [(one.unit, one.outcome, round(one.at - NOW, 3)) for one in found]


def argv(crate: str, extra: str = "") -> list[str]:
    flags = ["--crate-name", crate, f"{crate}/src/lib.rs", "--crate-type", "lib", "--emit=metadata,link"]
    return ["/bin/rustc", *flags, "-C", f"extra-filename={extra or '-' + crate}", "--out-dir", "/w/target/debug/deps"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.server("ann")
    return world


def test_a_hit_is_told_to_the_run_that_asked(world: World) -> None:
    run = world.run("1", "ann")
    run.call(0.1, "one")
    world.hit("ann", 0.11, "one")
    world.look(run)
    assert run.told == [("one", "hit", 0.15)]


def test_a_miss_that_was_asked_for_is_told_as_that(world: World) -> None:
    run = world.run("1", "ann")
    for at, event in ((0.1, "miss"), (0.5, "recache")):
        run.call(at, "one")
        world.miss("ann", at + 0.01, "one", event=event)
        world.look(run)
    found = [one for one in run.events if isinstance(one, e.CacheLookedUp)]
    assert [(one.outcome, one.reason) for one in found] == [("missed", "first time"), ("missed", "recache")]


def test_what_cargo_asks_a_wrapper_before_it_compiles_is_no_compilation(world: World) -> None:
    run, other = world.run("1", "ann", has_notes=False), world.run("2", "ann", has_notes=False, tool="exec")
    world.log("ann", 0.1, "check_compiler: Unsupported compiler: /w/wrap.sh: 2: exec: -E: not found", "sccache::server")
    world.look(run)
    assert run.told == []
    world.log("ann", 0.4, "check_compiler: Unsupported compiler: /w/tcc: no such option", "sccache::server")
    world.look(other)
    assert other.told == [("", "not cacheable", 0.4)]


def test_what_a_server_did_for_an_earlier_run_is_no_answer_to_a_later_one(world: World) -> None:
    world.miss("ann", -50.0, "one")
    run = world.run("1", "ann")
    run.call(0.1, "one")
    world.look(run)
    assert run.told == []
    world.hit("ann", 0.11, "one")
    world.look(run)
    assert run.told == [("one", "hit", 0.15)]


def test_the_late_answer_to_a_stopped_run_is_none_to_the_next_one(world: World) -> None:
    stopped, run = world.run("1", "ann"), world.run("2", "ann", 2.0)
    stopped.call(0.1, "one")
    world.begin("ann", 0.11, "one")
    world.look(stopped)
    stopped.is_given_up = True
    world.look(ending=(stopped,))
    assert world.watch.is_settled("1")
    run.call(2.1, "one")
    world.look(run)
    world.log("ann", 2.2, "[one]: Hash key: cafe")
    world.log("ann", 2.2, "[one]: Cache miss in 0.001 s")
    world.log("ann", 2.3, "[one]: Compiled in 0.100 s, storing in cache")
    world.log("ann", 2.3, "[one]: compile result: cache miss", "sccache::server")
    world.log("ann", 2.3, "[one]: Cache write finished in 0.001 s", "sccache::server")
    world.hit("ann", 2.4, "one")
    world.look(run)
    assert run.told == [("one", "hit", 2.44)]


def test_of_two_runs_of_an_agent_the_one_that_asked_last_is_answered(world: World) -> None:
    first, second = world.run("1", "ann"), world.run("2", "ann", 1.0)
    first.call(0.1, "one")  # its client was killed
    second.call(1.1, "one")
    world.hit("ann", 1.11, "one")
    world.look(first, second)
    assert (first.told, second.told) == ([], [("one", "hit", 1.15)])


def test_two_units_of_one_name_may_be_answered_in_the_same_millisecond(world: World) -> None:
    run = world.run("1", "ann")
    for extra in ("-host", "-target"):
        run.call(0.1, "one", extra=extra)
        world.hit("ann", 0.11, "one", extra=extra)
    world.look(run)
    assert run.told == [("one", "hit", 0.15)] * 2


def test_a_second_engine_tells_only_what_the_journal_lacks(world: World) -> None:
    run = world.run("1", "ann")
    run.call(0.1, "one")
    run.call(0.1, "two")
    world.hit("ann", 0.11, "one")
    world.hit("ann", 0.12, "two")
    run.told_lookups = frozenset({("one", NOW + 0.15)})
    world.look(run)
    assert run.told == [("two", "hit", 0.16)]


def test_a_log_that_takes_long_to_read_is_read_before_a_run_is_over(world: World, monkeypatch: Any) -> None:
    for at in range(20):
        world.miss("ann", at - 100.0, "old")
    monkeypatch.setattr("core.cache.followed_log.STEP_BYTES", 512)
    run = world.run("1", "ann")
    run.call(0.1, "one")
    world.hit("ann", 0.11, "one")
    world.look(run)
    world.look(ending=(run,))
    world.look(ending=(run,), after_s=SETTLE_S)
    for _ in range(100):
        world.look(ending=(run,), after_s=0.01)
    assert world.watch.is_settled("1")
    assert run.told == [("one", "hit", 0.15)]


def test_a_log_that_somebody_emptied_is_read_from_its_beginning(world: World) -> None:
    run = world.run("1", "ann")
    run.call(0.1, "one")
    world.hit("ann", 0.11, "one")
    world.look(run)
    os.truncate(world.logs["ann"], 0)
    world.look(run)
    run.call(0.3, "two")
    world.hit("ann", 0.31, "two")
    world.look(run)
    assert [unit for unit, _, _ in run.told] == ["one", "two"]


def test_a_run_whose_server_was_followed_by_another_one_is_told_all(world: World) -> None:
    run, later = world.run("1", "ann"), world.run("2", "ann", 900.0)
    run.call(0.1, "one")
    world.hit("ann", 0.11, "one")
    world.server("ann", 800.0)
    later.call(900.1, "one")
    world.hit("ann", 900.11, "one")
    world.look(later, ending=(run,))
    assert (run.told, later.told) == ([("one", "hit", 0.15)], [("one", "hit", 900.15)])


def test_a_run_without_notes_waits_for_what_is_under_way_at_its_end(world: World) -> None:
    run = world.run("1", "ann", has_notes=False)
    world.begin("ann", 0.11, "one")
    world.look(run)
    world.look(ending=(run,))
    assert not world.watch.is_settled("1")
    world.log("ann", 0.3, "[one]: Hash key: cafe")
    world.log("ann", 0.3, "[one]: Cache hit in 0.001 s")
    world.log("ann", 0.3, "[one]: compile result: cache hit", "sccache::server")
    world.look(ending=(run,))
    assert world.watch.is_settled("1")
    assert run.told == [("one", "hit", 0.3)]


def test_why_a_unit_missed_that_no_front_noted_is_not_known(world: World) -> None:
    run = world.run("1", "ann", has_notes=False)
    world.miss("ann", 0.11, "one")
    world.look(run)
    world.look(ending=(run,))
    world.look(ending=(run,))
    (found,) = run.events
    assert isinstance(found, e.CacheLookedUp)
    assert (found.outcome, found.reason) == ("missed", "not known")


def test_what_is_asked_of_an_unknown_compiler_is_told_to_no_build_of_cargo(world: World) -> None:
    run = world.run("1", "ann")
    world.log("ann", 0.1, "check_compiler: Unsupported compiler: not known", "sccache::server")
    world.look(run)
    world.look(run)
    assert run.told == []


def test_a_call_that_was_never_answered_is_an_error(world: World) -> None:
    run = world.run("1", "ann")
    run.call(0.1, "one")
    world.look(run)
    world.look(ending=(run,))
    assert not world.watch.is_settled("1")
    world.look(ending=(run,), after_s=SETTLE_S + 0.1)
    assert world.watch.is_settled("1")
    assert run.told == [("one", "error", 0.1)]


def test_an_older_entry_does_not_take_the_place_of_a_newer_one(tmp_path: Path) -> None:
    book = KeyBook(str(tmp_path / "cache.sqlite"))
    book.add("key", Entry("bob", 2.0, 10), 200.0)
    book.add("key", Entry("ann", 1.0, 10), 100.0)
    assert book.find("key") == Entry("bob", 2.0, 10)
