"""Figures of PTX made at once, where a person asks for them: what waits, and what was left out."""

from collections.abc import Iterable, Iterator

from core.errors import UsageError
from core.events.native import Kernel, KernelsMeasured
from core.native.kernels.kernel_store import KernelStore, digest_of_content
from core.native.kernels.ptx_queue import PtxQueue
from core.native.kernels.ptxas_now import code_of, ptxas_for
from core.paths import Paths
from core.plan.small_file import read_small

MAX_BYTES = 64 << 20


def force(paths: Paths, made: Iterable[tuple[str, KernelsMeasured]], path: str) -> Iterator[str]:
    """Measure PTX that has no figures, and all that waits; sentences on what has none afterwards.

    Args:
        paths: The user's folders.
        made: What calls made, each with its run.
        path: `PATH`, where the toolkit of a call is not known.

    Raises:
        UsageError: there is no ptxas.
    """
    store, queue = KernelStore(paths.kernels), PtxQueue(paths.cache + "/ptx")
    for run, one in made:
        if not any(map(_is_bare, one.kernels)) or one.ptx in queue.all():
            continue
        content = read_small(one.output, MAX_BYTES)
        if content is None or digest_of_content(content) != one.ptx:
            yield f"{one.output} is not what that build made any more: build it again"
            continue
        if not (ptxas := ptxas_for(paths, run, one.call, path)):
            raise UsageError("no ptxas is known: put the toolkit's bin into PATH")
        kernels = code_of(ptxas, content)
        store.keep(one.ptx, kernels)
        if not kernels:
            yield f"ptxas does not compile {one.output}"
    while (waiting := queue.next()) is not None:
        store.keep(waiting.digest, code_of(waiting.ptxas, read_small(waiting.path, MAX_BYTES) or b""))
        queue.remove(waiting.digest)


def _is_bare(kernel: Kernel) -> bool:
    """PTX without figures."""
    return kernel.registers is None and kernel.arch.startswith("compute_")
