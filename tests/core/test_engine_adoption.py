"""An engine killed at any moment: the next one makes the journal what it would have been."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core import checkpoint
from core import events as e
from core.journal import read_journal
from tests.core.engine_world import World, settle

DATA = Path(__file__).parent.parent / "data"
RECORDINGS = ("json-broken", "test-red", "build-two", "build-noisy", "test-red-two", "nextest")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def _logs(recording: str) -> dict[str, bytes]:
    names = ("out.log", "err.log")
    return {name: (DATA / recording / name).read_bytes() for name in names if (DATA / recording / name).exists()}


def _start(world: World, run: str, logs: dict[str, bytes], *, json: str) -> None:
    world.start(run, json=json, streams=len(logs))
    for name in logs:
        world.write(run, b"", name)


def _watch(world: World, run: str, logs: dict[str, bytes], *, json: str, piece: int) -> None:
    """One engine sees all of the logs come, in pieces, and the end."""
    _start(world, run, logs, json=json)
    engine = world.engine()
    for start in range(0, max(map(len, logs.values())), piece):
        for name, content in logs.items():
            world.write(run, content[start : start + piece], name)
        world.clock.advance(0.2)
        settle(engine)
    world.end(run, code=101)
    settle(engine)


@pytest.mark.parametrize("recording", RECORDINGS)
def test_a_journal_torn_at_any_byte_is_completed_to_the_same_journal(world: World, recording: str) -> None:
    logs = _logs(recording)
    json = "ours" if b'{"reason"' in logs["out.log"] else "none"
    _watch(world, "r1", logs, json=json, piece=700)
    folder = world.run_folder("r1")
    whole = (folder / "events.jsonl").read_bytes()
    events = world.events("r1")
    for end in range(0, len(whole), 211):
        (folder / "events.jsonl").write_bytes(whole[:end])
        world.lock("r1")
        world.die("r1")
        settle(world.engine())
        seen = read_journal(str(folder / "events.jsonl"))
        assert seen.skipped_lines == 0
        assert _told(seen.events) == _told(events), f"torn at byte {end}"


def _told(events: list[e.Event]) -> dict[str, object]:
    """What must not depend on how the logs were cut into steps: all that is counted and named."""
    units = [(x.name, x.package, x.is_fresh) for x in events if isinstance(x, e.UnitFinished)]
    tests = sorted((x.name, x.suite, x.outcome) for x in events if isinstance(x, e.TestFinished))
    last = {type(x): x for x in events if isinstance(x, e.TestsCounted | e.ProgressMoved | e.RunEnded)}
    return {
        "started": [x for x in events if isinstance(x, e.RunStarted)],
        "units": sorted(units),
        "tests": tests,
        "counted": [(x.passed, x.failed, x.ignored) for x in last.values() if isinstance(x, e.TestsCounted)],
        "progress": [(x.done, x.total) for x in last.values() if isinstance(x, e.ProgressMoved)],
        "diagnostics": [(x.level, x.message, x.file, x.line) for x in events if isinstance(x, e.DiagnosticEmitted)],
        "suites": [x.name for x in events if isinstance(x, e.TestSuiteStarted)],
        "grown": {x.stream: (x.shown_lines, x.size_bytes) for x in events if isinstance(x, e.OutputGrew)},
        "ended": [x for x in events if isinstance(x, e.RunEnded)],
    }


@pytest.mark.parametrize("piece", [333, 1501])
@pytest.mark.parametrize("recording", RECORDINGS)
def test_engines_that_die_after_every_step_count_like_one(
    world: World, recording: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_BYTES", 2000)
    logs = _logs(recording)
    json = "ours" if b'{"reason"' in logs["out.log"] else "none"
    _watch(world, "r1", logs, json=json, piece=piece)
    _start(world, "r2", logs, json=json)
    for start in range(0, max(map(len, logs.values())), piece):
        for name, content in logs.items():
            world.write("r2", content[start : start + piece], name)
        world.clock.advance(0.2)
        settle(world.engine())
    world.end("r2", code=101)
    settle(world.engine())
    one, many = _told(world.events("r1")), _told(world.events("r2"))
    for key in ("units", "tests", "counted", "progress", "diagnostics", "suites", "grown"):
        assert many[key] == one[key], key
    index = [(world.run_folder(run) / "lines.idx") for run in ("r1", "r2")]
    assert [path.exists() for path in index] == [False, False] or index[0].read_bytes() == index[1].read_bytes()


def test_a_checkpoint_spares_the_bytes_before_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_BYTES", 1)
    run = world.start("r1", parser="generic", json="none")
    world.write(run, b"[1/3] a.c:1:1: error: first\n")
    settle(world.engine())
    log = world.run_folder(run) / "out.log"
    log.write_bytes(b"\0" * log.stat().st_size)
    world.write(run, b"[2/3] b\n")
    settle(world.engine())
    assert world.board_run(run).units_done == 2
    assert world.board_run(run).out_lines == 2


def test_a_checkpoint_of_other_code_is_not_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_BYTES", 1)
    run = world.start("r1", parser="generic", json="none")
    world.write(run, b"[1/3] a\n")
    settle(world.engine())
    folder = str(world.run_folder(run))
    assert checkpoint.load(folder, checkpoint.code_identity()) is not None
    assert checkpoint.load(folder, "other") is None


@pytest.mark.parametrize("content", [b"", b"\x80", b"cos\nsystem\n(S'true'\ntR.", b"x" * 1000])
def test_a_checkpoint_that_is_none_is_not_used(world: World, content: bytes) -> None:
    run = world.start("r1")
    (world.run_folder(run) / checkpoint.NAME).write_bytes(content)
    assert checkpoint.load(str(world.run_folder(run)), checkpoint.code_identity()) is None


def test_a_closed_run_leaves_no_checkpoint(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_BYTES", 1)
    run = world.start("r1", parser="generic", json="none")
    world.write(run, b"line\n")
    engine = world.engine()
    settle(engine)
    assert (world.run_folder(run) / checkpoint.NAME).exists()
    world.end(run)
    settle(engine)
    assert not (world.run_folder(run) / checkpoint.NAME).exists()


def test_an_end_that_is_in_the_journal_is_not_written_again(world: World) -> None:
    run = world.start("r1")
    world.end(run)
    settle(world.engine())
    before = (world.run_folder(run) / "events.jsonl").read_bytes()
    world.lock(run)
    world.die(run)
    settle(world.engine())
    assert (world.run_folder(run) / "events.jsonl").read_bytes() == before
    assert not world.is_open(run)
