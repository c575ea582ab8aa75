"""What would make a link take less memory: as measured here, else what can be tried. Pure."""

from collections.abc import Iterable

from core.measured import Measurement, Trial
from core.memory_queries import LinkRow

WORTH_SHARE = 0.1
"""A setting that saves less is none worth a word."""
_LINKERS = ("mold", "lld")
"""Worth a try where they are installed."""


def measurement_of(row: LinkRow, measurements: Iterable[Measurement]) -> Measurement | None:
    """The last one of this link; None: nobody measured it."""
    found = [one for one in measurements if one.is_of(row.checkout, row.unit, row.output) and one.as_is is not None]
    return found[-1] if found else None


def best_of(measurement: Measurement) -> Trial | None:
    """The setting with the smallest peak, where it saves enough; None: none does."""
    as_is = measurement.as_is
    others = [trial for trial in measurement.trials[1:] if trial.peak_bytes]
    best = min(others, key=lambda trial: trial.peak_bytes or 0, default=None)
    if as_is is None or best is None or not as_is.peak_bytes or not best.peak_bytes:
        return None
    return best if best.peak_bytes <= as_is.peak_bytes * (1 - WORTH_SHARE) else None


def to_try(row: LinkRow) -> tuple[str, ...]:
    """Settings that may help this link, without a figure."""
    has_debug = row.ended is None or row.ended.debug_bytes is None or row.ended.debug_bytes > 0
    debug = ('debug = "line-tables-only"', 'split-debuginfo = "unpacked"') if has_debug else ()
    same = "lld" if row.linker == "rust-lld" else row.linker
    return (*debug, *(f"linker {name}" for name in _LINKERS if name != same))
