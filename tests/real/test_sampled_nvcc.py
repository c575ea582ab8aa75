"""Calls of nvcc that no front sees, in real builds: by its path, by an old tree of CMake's."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.real.product import Deck, until

_FINDING = "nvcc-without-front"
_CALLS_BY_PATH = """use std::process::Command;
fn main() {
    println!("cargo:rerun-if-changed=k.cu");
    let nvcc = std::env::var("CUDA_HOME").unwrap() + "/bin/nvcc";
    let out = std::env::var("OUT_DIR").unwrap() + "/k.o";
    let archs = ["-gencode=arch=compute_80,code=sm_80", "-gencode=arch=compute_90,code=sm_90"];
    assert!(Command::new(nvcc).args(archs).args(["-c", "k.cu", "-o", &out]).status().unwrap().success());
}
"""


def seen(deck: Deck) -> list[dict[str, Any]]:
    """Ends of such calls of the last run, once its journal is whole."""
    journal = Path(deck.runs()[-1], "events.jsonl")

    def events() -> list[dict[str, Any]]:
        lines = list(map(json.loads, journal.read_text().splitlines())) if journal.exists() else []
        return lines if any(one.get("event") == "RunEnded" for one in lines) else []

    told = until(events, 30, "the end of the run")
    return [one for one in told if one.get("event") == "NvccEnded" and one["verdict"] == "seen"]


def titles(deck: Deck) -> list[str]:
    run = Path(deck.runs()[-1]).name
    (shown,) = [one for one in deck.json("ps", "--all", "--json")["runs"] if one["run"] == run]
    return [one["title"] for one in shown["findings"] if one["id"] == _FINDING]


def test_a_program_of_that_name_is_seen_with_its_source(deck: Deck, tmp_path: Path) -> None:
    nvcc = tmp_path / "bin/nvcc"
    nvcc.parent.mkdir()
    shutil.copy2(os.path.realpath("/bin/sh"), nvcc)
    done = deck.run("exec", "--", str(nvcc), "-c", "sleep 2.5; :", "k.cu", cwd=str(tmp_path))
    assert done.returncode == 0, done.stderr
    (ended,) = seen(deck)
    assert (ended["source"], ended["kind"], ended["code"]) == (f"{tmp_path}/k.cu", "object", None)
    assert ended["elapsed_s"] == pytest.approx(2.5, abs=1.5)
    assert titles(deck) == [f"nvcc is called by its path, where no front stands: {nvcc}"]


@pytest.mark.long
def test_a_build_script_that_calls_it_by_its_path_is_seen(deck: Deck, cuda_home: str, tmp_path: Path) -> None:
    files = {
        "Cargo.toml": '[package]\nname = "one"\nversion = "1.0.0"\nedition = "2021"\n', "build.rs": _CALLS_BY_PATH,
        "k.cu": "__global__ void k(float *x) { *x = 1; }\n", "src/main.rs": "fn main() {}\n",
    }  # fmt: skip
    (tmp_path / "src").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = deck.run("build", cwd=str(tmp_path), env={**deck.env, "CUDA_HOME": cuda_home})
    assert done.returncode == 0, done.stderr
    (ended,) = seen(deck)
    assert (ended["package"], ended["source"]) == ("one", f"{tmp_path}/k.cu")
    made = os.stat(ended["output"])
    assert ended["output_bytes"] == made.st_size
    assert ended["began"] + ended["elapsed_s"] == pytest.approx(made.st_mtime, abs=0.05)
    assert titles(deck) == [f"nvcc is called by its path, where no front stands: {cuda_home}/bin/nvcc"]


@pytest.mark.long
def test_a_tree_of_cmakes_that_was_made_without_us_is_seen_until_it_is_cleaned(
    deck: Deck, nvcc: str, tmp_path: Path
) -> None:
    deck.env["PATH"] = f"{nvcc}:{deck.env['PATH']}"
    tree = tmp_path / "tree"
    (tmp_path / "k.cu").write_text("__global__ void k(float *x) { *x = 1; }\n")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\nset(CMAKE_CUDA_ARCHITECTURES 80 90)\nproject(k LANGUAGES CUDA)\n"
        "add_library(k STATIC k.cu)\n"
    )
    configure = ["cmake", "-G", "Ninja", "-S", str(tmp_path), "-B", str(tree)]
    subprocess.run(configure, env=deck.env, check=True, capture_output=True)
    assert deck.run("exec", "--", "ninja", "-C", str(tree), cwd=str(tmp_path)).returncode == 0
    assert [(one["source"], one["kind"]) for one in seen(deck)] == [(f"{tmp_path}/k.cu", "object")]
    assert titles(deck) == [f"{tree} was configured without the front: CMake calls nvcc by its path"]
    assert deck.run("clean", "--yes", "--cmake", str(tree), cwd=str(tmp_path)).returncode == 0
    for words in (configure, ["ninja", "-C", str(tree)]):
        assert deck.run("exec", "--", *words, cwd=str(tmp_path)).returncode == 0
    assert seen(deck) == []
    assert titles(deck) == []
