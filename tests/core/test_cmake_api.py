"""CMake's file API: what is read of its answers, and where it is asked."""

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from core.native.reasons.make_tree import outputs_in
from core.native.reasons.why import Facts, explain
from core.native.traces.build_tree import read_in
from core.native.traces.cmake_api import REPLY, Reply, Source, Toolchain, read_reply
from core.native.traces.cmake_ask import QUESTION, ask_cmake

INDEX = {
    "cmake": {"generator": {"multiConfig": False, "name": "Ninja"}},
    "objects": [
        {"jsonFile": "codemodel-v2-1.json", "kind": "codemodel", "version": {"major": 2, "minor": 4}},
        {"jsonFile": "cmakeFiles-v1-1.json", "kind": "cmakeFiles", "version": {"major": 1, "minor": 0}},
        {"jsonFile": "toolchains-v1-1.json", "kind": "toolchains", "version": {"major": 1, "minor": 0}},
        {"jsonFile": "cache-v2-1.json", "kind": "cache", "version": {"major": 2, "minor": 0}},
    ],
    "reply": {},
}  # fmt: skip
CODEMODEL = {
    "configurations": [{"name": "Debug", "targets": [{"jsonFile": "target-k.json", "name": "k"}]}],
    "kind": "codemodel", "paths": {"build": "TOP/out", "source": "TOP"},
}  # fmt: skip
TARGET = {
    "artifacts": [{"path": "sub/libk.a"}], "compileGroups": [{"language": "CUDA"}, {"language": "CXX"}],
    "name": "k", "paths": {"build": "sub", "source": "sub"}, "type": "STATIC_LIBRARY",
    "sources": [
        {"compileGroupIndex": 0, "path": "sub/k.cu"}, {"compileGroupIndex": 1, "path": "../c.cpp"},
        {"path": "sub/k.cuh"}, {"compileGroupIndex": 1, "isGenerated": True, "path": "out/g.cpp"},
    ],
}  # fmt: skip
FILES = {
    "inputs": [
        {"path": "CMakeLists.txt"}, {"path": "version.txt"}, {"isExternal": True, "path": "/shared/common.cmake"},
        {"isCMake": True, "isExternal": True, "path": "/usr/share/cmake/Modules/CMakeCInformation.cmake"},
        {"isGenerated": True, "path": "out/CMakeFiles/3.25.1/CMakeSystem.cmake"},
    ],
    "paths": {"build": "TOP/out", "source": "TOP"},
}  # fmt: skip
TOOLCHAINS = {
    "toolchains": [
        {"compiler": {"path": "/opt/cuda/bin/nvcc", "version": "13.0.88"}, "language": "CUDA"},
        {"compiler": {}, "language": "CXX"},
    ],
}  # fmt: skip
NAMES = ("index-2026-11-26T14-14-15-0527", "codemodel-v2-1", "target-k", "cmakeFiles-v1-1", "toolchains-v1-1")


class Tree:
    """A build tree with an answer in it."""

    def __init__(self, folder: Path) -> None:
        self.source = os.path.realpath(folder)
        self.top = f"{self.source}/out"
        for name, answer in zip(NAMES, (INDEX, CODEMODEL, TARGET, FILES, TOOLCHAINS), strict=True):
            self.answer(name, answer)

    def answer(self, name: str, value: Any) -> Path:
        text = value if isinstance(value, str) else json.dumps(value).replace("TOP", self.source)
        return self.file(f"{REPLY}/{name}.json", text)

    def file(self, name: str, text: str = "x") -> Path:
        path = Path(self.top, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def read(self) -> Reply:
        found = read_reply(self.top)
        assert found is not None
        return found


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "w")


def test_targets_inputs_and_compilers_are_read_of_the_last_answer(tree: Tree) -> None:
    tree.answer("index-2025-01-01T00-00-00-0000", {"objects": []})
    found, source = tree.read(), tree.source
    (target,) = found.targets
    assert (found.generator, target.name, target.kind, target.configuration) == (
        "Ninja",
        "k",
        "STATIC_LIBRARY",
        "Debug",
    )
    assert target.artifacts == (f"{tree.top}/sub/libk.a",)
    assert target.sources == (
        Source(f"{source}/sub/k.cu", "CUDA"), Source(f"{os.path.dirname(source)}/c.cpp", "CXX"),
        Source(f"{source}/sub/k.cuh", ""),
    )  # fmt: skip
    folder = f"{tree.top}/sub/CMakeFiles/k.dir"
    assert [target.objects_of(one) for one in target.sources] == [
        (f"{folder}/k.cu.o", f"{folder}/Debug/k.cu.o"),
        (f"{folder}/__/__/c.cpp.o", f"{folder}/Debug/__/__/c.cpp.o"), (),
    ]  # fmt: skip
    assert found.inputs == (f"{source}/CMakeLists.txt", f"{source}/version.txt", "/shared/common.cmake")
    assert found.toolchains == (Toolchain("CUDA", "/opt/cuda/bin/nvcc", "13.0.88"), Toolchain("CXX", "", ""))
    assert found.nvcc == "/opt/cuda/bin/nvcc"


def test_where_nobody_asked_there_is_no_answer(tmp_path: Path, tree: Tree) -> None:
    assert read_reply(str(tmp_path / "none")) is None
    tree.answer(NAMES[0], {**INDEX, "objects": [{"kind": "codemodel", "jsonFile": "x", "version": {"major": 3}}]})
    assert read_reply(tree.top) is None


@pytest.mark.parametrize("value", [
    "", "{", "[]", "null", "7", "[" * 100_000, '{"objects": 7, "targets": "x"}', '{"paths": []}', '{"inputs": {}}',
    '{"configurations": [7, {"targets": [[], {"jsonFile": 7}, {"jsonFile": "../../../../etc/passwd"}]}]}',
    '{"paths": {"source": "/x"}, "inputs": [null, {"path": 7}, {"path": "a\\u0000b"}, {"path": "\\ud800"}]}',
    '{"toolchains": [{"language": [], "compiler": "x"}, {"language": "C"}]}',
    '{"sources": [{"path": "a.c", "compileGroupIndex": -1}, {"path": "b.c", "compileGroupIndex": true}],'
    ' "compileGroups": [null], "artifacts": "x", "paths": 1, "name": {}}',
])  # fmt: skip
def test_an_answer_that_is_none_does_not_raise(tree: Tree, value: str) -> None:
    for name in NAMES[1:]:
        path = tree.answer(name, value)
        assert tree.read().generator == "Ninja"
        path.unlink()
        path.mkdir()
        assert tree.read().generator == "Ninja"
    tree.answer(NAMES[0], value)
    assert read_reply(tree.top) is None
    assert isinstance(read_in(tree.top).files, frozenset)


def test_mutilated_answers_do_not_raise(tree: Tree) -> None:
    dice = random.Random(3)
    for _ in range(60):
        name = dice.choice(NAMES)
        path = Path(tree.top, REPLY, name + ".json")
        before = path.read_bytes()
        content = bytearray(before)
        for _ in range(4):
            content[dice.randrange(len(content))] = dice.choice(b'{}[]",:07ax\\\0\xff')
        path.write_bytes(content)
        outputs_in(tree.top)
        assert isinstance(read_in(tree.top).files, frozenset)
        path.write_bytes(before)


def test_what_cmake_read_and_sources_of_what_was_compiled_are_inputs_without_its_toolkits_headers(tree: Tree) -> None:
    tree.file("build.ninja", "build build.ninja: RERUN_CMAKE | ../old.cmake\n")
    tree.file("sub/k.d", f"k.o: {tree.source}/sub/k.cu /opt/cuda/include/cuda.h\n")
    names = ("CMakeLists.txt", "version.txt")
    cmake = {f"{tree.source}/{name}" for name in names} | {"/shared/common.cmake"}
    found = read_in(tree.top)
    assert found.cmake_files == cmake
    assert found.files == cmake | {f"{tree.source}/sub/k.cu"}
    tree.file("sub/CMakeFiles/k.dir/k.cu.o")
    assert f"{tree.source}/sub/k.cuh" in read_in(tree.top).files
    Path(tree.top, REPLY, NAMES[0] + ".json").unlink()
    assert read_in(tree.top).cmake_files == {f"{tree.source}/old.cmake"}


def test_objects_have_their_source_and_programs_their_objects_as_cmake_told(tree: Tree) -> None:
    made = str(tree.file("sub/CMakeFiles/k.dir/Debug/k.cu.o"))
    library = str(tree.file("sub/libk.a"))
    found = {one.path: one.inputs for one in outputs_in(tree.top)}
    assert found == {made: (f"{tree.source}/sub/k.cu",), library: (made,)}


def test_what_ninja_linked_is_told_by_what_cmake_said_of_it(tree: Tree) -> None:
    second = 1_000_000_000
    made, library = tree.file("sub/CMakeFiles/k.dir/Debug/k.cu.o"), tree.file("sub/libk.a")
    os.utime(made, (2001, 2001))
    os.utime(library, (2002, 2002))
    log = "".join(f"0\t1\t{at * second}\tsub/libk.a\ta\n" for at in (1000, 2002))
    tree.file(".ninja_log", "# ninja log v5\n" + log)
    (found,) = explain(Facts(2000 * second, 2010 * second, trees=(tree.top,)))
    assert (found.unit, found.by) == (str(library), "ninja")
    assert found.reason == "sub/CMakeFiles/k.dir/Debug/k.cu.o is newer than what was made before"


def test_cmake_is_asked_below_out_dir_alone_and_once(tmp_path: Path) -> None:
    target = tmp_path / "target"
    for name in ("app-1", "old-2"):
        (target / f"debug/.fingerprint/{name}").mkdir(parents=True)
        (target / f"debug/build/{name}/out/build").mkdir(parents=True)
        (target / f"debug/build/{name}/output").write_text("")
        (target / f"debug/build/{name}/out/build/CMakeCache.txt").write_text("")
    os.utime(target / "debug/build/old-2/output", (1, 1))
    own = tmp_path / "own"
    own.mkdir()
    (own / "CMakeCache.txt").write_text("")
    (target / "debug/build/app-1/out/linked").symlink_to(own)
    trapped = target / "debug/build/app-1/out/trapped"
    trapped.mkdir()
    (trapped / "CMakeCache.txt").write_text("")
    (trapped / ".cmake").symlink_to(own)
    snared = target / "debug/build/app-1/out/snared"
    (snared / ".cmake/api/v1/query").mkdir(parents=True)
    (snared / "CMakeCache.txt").write_text("")
    (snared / ".cmake/api/v1/query/client-cargo-deck").symlink_to(own)
    tree = str(target / "debug/build/app-1/out/build")
    assert ask_cmake(str(target), 2_000_000_000) == (tree,)
    kinds = [one["kind"] for one in json.loads(Path(tree, QUESTION).read_text())["requests"]]
    assert kinds == ["codemodel", "cmakeFiles", "toolchains"]
    assert ask_cmake(str(target), 2_000_000_000) == ()
    assert os.listdir(own) == ["CMakeCache.txt"]
    assert not (target / "debug/build/old-2/out/build/.cmake").exists()
    assert ask_cmake(str(tmp_path / "none"), 0) == ()
