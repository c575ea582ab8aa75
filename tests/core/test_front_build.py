"""How the fronts are compiled, with a script in the place of rustc: once, whole or not at all."""

import os
import signal
from pathlib import Path

import pytest

from core.run.front_build import make

_NAMES = ("cc", "launch")
_RUSTC = """#!/bin/sh
echo $$ "$@" >> {folder}/calls
if [ -p {folder}/wait ]; then cat {folder}/wait > /dev/null; fi
for word in "$@"; do [ "$last" = -o ] && printf '#!/bin/sh\\n' > "$word" && chmod +x "$word"; last=$word; done
[ ! -e {folder}/fails ]
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "bin").mkdir()
    (tmp_path / "fronts").mkdir()
    rustc = tmp_path / "bin/rustc"
    rustc.write_text(_RUSTC.format(folder=tmp_path))
    rustc.chmod(0o755)
    return {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}


def calls(folder: Path) -> list[list[str]]:
    path = folder / "calls"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def made(folder: Path) -> list[str]:
    """What lies beside the links."""
    places = [place for place in (folder / "fronts").iterdir() if place.name not in _NAMES]
    return sorted(path.name for place in places for path in place.iterdir())


def test_what_computes_is_a_crate_of_its_own_that_is_optimized(tmp_path: Path, env: dict[str, str]) -> None:
    assert make(f"{tmp_path}/fronts", _NAMES, env, with_nvcc=True)
    crate, program = calls(tmp_path)
    assert (crate[-1].rpartition("/")[2], program[-1].rpartition("/")[2]) == ("digest.rs", "front_nvcc.rs")
    assert "-Copt-level=3" in crate
    assert f"digest={crate[crate.index('-o') + 1]}" in program
    assert made(tmp_path) == ["front", "lock", "log"]
    assert all(os.access(tmp_path / "fronts" / name / name, os.X_OK) for name in _NAMES)
    assert make(f"{tmp_path}/fronts", _NAMES, env, with_nvcc=False)
    assert len(calls(tmp_path)) == 2


def in_child(folder: Path, env: dict[str, str]) -> int:
    """Another build at the same time; its pid."""
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            code = 0 if make(f"{folder}/fronts", _NAMES, env, with_nvcc=True) else 1
        finally:
            os._exit(code)
    return pid


def test_two_builds_at_once_compile_it_once(tmp_path: Path, env: dict[str, str]) -> None:
    os.mkfifo(tmp_path / "wait")
    children = [in_child(tmp_path, env) for _ in range(2)]
    with open(tmp_path / "wait", "w"):  # the rustc of one runs
        (tmp_path / "wait").unlink()
        while not all(has_lock_open(pid) for pid in children):
            pass
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0]
    assert len(calls(tmp_path)) == 2


def has_lock_open(pid: int) -> bool:
    return any(os.path.realpath(f"/proc/{pid}/fd/{fd}").endswith("/lock") for fd in os.listdir(f"/proc/{pid}/fd"))


def test_an_interruption_leaves_no_compiler_and_no_part_of_a_front(tmp_path: Path, env: dict[str, str]) -> None:
    os.mkfifo(tmp_path / "wait")
    pid = in_child(tmp_path, env)
    with open(tmp_path / "wait", "w"):  # it runs
        os.kill(pid, signal.SIGINT)
        os.waitpid(pid, 0)
    ((rustc, *_),) = calls(tmp_path)
    with pytest.raises(ProcessLookupError):
        os.kill(int(rustc), 0)
    assert made(tmp_path) == ["lock", "log"]
    (tmp_path / "wait").unlink()
    assert make(f"{tmp_path}/fronts", _NAMES, env, with_nvcc=True)


def test_what_a_killed_build_left_goes(tmp_path: Path, env: dict[str, str]) -> None:
    os.mkfifo(tmp_path / "wait")
    pid = in_child(tmp_path, env)
    with open(tmp_path / "wait", "w"):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    (tmp_path / "wait").unlink()
    assert [name.partition("-")[0] for name in made(tmp_path)] == ["fresh", "lock", "log"]
    assert make(f"{tmp_path}/fronts", _NAMES, env, with_nvcc=True)
    assert made(tmp_path) == ["front", "lock", "log"]


def test_a_crate_that_cannot_be_compiled_means_no_front(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "fails").touch()
    for _ in range(2):
        assert not make(f"{tmp_path}/fronts", _NAMES, env, with_nvcc=True)
    assert (len(calls(tmp_path)), made(tmp_path)) == (1, ["failed", "lock", "log"])
