"""Figures of the machine over a made-up /proc, and over the real one beside what psutil says."""

import os
from pathlib import Path

import psutil
import pytest

from core import events as e
from core.watch import group_memory, oom
from core.watch.block_device import BlockDevice, busy_of, find_device
from core.watch.machine_meter import ASLEEP_S, MachineMeter, parse_meminfo, parse_pressure
from core.watch.proc_files import read_all

GIB = 1 << 30
STAT = "cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 1 1 1\n"
MEMINFO = """MemTotal:       25165824 kB
MemFree:         1048576 kB
MemAvailable:    8388608 kB
AnonPages:       2097152 kB
SwapTotal:       1048576 kB
SwapFree:         524288 kB
HugePages_Total:       0
"""
PRESSURE = "some avg10=0.00 avg60=0.00 avg300=0.00 total={some}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total={full}\n"


class FakeMachine:
    """A folder like /proc, and a clock."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = 100.0
        self.tick(busy=0, idle=0, some=0, full=0)
        (root / "meminfo").write_text(MEMINFO)

    def tick(self, *, busy: int, idle: int, some: int, full: int) -> None:
        (self.root / "stat").write_text(STAT.format(busy=busy, idle=idle))
        (self.root / "pressure").mkdir(exist_ok=True)
        for name in ("cpu", "memory", "io"):
            (self.root / "pressure" / name).write_text(PRESSURE.format(some=some, full=full))

    def meter(self) -> MachineMeter:
        return MachineMeter(clock=lambda: 1000.0 + self.now, monotonic=lambda: self.now, proc=str(self.root))


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


def sampled(meter: MachineMeter, *folders: str) -> e.MachineSampled:
    found = meter.sample(7, folders)
    assert found is not None
    return found


def test_the_first_sample_knows_no_shares(machine: FakeMachine) -> None:
    assert sampled(machine.meter()) == e.MachineSampled(1100.0, None, 24 * GIB, 8 * GIB, 2 * GIB, 7, GIB // 2, GIB)


def test_shares_are_of_the_time_since_the_last_sample(machine: FakeMachine) -> None:
    meter = machine.meter()
    sampled(meter)
    machine.now += 2
    machine.tick(busy=300, idle=100, some=500_000, full=100_000)
    found = sampled(meter)
    assert found.cpu == 0.75
    assert found.pressure == (("cpu", 0.25, 0.05), ("memory", 0.25, 0.05), ("io", 0.25, 0.05))


def test_a_kernel_without_pressure_says_nothing_of_it(machine: FakeMachine) -> None:
    meter = machine.meter()
    for name in ("cpu", "memory", "io"):
        (machine.root / "pressure" / name).unlink()
    sampled(meter)
    machine.now += 1
    machine.tick(busy=1, idle=1, some=0, full=0)
    (machine.root / "pressure" / "io").unlink()
    assert sampled(meter).pressure == ()


def test_it_is_looked_at_rarely_while_nothing_builds(machine: FakeMachine) -> None:
    meter = machine.meter()
    assert meter.is_due(is_awake=False)
    sampled(meter)
    machine.now += 1
    assert (meter.is_due(is_awake=True), meter.is_due(is_awake=False)) == (True, False)
    machine.now += ASLEEP_S
    assert meter.is_due(is_awake=False)


def test_without_proc_psutil_tells_what_it_knows(tmp_path: Path) -> None:
    meter = MachineMeter(clock=lambda: 1.0, monotonic=lambda: 1.0, proc=str(tmp_path / "none"))
    found = sampled(meter)
    assert found.total_bytes == psutil.virtual_memory().total
    assert (found.cpu, found.pressure, found.disks) == (None, (), ())


def test_the_real_machine_is_what_psutil_says() -> None:
    meter = MachineMeter(clock=lambda: 1.0, monotonic=lambda: 1.0)
    found = sampled(meter, "/")
    said, disk = psutil.virtual_memory(), psutil.disk_usage("/")
    assert found.total_bytes <= said.total
    assert found.available_bytes == pytest.approx(said.available, rel=0.1)
    ((folder, free, size, busy),) = found.disks
    assert (folder, busy) == ("/", None)
    assert free == pytest.approx(disk.free, rel=0.05)
    assert size == disk.total
    assert 0 < found.anonymous_bytes < said.total


def test_one_row_a_file_system_even_where_a_target_dir_is_not_there_yet(tmp_path: Path) -> None:
    meter = MachineMeter(clock=lambda: 1.0, monotonic=lambda: 1.0)
    found = sampled(meter, str(tmp_path / "a" / "target"), str(tmp_path / "b" / "target"))
    assert [row[0] for row in found.disks] == [str(tmp_path / "a" / "target")]


def test_a_disk_is_busy_as_long_as_it_had_something_to_do() -> None:
    row = b"  8  0 sda 1 0 8 1 1 0 8 1 0 %d 9 0 0 0 0 0 0\n   8 1 sda1 1 0 8 1 1 0 8 1 0 7 9\n"
    disk = BlockDevice(8, 0)
    assert disk.busy_share(row % 1000, 10.0) is None
    assert disk.busy_share(row % 1500, 12.0) == 0.25
    assert disk.busy_share(b"", 13.0) is None
    assert busy_of(row % 5, 8, 1) == 7


def test_a_machine_that_hides_its_disks_tells_the_rest(machine: FakeMachine) -> None:
    found = sampled(machine.meter(), "/")
    assert (found.total_bytes, found.anonymous_bytes) == (24 * GIB, 2 * GIB)
    assert [busy for _, _, _, busy in found.disks] == [None]


def test_a_table_that_the_kernel_gives_in_pieces_is_read_to_its_end() -> None:
    last = Path("/proc/self/maps").read_text().splitlines()[-1]
    assert last.split()[0].encode() in read_all("/proc/self/smaps")


def test_what_is_taken_is_of_the_same_memory_as_what_there_is(machine: FakeMachine, tmp_path: Path) -> None:
    stat = f"inactive_file {GIB}\nactive_file {GIB}\n"
    for name, text in (("memory.max", 8 * GIB), ("memory.current", 5 * GIB), ("memory.events", "max 0\n"),
                       ("memory.stat", stat)):  # fmt: skip
        (tmp_path / name).write_text(str(text))
    meter = machine.meter()
    sampled(meter)
    names = ("memory.events", "memory.max", "memory.current")
    meter._groups = (oom.Group("/g", *(str(tmp_path / name) for name in names)),)
    found = sampled(meter)
    assert (found.total_bytes, found.available_bytes, found.anonymous_bytes) == (8 * GIB, 5 * GIB, 3 * GIB)


def test_a_file_system_in_memory_has_no_disk() -> None:
    assert find_device(os.stat("/proc").st_dev) is None


def test_sizes_and_stalls_are_read_from_their_lines() -> None:
    assert parse_meminfo(MEMINFO.encode())["MemAvailable"] == 8 * GIB
    assert parse_pressure(PRESSURE.format(some=12, full=3).encode()) == (12.0, 3.0)
    assert parse_pressure(b"some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n") == (5.0, 0.0)


@pytest.mark.parametrize("version", [1, 2])
def test_a_memory_cgroup_says_how_full_it_is(tmp_path: Path, version: int) -> None:
    if version == 1:
        files = {"memory.limit_in_bytes": "1000", "memory.usage_in_bytes": "900", "memory.failcnt": "5",
                 "memory.stat": "inactive_file 9\ntotal_inactive_file 300\ntotal_active_file 100\n"
                 "total_workingset_refault_file 40\ntotal_workingset_refault_anon 2\n"}  # fmt: skip
        names = ("memory.oom_control", "memory.limit_in_bytes", "memory.usage_in_bytes")
    else:
        files = {"memory.max": "1000", "memory.current": "900", "memory.events": "low 0\nmax 5\noom_kill 0\n",
                 "memory.stat": "inactive_file 300\nactive_file 100\nworkingset_refault_file 40\n"
                 "workingset_refault_anon 2\n"}  # fmt: skip
        names = ("memory.events", "memory.max", "memory.current")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    group = oom.Group("/g", *(str(tmp_path / name) for name in names))
    found = group_memory.read_group(group)
    assert found == group_memory.GroupMemory(1000, 900, 400, 42)
    assert found.available_bytes == 500
    (tmp_path / names[1]).write_text("max" if version == 2 else "9223372036854771712")
    assert group_memory.read_group(group) is None
