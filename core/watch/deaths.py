"""What a build says of its processes that died of signal 9. No I/O."""

import os
import re

from core.values import dataclass

KILLED_CODE = 137
"""Exit code of a shell whose child died of signal 9."""
SAME_WITHIN_S = 2.0
"""What is said so soon after is said of the same death: by the linker's driver, by rustc, by cargo."""
_HINTS = (b"signal", b" Killed")
_SAID = re.compile(
    rb"process didn't exit successfully: `(?P<command>[^`\n]+)` \(signal: 9\b"
    rb"|(?P<linker>[\w.+-]+) terminated with signal 9\b"
    rb"|linking with `(?P<driver>[^`\n]+)` failed: (?:signal: 9|exit status: 137)\b"
    rb"|unable to execute command: Killed"
    rb"|^g?make(?:\[\d+\])?: \*\*\* \[[^\n]*\] Killed",
    re.MULTILINE,
)
"""Of cargo, collect2, rustc, clang, GNU make. A shell that waited for it says `Killed` and ends with 137."""
_MAX_LINE_BYTES = 1 << 16
_MAX_NAME = 15
"""As the kernel cuts them."""


@dataclass(frozen=True, slots=True)
class Death:
    """A process of a run died of signal 9."""

    at: float
    name: str
    """Its program; empty: not said."""
    unit: str
    """What it worked on; empty: not known."""


class DeathReader:
    """Finds them in the bytes of one log, whole lines at a time."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[str]:
        """Programs that died, by the next bytes; an empty name where it is not said."""
        end = chunk.rfind(b"\n") + 1
        lines, self._rest = (self._rest + chunk[:end], chunk[end:]) if end else (b"", self._rest + chunk)
        self._rest = self._rest[-_MAX_LINE_BYTES:]
        if not any(hint in lines for hint in _HINTS):
            return []
        return [_name(found) for found in _SAID.finditer(lines)]


def _name(found: "re.Match[bytes]") -> str:
    words = (found["command"] or found["linker"] or found["driver"] or b"").split()
    program = next((word for word in words if b"=" not in word), b"")
    return os.path.basename(program.decode("utf-8", "replace"))[:_MAX_NAME]
