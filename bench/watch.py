"""What edits of each kind cost under `cargo deck watch`, and what the watch itself adds: `python -m bench.watch`.

A crate whose build script has CMake and ninja compile two kernels and a C++ file is edited, a class of edits after the
other in random order; each wait is taken from outside, from the write to the line that tells of the result.
`--record FILE` keeps the iterations for tests. Needs nvcc (fetched where there is none), cmake and ninja.
"""

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from core.native.iteration_book import read_iterations
from core.native.iterations import SCHEMA, to_record
from core.paths import Paths
from tests.real.nvcc import our_toolkit
from tests.real.product import COMMAND, Deck, temporary_deck

START_LIMIT_S = 0.25
"""From a save to the start of its build, median: 50 ms are waited for further saves."""
NEEDED_LIMIT = 1.1
"""A saved .cu: the wait against what must run for it, median."""
_FILES = {
    "Cargo.toml": '[package]\nname = "edited"\nversion = "1.0.0"\nedition = "2021"\n',
    "build.rs": """use std::process::Command;
fn run(words: &[&str]) {
    assert!(Command::new("cmake").args(words).status().unwrap().success());
}
fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    let tree = format!("{out}/tree");
    println!("cargo:rerun-if-changed=CMakeLists.txt");
    println!("cargo:rerun-if-changed=native");
    println!("cargo:rerun-if-changed=build.rs");
    if !std::path::Path::new(&format!("{tree}/build.ninja")).exists() {
        run(&["-G", "Ninja", "-S", ".", "-B", &tree]);
    }
    run(&["--build", &tree]);
    println!("cargo:rustc-link-search=native={tree}");
    println!("cargo:rustc-link-lib=static=host");
    println!("cargo:rustc-link-lib=stdc++");
}
""",
    "CMakeLists.txt": """cmake_minimum_required(VERSION 3.18)
set(CMAKE_CUDA_ARCHITECTURES 80 90)
project(native LANGUAGES CXX CUDA)
add_library(kernels OBJECT native/gemm.cu native/scan.cu)
add_library(host STATIC native/host.cpp)
add_custom_target(everything ALL DEPENDS kernels host)
""",
    "native/tile.cuh": "#pragma once\n#define TILE 16\n",
    "native/gemm.cu": """#include "tile.cuh"
template <int N> __global__ void gemm(const float *a, const float *b, float *c) {
    __shared__ float tile[TILE * N];
    float sum = 0;
    for (int i = 0; i < N; ++i) { tile[threadIdx.x] = a[i] * b[i]; __syncthreads(); sum += tile[i]; }
    c[threadIdx.x] = sum;
}
template __global__ void gemm<8>(const float *, const float *, float *);
template __global__ void gemm<32>(const float *, const float *, float *);
""",
    "native/scan.cu": '#include "tile.cuh"\n__global__ void scan(float *all) { all[threadIdx.x] += TILE; }\n',
    "native/host.cpp": '#include <vector>\nextern "C" int answer() { return std::vector<int>(3, 14).size(); }\n',
    "src/main.rs": """mod part;
extern "C" { fn answer() -> i32; }
fn main() { println!("{}", unsafe { answer() } + part::one()); }
""",
    "src/part.rs": "pub fn one() -> i32 { 1 }\n",
}  # fmt: skip
_EDITS = {
    "rust": ("src/part.rs",), "cu": ("native/scan.cu",), "cpp": ("native/host.cpp",), "header": ("native/tile.cuh",),
    "cmake": ("CMakeLists.txt",), "build.rs": ("build.rs",), "manifest": ("Cargo.toml",),
    "several": ("native/gemm.cu", "src/part.rs"),
}  # fmt: skip
_NEEDED = ("preprocess", "cudafe++", "cicc", "ptxas", "fatbinary", "nvlink", "host compiler", "nvcc", "rustc", "link")


class Session:
    """A watch of the package, edited from outside."""

    def __init__(self, deck: Deck, root: Path, env: dict[str, str]) -> None:
        self.root, self._deck = root, deck
        self._child = subprocess.Popen(
            [COMMAND, "watch", "--json", "build"], cwd=root, env=env, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self.edits = 0

    def next(self, *events: str) -> dict[str, Any]:
        """The next of these that is told. Raises RuntimeError at the end."""
        assert self._child.stdout is not None
        for line in self._child.stdout:
            told: dict[str, Any] = json.loads(line)
            if told["event"] in events:
                return told
        raise RuntimeError(f"the watch ended: {self._child.wait()}")

    def edit(self, kind: str) -> dict[str, Any]:
        """Save an edit; what was told of its build, with the wait from outside and the start of the build."""
        self.edits += 1
        for name in _EDITS[kind]:
            mark = "#" if name.endswith((".toml", ".txt")) else "//"
            with (self.root / name).open("a") as file:
                file.write(f"{mark} {self.edits}\n")
        saved = time.time()
        started = self.next("started")
        ended = self.next("ended")
        told = time.time()
        if ended["code"] != 0 or ended["class"] != kind:
            raise RuntimeError(f"an edit of class {kind} gave {ended}")
        self.next("watching")
        return {**ended, "start_s": started["at"] - saved, "wait_s": told - saved}

    def close(self) -> None:
        """End it as Ctrl-C does."""
        os.killpg(self._child.pid, signal.SIGINT)
        self._child.wait(30)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=6, help="of each class")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", default="", help="file for the iterations, with paths below /w")
    args = parser.parse_args()
    with temporary_deck("watch-") as deck:
        root = Path(deck.folder, "edited")
        for name, text in _FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        nvcc = our_toolkit()
        session = Session(deck, root, {**deck.env, "PATH": f"{deck.env['PATH']}:{nvcc}/bin"})
        try:
            measured = _edit_all(session, args.edits, args.seed)
        finally:
            session.close()
        time.sleep(2)  # the engine adds what it knows of links
        if args.record:
            _record(deck, root, args.record)
        print(deck.run("iterations", cwd=str(root)).stdout)
    return _judge(measured)


def _edit_all(session: Session, edits: int, seed: int) -> list[dict[str, Any]]:
    session.next("ended")
    session.next("watching")
    kinds = [kind for kind in _EDITS for _ in range(edits)]
    random.Random(seed).shuffle(kinds)
    measured = []
    for number, kind in enumerate(kinds):
        measured.append(session.edit(kind))
        print(f"{number + 1}/{len(kinds)} {kind} {measured[-1]['wait_s']:.2f} s", file=sys.stderr, flush=True)
    return measured


def _record(deck: Deck, root: Path, target: str) -> None:
    """The iterations, each once, as they are kept."""
    found = read_iterations(Paths(deck.state, os.path.join(deck.folder, "cache", "cargo-deck")))
    lines = [json.dumps({"schema": SCHEMA}), *(json.dumps(to_record(one)) for one in found)]
    Path(target).write_text("\n".join(lines).replace(str(root), "/w") + "\n")


def _judge(measured: list[dict[str, Any]]) -> int:
    starts = statistics.median(one["start_s"] for one in measured)
    outside = statistics.median(one["wait_s"] - one["since_save_s"] for one in measured)
    needed = [one["wait_s"] / sum(one["phases"].get(what, 0.0) for what in _NEEDED)
              for one in measured if one["class"] == "cu"]  # fmt: skip
    ratio = statistics.median(needed)
    print(f"save to start of the build: median {starts * 1000:.0f} ms (limit {START_LIMIT_S * 1000:.0f})")
    print(f"told after the wait that it names: median {outside * 1000:.0f} ms")
    print(f"a saved .cu against nvcc, rustc and link: median {ratio:.2f} of {len(needed)} (limit {NEEDED_LIMIT})")
    return int(starts > START_LIMIT_S or ratio > NEEDED_LIMIT)


if __name__ == "__main__":
    if not all(shutil.which(tool) for tool in ("cmake", "ninja")):
        sys.exit("cmake and ninja are needed")
    sys.exit(main())
