"""Retention: what a sweep takes, in which order, and that nothing live is touched."""

import os
from pathlib import Path

import pytest

from core.paths import Paths
from core.retention import (
    HEAD_BYTES,
    Cut,
    Limits,
    Removal,
    Stored,
    can_punch,
    clean_leftovers,
    disk_bytes,
    plan_cut,
    plan_sweep,
    punch,
    remove,
    remove_run,
    scan,
)
from tests.core.engine_world import START, World

DAY_S = 86400.0


def _run(name: str, age_days: float, size_bytes: int = 0, *, is_live: bool = False) -> Stored:
    return Stored("run", name, "/runs/" + name, size_bytes, START - age_days * DAY_S, is_live)


def _target(name: str, age_days: float, size_bytes: int, *, is_live: bool = False) -> Stored:
    return Stored("target", name, "/targets/" + name, size_bytes, START - age_days * DAY_S, is_live)


def _names(removals: tuple[Removal, ...]) -> list[str]:
    return [removal.stored.name for removal in removals]


def test_runs_older_than_the_limit_go() -> None:
    removals = plan_sweep([_run("new", 13), _run("old", 15)], Limits(), START)
    assert [(r.stored.name, r.reason) for r in removals] == [("old", "older than 14 days")]


def test_the_oldest_runs_go_until_the_rest_fits() -> None:
    runs = [_run("c", 1, 3), _run("a", 3, 4), _run("b", 2, 4)]
    assert _names(plan_sweep(runs, Limits(runs_bytes=7), START)) == ["a"]
    assert _names(plan_sweep(runs, Limits(runs_bytes=6), START)) == ["a", "b"]
    assert _names(plan_sweep(runs, Limits(runs_bytes=11), START)) == []


def test_nothing_live_goes() -> None:
    stored = [_run("live", 30, 10, is_live=True), _run("idle", 1, 10), _target("t", 9, 10, is_live=True)]
    limits = Limits(runs_bytes=5, targets_bytes=5)
    assert _names(plan_sweep(stored, limits, START)) == ["idle"]


def test_target_dirs_go_least_recently_used_first() -> None:
    targets = [_target("recent", 1, 5), _target("stale", 20, 5), _target("older", 9, 5)]
    assert _names(plan_sweep(targets, Limits(targets_bytes=9), START)) == ["stale", "older"]


def test_a_clock_in_the_past_removes_nothing() -> None:
    assert plan_sweep([_run("future", -100)], Limits(), START) == ()


def test_a_sweep_finds_runs_and_the_targets_that_they_used(tmp_path: Path) -> None:
    world = World(tmp_path)
    target = Path(world.paths.targets, "a@1", "target")
    target.mkdir(parents=True)
    (target / "lib").write_bytes(b"x" * 100_000)
    world.start("r1", target_dir=str(target), started=START - 5)
    world.start("r2", target_dir="/w/target", started=START - 9)
    world.end("r2")
    os.unlink(f"{world.paths.open}/r2")
    found = {stored.name: stored for stored in scan(world.paths)}
    assert set(found) == {"r1", "r2", "a@1"}
    assert (found["r1"].is_live, found["r2"].is_live, found["a@1"].is_live) == (True, False, True)
    assert found["r2"].used_at == START - 9
    assert found["a@1"].size_bytes >= 100_000
    world.close()


def test_a_removal_is_done_unless_it_became_live(tmp_path: Path) -> None:
    world = World(tmp_path)
    target = Path(world.paths.targets, "a@1", "target")
    target.mkdir(parents=True)
    stored = Stored("target", "a@1", str(target.parent), 1, START)
    world.start("r1", target_dir=str(target))
    assert not remove(world.paths, Removal(stored, ""))
    assert not remove_run(world.paths, "r1")
    world.end("r1")
    os.unlink(f"{world.paths.open}/r1")
    assert remove(world.paths, Removal(stored, ""))
    assert remove_run(world.paths, "r1")
    assert not remove_run(world.paths, "r1")
    assert not target.parent.exists()
    assert not world.run_folder("r1").exists()
    assert os.listdir(world.paths.state + "/gone") == []


def test_what_a_cache_server_left_goes_once_nobody_used_it_for_long(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path / "s"), str(tmp_path / "c"))
    for agent, days in (("recent", 3), ("stale", 20)):
        folder = Path(paths.caches, agent)
        folder.mkdir(parents=True)
        (folder / "log-1.000").write_bytes(b"x" * 5000)
        os.utime(folder, (START - days * 86400, START - days * 86400))
    (removal,) = plan_sweep(list(scan(paths)), Limits(), START)
    assert (removal.stored.name, removal.stored.size_bytes >= 5000) == ("stale", True)
    assert remove(paths, removal)
    assert os.listdir(paths.caches) == ["recent"]


def test_a_removal_that_was_interrupted_is_finished(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path / "s"), str(tmp_path / "c"))
    Path(paths.state, "gone", "r1-1").mkdir(parents=True)
    Path(paths.cache, "gone", "a@1-1", "target").mkdir(parents=True)
    clean_leftovers(paths)
    assert not Path(paths.state, "gone").exists()
    assert not Path(paths.cache, "gone").exists()


def test_a_link_is_removed_and_not_followed(tmp_path: Path) -> None:
    world = World(tmp_path)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("keep")
    world.run_folder("r1").mkdir()
    (world.run_folder("r1") / "link").symlink_to(precious)
    assert disk_bytes(str(world.run_folder("r1"))) < 10_000
    assert remove_run(world.paths, "r1")
    assert (precious / "file").read_text() == "keep"


def test_space_is_counted_once_for_hard_links(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1_000_000)
    before = disk_bytes(str(tmp_path))
    os.link(tmp_path / "a", tmp_path / "b")
    assert disk_bytes(str(tmp_path)) == before


@pytest.mark.parametrize(
    ("size", "on_disk", "read", "expected"),
    [
        (100 << 20, 19 << 20, 100 << 20, None),
        (100 << 20, 100 << 20, 100 << 20, Cut(HEAD_BYTES, (90 << 20) - HEAD_BYTES)),
        (100 << 20, 100 << 20, 50 << 20, Cut(HEAD_BYTES, (50 << 20) - HEAD_BYTES)),
        (100 << 20, 100 << 20, 1 << 20, None),
    ],
)
def test_a_cut_keeps_head_tail_and_what_was_not_read(size: int, on_disk: int, read: int, expected: Cut | None) -> None:
    assert plan_cut(size_bytes=size, disk_bytes=on_disk, read_bytes=read, limit_bytes=20 << 20) == expected


def test_a_hole_gives_space_back_under_a_writer(tmp_path: Path) -> None:
    assert can_punch(str(tmp_path))
    assert os.listdir(tmp_path) == []
    log = tmp_path / "out.log"
    with log.open("ab") as writer:
        writer.write(b"x" * 1_000_000)
        writer.flush()
        before = log.stat().st_blocks
        assert punch(str(log), Cut(4096, 4096 * 100))
        writer.write(b"end")
    assert log.stat().st_blocks <= before - 8 * 99
    assert log.stat().st_size == 1_000_003
    assert log.read_bytes()[4096 : 4096 * 101] == bytes(4096 * 100)
    assert log.read_bytes()[-4:] == b"xend"
