"""What settings cost and gave when they were measured, in figures and in words. Pure; `make bench-plan` fills it."""

from collections.abc import Mapping
from typing import NamedTuple


class Pair(NamedTuple):
    """One figure, without and with a setting."""

    without: float
    with_it: float
    noise: float = 0.0
    """How far the same command differed from itself beside it: 0.04 is ±4 %."""

    @property
    def ratio(self) -> float:
        """With it to without it."""
        return self.with_it / self.without if self.without else 1.0

    @property
    def is_noise(self) -> bool:
        """The difference is none that was measured."""
        return abs(self.ratio - 1) <= self.noise


class Figure(NamedTuple):
    """What was measured of one setting with one value. None: not measured."""

    subject: str
    """The workspace, and on how many cores."""
    clean_s: Pair | None = None
    edit_s: Pair | None = None
    """After the edit of one crate."""
    link_s: Pair | None = None
    peak_bytes: Pair | None = None
    """Largest memory of one process."""
    output_bytes: Pair | None = None
    """The target dir."""


FIGURES: Mapping[tuple[str, str], Figure] = {}
"""By a setting's name and its value, as `Setting.name` and `Setting.value`."""


def measured(name: str, value: str, figures: Mapping[tuple[str, str], Figure] = FIGURES) -> str:
    """What was measured, in words; empty: nothing was."""
    figure = figures.get((name, value))
    if figure is None:
        return ""
    parts = [
        _told("clean build", figure.clean_s, _seconds),
        _told("after an edit", figure.edit_s, _seconds),
        _told("link", figure.link_s, _seconds),
        _told("largest process", figure.peak_bytes, _size),
        _told("output", figure.output_bytes, _size),
    ]
    told = "; ".join(part for part in parts if part)
    return f"measured on {figure.subject}: {told}" if told else ""


def _told(what: str, pair: Pair | None, worded: "_Worded") -> str:
    if pair is None:
        return ""
    if pair.is_noise:
        return f"{what} no different (±{pair.noise:.0%})"
    return f"{what} {worded(pair.without)} → {worded(pair.with_it)} ({pair.ratio - 1:+.0%})"


class _Worded:
    """A figure as text."""

    def __init__(self, unit: str, scale: float) -> None:
        self.unit, self.scale = unit, scale

    def __call__(self, figure: float) -> str:
        return f"{figure / self.scale:.3g} {self.unit}"


_seconds = _Worded("s", 1)
_size = _Worded("MB", 1e6)
