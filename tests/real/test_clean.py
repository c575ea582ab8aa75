"""`cargo deck clean` and `cargo clean` through the shim, with real cargo, real builds and a real CMake."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.attach import Reader
from core.clock import wall_clock
from core.paths import find_paths
from tests.real.product import COMMAND, Deck, plain_env, until
from tests.real.ptys import Answer, run_in_terminal, run_piped
from tui.cli.clean import main as clean_command
from tui.cli.clean_shown import cargo_size

_BUILD = """use std::process::Command;
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=native");
    if let Ok(gate) = std::env::var("GATE") {
        std::fs::write(format!("{gate}.reached"), "").unwrap();
        std::fs::read(gate).unwrap();
    }
    let out = std::env::var("OUT_DIR").unwrap();
    if std::path::Path::new("native/CMakeLists.txt").exists() {
        for words in [vec!["-S", "native", "-B", "native/build"], vec!["--build", "native/build"]] {
            let done = Command::new("cmake").args(&words).status().unwrap();
            assert!(done.success(), "cmake {words:?} failed");
        }
        println!("cargo:rustc-link-search=native=kern/native/build");
    }
    std::fs::write(out + "/table.rs", "pub const N: u32 = 3;").unwrap();
}
"""
_LISTS = """cmake_minimum_required(VERSION 3.18)
project(native LANGUAGES C)
add_library(native STATIC one.c)
"""


_FILES = {
    "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["kern", "app"]\n',
    "kern/Cargo.toml": '[package]\nname = "kern"\nversion = "0.1.0"\nedition = "2021"\n',
    "kern/build.rs": _BUILD,
    "kern/src/lib.rs": 'include!(concat!(env!("OUT_DIR"), "/table.rs"));\n',
    "kern/native/keep": "",
    "app/Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n'
    '[dependencies]\nkern = { path = "../kern" }\n',
    "app/src/main.rs": 'fn main() { println!("{}", kern::N); }\n',
}


def write_workspace(root: Path) -> Path:
    """Two packages; `kern` has a build script."""
    for name, text in _FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def workspace(deck: Deck) -> Path:
    """The packages, and nothing built."""
    return write_workspace(Path(deck.folder, "ws"))


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, built in each way; nobody changes it."""
    root = write_workspace(tmp_path_factory.mktemp("clean") / "ws")
    env = plain_env(str(root.parent)) | {"CARGO_PROFILE_DEV_DEBUG": "0"}
    for typed in (("build", "--release"), ("test", "--no-run"), ("build",), ("doc", "--no-deps", "-p", "kern")):
        subprocess.run(["cargo", *typed], cwd=root, env=env, capture_output=True, check=True)
    return root


@pytest.fixture
def built(deck: Deck, everything: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(everything, f"{deck.folder}/ws", symlinks=True))


def cargo(deck: Deck, cwd: Path, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """The machine's cargo alone."""
    return subprocess.run(
        ["cargo", *words], cwd=cwd, env={**deck.env, **env}, capture_output=True, text=True, check=False
    )


def removed_by(deck: Deck, workspace: Path, *words: str) -> tuple[int, str]:
    """Files that cargo removes, counted in a copy, and its own words (it has some files of a package twice)."""
    with tempfile.TemporaryDirectory(dir=deck.folder) as folder:
        twin = Path(shutil.copytree(workspace, f"{folder}/twin", symlinks=True))
        before = count_files(twin)
        done = cargo(deck, twin, "clean", *words)
        assert done.returncode == 0
        return before - count_files(twin), done.stderr.strip()


def count_files(workspace: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(workspace / "target"))


Foretell = Callable[..., Any]


@pytest.fixture
def foretell(deck: Deck, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Foretell:
    """Gives the loss that `cargo deck clean --dry-run --json` tells in a folder, without a process of its own."""
    for name, value in deck.env.items():
        monkeypatch.setenv(name, value)

    def tell(folder: Path, *words: str) -> Any:
        monkeypatch.chdir(folder)
        assert clean_command(["--dry-run", "--json", *words]) == 0
        return json.loads(capfd.readouterr().out)["loss"]

    return tell


def test_what_would_be_lost_is_what_cargo_would_remove(deck: Deck, everything: Path, foretell: Foretell) -> None:
    for line in ("", "--release", "--profile dev", "--doc", "-p kern", "-p kern --release", "--workspace"):
        words = line.split()
        loss = foretell(everything, *words)
        files, said = removed_by(deck, everything, *words)
        assert loss["files"] == files, words
        assert loss["bytes"] == sum(loss["kinds"].values()) > 0
        if "-p" in words or "--workspace" in words:
            assert loss["cargo_bytes"] is None
        else:
            assert said == f"Removed {files} files, {cargo_size(loss['cargo_bytes'])} total"
    whole = deck.json("clean", "--dry-run", "--json", cwd=str(everything))
    assert {"deps", "incremental", "build scripts", "docs"} <= {*whole["loss"]["kinds"]}
    said = subprocess.run(["du", "-s", "-B1", everything / "target"], capture_output=True, text=True, check=True).stdout
    folders = sum(os.stat(at).st_blocks * 512 for at, _, _ in os.walk(everything / "target"))
    assert whole["loss"]["bytes"] == int(said.split()[0]) - folders
    assert [one["command"] for one in whole["choices"]] == [
        "cargo deck clean --profile dev", "cargo deck clean --profile release", "cargo deck clean --doc",
        "cargo deck clean",
    ]  # fmt: skip
    assert (whole["cleaned"], (everything / "target/debug/app").exists()) == (None, True)


def test_seconds_come_from_the_history_and_the_packages_that_follow_are_told(
    deck: Deck, workspace: Path, foretell: Foretell
) -> None:
    path = start_held(deck, workspace)
    reader = Reader(find_paths(deck.env), wall_clock)
    until(lambda: next(iter(reader.poll().runs.values())).in_flight, 20, "the engine sees the script run")
    path.write_bytes(b"")
    until(lambda: all(run.ended_at is not None for run in reader.poll().runs.values()), 60, "the build is over")

    def told() -> Any:
        loss = foretell(workspace, "-p", "kern")
        return loss if loss["known_units"] else None

    loss = until(told, 20, "the engine has put the run into its history")
    lines = Path(deck.runs()[-1], "events.jsonl").read_text().splitlines()
    took = {
        event["name"]: event["elapsed_s"] for event in map(json.loads, lines) if event.get("event") == "UnitFinished"
    }
    assert (loss["units"], loss["after_units"]) == (3, 1)
    assert loss["after_s"] == took["app(bin)"], "null: the engine read of its begin and its end at once"
    assert 0 < loss["rebuild_s"] < 60


def shim_env(deck: Deck) -> dict[str, str]:
    return {**deck.env, "PATH": f"{deck.shim()}:{deck.env['PATH']}"}


def notes(deck: Deck) -> list[dict[str, Any]]:
    path = Path(deck.state, "cleans.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


_RARE = ("--release", "-n", "-q", "--help", "-v --doc", "--color always", "+stable clean")


@pytest.mark.parametrize(
    "words", ["", "-p kern", "-p nosuch --wrong", *(pytest.param(one, marks=pytest.mark.long) for one in _RARE)]
)
def test_without_a_terminal_the_shims_clean_is_cargos(deck: Deck, built: Path, words: str) -> None:
    env = shim_env(deck)
    twin = Path(shutil.copytree(built, f"{deck.folder}/twin", symlinks=True))
    line = f"cargo {words}" if words.startswith("+") else f"cargo clean {words}"
    ours = run_piped(line, cwd=str(built), env=env)
    theirs = run_piped(line, cwd=str(twin), env=deck.env)
    paths = str(twin).encode(), str(built).encode()
    assert (ours.status, ours.out, ours.err) == (theirs.status, theirs.out, theirs.err.replace(*paths))
    left = [sorted(str(path.relative_to(root)) for path in root.rglob("*")) for root in (built, twin)]
    assert left[0] == left[1]


@pytest.mark.long
def test_a_clean_is_noted_and_the_run_that_pays_for_it_says_so(deck: Deck, workspace: Path) -> None:
    env = shim_env(deck)
    for _ in range(2):
        assert deck.run("build", "--agent", "claude-1", cwd=str(workspace)).returncode == 0
        ended(deck, "claude-1")
        cleaned = run_piped("cargo clean", cwd=str(workspace), env=env)
        assert (cleaned.status, cleaned.out) == (0, b"")
        (removed,) = cleaned.err.decode().splitlines()
        assert removed.strip().startswith("Removed ")
    first, second = notes(deck)
    assert first["target_dir"] == str(workspace / "target")
    assert first["size_bytes"] > 1_000_000
    assert first["command"] == "cargo clean"
    assert first["units"] == second["units"] == 4
    assert second["seconds"] > 0
    for at in range(2):
        run = deck.run("build", "--detach", "--agent", "claude-1", cwd=str(workspace)).stdout.strip()
        row = ended(deck, run)
        assert ("cleaned-before" in [one["id"] for one in row["findings"]]) is (at == 0)
        assert row["state"] == "done"


def ended(deck: Deck, run: str) -> dict[str, Any]:
    """The run on the board when its journal says that it is over; `run`: an id, or an agent's newest one."""

    def over() -> Any:
        rows = deck.json("ps", "--json", "--all")["runs"]
        mine = [row for row in rows if run in (row["run"], row["agent"])]
        newest = max(mine, key=lambda row: str(row["run"]), default=None)
        return newest if newest and newest["ended_at"] is not None else None

    return dict(until(over, 60, f"{run} is over"))


def start_held(deck: Deck, workspace: Path) -> Path:
    """A build of claude-1 that is held up in its build script; the pipe that lets it go."""
    path = Path(deck.folder, "gate")
    os.mkfifo(path)
    done = deck.run("build", "--detach", "--agent", "claude-1", cwd=str(workspace), env={"GATE": str(path)})
    assert done.returncode == 0, done.stderr
    until(lambda: Path(f"{path}.reached").exists(), 60, "the build script runs")
    return path


def test_nothing_is_removed_while_somebody_builds_there(
    deck: Deck, workspace: Path, foretell: Foretell, capfd: pytest.CaptureFixture[str]
) -> None:
    path = start_held(deck, workspace)
    before = sorted(map(str, (workspace / "target").rglob("*")))
    done = deck.run("clean", "--yes", cwd=str(workspace))
    assert done.returncode == 1
    assert "claude-1: build builds in" in done.stderr
    assert foretell(workspace, "--yes")["files"] == sum(map(os.path.isfile, before))
    for words in (["--yes", "--release"], ["--yes", "--json"]):
        assert clean_command(words) == 1
        assert "claude-1: build builds in" in capfd.readouterr().err
    assert sorted(map(str, (workspace / "target").rglob("*"))) == before
    shim = shim_env(deck)
    waiting = subprocess.Popen(["cargo", "clean"], cwd=workspace, env=shim, stderr=subprocess.PIPE, text=True)
    assert waiting.stderr is not None
    assert waiting.stderr.readline() == f"cargo-deck: waits: claude-1: build builds in {workspace}/target\n"
    assert (workspace / "target").exists()
    path.write_bytes(b"")
    assert waiting.wait(60) == 0
    assert "Removed" in waiting.stderr.read()
    waiting.stderr.close()
    assert deck.json("wait", "claude-1", "--json")["code"] == 0
    assert not (workspace / "target").exists()


@pytest.mark.long
def test_who_builds_is_said_of_a_cargo_that_is_not_ours_too(deck: Deck, workspace: Path) -> None:
    path = Path(deck.folder, "gate")
    os.mkfifo(path)
    foreign = subprocess.Popen(["cargo", "build", "-q"], cwd=workspace, env={**deck.env, "GATE": str(path)})
    until(lambda: Path(f"{path}.reached").exists(), 60, "the build script runs")
    done = deck.run("clean", "--yes", cwd=str(workspace))
    assert done.returncode == 1
    assert f"process {foreign.pid}" in done.stderr
    path.write_bytes(b"")
    assert foreign.wait(60) == 0
    assert deck.run("clean", "--yes", cwd=str(workspace)).returncode == 0
    assert not (workspace / "target").exists()


@pytest.mark.long
def test_an_agents_own_target_dir_is_cleaned_and_the_others_left(deck: Deck, workspace: Path) -> None:
    path = start_held(deck, workspace)
    assert deck.run("build", "--agent", "claude-2", cwd=str(workspace)).returncode == 0
    path.write_bytes(b"")
    deck.run("wait", "claude-1")
    told = deck.json("clean", "--dry-run", "--json", "--agent", "claude-2", cwd=str(workspace))
    assert told["is_private"] is True
    private = Path(told["target_dir"])
    assert (private / "debug/app").exists()
    done = run_piped("cargo clean", cwd=str(workspace), env={**shim_env(deck), "AGENT_ID": "claude-2"})
    assert done.status == 0
    assert (private.exists(), (workspace / "target/debug/app").exists()) == (False, True)


def test_on_a_terminal_nothing_goes_before_a_number_is_typed(deck: Deck, built: Path) -> None:
    env = shim_env(deck)
    shown = run_in_terminal("cargo clean", cwd=str(built), env=env, answers=[Answer(b"none] ", b"\r")])
    assert shown.status == 0
    assert b"to compile it again: " in shown.out
    assert b"2  cargo deck clean --profile release" in shown.out
    assert (built / "target/release/app").exists()
    shown = run_in_terminal("cargo clean", cwd=str(built), env=env, answers=[Answer(b"none] ", b"2\r")])
    assert (shown.status, b"Removed" in shown.out) == (0, True)
    assert [(built / "target" / name).exists() for name in ("debug/app", "release")] == [True, False]
    shown = run_in_terminal(f"{COMMAND} clean --yes", cwd=str(built), env=env)
    assert (shown.status, (built / "target").exists()) == (0, False)
    shown = run_in_terminal(f"{COMMAND} clean", cwd=str(built), env=env)
    assert (shown.status, b"Which one?" in shown.out, b" 0 files" in shown.out.rpartition(b"Removed")[2]) == (
        0,
        False,
        True,
    )


@pytest.mark.long
def test_a_workspace_that_was_moved_is_mended_by_removing_one_folder(deck: Deck, workspace: Path) -> None:
    (workspace / "kern/native/CMakeLists.txt").write_text(_LISTS)
    (workspace / "kern/native/one.c").write_text("int one(void) { return 1; }\n")
    (workspace / ".gitignore").write_text("target\nbuild\n")
    assert deck.run("build", "--agent", "claude-1", cwd=str(workspace)).returncode == 0
    moved = Path(deck.folder, "moved")
    shutil.move(workspace, moved)
    (moved / "kern/native/one.c").write_text("int one(void) { return 2; }\n")
    broken = deck.run("build", "--agent", "claude-1", cwd=str(moved))
    assert "CMakeCache.txt" in broken.stderr
    assert broken.returncode == 101
    folder = moved / "kern/native/build"
    mend = f"cargo deck clean --cmake {folder}"
    row = ended(deck, "claude-1")
    assert [(one["id"], one["mend"]) for one in row["findings"]] == [("cmake-cache-stale", mend)]
    told = deck.json("clean", "--dry-run", "--json", cwd=str(moved))
    assert told["last_log"]["findings"][0]["mend"] == mend
    assert told["choices"][0]["command"] == mend
    assert told["choices"][0]["bytes"] < told["loss"]["bytes"]
    env = {**deck.env, "PATH": f"{os.path.dirname(COMMAND)}:{deck.env['PATH']}"}
    dry = run_piped("cargo deck clean --dry-run", cwd=str(moved), env=env).err.decode().splitlines()
    assert dry[0].startswith("cargo-deck: takes away ")
    assert dry[1].startswith("cargo-deck: The last log here (claude-1: build, ")
    assert dry[2].startswith(f"cargo-deck: {mend} takes ")
    assert dry[3].strip().startswith("Summary ")
    assert (folder.exists(), (moved / "target/debug").exists()) == (True, True)
    shown = run_in_terminal("cargo deck clean", cwd=str(moved), env=env, answers=[Answer(b"none] ", b"1\r")])
    assert shown.status == 0
    assert b"the build script of kern runs again" in shown.out
    assert not folder.exists()
    assert (moved / "target/debug").exists()
    again = deck.run("build", "--agent", "claude-1", cwd=str(moved))
    assert again.returncode == 0, again.stderr
    assert (folder / "libnative.a").exists()


@pytest.mark.long
def test_a_clean_of_one_cmake_folder_has_a_script_that_cargo_takes_for_done_run_again(
    deck: Deck, workspace: Path
) -> None:
    (workspace / "kern/build.rs").write_text(_BUILD.replace("native/build", "build"))
    (workspace / "kern/native/CMakeLists.txt").write_text(_LISTS)
    (workspace / "kern/native/one.c").write_text("int one(void) { return 1; }\n")
    assert deck.run("build", "--agent", "claude-1", cwd=str(workspace)).returncode == 0
    done = deck.run("clean", "--cmake", "kern/build", cwd=str(workspace))
    assert (done.returncode, "the build script of kern runs again" in done.stdout) == (0, True)
    assert not (workspace / "kern/build").exists()
    assert deck.run("build", "--agent", "claude-1", cwd=str(workspace)).returncode == 0
    assert (workspace / "kern/build/libnative.a").exists()
    for wrong in ("kern", "nosuch", "."):
        done = deck.run("clean", "--cmake", wrong, cwd=str(workspace))
        assert (done.returncode, "it is no build folder of CMake's" in done.stderr) == (2, True)


_STALE = """use std::process::Command;
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let out = std::env::var("OUT_DIR").unwrap();
    for line in ["cc -c one.c -o OUT/one.o", "ar crs OUT/libone.a OUT/one.o"] {
        assert!(Command::new("sh").args(["-c", &line.replace("OUT", &out)]).status().unwrap().success());
    }
    println!("cargo:rustc-link-search=native={out}");
    println!("cargo:rustc-link-lib=static=one");
    std::fs::write(out + "/table.rs", "pub const N: u32 = 3;").unwrap();
}
"""


@pytest.mark.long
def test_a_symbol_whose_source_was_not_compiled_again_is_mended_by_cleaning_that_package(
    deck: Deck, workspace: Path
) -> None:
    (workspace / "kern/build.rs").write_text(_STALE)
    (workspace / "kern/one.c").write_text("int one(void) { return 1; }\n")
    assert deck.run("build", "--agent", "claude-1", cwd=str(workspace)).returncode == 0
    main = 'unsafe extern "C" { fn launch_two() -> i32; }\nfn main() { println!("{}", unsafe { launch_two() }); }\n'
    (workspace / "app/src/main.rs").write_text("use kern as _;\n" + main)
    (workspace / "kern/one.c").write_text("int one(void) { return 1; }\nint launch_two(void) { return 2; }\n")
    assert deck.run("build", "--agent", "claude-1", cwd=str(workspace)).returncode == 101
    (found,) = ended(deck, "claude-1")["findings"]
    assert (found["id"], found["mend"]) == ("undefined-symbol", "cargo deck clean -p kern")
    assert "launch_two" in found["title"]
    places = [one["place"] for one in found["evidence"]]
    assert str(workspace / "kern/one.c") in places
    assert places[-1].endswith(("/libone.a", "/one.o"))
    done = deck.run(*found["mend"].split()[2:], "--yes", "--agent", "claude-1", cwd=str(workspace))
    assert done.returncode == 0, done.stderr
    done = deck.run("run", "--agent", "claude-1", cwd=str(workspace))
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr
    (workspace / "kern/one.c").write_text("int one(void) { return 1; }\n")
    deck.run("clean", "-p", "kern", "--yes", cwd=str(workspace))
    assert deck.run("build", "--agent", "claude-1", cwd=str(workspace)).returncode == 101
    by_id = {one["id"]: one["mend"] for one in ended(deck, "claude-1")["findings"]}
    assert by_id == {"undefined-symbol": "", "cleaned-before": ""}
