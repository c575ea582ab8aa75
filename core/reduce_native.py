"""How events of nvcc change what is known of a run: pure, over the dict that `core.reduce` holds."""

from dataclasses import replace
from typing import Any

from core import events as e
from core.state import MAX_NVCC, NvccUnderWay


def apply_native(s: dict[str, Any], event: e.Event) -> None:
    """Apply one event of nvcc. Raises TypeError on any other."""
    match event:
        case e.NvccStarted():
            s["nvcc_starts"] = (*s["nvcc_starts"], event)[-MAX_NVCC:]
            if s["ended_at"] is None:
                s["nvcc"] = (*s["nvcc"], NvccUnderWay(event))
        case e.NvccPhaseBegan():
            s["nvcc"] = tuple(_at_phase(call, event) for call in s["nvcc"])
        case e.NvccEnded():
            s["nvcc"] = tuple(call for call in s["nvcc"] if call.started.call != event.call)
            s["nvcc_ends"] = (*s["nvcc_ends"], event)[-MAX_NVCC:]
        case e.KernelsMeasured():
            s["kernels"] = _measured(s["kernels"], event)
        case _:
            raise TypeError(f"not an event of nvcc: {event!r}")


def _at_phase(call: NvccUnderWay, event: e.NvccPhaseBegan) -> NvccUnderWay:
    if call.started.call != event.call:
        return call
    is_new = event.arch is not None and event.arch not in call.seen
    seen = (*call.seen, event.arch) if is_new and event.arch is not None else call.seen
    return replace(call, tool=event.tool, arch=event.arch, seen=seen)


def _measured(known: tuple[e.KernelsMeasured, ...], event: e.KernelsMeasured) -> tuple[e.KernelsMeasured, ...]:
    """With the event, in the place of an earlier one of the same call and source."""
    key = event.call, event.source
    if any((one.call, one.source) == key for one in known):
        return tuple(event if (one.call, one.source) == key else one for one in known)
    return (*known, event)[-MAX_NVCC:]
