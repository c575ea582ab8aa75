"""Sampled links in the engine: taken over from one that was killed, and ended where nobody saw their end."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import events as e
from core.watch.link_book import LOST_AFTER_S
from core.watched import NOTES_WAIT_S
from tests.core.engine_world import World, settle
from tests.core.test_links import begun, ended

RUN = "20260101-000000-000-0001"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def supervise(world: World, pid: int) -> None:
    """The run's supervisor says who it is."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        start = int(file.read().rpartition(b")")[2].split()[19])
    line = json.dumps({"supervisor": pid, "supervisor_start": start, "child": pid, "child_start": start})
    os.pwrite(world.locks[RUN], line.encode() + b"\n", 0)


def test_a_sampled_link_that_ended_while_there_was_no_engine_ends_without_a_figure(world: World) -> None:
    world.start(RUN)
    supervise(world, os.getpid())
    engine = world.engine()
    settle(engine)
    begun = e.LinkStarted(world.clock.wall_s, "999999999-s5", "app(bin)", "/w/app", "mold", 3, 900, is_sampled=True)
    engine._open[RUN].run.note([begun])
    assert [link.link for link in world.board_run(RUN).links] == [begun.link]
    settle(world.engine())
    run = world.board_run(RUN)
    assert run.links == ()
    assert [(link.link, link.peak_bytes, link.is_sampled) for link in run.link_ends] == [(begun.link, 0, True)]


def test_a_run_whose_links_a_front_tells_needs_no_looks_between_ticks(world: World) -> None:
    world.start(RUN)
    supervise(world, os.getpid())
    engine = world.engine()
    settle(engine)
    assert engine._observer.looks_for_links
    world.run_folder(RUN).joinpath("fronts").mkdir()
    fresh = world.engine()
    settle(fresh)
    fresh._observer._links._sampled._own_linker[RUN] = False
    settle(fresh)
    assert not fresh._observer.looks_for_links


def test_a_run_that_waits_for_a_lock_needs_no_looks_until_it_has_it(world: World) -> None:
    world.start(RUN)
    supervise(world, os.getpid())
    engine = world.engine()
    settle(engine)
    needed = []
    for line in (b"", b"    Blocking waiting for file lock on build directory\n", b"   Compiling app v0.1.0 (/w)\n"):
        world.write(RUN, line)
        settle(engine)
        needed.append(engine._observer.looks_for_links)
    assert needed == [True, False, True]
    blocked = e.LockBlocked(1.0, "build dir", "/t/.cargo-lock", 1.0, 7, "", "", "cargo", "/w", 1.0)
    for event, is_needed in ((blocked, False), (e.LockPassed(2.0, "build dir", "/t/.cargo-lock", 1.0, "", ""), True)):
        engine._open[RUN].run.note([event])
        settle(engine)
        assert engine._observer.looks_for_links is is_needed


def note_link(world: World, pid: int) -> None:
    """A front of that pid says that it links."""
    folder = world.run_folder(RUN) / "fronts"
    folder.mkdir()
    (folder / "links.jsonl").write_text(json.dumps(begun(f"{pid}-1", pid=pid, at=world.clock.wall_s)) + "\n")


@pytest.mark.parametrize("is_new_engine", [False, True])
@pytest.mark.parametrize("has_exit", [False, True])
def test_a_link_that_nobody_ended_ends_with_its_run(world: World, *, is_new_engine: bool, has_exit: bool) -> None:
    world.start(RUN)
    note_link(world, os.getpid())
    engine = world.engine()
    settle(engine)
    sample = e.RunSampled(world.clock.wall_s, 3, None, 5_000, links=((f"{os.getpid()}-1", 5_000),))
    engine._open[RUN].run.note([sample])
    world.clock.advance(3.0)
    if has_exit:
        world.end(RUN, code=101)
    else:
        world.die(RUN)
    last_engine = world.engine() if is_new_engine else engine
    settle(last_engine)
    world.clock.advance(NOTES_WAIT_S)
    settle(last_engine)
    *_, link, last = world.events(RUN)
    assert isinstance(last, e.RunEnded | e.RunLost)
    assert isinstance(link, e.LinkEnded)
    assert (link.elapsed_s, link.peak_bytes, link.code, link.signal, link.is_sampled) == (3.0, 5_000, None, None, True)
    assert [one.link for one in world.board_run(RUN).link_ends] == [link.link]


def test_the_note_of_a_link_may_come_after_the_end_of_its_run(world: World) -> None:
    world.start(RUN)
    note_link(world, os.getpid())
    engine = world.engine()
    settle(engine)
    world.end(RUN)
    settle(engine)
    assert world.is_open(RUN)
    with (world.run_folder(RUN) / "fronts" / "links.jsonl").open("a") as notes:
        notes.write(json.dumps(ended(f"{os.getpid()}-1")) + "\n")
    settle(engine)
    assert not world.is_open(RUN)
    assert [(link.code, link.peak_bytes, link.is_sampled) for link in world.board_run(RUN).link_ends] == [
        (0, 9000, False)
    ]


def test_a_link_whose_front_was_killed_ends_while_its_run_goes_on(world: World) -> None:
    world.start(RUN)
    supervise(world, os.getpid())
    note_link(world, 999_999_999)
    engine = world.engine()
    settle(engine)
    assert len(world.board_run(RUN).links) == 1
    for _ in range(2):
        world.clock.advance(LOST_AFTER_S)
        settle(engine)
    run = world.board_run(RUN)
    assert run.links == ()
    assert [(link.code, link.signal, link.peak_bytes, link.is_sampled) for link in run.link_ends] == [
        (None, None, 0, True)
    ]
