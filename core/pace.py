"""How often the engine looks while nothing is printed and something may be in somebody's way."""

from core.clock import Clock

MAX_SHARE = 0.008
"""Of one core: where its turns cost more, they become rarer."""
_LATEST_WEIGHT = 0.1


class Pace:
    """Follows what turns cost."""

    def __init__(self, cpu_time: Clock, shortest_s: float, longest_s: float) -> None:
        self._cpu_time = cpu_time
        self._shortest_s, self._longest_s = shortest_s, longest_s
        self._used_s = cpu_time()
        self._cost_s = 0.0
        """Of a turn, on average."""

    def pause_s(self) -> float:
        """Until the next turn; to be called once a turn."""
        before, self._used_s = self._used_s, self._cpu_time()
        self._cost_s += (self._used_s - before - self._cost_s) * _LATEST_WEIGHT
        return min(self._longest_s, max(self._shortest_s, self._cost_s / MAX_SHARE))
