"""Where the time of a run went: each moment is given to what ran then, so that all of them together are its wall time.

What was started by something else takes the moment from it: a linker from rustc, a tool of nvcc from nvcc, nvcc and a
C++ compiler from the build script. What runs beside one another shares the moment. Pure.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from core import events as e
from core.events.native import NvccEnded, Phase

LOCK, CARGO, RUSTC, SCRIPT, CMAKE, NVCC, CPP, LINK, TEST, PROGRAM, REST = (
    "lock", "cargo", "rustc", "build script", "cmake", "nvcc", "c++", "link", "test", "program", "rest",
)  # fmt: skip
"""`rest`: compilers and cargo, where nobody told when each of them ran."""
ABOUT_CPP = "≈c++"
"""By what make said, and times of objects."""
_TOOLS = {"gcc (compiling)": "host compiler", "gcc": "host compiler", "nvcc (driver)": NVCC}
NVCC_TOOLS = ("preprocess", "cudafe++", "cicc", "ptxas", "fatbinary", "nvlink", "host compiler")
"""What `nvcc --time` tells of, in nvcc's order."""
ORDER = (LOCK, CARGO, RUSTC, SCRIPT, CMAKE, NVCC, *NVCC_TOOLS, CPP, ABOUT_CPP, LINK, TEST, PROGRAM, REST)
"""As a table has them."""
_TAKES_FROM = {
    **{tool: (NVCC, SCRIPT, CMAKE, CARGO, LOCK) for tool in NVCC_TOOLS},
    **dict.fromkeys((NVCC, CPP, ABOUT_CPP), (SCRIPT, CMAKE, CARGO, LOCK)), CMAKE: (SCRIPT, CARGO, LOCK),
    LINK: (RUSTC, SCRIPT, CARGO, LOCK), SCRIPT: (CARGO, LOCK), RUSTC: (CARGO, LOCK),
    TEST: (CARGO, LOCK), PROGRAM: (CARGO, LOCK), LOCK: (CARGO,),
}  # fmt: skip


class Piece(NamedTuple):
    """Something that ran."""

    what: str
    """One of ORDER."""
    began: float
    """Seconds since the epoch."""
    ended: float


def divide(began: float, ended: float, pieces: Iterable[Piece], rest: str = CARGO) -> dict[str, float]:
    """Seconds of each thing between two moments, longest first; what nothing is known of is `rest`'s."""
    marks = [(began, 0, ""), (ended, 0, "")]
    for piece in pieces:
        first, last = max(began, piece.began), min(ended, piece.ended)
        if last > first:
            marks += [(first, 1, piece.what), (last, -1, piece.what)]
    marks.sort(key=lambda mark: mark[0])
    running: dict[str, int] = {}
    spent: dict[str, float] = {}
    for (at, change, what), (until, _, _) in pairwise(marks):
        if change:
            running[what] = running.get(what, 0) + change
        if until > at:
            shown = _uppermost([one for one, count in running.items() if count > 0]) or (rest,)
            for one in shown:
                spent[one] = spent.get(one, 0.0) + (until - at) / len(shown)
    return dict(sorted(spent.items(), key=lambda item: -item[1]))


def _uppermost(running: Sequence[str]) -> tuple[str, ...]:
    """Without what another one takes the moment from."""
    taken = {lower for one in running for lower in _TAKES_FROM.get(one, ())}
    return tuple(one for one in running if one not in taken)


def pieces_of(events: Iterable[e.Event]) -> list[Piece]:
    """What events of one run tell of links, nvcc, and waits for locks."""
    found: list[Piece] = []
    waits_since: float | None = None
    for event in events:
        match event:
            case e.LinkEnded():
                found.append(Piece(LINK, event.began, event.began + event.elapsed_s))
            case NvccEnded():
                found += nvcc_pieces(event)
            case e.LockWaitBegan():
                waits_since = event.at
            case e.LockWaitEnded() if waits_since is not None:
                found.append(Piece(LOCK, waits_since, event.at))
                waits_since = None
    return found


def nvcc_pieces(call: NvccEnded) -> list[Piece]:
    """A call of nvcc, and its tools one after another, as it told of them: with `--threads` some ran side by side, so
    that they are shortened to fit."""
    found = [Piece(NVCC, call.began, call.began + call.elapsed_s)]
    told = sum(phase.elapsed_s for phase in call.phases)
    if told <= 0:
        return found
    scale = min(1.0, call.elapsed_s / told)
    at = call.began
    for phase in call.phases:
        found.append(Piece(tool_of(phase), at, at + phase.elapsed_s * scale))
        at += phase.elapsed_s * scale
    return found


def tool_of(phase: Phase) -> str:
    """`cicc`; all of gcc's preprocessing is one."""
    if "preprocessing" in phase.tool:
        return "preprocess"
    tool = _TOOLS.get(phase.tool, phase.tool)
    return tool if tool in ORDER else "host compiler" if tool.endswith("(compiling)") else NVCC
