"""What settings do to a link, as it was measured: `measured.jsonl`, one measurement a line."""

import json
from typing import Any

from core.kept_lines import append_line, last_lines
from core.paths import Paths
from core.values import dataclass

AS_IS = "as is"


@dataclass(frozen=True, slots=True)
class Trial:
    """One link under one setting."""

    setting: str
    """As it would be written: `debug = "line-tables-only"`, `linker mold`; `as is`."""
    peak_bytes: int | None
    """None: it was not linked, or nobody saw its memory."""
    elapsed_s: float | None
    """Of the link alone; None: not linked."""
    output_bytes: int | None
    linker: str
    """That really linked; empty: not known."""
    is_sampled: bool
    run: str
    """That linked it."""
    trouble: str = ""
    """Why it is not measured; empty: it is."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One link under several settings, one after another on this machine."""

    at: float
    """When it was done, seconds since the epoch."""
    checkout: str
    unit: str
    profile: str
    """Folder of the target dir: `debug`, `release`."""
    trials: tuple[Trial, ...]
    """The first one is as it is now."""

    @property
    def as_is(self) -> Trial | None:
        """What all others are compared with; None: that one failed."""
        first = self.trials[0] if self.trials else None
        return first if first is not None and first.setting == AS_IS and first.peak_bytes else None

    def is_of(self, checkout: str, unit: str, output: str) -> bool:
        """It is about this link."""
        return (self.checkout, self.unit, self.profile) == (checkout, unit, profile_of(output))


def profile_of(output: str) -> str:
    """`debug` of `…/debug/deps/app-0123456789abcdef`; empty: it is no output of cargo's."""
    folders = output.split("/")[:-1]
    while folders and folders[-1] in ("deps", "examples"):
        folders.pop()
    return folders[-1] if folders else ""


def path_of(paths: Paths) -> str:
    """Where measurements are kept."""
    return paths.state + "/measured.jsonl"


def append(paths: Paths, measurement: Measurement) -> None:
    """Keep a measurement. Raises OSError where it cannot be written."""
    append_line(path_of(paths), to_record(measurement))


def read(paths: Paths) -> tuple[Measurement, ...]:
    """All that are kept, oldest first; lines that are none are passed over."""
    return tuple(found for line in last_lines(path_of(paths)) if (found := _measurement(line)) is not None)


def to_record(measurement: Measurement) -> dict[str, Any]:
    """As it is written, and printed as JSON."""
    return {
        "at": measurement.at, "checkout": measurement.checkout, "unit": measurement.unit,
        "profile": measurement.profile,
        "trials": [
            {"setting": t.setting, "peak_bytes": t.peak_bytes, "elapsed_s": t.elapsed_s, "output_bytes": t.output_bytes,
             "linker": t.linker, "is_sampled": t.is_sampled, "run": t.run, "trouble": t.trouble}
            for t in measurement.trials
        ],
    }  # fmt: skip


def _measurement(line: bytes) -> Measurement | None:
    try:
        record = json.loads(line)
        trials = tuple(Trial(**trial) for trial in record["trials"])
        return Measurement(float(record["at"]), record["checkout"], record["unit"], record["profile"], trials)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
