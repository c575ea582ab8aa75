"""What ninja made, when, and how long it took. Pure.

    # ninja log v5
    0	1532	1730000000123456789	k.cu.o	9f1d0c2a7b3e4d55

`start end mtime output hash of the command`, times in ms since that ninja began, mtime in ns (of the output up to v6;
in v7 of the newest input). An output stands there again each time it is made. Source: ninja 1.11, `.ninja_log`.
"""

from typing import NamedTuple

MAX_BYTES = 1 << 26
_MARK = b"# ninja log v"


class Step(NamedTuple):
    """One output that was made."""

    output: str
    """As ninja calls it, relative to the build tree."""
    start_ms: int
    end_ms: int
    """Since that ninja began."""
    mtime_ns: int
    """0: it did not say."""
    command: str
    """Hash of the command line."""


def read_ninja_log(content: bytes) -> tuple[Step, ...]:
    """In the order of the file, the same output perhaps often; empty where it is no log of ninja's."""
    if not content.startswith(_MARK):
        return ()
    steps = []
    for line in content[:MAX_BYTES].split(b"\n"):
        words = line.split(b"\t")
        if len(words) != 5 or not all(word.isdigit() and len(word) < 20 for word in words[:3]):
            continue
        output = words[3].decode("utf-8", "surrogateescape")
        steps.append(Step(output, int(words[0]), int(words[1]), int(words[2]), words[4].decode("ascii", "replace")))
    return tuple(steps)
