"""Figures of a measurement, each beside its limit; and whether all keep theirs."""

import statistics
from collections.abc import Sequence


class Figures:
    """Prints a line a figure and remembers whether a limit was broken."""

    def __init__(self) -> None:
        self.broken: list[str] = []

    def note(self, name: str, text: str) -> None:
        """A figure without a limit."""
        print(f"{name:44} {text}", flush=True)

    def at_most(self, name: str, value: float, limit: float, shown: str = "{:.1f}", more: str = "") -> None:
        """A figure that must not be larger."""
        self._judge(name, value <= limit, f"{shown.format(value)} (at most {shown.format(limit)})", more)

    def at_least(self, name: str, value: float, limit: float, shown: str = "{:.1f}", more: str = "") -> None:
        """A figure that must not be smaller."""
        self._judge(name, value >= limit, f"{shown.format(value)} (at least {shown.format(limit)})", more)

    def holds(self, name: str, is_true: bool, more: str = "") -> None:
        """A statement."""
        self._judge(name, is_true, "yes" if is_true else "no", more)

    def _judge(self, name: str, is_good: bool, text: str, more: str) -> None:
        if not is_good:
            self.broken.append(name)
        self.note(name, f"{text}{'' if is_good else '  MISSED'}{'   ' + more if more else ''}")

    def end(self, title: str) -> int:
        """The last line, and the exit code."""
        verdict = f"MISSED: {', '.join(self.broken)}" if self.broken else "all within the limits"
        print(f"{title}: {verdict}", flush=True)
        return 1 if self.broken else 0


def spread(values: Sequence[float], shown: str = "{:.0f}") -> str:
    """Median, and where the middle half lies."""
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 4], ordered[len(ordered) * 3 // 4]
    return f"{shown.format(statistics.median(ordered))} [{shown.format(low)}–{shown.format(high)}]"


def share(values: Sequence[float], part: float) -> float:
    """The value below which that part of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
