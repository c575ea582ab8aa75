"""Figures of PTX that nobody compiled to code: what the toolkit's own ptxas makes of it, for the arch that it is for.

The driver compiles it again where it is loaded, for the GPU that is there: its figures may be others.
"""

import os
import subprocess
import tempfile
from collections.abc import Sequence

from core.events.native import Kernel
from core.native.kernels.cubin import read_cubin
from core.native.kernels.ptx import read_ptx, target_of
from core.native.kernels.spills import ptxas_of, with_usage
from core.native.kernels.usage import parse_usage
from core.native.traces.nvcc_calls import calls_of_run
from core.paths import Paths
from core.plan.small_file import read_small

WAYS: tuple[tuple[str, ...], ...] = ((), ("-c",))
"""Of calling ptxas, in turn: PTX that is to be linked calls functions that are elsewhere."""
_MAX_BYTES = 64 << 20
_LIMIT_S = 600.0


def argv_of(ptxas: str, way: Sequence[str], arch: str, path: str, made: str) -> tuple[str, ...]:
    """What has ptxas tell of a PTX file; `made`: path of what it makes."""
    return (ptxas, "-v", *way, "-arch", arch, path, "-o", made)


def figures_of(said: str, made: str, arch: str) -> tuple[Kernel, ...]:
    """Kernels with the figures that ptxas gave; empty: it failed, or made none.

    Args:
        said: By it.
        made: Path of the cubin.
        arch: `sm_80`, that it was asked for.
    """
    cubin = read_cubin(read_small(made, _MAX_BYTES) or b"") if said else None
    if cubin is None:
        return ()
    kernels = with_usage(cubin, parse_usage(said.splitlines()), cubin)
    virtual = "compute_" + arch.partition("_")[2]
    return tuple(kernel._replace(arch=virtual, ptxas_arch=arch) for kernel in kernels)


def code_of(ptxas: str, content: bytes) -> tuple[Kernel, ...]:
    """Kernels of PTX with their figures, waited for; empty: ptxas gives none."""
    arch = target_of(content).replace("compute_", "sm_")
    if not arch or not read_ptx(content):
        return ()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/in.ptx"
        with open(path, "wb") as file:
            file.write(content)
        found = (_compiled(argv_of(ptxas, way, arch, path, f"{folder}/out.cubin"), arch) for way in WAYS)
        return next((kernels for kernels in found if kernels), ())


def _compiled(argv: tuple[str, ...], arch: str) -> tuple[Kernel, ...]:
    try:
        done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    said = (done.stdout + done.stderr).decode("utf-8", "replace") if done.returncode == 0 else ""
    return figures_of(said, argv[-1], arch)


def ptxas_for(paths: Paths, run: str, call: str, path: str) -> str:
    """The ptxas of the toolkit that made a call, else the one of PATH; empty: there is none."""
    own = next((ptxas_of(one.tool) for one in calls_of_run(paths, run) if one.call == call), "")
    if own:
        return own
    folders = (folder for folder in path.split(":") if folder)
    return next((f"{folder}/ptxas" for folder in folders if os.access(f"{folder}/ptxas", os.X_OK)), "")
