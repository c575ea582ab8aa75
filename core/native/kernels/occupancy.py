"""Theoretical occupancy: how many of the warps that a multiprocessor can hold, a kernel's blocks let it hold. Pure.

    warps of a block = ceil(threads / 32)
    registers of a warp = 32 * registers, rounded up to 256
    blocks by warps = most warps // warps of a block
    blocks by registers = 4 * (65,536 / 4 // registers of a warp) // warps of a block, where a block fits: its warps,
        rounded up to 4, take at most 65,536 registers
    blocks by shared memory = shared memory // (static + 1 KiB of the system's, rounded up to 128 bytes); on sm_7x
        without the system's, rounded up to 256
    blocks by barriers (from sm_90 on) = the multiprocessor's barriers // barriers
    occupancy = min(most blocks, those four) * warps of a block / most warps

Source of the formula: the calculator that the toolkit ships, `cuda_occupancy.h` 13.0, whose results a test compares;
of the limits: "Technical Specifications per Compute Capability" in the CUDA Programming Guide 12.9 and 13.0. What is
asked for at launch, dynamic shared memory, is not known here and taken as none.
"""

from functools import lru_cache
from typing import NamedTuple

from core.events.native import Kernel
from core.native.kernels.arch import number_of

MAX_THREADS = 1024
"""Of a block."""
_WARP = 32
_REGISTERS = 65_536
_PARTITIONS = 4
_REGISTER_UNIT = 256


class Limits(NamedTuple):
    """What a multiprocessor has."""

    warps: int
    blocks: int
    shared_bytes: int
    barriers: int = 0
    """0: they limit nothing."""


_LIMITS = {
    70: Limits(64, 32, 96 << 10), 72: Limits(64, 32, 96 << 10), 75: Limits(32, 16, 64 << 10),
    80: Limits(64, 32, 164 << 10), 86: Limits(48, 16, 100 << 10), 87: Limits(48, 16, 164 << 10),
    89: Limits(48, 24, 100 << 10), 90: Limits(64, 32, 228 << 10, 64), 100: Limits(64, 32, 228 << 10, 64),
    103: Limits(64, 32, 228 << 10, 64), 110: Limits(48, 24, 228 << 10, 24), 120: Limits(48, 24, 100 << 10, 24),
    121: Limits(48, 24, 100 << 10, 24),
}  # fmt: skip


class Occupancy(NamedTuple):
    """How full a multiprocessor is with blocks of a kernel."""

    share: float
    """0..1; 0: no block fits."""
    threads: int
    """Of the block that was reckoned with."""
    is_block_known: bool
    """The kernel names its block; else it is the one that fills most."""
    by: str
    """What limits it: `registers`, `shared memory`, `barriers`, `blocks`; empty: nothing does."""


def occupancy_of(kernel: Kernel) -> Occupancy | None:
    """Of a kernel; None: its registers, or the limits of its arch, are not known."""
    arch = kernel.ptxas_arch or kernel.arch
    shared, barriers, block = kernel.shared_bytes, kernel.barriers, kernel.block_threads
    return _reckoned(Kernel("", arch, kernel.registers, shared_bytes=shared, barriers=barriers, block_threads=block))


@lru_cache(maxsize=4096)
def _reckoned(kernel: Kernel) -> Occupancy | None:
    limits = _LIMITS.get(number_of(kernel.arch))
    if limits is None or kernel.registers is None or not kernel.arch.startswith("sm_"):
        return None
    if kernel.block_threads:
        return _with(kernel, limits, min(kernel.block_threads, MAX_THREADS), is_block_known=True)
    sizes = range(MAX_THREADS, 0, -_WARP)
    return max((_with(kernel, limits, size, is_block_known=False) for size in sizes), key=lambda one: one.share)


def _with(kernel: Kernel, limits: Limits, threads: int, *, is_block_known: bool) -> Occupancy:
    warps = -(-threads // _WARP)
    fitting = {
        "": limits.warps // warps,
        "blocks": limits.blocks,
        "registers": _by_registers(kernel.registers or 0, warps),
        "shared memory": _by_shared(kernel, limits),
        "barriers": _by_barriers(kernel, limits),
    }
    by = min(fitting, key=lambda name: fitting[name])
    return Occupancy(fitting[by] * warps / limits.warps, threads, is_block_known, by)


def _by_registers(registers: int, warps: int) -> int:
    of_warp = _rounded(registers * _WARP, _REGISTER_UNIT)
    if not of_warp:
        return _REGISTERS
    if of_warp * _rounded(warps, _PARTITIONS) > _REGISTERS:
        return 0
    return _REGISTERS // _PARTITIONS // of_warp * _PARTITIONS // warps


def _by_shared(kernel: Kernel, limits: Limits) -> int:
    is_volta = number_of(kernel.arch) < 80
    of_block = _rounded((kernel.shared_bytes or 0) + (0 if is_volta else 1024), 256 if is_volta else 128)
    return limits.shared_bytes // of_block if of_block else _REGISTERS


def _by_barriers(kernel: Kernel, limits: Limits) -> int:
    return limits.barriers // kernel.barriers if kernel.barriers and limits.barriers else _REGISTERS


def _rounded(count: int, unit: int) -> int:
    return -(-count // unit) * unit
