"""Figures of PTX, made by the engine in the background: no call of nvcc compiles it to code, the driver does.

The toolkit's own ptxas says what it needs for the arch that it is made for; each content is asked of once. One runs at
a time, with what nobody else wants of the machine, and none while memory is short.
"""

from collections.abc import Callable
from typing import NamedTuple

from core.clock import Clock
from core.native.kernels.kernel_store import KernelStore
from core.native.kernels.ptx import target_of
from core.native.kernels.ptx_queue import PtxQueue, Waiting
from core.native.kernels.ptxas_now import WAYS, argv_of, figures_of
from core.native.kernels.spills import PtxasRun, ptxas_of, start_idle
from core.plan.small_file import remove

WALL_S = 1800.0
"""One is waited for so long at most: where all cores are busy it gets next to nothing of them."""
LOOK_EVERY_S = 1.0
"""Between looks at memory."""
REST_S = 30.0
"""After one was stopped because memory was short."""
TRIES = 3
"""So often it is stopped for that; then it is left out."""
MAX_PTX_BYTES = 32 << 20


class _Asked(NamedTuple):
    waiting: Waiting
    run: PtxasRun
    since: float
    way: int


class PtxWatch:
    """Does a little in each turn of the engine."""

    def __init__(
        self, monotonic: Clock, store: KernelStore, queue: PtxQueue, *, is_wanted: Callable[[], bool],
        has_room: Callable[[bool], bool], start: Callable[[tuple[str, ...], str], PtxasRun] = start_idle,
    ) -> None:  # fmt: skip
        """Args:
        is_wanted: The person has not switched it off.
        has_room: There is memory for one to start, or, where it is told so, for one to go on.
        """
        self._monotonic = monotonic
        self._store = store
        self._queue = queue
        self._is_wanted = is_wanted
        self._has_room = has_room
        self._start = start
        self._asked: _Asked | None = None
        self._looked_at = self._rests_until = -1e9
        self._stops: dict[str, int] = {}
        self._is_swept = False

    @property
    def is_running(self) -> bool:
        """A ptxas runs."""
        return self._asked is not None

    @property
    def has_work(self) -> bool:
        """One runs, or something waits for one."""
        return self.is_running or (not self._queue.is_empty and self._is_wanted())

    def take(self, digest: str, content: bytes, nvcc: str) -> None:
        """PTX that a call made; `nvcc`: the path of what made it."""
        arch = target_of(content).partition("_")[2]
        ptxas = ptxas_of(nvcc)
        if not (arch and ptxas) or len(content) > MAX_PTX_BYTES or not self._is_wanted():
            return
        if self._store.entry(digest) is None and digest not in self._queue.all():
            self._queue.add(digest, content, ptxas, f"sm_{arch}")

    def work(self) -> None:
        """Look whether it is done, and begin with the next one."""
        if self._asked is not None:
            self._look(self._asked)
        if self._asked is None and not self._queue.is_empty and self._may_begin():
            self._begin()

    def close(self) -> None:
        """Give up what runs: it waits for the next engine."""
        if self._asked is not None:
            self._asked.run.stop()
            self._clear(self._asked.waiting)
            self._asked = None

    def _may_begin(self) -> bool:
        now = self._monotonic()
        if now < self._rests_until:
            return False
        if self._is_wanted() and self._has_room(False):
            return True
        self._rests_until = now + LOOK_EVERY_S
        return False

    def _begin(self, way: int = 0) -> None:
        if not self._is_swept:
            self._is_swept = True
            self._queue.sweep()
        waiting = self._queue.next()
        if waiting is None:
            return
        argv = argv_of(waiting.ptxas, WAYS[way], waiting.arch, waiting.path, self._made(waiting))
        try:
            run = self._start(argv, self._said(waiting))
        except OSError:
            self._queue.remove(waiting.digest)  # the toolkit is gone
            return
        self._asked = _Asked(waiting, run, self._monotonic(), way)

    def _look(self, asked: _Asked) -> None:
        now = self._monotonic()
        if asked.run.is_over():
            self._hear(asked)
        elif now - asked.since > WALL_S:
            asked.run.stop()
            self._end(asked.waiting, is_told=True)
        elif now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            if not self._has_room(True):
                self._put_off(asked)

    def _put_off(self, asked: _Asked) -> None:
        asked.run.stop()
        digest = asked.waiting.digest
        self._stops[digest] = self._stops.get(digest, 0) + 1
        self._rests_until = self._monotonic() + REST_S
        if self._stops[digest] < TRIES:
            self._clear(asked.waiting)
            self._asked = None
        else:
            self._end(asked.waiting, is_told=False)

    def _hear(self, asked: _Asked) -> None:
        waiting = asked.waiting
        kernels = figures_of(asked.run.said(), self._made(waiting), waiting.arch)
        is_last = asked.way + 1 == len(WAYS) or asked.run.is_killed
        if not kernels and not is_last:
            self._clear(waiting)
            self._asked = None
            self._begin(asked.way + 1)
            return
        if kernels:
            self._store.keep(waiting.digest, kernels)
        self._end(waiting, is_told=True)

    def _end(self, waiting: Waiting, *, is_told: bool) -> None:
        """It is out of the queue; `is_told`: for good, whatever came of it."""
        if is_told and self._store.entry(waiting.digest) is None:
            self._store.keep(waiting.digest, ())
        self._clear(waiting)
        self._queue.remove(waiting.digest)
        self._stops.pop(waiting.digest, None)
        self._asked = None

    def _clear(self, waiting: Waiting) -> None:
        remove(self._made(waiting))
        remove(self._said(waiting))

    def _made(self, waiting: Waiting) -> str:
        return f"{self._queue.folder}/{waiting.digest}.cubin"

    def _said(self, waiting: Waiting) -> str:
        return f"{self._queue.folder}/{waiting.digest}.said"
