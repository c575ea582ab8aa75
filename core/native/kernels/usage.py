"""What `ptxas -v` (nvcc: `-Xptxas -v`) says of each function. Pure.

Source: ptxas 13.0, for each arch::

    ptxas info    : Compiling entry function '_Z4tilePfPKf' for 'sm_80'
    ptxas info    : Function properties for _Z4tilePfPKf
        8 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
    ptxas info    : Used 14 registers, used 1 barriers, 8 bytes cumulative stack size, 1280 bytes smem, 4 bytes cmem[0]
    ptxas info    : Compile time = 0.928 ms

A function that is no entry has its properties alone, behind those of the entry that calls it. Up to 11 no barriers and
no time are told, up to 4 the lines begin with `ptxas info   :` and shared memory is `1024+16 bytes smem`.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from core.events.native import Kernel

_MAX_LINE = 1 << 16
_ENTRY = re.compile(r"ptxas\s+info\s*: Compiling entry function '([^']+)' for '([^']+)'")
_PROPERTIES = re.compile(r"ptxas\s+info\s*: Function properties for '?([^'\s]+)'?")
_STACK = re.compile(r"\s*(\d{1,12}) bytes stack frame, (\d{1,12}) bytes spill stores, (\d{1,12}) bytes spill loads")
_USED = re.compile(r"ptxas\s+info\s*: Used (\d{1,6}) registers")
_TIME = re.compile(r"ptxas\s+info\s*: Compile time = (\d{1,9}(?:\.\d{1,9})?) ms")
_BARRIERS = re.compile(r"used (\d{1,6}) barriers")
_SHARED = re.compile(r"(\d{1,12})(?:\+(\d{1,12}))? bytes smem")
_CONSTANT = re.compile(r"(\d{1,12})(?:\+(\d{1,12}))? bytes cmem\[\d+\]")


class Usage(NamedTuple):
    """A function as ptxas tells of it."""

    kernel: Kernel
    entry: str
    """Its own name where it is one; else it is a device function, of which stack and spills alone are told, and this
    is the last entry before it; empty: there was none."""

    @property
    def is_entry(self) -> bool:
        """It is a kernel."""
        return self.entry == self.kernel.name


def parse_usage(lines: Iterable[str]) -> Iterator[Usage]:
    """Functions in the order in which they are told of; other lines are passed over."""
    reader = _Reader()
    for line in lines:
        if (done := reader.feed(line[:_MAX_LINE])) is not None:
            yield done
    if (last := reader.take()) is not None:
        yield last


class _Reader:
    """The function that is being told of."""

    def __init__(self) -> None:
        self._now: Usage | None = None
        self._arch = self._entry = ""

    def take(self) -> Usage | None:
        """It, and no more of it."""
        now, self._now = self._now, None
        return now

    def feed(self, line: str) -> Usage | None:
        """One more line; the function before, where this one begins another."""
        if "ptxas" not in line:
            self._stack(line)
            return None
        if entry := _ENTRY.match(line):
            self._entry, self._arch = entry.groups()
            return self._begin(entry[1])
        if (found := _PROPERTIES.match(line)) and (self._now is None or self._now.kernel.name != found[1]):
            return self._begin(found[1])
        self._used(line)
        if (took := _TIME.match(line)) and self._now is not None:
            self._set(compile_s=round(float(took[1]) / 1000, 7))
        return None

    def _begin(self, name: str) -> Usage | None:
        before = self.take()
        self._now = Usage(Kernel(name, self._arch), self._entry)
        return before

    def _set(self, **figures: Any) -> None:
        if self._now is not None:
            self._now = self._now._replace(kernel=self._now.kernel._replace(**figures))

    def _stack(self, line: str) -> None:
        if (found := _STACK.match(line)) and self._now is not None:
            stack, stores, loads = (int(number) for number in found.groups())
            self._set(stack_bytes=stack, spill_store_bytes=stores, spill_load_bytes=loads)

    def _used(self, line: str) -> None:
        if (found := _USED.match(line)) and self._now is not None:
            barriers, constant = _BARRIERS.search(line), list(_CONSTANT.finditer(line))
            shared = _SHARED.search(line)
            self._set(
                registers=int(found[1]),
                barriers=int(barriers[1]) if barriers else None,
                shared_bytes=_sum(shared) if shared else 0,
                constant_bytes=sum(map(_sum, constant)) if constant else None,
            )


def _sum(found: re.Match[str]) -> int:
    return int(found[1]) + int(found[2] or 0)
