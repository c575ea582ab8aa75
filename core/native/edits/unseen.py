"""Edits that nvcc did not see: it read the file before, and the build went well without calling it."""

from collections.abc import Iterable

from core.native.edits.iteration_of import Measured
from core.native.traces.nvcc_calls import has_front
from core.paths import Paths
from core.plan.small_file import read_object
from core.run.nvcc_front import PROGRAM


def unseen_by_nvcc(paths: Paths, changed: Iterable[str], measured: Measured, native: frozenset[str]) -> tuple[str, ...]:
    """Of the changed files those of `native`, what nvcc was seen to read, where the build went well without it."""
    if not measured.is_built or measured.compiled or not _would_note(paths, measured.started.run):
        return ()
    return tuple(path for path in changed if path in native)


def _would_note(paths: Paths, run: str) -> bool:
    """A front stood before nvcc, in PATH or as CMake's launcher; none does while it is built anew."""
    launch = read_object(paths.run(run) + "/run.json").get("launch")
    env = launch.get("env") if isinstance(launch, dict) else None
    return has_front(paths, run) or (isinstance(env, dict) and PROGRAM in env)
