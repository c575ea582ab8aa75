"""When a watch starts and stops builds, and which files it has an eye on."""

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from core.errors import SpawnError
from core.native.edits.edit_class import EditClass
from core.native.edits.inputs_of import Inputs
from core.native.edits.iteration_of import Measured
from core.native.staleness.input_state import changed, look, read_stamp
from core.native.traces.tree_files import git_files, is_scratch, source_files
from core.watch_loop import Ended, Step, Told, Watch, Woken
from core.watched_files import WatchedFiles
from core.watching import BUSY_WRITES, QUIET_S, Do, Watching

A, B = "/w/src/a.rs", "/w/k/b.cu"
START, STOP = Do("start"), Do("stop")


def begun(steps: int = 1) -> Watching:
    """A watch whose first build is over."""
    state = Watching(steps)
    state.begin(0.0)
    assert state.due(0.0) == START
    state.ended(1.0, is_good=False)
    return state


def test_it_builds_once_at_the_beginning() -> None:
    state = Watching()
    state.begin(5.0)
    assert (state.due(5.0), state.due(5.0), state.phase) == (START, None, "running")


def test_a_save_starts_a_build_when_no_further_one_came_for_twenty_milliseconds() -> None:
    state = begun()
    state.saved(10.0, [A])
    assert state.due(10.0) is None
    assert state.wait_s(10.0) == pytest.approx(QUIET_S)
    state.saved(10.015, [B])
    assert state.due(10.03) is None
    assert state.due(10.015 + QUIET_S) == START
    assert list(state.building) == [A, B]
    assert state.began_for == 10.0


def test_what_was_saved_long_ago_is_not_waited_for() -> None:
    state = begun()
    state.saved(10.0, [A], newest=9.9)
    assert state.due(10.0) == START


def test_somebody_who_saves_without_end_is_built_after_a_second() -> None:
    state = begun()
    at = 10.0
    while state.due(at) is None:
        state.saved(at, [A])
        at += 0.015
    assert 11.0 <= at <= 11.1


def test_a_save_while_it_builds_stops_the_build_once_and_starts_another_when_it_is_gone() -> None:
    state = begun()
    state.saved(10.0, [A])
    assert state.due(11.0) == START
    state.saved(12.0, [B])
    assert (state.due(12.0), state.due(12.1)) == (STOP, None)
    assert state.ended(13.0, is_good=False) == START
    assert list(state.building) == [A, B], "what was cut short was not built"


def test_what_a_build_that_failed_did_not_build_is_built_by_the_next_one() -> None:
    state = begun()
    for name, is_good, is_built, built in (
        (A, False, False, [A]), (B, False, False, [A, B]), (A, True, True, [A, B]), (B, False, True, [B]),
        (A, True, None, [A]),
    ):  # fmt: skip
        state.saved(10.0, [name])
        assert state.due(20.0) == START
        assert list(state.building) == built
        assert state.ended(20.0, is_good=is_good, is_built=is_built) is None


def test_of_two_saves_while_a_build_is_being_stopped_the_later_one_is_waited_for_too() -> None:
    state = begun()
    state.saved(10.0, [A])
    state.due(11.0)
    state.saved(12.0, [A])
    assert state.due(12.0) == STOP
    state.saved(12.5, [B])
    assert state.ended(12.51, is_good=False) is None
    assert state.due(12.5 + QUIET_S) == START


def test_the_test_follows_a_build_that_went_well_and_no_other() -> None:
    state = begun(steps=2)
    state.saved(10.0, [A])
    state.due(11.0)
    assert state.ended(12.0, is_good=True) == Do("start", 1)
    assert state.ended(13.0, is_good=True) is None
    state.saved(14.0, [A])
    state.due(15.0)
    assert (state.ended(16.0, is_good=False), state.phase) == (None, "idle")


def test_a_save_while_the_test_runs_stops_it_and_builds_what_was_saved_alone() -> None:
    state = begun(steps=2)
    state.saved(10.0, [A])
    state.due(11.0)
    state.ended(12.0, is_good=True)
    state.saved(12.5, [B])
    assert state.due(12.5) == Do("stop", 1)
    assert state.ended(13.0, is_good=False) == START
    assert list(state.building) == [B]


def test_what_cargo_writes_into_its_lock_file_while_it_runs_starts_nothing() -> None:
    state = begun()
    state.saved(10.0, ["/w/Cargo.toml"])
    state.due(11.0)
    state.saved(11.1, ["/w/Cargo.lock"])
    assert (state.due(11.2), state.ended(12.0, is_good=True)) == (None, None)
    state.saved(20.0, ["/w/Cargo.lock"])
    assert state.due(21.0) == START


def test_a_file_that_each_build_writes_does_not_keep_it_building_without_pause() -> None:
    state = begun()
    now, starts, stops = 100.0, [100.0], 0
    state.saved(now, [A], newest=99.0)
    due = state.due(now)
    while now < 400.0:
        now += 0.1
        if due == START:
            starts.append(now)
            state.saved(now, [A])  # the build writes it anew
            due = state.due(now)
        elif due == STOP:
            stops += 1
            due = state.ended(now, is_good=False)
        elif state.phase == "running":
            due = state.ended(now, is_good=True)
        else:
            due = state.due(now)
    assert stops == BUSY_WRITES - 1
    assert len(starts) < BUSY_WRITES + 12
    assert starts[-1] - starts[-2] > 30
    state.saved(now, [B])
    assert state.due(now + QUIET_S) == START, "another file is built at once"


class FakeWorld:
    """A world whose waits are told beforehand; each takes the time to the moment that it names."""

    def __init__(self, *wakes: tuple[float, Woken], refuses: int = -1) -> None:
        """`refuses`: the start of that number, from 0."""
        self.at = 0.0
        self.did: list[str] = []
        self.prepared: list[tuple[Step, tuple[str, ...]]] = []
        self.started_for: list[tuple[str, ...]] = []
        self.kept: list[Mapping[str, Any]] = []
        self.stale: tuple[str, ...] = ()
        self._wakes = list(wakes)
        self._refuses = refuses
        self._runs = self._starts = 0

    def now(self) -> float:
        return self.at

    def wait(self, timeout_s: float | None) -> Woken:
        if not self._wakes:
            return Woken(is_over=True)
        at, woken = self._wakes[0]
        if timeout_s is not None and self.at + timeout_s < at:
            self.at += timeout_s
            return Woken()
        self.at = at
        del self._wakes[0]
        return woken

    def prepare(self, step: Step, changed: Collection[str]) -> None:
        self.prepared.append((step, tuple(changed)))

    def start(self, step: Step, changed: Collection[str] = ()) -> str:
        self._starts += 1
        if self._refuses == self._starts - 1:
            raise SpawnError("no room")
        self._runs += 1
        self.started_for.append(tuple(changed))
        self.did.append(f"start {step.command}")
        return f"run{self._runs}"

    def stop(self, run: str) -> None:
        self.did.append(f"stop {run}")

    def survey(self, step: int, run: str, *, is_whole: bool) -> tuple[int, bool]:
        self.did.append(f"survey {run}")
        return 3, True

    def measure(self, run: str) -> Measured | None:
        return None

    def keep(self, record: Mapping[str, Any]) -> None:
        self.kept.append(record)

    def unseen(self, changed: tuple[str, ...], measured: Measured) -> tuple[str, ...]:
        return self.stale

    def build_scripts(self) -> frozenset[str]:
        return frozenset()

    def cmake_files(self) -> frozenset[str]:
        return frozenset(("/w/version.txt",))


BUILD, TEST = Step("cargo", ("build",), "cargo build"), Step("cargo", ("test", "x"), "cargo test x")


def good(run: str) -> Woken:
    return Woken(ended=Ended(run, 0, wall_s=1.0))


def watched(world: FakeWorld, *steps: Step) -> list[Told]:
    told: list[Told] = []
    Watch(world, steps or (BUILD,), told.append).go()
    return told


def test_a_save_is_told_with_its_class_and_the_wait_since_it() -> None:
    world = FakeWorld((1.0, good("run1")), (10.0, Woken((A,), 9.98)), (12.0, good("run2")))
    told = watched(world)
    ends = [one for one in told if one.what == "ended"]
    assert [(one.edit.kind, one.since_save_s) for one in ends] == [(None, None), (EditClass.RUST, pytest.approx(2.02))]
    assert world.did == ["start cargo build", "survey run1", "start cargo build", "survey run2"]
    assert told[-1].what == "over"


def test_saves_within_twenty_milliseconds_are_one_build() -> None:
    world = FakeWorld(
        (1.0, good("run1")), (10.0, Woken((A,), 10.0)), (10.015, Woken((B,), 10.015)), (12.0, good("run2"))
    )
    told = watched(world)
    assert world.did.count("start cargo build") == 2
    assert [one.edit.kind for one in told if one.what == "ended"][-1] is EditClass.SEVERAL


def test_what_a_save_asks_for_may_begin_while_further_saves_are_waited_for() -> None:
    world = FakeWorld(
        (1.0, good("run1")), (10.0, Woken((A,), 10.0)), (10.015, Woken((B,), 10.015)), (12.0, good("run2"))
    )
    watched(world)
    assert world.prepared == [(BUILD, (A,)), (BUILD, (A, B))]
    assert world.started_for == [(), (A, B)]


def test_nothing_is_prepared_while_a_build_runs_and_the_next_one_knows_all_that_it_is_for() -> None:
    stopped = Woken(ended=Ended("run2", None, 2, 0.5, is_stopped=True))
    world = FakeWorld(
        (1.0, good("run1")), (10.0, Woken((A,), 10.0)), (11.0, Woken((B,), 11.0)), (11.3, stopped), (12.0, good("run3"))
    )
    watched(world)
    assert world.prepared == [(BUILD, (A,))]
    assert world.started_for == [(), (A,), (A, B)]


def test_a_save_while_it_builds_stops_that_build_and_the_next_one_waits_for_its_end() -> None:
    stopped = Woken(ended=Ended("run2", None, 2, 0.5, is_stopped=True))
    world = FakeWorld(
        (1.0, good("run1")), (10.0, Woken((A,), 9.0)), (11.0, Woken((B,), 11.0)), (11.3, stopped), (12.0, good("run3"))
    )
    told = watched(world)
    assert world.did == [
        "start cargo build", "survey run1", "start cargo build", "stop run2", "start cargo build", "survey run2",
        "survey run3",
    ]  # fmt: skip
    ends = [one for one in told if one.what == "ended"]
    assert [one.is_cancelled for one in ends] == [False, True, False]
    assert ends[-1].edit.changed == (A, B)


def test_the_end_of_a_watch_stops_what_runs_and_waits_for_it() -> None:
    world = FakeWorld((0.5, Woken(is_over=True)), (0.9, Woken(ended=Ended("run1", None, 2, 0.4, is_stopped=True))))
    told = watched(world)
    assert world.did == ["start cargo build", "stop run1"]
    assert [one.what for one in told] == ["started", "ended", "over"]


def test_who_asks_twice_for_the_end_has_it_killed() -> None:
    over = Woken(is_over=True)
    world = FakeWorld((0.5, over), (0.6, over), (0.9, Woken(ended=Ended("run1", None, 9, 0.4, is_stopped=True))))
    watched(world)
    assert world.did == ["start cargo build", "stop run1", "stop run1"]


def test_where_nobody_watches_any_more_the_build_ends_and_none_is_begun() -> None:
    world = FakeWorld((0.5, Woken(is_last=True)), (0.6, Woken((A,), 0.6)), (1.0, good("run1")), (2.0, good("run9")))
    told = watched(world, BUILD, TEST)
    assert world.did == ["start cargo build"]
    assert told[-1].what == "over"


def test_a_build_that_cannot_be_started_is_told_and_the_next_save_tries_again() -> None:
    world = FakeWorld(
        (1.0, good("run1")), (10.0, Woken((A,), 9.0)), (20.0, Woken((B,), 19.0)), (22.0, good("run2")), refuses=1
    )
    told = watched(world)
    assert [one.text for one in told if one.what == "refused"] == ["no room"]
    assert world.did == ["start cargo build", "survey run1", "start cargo build", "survey run2"]


def test_a_first_build_that_cannot_be_started_is_no_watch() -> None:
    with pytest.raises(SpawnError, match="no room"):
        watched(FakeWorld(refuses=0))


def test_the_test_of_an_iteration_is_kept_with_its_build() -> None:
    world = FakeWorld(
        (1.0, good("run1")), (2.0, good("run2")), (10.0, Woken((A,), 9.0)), (11.0, good("run3")),
        (12.0, Woken(ended=Ended("run4", 101, wall_s=0.7))),
    )  # fmt: skip
    watched(world, BUILD, TEST)
    assert world.kept == [{"run": "run3", "by": "watch", "test_run": "run4", "test_s": 0.7, "test_code": 101}]


# Files


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package's folder."""
    root = Path(os.path.realpath(tmp_path))
    for name, text in (("src/main.rs", "fn main() {}\n"), ("src/a.rs", "// a\n"), ("k/b.cu", "// b\n")):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return root


def eye_on(root: Path, *, trees: tuple[str, ...] = (), files: tuple[str, ...] = ("src/main.rs", "src/a.rs", "k/b.cu"),
           outputs: tuple[str, ...] = ()) -> WatchedFiles:  # fmt: skip
    inputs = Inputs(frozenset(str(root / name) for name in files), frozenset(str(root / name) for name in trees))
    found = WatchedFiles(inputs)
    found.watch(inputs, frozenset(str(root / name) for name in outputs))
    return found


def both(files: WatchedFiles, *paths: Path) -> tuple[str, ...]:
    """What is found by being told, which a look at everything must find as well."""
    return files.moved([str(path) for path in paths]).paths


def older(path: Path) -> None:
    """As an edit leaves it that was made some time ago."""
    os.utime(path, (1_000_000_000, 1_000_000_000))


def test_a_touch_without_change_is_no_change(tree: Path) -> None:
    files = eye_on(tree)
    older(tree / "src/a.rs")
    assert both(files, tree / "src/a.rs") == ()
    assert files.sweep().paths == ()


def test_a_change_is_found_whatever_its_time_says(tree: Path) -> None:
    files = eye_on(tree)
    (tree / "src/a.rs").write_text("// b\n")
    older(tree / "src/a.rs")
    assert both(files, tree / "src/a.rs") == (str(tree / "src/a.rs"),)
    assert both(files, tree / "src/a.rs") == ()


def test_a_file_that_an_editor_renames_over_another_is_a_change_of_that_one(tree: Path) -> None:
    files = eye_on(tree)
    new, old = tree / "src/.a.rs.x7", tree / "src/a.rs"
    new.write_text("// new\n")
    new.rename(old)
    assert both(files, new, old) == (str(old),)


@pytest.mark.parametrize("name", [".a.rs.swp", "4913", "a.rs~", ".#a.rs", "#a.rs#", "a.rs.tmp", "a.rs___jb_tmp___"])
def test_what_editors_leave_beside_a_file_is_no_source(tree: Path, name: str) -> None:
    files = eye_on(tree, trees=("src",))
    (tree / "src" / name).write_text("x")
    assert is_scratch(name)
    assert both(files, tree / "src" / name) == ()
    assert files.sweep().paths == ()


def test_a_new_source_beside_an_input_counts_and_so_does_its_end(tree: Path) -> None:
    files = eye_on(tree)
    new = tree / "src/new.rs"
    new.write_text("x")
    assert both(files, new) == (str(new),)
    new.unlink()
    assert both(files, new) == (str(new),)


def test_a_new_source_that_the_build_did_not_read_counts_once(tree: Path) -> None:
    files = eye_on(tree)
    new = tree / "k/extra.cu"
    new.write_text("x")
    assert both(files, new) == (str(new),)
    files.watch(Inputs(frozenset({str(tree / "k/b.cu")})), frozenset())
    assert both(files, new) == ()
    assert files.sweep().paths == ()


def test_of_other_new_files_only_those_in_a_folder_that_was_declared_count(tree: Path) -> None:
    files = eye_on(tree, trees=("k",))
    for folder in ("src", "k"):
        (tree / folder / "table.json").write_text("{}")
    assert files.sweep().paths == (str(tree / "k/table.json"),)


def test_what_was_there_and_nobody_read_starts_nothing_when_it_changes(tree: Path) -> None:
    unused = tree / "src/unused.rs"
    unused.write_text("x")
    files = eye_on(tree)
    unused.write_text("y")
    assert both(files, unused) == ()
    assert files.sweep().paths == ()


def test_a_file_that_is_awaited_counts_when_it_comes(tree: Path) -> None:
    files = eye_on(tree, files=("src/main.rs", "conf/later.toml"))
    (tree / "conf").mkdir()
    (tree / "conf/later.toml").write_text("x")
    assert files.sweep().paths == (str(tree / "conf/later.toml"),)


def test_new_folders_are_listened_to_and_their_sources_count(tree: Path) -> None:
    files = eye_on(tree)
    (tree / "src/net").mkdir()
    (tree / "src/net/mod.rs").write_text("x")
    change = files.moved([str(tree / "src/net")])
    assert change.paths == (str(tree / "src/net/mod.rs"),)
    assert change.has_folders
    assert str(tree / "src/net") in files.folders


def test_a_folder_that_goes_takes_its_files_along(tree: Path) -> None:
    files = eye_on(tree)
    (tree / "k/b.cu").unlink()
    (tree / "k").rmdir()
    assert both(files, tree / "k") == (str(tree / "k/b.cu"),)


def test_what_a_build_writes_is_not_watched(tree: Path) -> None:
    (tree / "target").mkdir()
    files = eye_on(tree, trees=("",), outputs=("target",))
    (tree / "target/gen.rs").write_text("x")
    assert both(files, tree / "target/gen.rs") == ()
    assert str(tree / "target") not in files.folders


def test_what_comes_while_something_is_built_is_the_builds_own_but_a_change_is_somebodys(tree: Path) -> None:
    files = eye_on(tree, trees=("k",), files=("src/main.rs", "k/awaited.cuh"))
    for name in ("k/made.cu", "src/made.rs", "k/awaited.cuh"):
        (tree / name).write_text("x")
    (tree / "out/CMakeFiles").mkdir(parents=True)
    (tree / "out/CMakeFiles/id.cpp").write_text("x")
    (tree / "src/main.rs").write_text("y")
    told = [str(path) for path in tree.rglob("*")]
    found = files.moved(told, is_building=True)
    assert found.paths == (str(tree / "k/awaited.cuh"), str(tree / "src/main.rs"))
    assert not found.has_folders
    assert files.sweep().paths == ()


def test_what_git_ignores_is_no_new_source(tree: Path) -> None:
    import subprocess

    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    (tree / ".gitignore").write_text("gen_*.rs\n")
    files = eye_on(tree, trees=("src",))
    for name in ("gen_a.rs", "made.rs"):
        (tree / "src" / name).write_text("x")
    assert files.sweep().paths == (str(tree / "src/made.rs"),)
    assert str(tree / "src/gen_a.rs") not in source_files(str(tree))


def test_what_builds_left_where_git_was_not_told_to_ignore_it_is_no_source(tree: Path) -> None:
    import subprocess

    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    for name in ("target/CACHEDIR.TAG", "target/debug/build/k-1/out/id.cu", "native/CMakeCache.txt", "native/kept.cu",
                 "native/new.cu"):  # fmt: skip
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).touch()
    subprocess.run(["git", "-C", str(tree), "add", "native/kept.cu"], check=True)
    found = {os.path.relpath(path, tree) for path in source_files(str(tree))}
    assert found & {"target/debug/build/k-1/out/id.cu", "native/kept.cu", "native/new.cu"} == {"native/kept.cu"}
    assert str(tree / "native/new.cu") in (git_files(str(tree)) or ()), "a copy has all of it"


def test_a_link_that_leads_elsewhere_is_watched_where_it_leads(tree: Path) -> None:
    real = tree / "shared/real.cuh"
    real.parent.mkdir()
    real.write_text("1")
    (tree / "k/link.cuh").symlink_to(real)
    files = eye_on(tree, files=("k/link.cuh",))
    assert str(real.parent) in files.folders
    real.write_text("2")
    assert files.sweep().paths == (str(tree / "k/link.cuh"),)


HOSTILE: dict[str, Callable[[Path], object]] = {
    "folder": lambda path: path.mkdir(),
    "pipe": lambda path: os.mkfifo(path),
    "ring": lambda path: path.symlink_to(path),
    "not there": lambda path: None,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_file_has_no_content(tmp_path: Path, what: str) -> None:
    path = tmp_path / "x.rs"
    HOSTILE[what](path)
    assert read_stamp(str(path)).digest == ""
    assert read_stamp(str(path) + "\0").digest == ""
    assert WatchedFiles(Inputs(frozenset((str(path),)), frozenset((str(path),)))).sweep().paths == ()


def test_of_two_looks_only_what_both_looked_at_can_differ(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    before = look([str(one)], {})
    two.write_text("2")
    one.write_text("3")
    assert changed(before, look([str(one), str(two)], before)) == (str(one),)
