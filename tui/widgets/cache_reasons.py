"""Reasons of caches in our words; without Textual, so that the plain commands can have them. Pure."""

from core.nvcc_use import NvccUse

_OURS = {
    "crate-type": "linked", "incremental": "incremental", "argument parse": "arguments not understood",
    "multiple input files": "several inputs", "SCCACHE_NO_CACHE": "switched off for it",
    "unsupported compiler": "compiler not known", "recache": "made anew as asked",
}  # fmt: skip
"""What a person reads for a reason of a cache's; others stand as they are."""
_NVCC_REASONS = 3
"""Reasons of nvcc's that are told in a line: each may name a file."""


def reason_shown(reason: str) -> str:
    """A reason in our words: `linked` for `crate-type`."""
    return _OURS.get(reason, reason) or "not said"


def why_nvcc(nvcc: NvccUse) -> str:
    """Why nvcc ran: `nothing is kept for it 2, kernels/n.cuh has changed 1, others 3 · no depfile cache 4`."""
    told = [f"{why or 'not said'} {count}" for _, why, count in nvcc.reasons[:_NVCC_REASONS]]
    if rest := sum(count for _, _, count in nvcc.reasons[_NVCC_REASONS:]):
        told.append(f"others {rest}")
    off = f"no depfile cache {nvcc.off}" if nvcc.off else ""
    lost = f"end not told {nvcc.unknown}" if nvcc.unknown else ""
    return " · ".join(filter(None, (", ".join(told), off, lost)))
