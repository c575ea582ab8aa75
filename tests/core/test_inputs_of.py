"""What a build reads, by the files that cargo, compilers, ninja and CMake left."""

import json
import os
import struct
from collections.abc import Iterable
from pathlib import Path

import pytest

from core.native.edits.inputs_of import Inputs, Subject, inputs_of, native_inputs
from core.native.traces.build_tree import inputs_in, trees_of
from core.native.traces.cargo_said import read_log
from core.native.traces.cmake_inputs import cmake_inputs, make_inputs
from core.native.traces.ninja_deps import read_ninja_deps
from core.native.traces.nvcc_calls import NvccCall
from core.native.traces.nvcc_closure import closure_of, depfile_of, include_folders
from core.paths import Paths
from tests.core.iteration_world import IterationWorld


def below(world: IterationWorld, found: Iterable[str]) -> set[str]:
    """Names below the package's folder; others as they are."""
    return {path.removeprefix(f"{world.root}/") for path in found}


def subject(world: IterationWorld, run: str, *, is_whole: bool = True) -> Subject:
    env = {"HOME": str(world.root), "CARGO_HOME": str(world.root / "no-cargo")}
    return Subject(run, "cargo", ("build",), str(world.root), str(world.root), f"{world.root}/target", env, is_whole)


@pytest.fixture
def world(tmp_path: Path) -> IterationWorld:
    """A package that was built."""
    return IterationWorld(tmp_path)


def test_sources_of_units_what_was_declared_and_settings_are_inputs_and_nothing_else(world: IterationWorld) -> None:
    world.write("README.md", "x")
    world.write("examples/other.rs", "x")
    found = inputs_of(world.paths, subject(world, world.run(1.0)))
    assert below(world, found.files) >= {
        "src/lib.rs", "src/more.rs", "build.rs", "Cargo.toml", "Cargo.lock", ".cargo/config.toml", "deck.toml",
        "kernels/a.cu", "kernels/b.cu", "kernels/n.cuh", "kernels/host.cpp", "CMakeLists.txt", "rust-toolchain.toml",
    }  # fmt: skip
    assert not below(world, found.files) & {"README.md", "examples/other.rs"}
    assert not [path for path in found.files if "/target/" in path]
    assert below(world, found.trees) == {"kernels"}
    assert below(world, found.build_scripts) == {"build.rs"}
    assert found.is_exact


def test_a_build_script_that_declares_nothing_reads_all_of_its_package(world: IterationWorld) -> None:
    (world.out_dir.parent / "output").write_text("cargo:rustc-cfg=x\n")
    world.write("data/table.txt", "x")
    found = inputs_of(world.paths, subject(world, world.run(1.0)))
    assert "data/table.txt" in below(world, found.files)
    assert "data" in below(world, found.trees)


def test_what_is_declared_and_missing_is_awaited(world: IterationWorld) -> None:
    (world.out_dir.parent / "output").write_text("cargo::rerun-if-changed=later/x.cu\n")
    found = inputs_of(world.paths, subject(world, world.run(1.0)))
    assert "later/x.cu" in below(world, found.files)


def test_a_header_outside_of_what_is_declared_is_known_by_the_depfile_in_out_dir(world: IterationWorld) -> None:
    world.write("../shared/outside.cuh", "x")
    (world.out_dir / "k.d").write_text(
        f"k.o : {world.root}/kernels/a.cu \\\n  {world.root}/../shared/outside.cuh /usr/include/x.h\n"
    )
    found = inputs_of(world.paths, subject(world, world.run(1.0)))
    assert str(world.root.parent / "shared/outside.cuh") in found.files
    assert "/usr/include/x.h" not in found.files
    assert str(world.root.parent / "shared") in found.folders


def test_what_nvcc_read_in_an_earlier_run_is_an_input_of_a_build_that_did_not_call_it(world: IterationWorld) -> None:
    world.write("../shared/t.cuh", "#pragma once\n")
    world.write("kernels/a.cu", '#include "../../shared/t.cuh"\n#include <cuda_runtime.h>\n')
    earlier = world.run(1.0, nvcc={"cicc": 0.5})
    found = inputs_of(world.paths, subject(world, world.run(1.0)), [earlier])
    assert str(world.root.parent / "shared/t.cuh") in found.files
    assert native_inputs(world.paths, [earlier]) == {
        str(world.root / "kernels/a.cu"), str(world.root.parent / "shared/t.cuh"),
    }  # fmt: skip


def test_of_a_build_that_failed_all_sources_may_be_inputs(world: IterationWorld) -> None:
    world.write("src/unread.rs", "x")
    found = inputs_of(world.paths, subject(world, world.run(1.0, code=101), is_whole=False))
    assert "src/unread.rs" in below(world, found.files)
    assert not found.is_exact


def test_without_a_log_of_cargos_all_that_is_not_ignored_is_watched(world: IterationWorld) -> None:
    run = world.run(1.0)
    os.unlink(world.paths.run(run) + "/out.log")
    found = inputs_of(world.paths, subject(world, run))
    assert {"src/lib.rs", "kernels/a.cu"} <= below(world, found.files)
    assert not found.is_exact


def test_of_a_command_that_leaves_nothing_the_folder_is_watched_without_what_is_made(world: IterationWorld) -> None:
    world.write("out/CMakeCache.txt", "")
    world.write("out/gen.cpp", "")
    world.write(".hidden/x.rs", "")
    one = Subject("none", "exec", ("./run.sh",), str(world.root), str(world.root), None, {}, True)
    found = inputs_of(world.paths, one)
    assert {"src/lib.rs", "CMakeLists.txt"} <= below(world, found.files)
    assert not below(world, found.files) & {"out/gen.cpp", ".hidden/x.rs"}
    assert not found.is_exact


def test_of_ninja_and_cmake_what_they_noted_is_watched(world: IterationWorld) -> None:
    tree = world.root / "out"
    tree.mkdir()
    (tree / "build.ninja").write_bytes(
        b"build build.ninja: RERUN_CMAKE | CMakeCache.txt ../CMakeLists.txt $\n  ../f$ 1.cmake /usr/x.cmake || o\n"
        b"build x: y\n"
    )
    (tree / ".ninja_deps").write_bytes(ninja_deps({"k.o": ["../kernels/a.cu", "../kernels/n.cuh"]}))
    (tree / "CMakeCache.txt").write_text("")
    one = Subject("none", "exec", ("ninja", "-C", "out"), str(world.root), str(world.root), None, {}, True)
    found = inputs_of(world.paths, one)
    assert below(world, found.files) == {"CMakeLists.txt", "f 1.cmake", "kernels/a.cu", "kernels/n.cuh"}
    assert found.is_exact


def ninja_deps(deps: dict[str, list[str]], version: int = 4) -> bytes:
    paths: list[str] = []
    content = b"# ninjadeps\n" + struct.pack("<i", version)
    for output, inputs in deps.items():
        for path in (output, *inputs):
            if path not in paths:
                padded = path.encode() + b"\0" * (-len(path) % 4)
                content += struct.pack("<I", len(padded) + 4) + padded + struct.pack("<i", ~len(paths))
                paths.append(path)
        numbers = [paths.index(output), *([0] * (2 if version == 4 else 1)), *map(paths.index, inputs)]
        content += struct.pack("<I", len(numbers) * 4 | 1 << 31) + struct.pack(f"<{len(numbers)}I", *numbers)
    return content


@pytest.mark.parametrize("version", [3, 4])
def test_ninjas_dependencies_are_read_in_both_versions_and_at_every_cut(version: int) -> None:
    content = ninja_deps({"a.o": ["a.cu", "n.cuh"], "b.o": ["n.cuh"]}, version)
    assert read_ninja_deps(content) == {"a.o": ("a.cu", "n.cuh"), "b.o": ("n.cuh",)}
    for at in range(len(content)):
        assert read_ninja_deps(content[:at]).keys() <= {"a.o", "b.o"}
    assert read_ninja_deps(b"# ninjadeps\n" + struct.pack("<i", 9)) == {}
    assert read_ninja_deps(content[:16] + b"\xff" * 100) == {}


def test_what_cmake_read_stands_in_its_makefiles() -> None:
    text = b'set(CMAKE_MAKEFILE_DEPENDS\n  "CMakeCache.txt"\n  "/w/CMakeLists.txt"\n  )\nset(X "no")\n'
    assert make_inputs(text) == ("CMakeCache.txt", "/w/CMakeLists.txt")
    assert make_inputs(b"") == cmake_inputs(b"") == cmake_inputs(b"build x: y\n") == ()


def test_depfiles_of_makes_subfolders_are_read_from_where_make_was(tmp_path: Path) -> None:
    root = Path(os.path.realpath(tmp_path))
    (root / "tree/CMakeFiles/k.dir").mkdir(parents=True)
    (root / "src").mkdir()
    (root / "src/a.cpp").write_text("")
    (root / "tree/CMakeFiles/k.dir/a.cpp.o.d").write_text("CMakeFiles/k.dir/a.cpp.o: ../src/a.cpp ../src/gone.h\n")
    assert str(root / "src/a.cpp") in inputs_in(str(root / "tree"))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("ninja", "-C", "out"), ["out"]), (("ninja", "-Cout"), ["out"]), (("cmake", "--build", "out"), ["out"]),
        (("make", "--directory=out"), ["out"]), (("ninja", "-C", "none"), []), (("ninja", "-C"), []), ((), []),
    ],
)  # fmt: skip
def test_build_trees_that_a_command_names(tmp_path: Path, words: tuple[str, ...], found: list[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/build.ninja").write_text("")
    assert trees_of(words, str(tmp_path)) == tuple(f"{tmp_path}/{name}" for name in found)


# One call of nvcc


def call(*argv: str, inputs: tuple[str, ...] = (), output: str = "", cwd: str = "/w") -> NvccCall:
    return NvccCall("r", "1", 0.0, cwd, argv, "/cuda/bin/nvcc", (f"{cwd}/k.cu",), output, "object", "", "", "",
                    inputs=inputs)  # fmt: skip


def test_a_closure_is_what_the_front_noted_else_the_depfile_else_the_text(tmp_path: Path) -> None:
    root = os.path.realpath(tmp_path)
    for name, text in (
        ("k.cu", '#include "a.cuh"\n'),
        ("a.cuh", "#include <b.cuh>\n"),
        ("inc/b.cuh", ""),
        ("k.d", "k.o: k.cu c.cuh\n"),
    ):
        Path(root, name).parent.mkdir(exist_ok=True)
        Path(root, name).write_text(text)
    assert closure_of(call("-c", inputs=("/w/x.cuh",))) == ("/w/k.cu", "/w/x.cuh")
    with_depfile = call("-MD", "-c", "k.cu", output=f"{root}/k.o", cwd=root)
    assert closure_of(with_depfile) == (f"{root}/k.cu", f"{root}/c.cuh")
    by_text = call("-c", "k.cu", "-I", "inc", cwd=root)
    assert set(closure_of(by_text)) == {f"{root}/k.cu", f"{root}/a.cuh", f"{root}/inc/b.cuh"}


def test_where_a_call_has_its_depfile_written_and_which_folders_it_names() -> None:
    assert depfile_of(call("-MD", "-MF", "x.d")) == "/w/x.d"
    assert depfile_of(call("--dependency-output=y.d")) == "/w/y.d"
    assert depfile_of(call("-MD", output="/o/k.o")) == "/o/k.d"
    assert depfile_of(call("--generate-dependencies-with-compile", output="/o/k.o")) == "/o/k.d"
    assert depfile_of(call("-MF")) == depfile_of(call("-c", output="/o/k.o")) == ""
    argv = ("-I", "a", "-Ib", "-isystem", "c", "--include-path=d,e", "-I")
    assert include_folders(argv, "/w") == ("/w/a", "/w/b", "/w/c", "/w/d", "/w/e")


# Hostile input


@pytest.mark.parametrize(
    "line",
    [
        b'{"reason":"compiler-artifact"', b'{"reason":"compiler-artifact","package_id":5}', b"\xff\n",
        b'{"reason":"compiler-artifact","package_id":"path+file:///w"}',
        b'{"reason":"compiler-artifact",' + b"[" * 9000,
        b'{"reason":"build-script-executed","package_id":"path+x","out_dir":7}',
        b'{"reason":"compiler-artifact","package_id":"path+x","manifest_path":"/w/x.toml","target":[],"filenames":3}',
    ],
)  # fmt: skip
def test_a_log_with_anything_in_it_is_read_without_a_word(tmp_path: Path, line: bytes) -> None:
    good = json.dumps({"reason": "build-finished", "success": True}, separators=(",", ":")).encode()
    (tmp_path / "log").write_bytes(line + b"\n    Building [=> ] 1/2: x\r" + good + b"\n")
    assert read_log(str(tmp_path / "log")).is_built
    assert read_log(str(tmp_path)).packages == read_log(str(tmp_path / "none")).packages == ()


def test_folders_pipes_rings_and_depths_do_not_stop_a_look(tmp_path: Path) -> None:
    (tmp_path / "a.d").mkdir()
    os.mkfifo(tmp_path / "b.d")
    (tmp_path / "ring").symlink_to(tmp_path)
    (tmp_path / "c.d").write_bytes(b"\xff\xfe:\0 x\\\n" * 10)
    deep = tmp_path
    for _ in range(60):
        deep = deep / "d"
    deep.mkdir(parents=True)
    assert isinstance(inputs_in(str(tmp_path)), frozenset)
    assert inputs_in(str(tmp_path / "a\0b")) == frozenset()
    none = Subject("r", "cargo", (), "/none", "/none", None, {}, True)
    assert inputs_of(Paths(str(tmp_path), str(tmp_path)), none).joined(Inputs()).is_exact is False
