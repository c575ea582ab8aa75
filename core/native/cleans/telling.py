"""From a native failure of a run to its finding: looks at the files that the run worked with."""

from collections.abc import Callable

from core.events import RunStarted
from core.paths import Paths
from core.plan.plan import Finding
from core.plan.small_file import read_object
from core.watch.native_failures import NativeFault

MOST_LOOKS = 10
"""25 ms and more each, in the engine's loop: a log may tell of thousands."""


def program_of(started: RunStarted) -> str:
    """Whose words a run's log has: `cargo`, or the program of `exec`."""
    return "cargo" if started.tool == "cargo" else started.subcommand


def teller(paths: Paths, started: RunStarted) -> Callable[[NativeFault], Finding]:
    """What makes findings of a run's native failures; files are looked at for the first MOST_LOOKS of them."""
    known: dict[NativeFault, Finding] = {}

    def tell(fault: NativeFault) -> Finding:
        from core.native.cleans.blame import Blame, Place, look_into  # 5 ms for what most builds never need
        from core.watch.native_findings import finding_of

        if fault in known:
            return known[fault]
        if len(known) >= MOST_LOOKS:
            return finding_of(fault, Blame())
        place = Place(
            started.cwd,
            started.build_dir or started.target_dir or "",
            started.checkout,
            _environment(paths, started.run),
        )
        return known.setdefault(fault, finding_of(fault, look_into(fault, place)))

    return tell


def _environment(paths: Paths, run: str) -> dict[str, str]:
    """Variables that the run was started with; those that are masked, or cannot be read, are left out."""
    found = read_object(paths.run(run) + "/run.json").get("env")
    known = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in known if isinstance(value, str)}
