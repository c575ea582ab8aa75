"""When make had C and C++ compiled, roughly: from when the engine saw that make said so, up to the time of the object.

Make tells no times. What it says is seen a tick of the engine late (a tenth of a second), so that these pieces are too
short rather than too long, and what takes less than that is left to `rest`.
"""

import os
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from core import events as e
from core.native.edits.wait_phases import ABOUT_CPP, Piece
from core.native.traces.make_said import MAX_BYTES, said_at
from core.plan.small_file import read_head

_ENDS = (".o", ".obj", ".lo")
_CUDA_ENDS = (".cu.o", ".cu.obj")
_SLACK_S = 0.01
"""Of a file system's clock."""


def make_pieces(
    folder: str, told: Iterable[e.Event], places: Sequence[str], began: float, ended: float
) -> list[Piece]:  # fmt: skip
    """What was compiled below make in a run.

    Args:
        folder: Of the run.
        told: Its journal.
        places: Where the command ran, and its build trees.
        began: Seconds since the epoch.
        ended: The same.
    """
    grown = [
        (event.size_bytes, event.at) for event in told if isinstance(event, e.OutputGrew) and event.stream == "out"
    ]
    sizes = [size for size, _ in grown]
    found = []
    for offset, made in said_at(read_head(f"{folder}/out.log", MAX_BYTES) or b"", places[0]):
        index = bisect_left(sizes, offset)
        if index == len(sizes) or not made.output.endswith(_ENDS) or made.output.endswith(_CUDA_ENDS):
            continue
        at = grown[index][1]
        paths = (os.path.join(place, made.output) for place in (made.folder, *places))
        until = max((_mtime(path) for path in paths), default=0.0)
        if began <= at < until <= ended + _SLACK_S and not any(name.endswith(".cu") for name in made.inputs):
            found.append(Piece(ABOUT_CPP, at, until))
    return found


def _mtime(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except (OSError, ValueError):
        return 0.0
