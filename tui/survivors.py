"""Who is still alive of a run that is being stopped."""

from collections import Counter
from collections.abc import Iterable

from core.paths import Paths
from core.run import proctree
from core.run.stop import find_holder


def look(paths: Paths, runs: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Names of the live processes below each run's supervisor, by run. Reads all of /proc (8 ms at 300 processes):
    not for the event loop. Nothing where there is no /proc."""
    found: dict[str, tuple[str, ...]] = {}
    for run in runs:
        holder = find_holder(paths, run)
        if holder is None:
            continue
        try:
            below = proctree.descendants(holder.supervisor.pid)
        except OSError:
            return found
        found[run] = tuple(proctree.executable_name(process.pid) for process in below)
    return found


def in_words(names: tuple[str, ...]) -> str:
    """`still alive: 3 (rustc ×2, cargo)`; empty where nobody is known to be."""
    if not names:
        return ""
    counted = Counter(names).most_common()
    said = ", ".join(name if count == 1 else f"{name} ×{count}" for name, count in counted)
    return f"still alive: {len(names)} ({said})"
