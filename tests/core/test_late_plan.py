"""Plans of builds that were started without one: made while they run."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.facts import LATE_PLAN
from core.late_plan import LatePlans, plan_late
from core.paths import Paths
from core.run_plan import read_plan
from core.watched import WatchedRun
from tests.core.engine_world import World, settle

_RUN = "20260101-000000-000-0001"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    one = World(tmp_path)
    yield one
    one.close()


def _checkout(folder: Path) -> str:
    (folder / "ws" / "src").mkdir(parents=True)
    (folder / "ws" / "Cargo.toml").write_text('[package]\nname = "a"\nversion = "1.0.0"\nedition = "2021"\n')
    (folder / "ws" / "src" / "lib.rs").touch()
    return str(folder / "ws")


def _start(world: World, run: str = _RUN, **env: str) -> str:
    root = _checkout(world.folder / run)
    plan = [{"setting": "target-dir", "value": root + "/target", "by": "cargo", "reason": "nobody else builds"}]
    surroundings = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(world.folder),
        "XDG_CACHE_HOME": str(world.folder / "x"),
        **env,
    }
    return world.start(
        run, cwd=root, checkout=root, target_dir=root + "/target", is_planned=False, plan=plan, env=surroundings
    )


def test_what_stands_in_the_way_of_a_plain_build_is_told_as_it_starts(world: World) -> None:
    engine = world.engine()
    _start(world, RUSTC_WRAPPER="sccache", CARGO_INCREMENTAL="1")
    settle(engine)
    findings = world.board_run(_RUN).findings
    assert findings[0].severity == "error"
    assert any("CARGO_INCREMENTAL" in str(finding) for finding in findings)
    settle(engine)
    told = [event for event in world.events(_RUN) if type(event).__name__ == "ContradictionsSeen"]
    assert len(told) == 1


def test_builds_that_end_before_their_turn_are_planned_and_told_before_their_end(world: World) -> None:
    engine = world.engine()
    runs = [_start(world, f"{_RUN}{number}", RUSTC_WRAPPER="sccache", CARGO_INCREMENTAL="1") for number in range(3)]
    for run in runs:
        world.end(run, 101)
    settle(engine)
    for run in runs:
        kinds = [type(event).__name__ for event in world.events(run)]
        assert kinds.count("ContradictionsSeen") == 1
        assert kinds[-1] == "RunEnded"
        assert not world.is_open(run)
        assert "CARGO_INCREMENTAL" in str(read_plan(world.paths, run).findings)


def test_the_plan_of_a_plain_build_says_what_cargo_does_by_itself(world: World) -> None:
    engine = world.engine()
    _start(world)
    settle(engine)
    rows = {one.setting: one for one in read_plan(world.paths, _RUN).settings}
    assert (rows["debug"].value, rows["debug"].by) == ("full", "cargo")
    assert rows["target-dir"].reason == "nobody else builds"
    assert not [one for one in rows.values() if one.flags or one.env]


def test_a_run_that_was_planned_is_left_as_it_is(world: World) -> None:
    engine = world.engine()
    world.start(_RUN, is_planned=True, plan=[])
    world.start("20260101-000000-000-0002", tool="exec", subcommand="ninja", is_planned=False, plan=[])
    settle(engine)
    assert not os.path.exists(f"{world.paths.run(_RUN)}/{LATE_PLAN}")
    assert not os.path.exists(f"{world.paths.run('20260101-000000-000-0002')}/{LATE_PLAN}")


def test_no_credential_reaches_the_plan(world: World) -> None:
    engine = world.engine()
    _start(world, DEPLOY_TOKEN="hunter2hunter2", RUSTFLAGS="-C link-arg=hunter2hunter2 -C codegen-units=4")
    settle(engine)
    text = Path(world.paths.run(_RUN), LATE_PLAN).read_text()
    assert "codegen-units" in text
    assert "hunter2" not in text
    assert "hunter2" not in Path(world.paths.run(_RUN), "events.jsonl").read_text()


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"env": 4}', '{"env": {}, "typed": null, "cwd": "/", "plan": []}']
)
def test_a_damaged_record_has_no_plan(tmp_path: Path, content: str) -> None:
    paths = Paths(str(tmp_path), str(tmp_path / "cache"))
    os.makedirs(paths.run(_RUN))
    Path(paths.run(_RUN), "run.json").write_text(content)
    assert plan_late(paths, _RUN) is None


class _Told:
    """A run that takes what it is told."""

    is_gone = False

    def __init__(self, world: World) -> None:
        self.run, self.folder = _RUN, world.paths.run(_RUN)
        self.told: list[object] = []

        class _Started:
            tool = "cargo"

        class _Record:
            is_planned = False
            started = _Started()

        self.record = _Record()

    def found(self, findings: object, now: float) -> None:
        self.told.append(findings)


def test_programs_that_nobody_asked_are_asked_once_and_then_it_is_planned_anew(world: World) -> None:
    _start(world)
    asked: list[str] = []
    plans = LatePlans(world.paths, world.clock.steady, ask=lambda run: asked.append(run) or 0)  # type: ignore[func-returns-value]
    run = _Told(world)
    plans.add(run)  # type: ignore[arg-type]
    runs: dict[str, WatchedRun] = {_RUN: run}  # type: ignore[dict-item]
    for _ in range(6):
        plans.work(runs, 1.0)
    assert asked == [_RUN]
    assert len(run.told) == 2
    world.clock.advance(601)
    os.unlink(f"{run.folder}/{LATE_PLAN}")
    plans.add(run)  # type: ignore[arg-type]
    plans.work(runs, 1.0)
    assert asked == [_RUN, _RUN]


def test_what_was_learned_of_a_closed_build_goes_into_its_plan_alone(world: World) -> None:
    _start(world)
    plans = LatePlans(world.paths, world.clock.steady, ask=lambda run: 0)
    run = _Told(world)
    plans.add(run)  # type: ignore[arg-type]
    plans.work({_RUN: run}, 1.0)  # type: ignore[dict-item]
    os.unlink(f"{run.folder}/{LATE_PLAN}")
    plans.work({}, 1.0)
    assert os.path.exists(f"{run.folder}/{LATE_PLAN}")
    assert len(run.told) == 1


def test_the_asker_leaves_answers_for_the_next_plan(world: World) -> None:
    _start(world, PATH=os.environ["PATH"], HOME=os.environ["HOME"])
    first = plan_late(world.paths, _RUN)
    assert first is not None
    assert "rustc" in " ".join(first.found.unasked)
    root = Path(__file__).parents[2]
    words = [sys.executable, "-I", "-S", str(root / "core" / "asker.py")]
    subprocess.run([*words, world.paths.state, world.paths.cache, _RUN], check=True)
    second = plan_late(world.paths, _RUN)
    assert second is not None
    assert second.found.unasked == ()
    said = subprocess.run(["rustc", "-V"], capture_output=True, text=True, check=True).stdout
    assert ".".join(map(str, second.found.toolchain.rustc)) in said
    record = json.loads(json.dumps(second.record))
    assert record["is_planned"] is True
