"""Two runs beside each other: which units each compiled, and for how long. Pure."""

from typing import NamedTuple

from core.state import Run


class UnitPair(NamedTuple):
    """A unit that at least one of two runs compiled."""

    name: str
    before_s: float | None
    """None: the earlier run did not compile it."""
    after_s: float | None
    """None: the later run did not compile it."""

    @property
    def change_s(self) -> float:
        """Seconds that the later run spent more on it."""
        return (self.after_s or 0.0) - (self.before_s or 0.0)


class Total(NamedTuple):
    """A figure of both runs."""

    name: str
    before: float | None
    """None: not known."""
    after: float | None
    kind: str
    """`span` in seconds, or `count`."""

    @property
    def change(self) -> float | None:
        """How much more the later run has; None: not known."""
        return None if self.before is None or self.after is None else self.after - self.before


def compare_units(before: Run, after: Run) -> tuple[UnitPair, ...]:
    """All units that were compiled, those whose time changed most first."""
    names = dict.fromkeys([*before.finished_s, *after.finished_s])
    pairs = [UnitPair(name, before.finished_s.get(name), after.finished_s.get(name)) for name in names]
    return tuple(sorted(pairs, key=lambda pair: (-abs(pair.change_s), pair.name)))


def compare_totals(before: Run, after: Run) -> tuple[Total, ...]:
    """Times, units, what was said, tests."""
    spans = [
        Total(name, _of_end(before, field), _of_end(after, field), "span")
        for name, field in (("wall", "wall_s"), ("CPU in programs", "user_s"), ("CPU in the system", "sys_s"))
    ]
    counts = [
        Total(name, getattr(before, field), getattr(after, field), "count")
        for name, field in (
            ("units compiled", "units_built"), ("units found fresh", "units_fresh"), ("errors", "errors"),
            ("warnings", "warnings"), ("tests passed", "tests_passed"), ("tests failed", "tests_failed"),
        )
    ]  # fmt: skip
    return (*spans, *counts)


def _of_end(run: Run, field: str) -> float | None:
    return None if run.ended is None else float(getattr(run.ended, field))


def counterpart(run: Run, runs: list[Run]) -> Run | None:
    """The last run before one, of the same command in the same checkout; None: there is none."""
    same = [one for one in runs if one.run < run.run and (one.command, one.checkout) == (run.command, run.checkout)]
    return max(same, key=lambda one: one.run, default=None)
