"""Where time comes from: a clock is passed in, never read below the edges."""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds since the epoch."""

wall_clock: Clock = time.time
monotonic: Clock = time.monotonic
"""Seconds that never jump; only differences mean something."""


def uptime() -> float:
    """Seconds since the machine was started, those that it slept included: as /proc counts starts of processes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


cpu_time: Clock = time.process_time
"""Seconds of CPU time that this process used."""
