import os
import subprocess
from pathlib import Path

from core.git import ask_git


def test_git_is_asked_of_the_folder_whatever_variables_say_of_another_repository(tmp_path: Path) -> None:
    for name in ("one", "two"):
        subprocess.run(["git", "init", "-q", str(tmp_path / name)], check=True)
    env = {**os.environ, "GIT_DIR": str(tmp_path / "two/.git"), "GIT_WORK_TREE": str(tmp_path / "two")}
    said = ask_git(("rev-parse", "--show-toplevel"), str(tmp_path / "one"), env)
    assert said == f"{tmp_path}/one\n".encode()


def test_what_fails_or_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert ask_git(("no-such-command",), str(tmp_path)) is None
    assert ask_git(("version",), str(tmp_path / "none")) is None
    assert ask_git(("version",), str(tmp_path), {"PATH": ""}) is None
    assert ask_git(("hash-object", "--stdin"), str(tmp_path), text=b"") == b"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\n"


def test_one_that_takes_too_long_says_nothing(tmp_path: Path) -> None:
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert ask_git(("version",), str(tmp_path), env, limit_s=0.05) is None
