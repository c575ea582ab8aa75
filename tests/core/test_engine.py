"""The engine over runs on disk: what it journals, and that no run's trouble is another's."""

import contextlib
import json
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import events as e
from core import facts, retention
from core.adopt import Makers
from core.digest import Parser, SilentParser
from core.engine_loop import EMPTY_TICK_S
from core.engine_main import default_makers
from core.state import RunState
from tests.core.engine_world import START, World, settle

DATA = Path(__file__).parent.parent / "data"
CALL = [
    "/bin/rustc",
    "--crate-name",
    "one",
    "one/src/lib.rs",
    "--crate-type",
    "lib",
    "--out-dir",
    "/w/target/debug/deps",
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def test_a_run_is_journaled_from_start_to_end(world: World) -> None:
    run = world.start("r1", tool="exec", subcommand="ninja", parser="generic", json="none")
    engine = world.engine()
    settle(engine)
    world.clock.advance(1)
    world.write(run, b"[1/2] a.o\n")
    settle(engine)
    world.clock.advance(1)
    world.write(run, b"[2/2] b.o\n")
    world.end(run)
    settle(engine)
    assert world.events(run) == [
        e.RunStarted(START, run, "a", "build", "exec", "ninja", "/w", "/w", "/w/target", False, False, False),
        e.OutputGrew(START + 1, "out", 1, 10),
        e.ProgressMoved(START + 1, 1, 2, (), "steps"),
        e.OutputGrew(START + 2, "out", 2, 20),
        e.ProgressMoved(START + 2, 2, 2, (), "steps"),
        e.RunEnded(START + 2, 0, None, 2.0, 1.5, 0.5, 4096, None),
    ]
    assert not world.is_open(run)
    assert engine.open_runs == ()


def test_a_supervisor_without_an_exit_makes_a_lost_run(world: World) -> None:
    run = world.start("r1")
    engine = world.engine()
    settle(engine)
    world.write(run, b"half a line")
    world.die(run)
    settle(engine)
    board_run = world.board_run(run)
    assert (board_run.state, board_run.out_lines, board_run.survivors) == (RunState.LOST, 1, ())
    assert not world.is_open(run)


def test_processes_that_outlive_a_lost_run_are_named(world: World) -> None:
    run = world.start("r1")
    with subprocess.Popen(
        ["/bin/sh", "-c", "echo ready; read line"],
        env={"DECK_RUN": run, "OTHER": "1"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        world.die(run)
        settle(world.engine())
        assert world.board_run(run).survivors == (process.pid,)


def test_a_program_that_took_the_terminal_is_told_before_the_end(world: World) -> None:
    run = world.start("r1")
    world.end(run, handed_to="target/debug/app")
    settle(world.engine())
    assert world.events(run)[-2:] == [
        e.HandedOver(START, "target/debug/app"),
        e.RunEnded(START, 0, None, 2.0, 1.5, 0.5, 4096, None),
    ]


def test_what_is_read_after_the_end_is_not_later_than_the_end(world: World) -> None:
    run = world.start("r1")
    world.write(run, b"last words\n")
    world.end(run)
    world.clock.advance(7200)
    settle(world.engine())
    assert [event.at for event in world.events(run)] == [START, START, START]


def test_a_request_to_stop_is_journaled_once_by_two_engines(world: World) -> None:
    run = world.start("r1")
    asked = world.run_folder(run) / "asked.json"
    asked.write_text(json.dumps({"at": START, "by": "request", "is_kill": False}) + "\n")
    settle(world.engine())
    with asked.open("a") as file:
        file.write(json.dumps({"at": START + 1, "by": "request", "is_kill": True}) + "\n")
    settle(world.engine())
    asks = [event for event in world.events(run) if isinstance(event, e.StopAsked)]
    assert asks == [e.StopAsked(START, "request", False), e.StopAsked(START + 1, "request", True)]


def test_a_flood_does_not_keep_another_run_waiting(world: World) -> None:
    flood = world.start("r1", parser="generic", json="none")
    quiet = world.start("r2", parser="generic", json="none")
    world.write(flood, b"noise\n" * 4_000_000)
    world.write(quiet, b"one line\n")
    world.clock.step_s = 0.02
    engine = world.engine()
    assert engine.tick() == 0.0
    assert world.board_run(quiet).out_lines == 1
    assert 0 < world.board_run(flood).out_lines < 4_000_000
    settle(engine)
    assert world.board_run(flood).out_lines == 4_000_000


class _BrokenParser:
    def feed(self, stream: e.Stream, chunk: bytes, at: float, *, is_backlog: bool = False) -> list[e.Event]:
        raise ZeroDivisionError("a bug of ours")

    def close(self, at: float) -> list[e.Event]:
        raise ZeroDivisionError("a bug of ours")


def test_a_parser_that_fails_takes_nothing_else_down(world: World) -> None:
    makers = default_makers()

    def parser(record: facts.Record) -> Parser:
        return _BrokenParser() if record.started.run == "r1" else makers.parser(record)

    broken, sound = world.start("r1"), world.start("r2")
    engine = world.engine(Makers(parser, makers.index, makers.code))
    for _ in range(5):
        world.write(broken, b"line\n")
        world.write(sound, b"line\n")
        settle(engine)
    world.end(broken, code=101)
    world.end(sound)
    settle(engine)
    settle(engine)
    assert world.board_run(sound).out_lines == 5
    assert world.board_run(broken).state is RunState.FAILED
    assert world.board_run(broken).out_lines == 5
    assert "run r1: ZeroDivisionError('a bug of ours')" in world.engine_log()
    assert "Traceback" in world.engine_log()


def test_a_parser_that_fails_at_the_end_does_not_hold_the_end_back(world: World) -> None:
    class FailsAtEnd(SilentParser):
        def close(self, at: float) -> list[e.Event]:
            raise ZeroDivisionError

    makers = default_makers()
    run = world.start("r1")
    world.end(run)
    engine = world.engine(Makers(lambda _: FailsAtEnd(), makers.index, makers.code))
    settle(engine)
    settle(engine)
    assert world.board_run(run).state is RunState.DONE


@contextlib.contextmanager
def files_end_at(size_bytes: int) -> Iterator[None]:
    """No file of ours grows beyond that, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_delays_the_journal_and_loses_nothing(world: World) -> None:
    run = world.start("r1", parser="generic", json="none")
    engine = world.engine()
    settle(engine)
    size = os.path.getsize(world.run_folder(run) / "events.jsonl")
    world.write(run, b"[1/3] a\n")
    with files_end_at(size + 10):
        engine.tick()
        engine.tick()
    assert os.path.getsize(world.run_folder(run) / "events.jsonl") == size + 10
    world.write(run, b"[2/3] b\n")
    world.end(run)
    settle(engine)
    assert [x.done for x in world.events(run) if isinstance(x, e.ProgressMoved)] == [1, 2]
    assert world.board_run(run).state is RunState.DONE


def test_caches_that_cannot_be_looked_at_hold_no_end_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = world.start("r1", cache_server="/some")
    engine = world.engine()
    settle(engine)

    def fail(*_: object) -> None:
        raise ValueError("no look")

    monkeypatch.setattr("core.cache.watch.CacheWatch.is_settled", lambda *_: False)
    monkeypatch.setattr("core.cache.watch.CacheWatch.look", fail)
    world.end(run)
    settle(engine)
    assert world.board_run(run).state is RunState.DONE
    assert "no look" in world.engine_log()


def test_what_a_killed_run_asked_of_its_cache_is_no_error(world: World) -> None:
    run = world.start("r1", cache_server="/some")
    note_call(world, run)
    engine = world.engine()
    settle(engine)
    world.end(run, signal=2, stopped_by="interrupt")
    settle(engine)
    assert world.board_run(run).state is RunState.STOPPED
    assert not [x for x in world.events(run) if isinstance(x, e.CacheLookedUp)]


def test_a_full_disk_tells_no_look_up_twice(world: World) -> None:
    run = world.start("r1", cache_server="/some")
    note_call(world, run)
    log = Path(world.paths.caches, "a", f"log-{START - 100:.3f}")
    log.parent.mkdir(parents=True)
    stamp, words = "[2027-01-15T08:00:01.000Z DEBUG ", json.dumps(CALL[1:])
    log.write_text(
        f"{stamp}sccache::compiler::compiler] [one]: get_cached_or_compile: {words}\n"
        f"{stamp}sccache::compiler::compiler] [one]: generate_hash_key took 0.000 s\n"
        f"{stamp}sccache::compiler::compiler] [one]: Hash key: cafe\n"
        f"{stamp}sccache::compiler::compiler] [one]: Cache hit in 0.000 s\n"
        f"{stamp}sccache::server] [one]: compile result: cache hit\n"
    )
    engine = world.engine()
    settle(engine)
    told = [x.outcome for x in world.events(run) if isinstance(x, e.CacheLookedUp)]
    size = os.path.getsize(world.run_folder(run) / "events.jsonl")
    world.write(run, b"   Compiling one v1.0.0\n")
    with files_end_at(size + 10):
        engine.tick()
        engine.tick()
    settle(engine)
    world.end(run)
    for _ in range(4):
        world.clock.advance(1.0)
        settle(engine)
    assert world.board_run(run).state is RunState.DONE
    assert (told, [x.outcome for x in world.events(run) if isinstance(x, e.CacheLookedUp)]) == (["hit"], ["hit"])


def test_a_run_folder_that_vanishes_is_let_go(world: World) -> None:
    run, other = world.start("r1"), world.start("r2")
    engine = world.engine()
    settle(engine)
    shutil.rmtree(world.run_folder(run))
    world.write(other, b"line\n")
    settle(engine)
    assert engine.open_runs == (other,)
    world.die(run)
    settle(engine)
    world.clock.advance(3)
    settle(engine)
    assert not world.is_open(run)
    assert world.board_run(other).out_lines == 1


def test_a_corrupt_record_is_shown_with_a_question_mark(world: World) -> None:
    run = world.start("r1")
    (world.run_folder(run) / "run.json").write_text('{"agent": ')
    world.write(run, b"line\n")
    engine = world.engine()
    settle(engine)
    assert engine.open_runs == ()
    world.clock.advance(3)
    settle(engine)
    world.end(run, code=1)
    settle(engine)
    board_run = world.board_run(run)
    assert (board_run.agent, board_run.out_lines, board_run.state) == ("?", 1, RunState.FAILED)


def test_a_start_that_was_given_up_leaves_nothing(world: World) -> None:
    world.run_folder("r1").mkdir()
    world.lock("r1")
    world.die("r1")
    engine = world.engine()
    settle(engine)
    assert world.is_open("r1")
    world.clock.advance(3)
    settle(engine)
    assert not world.is_open("r1")
    assert not world.run_folder("r1").exists()


def test_a_journal_of_a_newer_version_is_left_alone(world: World) -> None:
    run = world.start("r1")
    journal = world.run_folder(run) / "events.jsonl"
    journal.write_text('{"schema": 99, "run": "r1"}\n')
    engine = world.engine()
    settle(engine)
    world.end(run)
    settle(engine)
    assert journal.read_text() == '{"schema": 99, "run": "r1"}\n'
    assert "schema 99" in world.engine_log()
    assert world.is_open(run)


def test_a_file_that_is_no_journal_is_put_aside(world: World) -> None:
    run = world.start("r1")
    (world.run_folder(run) / "events.jsonl").write_text("garbage\n")
    world.end(run)
    settle(world.engine())
    assert world.board_run(run).state is RunState.DONE
    assert (world.run_folder(run) / "events.jsonl.bad").read_text() == "garbage\n"


def test_a_runs_time_never_goes_back_with_the_clock(world: World) -> None:
    run = world.start("r1", parser="generic", json="none")
    engine = world.engine()
    for jump in (5.0, -3600.0, 1.0, 7200.0):
        world.clock.wall_s += jump
        world.write(run, b"line\n")
        settle(engine)
    moments = [event.at for event in world.events(run)]
    assert moments == sorted(moments)
    assert len(moments) == 5


def test_the_index_of_lines_lies_beside_the_log(world: World) -> None:
    run = world.start("r1", parser="generic", json="none", streams=2)
    (world.run_folder(run) / "err.log").touch()
    world.write(run, b"x" * 99 + b"\n", "err.log")
    world.write(run, (b"x" * 99 + b"\n") * 1000)
    settle(world.engine())
    index = (world.run_folder(run) / "lines.idx").read_bytes()
    assert index[:8] == b"DECKIDX1"
    assert len(index) == 8 + 24
    assert (world.board_run(run).out_lines, world.board_run(run).err_lines) == (1000, 1)


def test_a_log_over_its_cap_is_cut_and_the_journal_says_where(world: World) -> None:
    world.limits = retention.Limits(log_bytes=20 << 20)
    run = world.start("r1", parser="generic", json="none")
    log = world.run_folder(run) / "out.log"
    world.write(run, b"y" * 79 + b"\n" + (b"x" * 79 + b"\n") * 400_000)
    engine = world.engine()
    settle(engine)
    world.clock.advance(3)
    settle(engine)
    cut = next(event for event in world.events(run) if isinstance(event, e.LogCut))
    assert cut.offset == 8 << 20
    assert log.stat().st_size == 400_001 * 80
    assert log.stat().st_blocks * 512 <= 20 << 20
    content = log.read_bytes()
    assert content[cut.offset : cut.offset + cut.removed_bytes].strip(b"\0") == b""
    assert content[cut.offset - 8 : cut.offset] != bytes(8)
    assert b"\0" not in content[cut.offset + cut.removed_bytes :]


def test_an_engine_that_adopts_a_cut_log_counts_on_where_it_stood(world: World) -> None:
    world.limits = retention.Limits(log_bytes=20 << 20)
    run = world.start("r1", parser="generic", json="none")
    world.write(run, (b"x" * 79 + b"\n") * 400_000)
    engine = world.engine()
    settle(engine)
    world.clock.advance(3)
    settle(engine)
    world.write(run, b"more\n")
    settle(world.engine())
    assert world.board_run(run).out_lines == 400_001


def test_a_quiet_engine_waits_longer(world: World) -> None:
    engine = world.engine()
    assert engine.tick() == EMPTY_TICK_S
    run = world.start("r1", parser="generic", json="none")
    assert engine.tick() == 0.2
    world.clock.advance(10)
    assert engine.tick() == 0.5
    world.write(run, b"line\n")
    assert engine.tick() == 0.2


def test_what_is_typical_is_told_at_the_start(world: World) -> None:
    recorded = DATA / "build-one" / "out.log"
    first = world.start("r1")
    world.write(first, recorded.read_bytes())
    world.end(first)
    settle(world.engine())
    second = world.start("r2")
    settle(world.engine())
    typical = world.board_run(second).typical
    assert typical is not None
    assert (typical.wall_s, typical.runs) == (2.0, 1)


def note_call(world: World, run: str) -> None:
    """The front before the cache notes what it was asked."""
    notes = world.run_folder(run) / "fronts" / "cache.jsonl"
    notes.parent.mkdir()
    note = {"call": "1-1", "at": START, "cwd": "/w", "direct": False, "argv": CALL, "env": {}}
    notes.write_text(json.dumps(note) + "\n")
