"""The live processes of one run, as a tree. Reads all of /proc (8 ms at 300 processes): not for the event loop."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.paths import Paths
from core.run import proctree
from core.run.mask import safe_words
from core.run.stop import find_holder

_MAX_COMMAND_BYTES = 4096
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class RunProcess:
    """One process."""

    pid: int
    depth: int
    """0: the supervisor's child."""
    program: str
    """File name of its executable."""
    command: str
    """Its words; credentials masked."""
    cpu_s: float
    """User and system time so far, of its own, without its children's."""
    rss_bytes: int
    """Memory that it has resident; pages that processes share count in each."""


def look(paths: Paths, run: str) -> tuple[RunProcess, ...]:
    """Processes below the run's supervisor, each after its parent; none where the run is over."""
    holder = find_holder(paths, run)
    if holder is None:
        return ()
    try:
        below = proctree.descendants(holder.supervisor.pid)
    except OSError:
        return ()  # no /proc on this system
    children: dict[int, list[int]] = {}
    for process in sorted(below, key=lambda one: one.pid):
        children.setdefault(process.parent, []).append(process.pid)
    return tuple(_tree(holder.supervisor.pid, children, 0))


def _tree(parent: int, children: Mapping[int, list[int]], depth: int) -> Iterator[RunProcess]:
    for pid in children.get(parent, ()):
        found = _read(pid, depth)
        if found is not None:
            yield found
        yield from _tree(pid, children, depth + 1)


def _read(pid: int, depth: int) -> RunProcess | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            content = file.read()
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = tuple(
                word.decode("utf-8", "replace") for word in file.read(_MAX_COMMAND_BYTES).split(b"\0") if word
            )
    except OSError:
        return None  # it ended meanwhile
    fields = content[content.rfind(b")") + 2 :].split()
    if len(fields) < 22:
        return None
    ticks = int(fields[11]) + int(fields[12])
    return RunProcess(
        pid=pid,
        depth=depth,
        program=proctree.executable_name(pid),
        command=" ".join(safe_words(words, {})),
        cpu_s=ticks / _TICKS_A_SECOND,
        rss_bytes=int(fields[21]) * _PAGE_BYTES,
    )
