"""The table of processes over a made-up /proc and over the real one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.watch.roles import part_of
from core.watch.table import TICKS_A_SECOND, ProcessTable

PAGE = os.sysconf("SC_PAGE_SIZE")


class FakeProc:
    """A folder like /proc."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, pid: int, parent: int, words: str = "", environ: str = "", *, name: str = "", ticks: int = 0) -> None:
        folder = self.root / str(pid)
        folder.mkdir(exist_ok=True)
        name = name or words.partition(" ")[0].rpartition("/")[2][:15]
        (folder / "stat").write_text(f"{pid} ({name}) S {parent} 1 1 0 0 0 0 0 0 0 {ticks} 0 0 0 0 0 1 0 {pid}00 0 0")
        (folder / "statm").write_text("900 300 100 1 0 50 0\n")
        (folder / "cmdline").write_bytes(words.replace(" ", "\0").encode() + b"\0")
        (folder / "environ").write_bytes(environ.replace(" ", "\0").encode() + b"\0")

    def remove_stat(self, pid: int) -> None:
        (self.root / str(pid) / "stat").unlink()
        (self.root / str(pid)).rmdir()

    def remove(self, pid: int) -> None:
        for file in (self.root / str(pid)).iterdir():
            file.unlink()
        (self.root / str(pid)).rmdir()


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path)


def looked(proc: FakeProc) -> ProcessTable:
    table = ProcessTable(str(proc.root))
    table.look()
    return table


def units(table: ProcessTable, pid: int) -> list[str]:
    parts = (table.part(one) for one in table.below(pid))
    return [part.unit.name for part in parts if part.unit is not None]


def test_a_tree_is_what_descends_from_a_process(proc: FakeProc) -> None:
    proc.add(10, 1, "python")
    proc.add(11, 10, "cargo build")
    proc.add(12, 11, "rustc --crate-name mine", "CARGO_PKG_NAME=mine")
    proc.add(20, 1, "python")
    proc.add(21, 20, "rustc --crate-name other")
    table = looked(proc)
    assert [one.pid for one in table.below(10)] == [11, 12]
    assert (units(table, 10), units(table, 20)) == (["mine"], ["other"])
    proc.remove(12)
    table.look()
    assert [one.pid for one in table.below(10)] == [11]


def test_an_orphan_is_found_below_its_new_parent(proc: FakeProc) -> None:
    proc.add(10, 1, "python")
    proc.add(11, 10, "sh")
    proc.add(12, 11, "rustc --crate-name mine")
    table = looked(proc)
    for _ in range(5):  # it is not young any more
        table.look()
    proc.remove(11)
    proc.add(12, 10, "rustc --crate-name mine")
    table.look()
    assert [one.pid for one in table.below(10)] == [12]


def test_a_process_that_becomes_another_program_is_seen(proc: FakeProc) -> None:
    proc.add(10, 1, "python")
    proc.add(11, 10, "cargo build")
    table = looked(proc)
    assert units(table, 10) == []
    proc.add(11, 10, "rustc --crate-name late")
    table.look()
    assert units(table, 10) == ["late"]


def test_a_compiler_behind_a_wrapper_has_the_same_unit(proc: FakeProc) -> None:
    proc.add(10, 1, "python")
    proc.add(11, 10, "sccache rustc --crate-name x")
    proc.add(12, 11, "rustc --crate-name x")
    assert units(looked(proc), 10) == ["x", "x"]


def test_time_and_memory_are_read_of_those_that_are_followed(proc: FakeProc) -> None:
    proc.add(10, 1, "rustc --crate-name x", ticks=5)
    table = looked(proc)
    (one,) = table.all()
    assert one.memory_bytes == 0
    table.follow([one], "r1")
    assert (one.memory_bytes, one.cpu_ticks) == (200 * PAGE, 5)
    proc.remove(10)
    table.look()
    assert table.gone == [one]
    table.look()
    assert table.gone == []


def test_a_system_without_proc_has_no_processes(tmp_path: Path) -> None:
    table = ProcessTable(str(tmp_path / "nothing"))
    table.look()
    assert list(table.all()) == []


def test_torn_files_are_no_processes(proc: FakeProc) -> None:
    for pid, text in ((5, ""), (6, "6 (x"), (7, "7 (x) S 1"), (8, "8 (x) Z 1" + " 0" * 40)):
        (proc.root / str(pid)).mkdir()
        (proc.root / str(pid) / "stat").write_text(text)
    assert list(looked(proc).all()) == []


def test_a_zombie_is_no_process_and_its_number_is_free_for_another(proc: FakeProc) -> None:
    (proc.root / "8").mkdir()
    (proc.root / "8" / "stat").write_text("8 (x) Z 1" + " 0" * 40)
    table = looked(proc)
    assert list(table.all()) == []
    proc.add(8, 1, "cargo build")
    for _ in range(25):
        table.look()
    assert [one.name for one in table.all()] == ["cargo"]
    (proc.root / "9").mkdir()
    (proc.root / "9" / "stat").write_text("9 (x) Z 1" + " 0" * 40)
    table.look()
    proc.remove_stat(9)
    table.look()
    proc.add(9, 1, "rustc")
    table.look()
    assert [one.name for one in table.all()] == ["cargo", "rustc"]


BURN = """
import sys
held = bytearray(64 << 20)
for at in range(0, len(held), 4096):
    held[at] = 1
print("ready", flush=True)
input()
for _ in range(5_000_000):
    pass
print("done", flush=True)
input()
"""


def test_real_numbers_are_those_of_the_kernel() -> None:
    table = ProcessTable()
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == "ready\n"
        table.look()
        one = table.get(child.pid)
        assert one is not None
        table.follow([one], "r1")
        status = Path(f"/proc/{child.pid}/status").read_text()
        anonymous = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")) * 1024
        assert one.memory_bytes == pytest.approx(anonymous, abs=1 << 20)  # counted by core, settled later
        before = one.cpu_ticks
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "done\n"
        table.look()
        assert one.cpu_ticks > before
        assert one in table.below(os.getpid())
        child.stdin.close()
    table.look()
    assert table.get(child.pid) is None
    assert table.gone == [one]


CHILD_THAT_ENDS = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BURN.replace("input()", "")!r}])
print("over", flush=True)
input()
"""


def test_the_time_of_children_that_ended_is_not_lost() -> None:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", CHILD_THAT_ENDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        while parent.stdout.readline() != "over\n":
            pass
        table = ProcessTable()
        table.look()
        one = table.get(parent.pid)
        assert one is not None
        assert one.cpu_ticks / TICKS_A_SECOND > 0.05
        assert parent.stdin is not None
        parent.stdin.close()


@pytest.mark.parametrize(
    ("line", "role", "detail"),
    [
        ("/usr/bin/rustc --crate-name serde", "rustc", "serde"),
        ("/t/debug/build/ring-0123456789abcdef/build-script-build", "build script", "ring(build)"),
        ("/t/debug/build/ring-0123456789abcdef/build-script-main", "build script", "ring(build)"),
        ("/t/debug/build/ring-0123456789abcdef/build-script-gen-code", "build script", "ring(build)"),
        ("/t/debug/deps/cli-0123456789abcdef --nocapture", "test", "cli"),
        ("cc -m64 a.o -o /t/app", "cc", "app"),
        ("/usr/bin/x86_64-linux-gnu-ld.bfd -o /t/app a.o", "linker", "app"),
        ("rust-lld -flavor gnu -o /t/app", "linker", "app"),
        ("/usr/lib/gcc/x86_64-linux-gnu/12/collect2 -o app", "linker", "app"),
        ("mold -o app", "linker", "app"),
        ("cc a.o -o/t/app", "cc", "app"),
        ("ptxas -odir out k.ptx", "nvcc", ""),
        ("gcc-12 -c a.c -o a.o", "cc", "a.o"),
        ("cmake --build .", "cmake", ""),
        ("ninja", "ninja", ""),
        ("ptxas -o k.cubin k.ptx", "nvcc", "k.cubin"),
        ("cargo test", "cargo", ""),
        ("python3 x.py", "program", "python3"),
        ("rustc -vV", "rustc", ""),
    ],
)
def test_a_process_is_named_by_what_it_does(line: str, role: str, detail: str) -> None:
    words = line.encode().split()
    part = part_of(words[0].rpartition(b"/")[2].decode()[:15], words)
    assert (part.role, part.detail) == (role, detail)


def test_who_ended_was_a_strangers_where_no_run_had_to_do_with_it(proc: FakeProc) -> None:
    proc.add(1, 0, "init")
    proc.add(10, 1, "python")
    proc.add(11, 10, "cargo build")
    proc.add(20, 1, "bash")
    proc.add(21, 20, "hog")
    proc.add(22, 20, "hog")
    proc.add(30, 1, "sccache")
    proc.add(31, 30, "rustc --crate-name mine")
    proc.add(40, 1, "python")
    proc.add(41, 40, "cargo build")
    table = looked(proc)
    table.follow(table.below(10), "run")

    def was(pid: int) -> bool:
        return table.was_strangers(pid, {10, 40}, ("sccache",))

    assert [was(pid) for pid in (11, 21, 31, 41, 99)] == [False] * 5, "nobody has ended"
    (proc.root / "22" / "stat").write_text("22 (hog) Z 20 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 2200 0 0")
    assert was(22), "it is dead, and nobody has waited for it"
    for pid in (11, 20, 21, 31, 41):
        proc.remove(pid)
    table.look()
    assert was(21), "its parent has ended too"
    assert not was(11), "a run's"
    assert not was(31), "a cache server's work may be anybody's"
    assert not was(41), "below a supervisor that nobody has followed yet"
