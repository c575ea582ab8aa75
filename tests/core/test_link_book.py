"""Links that nobody tells the end of, and what samples saw of them."""

from dataclasses import replace

from core import events as e
from core.watch.link_book import LOST_AFTER_S, LinkBook

BEGUN = e.LinkStarted(100.0, "7-1", "app(bin)", "/w/app", "bfd", 3, 900)
ENDED = e.LinkEnded(
    at=103.0, link="7-1", unit="app(bin)", output="/w/app", linker="bfd", input_bytes=900, began=100.0, elapsed_s=3.0,
    peak_bytes=2_400, cpu_s=0.1, code=None, signal=9, output_bytes=None, text_bytes=None, debug_bytes=None,
    symbol_bytes=None, before_bytes=None,
)  # fmt: skip


def sampled(at: float, size_bytes: int) -> e.RunSampled:
    return e.RunSampled(at, 5, None, size_bytes, links=(("7-1", size_bytes), ("8-1", 99_999)))


def test_a_link_that_is_under_way_when_its_run_is_over_ends_with_the_largest_sample() -> None:
    book = LinkBook()
    events = [BEGUN, sampled(101.0, 5_000), sampled(102.0, 4_000)]
    assert book.take(events) == events
    (left,) = book.left(104.0)
    assert left == replace(ENDED, at=104.0, elapsed_s=4.0, peak_bytes=5_000, cpu_s=None, signal=None, is_sampled=True)
    assert book.take([left]) == [left]
    assert book.left(105.0) == []


def test_a_link_ends_once() -> None:
    book = LinkBook()
    assert book.take([BEGUN, ENDED, ENDED]) == [BEGUN, ENDED]
    assert "7-1" not in book


def test_a_driver_that_was_killed_is_not_believed_against_samples() -> None:
    book = LinkBook()
    *_, ended = book.take([BEGUN, sampled(101.0, 5_000), ENDED])
    assert ended == replace(ENDED, peak_bytes=5_000, is_sampled=True)


def test_a_peak_above_all_samples_is_the_drivers() -> None:
    large = replace(ENDED, peak_bytes=6_000)
    assert LinkBook().take([BEGUN, sampled(101.0, 5_000), large])[-1] == large


def test_a_link_that_went_well_has_the_peak_of_its_largest_process_not_the_sum_of_several() -> None:
    good = replace(ENDED, code=0, signal=None)
    assert LinkBook().take([BEGUN, sampled(101.0, 5_000), good])[-1] == good


def test_a_link_whose_front_was_killed_ends_when_no_stand_in_can_tell_of_it_any_more() -> None:
    book = LinkBook()
    book.take([BEGUN, replace(BEGUN, link="9-s1", is_sampled=True), sampled(101.0, 5_000)])
    assert book.lost(101.5, lambda pid: pid == 7) == []
    assert book.lost(102.0, lambda pid: False) == []
    assert book.lost(102.0 + LOST_AFTER_S / 2, lambda pid: False) == []
    (lost,) = book.lost(102.0 + LOST_AFTER_S, lambda pid: False)
    assert (lost.link, lost.at, lost.peak_bytes, lost.is_sampled) == ("7-1", 102.0, 5_000, True)
    book.take([lost])
    assert book.take([ENDED]) == [], "what is noted afterwards is told already"
