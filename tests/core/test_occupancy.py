import pytest

from core.events.native import Kernel
from core.native.kernels.occupancy import Occupancy, occupancy_of


def kernel(
    arch: str, registers: int | None, *, threads: int | None = None, shared: int = 0, barriers: int = 1
) -> Kernel:
    return Kernel("k", arch, registers, shared_bytes=shared, barriers=barriers, block_threads=threads)


@pytest.mark.parametrize(
    ("of", "share", "by"),
    [
        (kernel("sm_80", 32, threads=256), 1.0, ""),
        (kernel("sm_80", 64, threads=256), 0.5, "registers"),
        (kernel("sm_80", 255, threads=256), 0.125, "registers"),
        (kernel("sm_80", 255, threads=1024), 0.0, "registers"),
        (kernel("sm_90", 32, threads=32), 0.5, "blocks"),
        (kernel("sm_90a", 32, threads=128, shared=48 * 1024), 0.25, "shared memory"),
        (kernel("sm_75", 32, threads=256, shared=16 * 1024), 1.0, ""),
        (kernel("sm_70", 32, threads=256, shared=33 * 1024), 0.25, "shared memory"),
        (kernel("sm_90", 24, threads=64, barriers=16), 0.125, "barriers"),
        (kernel("sm_86", 24, threads=64, barriers=16), 2 * 16 / 48, "blocks"),
        (kernel("sm_120", 40, threads=256), 1.0, ""),
        (kernel("sm_120", 41, threads=256), 5 * 8 / 48, "registers"),
    ],
)  # fmt: skip
def test_what_limits_how_full_a_multiprocessor_is(of: Kernel, share: float, by: str) -> None:
    assert occupancy_of(of) == Occupancy(share, of.block_threads or 0, True, by)


def test_without_a_block_the_best_one_counts() -> None:
    found = occupancy_of(kernel("sm_90", 40))
    assert found is not None
    assert (found.share, found.is_block_known) == (0.75, False)
    sizes = [occupancy_of(kernel("sm_90", 40, threads=size)) for size in range(32, 1025, 32)]
    assert found.share == max(one.share for one in sizes if one is not None)


@pytest.mark.parametrize("of", [kernel("sm_61", 32), kernel("sm_80", None), kernel("compute_80", 32), kernel("", 1)])
def test_what_is_not_known_has_no_occupancy(of: Kernel) -> None:
    assert occupancy_of(of) is None
