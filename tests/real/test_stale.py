"""The stale-kernel doctor and its proofs over what the real nvcc made, alone and below CMake and ninja."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bench.figures import Figures
from bench.stale import measure
from tests.native_worlds import build_env, edit
from tests.real.product import COMMAND
from tests.real.samples import write_files

pytestmark = pytest.mark.long

_CMAKE = """cmake_minimum_required(VERSION 3.18)
project(kernels LANGUAGES CXX CUDA)
add_library(kernels STATIC kernels/a.cu kernels/b.cu host.cpp)
set_target_properties(kernels PROPERTIES CUDA_ARCHITECTURES 80)
"""
_BUILD = """use std::process::Command;
fn run(words: &[&str]) {
    let done = Command::new("cmake").args(words).status().unwrap();
    assert!(done.success());
}
fn main() {
    println!("cargo:rerun-if-changed=CMakeLists.txt");
    println!("cargo:rerun-if-changed=kernels/a.cu");
    let build = std::env::var("OUT_DIR").unwrap() + "/build";
    run(&["-S", ".", "-B", &build, "-G", "Ninja"]);
    run(&["--build", &build]);
}
"""
_KERNEL = '#include "common.cuh"\n__global__ void {}(float *x) {{ x[threadIdx.x] *= FACTOR; }}\n'
_FILES = {
    "Cargo.toml": '[package]\nname = "app"\nversion = "1.0.0"\nedition = "2021"\n',
    "build.rs": _BUILD, "CMakeLists.txt": _CMAKE, "src/main.rs": "fn main() {}\n",
    "kernels/a.cu": _KERNEL.format("a"), "kernels/b.cu": _KERNEL.format("b"),
    "kernels/common.cuh": "#pragma once\n#define FACTOR 2\n",
    "host.cpp": '#include "host.h"\nint host() { return N; }\n',
    "host.h": "#define N 1\n",
}  # fmt: skip


@pytest.fixture
def env(tmp_path: Path, nvcc: str) -> dict[str, str]:
    return {
        **build_env(tmp_path, nvcc), "XDG_STATE_HOME": f"{tmp_path}/state", "XDG_CACHE_HOME": f"{tmp_path}/cache",
    }  # fmt: skip


@pytest.fixture
def package(tmp_path: Path, env: dict[str, str]) -> Path:
    """Built by CMake and ninja, in a build script that declares two of its files."""
    root = tmp_path / "app"
    write_files(str(root), _FILES)
    deck(root, env, "build", "--offline")
    return root


def deck(root: Path, env: dict[str, str], *words: str, code: int = 0) -> str:
    done = subprocess.run([COMMAND, *words], cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout


def read(root: Path, env: dict[str, str], *words: str, code: int = 0) -> Any:
    return json.loads(deck(root, env, *words, "--json", code=code))


def test_of_all_ways_to_declare_the_wrong_ones_are_found_and_none_else(
    tmp_path: Path, nvcc: str, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = Figures()
    measure(figures, tmp_path, nvcc)
    assert figures.broken == [], capsys.readouterr().out
    assert "found 9 of 9, false 0" in capsys.readouterr().out


def test_with_two_profiles_built_a_script_is_mended_once_and_the_last_one_is_proven(
    package: Path, env: dict[str, str]
) -> None:
    deck(package, env, "build", "--release", "--offline")
    (finding,) = read(package, env, "stale", code=1)["findings"]
    assert finding["profiles"] == ["release", "debug"]
    deck(package, env, "stale", "--apply", "--yes", code=1)
    declared = (package / "build.rs").read_text()
    assert [declared.count(f'changed={one}"') for one in finding["declare"]] == [1, 1, 1, 1]
    deck(package, env, "build", "--release", "--offline")
    (left,) = read(package, env, "stale", code=1)["findings"]
    assert (left["profiles"], left["mend"]) == (["debug"], "")
    found = read(package, env, "prove")
    assert ("--release" in found["command"], found["tracked"], found["tried"]) == (True, 5, 5)


def test_what_ninja_knows_is_what_a_build_script_should_have_declared(package: Path, env: dict[str, str]) -> None:
    found = read(package, env, "stale", code=1)
    (finding,) = found["findings"]
    assert finding["id"] == "input-undeclared"
    assert sorted(finding["declare"]) == ["host.cpp", "host.h", "kernels/b.cu", "kernels/common.cuh"]
    assert {made["known_by"] for made in found["scripts"][0]["outputs"]} == {"ninja"}
    (proof,) = (one["proof"] for one in read(package, env, "stale", "--prove", code=1)["findings"])
    assert (proof["is_true"], proof["is_mended"]) == (True, True)
    deck(package, env, "stale", "--apply", "--yes", code=1)
    deck(package, env, "build", "--offline")
    assert read(package, env, "stale")["findings"] == []


def test_an_edit_makes_exactly_its_object_again(package: Path, env: dict[str, str]) -> None:
    deck(package, env, "stale", "--apply", "--yes", code=1)
    deck(package, env, "build", "--offline")
    found = read(package, env, "prove")
    outcomes = {os.path.relpath(one["path"], package): one for one in found["files"]}
    assert set(outcomes) == {"kernels/a.cu", "kernels/b.cu", "kernels/common.cuh", "host.cpp", "host.h"}
    assert {one["outcome"] for one in outcomes.values()} == {"tracked"}
    assert [os.path.basename(one) for one in outcomes["kernels/a.cu"]["expected"]] == ["a.cu.o"]
    assert [os.path.basename(one) for one in outcomes["kernels/common.cuh"]["expected"]] == ["a.cu.o", "b.cu.o"]
    assert (found["tracked"], found["tried"]) == (5, 5)


def test_why_names_what_ninja_made_and_the_edit_that_was_left_out(package: Path, env: dict[str, str]) -> None:
    edit(package / "kernels/common.cuh", "#pragma once\n#define FACTOR 3\n")
    edit(package / "src/main.rs", 'fn main() { println!("x"); }\n')
    deck(package, env, "build", "--offline")
    units = read(package, env, "why")["units"]
    left = [one for one in units if not one["is_rebuilt"] and one["kind"] == "output"]
    assert {os.path.basename(one["unit"]) for one in left} == {"a.cu.o", "b.cu.o"}
    assert all("no rerun-if-changed covers it" in one["reason"] for one in left)
    edit(package / "kernels/a.cu", _KERNEL.format("a") + "// more\n")
    deck(package, env, "build", "--offline")
    units = read(package, env, "why")["units"]
    made = {os.path.basename(one["unit"]): one["reason"] for one in units if one["by"] == "ninja"}
    assert "common.cuh is newer" in made["b.cu.o"]
    assert "newer than what was made before" in made["a.cu.o"]
    script = next(one for one in units if one["kind"] == "script")
    assert "kernels/a.cu has changed" in script["reason"]


def test_why_names_an_edit_that_an_old_mtime_hid(package: Path, env: dict[str, str]) -> None:
    source = package / "kernels/a.cu"
    read(package, env, "stale", code=1)  # what the build saw is known from here on
    was = source.stat()
    edit(source, _KERNEL.format("a") + "// more\n")
    os.utime(source, ns=(was.st_atime_ns, was.st_mtime_ns))
    deck(package, env, "build", "--offline")
    (found,) = (one for one in read(package, env, "why")["units"] if one["kind"] == "file")
    assert (found["unit"], found["by"]) == (str(source), "content")
    assert "cargo did not see it" in found["reason"]
