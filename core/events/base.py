"""What every event has, and the words that several of them use."""

from typing import Literal

from core.values import dataclass

SCHEMA_VERSION = 1
"""First line of every journal: `{"schema": 1, "run": ID}`. A reader refuses a larger number."""

Stream = Literal["out", "err"]
Outcome = Literal["ok", "failed", "ignored"]
Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    at: float
    """Seconds since the epoch, when it was seen (at most one engine tick after it happened)."""
