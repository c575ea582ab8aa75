"""The demo as a newcomer runs it: real builds, no terminal."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def deck(tmp_path: Path, *words: str, path: str | None = None) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "s"), "XDG_CACHE_HOME": str(tmp_path / "c")}
    env["PATH"] = path or env["PATH"]
    argv = [sys.executable, "-m", "tui.cli.main", *words]
    return subprocess.run(
        argv, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=280
    )


def test_the_demo_goes_as_planned_and_can_be_looked_at_afterwards(tmp_path: Path) -> None:
    done = deck(tmp_path, "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "As planned" in done.stdout
    assert "error[E0308]: mismatched types  crates/orchard-rules/src/lib.rs" in done.stdout
    listed = deck(tmp_path, "ps").stdout
    assert [listed.count(word) for word in ("✔ done", "✖ failed")] == [3, 1]
    assert "11 passed" not in listed
    assert "E0425" in deck(tmp_path, "logs", "codex").stdout


def test_without_cargo_the_recording_is_played(tmp_path: Path) -> None:
    done = deck(tmp_path, "demo", path="/nonexistent")
    assert done.returncode == 0, done.stderr
    assert "cargo was not found on PATH" in done.stderr
    assert "codex     failed   exit 101 · 2 errors" in done.stdout
