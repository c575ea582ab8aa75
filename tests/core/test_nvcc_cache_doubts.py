"""The depfile cache before nvcc where something stands beside what a depfile names: it compiles, and keeps nothing."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.nvcc_world import SOURCE, World, build_stub, make_world, settle

_CLANG = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int count, char **words) {
    for (int at = 1; at < count; at++) if (!strcmp(words[at], "-v")) fputs(getenv("LLVM_FAKE"), stderr);
    return 0;
}
"""


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_stub(tmp_path_factory.mktemp("stub"))


@pytest.fixture
def world(tmp_path: Path, stub: Path) -> World:
    return make_world(tmp_path, stub)


@pytest.mark.parametrize("word", ["__TIME__", "__DATE__", 'asm(".incbin x")'])
def test_a_header_of_the_system_that_means_something_else_each_time_is_not_kept(world: World, word: str) -> None:
    world.write("src/k.cu", SOURCE + "#include <stamp.h>\n")
    (world.folder / "kit/include/stamp.h").write_text(word + "\n")
    assert [world.ptx().verdict for _ in range(2)] == ["miss"] * 2
    assert "stamp.h has" in world.ended()["not_kept"]


def test_a_folder_whose_path_ends_like_the_worktrees_is_named_as_it_is(world: World) -> None:
    alike = Path(f"{world.folder}/pre{world.root}")
    alike.mkdir(parents=True)
    (alike / "alike.cuh").write_text("alike\n")
    world.write("src/k.cu", SOURCE + "#include <alike.cuh>\n")
    words = ("-c", f"-I{alike}", "-Iinc", "src/k.cu", "-o", "k.o", "-MD", "-MF", "k.d")
    two = world.second()
    for root in (world.root, two):
        calls = [world.call(*words, cwd=root).verdict for _ in range(2)]
        assert (calls, f"{alike}/alike.cuh" in (root / "k.d").read_text()) == (["miss", "hit"], True)


def _link_elsewhere(world: World) -> str:
    (world.root / "src/near.cuh").rename(world.root / "src/first.cuh")
    (world.root / "src/near.cuh").symlink_to("first.cuh")
    return "ln -sfn second.cuh src/near.cuh"


def _link_behind_a_link(world: World) -> str:
    _link_elsewhere(world)
    (world.root / "src/near.cuh").rename(world.root / "src/inner.cuh")
    (world.root / "src/near.cuh").symlink_to("inner.cuh")
    return "ln -sfn second.cuh src/inner.cuh"


def _folder_behind_a_link(world: World) -> str:
    (world.root / "inc").rename(world.root / "first")
    shutil.copytree(world.root / "first", world.root / "second")
    (world.root / "second/lib/far.cuh").write_text("second\n")
    (world.root / "inner").symlink_to("first")
    (world.root / "inc").symlink_to("inner")
    return "ln -sfn second inner"


def _pipe(world: World) -> str:
    del world
    return "rm src/near.cuh; mkfifo src/near.cuh"


@pytest.mark.parametrize("prepare", [_link_elsewhere, _link_behind_a_link, _folder_behind_a_link, _pipe])
def test_what_is_led_elsewhere_meanwhile_is_not_kept(world: World, prepare: Callable[[World], str]) -> None:
    world.write("src/second.cuh", "second\n")
    command = prepare(world)
    world.write("src/k.cu", SOURCE + f"DURING {command}\n")
    settle()
    call = world.ptx()
    assert (call.code, call.verdict, call.note["not_kept"] is None) == (0, "miss", False)


def test_links_that_stay_are_kept(world: World) -> None:
    _link_behind_a_link(world)
    _folder_behind_a_link(world)
    assert [world.ptx().verdict for _ in range(2)] == ["miss", "hit"]
    world.write("src/first.cuh", "other\n")
    assert (world.ptx().verdict, "other" in (world.root / "k.ptx").read_text()) == ("miss", True)


@pytest.mark.parametrize("name", ["ccache", "distcc"])
def test_what_looks_for_the_host_compiler_by_itself_is_not_understood(world: World, name: str) -> None:
    (world.folder / "host/gcc").rename(world.folder / "host" / name)
    (world.folder / "host/gcc").symlink_to(name)
    assert [world.ptx().verdict for _ in range(2)] == ["miss"] * 2
    assert "stands before a compiler" in world.ended()["not_kept"]


@pytest.mark.parametrize("is_hit", [False, True])
def test_what_is_printed_arrives_where_writing_does_not_wait(world: World, is_hit: bool) -> None:
    world.write("src/near.cuh", "WARN\n")
    if is_hit:
        world.ptx()
        (world.root / "k.ptx").unlink()
    settle()
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETFL, os.O_NONBLOCK)
    filled = os.write(theirs, bytes(1 << 20))
    env = {**world.env, "PATH": f"{world.front}:{world.env['PATH']}"}
    words = ["nvcc", "-ptx", "-arch=sm_80", "-Iearly", "-Iinc", "src/k.cu", "-o", "k.ptx"]
    job = subprocess.Popen(words, cwd=world.root, env=env, stderr=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    while not (world.root / "k.ptx").exists():  # written when all is printed, or just before
        pass
    with open(ours, "rb") as file:
        text = file.read()
    assert (job.wait(), text[filled:]) == (0, b"src/k.cu(1): warning\n")


@pytest.mark.parametrize("name", ["crt/host_runtime.h", "fatbinary_section.h"])
def test_headers_that_no_depfile_names_count(world: World, name: str) -> None:
    path = world.folder / "kit/include" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("one\n")
    words = ("-c", "-Iearly", "-Iinc", "src/k.cu", "-o", "k.o")
    assert [world.call(*words).verdict for _ in range(2)] == ["miss", "hit"]
    path.write_text("two\n")
    assert [world.call(*words).verdict for _ in range(2)] == ["miss", "hit"]
    world.write(f"early/{name}", "three\n")
    assert [world.call(*words).verdict for _ in range(2)] == ["miss", "hit"]
    own = Path(world.env["TMPDIR"], name)
    own.parent.mkdir(exist_ok=True)
    own.touch()
    call = world.call(*words)
    assert (call.verdict, name in call.why) == ("bypass", True)


def test_a_compiled_header_that_gcc_would_take_is_a_miss(world: World) -> None:
    words = ("-c", "-Iearly", "-Iinc", "src/k.cu", "-o", "k.o")
    world.call(*words)
    world.write("early/stdc-predef.h.gch", "")
    assert world.call(*words).verdict == "miss"


def test_a_configuration_of_clang_that_comes_is_a_miss_and_one_that_is_read_is_not_kept(world: World) -> None:
    (world.folder / "clang.c").write_text(_CLANG)
    subprocess.run(["cc", "-o", world.folder / "host/clang++", world.folder / "clang.c"], check=True)
    told = f"Target: here\nInstalledDir: {world.folder}/host\nUser configuration file directory: {world.folder}/home\n"
    (world.folder / "home").mkdir()
    more = {"LLVM_FAKE": told}
    assert [world.ptx("-ccbin", "clang++", env=more).verdict for _ in range(2)] == ["miss", "hit"]
    for path in ("host/clang++.cfg", "home/here.cfg"):
        (world.folder / path).touch()
        assert (world.ptx("-ccbin", "clang++", env=more).verdict, "came or went" in world.ended()["why"]) == (
            "miss", True,
        )  # fmt: skip
        (world.folder / path).unlink()
    more = {"LLVM_FAKE": f"{told}Configuration file: /etc/clang++.cfg\n"}
    assert [world.ptx("-ccbin", "clang++", env=more).verdict for _ in range(2)] == ["miss"] * 2
    assert "clang reads /etc/clang++.cfg" in world.ended()["not_kept"]
