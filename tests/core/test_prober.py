"""How often the prober looks: what a look costs, and when the next one is due."""

from pathlib import Path

import pytest

from core.watch.prober import MAX_PERIOD_S, MAX_SHARE, PERIOD_S, Prober, Watched
from core.watch.table import ProcessTable
from tests.core.test_process_table import FakeProc


class Looks:
    """A prober over one run, whose looks cost what the test says."""

    def __init__(self, root: Path) -> None:
        FakeProc(root).add(10, 1, "cargo build")
        self.now = self.used_s = 0.0
        table = ProcessTable(str(root))
        self.prober = Prober(table, clock=self.monotonic, monotonic=self.monotonic, cpu_time=lambda: self.used_s)

    def monotonic(self) -> float:
        return self.now

    def pause_after(self, cost_s: float) -> float:
        """Look at once, for so much CPU time; seconds until the next look is due."""
        self.prober.sample([Watched("r1", 10, None, ())])
        self.used_s += cost_s
        self.prober.settle()
        began = self.now
        while not self.prober.is_due():
            self.now += 0.25
        return self.now - began


@pytest.fixture
def looks(tmp_path: Path) -> Looks:
    (tmp_path / "proc").mkdir()
    return Looks(tmp_path / "proc")


def test_a_first_look_that_reads_everything_delays_no_second_one(looks: Looks) -> None:
    assert looks.pause_after(0.15) == PERIOD_S


def test_looks_that_are_always_costly_become_rarer(looks: Looks) -> None:
    looks.pause_after(4 * MAX_SHARE)
    assert looks.pause_after(4 * MAX_SHARE) == 4.0
    assert looks.pause_after(0.0) == PERIOD_S


def test_no_figure_grows_older_than_a_person_can_use(looks: Looks) -> None:
    looks.pause_after(1.0)
    assert looks.pause_after(1.0) == MAX_PERIOD_S


def test_what_a_server_compiles_is_of_the_run_that_asked_for_it_where_two_share_a_dir(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    for pid, parent, words in (
        (10, 1, "supervisor"), (11, 10, "cargo build"),
        (12, 11, "sccache rustc --crate-name a --out-dir /t/debug/deps"),
        (20, 1, "supervisor"), (21, 20, "cargo check"),
        (50, 1, "sccache"), (51, 50, "rustc --crate-name a --out-dir /t/debug/deps"),
    ):  # fmt: skip
        proc.add(pid, parent, words)
    prober = Prober(ProcessTable(str(tmp_path)), clock=float, monotonic=float, cpu_time=float)
    prober.sample([Watched("asks", 10, "/t", ()), Watched("waits", 20, "/t", ())])
    assert [one.pid for one in prober.uses["asks"].procs] == [11, 12, 51]
    assert [one.pid for one in prober.uses["waits"].procs] == [21]
