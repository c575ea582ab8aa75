"""Kernels of calls of nvcc, measured by the engine in the background: cubins are read, ptxas is asked for spills."""

import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from core import events as e
from core.clock import Clock
from core.native.kernels.arch import number_of
from core.native.kernels.cubin import Cubin, read_cubin
from core.native.kernels.kept import Image, images_of, ptx_of, stem_of
from core.native.kernels.kernel_store import KernelStore, digest_of, digest_of_content
from core.native.kernels.ptx import read_ptx
from core.native.kernels.spills import (
    PtxasRun,
    needs_ptxas,
    ptxas_argv,
    ptxas_of,
    start_ptxas,
    with_usage,
    without_stack,
)
from core.native.kernels.usage import parse_usage
from core.watch.lost_images import lost_images, without_arch
from core.watch.nvcc_notes import Kept

SLICE_S = 0.03
"""Reading cubins takes so long of a turn at most."""
PTXAS_S = 150.0
"""It is asked for so long at most; what it did not tell by then is not known."""
WAIT_S = 180.0
"""A run that is over is kept open for its kernels so long at most."""
MAX_KERNELS = 2000
"""Of one source and call that are kept."""
_MAX_FILE_BYTES = 64 << 20
_MAX_PENDING = 2000
_LATER_S = 0.01
"""File systems and clocks differ by so much."""
_SAID, _AGAIN = "ptxas.said", "again.cubin"


class PtxTaker(Protocol):
    """Who measures PTX."""

    def take(self, digest: str, content: bytes, nvcc: str) -> None:
        """PTX that a call of an nvcc made."""


class NotedRun(Protocol):
    """What is needed of a run that is watched."""

    def take_kept(self) -> list[Kept]:
        """Calls that ended since the last time."""

    def note(self, events: Iterable[e.Event]) -> None:
        """Put facts into its journal."""


@dataclass(slots=True)
class _Job:
    """A call whose kernels are being measured."""

    run: str
    kept: Kept
    images: list[Image]
    """That were not read yet."""
    found: dict[str, list[e.Kernel]] = field(default_factory=dict)
    """By source."""
    lost: tuple[tuple[str, Image], ...] = ()
    """By arch, of which there is no cubin but the PTX that it was made of."""
    options: str = ""
    """That ptxas was called with; empty: not known."""
    unsure: list[tuple[Image, Cubin]] = field(default_factory=list)
    """That ptxas is to be asked of."""
    asked: tuple[Image, Cubin] | None = None
    digest: str = ""
    """Of what it made; empty: it is no object, or another one by now."""
    ptx: dict[str, str] = field(default_factory=dict)
    """Digests of PTX that it made, by source."""
    is_read: bool = False

    @property
    def is_done(self) -> bool:
        """There is nothing left to do for it."""
        return self.is_read and not (self.unsure or self.asked)


class KernelWatch:
    """Does a little in each turn of the engine."""

    def __init__(
        self, clock: Clock, monotonic: Clock, store: KernelStore, ptx: PtxTaker | None = None, *,
        start: Callable[[tuple[str, ...], str], PtxasRun] = start_ptxas,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._store = store
        self._ptx = ptx
        self._monotonic = monotonic
        self._start = start
        self._jobs: list[_Job] = []
        self._ptxas: PtxasRun | None = None
        self._started_at = 0.0
        self._held_since: dict[str, float] = {}

    def work(self, runs: Mapping[str, NotedRun]) -> None:
        """Take what calls of these runs left, and do a step; calls of all others are given up."""
        for left in [job for job in self._jobs if job.run not in runs]:
            self._drop(left)
        self._held_since = {name: since for name, since in self._held_since.items() if name in runs}
        for name, run in runs.items():
            self._jobs += [job for kept in run.take_kept() if (job := _job(name, kept)) is not None]
        for left in self._jobs[_MAX_PENDING:]:
            self._drop(left)
        self._read_on(runs)
        self._ask_on(runs)
        for done in [job for job in self._jobs if job.is_done]:
            self._drop(done)

    def holds(self, run: str) -> bool:
        """It is over, and kernels of it are still being measured: its journal is kept open for them, for a while."""
        if all(job.run != run for job in self._jobs):
            return False
        return self._monotonic() - self._held_since.setdefault(run, self._monotonic()) < WAIT_S

    def close(self) -> None:
        """Give all of it up: the engine ends."""
        for job in list(self._jobs):
            self._drop(job)

    def _drop(self, job: _Job) -> None:
        if job.asked is not None and self._ptxas is not None:
            self._ptxas.stop()
            self._ptxas = None
        self._jobs.remove(job)
        if job.kept.folder:
            shutil.rmtree(job.kept.folder, ignore_errors=True)

    # Cubins

    def _read_on(self, runs: Mapping[str, NotedRun]) -> None:
        """Read files until the time is up; a call is told of when all of it was read."""
        ends = self._monotonic() + SLICE_S
        for job in self._jobs:
            if job.is_read:
                continue
            while job.images and self._monotonic() < ends:
                self._read(job, job.images.pop(0))
            if job.images:
                return
            job.is_read = True
            if job.options:
                options = without_arch(job.options)
                job.unsure += [(image, Cubin(arch, options, (), {}, {}, ())) for arch, image in job.lost]
                job.lost = ()
            if job.kept.ended.verdict == "hit" and not job.found and job.digest:
                job.found = {job.kept.ended.source: list(self._store.of(job.digest))}
            self._tell(job, runs[job.run])

    def _tell(self, job: _Job, run: NotedRun) -> None:
        """Tell what is known of a call, and keep it for who gets the same object from a cache."""
        run.note(self._measured(job))
        if job.digest and not (job.unsure or job.lost) and len(job.found) == 1:
            (kernels,) = job.found.values()
            self._store.keep(job.digest, [_named(kernel, job) for kernel in kernels[:MAX_KERNELS]])

    def _read(self, job: _Job, image: Image) -> None:
        if image.cubin.endswith(".ptx"):
            self._read_ptx(job, image)
            return
        content = _content(_path(job, image.cubin))
        cubin = read_cubin(content)
        if cubin is None:
            return
        job.options = job.options or cubin.options
        job.found.setdefault(image.source, []).extend(without_stack(cubin))
        if image.ptx and needs_ptxas(cubin):
            job.unsure.append((image, cubin))

    def _read_ptx(self, job: _Job, image: Image) -> None:
        """Its kernels, and, where it is still what the call made, what is known of that."""
        content = _content(image.cubin)
        kernels = read_ptx(content)
        if kernels and _is_older(image.cubin, job.kept.ended.at):
            job.ptx[image.source] = digest = digest_of_content(content)
            kernels = self._store.of(digest) or kernels
            if self._ptx is not None:
                self._ptx.take(digest, content, job.kept.tool)
        job.found.setdefault(image.source, []).extend(kernels)

    def _measured(self, job: _Job) -> Iterator[e.Event]:
        ended = job.kept.ended
        for source, kernels in job.found.items():
            told = tuple(_named(kernel, job) for kernel in kernels[:MAX_KERNELS])
            if told:
                at, output = max(self._clock(), ended.at), _output_of(job.kept, source)
                yield e.KernelsMeasured(at, ended.call, source, output, told, job.ptx.get(source, ""))

    # ptxas

    def _ask_on(self, runs: Mapping[str, NotedRun]) -> None:
        """Look whether ptxas is done, and ask it of the next file."""
        job = next((job for job in self._jobs if job.asked is not None), None)
        if job is not None and self._ptxas is not None:
            is_over = self._ptxas.is_over()
            if not is_over and self._monotonic() - self._started_at < PTXAS_S:
                return
            if not is_over:
                self._ptxas.stop()
            self._hear(job, self._ptxas.said() if is_over else "")
            if not job.unsure:
                self._tell(job, runs[job.run])
        job = next((job for job in self._jobs if job.unsure and job.is_read), None)
        if job is not None:
            self._ask(job, job.unsure.pop(0))

    def _hear(self, job: _Job, said: str) -> None:
        if job.asked is None:
            return
        image, cubin = job.asked
        job.asked = self._ptxas = None
        again = read_cubin(_content(f"{job.kept.folder}/{_AGAIN}"))
        if again is None:
            if not image.cubin:
                job.digest = ""  # what is known of the object is not all of it
            return
        usages = parse_usage(said.splitlines())
        if not image.cubin:
            job.found.setdefault(image.source, []).extend(with_usage(again, usages, again))
            return
        told = {kernel.name: kernel for kernel in with_usage(cubin, usages, again)}
        known = job.found[image.source]
        job.found[image.source] = [told.get(one.name, one) if one.arch == cubin.arch else one for one in known]

    def _ask(self, job: _Job, asked: tuple[Image, Cubin]) -> None:
        image, cubin = asked
        ptxas = ptxas_of(job.kept.tool)
        ptx = _path(job, image.ptx)
        if not ptxas or not os.path.isfile(ptx):
            return
        try:
            argv = ptxas_argv(ptxas, cubin.options, cubin.arch, ptx, f"{job.kept.folder}/{_AGAIN}")
            self._ptxas = self._start(argv, f"{job.kept.folder}/{_SAID}")
        except OSError:
            return
        job.asked, self._started_at = asked, self._monotonic()


def _job(run: str, kept: Kept) -> _Job | None:
    """What there is to do for a call; None: it left nothing."""
    ended, digest = kept.ended, ""
    images: list[Image] = []
    if ended.code == 0:
        images = [*images_of(kept.files, kept.sources)] or [*_outputs(kept)]
        is_object = ended.kind in ("object", "device-object", "fatbin")
        digest = digest_of(ended.output, ended.output_bytes, ended.at) if is_object and ended.output else ""
    is_known = bool(images) or (bool(digest) and ended.verdict == "hit")
    has_folder = bool(kept.folder) and os.path.isdir(kept.folder)
    lost = lost_images(kept) if ended.code == 0 else ()
    return _Job(run, kept, images, digest=digest, lost=lost) if is_known or has_folder else None


def _outputs(kept: Kept) -> Iterator[Image]:
    """The outputs themselves, where those are what one wants to know of, by their paths."""
    ended = kept.ended
    if ended.kind not in ("cubin", "ptx") or not ended.output:
        return
    paths = kept.outputs or (ended.output,)
    if os.path.isdir(ended.output):
        paths = tuple(f"{ended.output}/{stem_of(source)}.{ended.kind}" for source in kept.sources)
    for path, source in zip(paths, kept.sources or ("",), strict=False):
        yield Image(path, ptx_of(kept.files, source), source)


def _output_of(kept: Kept, source: str) -> str:
    """What was made of a source."""
    return dict(zip(kept.sources, kept.outputs, strict=False)).get(source, kept.ended.output)


def _path(job: _Job, name: str) -> str:
    return name if name.startswith("/") else f"{job.kept.folder}/{name}"


def _is_older(path: str, at: float) -> bool:
    """Nobody wrote it since then."""
    try:
        return os.stat(path).st_mtime <= at + _LATER_S
    except OSError:
        return False


def _content(path: str) -> bytes:
    """A file, if it is one and not too large; no link is followed, and nobody waited for."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_FILE_BYTES:
            return b""
        with open(fd, "rb", closefd=False) as file:
            return file.read(_MAX_FILE_BYTES)
    except OSError:
        return b""
    finally:
        os.close(fd)


def _named(kernel: e.Kernel, job: _Job) -> e.Kernel:
    """With the arch as nvcc was told, where the file knows the number alone: `sm_90a`."""
    number = number_of(kernel.arch)
    prefix = kernel.arch.partition("_")[0]
    told = [arch for arch in job.kept.archs if arch.startswith(prefix + "_") and number_of(arch) == number]
    is_plain = kernel.arch == f"{prefix}_{number}"
    return kernel._replace(arch=told[0]) if is_plain and len(told) == 1 else kernel
