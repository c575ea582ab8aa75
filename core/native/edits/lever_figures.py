"""What levers gave, as it was measured: verdicts from paired rounds, and `levers.jsonl`, one measurement a line. Pure
but for reading and writing that file."""

import json
import random
from collections.abc import Sequence
from statistics import median
from typing import Any

from core.kept_lines import append_line, last_lines
from core.paths import Paths
from core.values import dataclass

FEWEST = 5
"""Rounds before anything is said."""
GAIN, LOSS = 0.97, 1.03
"""Less is not worth a word."""
_RESAMPLED = 2000
_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Figure:
    """One lever of one call."""

    lever: str
    gives: str
    wall_s: float | None
    """Median; None: it failed."""
    ratio: float | None
    """To the call as it is, in the same round; median. None: it failed, or is the call as it is."""
    low: float | None
    high: float | None
    """95 % of the medians of as many rounds lie between."""
    verdict: str
    """`faster`, `slower`, `within noise`, `too few rounds`; empty: it is what the others are compared with."""
    peak_bytes: int | None
    output_bytes: int | None
    trouble: str = ""
    """Why it failed."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """All levers of one source."""

    at: float
    """When it was done, seconds since the epoch."""
    source: str
    version: str
    """Of nvcc: `13.0.88`."""
    cores: int
    rounds: int
    noise: float
    """How far the same call differs from itself: 0.04 is a factor of 1.04."""
    figures: tuple[Figure, ...]
    """The call as it is first, then again, then the levers; perhaps the same for several calls after them."""


def interval(ratios: Sequence[float], seed: int = 1) -> tuple[float, float]:
    """Where 95 % of the medians of so many values lie, by drawing them again."""
    rng = random.Random(seed)
    medians = sorted(median(rng.choices(ratios, k=len(ratios))) for _ in range(_RESAMPLED))
    return medians[int(_RESAMPLED * 0.025)], medians[int(_RESAMPLED * 0.975)]


def noise_of(ratios: Sequence[float]) -> float:
    """How far a call differs from itself, in either direction."""
    low, high = interval(ratios)
    return max(high, 1 / low, 1.0) - 1


def verdict_of(ratios: Sequence[float], noise: float) -> str:
    """What is to be said of a lever: its whole interval must lie beyond the noise."""
    if len(ratios) < FEWEST:
        return "too few rounds"
    low, high = interval(ratios)
    if high < min(1 / (1 + noise), GAIN):
        return "faster"
    return "slower" if low > max(1 + noise, LOSS) else "within noise"


def path_of(paths: Paths) -> str:
    """Where measurements are kept."""
    return paths.state + "/levers.jsonl"


def append(paths: Paths, one: Measurement) -> None:
    """Keep a measurement. Raises OSError where it cannot be written."""
    append_line(path_of(paths), to_record(one))


def read(paths: Paths) -> tuple[Measurement, ...]:
    """The last one of each source and version of nvcc, oldest first; lines that are none are passed over."""
    found: dict[tuple[str, str], Measurement] = {}
    for line in last_lines(path_of(paths)):
        if (one := _measurement(line)) is not None:
            found.pop((one.source, one.version), None)
            found[one.source, one.version] = one
    return tuple(found.values())


def to_record(one: Measurement) -> dict[str, Any]:
    """As it is written, and printed as JSON."""
    return {
        "schema": _SCHEMA, "at": one.at, "source": one.source, "nvcc": one.version, "cores": one.cores,
        "rounds": one.rounds, "noise": one.noise,
        "figures": [
            {"lever": f.lever, "gives": f.gives, "wall_s": f.wall_s, "ratio": f.ratio, "low": f.low, "high": f.high,
             "verdict": f.verdict, "peak_bytes": f.peak_bytes, "output_bytes": f.output_bytes, "trouble": f.trouble}
            for f in one.figures
        ],
    }  # fmt: skip


def _measurement(line: bytes) -> Measurement | None:
    try:
        record = json.loads(line)
        if record["schema"] > _SCHEMA:
            return None
        figures = tuple(_figure(figure) for figure in record["figures"])
        return Measurement(float(record["at"]), str(record["source"]), str(record["nvcc"]), int(record["cores"]),
                           int(record["rounds"]), float(record["noise"]), figures)  # fmt: skip
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _figure(record: Any) -> Figure:
    """Raises as indexing does, or TypeError."""
    numbers = {name: record[name] for name in ("wall_s", "ratio", "low", "high", "peak_bytes", "output_bytes")}
    texts = {name: record[name] for name in ("lever", "gives", "verdict", "trouble")}
    if not all(value is None or (isinstance(value, int | float)) for value in numbers.values()):
        raise TypeError("a number was expected")
    if not all(isinstance(value, str) for value in texts.values()):
        raise TypeError("text was expected")
    return Figure(**numbers, **texts)
