"""Runs that kernels can be compared with. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from core.kernel_queries import Compiled, Repository


class Comparable(NamedTuple):
    """A run that kernels can be compared with."""

    run: str
    agent: str
    began: float
    """Of the first of its calls, in seconds since the epoch."""
    kernels: int
    """Each arch counted."""
    sources: int
    is_elsewhere: bool
    """It built another checkout."""


def comparable(found: Iterable[Compiled], now: Compiled, repository: Repository) -> tuple[Comparable, ...]:
    """Runs that have kernels of the checkout of a compilation, or its source in another worktree of the same
    repository; newest first."""
    where = repository(now.checkout)
    by_run: dict[str, list[Compiled]] = {}
    for one in found:
        if one.checkout == now.checkout or (one.place == now.place and repository(one.checkout) == where):
            by_run.setdefault(one.run, []).append(one)
    rows = (
        Comparable(
            run, same[0].agent, same[0].began, sum(len(one.measured.kernels) for one in same),
            len({one.place for one in same}), same[0].checkout != now.checkout,
        )
        for run, same in by_run.items()
    )  # fmt: skip
    return tuple(sorted(rows, key=lambda one: -one.began))
