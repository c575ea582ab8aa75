"""What is wrong with a build script is kept after a build that called nvcc, and said in the pane of the next one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.native.staleness.doctor import Place
from core.native.staleness.stale_kept import keep, keep_of_run, read_kept
from core.paths import Paths
from core.plan.small_file import keep_json
from tests.core.engine_world import World, settle
from tests.native_worlds import DECLARATIONS, Package, build_env, fake_nvcc

RUN = "20260101-000000-000-0001"
FILE = next(style for style in DECLARATIONS if style.name == "file")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    one = World(tmp_path / "world")
    yield one
    one.close()


def built(tmp_path: Path) -> tuple[Package, dict[str, str]]:
    """A package of which two headers are not declared."""
    env = build_env(tmp_path, str(fake_nvcc(tmp_path / "bin")))
    package = Package(tmp_path / "src", FILE)
    package.build(env)
    return package, env


def test_the_next_build_there_says_what_is_wrong_with_a_build_script_until_that_is_changed(
    world: World, tmp_path: Path
) -> None:
    package, env = built(tmp_path)
    target = str(package.build_dir)
    world.start(RUN, cwd=str(package.root), checkout=str(package.root), target_dir=target, env=env, plan=[])
    keep_of_run(world.paths, RUN)
    (found,) = read_kept(world.paths, target)
    assert (found.id, found.severity, found.mend) == ("input-undeclared", "error", "cargo deck stale")
    assert "an edit to kernels/inc/deep.cuh and 1 more is not rebuilt" in found.title
    engine = world.engine()
    plan = [{"setting": "target-dir", "value": target, "by": "cargo", "reason": "nobody else builds"}]
    later = "20260101-000100-000-0002"
    root = str(package.root)
    world.start(later, cwd=root, checkout=root, target_dir=target, is_planned=False, plan=plan, env=env)
    settle(engine)
    assert "input-undeclared" in [one.id for one in world.board_run(later).findings]
    assert read_kept(world.paths, str(package.root)) == ()
    for path in (package.header, package.outside):
        path.rename(path.with_suffix(".gone"))
    assert read_kept(world.paths, target) == ()
    for path in (package.header, package.outside):
        path.with_suffix(".gone").rename(path)
    assert len(read_kept(world.paths, target)) == 1
    script = package.root / "build.rs"
    script.write_text(script.read_text() + "\n")
    assert read_kept(world.paths, target) == ()


@pytest.mark.parametrize("found", [None, [None], [{"finding": 4, "script": "/x"}], [{"script": 4}], "text"])
def test_what_is_damaged_says_nothing(tmp_path: Path, found: object) -> None:
    folder, env = empty_dir(tmp_path)
    paths = Paths(str(tmp_path / "state"), str(tmp_path / "cache"))
    keep(paths, Place(folder, folder, env))
    kept = Path(paths.state, "native", "stale")
    (name,) = os.listdir(kept)
    keep_json(str(kept / name), {"build_dir": folder, "found": found})
    assert read_kept(paths, folder) == ()


def empty_dir(tmp_path: Path) -> tuple[str, dict[str, str]]:
    """A build dir with nothing in it."""
    (tmp_path / "empty").mkdir()
    return str(tmp_path / "empty"), {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
