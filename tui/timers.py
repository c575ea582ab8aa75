"""Timers that keep their word."""

from collections.abc import Callable

from textual.message_pump import MessagePump
from textual.timer import Timer


def later(pump: MessagePump, delay_s: float, call: Callable[[], object]) -> Timer:
    """Call something once after a delay, for certain.

    Textual's own `set_timer` looks at the clock twice when it begins. Where more than the delay goes by in between
    (the machine gave its time to others), the one call counts as missed and never comes.
    """
    timer = pump.set_timer(delay_s, call)
    timer._skip = False  # its task begins after this
    return timer
