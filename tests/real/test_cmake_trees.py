"""Why things were made again below CMake and make, and what CMake tells of itself, with real tools and no CUDA."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from core.native.edits.iteration_book import read_iterations
from core.native.traces.cmake_api import read_reply
from core.native.traces.cmake_ask import QUESTION
from core.paths import Paths
from tests.real.product import Deck, until
from tests.real.samples import write_files

pytestmark = pytest.mark.long

_CMAKE = """cmake_minimum_required(VERSION 3.18)
project(kernels LANGUAGES CXX)
file(READ version.txt VERSION)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS version.txt)
add_library(kernels STATIC a.cpp b.cpp)
add_subdirectory(tool)
"""
_BUILD = """use std::process::Command;
fn run(words: &[&str]) {
    let done = Command::new("cmake").args(words).status().unwrap();
    assert!(done.success());
}
fn main() {
    println!("cargo:rerun-if-changed=native");
    let build = std::env::var("OUT_DIR").unwrap() + "/build";
    run(&["-S", "native", "-B", &build, "-G", "Unix Makefiles"]);
    run(&["--build", &build]);
}
"""
_NATIVE = {
    "CMakeLists.txt": _CMAKE, "version.txt": "1\n", "a.cpp": '#include "n.h"\nint a() { return N; }\n',
    "b.cpp": "int b() { return 2; }\n", "n.h": "#define N 1\n",
    "tool/CMakeLists.txt": "add_executable(tool tool.cpp)\n", "tool/tool.cpp": "int main() { return 0; }\n",
}  # fmt: skip
_MANIFEST = '[package]\nname = "app"\nversion = "1.0.0"\nedition = "2021"\n[workspace]\n'


def why(deck: Deck, cwd: Path) -> dict[str, str | None]:
    """Outputs that the newest run there made again, and why."""
    found = deck.json("why", "--json", cwd=str(cwd))
    assert found["is_told"]
    assert all(one["is_rebuilt"] for one in found["units"])
    return {
        os.path.basename(one["unit"]): one["reason"] for one in found["units"] if one["kind"] == "output"
    }  # fmt: skip


@pytest.fixture
def native(tmp_path: Path) -> Path:
    """Sources of a library and a tool."""
    folder = tmp_path / "native"
    write_files(str(folder), _NATIVE)
    return folder


def test_below_makefiles_of_cmake_each_object_and_link_has_its_reason(deck: Deck, native: Path) -> None:
    def build() -> dict[str, str | None]:
        done = deck.run("exec", "--", "cmake", "--build", "out", cwd=str(native))
        assert done.returncode == 0, done.stdout + done.stderr
        return why(deck, native)

    assert (
        deck.run("exec", "--", "cmake", "-S", ".", "-B", "out", "-G", "Unix Makefiles", cwd=str(native)).returncode == 0
    )
    new = "it was not made before"
    assert build() == {
        "a.cpp.o": new, "b.cpp.o": new, "libkernels.a": "made again of a.cpp.o, b.cpp.o", "tool.cpp.o": new,
        "tool": "made again of tool.cpp.o",
    }  # fmt: skip
    (native / "n.h").write_text("#define N 2\n")
    changed = "…/native/n.h has changed since the build before"
    assert build() == {"a.cpp.o": changed, "libkernels.a": "made again of a.cpp.o"}
    assert build() == {}
    with (native / "CMakeLists.txt").open("a") as file:
        file.write("target_compile_definitions(tool PRIVATE X=1)\n")
    assert build() == {"tool.cpp.o": "its command line changed", "tool": "made again of tool.cpp.o"}
    shutil.rmtree(native / "out")
    assert "Not known" in deck.run("why", cwd=str(native)).stdout


def test_make_without_cmake_is_read_by_its_commands(deck: Deck, tmp_path: Path) -> None:
    write_files(str(tmp_path), {
        "Makefile": "app: m.o\n\tg++ -o app m.o\nm.o: m.cpp inc/m.h\n\t$(CXX) -Iinc -c m.cpp -o m.o\n",
        "m.cpp": '#include "m.h"\nint main() { return N; }\n', "inc/m.h": "#define N 1\n",
    })  # fmt: skip
    assert deck.run("exec", "--", "make", cwd=str(tmp_path)).returncode == 0
    assert why(deck, tmp_path) == {"m.o": None, "app": "made again of m.o"}
    (tmp_path / "inc/m.h").write_text("#define N 2\n")
    assert deck.run("exec", "--", "make", cwd=str(tmp_path)).returncode == 0
    assert why(deck, tmp_path) == {
        "m.o": "…/inc/m.h has changed since the build before", "app": "made again of m.o",
    }  # fmt: skip
    assert deck.run("exec", "--", "make", cwd=str(tmp_path)).returncode == 0
    told = " ".join(deck.run("why", cwd=str(tmp_path)).stdout.split())
    assert "Nothing was rebuilt, and nothing changed, as far as" in told
    assert deck.run("exec", "--", "true", cwd=str(tmp_path)).returncode == 0


def test_in_out_dir_cmake_is_asked_and_its_answer_tells_what_an_edit_was(deck: Deck, tmp_path: Path) -> None:
    app = tmp_path / "app"
    write_files(str(app), {
        "Cargo.toml": _MANIFEST, "build.rs": _BUILD, "src/main.rs": "fn main() {}\n",
        **{f"native/{name}": text for name, text in _NATIVE.items()},
    })  # fmt: skip

    def build(code: int = 0) -> str:
        done = deck.run("build", cwd=str(app))
        assert done.returncode == code, done.stderr
        return os.path.basename(deck.runs()[-1])

    def kind_of(run: str) -> str:
        paths = Paths(deck.state, deck.env["XDG_CACHE_HOME"] + "/cargo-deck")
        return str(until(lambda: [one.kind for one in read_iterations(paths) if one.run == run], 20, "an iteration")[0])

    first = build()
    assert kind_of(first) == "clean"
    (tree,) = until(lambda: list(app.glob(f"target/debug/build/*/out/build/{QUESTION}")), 20, "the question")
    tree = tree.parents[len(Path(QUESTION).parts) - 1]
    assert read_reply(str(tree)) is None
    (app / "native/a.cpp").write_text("int a() { return 7; }\n")
    assert kind_of(build()) == "cpp"
    assert why(deck, app) == {
        "a.cpp.o": "…/native/a.cpp has changed since the build before", "libkernels.a": "made again of a.cpp.o",
    }  # fmt: skip
    answer = read_reply(str(tree))
    assert answer is not None
    assert {one.name for one in answer.targets} == {"kernels", "tool"}
    assert f"{app}/native/version.txt" in answer.inputs
    (app / "native/version.txt").write_text("2\n")
    assert kind_of(build()) == "cmake"
    (app / "native/a.cpp").write_text("int a() { return nope; }\n")
    build(101)
    (run,) = (one for one in deck.json("ps", "--all", "--json", cwd=str(app))["runs"] if one["state"] == "failed")
    assert (run["first_error"]["file"], run["first_error"]["line"], run["first_error"]["column"]) == (
        f"{app}/native/a.cpp", 1, 18,
    )  # fmt: skip
    assert "nope" in run["first_error"]["message"]


_CALLS_NVCC = """use std::process::Command;
fn main() {
    let words = ["-arch=sm_80", "-ptx", "k/a.cu", "-o", "/dev/null"];
    assert!(Command::new("nvcc").args(words).status().unwrap().success());
}
"""


def test_errors_of_the_real_nvcc_come_before_cargos_and_have_their_caret(deck: Deck, tmp_path: Path, nvcc: str) -> None:
    deck.env["PATH"] = f"{nvcc}:{deck.env['PATH']}"
    write_files(str(tmp_path), {
        "Cargo.toml": _MANIFEST, "src/main.rs": "fn main() {}\n",
        "build.rs": _CALLS_NVCC,
        "k/a.cu": "__global__ void a(float *o) { o[0] = nope; }\n", "k/b.cu": "__global__ void b() {\n",
    })  # fmt: skip
    assert deck.run("build", cwd=str(tmp_path)).returncode == 101
    words = ("exec", "--", "nvcc", "-arch=sm_80", "-ptx", "k/b.cu", "-o", "b.ptx")
    assert deck.run(*words, cwd=str(tmp_path)).returncode != 0

    def both() -> Any:
        found = [one for one in deck.json("ps", "--all", "--json")["runs"] if one["nvcc"]["failures"]]
        return found if len(found) == 2 else None

    runs = until(both, 20, "two calls that failed")
    places = [(one["first_error"]["file"], one["first_error"]["line"]) for one in runs]
    assert places == [("k/a.cu", 1), ("k/b.cu", None)]
    assert [one["errors"] for one in runs] == [2, 1]
    for one, source in zip(runs, ("k/a.cu", "k/b.cu"), strict=True):
        (failure,) = one["nvcc"]["failures"]
        (error,) = failure["errors"]
        assert failure["source"] == str(tmp_path / source)
        assert error["rendered"].endswith("^")
