"""Build trees of CMake with real kernels, without cargo: what is stale, and what an edit is proven to rebuild."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.native_worlds import build_env, edit
from tests.real.product import COMMAND
from tests.real.samples import write_files

pytestmark = pytest.mark.long

_CMAKE = """cmake_minimum_required(VERSION 3.18)
project(kernels LANGUAGES CXX CUDA)
set(CMAKE_CUDA_ARCHITECTURES 80)
add_library(kernels STATIC kernels/a.cu kernels/b.cu)
add_executable(app host.cpp)
target_link_libraries(app kernels)
add_custom_command(OUTPUT c.ptx
  COMMAND ${CMAKE_CUDA_COMPILER} -ptx -arch=sm_80 ${CMAKE_SOURCE_DIR}/kernels/c.cu -o c.ptx
  DEPENDS kernels/c.cu)
add_custom_target(ptx ALL DEPENDS c.ptx)
"""
_KERNEL = '#include "{}.cuh"\n__global__ void {}(float *x) {{ x[threadIdx.x] *= FACTOR; }}\n'
_FILES = {
    "CMakeLists.txt": _CMAKE, "host.cpp": "int main() { return 0; }\n",
    "kernels/a.cu": _KERNEL.format("common", "a"), "kernels/b.cu": _KERNEL.format("common", "b"),
    "kernels/c.cu": _KERNEL.format("only", "c"), "kernels/common.cuh": "#pragma once\n#define FACTOR 2\n",
    "kernels/only.cuh": "#pragma once\n#define FACTOR 3\n",
}  # fmt: skip
_MADE = {
    "host.cpp": ("tracked", ["app", "host.cpp.o"]),
    "kernels/a.cu": ("tracked", ["a.cu.o", "app", "libkernels.a"]),
    "kernels/b.cu": ("tracked", ["app", "b.cu.o", "libkernels.a"]),
    "kernels/c.cu": ("tracked", ["c.ptx"]),
    "kernels/common.cuh": ("tracked", ["a.cu.o", "app", "b.cu.o", "libkernels.a"]),
    "kernels/only.cuh": ("untracked", ["c.ptx"]),
}


def deck(root: Path, env: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([COMMAND, *words], cwd=root, env=env, text=True, capture_output=True, check=False)


def printed(root: Path, env: dict[str, str], *words: str) -> Any:
    done = deck(root, env, *words, "--json")
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("generator", ["Ninja", "Unix Makefiles"])
def test_of_cmakes_kernels_each_edit_makes_its_object_and_what_links_it_and_no_other(
    tmp_path: Path, nvcc: str, generator: str
) -> None:
    env = {**build_env(tmp_path, nvcc), "XDG_STATE_HOME": f"{tmp_path}/state", "XDG_CACHE_HOME": f"{tmp_path}/cache"}
    root = tmp_path / "app"
    write_files(str(root), _FILES)
    deck(root, env, "exec", "--", "cmake", "-G", generator, "-B", "build")
    built = deck(root, env, "exec", "--", "cmake", "--build", "build")
    assert built.returncode == 0, built.stdout + built.stderr
    (stale,) = printed(root, env, "stale")["findings"]
    assert (stale["id"], stale["paths"]) == ("input-undeclared", [f"{root}/kernels/only.cuh"])
    (asked,) = printed(root, env, "stale", "--ask")["findings"]
    assert (asked["severity"], asked["is_certain"]) == ("error", True), "nvcc itself says so"
    proof = printed(root, env, "prove")
    assert proof["command"] == ["cmake", "--build", "build"]
    assert {
        os.path.relpath(one["path"], root): (one["outcome"], sorted(map(os.path.basename, one["expected"])))
        for one in proof["files"]
    } == _MADE
    edit(root / "CMakeLists.txt", _CMAKE.replace("DEPENDS kernels/c.cu", "DEPENDS kernels/c.cu kernels/only.cuh"))
    assert deck(root, env, "exec", "--", "cmake", "--build", "build").returncode == 0
    assert printed(root, env, "stale")["findings"] == []
    (mended,) = printed(root, env, "prove", "kernels/only.cuh")["files"]
    assert mended["outcome"] == "tracked"
