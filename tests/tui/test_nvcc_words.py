"""What a call of nvcc that is under way does, in words."""

from dataclasses import replace

from core.state import NvccUnderWay
from tests.nvcc_scene import begun
from tui.widgets.nvcc_words import doing


def test_archs_whose_number_is_not_known_are_counted_so_far() -> None:
    seen = ("compute_80", "sm_80", "compute_90", "sm_90")
    call = NvccUnderWay(begun("1-1", 1.0, archs=("all-major",)), "ptxas", "sm_90", seen)
    assert doing(call) == "ptxas sm_90 · 2 archs so far"
    assert doing(call, is_short=True) == "ptxas sm_90 · 2/–"
    assert doing(replace(call, seen=("compute_80", "sm_80"))) == "ptxas sm_90"
    named = replace(call, started=begun("1-1", 1.0, archs=("sm_80", "sm_90", "sm_100")))
    assert doing(named) == "ptxas sm_90 · 2/3 archs"
