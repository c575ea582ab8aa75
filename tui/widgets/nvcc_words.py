"""What a call of nvcc that is under way does now, in words. Pure."""

from core.nvcc_queries import arch_progress, memory_of
from core.state import NvccUnderWay, Run
from tui import format as f
from tui.widgets.ansi import safe


def under_way(run: Run, call: NvccUnderWay) -> tuple[str, str]:
    """What a call does now: `nvcc gemm.cu`, ` ▸ ptxas sm_90 · 3/9 archs · 1.2 G`."""
    path = call.started.source or call.started.output
    taken = memory_of(run, call.started.call)
    said = [part for part in (doing(call), f.size(taken) if taken is not None else "") if part]
    return f"nvcc {safe(path.rpartition('/')[2])}".rstrip(), f" ▸ {' · '.join(said)}" if said else ""


def doing(call: NvccUnderWay, *, is_short: bool = False) -> str:
    """`ptxas sm_90 · 3/9 archs`, short `ptxas sm_90 · 3/9`; `3 archs so far`, short `3/–`, where nobody told how many
    there are; empty: nothing was seen yet."""
    at, archs = arch_progress(call)
    said = [" ".join(word for word in (call.tool.partition(" (")[0], call.arch or "") if word)] if call.tool else []
    if archs is None and at > 1:
        said.append(f"{at} archs so far" if not is_short else f"{at}/{f.UNKNOWN}")
    elif archs is not None and archs > 1:
        said.append(f"{at}/{archs}" if is_short else f"{at}/{archs} archs")
    return safe(" · ".join(said))
