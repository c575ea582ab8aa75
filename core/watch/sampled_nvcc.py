"""Calls of nvcc that no front tells of, as they are seen among the processes: by its path, by an old tree of CMake's.

They have no figures of nvcc's own: when it began is exact, when it ended is the time of its output, else that of the
look; the tools below it are those that a look met; what is over within one look is not seen.
"""

import os
import re
import time
from collections.abc import Mapping

from core import events as e
from core.clock import Clock
from core.native.traces.cmake_cache import is_cmake_folder
from core.native.traces.nvcc_words import NvccWords, read_words
from core.plan.given import Origin
from core.plan.plan import Evidence, Finding
from core.values import dataclass
from core.watch.native_findings import clean_of_folder
from core.watch.nvcc_book import seen_end
from core.watch.nvcc_notes import blob_of
from core.watch.proc_files import read_link
from core.watch.procs import package_of
from core.watch.table import TICKS_A_SECOND, Proc, ProcessTable

UNSEEN = "nvcc-without-front"
_COST = (
    "its calls are marked ≈: without nvcc's phases, registers and our depfile cache; what takes less than a second may "
    "be missing"
)
_TOOLS = frozenset(("cicc", "ptxas", "cudafe++", "fatbinary", "nvlink", "cc1plus", "tileiras"))
_MIRRORED = ".nvcc"
"""Beside each front that stands for an nvcc: a link to that one."""
_PASSED = b"DECK_NVCC_PASSED="
"""In the environment of what it starts."""
_ARCH = re.compile(rb"(?:sm|compute)_[0-9]{2,3}[af]?")
_TRIAL = "/CompilerIdCUDA/"
_MAX_CALLS = 256
_MAX_DEPTH = 16

Key = tuple[int, int]
"""Pid and start, in ticks since boot."""


@dataclass(frozen=False, eq=False, slots=True)
class _Call:
    """One that is under way."""

    run: str
    started: e.NvccStarted
    why: str
    peak_bytes: int = 0
    tool: tuple[str, str | None] = ("", None)
    """Told last, and for which arch."""


class SampledNvcc:
    """Finds and follows them, for all runs, in a table that somebody else brings up to date."""

    def __init__(self, table: ProcessTable, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._calls: dict[Key, _Call] = {}
        self._told: set[Key] = set()
        """Those that a front tells of, or that ask nvcc something."""
        self._findings: list[tuple[str, Finding]] = []

    def open(self, run: str) -> tuple[str, ...]:
        """Calls of a run that are under way."""
        return tuple(call.started.call for call in self._calls.values() if call.run == run)

    def take_findings(self) -> list[tuple[str, Finding]]:
        """Why no front stood before what began since the last call, by run."""
        found, self._findings = self._findings, []
        return found

    def look(self, supervisors: Mapping[str, int]) -> list[tuple[str, e.Event]]:
        """What began, went on and ended since the last look of the table: run, and what to tell of it.

        Args:
            supervisors: Pids, by run.
        """
        there: set[Key] = set()
        found: list[tuple[str, e.Event]] = []
        for run, supervisor in supervisors.items():
            for proc in self._table.below(supervisor):
                if proc.name == "nvcc":
                    there.add(_key(proc))
                    found += [(run, event) for event in self._see(proc, run)]
        self._told &= there
        for key in self._calls.keys() - there:
            call = self._calls.pop(key)
            if call.run in supervisors:
                found.append((call.run, seen_end(call.started, self._clock(), call.peak_bytes, call.why)))
        return found

    def _see(self, proc: Proc, run: str) -> list[e.Event]:
        key = _key(proc)
        if key in self._told:
            return []
        began: list[e.Event] = []
        if key not in self._calls:
            call = None if self._is_told_of(proc) else self._begin(proc, run)
            if call is None or len(self._calls) >= _MAX_CALLS:
                self._told.add(key)
                return []
            self._calls[key] = call
            began = [call.started]
        return began + self._follow(self._calls[key], proc)

    def _is_told_of(self, proc: Proc) -> bool:
        """It is a front, or was started by one, or by another nvcc (`--threads`), or it is no nvcc at all."""
        program = read_link(self._table.folder(proc) + "/exe")
        folder, name = os.path.split(program)
        if name != "nvcc" or os.path.lexists(f"{folder}/{_MIRRORED}"):
            return True
        if any(entry.startswith(_PASSED) for entry in self._table.environ(proc)):
            return True
        return any(above.name == "nvcc" for above in self._table.above(proc))

    def _begin(self, proc: Proc, run: str) -> _Call | None:
        line = [word.decode("utf-8", "replace") for word in self._table.words(proc)]
        words = read_words(line[1:])
        if words.kind == "query":
            return None
        cwd = self._table.cwd(proc)
        running_s = time.clock_gettime(time.CLOCK_BOOTTIME) - proc.started_ticks / TICKS_A_SECOND
        began = self._clock() - max(0.0, running_s)
        finding = _finding(line[0], cwd)
        if not _is_trial(cwd):
            self._findings.append((run, finding))
        return _Call(run, self._started(proc, words, cwd, began), finding.title)

    def _started(self, proc: Proc, words: NvccWords, cwd: str, began: float) -> e.NvccStarted:
        sources = tuple(os.path.normpath(os.path.join(cwd, source)) for source in words.sources)
        package = package_of(b"\0".join(self._table.environ(proc)))
        return e.NvccStarted(
            at=began, call=f"{proc.pid}-s{proc.started_ticks}", package=package.get("CARGO_PKG_NAME", ""),
            source=sources[0] if sources else "",
            output=os.path.normpath(os.path.join(cwd, words.output)) if words.output else "",
            kind=words.kind, archs=words.archs, sources=sources if len(sources) > 1 else (),
            blob=blob_of(sources[0]) if sources else "",
        )  # fmt: skip

    def _follow(self, call: _Call, proc: Proc) -> list[e.Event]:
        """Take its memory; tell of a tool that it is at now."""
        below = list(self._table.below(proc.pid))
        call.peak_bytes = max(call.peak_bytes, proc.memory_bytes + sum(one.memory_bytes for one in below))
        tool = next((one for one in below if one.name in _TOOLS), None)
        if tool is None:
            return []
        archs = _ARCH.findall(b" ".join(self._table.words(tool)))
        now = tool.name, archs[0].decode() if archs and tool.name in ("cicc", "ptxas") else None
        if now == call.tool:
            return []
        call.tool = now
        return [e.NvccPhaseBegan(self._clock(), call.started.call, *now)]


def _key(proc: Proc) -> Key:
    return proc.pid, proc.started_ticks


def _finding(program: str, cwd: str) -> Finding:
    """Why no front stood before it, and what to do."""
    place = (Evidence(Origin("process"), program),)
    if not program.startswith("/"):
        return Finding(UNSEEN, "hint", "no front stands before nvcc in this build", place, _COST)
    if tree := _tree_of(cwd):
        title = f"{tree} was configured without the front: CMake calls nvcc by its path"
        return Finding(UNSEEN, "hint", title, place, _COST, clean_of_folder(tree))
    return Finding(UNSEEN, "hint", f"nvcc is called by its path, where no front stands: {program}", place, _COST)


def _is_trial(cwd: str) -> bool:
    """CMake finds out there which compiler it has: by its path, whatever stands before it later."""
    return f"{cwd}/".endswith(_TRIAL)


def _tree_of(folder: str) -> str:
    """CMake's build tree around a folder, not one that it tries a compiler in; empty: none."""
    folder = folder.partition("/CMakeFiles/")[0]
    for _ in range(_MAX_DEPTH):
        if is_cmake_folder(folder):
            return folder
        folder = os.path.dirname(folder)
    return ""
