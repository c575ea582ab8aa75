"""Memory of processes that were forked: over a made-up /proc, and by the real one."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.watch.forks import LEAST_BYTES, MAX_CREDIT_BYTES
from core.watch.table import ProcessTable
from tests.core.test_process_table import PAGE, FakeProc

MB = 1 << 20
STACK, OTHER_STACK = 140728704484656, 140728704480000


class Family:
    """Processes over a made-up /proc, all of one run."""

    def __init__(self, root: Path) -> None:
        self.proc = FakeProc(root)
        self.table = ProcessTable(str(root))

    def set(
        self, pid: int, size: int, part: int | None, *, stack: int = STACK, faults: int = 0, own: int = 0
    ) -> None:  # fmt: skip
        """A process that has so many anonymous bytes, of which so many count for it, and so many are its alone; None:
        nobody may see that."""
        self.proc.add(pid, 1, "python3 test.py")
        folder = self.proc.root / str(pid)
        zeros = " ".join(["0"] * 7)
        (folder / "stat").write_text(
            f"{pid} (python3) S 1 1 1 0 0 0 {faults} 0 0 0 {zeros} 0 100 900 300 18446744073709551615 1 1 {stack} 0 0"
        )
        (folder / "statm").write_text(f"900 {size // PAGE + 100} 100 1 0 50 0\n")
        rollup = f"0-7ffe ---p 0 00:00 0 [rollup]\nRss: 1 kB\nPss: 9 kB\nPss_Anon:  {(part or 0) // 1024} kB\n"
        rollup += f"Private_Dirty: {own // 1024} kB\nAnonymous: {size // 1024} kB\n"
        (folder / "smaps_rollup").write_text("" if part is None else rollup)

    def sizes(self) -> list[int]:
        """In MB, after another look."""
        self.table.look()
        procs = sorted(self.table.all(), key=lambda one: one.pid)
        self.table.follow(procs, "r1")
        return [round(proc.memory_bytes / MB) for proc in procs]


@pytest.fixture
def family(tmp_path: Path) -> Family:
    return Family(tmp_path)


def test_pages_that_forked_processes_share_count_once(family: Family) -> None:
    family.set(10, 300 * MB, 80 * MB)
    family.set(11, 300 * MB, 75 * MB)
    family.set(12, 310 * MB, 85 * MB)
    family.set(13, 300 * MB, 75 * MB, stack=OTHER_STACK)
    assert family.sizes() == [80, 75, 85, 300]


def test_what_is_small_or_not_to_be_seen_is_as_statm_says(family: Family) -> None:
    family.set(10, LEAST_BYTES - PAGE, 1 * MB)
    family.set(11, LEAST_BYTES, 2 * MB)
    assert family.sizes() == [4, 4]
    family.set(20, 50 * MB, 1 * MB, stack=0)
    family.set(21, 50 * MB, 1 * MB, stack=0)
    family.set(30, 50 * MB, None, stack=OTHER_STACK)
    family.set(31, 50 * MB, None, stack=OTHER_STACK)
    assert family.sizes()[2:] == [50, 50, 50, 50]


def test_it_is_read_again_when_a_page_may_have_become_ones_own(family: Family) -> None:
    family.set(10, 300 * MB, 150 * MB)
    family.set(11, 300 * MB, 150 * MB)
    assert family.sizes() == [150, 150]
    family.set(10, 300 * MB, 200 * MB)
    family.set(11, 300 * MB, 200 * MB)
    assert family.sizes() == [150, 150]
    family.set(11, 300 * MB, 200 * MB, faults=9)
    assert family.sizes() == [200, 200]
    family.proc.remove(11)
    assert family.sizes() == [300]


def test_of_a_large_family_that_grows_each_member_counts_for_less_at_once(family: Family) -> None:
    for pid in (10, 11):
        family.set(pid, 900 * MB, 450 * MB)
    assert family.sizes() == [450, 450]
    for pid in (10, 11, 12):
        family.set(pid, 900 * MB, 300 * MB)
    assert family.sizes() == [300, 300, 300]


def test_what_is_ones_own_stays_so_when_others_come(family: Family) -> None:
    for pid in (10, 11, 12, 13):
        family.set(pid, 400 * MB, 250 * MB, own=200 * MB)
    assert family.sizes() == [250] * 4
    for pid in (10, 11, 12, 13):
        family.set(pid, 400 * MB, 240 * MB, own=200 * MB)
    family.set(14, 1900 * MB, 1 * MB)  # too large to be read just now
    assert family.sizes()[:4] == [240] * 4


def test_who_was_forked_before_its_siblings_were_read_is_not_missed(family: Family) -> None:
    for pid in (10, 11):
        family.set(pid, 900 * MB, 225 * MB)
    assert family.sizes() == [225, 225]
    for pid in (12, 13):
        family.set(pid, 900 * MB, 225 * MB)
    assert family.sizes() == [225] * 4


def test_no_look_walks_through_more_memory_than_it_may(family: Family) -> None:
    large = MAX_CREDIT_BYTES + MB
    family.set(10, large, 1 * MB)
    family.set(11, large, 1 * MB)
    assert family.sizes() == [1024, 1024]


def test_who_was_not_read_yet_is_taken_for_one_like_the_rest(family: Family) -> None:
    for pid in range(10, 16):
        family.set(pid, 500 * MB, 100 * MB)
    assert family.sizes() == [100] * 6
    for pid in range(10, 16):
        family.set(pid, 500 * MB, 50 * MB, faults=5)
    for _ in range(60):
        found = family.sizes()
    assert found == [50] * 6


def test_a_large_one_has_its_turn_among_small_ones_that_are_never_still(family: Family) -> None:
    sizes = {10: 600 * MB, 11: 40 * MB, 12: 40 * MB, 13: 40 * MB}
    for look in range(120):
        for pid, size in sizes.items():
            family.set(pid, size, size // (4 if look < 30 else 2), faults=look)
        found = family.sizes()
    assert found == [300, 20, 20, 20]


FORK = """
import os, sys
held = bytearray(40 << 20)
for at in range(0, len(held), 4096):
    held[at] = 1
for _ in range(3):
    if os.fork() == 0:
        sys.stdin.read()
        os._exit(0)
print("ready", flush=True)
sys.stdin.read()
"""


def test_real_forks_are_as_large_as_one_process() -> None:
    command = [sys.executable, "-I", "-S", "-c", FORK]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        table = ProcessTable()
        table.look()
        first = table.get(parent.pid)
        assert first is not None
        procs = [first, *table.below(parent.pid)]
        assert len(procs) == 4
        table.follow(procs, "r1")
        assert 40 * MB < sum(proc.memory_bytes for proc in procs) < 60 * MB
        assert sum(proc.anonymous_bytes for proc in procs) > 160 * MB
        table.close()
        parent.communicate()
