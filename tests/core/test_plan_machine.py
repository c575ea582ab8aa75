"""Cores, memory, cgroup limits and file systems, as worlds of files say them."""

import os
from pathlib import Path

import pytest

from core.cgroup import cpu_quota, memory_limit
from core.plan.machine import filesystem_of, find_machine, has_gpu, has_reflink

GIB = 1 << 30
V2_MOUNT = "30 24 0:26 {root} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw"
V1_CPU = "31 24 0:27 {root} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct"
V1_MEMORY = "32 24 0:28 {root} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"


class World:
    """A folder as `/proc`, and what lies below its mount points."""

    def __init__(self, folder: Path) -> None:
        self.root, self.proc = str(folder / "world"), str(folder / "proc")
        (folder / "proc/self").mkdir(parents=True)
        self.memory(8 * GIB)
        self.mounts("")

    def put(self, path: str, text: str) -> None:
        file = Path(self.root + path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def memory(self, total_bytes: int) -> None:
        Path(self.proc, "meminfo").write_text(f"MemTotal:       {total_bytes // 1024} kB\nMemFree:  1 kB\n")

    def mounts(self, *lines: str) -> None:
        Path(self.proc, "self/mountinfo").write_text("".join(line + "\n" for line in lines))

    def groups(self, *lines: str) -> None:
        Path(self.proc, "self/cgroup").write_text("".join(line + "\n" for line in lines))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_without_a_cgroup_the_machine_is_the_limit(world: World) -> None:
    found = find_machine("/", proc=world.proc, root=world.root)
    assert (found.cores, found.usable_cores) == (len(os.sched_getaffinity(0)), len(os.sched_getaffinity(0)))
    assert (found.cgroup_cores, found.cgroup_memory_bytes, found.usable_memory_bytes) == (None, None, 8 * GIB)


@pytest.mark.parametrize(
    ("own", "above", "cores"),
    [("150000 100000", "max 100000", 1.5), ("max 100000", "50000 100000", 0.5), ("400000 100000", "200000 100000", 2.0),
     ("100000 100000", "800000 100000", 1.0), ("max 100000", "max 100000", None), ("", "200000 100000", 2.0),
     ("100000 0", "x y", None), ("-1 100000", "max", None)],
)  # fmt: skip
def test_the_least_quota_on_the_way_up_counts_with_cgroup_v2(
    world: World, own: str, above: str, cores: float | None
) -> None:
    world.mounts(V2_MOUNT.format(root="/"))
    world.groups("0::/user.slice/build.scope")
    world.put("/sys/fs/cgroup/user.slice/build.scope/cpu.max", own)
    world.put("/sys/fs/cgroup/user.slice/cpu.max", above)
    assert cpu_quota(world.proc, world.root) == cores


def test_a_memory_limit_of_a_group_above_counts_with_cgroup_v2(world: World) -> None:
    world.mounts(V2_MOUNT.format(root="/"))
    world.groups("0::/user.slice/build.scope")
    world.put("/sys/fs/cgroup/user.slice/build.scope/memory.max", "max\n")
    world.put("/sys/fs/cgroup/user.slice/memory.max", f"{2 * GIB}\n")
    found = find_machine("/", proc=world.proc, root=world.root)
    assert (found.cgroup_memory_bytes, found.usable_memory_bytes) == (2 * GIB, 2 * GIB)


def test_limits_of_cgroup_v1_are_read_from_their_own_hierarchies(world: World) -> None:
    world.mounts(V2_MOUNT.format(root="/"), V1_CPU.format(root="/"), V1_MEMORY.format(root="/"))
    world.groups("5:memory:/a/b", "4:cpu,cpuacct:/c", "0::/")
    world.put("/sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us", "300000\n")
    world.put("/sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us", "100000\n")
    world.put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n")
    world.put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    world.put("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n")
    world.put("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", f"{GIB}\n")
    world.put("/sys/fs/cgroup/cpu.max", "100000 100000")
    assert (cpu_quota(world.proc, world.root), memory_limit(world.proc, world.root)) == (3.0, GIB)


def test_inside_a_container_the_mount_is_the_containers_own_group(world: World) -> None:
    world.mounts(V1_MEMORY.format(root="/docker/abc"))
    world.groups("5:memory:/docker/abc/inner")
    world.put("/sys/fs/cgroup/memory/memory.limit_in_bytes", f"{3 * GIB}\n")
    world.put("/sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "9223372036854771712\n")
    assert memory_limit(world.proc, world.root) == 3 * GIB


def test_a_group_limit_above_the_machines_memory_is_none(world: World) -> None:
    world.mounts(V2_MOUNT.format(root="/"))
    world.groups("0::/x")
    world.put("/sys/fs/cgroup/x/memory.max", f"{64 * GIB}\n")
    found = find_machine("/", proc=world.proc, root=world.root)
    assert (found.cgroup_memory_bytes, found.usable_memory_bytes) == (None, 8 * GIB)


@pytest.mark.parametrize(
    ("cgroup", "mountinfo", "meminfo"),
    [(b"", b"", b""), (b"\xff\xfe", b"\xff", b"\xff"), (b"0:/", b"1 2 3 - cgroup2", b"MemTotal:"),
     (b"0::" + b"/x" * 5000, b"- - - - -\n - \n", b"MemTotal: x kB"),
     (b"\n\n:::\n0::/../..", b" - cgroup2 a b", b"MemTotal: 1")],
)  # fmt: skip
def test_files_of_the_kernel_that_nobody_expected_do_not_matter(
    world: World, cgroup: bytes, mountinfo: bytes, meminfo: bytes
) -> None:
    Path(world.proc, "self/cgroup").write_bytes(cgroup)
    Path(world.proc, "self/mountinfo").write_bytes(mountinfo)
    Path(world.proc, "meminfo").write_bytes(meminfo)
    found = find_machine("/", proc=world.proc, root=world.root)
    assert (found.cgroup_cores, found.cgroup_memory_bytes, found.filesystem) == (None, None, "")
    assert found.memory_bytes == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_a_machine_without_proc_says_cores_and_memory() -> None:
    found = find_machine("/", proc="/nowhere", system="darwin")
    assert (found.system, found.filesystem, found.has_reflink, found.cgroup_cores) == ("darwin", "", None, None)
    assert (found.cores, found.memory_bytes) == (
        len(os.sched_getaffinity(0)), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
    )  # fmt: skip


def test_the_file_system_is_that_of_the_longest_mount_point_and_of_the_later_mount(
    world: World, tmp_path: Path
) -> None:
    place = tmp_path.resolve() / "with blank" / "checkout"
    place.mkdir(parents=True)
    (tmp_path / "link").symlink_to(place)
    blank = str(place.parent).replace(" ", "\\040")
    world.mounts(
        "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw",
        f"28 27 0:40 / {blank} rw - tmpfs tmpfs rw",
        f"29 27 0:41 / {blank} rw shared:1 master:2 - btrfs /dev/vdb rw,subvol=/x",
        f"30 27 0:42 / {blank}/check rw - xfs /dev/vdc rw",
        "31 27 0:43 /",
    )
    assert filesystem_of(str(place), world.proc) == "btrfs"
    assert filesystem_of(str(tmp_path / "link/not/there"), world.proc) == "btrfs"
    assert filesystem_of("/", world.proc) == "ext4"
    assert filesystem_of("x\0y", world.proc) == ""


def test_what_shares_blocks_is_known_by_name_or_not_at_all() -> None:
    assert [has_reflink(name) for name in ("btrfs", "apfs", "ext4", "tmpfs", "xfs", "overlay", "")] == [
        True, True, False, False, None, None, None,
    ]  # fmt: skip


class TestGpu:
    def dev(self, world: World, *names: str) -> str:
        for name in names:
            world.put(f"/dev/{name}", "")
        return world.root + "/dev"

    @pytest.mark.parametrize("name", ["nvidia0", "nvidia13", "nvhost-gpu"])
    def test_its_device_file_tells_that_it_is_there(self, world: World, name: str) -> None:
        assert has_gpu(world.proc, self.dev(world, "null", name)) is True

    def test_a_device_that_all_gpus_share_is_none(self, world: World) -> None:
        assert has_gpu(world.proc, self.dev(world, "null", "nvidiactl", "nvidia-uvm", "nvidia²")) is False

    def test_windows_below_linux_may_have_any_gpu(self, world: World) -> None:
        assert has_gpu(world.proc, self.dev(world, "dxg")) is None

    def test_a_driver_may_make_the_device_file_later(self, world: World) -> None:
        Path(world.proc, "driver/nvidia/gpus/0000:01:00.0").mkdir(parents=True)
        assert has_gpu(world.proc, self.dev(world, "null")) is None

    def test_it_is_not_known_where_devices_cannot_be_listed(self, world: World) -> None:
        world.put("/dev", "a file")
        assert has_gpu(world.proc, world.root + "/dev") is None
        assert has_gpu(world.proc, world.root + "/nowhere") is None

    def test_the_machine_says_it(self, world: World) -> None:
        self.dev(world, "nvidia0")
        assert find_machine("/", proc=world.proc, root=world.root).has_gpu is True
        assert find_machine("/", proc="/nowhere", system="darwin").has_gpu is None
