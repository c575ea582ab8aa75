"""Where the time of a build went, in words. Pure."""

from collections.abc import Mapping

from tui import format as f

_MOST = 4
_LEAST_SHARE = 0.05
_LEAST_LEFT_S = 0.1


def phase_words(phases: Mapping[str, float]) -> str:
    """The longest ones: `cicc 1.2 s · link 0.3 s`, `…` after them where a tenth of a second or more is left; empty:
    nothing is known."""
    whole = sum(phases.values())
    longest = sorted(phases.items(), key=lambda item: -item[1])[:_MOST]
    named = [(what, s) for what, s in longest if s >= max(0.01, _LEAST_SHARE * whole)]
    is_cut = bool(named) and whole - sum(s for _, s in named) >= _LEAST_LEFT_S
    return " · ".join([*(f"{what} {f.span(s)}" for what, s in named), *(["…"] if is_cut else [])])
