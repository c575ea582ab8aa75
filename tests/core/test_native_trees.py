"""Build trees of ninja, make and CMake: what is stale in them, what an edit is proven to rebuild; by the real tools,
with an nvcc that compiles nothing."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from core.errors import UsageError
from core.native.proofs.prove import Command, Verdict
from core.native.proofs.prove_tree import TreeProver, roots_of
from core.native.proofs.scratch import ScratchError, make_scratch
from core.native.staleness.input_state import read_stamp
from core.native.staleness.seen import Seen
from core.native.staleness.seen_run import remember_run
from core.native.staleness.tree_launchers import launchers_found
from core.native.staleness.tree_place import TreePlace, build_words, find_trees, has_no_cargo, read_made, remember_tree
from core.native.staleness.tree_stale import TreeFound, found_in
from core.native.staleness.tree_steps import Step, Tree, read_tree
from core.native.traces.cmake_text import Call, calls_in, depending, watching, with_all
from core.native.traces.ninja_file import read_ninja
from core.paths import Paths
from tests.native_worlds import build_env, edit, fake_nvcc

CMAKE = """cmake_minimum_required(VERSION 3.18)
project(app LANGUAGES NONE)
file(GLOB KERNELS kernels/*.cu)
set(SOURCE ${CMAKE_SOURCE_DIR})
add_custom_command(
  OUTPUT k.ptx
  COMMAND nvcc -ptx -I ${SOURCE}/inc ${SOURCE}/kernels/k.cu -o k.ptx
  DEPENDS kernels/k.cu)
add_custom_command(OUTPUT d.ptx COMMAND nvcc -ptx -I ${SOURCE}/inc ${SOURCE}/kernels/d.cu -o d.ptx -MD -MF d.ptx.d
  DEPENDS kernels/d.cu DEPFILE d.ptx.d)
add_custom_command(OUTPUT all.txt COMMAND cat k.ptx d.ptx > all.txt DEPENDS k.ptx d.ptx)
add_custom_target(app ALL DEPENDS all.txt)
"""
NINJA = """rule nvcc
  command = nvcc -c $in -o $out -I inc -MD -MF $out.d
  depfile = $out.d
  deps = gcc
rule bare
  command = nvcc -c $in -o $out -I inc
rule link
  command = cat $in > $out
build d.o: nvcc kernels/d.cu
build k.o: bare kernels/k.cu
build app: link d.o k.o
"""
MAKE = "all: k.o\nk.o: kernels/k.cu\n\tnvcc -c kernels/k.cu -o k.o -I inc\n"


class World:
    """A project without cargo, that was built."""

    def __init__(self, folder: Path, name: str, text: str, *configure: str) -> None:
        self.root = folder / "world"
        for kernel in ("k", "d"):
            path = self.root / f"kernels/{kernel}.cu"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f'#include "v.cuh"\n__global__ void {kernel}(float *out) {{ out[0] = VALUE; }}\n')
        self.header = self.root / "inc/v.cuh"
        self.header.parent.mkdir()
        self.header.write_text("#define VALUE 1\n")
        (self.root / ".git").mkdir()
        self.rules = self.root / name
        self.rules.write_text(text)
        self.env = build_env(folder, str(fake_nvcc(folder / "bin")))
        self.paths = Paths(str(folder / "state"), str(folder / "cache"))
        if configure:
            self.run(*configure)

    def run(self, *words: str) -> None:
        subprocess.run(words, cwd=self.root, env=self.env, check=True, capture_output=True)

    def place(self, tree: str = "") -> TreePlace:
        return find_trees(self.paths, str(self.root), self.env, tree)

    def found(self, tree: str = "") -> list[TreeFound]:
        place = self.place(tree)
        made = read_made(self.paths, place).made
        return found_in(place, made, lambda one: remember_tree(self.paths.state, one, made),
                        lambda path: read_stamp(path).digest)  # fmt: skip

    def verdicts(self, *files: str, tree: str = "", words: tuple[str, ...] = ()) -> dict[str, Verdict]:
        place = self.place(tree)
        reading = read_made(self.paths, place)
        paths = [str(self.root / name) for name in files] or sorted(reading.inputs)
        with make_scratch(self.paths, roots_of(place, paths), self.env, needs_overlay=True) as scratch:
            argv = words or build_words(place)[0]
            prover = TreeProver(scratch, Command(argv, str(self.root), self.env), place, reading)
            always = prover.baseline()
            return {os.path.relpath(path, self.root): prover.judge(path, always) for path in paths}

    def record(self, run: str, *words: str, **more: Any) -> None:
        """As if that had been run through us."""
        folder = Path(self.paths.run(run))
        folder.mkdir(parents=True)
        fields = {"schema": 1, "run": run, "tool": "exec", "typed": list(words), "cwd": str(self.root), "started": 1.0}
        (folder / "run.json").write_text(json.dumps(fields | more))


def cmake_world(folder: Path, generator: str) -> World:
    world = World(folder, "CMakeLists.txt", CMAKE, "cmake", "-G", generator, "-B", "build")
    world.run("cmake", "--build", "build")
    return world


GENERATORS = pytest.mark.parametrize("generator", ["Ninja", "Unix Makefiles"])


@GENERATORS
def test_an_input_that_a_custom_command_does_not_declare_is_found_and_the_line_mends_it(
    tmp_path: Path, generator: str
) -> None:
    world = cmake_world(tmp_path, generator)
    (one,) = world.found()
    assert (one.finding.id, one.finding.severity, one.paths) == (
        "input-undeclared", "warning", (str(world.header),),
    )  # fmt: skip
    assert one.finding.title == "k.ptx: an edit to inc/v.cuh is not rebuilt"
    assert "+  DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/inc/v.cuh kernels/k.cu)\n" in one.finding.mend
    edit(world.header, "#define VALUE 2\n")
    world.run("cmake", "--build", "build")
    (old,) = world.found()
    assert old.finding.title == "k.ptx is older than inc/v.cuh, and no build makes it again"
    assert "VALUE 2" not in (world.root / "build/k.ptx").read_text(), "and so it is"
    assert old.mend is not None
    world.rules.write_text(old.mend.after)
    world.run("cmake", "--build", "build")
    assert world.found() == []
    assert "VALUE 2" in (world.root / "build/k.ptx").read_text()


@pytest.mark.parametrize("generator", ["Ninja", pytest.param("Unix Makefiles", marks=pytest.mark.long)])
def test_exactly_what_is_made_of_a_file_and_linked_of_that_is_proven_to_be_made_again(
    tmp_path: Path, generator: str
) -> None:
    world = cmake_world(tmp_path, generator)
    before = {path: path.lstat().st_mtime_ns for path in world.root.rglob("*")}
    found = world.verdicts()
    assert {name: (one.outcome, [os.path.basename(path) for path in one.expected]) for name, one in found.items()} == {
        "kernels/k.cu": ("tracked", ["all.txt", "k.ptx"]),
        "kernels/d.cu": ("tracked", ["all.txt", "d.ptx"]),
        "inc/v.cuh": ("untracked", ["all.txt", "d.ptx", "k.ptx"]),
    }
    assert [os.path.basename(path) for path in found["inc/v.cuh"].missing] == ["k.ptx"]
    assert {path: path.lstat().st_mtime_ns for path in world.root.rglob("*")} == before
    assert os.listdir(world.paths.cache + "/scratch") == []


def test_what_the_command_does_not_make_is_not_asked_of_it(tmp_path: Path) -> None:
    world = World(tmp_path, "build.ninja", NINJA)
    world.run("ninja")
    found = world.verdicts("inc/v.cuh", "kernels/k.cu", words=("ninja", "d.o"))
    assert [(one.outcome, [os.path.basename(path) for path in one.expected]) for one in found.values()] == [
        ("tracked", ["d.o"]), ("left out", []),
    ]  # fmt: skip


@pytest.mark.parametrize(("launcher", "env", "ids"), [
    ("ccache", {}, ["ccache-nvcc-default"]),
    ("ccache", {"CCACHE_DEPEND": "1", "CMAKE_CUDA_COMPILER_LAUNCHER": "sccache", "SCCACHE_BASEDIRS": "/a"}, []),
    ("/opt/sccache", {"SCCACHE_BASEDIRS": "/a:/b"}, ["sccache-basedirs-direct"]),
    ("/bin/sh;-c;exec $0 ccache", {}, []),
])  # fmt: skip
def test_a_cache_that_cmake_noted_is_judged_with_what_who_builds_there_has_set(
    tmp_path: Path, launcher: str, env: dict[str, str], ids: list[str]
) -> None:
    world = World(tmp_path, "build.ninja", NINJA)
    cache = world.root / "CMakeCache.txt"
    cache.write_text(f"CMAKE_CUDA_COMPILER_LAUNCHER:STRING={launcher}\n")
    found = launchers_found(world.paths, world.place().trees, {**world.env, **env})
    assert [one.finding.id for one in found] == ids
    assert all(one.finding.evidence[-1].origin.place == str(cache) for one in found)


def test_a_file_that_nothing_is_known_to_be_made_of_is_not_tracked(tmp_path: Path) -> None:
    world = World(tmp_path, "build.ninja", NINJA)
    world.run("ninja")
    (world.root / "inc/alone.cuh").write_text("#pragma once\n")
    (found,) = world.verdicts("inc/alone.cuh").values()
    assert (found.outcome, found.why) == ("untracked", "nothing is made of it, as far as is known")


def test_a_rule_of_ninja_without_a_depfile_is_found_and_the_last_build_is_what_is_repeated(tmp_path: Path) -> None:
    world = World(tmp_path, "build.ninja", NINJA)
    world.run("ninja")
    (one,) = world.found()
    assert one.finding.title == "k.o: an edit to inc/v.cuh is not rebuilt"
    assert "depfile = $out.d" in one.finding.mend
    assert build_words(world.place()) == (("ninja", "-C", str(world.root)), str(world.root))
    world.record("1", "ninja", "d.o")
    world.record("2", "ninja", "-t", "clean")
    world.record("3", "./deploy.sh")
    world.record("4", "ninja", "app", is_masked=True)
    assert build_words(world.place()) == (("ninja", "d.o"), str(world.root))


def test_what_lies_beside_the_tree_is_proven_too_and_any_program_that_tells_what_it_read_is_a_compiler(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, "CMakeLists.txt", "")
    tree = world.root / "out"
    tree.mkdir()
    (world.root / "bin").mkdir()
    text = (
        NINJA.replace("kernels/", "../kernels/").replace("-I inc", "-I ../inc").replace("build app", "build ../bin/app")
    )
    (tree / "build.ninja").write_text(
        text.replace("command = nvcc -c $in -o $out -I ../inc -MD", "command = ./own $in $out")
    )
    (tree / "own").write_text('#!/bin/sh\nexec nvcc -c "$1" -o "$2" -I ../inc -MD -MF "$2.d"\n')
    (tree / "own").chmod(0o755)
    world.run("ninja", "-C", "out")
    found = world.verdicts("inc/v.cuh", "kernels/d.cu", tree="out")
    assert [(one.outcome, [os.path.basename(path) for path in one.expected]) for one in found.values()] == [
        ("untracked", ["app", "d.o", "k.o"]), ("tracked", ["app", "d.o"]),
    ]  # fmt: skip


def test_of_make_without_cmake_what_nvcc_was_seen_to_read_is_proven_and_nothing_is_said_of_its_rules(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, "Makefile", MAKE)
    world.run("make")
    assert world.found() == []
    world.record("1", "make")
    notes = Path(world.paths.run("1")) / "fronts/nvcc.jsonl"
    notes.parent.mkdir()
    source = str(world.root / "kernels/k.cu")
    argv = ["-c", "kernels/k.cu", "-o", "k.o", "-I", "inc"]
    begun = {"nvcc": "a", "at": 1.0, "cwd": str(world.root), "argv": argv, "sources": [source], "kind": "object",
             "output": str(world.root / "k.o")}  # fmt: skip
    ended = {"end": "a", "elapsed_s": 0.1, "code": 0, "verdict": "off", "inputs": [str(world.header)]}
    notes.write_text(f"{json.dumps(begun)}\n{json.dumps(ended)}\n")
    assert world.found() == []
    assert {name: one.outcome for name, one in world.verdicts().items()} == {
        "kernels/k.cu": "tracked", "inc/v.cuh": "untracked",
    }  # fmt: skip
    world.run("make", "-B")
    remember_run(world.paths, "1")
    edit(world.header, "#define VALUE 2\n")
    assert world.found() == [], "make did not run yet"
    world.run("make")
    world.record("2", "make", "k.o", started=4e9)
    (Path(world.paths.run("2")) / "exit.json").write_text('{"code": 0}')
    assert world.found() == [], "that was not all"
    world.record("3", "make", "-j", "2", started=4e9)
    (Path(world.paths.run("3")) / "exit.json").write_text('{"code": 0}')
    (left,) = world.found()
    assert (left.finding.title, left.is_certain) == ("k.o is older than inc/v.cuh, and make left it so", True)
    assert "k.o: inc/v.cuh\n" in left.finding.mend
    edit(world.header, "#define VALUE 3\n")
    os.utime(world.header, (1, 1))
    (one,) = world.found()
    assert (one.finding.id, one.finding.mend) == ("edit-unseen", f"touch {world.header}")


def test_an_edit_with_an_old_mtime_is_found_once_it_is_known_what_was_compiled(tmp_path: Path) -> None:
    world = cmake_world(tmp_path, "Ninja")
    assert [one.finding.id for one in world.found()] == ["input-undeclared"]
    source = world.root / "kernels/d.cu"
    was = source.stat()
    edit(source, source.read_text() + "// another\n")
    os.utime(source, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert [one.finding.id for one in world.found() if one.finding.severity == "error"] == ["edit-unseen"]
    os.utime(source)
    assert [one.finding.id for one in world.found()] == ["input-undeclared"], "ninja sees it now"


def test_a_new_source_beside_what_a_glob_found_is_told_and_not_where_the_glob_looks_again(tmp_path: Path) -> None:
    world = cmake_world(tmp_path, "Ninja")
    (world.root / "kernels/new.cu").write_text("__global__ void n() {}\n")
    (one,) = (one for one in world.found() if one.finding.id == "new-file-unseen")
    assert one.paths == (str(world.root / "kernels/new.cu"),)
    assert "+file(GLOB KERNELS CONFIGURE_DEPENDS kernels/*.cu)\n" in one.finding.mend
    assert one.mend is not None
    world.rules.write_text(one.mend.after)
    assert [one.finding.id for one in world.found()] == ["input-undeclared"]


@pytest.mark.parametrize("name", ["back\\1slash", "brack[et]s"])
def test_a_checkout_with_an_odd_name_is_judged_like_any(tmp_path: Path, name: str) -> None:
    root, build = tmp_path / name, tmp_path / name / "build"
    (root / "kernels").mkdir(parents=True)
    build.mkdir()
    (build / "CMakeCache.txt").write_text(f"CMAKE_HOME_DIRECTORY:INTERNAL={root}\n")
    (build / "build.ninja").write_text("")
    (root / "CMakeLists.txt").write_text("file(GLOB K ${CMAKE_CURRENT_SOURCE_DIR}/kernels/*.cu)\n")
    for one in ("a", "new"):
        (root / f"kernels/{one}.cu").write_text("")
    os.utime(build / "build.ninja", (1, 1))
    step = Step((f"{build}/a.o",), frozenset((f"{root}/kernels/a.cu",)), "", str(build))
    place = TreePlace(str(root), (Tree(str(build), "ninja", (step,), (f"{root}/CMakeLists.txt",)),), {})
    (one_found,) = found_in(place, (), lambda tree: Seen(), lambda path: "")
    assert one_found.paths == (f"{root}/kernels/new.cu",)


def test_a_tree_that_was_copied_is_told_and_nothing_else_of_it(tmp_path: Path) -> None:
    world = cmake_world(tmp_path, "Ninja")
    subprocess.run(["cp", "-a", str(world.root / "build"), str(world.root / "copy")], check=True)
    (one,) = world.found("copy")
    assert (one.finding.id, one.finding.mend) == (
        "cmake-cache-stale", f"cargo deck clean --cmake {world.root}/copy",
    )  # fmt: skip


@pytest.mark.parametrize("where", ["command", "makefile", "cache", "variable", "words", ""])
def test_a_tree_that_builds_through_a_cache_with_a_server_is_not_proven(tmp_path: Path, where: str) -> None:
    is_make = where == "makefile"
    text = "k.o: kernels/k.cu\n\tsccache nvcc -c $< -o $@\n" if is_make else NINJA
    text = text.replace("command = nvcc", "command = /opt/bin/sccache nvcc") if where == "command" else text
    world = World(tmp_path, "Makefile" if is_make else "build.ninja", text)
    if where == "cache":
        (world.root / "CMakeCache.txt").write_text("CMAKE_CUDA_COMPILER_LAUNCHER:STRING=/opt/bin/sccache\n")
    if where == "variable":
        world.env["CC"] = "sccache gcc"
    words = ("ninja", 'CC="sccache cc"') if where == "words" else ()
    with pytest.raises(ScratchError, match="whose server is outside" if where else "even without an edit"):
        world.verdicts("kernels/k.cu", words=words or ("ninja", "nothing"))
    assert not (world.root / "k.o").exists()


def test_what_does_not_build_and_what_cannot_be_laid_over_are_said(tmp_path: Path) -> None:
    world = World(tmp_path, "build.ninja", NINJA)
    world.run("ninja")
    with pytest.raises(ScratchError, match="even without an edit"):
        world.verdicts(words=("ninja", "nothing"))
    with (
        pytest.raises(ScratchError, match="names its own paths"),
        make_scratch(world.paths, [str(world.root)], world.env, is_copied=True, needs_overlay=True),
    ):
        pass
    assert os.listdir(world.paths.cache + "/scratch") == []


def test_where_there_is_no_tree_it_is_said_what_to_do(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path / "state"), str(tmp_path / "cache"))
    with pytest.raises(UsageError, match="build first, or name one with --tree"):
        find_trees(paths, str(tmp_path), {})
    with pytest.raises(UsageError, match="is no build tree"):
        find_trees(paths, str(tmp_path), {}, "nowhere")
    assert has_no_cargo(str(tmp_path), "")
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "a"\n')
    assert [has_no_cargo(str(tmp_path), tree) for tree in ("", "build")] == [False, True]


def test_ninjas_words_are_read_with_variables_continued_lines_and_blanks() -> None:
    text = b"""x = 1
include more
rule nvcc
  command = nvcc $FLAGS -c $in -o $out && echo $$HOME
  depfile = $out.d
build k$ 1.o $
   b: nvcc k.cu c$:x | inc/h$y.cuh || folders |@ checked
  FLAGS = -O$x
build q: unheard of|this
nothing to see
build
build a
"""
    first, second = read_ninja(text, lambda name: b"y = 2\n" if name == "more" else b"")
    assert first.outputs == ("k 1.o", "b")
    assert first.inputs == ("k.cu", "c:x", "inc/h2.cuh")
    assert (first.command, first.depfile) == ("nvcc -O1 -c k.cu c:x -o k 1.o b && echo $HOME", "k 1.o b.d")
    assert (second.rule, second.inputs, second.command) == ("unheard", ("of", "this"), "")


def test_many_variables_and_many_statements_are_read_in_seconds() -> None:
    lines = [f"a{number}=x\nbuild o{number}: cc i{number}\n" for number in range(20_000)]
    began = time.process_time()
    assert len(read_ninja("".join(lines).encode())) == 20_000
    assert time.process_time() - began < 3


@pytest.mark.parametrize("content", [b"\0\xff\n", b"build :\n", b"rule a\n command = $a\n", b"x = $x\nbuild a: b $x\n"])
def test_what_is_no_build_file_is_passed_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "build.ninja").write_bytes(content)
    (tmp_path / ".ninja_deps").mkdir()
    tree = read_tree(str(tmp_path))
    assert tree is not None
    assert len(tree.steps) <= 1


def call(text: str) -> Call:
    (one,) = calls_in(text)
    return one


def test_cmakes_calls_are_read_with_comments_quotes_and_brackets() -> None:
    text = '#[[ file(GLOB A x) ]]\n# file(\nFile(GLOB  V "a b/*.cu" # no )\n [=[c)]=] ${D}/*.cu)\n'
    text += "if(A AND (B))\nendif()\nset(X"
    first, *rest = calls_in(text)
    assert (first.name, first.texts, first.line) == ("file", ("GLOB", "V", "a b/*.cu", "c)", "${D}/*.cu"), 3)
    assert [one.name for one in rest] == ["if", "endif"]


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("add_custom_command(OUTPUT a COMMAND b)", "add_custom_command(OUTPUT a COMMAND b DEPENDS h.cuh)"),
        ("add_custom_command(OUTPUT a\n\tCOMMAND b)", "add_custom_command(OUTPUT a\n\tCOMMAND b\n\tDEPENDS h.cuh)"),
        ("add_custom_command(OUTPUT a DEPENDS c)", "add_custom_command(OUTPUT a DEPENDS h.cuh c)"),
        ("add_custom_command(TARGET a COMMAND b)", None),
    ],
)
def test_a_dependency_is_put_where_the_command_says_its_own(text: str, mended: str | None) -> None:
    found = depending(call(text), text, ["h.cuh"])
    assert (with_all(text, [found, found]) if found is not None else None) == mended
    assert depending(call(text), text, ["h h.cuh"]) is None


def test_a_glob_is_told_to_look_again_once() -> None:
    text = "file(GLOB_RECURSE V RELATIVE x *.cu)"
    found = watching(call(text))
    assert found is not None
    after = with_all(text, [found])
    assert after == "file(GLOB_RECURSE V CONFIGURE_DEPENDS RELATIVE x *.cu)"
    assert watching(call(after)) is None
