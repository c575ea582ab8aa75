from dataclasses import replace
from types import MappingProxyType

import pytest

from core import events as e
from core.advice import best_of, measurement_of, to_try
from core.host import Host
from core.measured import AS_IS, Measurement, Trial, append, profile_of, read
from core.memory_queries import estimate_bytes, has_sampled_links, history, kill_rows, link_rows
from core.paths import Paths
from core.reduce import reduce_run
from core.state import Board

NOW = 1_000_200.0
OUTPUT = "/w/target/debug/deps/app-0123456789abcdef"


def end(link: str = "7-1", **changes: object) -> e.LinkEnded:
    known = e.LinkEnded(
        NOW - 10, link, "app(bin)", OUTPUT, "rust-lld", 1000, NOW - 12, 2.0, 2400, 1.5, 0, None, 700, 100, 400, 50, 650
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def sample(at: float, size: int, links: tuple[tuple[str, int], ...] = ()) -> e.RunSampled:
    return e.RunSampled(at, 3, 1.0, size, (), links)


def board_of(*runs: tuple[str, str, list[e.Event]], host: Host | None = None) -> Board:
    found = {}
    for name, agent, events in runs:
        started = e.RunStarted(NOW - 290, name, agent, "build", "cargo", "build", "/w", "/w", "/w/target", False, False,
                               False)  # fmt: skip
        run = reduce_run(None, [started, *events])
        assert run is not None
        found[name] = run
    return Board(MappingProxyType(found), now=NOW, engine_seen_at=NOW, host=host or Host())


def test_between_two_samples_the_first_one_holds_and_after_the_end_nothing_is_taken() -> None:
    over = e.RunEnded(NOW - 60, 0, None, 100.0, 1.0, 1.0, 1000, None)
    board = board_of(("a", "one", [sample(NOW - 250, 100), sample(NOW - 150, 300), over]))
    taken = [moment.taken[0] for moment in history(board, 30, NOW).moments]
    assert taken == [0] * 4 + [100] * 10 + [300] * 10 + [0] * 6


def test_runs_of_one_agent_are_added_and_agents_keep_their_order() -> None:
    board = board_of(
        ("a", "one", [sample(NOW - 20, 100)]), ("b", "two", [sample(NOW - 20, 10)]), ("c", "one", [sample(NOW - 20, 1)])
    )
    shown = history(board, 30, NOW)
    assert (shown.agents, shown.moments[-1].taken) == (("one", "two"), (101, 10))


def test_a_second_moves_the_history_by_no_column_or_one() -> None:
    board = board_of(("a", "one", [sample(NOW - 280 + i, 100 + i) for i in range(0, 280, 7)]))
    for second in range(20):
        before, after = (history(board, 60, NOW + second + more).moments for more in (0, 1))
        assert after[:-1] in (before[:-1], before[1:])


def test_what_is_not_ours_is_all_less_the_builds() -> None:
    trail = tuple(
        e.MachineSampled(NOW - 9 + i, None, 9000, 100, 5000, ours, 0, 0) for i, ours in enumerate((4000, 6000))
    )
    board = board_of(("a", "one", []), host=Host(sample=trail[-1], trail=trail))
    foreign = [moment.foreign_bytes for moment in history(board, 300, NOW).moments]
    assert foreign[-10:-8] == [1000, 0]
    assert set(foreign[:-10]) == {0}


def test_a_link_stands_below_the_columns_in_which_it_was_under_way() -> None:
    board = board_of(("a", "one", [end(began=NOW - 100, at=NOW - 80)]), ("b", "two", []))
    counts = [moment.links for moment in history(board, 30, NOW).moments]
    assert counts.count((1, 0)) == 3
    assert (0, 1) not in counts


def test_links_under_way_come_first_then_the_largest_and_of_an_output_only_the_last() -> None:
    other = "/w/target/debug/deps/cli-0123456789abcdef"
    events: list[e.Event] = [
        end("7-1"), end("7-2", at=NOW - 5, peak_bytes=2600),
        end("7-3", output=other, unit="cli(test)", peak_bytes=9000),
        e.LinkStarted(NOW - 3, "8-1", "app(bin)", OUTPUT, "rust-lld", 3, 1000),
        e.LinkStarted(NOW - 2, "8-2", "x(bin)", "/w/x", "rust-lld", 3, 1000), sample(NOW - 1, 99, (("8-2", 50),)),
    ]  # fmt: skip
    rows = link_rows(board_of(("a", "one", events)))
    assert [(row.name, row.now_bytes, row.peak_bytes) for row in rows] == [
        ("x(bin)", 50, None), ("app(bin)", None, None), ("cli(test)", None, 9000), ("app(bin)", None, 2600),
    ]  # fmt: skip
    assert [row.estimate_bytes for row in rows] == [2600, 2500, 2600, 2400]
    assert [len(row.earlier) for row in rows] == [0, 2, 0, 1]


def test_links_of_measurements_are_none_of_a_builds() -> None:
    assert link_rows(board_of(("a", "measure", [end()]))) == ()


@pytest.mark.parametrize(
    ("inputs", "earlier", "expected"),
    [
        (1000, [], 2600),
        (None, [], None),
        (1000, [end(peak_bytes=2000), end(peak_bytes=3000)], 2500),
        (1000, [end(peak_bytes=2000, linker="mold")], 2600),
        (1000, [end(peak_bytes=2000, output_bytes=None)], 2600),
        (1000, [end(peak_bytes=0)], 2600),
    ],
)
def test_an_estimate_is_made_from_earlier_links_of_the_output_else_from_its_inputs(
    inputs: int | None, earlier: list[e.LinkEnded], expected: int | None
) -> None:
    assert estimate_bytes(inputs, "rust-lld", earlier) == expected


def test_kills_for_want_of_memory_are_listed_newest_first_and_no_others() -> None:
    kills: list[e.Event] = [
        e.ProcessKilled(NOW - late, 1, "ld", "", is_oom, 5, None) for late, is_oom in ((9, True), (5, True), (3, False))
    ]
    assert [row.kill.at for row in kill_rows(board_of(("a", "one", kills)))] == [NOW - 5, NOW - 9]


def test_sampled_links_are_known_to_be_incomplete() -> None:
    assert not has_sampled_links(board_of(("a", "one", [end()])))
    assert has_sampled_links(board_of(("a", "one", [end(is_sampled=True)])))


def test_a_link_that_was_cut_short_does_not_mean_that_others_are_missing() -> None:
    board = board_of(("a", "one", [end(is_sampled=True, code=None, output_bytes=None)]))
    assert [row.is_cut_short for row in link_rows(board)] == [True]
    assert not has_sampled_links(board)


def measured(*peaks: tuple[str, int | None]) -> Measurement:
    trials = tuple(Trial(name, peak, 1.0, 10, "rust-lld", False, "r") for name, peak in peaks)
    return Measurement(NOW, "/w", "app(bin)", "debug", trials)


def test_the_setting_that_saves_most_is_named_where_it_saves_enough() -> None:
    best = best_of(measured((AS_IS, 1000), ("debug = 0", 400), ("linker mold", 900), ("linker bfd", None)))
    assert best is not None
    assert best.setting == "debug = 0"
    assert best_of(measured((AS_IS, 1000), ("debug = 0", 950))) is None
    assert best_of(measured((AS_IS, None), ("debug = 0", 950))) is None


def test_a_measurement_is_of_one_link_in_one_profile_and_the_last_one_counts() -> None:
    (row,) = link_rows(board_of(("a", "one", [end()])))
    first, last = measured((AS_IS, 1000)), measured((AS_IS, 1100))
    others = [replace(last, unit="cli(bin)"), replace(last, profile="release"), replace(last, checkout="/v")]
    assert measurement_of(row, [first, last, *others, measured((AS_IS, None))]) is last
    assert measurement_of(row, others) is None


def test_what_has_no_debug_information_is_not_told_to_leave_it_out() -> None:
    rows = [link_rows(board_of(("a", "one", [end(debug_bytes=size)])))[0] for size in (400, 0)]
    assert [any("debug" in setting for setting in to_try(row)) for row in rows] == [True, False]


def test_measurements_are_kept_and_lines_that_are_none_passed_over(tmp_path: object) -> None:
    paths = Paths(f"{tmp_path}/state", f"{tmp_path}/cache")
    assert read(paths) == ()
    append(paths, measured((AS_IS, 1000), ("linker mold", None)))
    with open(f"{paths.state}/measured.jsonl", "a") as file:
        file.write('{"at": 1}\nno\n[]\n')
    append(paths, measured((AS_IS, 2000)))
    assert read(paths) == (measured((AS_IS, 1000), ("linker mold", None)), measured((AS_IS, 2000)))


@pytest.mark.parametrize(
    ("output", "profile"),
    [(OUTPUT, "debug"), ("/t/x86_64-unknown-linux-gnu/release/examples/e-77", "release"), ("/a", ""), ("", "")],
)
def test_the_profile_of_an_output_is_the_folder_above_deps(output: str, profile: str) -> None:
    assert profile_of(output) == profile
