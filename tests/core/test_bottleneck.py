"""What holds a run up: the decision over evidence, and what is told of it over time."""

from dataclasses import replace
from pathlib import Path

import pytest

from core import events as e
from core.decide import NOTHING, CacheWait, Evidence, Verdict, Wait, decide
from core.host import Held, Owner, Waiter
from core.watch.bottleneck import BottleneckWatch, Subject, jobs_of, wait_of
from core.watch.prober import Use
from core.watch.table import ProcessTable
from tests.core.test_process_table import FakeProc

CALM = Evidence(cores=8, used_cores=3.0, machine_cpu=0.5, workers=("rustc a", "rustc b", "rustc c"))
STUCK = Evidence(cores=8, used_cores=0.0, machine_cpu=0.1)
LOCK = Wait("build dir", "/t/debug/.cargo-lock", "codex's build")
DEAD = CacheWait("sccache", 2, "is stopped (pid 9)")


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (CALM, ""),
        (STUCK, ""),
        (replace(STUCK, wait=LOCK), "lock"),
        (replace(CALM, wait=LOCK), ""),
        (replace(STUCK, wait=LOCK, workers=("rustc a",)), ""),
        (replace(STUCK, cache=DEAD), "cache"),
        (replace(STUCK, cache=DEAD, workers=("rustc a",)), ""),
        (replace(STUCK, sockets=("1.2.3.4:443",)), "network"),
        (replace(CALM, sockets=("1.2.3.4:443",)), ""),
        (replace(CALM, machine_cpu=0.97), "cpu"),
        (replace(STUCK, machine_cpu=0.97), ""),
        (replace(CALM, jobs=3), "cpu"),
        (replace(CALM, jobs=4), ""),
        (replace(CALM, jobs=3, machine_cpu=0.99), "cpu"),
        (replace(CALM, used_cores=1.0, workers=("rustc huge",)), "critical path"),
        (replace(CALM, used_cores=1.0, workers=("rustc huge",), machine_cpu=0.97), "cpu"),
        (replace(CALM, used_cores=0.1, workers=("build script x",)), ""),
        (replace(CALM, used_cores=0.3, blocked=2, pressure_io=0.6), "disk"),
        (replace(CALM, used_cores=0.3, blocked=2, disk_busy=0.9), "disk"),
        (replace(CALM, used_cores=0.3, blocked=2, pressure_io=0.01, disk_busy=0.1), ""),
        (replace(CALM, used_cores=7.5, blocked=1, pressure_io=0.6), ""),
        (replace(CALM, faults_s=300.0, pressure_memory=0.5), "memory"),
        (replace(CALM, faults_s=300.0, pressure_memory=0.0), ""),
        (replace(CALM, faults_s=0.0, pressure_memory=0.5), ""),
        (replace(CALM, faults_s=300.0, group_share=0.99, group_limit_bytes=70 << 20), "memory"),
        (replace(CALM, group_share=0.99, group_limit_bytes=70 << 20), ""),
        (replace(CALM, refaults_s=900.0, faults_s=40.0), "memory"),
        (replace(CALM, blocked=3, used_cores=0.2, faults_s=300.0, pressure_memory=0.5, pressure_io=0.9), "memory"),
        (Evidence(cores=8, used_cores=None, machine_cpu=None, workers=("rustc a",)), ""),
    ],
)  # fmt: skip
def test_evidence_gives_a_word(seen: Evidence, word: str) -> None:
    assert decide(seen).word == word


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (replace(STUCK, wait=LOCK), "it waits for the build dir lock /t/debug/.cargo-lock: codex's build holds it"),
        (replace(STUCK, cache=DEAD), "2 sccache clients wait while no compiler runs: the server is stopped (pid 9)"),
        (replace(CALM, machine_cpu=0.97, pressure_cpu=0.8),
         "all 8 cores are busy (97 %): it uses ≈3.0, others ≈4.8; some task waited for a core 80 % of the time"),
        (replace(CALM, jobs=3), "it may start 3 jobs at once (-j 3) while ≈4.0 of 8 cores are idle"),
        (replace(CALM, used_cores=1.0, workers=("rustc huge",)),
         "only rustc huge works, it uses ≈1.0 of 8 cores, while ≈4.0 of 8 cores are idle"),
        (replace(CALM, used_cores=0.3, blocked=2, disk_busy=0.9, read_bytes_s=3 << 20, write_bytes_s=1 << 19),
         "2 threads of it wait for a disk; the disk is busy 90 % of the time; it reads 3.0 and writes 0.5 MiB/s, "
         "it uses ≈0.3 of 8 cores"),
        (replace(CALM, used_cores=0.0, blocked=1, disk_busy=0.0, pressure_io=0.8),
         "1 thread of it waits for a disk; tasks stood still for a disk 80 % of the time, it uses ≈0.0 of 8 cores"),
    ],
)  # fmt: skip
def test_the_reason_is_one_sentence_with_its_figures(seen: Evidence, why: str) -> None:
    assert decide(seen).why == why


@pytest.mark.parametrize(
    ("command", "jobs"),
    [("build -j1", 1), ("build -j 3 -p x", 3), ("test --jobs=2", 2), ("test --jobs 4", 4), ("build", None),
     ("test -- -j 2", None), ("build -j 0", None), ("build -p x-j3", None)],
)  # fmt: skip
def test_jobs_are_read_from_the_command_line(command: str, jobs: int | None) -> None:
    assert jobs_of(command) == jobs


def test_a_wait_names_who_holds_the_lock() -> None:
    holder = Owner(7, "", "", "cargo build", "/x")
    waits = (Waiter(Owner(9, "r1", "me", "", ""), 1.0),)
    assert wait_of("r1", [Held("/t", "build dir", (holder,), 1.0, waits)]) == Wait(
        "build dir", "/t", "cargo build in /x (not ours, pid 7)"
    )
    assert wait_of("r1", [Held("/t", "build dir", (), 1.0, waits)]) == Wait("build dir", "/t", "")
    assert wait_of("r2", [Held("/t", "build dir", (holder,), 1.0, waits)]) is None


class Judged:
    """A run whose evidence is what a test says, by its processes and the machine's samples."""

    def __init__(self, root: Path) -> None:
        self.proc = FakeProc(root)
        self.table = ProcessTable(str(root))
        self.now = 100.0
        self.watch = BottleneckWatch(
            self.table, clock=lambda: 1000.0 + self.now, monotonic=lambda: self.now, cores=4,
            uptime=lambda: self.now + 3600.0,
        )  # fmt: skip

    def look(self, cores: float | None, busy: float) -> e.BottleneckFound | None:
        """A second later."""
        self.now += 1
        self.table.look()
        use = Use(tuple(self.table.below(10)), cores, 0, 0.0, None, None)
        machine = e.MachineSampled(1000.0 + self.now, busy, 1, 1, 1, 1, 0, 0, (("io", 0.0, 0.0), ("memory", 0.0, 0.0)))
        found = self.watch.look([Subject("r1", "build", use, None, None)], machine, ())
        return found.get("r1")


@pytest.fixture
def judged(tmp_path: Path) -> Judged:
    judged = Judged(tmp_path)
    judged.proc.add(10, 1, "python")
    judged.proc.add(11, 10, "cargo build")
    judged.proc.add(12, 11, "rustc --crate-name a")
    judged.proc.add(13, 11, "rustc --crate-name b")
    judged.proc.add(14, 13, "cc -o b")
    judged.proc.add(15, 14, "ld -o b")
    return judged


def test_an_answer_is_told_when_a_second_look_agrees(judged: Judged) -> None:
    assert judged.look(2.0, 1.0) is None
    told = judged.look(2.0, 1.0)
    assert told is not None
    assert (told.word, told.at) == ("cpu", 1102.0)
    assert judged.look(2.0, 1.0) is None


def test_one_look_that_differs_changes_nothing(judged: Judged) -> None:
    words = [found.word for busy in (1.0, 1.0, 0.5, 1.0, 1.0, 0.5, 1.0, 0.5, 0.5) if (found := judged.look(2.0, busy))]
    assert words == ["cpu", ""]


def test_figures_of_the_same_answer_are_told_anew_now_and_then(judged: Judged) -> None:
    told = [found.at for n in range(24) if (found := judged.look(1.0 + n / 10, 1.0))]
    assert told == [1102.0, 1112.0, 1122.0]


def test_a_linker_below_a_compiler_is_the_compilers_work(judged: Judged) -> None:
    judged.proc.remove(12)
    judged.look(1.0, 0.3)
    told = judged.look(1.0, 0.3)
    assert told is not None
    assert (told.word, "only rustc b works" in told.evidence) == ("critical path", True)


def test_a_client_of_a_cache_is_seen_to_wait_on_a_machine_that_was_suspended(tmp_path: Path) -> None:
    judged = Judged(tmp_path)
    judged.proc.add(10, 1, "python")
    judged.proc.add(3600, 10, "sccache rustc --crate-name a", name="sccache")  # began when it was an hour old
    assert judged.look(0.0, 0.0) is None
    told = judged.look(0.0, 0.0)
    assert told is not None
    assert told.word == "cache"


def test_what_is_said_is_taken_back(judged: Judged) -> None:
    for _ in range(3):
        judged.look(2.0, 1.0)
    assert judged.look(2.0, 0.5) is None
    told = judged.look(2.0, 0.5)
    assert told is not None
    assert Verdict(told.word, told.evidence) == NOTHING
