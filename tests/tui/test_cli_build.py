"""Which words of a command line are ours, and what becomes of a mode that cannot be had."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.paths import Paths
from core.runs import run_ids
from tests.core.runs import DEADLINE_S
from tests.tui.commands import user_folders
from tui.cli.build import split_own

ROOT = Path(__file__).parents[2]


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """Folders of one user, in a crate with an alias, beside a cargo that says with what it was called."""
    found = user_folders(tmp_path, monkeypatch)
    (tmp_path / "ws" / "src").mkdir(parents=True)
    (tmp_path / "ws" / ".cargo").mkdir()
    (tmp_path / "ws" / ".cargo" / "config.toml").write_text('[alias]\nxt = "run -p a --"\nbb = "build"\n')
    (tmp_path / "ws" / "Cargo.toml").write_text('[package]\nname = "a"\nversion = "1.0.0"\nedition = "2021"\n')
    (tmp_path / "ws" / "src" / "main.rs").write_text("fn main() {}\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "cargo").write_text('#!/bin/sh\necho "called $* mode=$DECK_MODE"\n')
    (tmp_path / "bin" / "cargo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("DECK_MODE", raising=False)
    monkeypatch.chdir(tmp_path / "ws")
    return found


def deck(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tui.cli.main", *words], capture_output=True, text=True, timeout=DEADLINE_S,
        env={**os.environ, **env}, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "words", "own"),
    [
        ("build --mode fast", "build", {"mode": "fast"}),
        ("--mode fast build --agent=a", "build", {"mode": "fast", "agent": "a"}),
        ("b --brief --detach -p x", "b -p x", {"brief": "yes", "detach": "yes"}),
        ("test --mode fast -- --mode slow", "test -- --mode slow", {"mode": "fast"}),
        ("nextest run --cache none", "nextest run", {"cache": "none"}),
        ("bb --mode fast", "bb", {"mode": "fast"}),
        ("fmt --agent a", "fmt", {"agent": "a"}),
        ("ext --mode fast --x", "ext --mode fast --x", {}),
        ("--mode slow ext --mode fast --agent b", "ext --mode fast --agent b", {"mode": "slow"}),
        ("+nightly --color never ext --cache own --detach", "+nightly --color never ext --cache own --detach", {}),
        ("run --mode fast", "run", {"mode": "fast"}),
        ("run -p a --mode fast", "run -p a", {"mode": "fast"}),
        ("run -p a word --mode fast --brief", "run -p a word --mode fast --brief", {}),
        ("exec --agent a ninja --mode fast", "exec ninja --mode fast", {"agent": "a"}),
        ("exec --agent a -- ninja --agent b", "exec -- ninja --agent b", {"agent": "a"}),
    ],
)
def test_words_are_ours_where_nobody_elses_command_has_begun(
    typed: str, words: str, own: dict[str, str], paths: Paths
) -> None:
    assert split_own(typed.split()) == (tuple(words.split()), own)


def test_a_mode_is_on_record_and_in_no_environment(paths: Paths) -> None:
    done = deck("build", "--mode", "dev")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("mode=\n")
    (run,) = run_ids(paths)
    record = json.loads(Path(paths.run(run), "run.json").read_text())
    assert (record["mode"], record["mode_origin"], record["mode_asked"]) == ("dev", "--mode", "dev")
    assert "DECK_MODE" not in record["env"]
    assert deck("build", "--mode", "dev", DECK_MODE="release").stdout.endswith("mode=release\n")


@pytest.mark.parametrize("words", [("exec", "--mode", "dev", "--", "true"), ("--mode=dev", "exec", "true")])
def test_what_is_not_cargo_has_no_mode(words: tuple[str, ...], paths: Paths) -> None:
    done = deck(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "cargo-deck: --mode is for builds of cargo: nothing is set for what exec starts\n"


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (("build", "--mode", "dev"), {"DECK_RUN": "1"}),
        (("fmt", "--mode", "dev"), {}),
        (("--mode", "dev", "ext"), {}),
        (("build", "--mode", "dev", "--what"), {}),
    ],
)
def test_a_mode_that_is_not_had_is_said_in_one_line(words: tuple[str, ...], env: dict[str, str], paths: Paths) -> None:
    done = deck(*words, **env)
    assert done.returncode == 0
    assert done.stdout == f"called {' '.join(word for word in words if word not in ('--mode', 'dev'))} mode=\n"
    assert done.stderr == "cargo-deck: this command line is run as plain cargo runs it: without the mode 'dev'\n"
