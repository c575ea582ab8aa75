"""What a clean would lose, what asks for it, and what is noted of it: without cargo."""

import json
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from core.errors import StateError, UsageError
from core.events import RunStarted
from core.facts import read_record
from core.history import History
from core.native.cleans import clean, clean_notes, cmake_folder
from core.native.cleans.clean_words import name_of, read_words
from core.native.cleans.loss import Loss, Scope, Unit, contents_of, loss_of
from core.native.cleans.rebuild import Rebuild, dependants, profile_of, rebuild_of, seconds_in
from core.paths import Paths
from core.plan.plan import Finding
from core.run.target import Target
from tests.core.engine_world import World, settle
from tests.core.test_native_failures import make_script_run
from tui.cli import clean_shown

RUN = "20260101-000000-000-000{}"


@pytest.mark.parametrize(
    ("line", "cargos", "packages", "profile", "is_whole"),
    [
        ("", "", (), "", True),
        ("--yes --json -q", "-q", (), "", True),
        ("-p app --package=kern@1.2 -pdeep --agent a", "-p app --package=kern@1.2 -pdeep", ("app", "kern", "deep"), "",
         False),
        ("-r", "-r", (), "release", False),
        ("--profile dev", "--profile dev", (), "debug", False),
        ("--profile=bench", "--profile=bench", (), "release", False),
        ("--profile mine", "--profile mine", (), "mine", False),
        ("--doc --target x86 --target-dir /t", "--doc --target x86 --target-dir /t", (), "", False),
        ("--cmake=/w/build --dry-run", "--dry-run", (), "", False),
        ("--workspace -vv", "--workspace -vv", (), "", False),
    ],
)  # fmt: skip
def test_the_words_of_a_clean_are_taken_apart(
    line: str, cargos: str, packages: tuple[str, ...], profile: str, is_whole: bool
) -> None:
    words = read_words(line.split())
    assert " ".join(words.cargos) == cargos
    assert (words.packages, words.profile, words.is_whole, words.is_known) == (packages, profile, is_whole, True)


@pytest.mark.parametrize(
    "line",
    ["-p", "--wrong", "build", "-p --doc", "--profile", "--cmake", "--doc=x y", "+stable", "yes", "doc", "cmake build",
     "package app", "-=x"],
)  # fmt: skip
def test_what_only_cargo_can_explain_is_left_to_cargo(line: str) -> None:
    assert not read_words(line.split()).is_known


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("serde", "serde"), ("serde@1.0", "serde"), ("serde:1.0.3", "serde"), ("path+file:///w/app#0.1.0", "app"),
        ("path+file:///w/dir#app@0.1.0", "app"), ("registry+https://github.com/x/index#serde@1.0.1", "serde"),
        ("https://x/serde", "serde"), ("", ""), ("#", ""),
    ],
)  # fmt: skip
def test_a_package_id_names_its_package(spec: str, name: str) -> None:
    assert name_of(spec) == name


def fill(root: Path, sizes: dict[str, int]) -> Path:
    for name, size in sizes.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    return root


_A, _B, _C = "a" * 16, "b" * 16, "c" * 16
TARGET = {
    f"debug/.fingerprint/app-{_A}/bin-app-tool.json": 10,
    f"debug/.fingerprint/my-kern-{_B}/lib-my_kern.json": 10,
    f"debug/.fingerprint/my-kern-{_C}/run-build-script-build-script-build.json": 10,
    f"debug/deps/app_tool-{_A}": 90_000,
    f"debug/deps/libmy_kern-{_B}.rlib": 50_000,
    f"debug/deps/my_kern-{_B}.d": 100,
    f"debug/build/my-kern-{_C}/out/libk.a": 40_000,
    f"debug/build/my-kern-{_C}/output": 100,
    "debug/incremental/my_kern-1zz/s-1/x.bin": 30_000,
    "debug/incremental/build_script_build-1zz/s-1/x.bin": 30_000,
    "debug/.cargo-lock": 0,
    "release/.fingerprint/app-dddddddddddddddd/lib-app.json": 10,
    "doc/app/index.html": 20_000,
    "tmp/x": 10,
    "CACHEDIR.TAG": 10,
}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A target dir as cargo leaves it, with a program that is a link to what lies in deps."""
    root = fill(tmp_path / "target", TARGET)
    os.link(root / f"debug/deps/app_tool-{_A}", root / "debug/app-tool")
    return root


def test_files_count_for_what_they_are_and_whose(target: Path) -> None:
    contents = contents_of(str(target))
    whole = loss_of(contents, Scope())
    assert whole.files == len(TARGET) + 1
    assert whole.size_bytes == sum(
        path.stat().st_blocks * 512 for path in target.rglob("*") if path.is_file() and path.name != "app-tool"
    )
    assert whole.cargo_bytes == sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    kinds = dict(whole.kinds)
    assert kinds["deps"] >= 140_000
    assert kinds["incremental"] >= 60_000
    assert kinds["build scripts"] >= 40_000
    assert kinds["docs"] >= 20_000
    assert "programs" not in kinds  # a link takes nothing
    assert [unit.name for unit in whole.units] == ["app-tool(bin)", "my-kern", "my-kern(build)", "app"]
    kern = loss_of(contents, Scope(packages=frozenset({"my-kern"}), profiles=frozenset({"debug"})))
    assert [unit.name for unit in kern.units] == ["my-kern", "my-kern(build)"]
    assert (kern.files, kern.cargo_bytes) == (7, None)
    assert 30_000 <= dict(kern.kinds)["incremental"] < 60_000
    assert loss_of(contents, Scope(is_doc=True)) == Loss((("docs", kinds["docs"]),), 1, (), True, 20_000)
    assert loss_of(contents, Scope(profiles=frozenset({"release"}))).files == 1
    assert loss_of(contents, Scope(kind="incremental")).size_bytes == kinds["incremental"]


def test_the_folders_of_a_named_target_and_of_newer_cargos_are_read_too(tmp_path: Path) -> None:
    fill(tmp_path, {f"x86_64-unknown-linux-gnu/release/.fingerprint/app-{_A}/test-lib-app.json": 1})
    fill(tmp_path, {f"debug/build/kern/{_B}/fingerprint/lib-kern.json": 1, f"debug/build/kern/{_B}/out/k.rlib": 9000})
    fill(tmp_path, {"debug/incremental/x-1/y": 1})
    contents = contents_of(str(tmp_path))
    assert contents.units == (
        Unit("debug", "kern", "kern", "kern", _B),
        Unit("x86_64-unknown-linux-gnu/release", "app", "app(test)", "app", _A),
    )
    kern = loss_of(contents, Scope(packages=frozenset({"kern"})))
    assert kern.files == 2
    assert [kind for kind, _ in kern.kinds] == ["deps"]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("lib-my_app", "my-app"), ("bin-tool", "tool(bin)"), ("test-lib-my_app", "my_app(test)"),
        ("test-bin-tool", "tool(bin test)"), ("test-integration-test-it", "it(test)"), ("example-e", "e(example)"),
        ("bench-b", "b(bench)"), ("test-example-e", "e(example test)"), ("doc-lib-my_app", "my-app(doc)"),
        ("build-script-build-script-build", "my-app(build.rs)"),
        ("run-build-script-build-script-build", "my-app(build)"),
    ],
)  # fmt: skip
def test_units_are_called_as_cargo_calls_them(tmp_path: Path, name: str, unit: str) -> None:
    fill(tmp_path, {f"debug/.fingerprint/my-app-{_A}/{name}.json": 1, f"debug/.fingerprint/my-app-{_A}/dep-x": 1})
    assert [one.name for one in contents_of(str(tmp_path)).units] == [unit]


def test_a_look_that_takes_too_long_says_at_least(target: Path) -> None:
    fill(target, {f"debug/deps/f{n}": 1 for n in range(600)})
    contents = contents_of(str(target), has_time=lambda: False)
    loss = loss_of(contents, Scope())
    assert not loss.is_whole
    assert 0 < loss.files < 600


def test_hostile_target_dirs_are_looked_at_without_harm(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "debug").mkdir()
    (tmp_path / "debug/.fingerprint").write_text("a file")
    os.mkfifo(tmp_path / "pipe")
    deep = tmp_path
    for _ in range(100):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (tmp_path / os.fsdecode(b"\xff\xfe")).write_text("x")
    assert loss_of(contents_of(str(tmp_path)), Scope()).files == 4
    for nothing in ("/nonexistent", str(tmp_path / "pipe"), "a\0b"):
        assert loss_of(contents_of(nothing), Scope()) == Loss()


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Runs of /w: a dev build, a check that is newer, a release build."""
    path = tmp_path / "history.sqlite"
    History(str(path)).close()
    rows = [
        (1, "build -p x", "build", {"app": 8.0, "kern": 2.0}),
        (2, "build", "build", {"kern": 3.0}),
        (3, "check", "check", {"app": 1.0, "leaf": 0.5}),
        (4, "build --release", "build", {"app": 20.0}),
    ]
    with sqlite3.connect(path) as db:
        for at, command, subcommand, crates in rows:
            columns = "INSERT INTO runs (run, checkout, tool, command, subcommand, started)"
            db.execute(f"{columns} VALUES (?, '/w', 'cargo', ?, ?, ?)", (str(at), command, subcommand, float(at)))
            db.executemany("INSERT INTO crates VALUES (?, ?, ?)", [(str(at), *one) for one in crates.items()])
    return path


def units(*names: str, profile: str = "debug") -> list[Unit]:
    return [Unit(profile, name, name, name, f"{at:016x}") for at, name in enumerate(names)]


def test_seconds_are_those_of_the_last_time_a_unit_was_compiled(history: Path) -> None:
    seconds = seconds_in(str(history), "/w")
    assert seconds == {("debug", "kern"): 3.0, ("debug", "app"): 8.0, ("debug", "leaf"): 0.5, ("release", "app"): 20.0}
    assert rebuild_of(units("app", "kern", "new"), seconds) == Rebuild(11.0, 2, 3)
    assert rebuild_of(units("app", profile="x86/release"), seconds) == Rebuild(20.0, 1, 1)
    assert rebuild_of(units("new"), seconds) == Rebuild(None, 0, 1)
    assert rebuild_of([], seconds) == Rebuild()


@pytest.mark.parametrize("content", [None, b"", b"no database", b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_history_that_cannot_be_read_knows_nothing(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "h"
    if content is not None:
        path.write_bytes(content)
    assert seconds_in(str(path), "/w") == {}
    assert path.exists() is (content is not None)


@pytest.mark.parametrize(
    ("command", "subcommand", "profile"),
    [("build", "build", "debug"), ("b -r", "build", "release"), ("build --profile=mine", "build", "mine"),
     ("test --profile dev", "test", "debug"), ("bench", "bench", "release"), ("run -- --release", "run", "debug")],
)  # fmt: skip
def test_the_profile_of_a_command_is_known(command: str, subcommand: str, profile: str) -> None:
    assert profile_of(command, subcommand) == profile


def test_all_that_needs_a_package_is_compiled_again_with_it() -> None:
    needs = {("a", "1"): [("b", "1")], ("b", "1"): [("c", "1"), ("c", "2")], ("c", "1"): [("b", "1")], ("d", "1"): []}
    assert dependants(["b"], needs) == {"a", "c"}
    assert dependants(["d"], needs) == frozenset()
    assert dependants(["c"], needs) == {"a", "b"}


def project(root: Path) -> Path:
    return fill(root, {"build/CMakeCache.txt": 10, "build/CMakeFiles/x": 10, "build/libx.a": 5000})


def test_a_cmake_folder_goes_as_a_whole_and_the_script_that_made_it_runs_again(tmp_path: Path) -> None:
    library = make_script_run(tmp_path, "int x;\n")
    project(library.parent)
    project(tmp_path / "kern")
    project(tmp_path / "elsewhere")
    notes = tmp_path / "target/debug/.fingerprint/kern-0a/run-build-script-build-script-build.json"
    for folder, scripts in ((library.parent / "build", ("kern",)), (tmp_path / "kern/build", ("kern",)),
                            (tmp_path / "elsewhere/build", ())):  # fmt: skip
        marked = cmake_folder.mark(
            str(folder), cwd=str(tmp_path), target_dir=str(tmp_path / "target"), checkout=str(tmp_path)
        )
        assert (marked.paths, marked.scripts) == ((str(folder),), scripts)
        assert marked.fingerprints == ((str(notes),) if scripts else ())
    cmake_folder.remove(cmake_folder.mark("kern/build", cwd=str(tmp_path), target_dir=str(tmp_path / "target"),
                                          checkout=str(tmp_path)))  # fmt: skip
    assert not (tmp_path / "kern/build").exists()
    assert not notes.exists()
    assert library.exists()


@pytest.mark.parametrize("source", ["CMakeLists.txt", "Cargo.toml", ".git"])
def test_where_sources_lie_beside_the_cache_only_cmakes_notes_go(tmp_path: Path, source: str) -> None:
    folder = project(tmp_path) / "build"
    (folder / source).write_text("")
    marked = cmake_folder.mark(str(folder), cwd=str(folder), target_dir="", checkout=str(folder))
    cmake_folder.remove(marked)
    assert sorted(path.name for path in folder.iterdir()) == sorted([source, "libx.a"])


def test_a_cmake_folder_around_its_sources_or_with_files_of_git_is_not_removed(tmp_path: Path) -> None:
    folder = project(tmp_path) / "build"
    whole = {"cwd": str(tmp_path), "target_dir": "", "checkout": str(tmp_path)}
    assert cmake_folder.mark("build", **whole).paths == (str(folder),)
    (folder / "mine").mkdir()
    (folder / "mine/k.cu").write_text("")
    for argv in (["init", "-q"], ["add", "-f", "build/mine/k.cu"]):
        subprocess.run(["git", "-C", str(tmp_path), *argv], check=True)
    notes = (str(folder / "CMakeCache.txt"), str(folder / "CMakeFiles"))
    assert cmake_folder.mark("build", **whole).paths == notes
    shutil.rmtree(tmp_path / ".git")
    (folder / "CMakeCache.txt").write_text(f"CMAKE_HOME_DIRECTORY:INTERNAL={folder}/mine\n")
    marked = cmake_folder.mark("build", **whole)
    assert marked.paths == notes
    target = Target(str(tmp_path / "target"), "default", "")
    here = clean.Here(read_words([]), str(tmp_path), {}, "a", str(tmp_path), target)
    figures = clean.Figures(Paths(str(tmp_path / "s"), str(tmp_path / "c")), here)
    whole_bytes = sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
    assert 0 < figures.choice(("--cmake", str(folder))).loss.size_bytes < whole_bytes
    cmake_folder.remove(marked)
    assert (folder / "mine/k.cu").exists()


def test_a_folder_that_one_works_in_or_that_is_none_of_cmakes_stays(tmp_path: Path) -> None:
    folder = project(tmp_path) / "build"
    (folder / "deep").mkdir()
    for place in ({"cwd": str(folder / "deep")}, {"checkout": str(folder / "deep")}, {"target_dir": str(folder)}):
        where = {"cwd": str(tmp_path), "target_dir": "", "checkout": "", **place}
        with pytest.raises(UsageError, match="is around this folder"):
            cmake_folder.mark(str(folder), **where)
    for wrong in (str(tmp_path), "/nonexistent", "/", "a\nb"):
        with pytest.raises(UsageError, match="no build folder of CMake's"):
            cmake_folder.mark(wrong, cwd=str(tmp_path), target_dir="", checkout="")


def test_a_link_to_a_cmake_folder_means_that_folder(tmp_path: Path) -> None:
    folder = project(tmp_path / "real") / "build"
    (tmp_path / "link").symlink_to(folder)
    cmake_folder.remove(cmake_folder.mark("link", cwd=str(tmp_path), target_dir="", checkout=str(tmp_path)))
    assert not folder.exists()


def test_what_cannot_be_removed_is_a_sentence(tmp_path: Path) -> None:
    gone = cmake_folder.Marked(str(tmp_path), (str(tmp_path / "nothing"),), (), ())
    with pytest.raises(StateError, match=r"cannot remove .*nothing: No such file"):
        cmake_folder.remove(gone)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(str(tmp_path / "state"), str(tmp_path / "cache"))


def noted(at: float = 10.0, **more: Any) -> clean_notes.Clean:
    known: dict[str, Any] = {
        "at": at, "agent": "a", "target_dir": "/w/target", "command": "cargo clean", "size_bytes": 3_200_000_000,
        "is_whole": True, "units": 214, "seconds": 95.4,
    }  # fmt: skip
    return clean_notes.Clean(**{**known, **more})


def test_notes_are_read_as_written_without_credentials_and_bounded(paths: Paths) -> None:
    first = noted(asked_for=("no-rule",))
    clean_notes.note(paths, first, {})
    clean_notes.note(paths, noted(command="cargo clean --config x.token=swordfish"), {"MY_TOKEN": "swordfish"})
    assert clean_notes.read(paths)[0] == first
    assert "swordfish" not in Path(paths.state, "cleans.jsonl").read_text()
    for at in range(2000):
        clean_notes.note(paths, noted(float(at)), {})
    assert clean_notes.read(paths)[-1].at == 1999.0
    assert os.stat(paths.state + "/cleans.jsonl").st_size < 70_000
    assert os.stat(paths.state + "/cleans.jsonl").st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "line",
    ["", "x", "{}", "[]", "null", '{"at": "x"}', json.dumps({**noted()._asdict(), "asked_for": 4}), "[" * 100_000],
)
def test_notes_that_are_none_of_ours_are_left_out(paths: Paths, line: str) -> None:
    os.makedirs(paths.state)
    Path(paths.state, "cleans.jsonl").write_text(line[:60_000] + "\n")
    assert clean_notes.read(paths) == []
    clean_notes.note(paths, noted(), {})
    assert clean_notes.read(paths) == [noted()]


def test_a_clean_is_told_to_the_first_run_after_it_there_alone(tmp_path: Path) -> None:
    world = World(tmp_path)
    engine = world.engine()
    clean_notes.note(world.paths, noted(world.clock.wall_s + 10, seconds=None, is_whole=False), {})
    told = []
    for number, (wait_s, target) in enumerate([(0, "/w/target"), (30, "/other"), (5, "/w/target"), (5, "/w/target")]):
        world.clock.advance(wait_s)
        run = RUN.format(number)
        world.start(run, target_dir=target)
        settle(engine)
        told.append([one.title for one in world.board_run(run).findings if one.id == clean_notes.CLEANED])
        world.end(run)
        settle(engine)
    world.close()
    assert told == [[], [], ["a cleaned here 25 s before: more than 3.2 GB"], []]


def test_the_finding_says_what_was_lost_and_whether_something_asked_for_it() -> None:
    found = clean_notes.finding_of(noted(), 10.0 + 7300)
    assert (found.severity, found.title) == ("warning", "a cleaned here 2 h before: 3.2 GB")
    assert found.cost == (
        "214 units are made again, 95 s of compiling when it was made last; nothing in the log before it asked for it"
    )
    assert clean_notes.finding_of(noted(asked_for=("no-rule",)), 10.0).severity == "hint"


def test_no_run_pays_for_a_clean_that_took_no_unit(paths: Paths) -> None:
    started = RunStarted(
        20.0, RUN.format(1), "a", "build", "cargo", "build", "/w", "/w", "/w/target", False, False, False
    )
    clean_notes.note(paths, noted(units=0), {})
    assert clean_notes.findings_for(paths, started) == ()
    clean_notes.note(paths, noted(11.0), {})
    assert [one.id for one in clean_notes.findings_for(paths, started)] == [clean_notes.CLEANED]


def test_what_many_others_built_since_hides_no_run(paths: Paths) -> None:
    """The one that paid for a clean, and the last one of a target dir."""

    def record(number: int, target_dir: str) -> RunStarted:
        run = f"20260101-000000-{number:03d}-0000"
        os.makedirs(paths.run(run))
        fields = {"run": run, "started": 20.0 + number, "tool": "cargo", "checkout": "/w", "target_dir": target_dir}
        Path(paths.run(run), "run.json").write_text(json.dumps(fields))
        found = read_record(paths, run)
        assert found is not None
        return found.started

    clean_notes.note(paths, noted(), {})
    record(0, "/w/target")
    for number in range(1, 300):
        record(number, "/other/target")
    assert clean_notes.paid_by(paths, record(300, "/w/target")) is None
    shutil.rmtree(paths.run("20260101-000000-300-0000"))
    last = clean.last_log(paths, here(Path("/w/target")))
    assert last is not None
    assert last.run == "20260101-000000-000-0000"


def here(target_dir: Path, line: str = "") -> clean.Here:
    words = read_words(line.split())
    return clean.Here(words, "/", {}, "claude-1", str(target_dir.parent), Target(str(target_dir), "default", ""))


def finding(mend: str, title: str = "stale") -> Finding:
    return Finding("cmake-cache-stale", "error", title, mend=mend)


def test_the_smallest_way_that_mends_comes_first_and_what_was_typed_last(target: Path, paths: Paths) -> None:
    project(target.parent / "native")
    smallest = f"cargo deck clean --cmake {target.parent}/native/build"
    mends = finding("cargo deck clean -p my-kern", "one"), finding(smallest, "two"), finding("export PATH=x", "three")
    last = clean.LastLog("r", "a", "build", 0.0, mends)
    ways = clean.choices_of(clean.Figures(paths, here(target)), here(target), last)
    assert [(one.command.removeprefix("cargo deck clean"), one.mends) for one in ways] == [
        (f" --cmake {target.parent}/native/build", "two"), (" -p my-kern", "one"), (" --profile dev", ""),
        (" --profile release", ""), (" --doc", ""), ("", ""),
    ]  # fmt: skip
    assert ways[0].loss.files == 3
    typed = here(target, "-p my-kern -v")
    ways = clean.choices_of(clean.Figures(paths, typed), typed, last)
    assert [one.words for one in ways] == [("--cmake", f"{target.parent}/native/build"), ("-p", "my-kern")]
    assert ways[-1].mends == "one"
    assert clean.choices_of(clean.Figures(paths, here(target, "--doc")), here(target, "--doc"), None)[0].words == (
        "--doc",
    )


@pytest.mark.parametrize(
    ("mend", "words"),
    [
        ("cargo deck clean -p kern", ("-p", "kern")),
        ("cargo deck clean --cmake /w/build", ("--cmake", "/w/build")),
        ("cargo deck clean --cmake '/w/a b'", ("--cmake", "/w/a b")),
        ("cargo clean -p kern", ("-p", "kern")),
        ("cargo clean, then build without target-cpu", ()),
        ("cargo deck clean", ()),
        ("cargo deck clean ", ()),
        ("cargo deck clean --wrong", ()),
        ("cargo deck clean -p 'x", ()),
        ("cargo deck clean --doc", ()),
        ("rm -rf /", ()),
        ("", ()),
    ],
)
def test_only_a_mend_that_is_a_small_clean_is_one(mend: str, words: tuple[str, ...]) -> None:
    assert clean.mend_words(finding(mend)) == words


def test_the_last_log_of_the_target_dir_is_read_with_what_it_asks_for(tmp_path: Path) -> None:
    world = World(tmp_path)
    data = Path(__file__).parents[1] / "data/native"
    for number, (name, target_dir) in enumerate(
        [("cargo-arch", "/w/target"), ("cargo-no-rule", "/w/target"), ("cargo-header", "/elsewhere")]
    ):
        world.start(RUN.format(number), target_dir=target_dir)
        world.write(RUN.format(number), (data / f"{name}.log").read_bytes())
        world.end(RUN.format(number))
    world.start(RUN.format(9), checkout="/other")
    place = here(Path("/w/target"))
    last = clean.last_log(world.paths, place)
    assert last is not None
    assert (last.run, [(one.id, one.mend) for one in last.findings]) == (
        RUN.format(1), [("no-rule", "cargo deck clean -p worker-kernels")]
    )  # fmt: skip
    assert clean.last_log(world.paths, here(Path("/nowhere/target"))) is None
    world.close()


def test_who_builds_there_is_named_and_a_program_that_runs_is_nobody(tmp_path: Path) -> None:
    world = World(tmp_path)
    folder = tmp_path / "t"
    folder.mkdir()
    world.start(RUN.format(1), target_dir=str(folder), command="test -p x", subcommand="test", agent="claude-1")
    world.start(RUN.format(2), target_dir=str(folder), subcommand="run", agent="claude-2")
    world.start(RUN.format(3), target_dir="/w/target", agent="claude-3")
    (tmp_path / "link").symlink_to(folder)
    assert clean.users_of(world.paths, here(tmp_path / "link"), 0.0) == ("claude-1: test -p x",)
    apart = here(tmp_path / "elsewhere")._replace(build_dir=str(folder))
    assert clean.users_of(world.paths, apart, 0.0) == ("claude-1: test -p x",)
    world.end(RUN.format(1))
    assert clean.users_of(world.paths, here(folder), 0.0) == ()
    world.close()


def test_tools_that_work_in_a_cmake_folder_are_named_and_a_shell_that_stands_there_is_not(tmp_path: Path) -> None:
    for pid, name, cwd in (("7", "ninja", "/w/build"), ("8", "bash", "/w/build"), ("9", "cc1", "/w/build/deep"),
                           ("10", "ninja", "/w/builder"), ("x", "ninja", "/w/build")):  # fmt: skip
        fill(tmp_path, {f"{pid}/comm": 0})
        (tmp_path / pid / "comm").write_text(name + "\n")
        (tmp_path / pid / "cwd").symlink_to(cwd)
    (tmp_path / "11").mkdir()
    assert clean.workers_in("/w/build", str(tmp_path)) == ("process 7: ninja", "process 9: cc1")


def test_a_build_dir_that_is_set_apart_counts(target: Path, tmp_path: Path, paths: Paths) -> None:
    apart = fill(tmp_path / "apart", {f"debug/.fingerprint/app-{_A}/lib-app.json": 1, "debug/deps/x": 5000})
    both = clean.Figures(paths, here(target)._replace(build_dir=str(apart))).choice(())
    alone = clean.Figures(paths, here(target)).choice(())
    assert both.loss.files == alone.loss.files + 2


def test_private_dirs_are_those_whose_note_names_the_checkout(paths: Paths) -> None:
    for name, checkout in (("a@1", "/w"), ("b@2", "/w"), ("a@3", "/other")):
        os.makedirs(f"{paths.targets}/{name}/target")
        Path(paths.targets, name, "checkout").write_text(checkout + "\n")
    os.makedirs(f"{paths.targets}/c@4/target")
    assert list(clean_shown.others(clean.private_dirs(paths, "/w")))[1] == (
        "b has a target dir of its own here, which stays: cargo deck clean --agent b"
    )
    assert [*clean.private_dirs(paths, "/w")] == [f"{paths.targets}/a@1/target", f"{paths.targets}/b@2/target"]


def test_what_is_said_has_each_figure_and_a_dash_where_it_is_not_known() -> None:
    loss = Loss((("deps", 1_900_000_000), ("docs", 40_000_000)), 8312, tuple(units("a", "b")), is_whole=False)
    typed = clean.Choice((), loss, Rebuild(250.0, 180, 214), Rebuild(None, 0, 3))
    last = clean.LastLog("r", "claude-1", "build", 0.0, (finding("cargo deck clean -p x"), finding("", "\x1b[2Jother")))
    said = list(clean_shown.lines("/w/target", typed, last, 0.0))
    assert said[:4] == [
        "/w/target", "  deps    1.9 G", "  docs     40 M",
        "  in all at least 1.9 G on the disk in 8312 files; to compile it again: 4:10 (180 of 214 units known), "
        "and what needs it: – (3 units)",
    ]  # fmt: skip
    assert "asks for one:" in said[4]
    assert said[5:] == ["  stale", "  A clean does not mend: other"]
    assert list(clean_shown.lines("x", typed, None, 0.0))[-1].startswith("No log of a build here")
    counted = list(clean_shown.lines("x", typed._replace(loss=loss._replace(cargo_bytes=3_600_000_000)), None, 0.0))
    assert counted[4] == "  cargo will say 3.4GiB: the length of each file, hard links each time"
    quiet = list(clean_shown.lines("x", typed, last._replace(findings=()), 0.0))
    assert quiet[-1].endswith("asks for a clean.")


def test_the_newest_clean_counts_and_its_record_is_read_with_care(paths: Paths) -> None:
    assert read_record(paths, "x") is None
    clean_notes.note(paths, noted(1.0), {})
    clean_notes.note(paths, noted(2.0, units=3), {})
    started = RunStarted(
        20.0, RUN.format(1), "a", "build", "cargo", "build", "/w", "/w", "/w/target", False, False, False
    )
    paid = clean_notes.paid_by(paths, started)
    assert paid is not None
    assert (paid.at, paid.units) == (2.0, 3)
