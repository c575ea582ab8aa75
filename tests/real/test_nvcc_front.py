"""The front before a real nvcc: build scripts, CMake and ninja, caches, roots that scripts derive, stops."""

import json
import os
import re
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from core.paths import Paths
from core.run.fronts import find_exec_fronts
from core.run.nvcc_front import LAUNCH
from tests.real.nvcc import our_toolkit
from tests.real.product import COMMAND, Deck, until

pytestmark = pytest.mark.long

_KERNEL = """#include "by.cuh"
__global__ void scale(float *all, float by) { all[threadIdx.x] *= by * BY; }
__global__ void fold(float *all) {
    __shared__ float part[64];
    part[threadIdx.x] = all[threadIdx.x];
    __syncthreads();
    all[0] = part[63 - threadIdx.x];
}
"""
_BUILD = """use std::process::Command;
fn main() {
    println!("cargo:rerun-if-changed=kernel.cu");
    println!("cargo:rerun-if-env-changed=NVCC");
    let out = std::env::var("OUT_DIR").unwrap();
    let made = format!("{out}/kernel.ptx");
    let nvcc = std::env::var("NVCC").unwrap_or("nvcc".to_owned());
    assert!(Command::new(nvcc).args(["-ptx", "-arch=sm_80", "kernel.cu", "-o", &made]).status().unwrap().success());
    let root = r#"
        r=$(dirname "$(dirname "$(readlink -f "$(command -v nvcc)")")")
        test -f $r/include/cuda_runtime.h && test -f $r/lib64/libcudart_static.a && test -d $r/nvvm || exit 1
        echo 'int main() { int n; return cudaGetDeviceCount(&n) == 0; }' > $OUT_DIR/use.cpp
        g++ -include cuda_runtime.h -I$r/include $OUT_DIR/use.cpp -L$r/lib64 -lcudart_static -lpthread -ldl -lrt \\
            -o $OUT_DIR/use && $r/bin/ptxas -arch=sm_80 $OUT_DIR/kernel.ptx -o $OUT_DIR/kernel.cubin
    "#;
    assert!(Command::new("sh").args(["-c", root]).status().unwrap().success());
}
"""
_CMAKE = """cmake_minimum_required(VERSION 3.18)
project(kernel LANGUAGES CXX CUDA)
add_library(kernel STATIC kernel.cu)
set_target_properties(kernel PROPERTIES CUDA_ARCHITECTURES "80;90")
"""
_CALLS_CMAKE = """use std::process::Command;
fn main() {
    println!("cargo:rerun-if-changed=kernel.cu");
    let build = std::env::var("OUT_DIR").unwrap() + "/build";
    assert!(Command::new("cmake").args(["-G", "Ninja", "-S", ".", "-B", &build]).status().unwrap().success());
    assert!(Command::new("cmake").args(["--build", &build]).status().unwrap().success());
}
"""


@pytest.fixture
def cuda(deck: Deck) -> Deck:
    """A user with an nvcc on PATH, and with a package whose build script calls it."""
    home = our_toolkit()
    deck.env["PATH"] = f"{home}/bin:{deck.env['PATH']}"
    root = Path(deck.folder, "package")
    (root / "src").mkdir(parents=True)
    files = {
        "Cargo.toml": '[package]\nname = "kernel"\nversion = "1.0.0"\nedition = "2021"\n', "build.rs": _BUILD,
        "kernel.cu": _KERNEL, "by.cuh": "#define BY 2\n", "src/main.rs": "fn main() {}\n", "CMakeLists.txt": _CMAKE,
    }  # fmt: skip
    for name, text in files.items():
        (root / name).write_text(text)
    return deck


def noted(deck: Deck, kind: str) -> list[dict[str, Any]]:
    """Notes of one kind of the last run: `nvcc`, `end` or `phase`."""
    path = Path(deck.runs()[-1], "fronts", "nvcc.jsonl")
    lines = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
    return [line for line in lines if kind in line]


def package(deck: Deck) -> str:
    return deck.folder + "/package"


def plain(deck: Deck, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        words, cwd=package(deck), env=deck.env, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )


def test_a_build_script_is_seen_and_a_plain_build_finds_all_fresh(cuda: Deck) -> None:
    done = cuda.run("build", cwd=package(cuda))
    assert done.returncode == 0, done.stderr
    (begun,), (ended,) = noted(cuda, "nvcc"), noted(cuda, "end")
    assert (begun["package"], begun["kind"], begun["archs"]) == ("kernel", "ptx", ["compute_80"])
    assert begun["out_dir"].startswith(package(cuda) + "/target/")
    assert [row[:2] for row in ended["times"]] == [
        ["gcc (preprocessing 1)", "compute_80"], ["cicc", "compute_80"], ["nvcc (driver)", None],
    ]  # fmt: skip
    assert {tool for tool, _, bytes_ in ended["memory"] if bytes_ > 1 << 20} >= {"cicc"}
    assert "Compiling" not in plain(cuda, "cargo", "build").stderr
    assert "Compiling" not in cuda.run("build", cwd=package(cuda)).stderr


@pytest.mark.parametrize("cache", ["on", "off"])
@pytest.mark.parametrize("flag", ["-ptx", "-cubin", "-fatbin", "-c"])
def test_phases_are_those_of_a_plain_call(cuda: Deck, flag: str, cache: str) -> None:
    words = ["nvcc", flag, "-arch=sm_80", "kernel.cu", "-o", "made"]
    plain(cuda, *words, "--time=plain.csv")
    with open(package(cuda) + "/plain.csv", encoding="utf-8") as table:
        rows = [line.split(" , ")[1].strip() for line in table if line.startswith(("kernel.cu", " "))]
    if cache == "off":
        cuda.env["DECK_NVCC_CACHE"] = "off"
    done = cuda.run("exec", "--", *words, cwd=package(cuda))
    assert done.returncode == 0, done.stderr
    (ended,) = noted(cuda, "end")
    assert ended["verdict"] == ("off" if cache == "off" else "miss")
    assert sorted(phase for phase, *_ in ended["times"]) == sorted(row for row in rows if row != "phase name")


def test_a_path_in_nvcc_that_a_script_watches_stays(cuda: Deck) -> None:
    cuda.env["NVCC"] = our_toolkit() + "/bin/nvcc"
    for _ in range(2):
        done = cuda.run("build", cwd=package(cuda))
        assert done.returncode == 0, done.stderr
    assert "Compiling" not in done.stderr
    assert "Compiling" not in plain(cuda, "cargo", "build").stderr


@pytest.mark.parametrize("generator", ["Ninja", "Unix Makefiles"])
def test_cmake_keeps_a_launcher_that_works_without_us(cuda: Deck, generator: str) -> None:
    done = cuda.run("exec", "--", "cmake", "-G", generator, "-S", ".", "-B", "tree", cwd=package(cuda))
    assert done.returncode == 0, done.stderr
    cache = Path(package(cuda), "tree/CMakeCache.txt").read_text()
    assert LAUNCH in cache
    assert "/fronts/" not in cache
    assert cuda.run("exec", "--", "cmake", "--build", "tree", cwd=package(cuda)).returncode == 0
    (begun,), (ended,) = noted(cuda, "nvcc"), noted(cuda, "end")
    assert (begun["launcher"], begun["sources"]) == (True, [package(cuda) + "/kernel.cu"])
    assert {"sm_80", "sm_90"} <= set(begun["archs"])
    assert {arch for phase, arch, _ in ended["times"] if phase == "ptxas"} == {"sm_80", "sm_90"}
    assert "Building CUDA" not in plain(cuda, "cmake", "--build", "tree").stdout
    os.utime(package(cuda) + "/kernel.cu")
    assert "Building CUDA" in plain(cuda, "cmake", "--build", "tree").stdout
    assert "Building CUDA" not in cuda.run("exec", "--", "cmake", "--build", "tree", cwd=package(cuda)).stdout


def test_a_tree_that_was_made_without_us_is_not_compiled_anew(cuda: Deck) -> None:
    for words in (("cmake", "-G", "Ninja", "-S", ".", "-B", "tree"), ("cmake", "--build", "tree")):
        plain(cuda, *words)
    cuda.run("exec", "--", "cmake", "-S", ".", "-B", "tree", cwd=package(cuda))
    assert "Building CUDA" not in cuda.run("exec", "--", "ninja", "-C", "tree", cwd=package(cuda)).stdout


def test_a_build_script_that_calls_cmake_is_seen(cuda: Deck) -> None:
    Path(package(cuda), "build.rs").write_text(_CALLS_CMAKE)
    done = cuda.run("build", cwd=package(cuda))
    assert done.returncode == 0, done.stderr
    built = [line for line in noted(cuda, "nvcc") if line["sources"] == [package(cuda) + "/kernel.cu"]]
    assert [(line["launcher"], line["package"]) for line in built] == [(True, "kernel")]
    caches = list(Path(package(cuda), "target").rglob("CMakeCache.txt"))
    assert [("/fronts/" in cache.read_text(), LAUNCH in cache.read_text()) for cache in caches] == [(False, True)]
    assert "Compiling" not in plain(cuda, "cargo", "build").stderr
    os.utime(package(cuda) + "/kernel.cu")
    plain(cuda, "cargo", "build")


def call_alone(deck: Deck, *words: str) -> dict[str, Any]:
    """The end of a call with the front in PATH and no engine, which would take away what it has read."""
    notes = Path(deck.folder, "notes")
    notes.mkdir()
    fronts = find_exec_fronts(Paths("", deck.folder + "/cache/cargo-deck"), deck.env, ("nvcc",), "/").folders
    env = {**deck.env, "PATH": ":".join((*fronts, deck.env["PATH"])), "DECK_FRONTS": str(notes)}
    subprocess.run(["nvcc", *words], cwd=package(deck), env=env, check=True)
    end: dict[str, Any] = json.loads((notes / "nvcc.jsonl").read_text().splitlines()[-1])
    return end


def test_code_made_on_the_way_is_what_a_cubin_call_makes(cuda: Deck) -> None:
    ended = call_alone(cuda, "-c", "-arch=sm_80", "kernel.cu", "-o", "kernel.o")
    plain(cuda, "nvcc", "-cubin", "-arch=sm_80", "kernel.cu", "-o", "plain.cubin")
    plain(cuda, "nvcc", "-ptx", "-arch=sm_80", "kernel.cu", "-o", "plain.ptx")
    kept = {(arch, kind): Path(ended["kept"], name).read_bytes() for arch, kind, name in ended["files"]}
    assert kept.keys() == {("sm_80", "cubin"), ("compute_80", "ptx")}
    assert kept["sm_80", "cubin"] == Path(package(cuda), "plain.cubin").read_bytes()
    assert kept["compute_80", "ptx"] == Path(package(cuda), "plain.ptx").read_bytes()


def test_kept_intermediates_stay_and_are_seen(cuda: Deck) -> None:
    ended = call_alone(cuda, "-c", "-arch=sm_80", "-keep", "-keep-dir", ".", "kernel.cu")
    assert {kind for _, kind, _ in ended["files"]} == {"cubin", "ptx"}
    assert Path(package(cuda), "kernel.ptx").exists()


def test_an_error_is_that_of_nvcc(cuda: Deck) -> None:
    Path(package(cuda), "kernel.cu").write_text("__global__ void bad() { nothing; }\n")
    done = cuda.run("exec", "--", "nvcc", "-c", "kernel.cu", cwd=package(cuda))
    alone = subprocess.run(["nvcc", "-c", "kernel.cu"], cwd=package(cuda), env=cuda.env, capture_output=True, text=True,
                           check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (alone.returncode, alone.stderr)
    (ended,) = noted(cuda, "end")
    assert (ended["code"], ended["output_bytes"], ended["files"]) == (alone.returncode, None, [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stop_leaves_no_process_and_no_file_of_ours(cuda: Deck, number: signal.Signals) -> None:
    temporary = Path(cuda.folder, "tmp")
    temporary.mkdir()
    words = [COMMAND, "exec", "--", "nvcc", "-c", "-arch=all-major", "kernel.cu"]
    caller = subprocess.Popen(
        words, cwd=package(cuda), env={**cuda.env, "TMPDIR": str(temporary)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    until(lambda: cuda.runs() and noted(cuda, "phase"), 60, "the first phase")
    os.kill(caller.pid, number)
    caller.wait(60)
    until(lambda: not any("nvcc" in " ".join(one.argv) for one in cuda.processes()), 30, "no nvcc")
    assert [name for name in os.listdir(temporary) if not name.startswith("tmpxft_")] == []


def test_a_cache_before_nvcc_finds_what_a_plain_call_left(cuda: Deck) -> None:
    env = {**cuda.env, "SCCACHE_DIR": f"{cuda.folder}/sccache", "SCCACHE_SERVER_UDS": f"{cuda.folder}/s.socket"}
    script = Path(package(cuda), "compile.sh")
    script.write_text("sccache nvcc -c -arch=sm_80 kernel.cu -o kernel.o\n")

    def misses() -> int:
        shown = subprocess.run(["sccache", "--show-stats"], env=env, capture_output=True, text=True, check=True).stdout
        return int((re.search(r"^Cache misses +(\d+)", shown, re.M) or ["", "-1"])[1])

    subprocess.run(["sccache", "--start-server"], env=env, check=True, capture_output=True)
    try:
        subprocess.run(["sh", script], cwd=package(cuda), env=env, check=True, stderr=subprocess.DEVNULL)
        cold = misses()
        done = cuda.run("exec", "--", "sh", str(script), cwd=package(cuda), env=env)
        assert (done.returncode, cold > 0, misses()) == (0, True, cold)
    finally:
        subprocess.run(["sccache", "--stop-server"], env=env, check=False, capture_output=True)


def test_the_same_words_make_the_same_output_with_the_front(cuda: Deck) -> None:
    out = package(cuda) + "/made"
    for flags, name in (("-ptx", "k.ptx"), ("-cubin", "k.cubin"), ("-fatbin", "k.fatbin")):
        words = ["nvcc", flags, "-arch=sm_80", "kernel.cu", "-o", f"{out}/{name}"]
        os.makedirs(out, exist_ok=True)
        plain(cuda, *words)
        before = Path(out, name).read_bytes()
        assert cuda.run("exec", "--", *words, cwd=package(cuda)).returncode == 0, shlex.join(words)
        assert Path(out, name).read_bytes() == before
