"""Figures of a run from the counters of a server that counts for everybody: only where they are proven its own."""

import json
import time
from pathlib import Path

import pytest

from core import events as e
from core.cache.readers import CacheReader, CacheReaders
from core.cache.subject import Subject
from core.cache.user_sccache import ASK_LIMIT_S, SETTLE_LIMIT_S

STARTED = 1795635976.0
ENDED = STARTED + 10


class World:
    """A user's sccache: a program that gives the counters which a file has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        self.program = folder / "bin/sccache"
        self.write_program(f"cat {folder}/stats")
        self.readers = CacheReaders()
        self.now = STARTED

    def write_program(self, line: str) -> None:
        self.program.write_text(f"#!/bin/sh\n{line}\n")
        self.program.chmod(0o755)

    def counts(self, *, hits: int = 0, misses: int = 0, bins: int = 0, failed: int = 0, errors: int = 0) -> None:
        stats = {
            "cache_hits": {"counts": {"Rust": hits}},
            "cache_misses": {"counts": {"Rust": misses}},
            "cache_errors": {"counts": {"Rust": errors}},
            "not_cached": {"crate-type": bins, "missing input": 3, "-": 1},
            "compile_fails": failed,
        }
        (self.folder / "stats").write_text(json.dumps({"stats": stats}))

    def reader(self, run: str, *, front: bool = True, started: float = STARTED) -> CacheReader:
        folder = self.folder / run
        folder.mkdir()
        if front:
            (folder / "fronts").mkdir()
        wrapper = "sccache" if front else str(self.program)
        env = {"PATH": f"{self.folder}/bin:/usr/bin:/bin", "HOME": str(self.folder)}
        subject = Subject(wrapper, env, run, str(folder), "one", "/w/target", "/w", ("build",), started)
        found = self.readers.make_reader(subject)
        assert found is not None
        return found

    def asked(self, run: str, calls: int, *, probe: bool = False) -> None:
        note = {"probe": probe, "call": "1", "at": 1.0, "cwd": "/w", "direct": False, "env": {}}
        argv = ["rustc", "--crate-name", "a", "--out-dir", "/w/target/debug/deps"]
        with open(self.folder / run / "fronts/cache.jsonl", "a") as file:
            file.write((json.dumps({**note, "argv": argv}) + "\n") * calls)

    def poll(self, reader: CacheReader, until: float) -> list[e.CacheLookedUp]:
        """Polls at 5 Hz to that moment; the clock stands still while an answer is under way."""
        told: list[e.CacheLookedUp] = []
        while self.now < until:
            told += reader.poll(self.now)
            deadline = time.monotonic() + 10
            while getattr(reader, "_question", None) is not None and time.monotonic() < deadline:
                told += reader.poll(self.now)
                time.sleep(0.002)
            self.now += 0.2
        return told

    def end(self, reader: CacheReader, *, is_whole: bool = True) -> list[tuple[str, str]]:
        """What is told of the run in the end."""
        self.now = max(self.now, ENDED)
        reader.end(self.now, is_whole=is_whole)
        told = self.poll(reader, self.now + SETTLE_LIMIT_S + 1)
        assert reader.is_settled(self.now)
        return [(event.outcome, event.reason) for event in told]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_the_server_counted_is_the_runs_where_it_asked_for_exactly_that(world: World) -> None:
    world.counts(hits=100, misses=50, bins=3)
    one = world.reader("one")
    world.poll(one, STARTED + 1)
    world.asked("one", 4)
    world.counts(hits=102, misses=51, bins=4)
    assert world.end(one) == [("hit", ""), ("hit", ""), ("missed", "not known"), ("not cacheable", "crate-type")]
    assert one.note == ""


def test_there_are_no_figures_where_the_server_counted_more(world: World) -> None:
    world.counts()
    one = world.reader("one")
    world.poll(one, STARTED + 1)
    world.asked("one", 2)
    world.counts(hits=3)
    assert world.end(one) == []
    assert one.note.startswith("the server counted 3 compilations, and the run asked for 2")


def test_calls_from_before_the_server_was_asked_count_where_it_began_empty(world: World) -> None:
    one = world.reader("one")
    world.asked("one", 2)
    world.counts(misses=1)
    world.poll(one, STARTED + 1)
    world.counts(misses=2)
    assert world.end(one) == [("missed", "not known")] * 2


def test_what_the_server_said_after_the_run_before_is_where_this_one_begins(world: World) -> None:
    world.counts(hits=7)
    one = world.reader("one")
    world.poll(one, STARTED + 1)
    world.asked("one", 1)
    world.counts(hits=8)
    assert world.end(one) == [("hit", "")]
    one.close()
    two = world.reader("two", started=world.now + 5)
    world.now += 6
    world.asked("two", 1)
    world.counts(hits=9)
    world.poll(two, world.now + 1)
    world.asked("two", 1)
    world.counts(hits=10)
    assert world.end(two) == [("hit", "")] * 2


def test_a_server_that_began_anew_meanwhile_gives_no_figures_but_what_it_counted_since(world: World) -> None:
    world.counts(hits=50)
    one = world.reader("one")
    world.poll(one, STARTED + 1)
    world.asked("one", 3)
    world.counts(hits=2)
    assert world.end(one) == []
    assert one.note


def test_without_a_front_a_run_has_figures_where_the_server_began_with_it_and_nobody_else_built(world: World) -> None:
    world.counts()
    one = world.reader("one", front=False)
    world.poll(one, STARTED + 1)
    world.counts(hits=2)
    assert world.end(one) == [("hit", "")] * 2


def test_without_a_front_another_run_or_a_build_of_others_leaves_none(world: World) -> None:
    world.counts()
    one = world.reader("one", front=False)
    two = world.reader("two", front=False)
    world.poll(one, STARTED + 1)
    world.counts(hits=2)
    assert world.end(one) == []
    assert one.note == "others built with the same sccache server, or may have"
    two.close()
    one.close()
    three = world.reader("three", front=False, started=world.now + 5)
    world.counts()
    world.readers.saw_foreign_build(world.now + 6)
    world.poll(three, world.now + 7)
    world.counts(hits=1)
    assert world.end(three) == []
    assert three.note == one.note


@pytest.mark.parametrize("front", [True, False])
@pytest.mark.parametrize(("code", "language"), [(0, "Probe"), (101, "Rust")])
def test_of_a_build_that_went_well_what_failed_to_compile_was_no_unit(
    world: World, front: bool, code: int, language: str
) -> None:
    world.counts()
    one = world.reader("one", front=front)
    world.poll(one, STARTED + 1)
    if front:
        world.asked("one", 2)
    (world.folder / "one/exit.json").write_text(json.dumps({"code": code}))
    world.counts(misses=1, failed=1)
    one.end(ENDED, is_whole=True)
    told = world.poll(one, ENDED + SETTLE_LIMIT_S)
    assert sorted((event.outcome, event.language) for event in told) == [("error", language), ("missed", "Rust")]


@pytest.mark.parametrize(("front", "language"), [(True, "Probe"), (False, "Rust")])
def test_what_could_not_be_listed_was_a_probe_where_one_was_noted(world: World, front: bool, language: str) -> None:
    world.counts()
    one = world.reader("one", front=front)
    world.poll(one, STARTED + 1)
    if front:
        world.asked("one", 1)
        world.asked("one", 1, probe=True)
    (world.folder / "one/exit.json").write_text('{"code": 0}')
    world.counts(hits=1, errors=1)
    one.end(ENDED, is_whole=True)
    told = world.poll(one, ENDED + SETTLE_LIMIT_S)
    assert sorted((event.outcome, event.language) for event in told) == [("error", language), ("hit", "Rust")]


def test_a_run_that_was_stopped_has_none(world: World) -> None:
    world.counts()
    one = world.reader("one")
    world.poll(one, STARTED + 1)
    world.asked("one", 1)
    world.counts(hits=1)
    assert world.end(one, is_whole=False) == []
    assert one.note == "the run was stopped, and the server does not say which calls were its"


@pytest.mark.parametrize("line", ["exit 3", "echo nonsense", "echo '{\"stats\": {}}'"])
def test_a_program_that_gives_no_counters_is_asked_no_more(world: World, line: str) -> None:
    world.write_program(line)
    one = world.reader("one")
    assert world.end(one) == []
    assert one.note == "sccache gave no counters"


def test_an_answer_that_does_not_come_is_not_waited_for(world: World) -> None:
    world.write_program("exec sleep 60")
    one = world.reader("one")
    one.poll(STARTED)
    one.poll(STARTED + 1)
    assert one.note == ""
    one.poll(STARTED + ASK_LIMIT_S + 1)
    assert one.note == "sccache did not answer"
    assert one.is_settled(STARTED + ASK_LIMIT_S + 1)
    one.close()
