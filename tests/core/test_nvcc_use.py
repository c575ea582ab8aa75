"""What the depfile cache did for runs, added up in one go or by agent."""

from core.cache_queries import has_cache
from core.nvcc_use import NvccUse, added, nvcc_use, was_asked
from core.state import Run
from tests.nvcc_scene import CHECKOUT, begun, board_of, over, run_of
from tests.scene import T0


def run_with(run: str, *said: tuple[str, str], checkout: str = CHECKOUT) -> Run:
    calls = [over(begun(f"{at}-1", T0 + at), verdict=verdict, why=why) for at, (verdict, why) in enumerate(said)]
    return run_of(run, calls, checkout=checkout)


FIRST = run_with("20251229-100000-000-0001", ("hit", ""), ("miss", f"{CHECKOUT}/k/a.cuh has changed"), ("off", ""))
SECOND = run_with(
    "20251229-100000-000-0002", ("miss", "/w/two/k/a.cuh has changed"), ("bypass", "-keep"), ("", ""),
    checkout="/w/two",
)  # fmt: skip


def test_uses_added_up_are_those_of_all_runs_together() -> None:
    both = nvcc_use([FIRST, SECOND])
    assert added([nvcc_use([FIRST]), nvcc_use([SECOND])]) == both
    assert (both.hits, both.misses, both.bypassed, both.off, both.unknown) == (1, 2, 1, 1, 1)
    assert added([]) == NvccUse()


def test_the_same_file_of_two_checkouts_is_one_reason() -> None:
    assert nvcc_use([FIRST, SECOND]).reasons == (("miss", "k/a.cuh has changed", 2), ("bypass", "-keep", 1))


def test_a_depfile_cache_is_a_cache_only_where_it_was_asked() -> None:
    off = run_with("20251229-100000-000-0003", ("off", ""), ("", ""))
    assert (was_asked([FIRST]), was_asked([off])) == (True, False)
    assert (has_cache(board_of(FIRST)), has_cache(board_of(off))) == (True, False)
