"""What mode cuda-iterate gives to CMake and nvcc, for real: one kernel, compiled by an nvcc that needs no GPU."""

import re
from pathlib import Path
from typing import Any

import pytest

from core.plan.machine import has_gpu
from tests.real.product import Deck, read_json

pytestmark = pytest.mark.long

_MANIFEST = '[package]\nname = "kernel"\nversion = "1.0.0"\nedition = "2021"\n'
_BUILD = """use std::process::Command;
fn run(words: &[&str]) {
    let done = Command::new("cmake").args(words).output().unwrap();
    println!("{}", String::from_utf8_lossy(&done.stdout));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
fn main() {
    println!("cargo:rerun-if-changed=CMakeLists.txt");
    println!("cargo:rerun-if-changed=kernel.cu");
    let build = std::env::var("OUT_DIR").unwrap() + "/build";
    run(&["-S", ".", "-B", &build]);
    run(&["--build", &build, "--verbose"]);
}
"""
_CMAKE = """cmake_minimum_required(VERSION 3.18)
project(kernel LANGUAGES CXX CUDA)
set(CMAKE_CUDA_FLAGS "${CMAKE_CUDA_FLAGS} -v")
add_library(kernel STATIC kernel.cu)
"""
_KERNEL = 'extern "C" __global__ void scale(float *all, float by) { all[threadIdx.x] *= by; }\n'
_MINE = '[modes.mine]\ninherits = "cuda-iterate"\ncuda-archs = "80;90"\nnvcc-threads = 2\n'


@pytest.fixture
def package(deck: Deck) -> Path:
    """A package whose build script has CMake compile a kernel."""
    root = Path(deck.folder, "package")
    (root / "src").mkdir(parents=True)
    files = {
        "Cargo.toml": _MANIFEST, "build.rs": _BUILD, "CMakeLists.txt": _CMAKE, "kernel.cu": _KERNEL,
        "src/main.rs": "fn main() {}\n", "deck.toml": _MINE,
    }  # fmt: skip
    for name, text in files.items():
        (root / name).write_text(text)
    return root


class _Built:
    """A build that a mode was named for: what CMake and nvcc say they were told, and our record of it."""

    def __init__(self, deck: Deck, package: Path, nvcc: str, *words: str) -> None:
        before = {*package.glob("target/debug/build/*/out/build")}
        self.env = {"PATH": f"{deck.env['PATH']}:{nvcc}"}
        done = deck.run("build", *words, cwd=str(package), env=self.env, timeout_s=600)
        assert done.returncode == 0, done.stderr
        self.stderr = done.stderr
        self.made = {*package.glob("target/debug/build/*/out/build")} - before
        self.record = read_json(deck.runs()[-1] + "/run.json")

    @property
    def folder(self) -> Path:
        """Where CMake was."""
        (folder,) = self.made
        return folder

    @property
    def output(self) -> str:
        """What CMake and nvcc said."""
        return (self.folder.parents[1] / "output").read_text()

    def cached(self, name: str) -> str:
        """A value of CMakeCache.txt."""
        (value,) = re.findall(rf"^{name}:\w+=(.*)$", (self.folder / "CMakeCache.txt").read_text(), re.MULTILINE)
        return str(value)

    def row(self, name: str) -> dict[str, Any]:
        """What we recorded of a setting."""
        return next(row for row in self.record["plan"] if row["setting"] == name)


def test_generator_architectures_and_threads_of_a_mode_reach_cmake_and_nvcc(
    deck: Deck, package: Path, nvcc: str
) -> None:
    built = _Built(deck, package, nvcc, "--mode", "mine")
    assert [built.row(name)["value"] for name in ("cmake-generator", "cuda-archs", "nvcc-threads")] == [
        "ninja", "80;90", "2",
    ]  # fmt: skip
    assert built.cached("CMAKE_GENERATOR") == "Ninja"
    assert built.cached("CMAKE_CUDA_ARCHITECTURES") == "80;90"
    assert sorted(set(re.findall(r"ptxas .*-arch=(\w+)", built.output))) == ["sm_80", "sm_90"]
    assert 'NVCC_APPEND_FLAGS="--threads=2"' in built.output


def test_builds_with_and_without_the_mode_lie_side_by_side(deck: Deck, package: Path, nvcc: str) -> None:
    with_mode = _Built(deck, package, nvcc, "--mode", "mine")
    without = _Built(deck, package, nvcc)
    assert without.cached("CMAKE_GENERATOR") == "Unix Makefiles"
    assert without.cached("CMAKE_CUDA_ARCHITECTURES") != with_mode.cached("CMAKE_CUDA_ARCHITECTURES")
    for words in (("--mode", "mine"), (), ("--mode", "mine"), ()):
        again = _Built(deck, package, nvcc, *words)
        assert (again.made, "Compiling" in again.stderr) == (set(), False)


def test_the_gpu_of_this_machine_is_compiled_for_where_there_is_one(deck: Deck, package: Path, nvcc: str) -> None:
    built = _Built(deck, package, nvcc, "--mode", "cuda-iterate")
    assert built.cached("CMAKE_GENERATOR") == "Ninja"
    archs, row = built.cached("CMAKE_CUDA_ARCHITECTURES"), built.row("cuda-archs")
    if has_gpu() is False:
        assert (row["value"], archs.isdigit()) == ("default", True)
        assert "no GPU of NVIDIA is there" in row["reason"]
    else:
        assert (row["value"], archs) == ("native", "native")
