"""What says that a run lost processes: failed links, and who is said to have died of signal 9. No I/O."""

import os
import re
import signal

from core import events as e
from core.values import dataclass

_KILLED_CODE = 137
"""Exit code of a shell whose child died of signal 9."""
SAME_WITHIN_S = 2.0
"""What is said so soon after is said of the same death: by the linker's driver, by rustc, by cargo."""
_HINTS = (b"signal", b" Killed", b"Error 137")
_SAID = re.compile(
    rb"process didn't exit successfully: `(?P<command>[^`\n]+)` \(signal: 9\b"
    rb"|(?P<linker>[\w.+-]+) terminated with signal 9\b"
    rb"|linking with `(?P<driver>[^`\n]+)` failed: (?:signal: 9|exit status: 137)\b"
    rb"|unable to execute command: Killed"
    rb"|^g?make(?:\[\d+\])?: \*\*\* \[[^\n]*\] (?:Killed|Error 137$)"
    rb"|nvcc error   : '\"?(?:\$\w+/)?(?P<tool>[\w+.-]+)\"?' died due to signal 9\b",
    re.MULTILINE,
)
"""Of cargo, collect2, rustc, clang, GNU make, nvcc. A shell that waited for it says `Killed` and ends with 137."""
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


class Losses:
    """What says that a run lost a process: links that failed, and deaths, each once, whoever says so."""

    def __init__(self, told_at: float) -> None:
        """`told_at`: when the journal told of a death last; never: minus infinity."""
        self.failed_at: float | None = None
        """When a link failed last, or something said that a process died; seconds since the epoch."""
        self.failed_unit = ""
        self.failed_link: tuple[int, float, float] | None = None
        """Of the link that failed last: pid of the front before it, when it began and ended."""
        self.death: Death | None = None
        """Nothing was told of it yet."""
        self._told_until = told_at
        self._readers: dict[str, DeathReader] = {}

    def read(self, stream: str, chunk: bytes, at: float) -> None:
        """Read the next bytes of a log."""
        for name in self._readers.setdefault(stream, DeathReader()).feed(chunk):
            self.died(at, name, "")

    def link_ended(self, link: e.LinkEnded) -> None:
        """A link is over."""
        if link.code == 0:
            return
        self.failed_at, self.failed_unit = link.at, link.unit
        front = link.link.partition("-")[0]
        self.failed_link = (int(front), link.began, link.at) if front.isdigit() else None
        if link.signal == signal.SIGKILL or link.code == _KILLED_CODE:
            self.died(link.at, "", link.unit)

    def died(self, at: float, name: str, unit: str) -> None:
        """Something says that a process died; nothing new where that was said just before."""
        self.failed_at = at
        known = self.death
        if known is not None:
            self.death = Death(known.at, known.name or name, known.unit or unit)
        elif at > self._told_until:
            self.death = Death(at, name, unit)

    def told(self, at: float) -> None:
        """The journal tells of it."""
        self.death, self._told_until = None, max(self._told_until, at + SAME_WITHIN_S)

    def stop(self) -> None:
        """Somebody asked for the end of the run: who dies from now on, dies of that."""
        self._told_until = float("inf")


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
    words = (found["command"] or found["linker"] or found["driver"] or found["tool"] or b"").split()
    program = next((word for word in words if b"=" not in word), b"")
    return os.path.basename(program.decode("utf-8", "replace"))[:_MAX_NAME]
