"""Spills of kernels: what the toolkit's own ptxas says of the PTX that nvcc kept, added to what the cubin tells.

No cubin tells of spills, and `-Xptxas -v` would change it (its options stand in a note of it). Where no function has a
stack frame nothing spills, for certain. Else ptxas is asked again, with the options of that note, and believed where it
makes the same code again.
"""

import contextlib
import os
import resource
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from core.events.native import Kernel
from core.native.kernels.cubin import Cubin
from core.native.kernels.usage import Usage

_NICEST = 19
_WITH_VALUE = ("-o", "--output-file", "-optf", "--options-file")
_MAX_SAID_BYTES = 16 << 20
CPU_S = 300
"""Of a core, for PTX that is measured in the background."""
MOST_BYTES = 6 << 30
_MOST_FILE_BYTES = 256 << 20


def without_stack(cubin: Cubin) -> tuple[Kernel, ...]:
    """Kernels of a cubin; 0 bytes spilled by those that, with all they call, have no stack."""
    framed = {name for name, _ in cubin.frames}
    called = None if _is_linked_later(cubin) else 0
    return tuple(
        kernel
        if kernel.name in framed
        else kernel._replace(spill_store_bytes=0, spill_load_bytes=0, called_spill_bytes=called)
        for kernel in cubin.kernels
    )


def _is_linked_later(cubin: Cubin) -> bool:
    """Functions that may spill are shared by its kernels: who calls them, only nvlink knows."""
    kernels = {kernel.name for kernel in cubin.kernels}
    return any(name not in kernels and not name.startswith("$") for name, _ in cubin.frames)


def needs_ptxas(cubin: Cubin) -> bool:
    """A kernel of it may spill."""
    framed = {name for name, _ in cubin.frames}
    return any(kernel.name in framed for kernel in cubin.kernels)


def with_usage(cubin: Cubin, usages: Iterable[Usage], again: Cubin) -> tuple[Kernel, ...]:
    """Kernels of a cubin with spills and times, and their own stack frame: a cubin may have what they call in it.

    Args:
        cubin: As nvcc made it.
        usages: What ptxas told when it was asked again.
        again: What it made then: only of kernels whose code is the same, to the byte, it is believed.
    """
    said = list(usages)
    entries = {usage.kernel.name: usage.kernel for usage in said if usage.is_entry}
    own = {(usage.entry, usage.kernel.name): usage.kernel for usage in said if not usage.is_entry}
    same = {name for name, code in cubin.codes.items() if again.codes.get(name) == code}
    return tuple(
        _told(kernel, entries[kernel.name], own, cubin) if kernel.name in same & entries.keys() else kernel
        for kernel in without_stack(cubin)
    )


def _told(kernel: Kernel, told: Kernel, own: Mapping[tuple[str, str], Kernel], cubin: Cubin) -> Kernel:
    called = [own.get((kernel.name, function)) for function in cubin.called.get(kernel.name, ())]
    spilled = sum(_spilled(function) for function in called)
    return kernel._replace(
        spill_store_bytes=told.spill_store_bytes,
        spill_load_bytes=told.spill_load_bytes,
        stack_bytes=kernel.stack_bytes if told.stack_bytes is None else told.stack_bytes,
        compile_s=told.compile_s,
        called_spill_bytes=None if _is_linked_later(cubin) else spilled,
    )


def _spilled(function: Kernel | None) -> int:
    return 0 if function is None else (function.spill_store_bytes or 0) + (function.spill_load_bytes or 0)


def ptxas_of(nvcc: str) -> str:
    """The ptxas beside an nvcc, or beside what that is a link to; empty: there is none."""
    for path in (nvcc, os.path.realpath(nvcc)) if nvcc else ():
        found = os.path.join(os.path.dirname(path), "ptxas")
        if os.path.isfile(found) and os.access(found, os.X_OK):
            return found
    return ""


def ptxas_argv(ptxas: str, options: str, arch: str, ptx: str, made: str) -> tuple[str, ...]:
    """What has ptxas tell of a PTX file.

    Args:
        ptxas: Its path.
        options: That it was called with, as the cubin has them; empty: not known.
        arch: For where they name none.
        ptx: Path of the file.
        made: Path of what it makes.
    """
    try:
        words = shlex.split(options)
    except ValueError:
        words = []
    kept = [word for before, word in zip(["", *words], words, strict=False) if not _names_file(before, word)]
    if not any(word.startswith(("-arch", "--gpu-name")) for word in kept):
        kept += ["-arch", arch]
    has_v = any(word in ("-v", "--verbose") for word in kept)
    return (ptxas, *(() if has_v else ("-v",)), *kept, ptx, "-o", made)


def _names_file(before: str, word: str) -> bool:
    """With `-g` the options name input and output too."""
    if word in _WITH_VALUE or before in _WITH_VALUE or word.startswith(("--output-file=", "-optf=")):
        return True
    return word.endswith(".ptx") and not word.startswith("-")


class PtxasRun(NamedTuple):
    """A ptxas that was started."""

    process: subprocess.Popen[bytes]
    said_path: str
    """Where it writes what it says."""

    def is_over(self) -> bool:
        """It ended."""
        return self.process.poll() is not None

    @property
    def is_killed(self) -> bool:
        """A signal ended it."""
        return self.process.wait() < 0

    def stop(self) -> None:
        """Kill it; it is ours, and nobody waits for what it makes."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def said(self) -> str:
        """What it said; empty where it failed."""
        if self.process.wait() != 0:
            return ""
        try:
            with open(self.said_path, "rb") as file:
                return file.read(_MAX_SAID_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""


def start_ptxas(argv: tuple[str, ...], said_path: str) -> PtxasRun:
    """Start one, behind all that builds.

    Raises:
        OSError: it cannot be started, or the file cannot be written.
    """
    with open(said_path, "wb") as said:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd="/", start_new_session=True
        )
    try:
        os.setpriority(os.PRIO_PROCESS, process.pid, _NICEST)
    except OSError:
        pass  # it ended already
    return PtxasRun(process, said_path)


def start_idle(argv: tuple[str, ...], said_path: str) -> PtxasRun:
    """Start one that gets only what nobody else wants of the cores, CPU_S of them at most, and MOST_BYTES of memory.

    Raises:
        OSError: as `start_ptxas`.
    """
    run = start_ptxas(argv, said_path)
    pid = run.process.pid
    with contextlib.suppress(OSError, AttributeError):  # it ended already, or this system has no such thing
        os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
    for what, most in (
        (resource.RLIMIT_CPU, CPU_S), (resource.RLIMIT_AS, MOST_BYTES), (resource.RLIMIT_FSIZE, _MOST_FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        with contextlib.suppress(OSError, ValueError, AttributeError):
            resource.prlimit(pid, what, (most, most))
    return run
