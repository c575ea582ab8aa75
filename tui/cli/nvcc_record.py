"""Calls of nvcc of a run, for programs."""

from collections import Counter
from typing import Any

from core import events as e
from core.nvcc_errors import failures
from core.nvcc_queries import arch_progress, memory_of
from core.nvcc_use import NvccUse
from core.state import Run


def nvcc_record(run: Run) -> dict[str, Any]:
    """As `--json` gives it; fields as in docs/json.md."""
    verdicts = Counter(end.verdict for end in run.nvcc_ends)
    return {
        "running": [
            {
                "call": call.started.call, "source": call.started.source, "output": call.started.output,
                "kind": call.started.kind, "began": call.started.at, "archs": list(call.started.archs),
                "tool": call.tool or None, "arch": call.arch, "arch_at": arch_progress(call)[0],
                "arch_count": arch_progress(call)[1], "memory_bytes": memory_of(run, call.started.call),
            }
            for call in run.nvcc
        ],
        "ended": len(run.nvcc_ends),
        "failed": sum(end.code not in (0, None) or end.signal is not None for end in run.nvcc_ends),
        "failures": [
            {
                "call": call.call, "source": call.source, "code": call.code, "signal": call.signal,
                "errors": [error_record(one) for one in errors],
            }
            for call, errors in failures(run)
        ],
        "hits": verdicts["hit"], "misses": verdicts["miss"], "bypassed": verdicts["bypass"],
        "stale": sum(bool(end.is_stale) for end in run.nvcc_ends),
        "kernels": sum(len(measured.kernels) for measured in run.kernels),
    }  # fmt: skip


def error_record(error: e.CallError) -> dict[str, Any]:
    """What a compiler said is wrong."""
    return {
        "message": error.message, "code": error.code, "file": error.file, "line": error.line, "column": error.column,
        "rendered": error.rendered,
    }  # fmt: skip


def nvcc_use_record(use: NvccUse) -> dict[str, Any] | None:
    """What the depfile cache did for an agent; None: no call of nvcc that was to make code is over."""
    if not use.all:
        return None
    return {
        "hits": use.hits, "misses": use.misses, "bypassed": use.bypassed, "off": use.off, "unknown": use.unknown,
        "effective_rate": use.rate,
        "reasons": [{"verdict": verdict, "why": why or None, "count": count} for verdict, why, count in use.reasons],
    }  # fmt: skip
