"""What an engine makes of nvcc's notes: its journal, its background work, another engine after it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core import events as e
from core.watch.kernel_watch import WAIT_S
from tests.core.cubins import content_of
from tests.core.engine_world import World, settle
from tests.core.test_nvcc_notes import begun, over

RUN = "20270115-080000-000-0001"
CUBIN = "tmpxft_00000001_00000000-7_k.compute_100.cubin"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def note(world: World, *notes: Any) -> None:
    folder = world.run_folder(RUN) / "fronts"
    folder.mkdir(exist_ok=True)
    with (folder / "nvcc.jsonl").open("a") as file:
        file.writelines(json.dumps(one) + "\n" for one in notes)


def left(world: World, call: str = "7-1", name: str = "sm_100-13.0", ptx: bool = False) -> dict[str, Any]:
    """The note of an end, and what the front kept of it."""
    folder = world.run_folder(RUN) / "fronts" / f"nvcc-{call}"
    folder.mkdir(parents=True)
    (folder / CUBIN).write_bytes(content_of(name))
    files = [["sm_100", "cubin", CUBIN]]
    if ptx:
        files.append(["compute_100", "ptx", CUBIN.replace("cubin", "ptx")])
        (folder / files[-1][2]).write_bytes(b".target sm_100")
    return over(call, kept=str(folder), files=files)


def nvcc_events(world: World) -> list[str]:
    ours = (e.NvccStarted, e.NvccPhaseBegan, e.NvccEnded, e.KernelsMeasured, e.RunEnded)
    return [type(event).__name__ for event in world.events(RUN) if isinstance(event, ours)]


def test_calls_and_kernels_are_in_the_journal_before_the_end_of_their_run(world: World) -> None:
    world.start(RUN)
    engine = world.engine()
    settle(engine)
    note(world, begun(), {"phase": "7-1", "at": 101.0, "tool": "cicc", "arch": "compute_100", "pid": 9})
    settle(engine)
    (call,) = world.board_run(RUN).nvcc
    assert (call.tool, call.arch) == ("cicc", "compute_100")
    note(world, left(world))
    settle(engine)
    world.end(RUN)
    settle(engine)
    assert nvcc_events(world) == ["NvccStarted", "NvccPhaseBegan", "NvccEnded", "KernelsMeasured", "RunEnded"]
    run = world.board_run(RUN)
    assert (run.nvcc, len(run.kernels[0].kernels)) == ((), 3)
    assert not world.is_open(RUN)
    assert [path.name for path in (world.run_folder(RUN) / "fronts").iterdir()] == ["nvcc.jsonl"]
    assert world.engine_log() == ""


def test_an_engine_after_one_that_was_killed_tells_what_is_missing_once(world: World) -> None:
    world.start(RUN)
    note(world, begun())
    settle(world.engine())
    note(world, left(world))
    later = world.engine()
    settle(later)
    assert nvcc_events(world) == ["NvccStarted", "NvccEnded", "KernelsMeasured"]
    settle(world.engine())
    assert nvcc_events(world) == ["NvccStarted", "NvccEnded", "KernelsMeasured"]


def test_a_call_whose_front_was_killed_ends_with_its_run(world: World) -> None:
    world.start(RUN)
    engine = world.engine()
    note(world, begun(at=world.clock.wall_s))
    settle(engine)
    world.end(RUN, code=101)
    settle(engine)
    world.clock.advance(2.0)
    settle(engine)
    (ended,) = world.board_run(RUN).nvcc_ends
    assert (ended.code, ended.verdict) == (None, "")
    assert nvcc_events(world)[-1] == "RunEnded"


def test_a_run_ends_before_its_kernels_are_measured_and_stays_open_for_them_but_not_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.watch.kernel_watch.ptxas_of", lambda nvcc: "/bin/sleep")
    monkeypatch.setattr("core.watch.kernel_watch.ptxas_argv", lambda *words: ("/bin/sleep", "1000"))
    world.start(RUN)
    engine = world.engine()
    settle(engine)
    note(world, begun(), left(world, ptx=True))
    settle(engine)
    world.end(RUN)
    settle(engine)
    assert world.is_open(RUN)
    assert nvcc_events(world)[-1] == "RunEnded"
    world.clock.advance(WAIT_S + 1)
    settle(engine)
    assert not world.is_open(RUN)
    settle(engine)
    assert not (world.run_folder(RUN) / "fronts" / "nvcc-7-1").exists()


def test_kernels_of_a_run_that_has_ended_are_measured_by_the_next_engine(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.start(RUN)
    with monkeypatch.context() as patch:
        patch.setattr("core.watch.kernel_watch.SLICE_S", -1.0)
        engine = world.engine()
        note(world, begun(), left(world))
        settle(engine)
        world.end(RUN)
        settle(engine)
    assert nvcc_events(world)[-1] == "RunEnded"
    assert world.is_open(RUN)
    settle(world.engine())
    assert nvcc_events(world)[-2:] == ["RunEnded", "KernelsMeasured"]
    assert len(world.board_run(RUN).kernels) == 1
    assert not world.is_open(RUN)
