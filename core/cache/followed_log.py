"""The log of one cache server, as it grows."""

import os
from dataclasses import dataclass, field

from core.cache.sccache_log import ServerLog
from core.cache.verdict import Verdict

STEP_BYTES = 1 << 20
"""Read of each log in one look."""


@dataclass(slots=True)
class FollowedLog:
    """The log of one server, and how far it was read."""

    agent: str
    path: str
    parser: ServerLog = field(default_factory=ServerLog)
    offset: int = 0

    def read(self) -> list[Verdict]:
        """What was done since the last time; of a long log, the next part."""
        try:
            with open(self.path, "rb") as file:
                if os.fstat(file.fileno()).st_size < self.offset:  # somebody emptied it
                    self.offset = 0
                    self.parser.begin_anew()
                file.seek(self.offset)
                content = file.read(STEP_BYTES)
        except OSError:
            return []
        self.offset += len(content)
        return self.parser.feed(content) if content else []

    @property
    def is_read(self) -> bool:
        """There is nothing more in it now."""
        try:
            return os.stat(self.path).st_size <= self.offset
        except OSError:
            return True
