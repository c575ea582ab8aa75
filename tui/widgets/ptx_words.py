"""How figures of PTX are told from those of code. Pure."""

from core import events as e

OF_PTX = "~sm_80: PTX, counted by the toolkit's ptxas for that arch; what the driver makes of it may differ."


def arch_name(kernel: e.Kernel) -> str:
    """`sm_90` of code, `~sm_90` of PTX whose figures are ptxas's for that, `compute_90` of PTX without figures."""
    return f"~{kernel.ptxas_arch}" if kernel.ptxas_arch else kernel.arch
