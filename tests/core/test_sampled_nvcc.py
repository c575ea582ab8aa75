"""Calls of nvcc seen among processes: a made-up /proc, in which they come, work and go."""

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from core import events as e
from core.events.native import SEEN
from core.native.traces.nvcc_words import NvccWords, read_words
from core.watch.nvcc_book import NvccBook
from core.watch.sampled_nvcc import UNSEEN, SampledNvcc
from core.watch.table import TICKS_A_SECOND, ProcessTable

SUPERVISOR = 100
NVCC = "/opt/cuda/bin/nvcc"


class World:
    """A /proc with a supervisor and a build script in it, and what looks at it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.work = folder / "proc", folder / "work"
        self.work.mkdir()
        (self.work / "k.cu").write_text("kernel\n")
        self.root.mkdir()
        self.now = time.time()
        self.started = int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS_A_SECOND)
        """Of all processes: just now."""
        self.call = f"300-s{self.started}"
        self.table = ProcessTable(str(self.root))
        self.nvcc = SampledNvcc(self.table, lambda: self.now)
        self.add(SUPERVISOR, 1, "python3")
        self.add(200, SUPERVISOR, "build-script-bu")

    def add(self, pid: int, parent: int, name: str, *words: str, exe: str = "") -> None:
        folder = self.root / str(pid)
        folder.mkdir()
        (folder / "stat").write_text(f"{pid} ({name}) S {parent} " + "0 " * 17 + f"{self.started} 0 0\n")
        (folder / "statm").write_text("900 600 100 0 0 0 0\n")
        (folder / "cmdline").write_text("\0".join(words))
        (folder / "environ").write_text("CARGO_PKG_NAME=app\0")
        os.symlink(self.work, folder / "cwd")
        os.symlink(exe or f"/opt/cuda/bin/{name}", folder / "exe")

    def end(self, *pids: int) -> None:
        for pid in pids:
            shutil.rmtree(self.root / str(pid))

    def look(self) -> list[e.Event]:
        self.table.look()
        self.table.follow(list(self.table.below(SUPERVISOR)), "r")
        return [event for _, event in self.nvcc.look({"r": SUPERVISOR})]

    def findings(self) -> list[tuple[str, str]]:
        return [(one.title, one.mend) for run, one in self.nvcc.take_findings() if (run, one.id) == ("r", UNSEEN)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def names(events: Sequence[e.Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_a_call_by_its_path_begins_works_and_ends(world: World) -> None:
    world.add(300, 200, "nvcc", NVCC, "-c", "-arch=sm_80", "k.cu", "-o", "out/k.o")
    (started,) = world.look()
    assert started == e.NvccStarted(
        at=started.at, call=world.call, package="app", source=f"{world.work}/k.cu", output=f"{world.work}/out/k.o",
        kind="object", archs=("sm_80",), blob=getattr(started, "blob", ""),
    )  # fmt: skip
    assert abs(started.at - world.now) < 1
    assert world.nvcc.open("r") == (world.call,)
    world.add(310, 300, "ptxas", "ptxas", "-arch=sm_80", "x.ptx", exe="/opt/cuda/bin/ptxas")
    (phase,) = world.look()
    assert (type(phase), getattr(phase, "tool", ""), getattr(phase, "arch", "")) == (e.NvccPhaseBegan, "ptxas", "sm_80")
    assert world.look() == []
    (world.work / "out").mkdir()
    (world.work / "out/k.o").write_bytes(b"x" * 700)
    os.utime(world.work / "out/k.o", (started.at + 2.5, started.at + 2.5))
    world.end(310, 300)
    world.now += 60
    (ended,) = world.look()
    assert isinstance(ended, e.NvccEnded)
    assert ended.elapsed_s == pytest.approx(2.5, abs=0.01)
    assert ended.output_bytes == 700
    assert (ended.verdict, ended.code, ended.cpu_s, ended.phases) == (SEEN, None, None, ())
    assert ended.peak_bytes is not None
    assert ended.peak_bytes >= 2 * 500 * 4096
    assert world.nvcc.open("r") == ()


def test_it_is_said_why_no_front_stood_before_it(world: World) -> None:
    world.add(300, 200, "nvcc", NVCC, "-c", "k.cu")
    world.look()
    assert world.findings() == [(f"nvcc is called by its path, where no front stands: {NVCC}", "")]
    assert world.findings() == []
    (world.work / "CMakeCache.txt").touch()
    world.add(400, 200, "nvcc", NVCC, "-c", "k.cu")
    world.look()
    title = f"{world.work} was configured without the front: CMake calls nvcc by its path"
    assert world.findings() == [(title, f"cargo deck clean --cmake {world.work}")]
    world.add(450, 200, "nvcc", NVCC, "-c", "k.cu")
    (world.root / "450/cwd").unlink()
    os.symlink(world.work / "CMakeFiles/CMakeScratch/TryCompile-1", world.root / "450/cwd")
    world.look()
    assert world.findings() == [(title, f"cargo deck clean --cmake {world.work}")]
    world.add(500, 200, "nvcc", "nvcc", "-c", "k.cu")
    world.look()
    assert world.findings() == [("no front stands before nvcc in this build", "")]


def test_where_cmake_finds_out_which_compiler_it_has_no_front_is_missed(world: World) -> None:
    world.add(300, 200, "nvcc", NVCC, "-v", "CMakeCUDACompilerId.cu")
    (world.root / "300/cwd").unlink()
    os.symlink(world.work / "CMakeFiles/3.25.1/CompilerIdCUDA", world.root / "300/cwd")
    assert names(world.look()) == ["NvccStarted"]
    assert world.findings() == []


@pytest.mark.parametrize(
    ("above", "exe", "environ"),
    [
        ("sh", "MIRROR/nvcc", "A=b"), ("nvcc", "", "A=b"),
        ("sh", "/bin/sh", "A=b"), ("launch", "", "A=b\0DECK_NVCC_PASSED=/opt/cuda/bin/nvcc"),
    ],
)  # fmt: skip
def test_what_a_front_tells_of_or_is_no_nvcc_is_not_told_again(
    world: World, tmp_path: Path, above: str, exe: str, environ: str
) -> None:
    os.symlink(NVCC, tmp_path / ".nvcc")
    exe = exe.replace("MIRROR", str(tmp_path))
    world.add(290, 200, above, above, "-c", "k.cu")
    world.add(300, 290, "nvcc", NVCC, "-c", "k.cu", exe=exe)
    (world.root / "300/environ").write_text(environ)
    assert [event for event in world.look() if getattr(event, "call", "").startswith("300-")] == []


def test_a_question_is_no_call(world: World) -> None:
    world.add(300, 200, "nvcc", NVCC, "--version")
    world.add(301, 200, "nvcc", NVCC, "-c", "k.cu", "--dryrun")
    assert world.look() == []
    assert world.findings() == []


def test_processes_of_nobody_and_of_a_run_that_is_over_are_left_alone(world: World) -> None:
    world.add(300, 200, "nvcc", NVCC, "-c", "k.cu")
    world.add(301, 1, "nvcc", NVCC, "-c", "k.cu")
    assert names(world.look()) == ["NvccStarted"]
    world.end(300)
    world.table.look()
    assert world.nvcc.look({}) == []


def test_a_book_takes_its_begin_once_and_ends_it_with_the_run(world: World) -> None:
    book = NvccBook()
    world.add(300, 200, "nvcc", NVCC, "-c", "k.cu")
    (started,) = world.look()
    assert book.take(started) is started
    assert not book.has_fronts
    assert book.take(started) is None
    assert list(book.lost(world.now + 100, lambda pid: False)) == []
    (ended,) = book.left(world.now + 3)
    assert (ended.verdict, ended.call) == (SEEN, world.call)


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("-c k.cu", NvccWords("object", ("k.cu",), "k.o", ())),
        ("-ptx src/k.cu -odir out -arch sm_80", NvccWords("ptx", ("src/k.cu",), "out/k.ptx", ("sm_80",))),
        ("--fatbin --output-directory=o a.cu b.cu", NvccWords("fatbin", ("a.cu", "b.cu"), "", ())),
        ("-dc -o x.o -include pre.cu k.cu", NvccWords("device-object", ("k.cu",), "x.o", ())),
        ("-gencode arch=compute_80,code=[sm_80,compute_80] -gencode=arch=compute_90a,code=sm_90a k.cu -o p",
         NvccWords("program", ("k.cu",), "p", ("sm_80", "sm_90a"))),
        ("-dlink a.o b.o", NvccWords("link", (), "a_dlink.o", ())),
        ("-arch=compute_80 -cubin k.cu", NvccWords("cubin", ("k.cu",), "k.cubin", ("compute_80",))),
        ("-lib a.o -o liba.a", NvccWords("library", (), "liba.a", ())),
        ("--list-gpu-arch", NvccWords("query", (), "", ())),
        ("", NvccWords("query", (), "", ())),
        ("-MF k.cu -o", NvccWords("query", (), "", ())),
    ],
)  # fmt: skip
def test_what_a_call_makes_is_read_from_its_words(words: str, read: Any) -> None:
    assert read_words(words.split()) == read
