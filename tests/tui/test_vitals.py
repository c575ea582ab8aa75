"""What a pane says of cores, memory, links and kills."""

from dataclasses import replace

import pytest

from core import events as e
from core.reduce import reduce_run
from core.state import InFlight, Run, RunState
from tests.scene import T0, board_at
from tui.pages import errors
from tui.pages.scene import Scene
from tui.widgets import words
from tui.widgets.look import UNICODE
from tui.widgets.table_view import Cell
from tui.widgets.text_view import Frame

KILL = e.ProcessKilled(
    T0 + 9, 7, "rust-lld", "cli(bin)", True, 1_200_000_000, 2_000_000_000, (("claude-2", 3_100_000_000),)
)


@pytest.fixture
def run() -> Run:
    """A build under way, of which no sample was taken yet."""
    return replace(next(iter(board_at(20.0).runs.values())), use=None, memory_trail=(), memory_peak_bytes=None)


def after(run: Run, *batch: e.Event) -> Run:
    found = reduce_run(run, batch)
    assert found is not None
    return found


def facts(run: Run, now: float) -> dict[str, tuple[str, str, str]]:
    return {
        one.label: (one.number.strip(), one.role, one.trail.strip()) for one in words.facts(run, now, UNICODE.graph)
    }


def sample(at: float, cores: float | None, memory: int, *links: tuple[str, int]) -> e.RunSampled:
    return e.RunSampled(at, 3, cores, memory, (), links)


def test_what_nobody_looked_at_is_not_known(run: Run) -> None:
    assert facts(run, T0)["cpu"] == ("–", "dim", "")
    assert facts(run, T0)["mem"] == ("–", "dim", "")


def test_cores_and_memory_are_those_of_the_last_sample(run: Run) -> None:
    seen = after(run, sample(T0, None, 400), sample(T0 + 1, 1.74, 2_100_000_000), sample(T0 + 2, 1.7, 1_050_000_000))
    assert facts(seen, T0 + 3)["cpu"] == ("1.7", "number", "")
    assert facts(seen, T0 + 3)["mem"] == ("1.1 G", "number", "▁█▅")


def test_the_first_sample_knows_no_cores(run: Run) -> None:
    assert facts(after(run, sample(T0, None, 5_000_000)), T0)["cpu"][0] == "–"


def test_a_sample_is_old_where_no_engine_looks(run: Run) -> None:
    seen = after(run, sample(T0, 1.0, 2_000_000))
    roles = {one.label: one.role for one in words.facts(seen, T0 + 99, UNICODE.graph, is_old=True)}
    assert (roles["cpu"], roles["mem"]) == ("dim", "dim")
    assert facts(seen, T0 + 99)["mem"][1] == "number"


def test_a_run_that_is_over_keeps_the_most_that_was_seen(run: Run) -> None:
    end = e.RunEnded(T0 + 30, 0, None, 30.0, 1.0, 1.0, 0, None)
    seen = after(run, sample(T0, 1.0, 2_000_000_000), sample(T0 + 1, 1.0, 7_000_000), end)
    assert facts(seen, T0 + 40)["cpu"][0] == "–"
    assert facts(seen, T0 + 40)["mem"] == ("peak ≈2.0 G", "number", "")


def test_what_samples_missed_the_largest_process_tells(run: Run) -> None:
    """But for what it only inherited: a child counts as large as the supervisor was that forked it."""

    def peak(largest: int, *samples: e.RunSampled) -> tuple[str, str, str]:
        end = e.RunEnded(T0 + 30, 0, None, 30.0, 1.0, 1.0, largest, None)
        return facts(after(run, *samples, end), T0 + 40)["mem"]

    assert peak(71_700_000, sample(T0, 1.0, 1_400_000)) == ("peak ≥72 M", "number", "")
    assert peak(71_700_000) == ("peak ≥72 M", "number", "")
    assert peak(71_700_000, sample(T0, 1.0, 90_000_000)) == ("peak ≈90 M", "number", "")
    assert peak(20_000_000, sample(T0, 1.0, 1_400_000)) == ("peak ≈1.4 M", "number", "")
    assert peak(20_000_000) == ("–", "dim", "")


def test_a_late_sample_does_not_bring_a_run_back(run: Run) -> None:
    end = e.RunEnded(T0 + 30, 0, None, 30.0, 1.0, 1.0, 0, None)
    assert after(run, end, sample(T0 + 31, 1.0, 9)).use is None


def test_a_unit_that_links_says_so_and_what_it_takes(run: Run) -> None:
    link = e.LinkStarted(T0 + 4, "7-1", "cli(bin)", "/t/cli", "mold", 3, 500)
    flying = replace(run, in_flight=(InFlight("cli(bin)", T0), InFlight("store", T0 + 2)))
    seen = after(flying, link, sample(T0 + 5, 1.0, 2_000_000_000, ("7-1", 1_300_000_000)))
    said = "".join(piece.text for piece in words.in_flight(seen, T0 + 8, lambda text: True))
    assert said.startswith("link cli(bin) 4s 1.3 G · store 6s")
    assert seen.state is RunState.BUILDING


def test_a_run_whose_units_all_link_is_linking(run: Run) -> None:
    link = e.LinkStarted(T0 + 4, "7-1", "cli(bin)", "/t/cli", "mold", 3, 500)
    seen = after(replace(run, in_flight=(InFlight("cli(bin)", T0),)), link)
    assert seen.state is RunState.LINKING
    ended = e.LinkEnded(T0 + 6, "7-1", "cli(bin)", "/t/cli", "mold", 5, T0 + 4, 2.0, 9, 1.0, 0, None, 9, 1, 1, 1, None)
    over = after(seen, ended)
    assert (over.state, over.links, over.link_ends) == (RunState.BUILDING, (), (ended,))


def test_a_kill_for_memory_is_the_first_thing_that_is_said(run: Run) -> None:
    killed = after(run, KILL)
    assert [piece.text for piece in words.headline(killed)] == [
        "out of memory: rust-lld killed: at cli(bin) · it had 1.2 G · its group may have 2.0 G · claude-2 had 3.1 G"
    ]
    failed = after(killed, e.RunEnded(T0 + 30, 101, None, 30.0, 1.0, 1.0, 0, None))
    assert next(words.headline(failed)).text == "out of memory: rust-lld killed"
    assert words.error_lines(failed)[0] == "out of memory: rust-lld killed"


def test_a_kill_by_whom_nobody_knows_is_called_so(run: Run) -> None:
    by_hand = e.RunEnded(T0 + 30, None, 9, 30.0, 1.0, 1.0, 0, None)
    assert [piece.text for piece in words.headline(after(run, by_hand))] == ["ended by SIGKILL, by whom is unknown"]
    unknown = replace(KILL, is_oom=False, name="ld")
    assert words.kill_words(unknown) == ("ld was killed, by whom is unknown", "at cli(bin)")


def test_the_errors_page_begins_with_the_kill(run: Run) -> None:
    killed = after(run, KILL, e.DiagnosticEmitted(T0, "error", "linking failed", None, None, None, None, ""))
    rows = errors.content(Scene(killed)).rows
    assert [row.key for row in rows] == ["k0", "d0"]
    assert "its group may have 2.0 G" in errors.detail(Scene(killed), "k0")[1].text


def test_the_caret_of_nvcc_stays_below_what_it_points_at(run: Run) -> None:
    said = 'k.cu(2): error: "x" is undefined\n    o[0] = x;\n           ^'
    failed = after(run, e.DiagnosticEmitted(T0, "error", '"x" is undefined', None, "k.cu", 2, None, said, "kernels"))
    shown = errors.detail(Scene(failed), f"d{len(failed.diagnostics) - 1}")
    assert shown == (Cell('k.cu(2): error: "x" is undefined', "failed"), Frame("    o[0] = x;"), Frame("           ^"))
