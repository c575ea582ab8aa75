"""Which files of a call belong together: cubins, the PTX that they were made of, the source. Pure.

Source: names that nvcc 13.0 gives below TMPDIR: `tmpxft_PID_0-7_k.compute_80.ptx`, of which it makes
`tmpxft_PID_0-14_k.compute_80.sm_80.cubin`; for a single arch without it, `tmpxft_PID_0-6_k.ptx`; what nvlink makes is
`tmpxft_PID_0-12_prog_dlink.sm_80.cubin`.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_NAME = re.compile(
    r"(?:tmpxft_[0-9a-f]{8,16}_[0-9a-f]{8}-\d{1,9}_)?(?P<stem>.+?)(?P<virtual>\.compute_\w{1,8})?(?:\.sm_\w{1,8})?\.(?:cubin|ptx)"
)
_LINKED = "_dlink"


class Image(NamedTuple):
    """Code for one arch."""

    cubin: str
    """Name of the file."""
    ptx: str
    """Name of what it was made of; empty: it was not kept."""
    source: str
    """One of the call's sources; empty: it was linked of several."""


def images_of(files: Iterable[tuple[str, str, str]], sources: Sequence[str]) -> tuple[Image, ...]:
    """The cubins among files (arch, kind, name). What nvlink made is left out where its parts are there."""
    ptx: dict[tuple[str, str], str] = {}
    cubins: list[tuple[tuple[str, str], str]] = []
    for _, kind, name in files:
        found = _NAME.fullmatch(name)
        if found is None:
            continue
        key = found["stem"], found["virtual"] or ""
        if kind == "ptx":
            ptx[key] = name
        else:
            cubins.append((key, name))
    own = [one for one in cubins if not one[0][0].endswith(_LINKED)]
    return tuple(Image(name, ptx.get(key, ""), source_of(key[0], sources)) for key, name in own or cubins)


def stem_of(source: str) -> str:
    """`k.a` of `dir/k.a.cu`: how files that are made of it are called."""
    return source.rpartition("/")[2].rpartition(".")[0]


def source_of(stem: str, sources: Sequence[str]) -> str:
    """The source that files of a name were made of."""
    named = [source for source in sources if stem_of(source) == stem]
    if named:
        return named[0]
    return sources[0] if len(sources) == 1 and not stem.endswith(_LINKED) else ""


def ptx_of(files: Iterable[tuple[str, str, str]], source: str) -> str:
    """Name of the PTX file that was kept of a source; empty: there is none."""
    stem = stem_of(source)
    named = (name for _, kind, name in files if kind == "ptx")
    return next((name for name in named if (found := _NAME.fullmatch(name)) and found["stem"] == stem), "")
