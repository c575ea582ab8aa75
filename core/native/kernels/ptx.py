"""Kernels of a PTX file: their names and the blocks that they are made for. Pure.

Source: PTX ISA 9.0, `.entry NAME (…) .maxntid 256, 1, 1 .minnctapersm 2 {`; `.reqntid` where the size is fixed.
"""

import re
from collections.abc import Iterator

from core.events.native import Kernel

_MAX_KERNELS = 5000
_HEAD_BYTES = 64 << 10
_ENTRY = re.compile(rb"\.entry[ \t]+([A-Za-z_$%][\w$]{0,8000})\s*[({\n]")
_BLOCK = re.compile(rb"\.(maxntid|reqntid)[ \t]+(\d{1,5})(?:[ \t]*,[ \t]*(\d{1,5}))?(?:[ \t]*,[ \t]*(\d{1,5}))?")
_TARGET = re.compile(rb"^\.target[ \t]+(sm_\w{1,8})", re.MULTILINE)


def read_ptx(content: bytes) -> tuple[Kernel, ...]:
    """Kernels in their order, without figures: ptxas gives those; at most 5,000."""
    return tuple(kernel for kernel, _ in zip(_kernels(content), range(_MAX_KERNELS), strict=False))


def target_of(content: bytes) -> str:
    """`compute_80` where it is made for `sm_80`; empty: it does not say."""
    found = _TARGET.search(content[:_HEAD_BYTES])
    return "compute_" + found[1].decode()[3:] if found else ""


def _kernels(content: bytes) -> Iterator[Kernel]:
    arch = target_of(content)
    for found in _ENTRY.finditer(content):
        body = content.find(b"{", found.end() - 1)
        block = _BLOCK.search(content, found.end(), min(body if body >= 0 else len(content), found.end() + _HEAD_BYTES))
        threads = None
        if block is not None:
            x, y, z = (int(side) if side else 1 for side in block.groups()[1:])
            threads = x * y * z or None
        is_exact = block is not None and block[1] == b"reqntid"
        yield Kernel(found[1].decode(), arch, block_threads=threads, is_block_exact=is_exact)
