"""Phases of a call of nvcc: rows of the file that `nvcc --time=FILE` appends to. Pure.

Source: nvcc 13.0::

    source file name , phase name , phase input files , phase output file , arch , tool, metric , unit
    k.cu , ptxas , /tmp/k.compute_90.ptx  , /tmp/k.compute_90.cubin , sm_90 , nvcc , 70.5190 , ms
     , nvcc (driver) ,  , k.o ,  , nvcc , 0.8826 , ms

Nothing is quoted: the fields of a row are counted from its end, up to the name of the phase, which is known.
"""

import re
from collections.abc import Iterable, Iterator

from core.events.native import Phase

_MAX_LINE = 1 << 20
_TAIL = re.compile(
    r" , (?P<arch>(?:sm|compute|lto)_\w{1,12})? , [^,]{1,40} , (?P<took>[0-9]{1,12}(?:\.[0-9]{1,9})?) , ms\s*\Z"
)
_NAME = re.compile(
    r" , (cicc|ptxas|cudafe\+\+|fatbinary|nvlink|nvcc \(driver\)|[\w+.-]{1,40} \([a-z]{1,40}(?: \d{1,3})?\)) , "
)


def parse_times(lines: Iterable[str]) -> Iterator[Phase]:
    """Phases in nvcc's order; the heading and what is no row are passed over."""
    for line in lines:
        tail = _TAIL.search(line[:_MAX_LINE])
        name = _NAME.search(line) if tail else None
        if tail is None or name is None:
            continue
        yield Phase(name[1], tail["arch"], round(float(tail["took"]) / 1000, 7), source=line[: name.start()].strip())
