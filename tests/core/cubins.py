"""Cubins that were made by real toolkits, and what their `ptxas -v` said."""

from pathlib import Path

from core.native.kernels.cubin import Cubin, read_cubin

FOLDER = Path(__file__).parents[1] / "data" / "cubins"
NAMES = ("sm_80-11.8", "sm_80-13.0", "sm_90-13.0-dc", "sm_100-13.0")
"""Arch, toolkit; `dc`: made to be linked later."""


def content_of(name: str) -> bytes:
    """A cubin."""
    return (FOLDER / f"{name}.cubin").read_bytes()


def cubin_of(name: str) -> Cubin:
    """What it tells."""
    found = read_cubin(content_of(name))
    assert found is not None
    return found


def said_of(name: str) -> list[str]:
    """What ptxas said as it made it."""
    return (FOLDER / f"{name}.txt").read_text().splitlines()


def nvcc_in(folder: Path) -> str:
    """Where an nvcc would stand that has a ptxas beside it."""
    beside = folder / "bin" / "ptxas"
    beside.parent.mkdir(exist_ok=True)
    beside.touch(mode=0o755)
    return str(folder / "bin" / "nvcc")
