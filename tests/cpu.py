"""What a call costs, for tests of how cost grows: not of how fast a machine is."""

from collections.abc import Callable
from time import process_time


def least_cpu_s(call: Callable[[], object], times: int = 3) -> float:
    """CPU seconds of the cheapest of some calls: a collection of garbage may fall into any one of them, and so may a
    machine that takes memory back."""
    costs = []
    for _ in range(times):
        begun = process_time()
        call()
        costs.append(process_time() - begun)
    return min(costs)
