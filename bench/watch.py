"""What edits of each kind cost under `cargo deck watch`, and what the watch itself adds: `python -m bench.watch`.

A crate whose build script has CMake and ninja compile two kernels and a C++ file is edited, a class of edits after the
other in random order; each wait is taken from outside, from the write to the line that tells of the result. Then a
saved .cu is measured against the calls that must run (`bench.watch_needed`). `--record FILE` keeps the iterations for
tests.
`--hour`: instead, random edits for so long, and what is kept of them (`bench.watch_hour`).

Needs nvcc (fetched where there is none), cmake and ninja; for sppark its sources and crates of the registry.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import watch_needed as needed
from bench.nvcc_subjects import fetch
from bench.watch_hour import Hour
from bench.watch_hour import judge as judge_hour
from bench.watch_session import Session, save
from core.native.edits.iteration_book import read_iterations
from core.native.edits.iterations import SCHEMA, to_record
from core.paths import Paths
from tests.real.nvcc import our_toolkit
from tests.real.product import Deck, temporary_deck

START_LIMIT_S = 0.25
"""From a save to the start of its build, median: 20 ms are waited for further saves."""
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


class Edits:
    """A watch of the package, edited from outside."""

    def __init__(self, deck: Deck, root: Path, env: Mapping[str, str]) -> None:
        self._root, self._count = root, 0
        self._session = Session(deck, root, env)
        self.close = self._session.close

    def first(self) -> None:
        """Until the first build is over."""
        self._session.next("ended")
        self._session.next("watching")

    def edit(self, kind: str) -> dict[str, Any]:
        """Save an edit; what was told of its build."""
        self._count += 1
        saved_at = 0.0
        for name in _EDITS[kind]:
            mark = "#" if name.endswith((".toml", ".txt")) else "//"
            path = self._root / name
            saved_at = save(path, f"{path.read_text()}{mark} {self._count}\n")
        return self._session.saved(kind, saved_at)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=6, help="of each class; 0: none")
    parser.add_argument("--saves", type=int, default=9, help="of each .cu that is measured against its calls; 0: none")
    parser.add_argument("--sppark", default="", help="a folder that has its files already")
    parser.add_argument("--keep", default="", help="folder for what is fetched")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", default="", help="file for the iterations, with paths below /w")
    parser.add_argument("--hour", action="store_true", help="random edits for --seconds")
    parser.add_argument("--seconds", type=float, default=3600.0)
    args = parser.parse_args()
    with temporary_deck("watch-") as deck:
        nvcc = our_toolkit()
        env = {"PATH": f"{deck.env['PATH']}:{nvcc}/bin", "LIBRARY_PATH": f"{nvcc}/lib64"}
        if args.hour:
            hour = Hour(deck, env, args.seed)
            return judge_hour(hour, deck, hour.play(args.seconds))
        by_class = _edits(deck, env, args) if args.edits else 0
        return max(by_class, _needed(deck, env, args) if args.saves else 0)


def _edits(deck: Deck, env: Mapping[str, str], args: argparse.Namespace) -> int:
    root = Path(deck.folder, "edited")
    for name, text in _FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    edits = Edits(deck, root, env)
    try:
        measured = _edit_all(edits, args.edits, args.seed)
    finally:
        edits.close()
    time.sleep(2)  # the engine adds what it knows of links
    if args.record:
        _record(deck, root, args.record)
    print(deck.run("iterations", cwd=str(root)).stdout)
    return _judge(measured)


def _needed(deck: Deck, env: Mapping[str, str], args: argparse.Namespace) -> int:
    online = {**env, "CARGO_NET_OFFLINE": "false"}
    keep = args.keep or f"{deck.folder}/fetched"
    subjects = (
        needed.sppark_subject(deck, args.sppark or fetch("sppark", keep)),
        needed.sample_subject(deck, "orchard-kernels", "kernels/frost.cu"),
        needed.sample_subject(deck, "orchard-grid", "native/drain.cu"),
    )
    found = [(one.name, needed.measure(deck, one, online, args.saves)) for one in subjects]
    return int(not all([needed.judge(name, saves) for name, saves in found]))


def _edit_all(session: Edits, edits: int, seed: int) -> list[dict[str, Any]]:
    session.first()
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
    print(f"save to start of the build: median {starts * 1000:.0f} ms (limit {START_LIMIT_S * 1000:.0f})")
    print(f"told after the wait that it names: median {outside * 1000:.0f} ms")
    return int(starts > START_LIMIT_S)


if __name__ == "__main__":
    if not all(shutil.which(tool) for tool in ("cmake", "ninja")):
        sys.exit("cmake and ninja are needed")
    sys.exit(main())
