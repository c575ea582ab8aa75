"""Where time comes from: a clock is passed in, never read below the edges."""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds since the epoch."""

wall_clock: Clock = time.time
monotonic: Clock = time.monotonic
"""Seconds that never jump; only differences mean something."""

cpu_time: Clock = time.process_time
"""Seconds of CPU time that this process used."""
