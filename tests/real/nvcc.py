"""A CUDA toolkit that compiles: that of PATH, else the packages of the Python package index. Needs no GPU."""

import fcntl
import os
import shutil
import subprocess
import sys

from tests.real.product import REPO

PACKAGES = (
    "nvidia-cuda-nvcc==13.0.88",
    "nvidia-nvvm==13.0.88",
    "nvidia-cuda-crt==13.0.88",
    "nvidia-cuda-runtime==13.0.96",
    "nvidia-cuda-cccl==13.0.85",
)
"""All of one release: parts of different ones do not fit together."""


def our_toolkit() -> str:
    """As `toolkit`, with the packages in the checkout's own folder of tools.

    Raises:
        RuntimeError: The packages cannot be had.
    """
    return toolkit(os.path.join(REPO, ".tools", "cuda"), os.environ["PATH"])


def toolkit(folder: str, path: str) -> str:
    """The folder that has `bin/nvcc`, `include`, `nvvm` and `lib64`.

    Args:
        folder: Where the packages are kept, about 270 MB; they are fetched where it has none yet.
        path: As PATH; an nvcc in it that has its libraries beside it is taken instead.

    Raises:
        RuntimeError: The packages cannot be had; with what pip said.
    """
    there = shutil.which("nvcc", path=path)
    home = os.path.dirname(os.path.dirname(os.path.realpath(there))) if there else ""
    if home and os.path.isdir(home + "/lib64"):
        return home
    home = f"{folder}/nvidia/cu13"
    os.makedirs(os.path.dirname(os.path.abspath(folder)), exist_ok=True)
    with open(folder + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(home + "/lib64"):
            _fetch(folder)
            # nvcc.profile names lib64, the packages have lib.
            os.symlink("lib", home + "/lib64")
    return home


def _fetch(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run(
        [*argv, "--target", folder, *PACKAGES], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        raise RuntimeError(f"no nvcc: {' '.join(PACKAGES)} cannot be put into {folder}: {done.stderr[-1000:]}")
