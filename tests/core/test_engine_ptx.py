"""What an engine makes of PTX, whose figures come after the end of its run."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.attach import Reader
from core.state import Run
from tests.core.cubins import FOLDER
from tests.core.engine_world import World, settle
from tests.core.test_engine_nvcc import RUN, note
from tests.core.test_nvcc_notes import begun, over


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def run_now(world: World) -> Run:
    return Reader(world.paths, world.clock.wall).read_all().runs[RUN]


def test_ptx_is_counted_after_the_end_of_its_run_and_shown_there(world: World, tmp_path: Path) -> None:
    made, tool = tmp_path / "k.ptx", tmp_path / "cuda" / "ptxas"
    made.write_bytes((FOLDER / "three.ptx").read_bytes())
    tool.parent.mkdir()
    said, cubin = FOLDER / "sm_80-13.0.txt", FOLDER / "sm_80-13.0.cubin"
    tool.write_text(f'#!/bin/sh\ncat {said} >&2\nwhile [ "$1" != -o ]; do shift; done\ncp {cubin} "$2"\n')
    tool.chmod(0o755)
    world.start(RUN)
    engine = world.engine()
    at = made.stat().st_mtime
    asked = begun(at=at, output=str(made), kind="ptx", archs=["compute_80"], tool=str(tool.parent / "nvcc"))
    note(world, asked, over(output_bytes=made.stat().st_size))
    settle(engine)
    world.end(RUN)
    settle(engine)
    assert not world.is_open(RUN)
    ends = time.monotonic() + 10
    while not all(kernel.registers for kernel in run_now(world).kernels[0].kernels):
        assert time.monotonic() < ends
        engine.tick()
    assert {kernel.ptxas_arch for kernel in run_now(world).kernels[0].kernels} == {"sm_80"}
    assert world.engine_log() == ""
