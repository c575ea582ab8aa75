"""History: what is typical of a command, and that the index can be lost."""

import sqlite3
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from core import events as e
from core.history import History, read_run, rebuild
from core.state import Run, RunState
from tests.core.engine_world import START, World, settle

STARTED = e.RunStarted(START, "new", "a", "build -p app", "cargo", "build", "/w", "/w", None, False, False, False)
ENDED = e.RunEnded(START + 9, 0, None, 10.0, 9.0, 1.0, 4096, None)
DONE = Run(
    run="r0", agent="a", command="build -p app", tool="cargo", subcommand="build", cwd="/w", checkout="/w",
    target_dir=None, is_private_target=False, is_owned=False, is_split=False, started_at=START,
    state=RunState.DONE, units_built=2, ended=ENDED, ended_at=START + 9,
)  # fmt: skip


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(str(tmp_path / "history.sqlite"))


def _done(number: int, wall_s: float, **changes: object) -> Run:
    ended = replace(ENDED, wall_s=wall_s)
    return replace(DONE, run=f"r{number}", started_at=START + number, ended=ended, **changes)  # type: ignore[arg-type]


def test_an_empty_history_knows_nothing(history: History) -> None:
    assert history.typical(STARTED, START) is None


def test_the_median_of_the_last_five_good_runs_is_typical(history: History) -> None:
    for number, wall_s in enumerate((900.0, 1.0, 2.0, 3.0, 4.0, 100.0)):
        history.add(_done(number, wall_s))
    typical = history.typical(STARTED, START)
    assert typical is not None
    assert (typical.wall_s, typical.runs) == (3.0, 5)


def test_runs_that_failed_or_compiled_nothing_are_not_typical(history: History) -> None:
    history.add(_done(1, 50.0, state=RunState.FAILED))
    history.add(_done(2, 0.1, units_built=0))
    history.add(_done(3, 0.2, state=RunState.STOPPED))
    assert history.typical(STARTED, START) is None
    history.add(_done(4, 7.0))
    assert history.typical(STARTED, START) == e.TypicalRecalled(START, 7.0, (), 1)


def test_the_same_command_is_better_than_the_same_subcommand(history: History) -> None:
    history.add(_done(1, 5.0))
    history.add(_done(2, 60.0, command="build --release"))
    typical = history.typical(STARTED, START)
    assert typical is not None
    assert (typical.wall_s, typical.runs) == (5.0, 1)
    other = history.typical(replace(STARTED, command="build --tests"), START)
    assert other is not None
    assert (other.wall_s, other.runs) == (32.5, 2)


def test_another_checkout_says_nothing(history: History) -> None:
    history.add(_done(1, 5.0, checkout="/elsewhere"))
    history.add(_done(2, 5.0, tool="exec"))
    assert history.typical(STARTED, START) is None


def test_crates_have_their_own_medians_longest_first(history: History) -> None:
    for number, seconds in enumerate(({"a": 1.0, "b": 5.0}, {"a": 3.0}, {"a": 9.0, "c(bin)": 2.0})):
        history.add(_done(number, 1.0, finished_s=MappingProxyType(seconds)))
    typical = history.typical(STARTED, START)
    assert typical is not None
    assert typical.crate_s == (("b", 5.0), ("a", 3.0), ("c(bin)", 2.0))


def test_a_run_that_is_added_again_counts_once(history: History) -> None:
    history.add(_done(1, 5.0))
    history.add(_done(1, 5.0))
    typical = history.typical(STARTED, START)
    assert typical is not None
    assert typical.runs == 1


def test_a_corrupt_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    path.write_bytes(b"this is not a database" * 100)
    history = History(str(path))
    assert history.is_new
    history.add(_done(1, 5.0))
    assert history.typical(STARTED, START) is not None


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = path.read_bytes()
    with pytest.raises(sqlite3.NotSupportedError, match="schema 99"):
        History(str(path))
    assert path.read_bytes() == before


def test_history_is_made_anew_from_the_runs(tmp_path: Path) -> None:
    world = World(tmp_path)
    for run in ("r1", "r2", "live"):
        world.start(run)
    for run in ("r1", "r2"):
        world.end(run)
    settle(world.engine())
    history = History(str(tmp_path / "other.sqlite"))
    assert list(rebuild(world.paths, history)) == ["r2", "r1", "live"]
    assert [history.has(run) for run in ("r1", "r2", "live")] == [True, True, False]
    assert list(rebuild(world.paths, history)) == ["r2", "r1", "live"]
    world.close()


def test_a_run_that_ended_is_in_history(tmp_path: Path) -> None:
    world = World(tmp_path)
    run = world.start("r1")
    world.end(run, code=101)
    settle(world.engine())
    db = sqlite3.connect(world.paths.history)
    assert db.execute("SELECT run, agent, state, code FROM runs").fetchall() == [(run, "a", "failed", 101)]
    db.close()
    assert Path(world.paths.history).stat().st_mode & 0o777 == 0o600


def test_history_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    Path(world.paths.history).mkdir()
    run = world.start("r1")
    engine = world.engine()
    world.end(run)
    settle(engine)
    found = read_run(world.paths, run)
    assert found is not None
    assert found.state is RunState.DONE
    assert not world.is_open(run)
    assert "history" in world.engine_log()
