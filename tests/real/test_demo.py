"""The demo as a newcomer runs it: real builds, no terminal."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core import sample
from core.paths import find_paths
from tests.fronts import lend_fronts
from tests.real.product import end, with_environ
from tui.cli.demo import prepare

NOON = 1_700_000_000.0
ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def ending(folder: Path) -> Iterator[Path]:
    """Nothing with its state below the folder lives on: builds of a demo are sessions of their own, which no Ctrl-C of
    the terminal reaches."""
    try:
        yield folder
    finally:
        while left := with_environ(f"XDG_STATE_HOME={folder}/"):
            for one in left:
                end(one, signal.SIGKILL)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Where a demo lives and ends."""
    with ending(tmp_path) as folder:
        yield folder


def small_sample(folder: Path) -> Path:
    """The sample with two types in each crate where it has dozens: the same crates, jobs and order of things, and a
    fraction of the compilers' time."""
    shutil.copytree(sample.FILES, folder)
    series = re.compile(r"(::series! \{(?:\s*\w+,){2})([\s\w,]*)\}")
    for path in folder.rglob("*.rs"):  # errors stay in their lines
        path.write_text(series.sub(lambda found: found[1] + "\n" * found[2].count("\n") + "}", path.read_text()))
    return folder


def environment(tmp_path: Path) -> dict[str, str]:
    lend_fronts(tmp_path / "c" / "cargo-deck")
    return {**os.environ, "XDG_STATE_HOME": str(tmp_path / "s"), "XDG_CACHE_HOME": str(tmp_path / "c")}


MAIN = "import sys; from core import sample; sample.FILES = {!r}; from tui.cli.main import main; sys.exit(main({!r}))"


def deck(tmp_path: Path, *words: str, files: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
    """One command to its end. `files`: another sample for a demo."""
    argv = [sys.executable, "-c", MAIN.format(files or sample.FILES, list(words))]
    env = {**environment(tmp_path), **more}
    return subprocess.run(
        argv, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=280
    )


def runs(tmp_path: Path) -> dict[str, dict[str, Any]]:
    return {run["agent"]: run for run in json.loads(deck(tmp_path, "ps", "--json", "--all").stdout)["runs"]}


LIGHT = {"CARGO_PROFILE_RELEASE_OPT_LEVEL": "0", "CARGO_PROFILE_DEV_DEBUG": "0"}
"""Neither optimized nor with debug information."""


@pytest.mark.long
@pytest.mark.parametrize("is_light", [True, False], ids=["light", "as it is"])
def test_the_demo_goes_as_planned_and_can_be_looked_at_afterwards(home: Path, *, is_light: bool) -> None:
    files = str(small_sample(home / "sample")) if is_light else ""
    done = deck(home, "demo", files=files, **(LIGHT if is_light else {}))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "As planned" in done.stdout
    assert "error[E0308]: mismatched types  crates/orchard-rules/src/lib.rs:18:22" in done.stdout
    assert re.search(r"waits    for (claude-1|ci)'s build", done.stdout), done.stdout  # whichever came first
    found = runs(home)
    found.pop("kernels", None)  # where there is an nvcc
    assert {agent: run["state"] for agent, run in found.items()} == {
        "claude-1": "done", "claude-2": "done", "codex": "failed", "ci": "done", "claude-5": "done",
    }  # fmt: skip
    assert {agent: run["errors"] for agent, run in found.items() if run["errors"]} == {"codex": 2}
    log = (home / "s" / "cargo-deck" / "runs" / found["claude-1"]["run"] / "out.log").read_bytes()
    passed = sum(line.startswith(b"test ") and b" ... " in line and b"ok" in line for line in log.splitlines())
    assert found["claude-1"]["tests"]["passed"] == passed > 10
    assert "E0425" in deck(home, "logs", "codex").stdout
    assert told_gain(done.stdout) == counted_gain(found["claude-5"]["cache"])
    deck(home, "cache", "stop")


def told_gain(shown: str) -> tuple[int, int]:
    """Hits and units of the last line but one, which names the seconds of both builds too."""
    line = shown.splitlines()[-2]
    told = re.fullmatch(
        r"claude-5 in a second checkout: (\d+) of (\d+) units came from the store, [\d.:]+( s)?"
        r"(; plain cargo took |: (slower|no faster) than plain cargo, which took )[\d.:]+( s)?\.",
        line,
    )
    assert told, line
    return int(told[1]), int(told[2])


def counted_gain(cache: dict[str, Any]) -> tuple[int, int]:
    """The same as the run's look-ups say: the eight shared crates are hits, all of them compiled by others."""
    (rust,) = cache["languages"]
    assert rust["hits_other"] == 8
    assert sum(source["hits"] for source in cache["sources"] if source["agent"] != "claude-5") == 8
    return rust["hits_other"], sum(rust[name] for name in rust if name != "language")


def test_ctrl_c_stops_the_builds_of_a_plain_demo(home: Path) -> None:
    argv = [sys.executable, "-m", "tui.cli.main", "demo", "--plain"]
    with subprocess.Popen(
        argv, cwd=ROOT, env=environment(home), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        starts = 0
        while starts < 4:
            line = demo.stdout.readline()
            assert line, "the demo ended before it had started four builds"
            starts += "  starts   " in line
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
    assert demo.returncode == 130
    deck(home, "wait", "claude-1", "claude-2", "codex", "ci")
    assert {run["state"] for run in runs(home).values()} == {"stopped"}


def test_what_a_demo_leaves_running_ends_with_its_test(tmp_path: Path) -> None:
    with ending(tmp_path):
        child = subprocess.Popen(["sleep", "60"], env=environment(tmp_path), start_new_session=True)
    assert child.wait(10) == -signal.SIGKILL


def test_a_cache_folder_that_cannot_be_written_is_a_sentence(home: Path) -> None:
    (home / "c").write_text("a file\n")
    done = deck(home, "demo")
    assert done.returncode == 125
    assert "cannot write the sample workspace" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (home / "s" / "cargo-deck" / "runs").exists()


def test_scratch_folders_go_after_a_day_unless_they_are_to_be_kept(tmp_path: Path) -> None:
    paths = find_paths(environment(tmp_path))
    old, kept = prepare(paths, NOON), prepare(paths, NOON + 1, keep=True)
    for folder in (old, kept):
        os.utime(folder, (NOON, NOON))
    new = prepare(paths, NOON + 86_500)
    assert {str(path) for path in Path(paths.cache, "demo").iterdir()} == {kept, new}


def test_without_cargo_the_recording_is_played(home: Path) -> None:
    done = deck(home, "demo", PATH="/nonexistent")
    assert done.returncode == 0, done.stderr
    assert "cargo was not found on PATH" in done.stderr
    assert "codex     failed   exit 101 · 2 errors" in done.stdout
