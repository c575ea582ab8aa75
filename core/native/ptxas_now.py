"""Figures of PTX that nobody compiled to code yet: ptxas is asked, where a person wants it."""

import os
import subprocess
import tempfile

from core.events.native import Kernel
from core.native.cubin import read_cubin
from core.native.nvcc_calls import calls_of_run
from core.native.ptx import read_ptx, target_of
from core.native.spills import ptxas_of, with_usage
from core.native.usage import parse_usage
from core.paths import Paths

_MAX_BYTES = 64 << 20
_LIMIT_S = 600.0


def code_of(ptxas: str, path: str) -> tuple[Kernel, ...]:
    """Kernels of a PTX file with the figures that ptxas gives them for the arch it is made for; empty: it gives none.

    Args:
        ptxas: Its path.
        path: Of the PTX file.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_BYTES)
    except OSError:
        return ()
    virtual = target_of(content)
    if not virtual:
        return ()
    with tempfile.TemporaryDirectory() as folder:
        return _compiled(ptxas, path, virtual, f"{folder}/out.cubin") if read_ptx(content) else ()


def _compiled(ptxas: str, path: str, virtual: str, cubin_path: str) -> tuple[Kernel, ...]:
    argv = [ptxas, "-v", "-arch", "sm_" + virtual.partition("_")[2], path, "-o", cubin_path]
    try:
        done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=_LIMIT_S, check=False)
        with open(cubin_path, "rb") as file:
            cubin = read_cubin(file.read(_MAX_BYTES))
    except (OSError, subprocess.TimeoutExpired):
        return ()
    if done.returncode != 0 or cubin is None:
        return ()
    said = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    kernels = with_usage(cubin, parse_usage(said), cubin)
    return tuple(kernel._replace(arch=virtual) for kernel in kernels)


def ptxas_for(paths: Paths, run: str, call: str, path: str) -> str:
    """The ptxas of the toolkit that made a call, else the one of PATH; empty: there is none."""
    own = next((ptxas_of(one.tool) for one in calls_of_run(paths, run) if one.call == call), "")
    if own:
        return own
    folders = (folder for folder in path.split(":") if folder)
    return next((f"{folder}/ptxas" for folder in folders if os.access(f"{folder}/ptxas", os.X_OK)), "")
