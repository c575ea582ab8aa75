"""Orders of kernels in a list. Pure."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from core.kernel_queries import KernelRow
from core.native.kernels.arch import number_of
from core.native.kernels.demangle import demangle

Order = Literal["changed", "registers", "time", "source"]
ORDERS: tuple[Order, ...] = ("changed", "registers", "time", "source")
_PARTS = re.compile(r"\d+|\D+", re.ASCII)


def ordered(rows: Iterable[KernelRow], order: Order) -> list[KernelRow]:
    """What got worse and what changed first, or those with most of something; of the same by arch and name, in whatever
    order a compiler left them."""
    named = sorted(rows, key=lambda row: (number_of(row.change.now.arch), _name_key(row.change.now.name)))
    match order:
        case "changed":
            return sorted(named, key=lambda row: (_rank(row), -row.compiled.began))
        case "registers":
            return sorted(named, key=lambda row: -(row.change.now.registers or 0))
        case "time":
            return sorted(named, key=lambda row: -(row.arch_s or 0.0))
        case "source":
            return sorted(named, key=lambda row: (row.compiled.checkout, row.compiled.place))
        case _:
            raise TypeError(order)


def _rank(row: KernelRow) -> int:
    return 0 if row.change.is_worse else 1 if row.change.differs else 2


@lru_cache(maxsize=8192)
def _name_key(name: str) -> tuple[tuple[int, str], ...]:
    """Has `tile<8>` before `tile<64>`."""
    parts = _PARTS.findall(demangle(name))
    return tuple((len(part.lstrip("0")), part.lstrip("0")) if part[0].isdecimal() else (-1, part) for part in parts)
