"""What the Kernels screen opens: a call with its phases, a run to compare with; figures of PTX there."""

from dataclasses import replace

import pytest

from core import events as e
from core.kernel_choice import comparable
from core.kernel_queries import WorseBook, compilations, kernel_rows, last_of
from core.nvcc_queries import ended_calls, why_below
from core.state import Board, Run
from tests.nvcc_scene import begun, board_of, compiled, ended, kernel, kernels_of, measured, over, run_of, two_builds
from tests.scene import T0
from tests.tui.conftest import Stage
from tests.tui.screen_text import opened_by, settled, text_of
from tui import format as f
from tui.cli.kernel_calls import call_records
from tui.screens.choose_run import ChooseRunScreen
from tui.screens.kernels import KernelsScreen
from tui.screens.run import RunScreen
from tui.screens.sheet import SheetScreen
from tui.widgets import kernel_words as words
from tui.widgets.call_words import explain_call
from tui.widgets.status_line import StatusLine
from tui.widgets.table_view import TableView

FIRST, SECOND, THIRD = "20251229-100000-000-0001", "20251229-100030-000-0002", "20251229-100045-000-0004"


@pytest.fixture
def native(stage: Stage) -> Stage:
    """A kernel was made worse, and then a bit better."""
    third = begun("41-1", T0 + 46, blob="b3")
    better = run_of(THIRD, [*compiled(third, *kernels_of(80, 100)), ended(T0 + 50)], "codex", at=T0 + 45)
    stage.board = board_of(*two_builds().runs.values(), better)
    stage.now = T0 + 60
    return stage


def registers(screen: KernelsScreen) -> list[str]:
    return [row.cells[3].text.strip() for row in screen.table("kernels").rows]


async def test_enter_on_a_call_shows_its_phases_with_their_memory_and_o_its_run(native: Stage) -> None:
    async with native.app().run_test(size=(120, 40)) as pilot:
        await opened_by(pilot, "f6", KernelsScreen)
        await pilot.press("tab", "down", "enter")  # the one above is under way
        await pilot.pause()
        assert isinstance(pilot.app.screen, SheetScreen)
        shown = text_of(pilot)
        assert "source  kernels/gemm.cu" in shown
        assert "4.0 s · 4.0 s of cores · its largest process 1.2 G · made 680 K" in shown
        assert "ptxas                             sm_90            0.4 s    1.2 G" in shown
        await pilot.press("escape", "o")
        await pilot.pause()
        assert isinstance(pilot.app.screen, RunScreen)


async def test_enter_on_a_call_under_way_shows_its_run(native: Stage) -> None:
    async with native.app().run_test(size=(120, 40)) as pilot:
        await opened_by(pilot, "f6", KernelsScreen)
        await pilot.press("tab", "enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, RunScreen)


def test_a_call_with_long_paths_and_several_sources_keeps_to_the_width_of_its_sheet() -> None:
    sources = ("/home/ada/src/engine/" + "deep/" * 20 + "a.cu", "/home/ada/src/engine/b.cu")
    start = replace(
        begun("1-1", T0, sources[0]),
        kind="ptx",
        sources=sources,
        outputs=("/w/out/a.ptx", "/w/out/b.ptx"),
        archs=("all",),
    )
    phases = tuple(e.Phase("cicc", "compute_80", 1.0, None, name) for name in ("a.cu", "b.cu"))
    run = run_of(FIRST, [start, over(start, phases=phases, code=1, why="/home/ada/src/engine/b.cu has changed")])
    (row,) = ended_calls(run)
    lines = [cell.text for cell in explain_call(row, T0, words.SHEET)]
    assert max(map(len, lines)) <= words.SHEET
    assert lines[0].endswith("deep/a.cu")
    assert [line for line in lines if line.startswith("made")] == ["made    /w/out/a.ptx", "made    /w/out/b.ptx"]
    assert "exit 1 (miss: b.cu has changed)" in lines
    assert [line.split() for line in lines[-7:-2]] == [
        ["phase", "arch", "time", "memory"], ["a.cu"], ["cicc", "compute_80", "1.0", "s", "–"], ["b.cu"],
        ["cicc", "compute_80", "1.0", "s", "–"],
    ]  # fmt: skip


def test_a_call_that_failed_says_what_is_wrong_with_the_source_under_it() -> None:
    start, said = begun("1-1", T0), 'k.cuh(4): error: no "x"\n      return x;\n             ^'
    errors = (e.CallError('no "x"', None, "k.cuh", 4, None, said),)
    (row,) = ended_calls(run_of(FIRST, [start, over(start, phases=(), code=2, errors=errors)]))
    lines = [cell.text for cell in explain_call(row, T0, words.SHEET)]
    assert "\n".join(lines).count(said) == 1
    assert call_records([row])[0]["errors"] == [
        {"message": 'no "x"', "code": None, "file": "k.cuh", "line": 4, "column": None, "rendered": said}
    ]


def test_phases_with_long_names_have_their_figures_below_the_others() -> None:
    start = begun("1-1", T0)
    names = ("cicc", "gcc (preprocessing for something)", "a tool whose name has no end, 日本 and all that")
    phases = tuple(e.Phase(name, "compute_80", 1.0, 27_000_000) for name in names)
    (row,) = ended_calls(run_of(FIRST, [start, over(start, phases=phases)]))
    lines = [cell.text for cell in explain_call(row, T0, words.SHEET)]
    table = [line for line in lines if "compute_80" in line and line.endswith(" M")]
    assert [f.cell_len(line.partition("compute_80")[0]) for line in table] == [34, 34, 34]
    assert {f.cell_len(line) for line in table} == {65}
    assert table[1].startswith("gcc (preprocessing for something) compute_80")


def test_a_reason_names_files_below_the_checkout_and_no_part_of_another_path() -> None:
    assert why_below("/w/app/k/a.cu has changed", "/w/app") == "k/a.cu has changed"
    assert why_below("/data/w/app/a.cu has changed", "/w/app") == "/data/w/app/a.cu has changed"
    assert why_below("/w/a.cu has changed", "") == "/w/a.cu has changed"


def test_the_sheet_of_a_kernel_from_the_cache_says_so_where_phases_would_be() -> None:
    start = begun("1-1", T0)
    hit = over(start, 0.004, phases=(), verdict="hit", cpu_s=None, peak_bytes=None)
    found = compilations([run_of(FIRST, [start, hit, measured(start, kernel("k", "sm_80", 8))])])
    (row,) = kernel_rows(found, last_of(found))
    lines = [cell.text for cell in words.explain(row, T0, "the build before")]
    assert "  4 ms: from the depfile cache" in lines


async def test_kernels_are_compared_with_a_run_that_is_chosen(native: Stage) -> None:
    async with native.app().run_test(size=(200, 60)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        assert registers(screen)[0].endswith("▼−8")  # against the build before
        await pilot.press("B")
        await pilot.pause()
        assert isinstance(pilot.app.screen, ChooseRunScreen)
        listed = pilot.app.screen.query_one(TableView).rows
        assert [row.key for row in listed] == [THIRD, SECOND, FIRST]
        assert "codex" in text_of(pilot)
        await pilot.press("down", "down", "enter")
        await settled(pilot)
        assert registers(screen)[0].endswith("▲+16")
        assert "against gpu-agent " in screen.query_one("#about", StatusLine).words
        await pilot.press("B")
        await pilot.pause()
        assert pilot.app.screen.query_one(TableView).chosen == FIRST
        await pilot.press("escape")
        assert registers(screen)[0].endswith("▲+16")
        await pilot.press("enter")
        await pilot.pause()
        assert "against the run that was chosen: " in text_of(pilot)
        assert FIRST in text_of(pilot)
        await pilot.press("escape", "b", "b")
        await settled(pilot)
        assert registers(screen)[0].endswith("▼−8")


async def test_what_is_compared_with_stays_where_other_filters_leave_no_room(native: Stage) -> None:
    async with native.app().run_test(size=(40, 24)) as pilot:
        await opened_by(pilot, "f6", KernelsScreen)
        await pilot.press("B")
        await pilot.pause()
        await pilot.press("enter")
        await settled(pilot)
        await pilot.press("m", "a")
        await settled(pilot)
        assert "against codex " in text_of(pilot)


async def test_a_build_of_another_profile_is_told_beside_what_changed(stage: Stage) -> None:
    out = "/home/ada/src/engine/target/{}/build/kern-0123456789abcdef/out/gemm.o"
    first = replace(begun("1-1", T0), output=out.format("debug"))
    second = replace(begun("2-1", T0 + 30), output=out.format("release"))
    runs = run_of(FIRST, compiled(first, *kernels_of(88))), run_of(SECOND, compiled(second, *kernels_of()))
    stage.board = board_of(*runs)
    stage.now = T0 + 60
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await opened_by(pilot, "f6", KernelsScreen)
        assert "other flags: debug before, release now; registers 88 to 64" in text_of(pilot)


async def test_what_a_person_chose_to_compare_with_is_said_on_a_small_terminal_too(native: Stage) -> None:
    async with native.app().run_test(size=(80, 24)) as pilot:
        await opened_by(pilot, "f6", KernelsScreen)
        await pilot.press("B")
        await pilot.pause()
        await pilot.press("down", "down", "enter")
        await settled(pilot)
        line = next(line for line in text_of(pilot).splitlines() if " kernels of " in line)
        assert "against gpu-agent " in line
        assert " worse" in line


async def test_a_chosen_run_that_did_not_compile_a_source_says_so(native: Stage) -> None:
    other = begun("51-1", T0 + 51, "/home/ada/src/engine/kernels/ntt.cu")
    run = run_of("20251229-100050-000-0009", [*compiled(other, kernel("ntt", "sm_80", 40)), ended(T0 + 58)], "dora")
    native.board = Board({**native.board.runs, run.run: run}, native.board.now, native.board.engine_seen_at)
    async with native.app().run_test(size=(120, 40)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        screen.table("kernels").select(next(row.key for row in screen.table("kernels").rows if "gemm" in row.key))
        await pilot.press("B", "enter")
        await settled(pilot)
        assert f"run {run.run} did not compile kernels/gemm.cu" in text_of(pilot)


def test_runs_of_this_checkout_and_of_this_source_in_another_worktree_are_offered(native: Stage) -> None:
    source = "/v/engine/kernels/gemm.cu"
    there = run_of("20251229-100010-000-0005", compiled(begun("61-1", T0 + 11, source), kernel("k", "sm_80", 40)),
                   checkout="/v/engine")  # fmt: skip
    elsewhere = run_of("20251229-100011-000-0006", compiled(begun("71-1", T0 + 12, "/v/x.cu"), kernel("k", "sm_80", 4)),
                       checkout="/v/other")  # fmt: skip
    found = compilations([*native.board.runs.values(), there, elsewhere])
    now = next(one for one in found if one.run == SECOND)
    rows = comparable(found, now, lambda checkout: "engine")
    assert [(row.run[-4:], row.kernels, row.sources, row.is_elsewhere) for row in rows] == [
        ("0004", 4, 1, False), ("0002", 4, 1, False), ("0005", 1, 1, True), ("0001", 4, 1, False),
    ]  # fmt: skip
    assert [row.run[-4:] for row in comparable(found, now, str)] == ["0004", "0002", "0001"]


def elsewhere(registers: int = 64) -> Run:
    """A build of another project with a source of the same place, a minute before."""
    source = "/v/other/kernels/gemm.cu"
    start = begun("71-1", T0 - 60, source)
    return run_of("20251229-095900-000-0006", compiled(start, *kernels_of(registers)), "dora", checkout="/v/other")


@pytest.mark.parametrize("width", [60, 80, 120])
async def test_rows_of_several_checkouts_say_whose_they_are_and_spills_are_never_left_out(
    native: Stage, width: int
) -> None:
    other = elsewhere()
    native.board = Board({other.run: other, **native.board.runs}, native.board.now, native.board.engine_seen_at)
    async with native.app().run_test(size=(width, 24)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        shown = text_of(pilot).splitlines()
        heading = next(at for at, line in enumerate(shown) if " kernel " in line and "spills" in line)
        assert ("checkout" if width >= 100 else " in ") in shown[heading]
        assert {row.cells[1].text for row in screen.table("kernels").rows} == {"engine", "other"}
        assert " engine " in shown[heading + 1]
        assert "kernels/gemm.cu  in engine, by " in "\n".join(shown)


@pytest.mark.parametrize("width", [60, 80])
async def test_spills_stay_on_a_narrow_terminal(native: Stage, width: int) -> None:
    async with native.app().run_test(size=(width, 24)) as pilot:
        await opened_by(pilot, "f6", KernelsScreen)
        heading = next(line for line in text_of(pilot).splitlines() if " kernel " in line and "arch" in line)
        assert "spills" in heading
        assert "checkout" not in heading


async def test_news_is_seen_until_somebody_moves_and_then_the_head_says_where_it_is(stage: Stage) -> None:
    stage.board, stage.now = two_builds(), T0 + 60
    runs = dict(stage.board.runs)
    many = [kernel(f"tail{n}", "sm_80", 8) for n in range(40)]
    start = begun("81-1", T0 + 3, "/home/ada/src/engine/kernels/tail.cu")
    tails = run_of("20251229-100003-000-0008", compiled(start, *many))
    quiet = {run: runs[run] for run in runs if run != SECOND}
    stage.board = Board({**quiet, tails.run: tails}, stage.board.now, stage.board.engine_seen_at)
    async with stage.app().run_test(size=(80, 24)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        before = screen.table("kernels").chosen
        stage.board = Board({**runs, tails.run: tails}, stage.board.now + 1, stage.board.engine_seen_at)
        await settled(pilot)
        table = screen.table("kernels")
        assert table.chosen != before
        assert "⚠" in text_of(pilot)
        await pilot.press("end")
        await settled(pilot)
        assert "4 worse above" in text_of(pilot)
        await pilot.press("home")
        await settled(pilot)
        assert "worse above" not in text_of(pilot)


async def test_figures_of_ptx_say_whose_they_are(stage: Stage) -> None:
    counted = kernel("k", "compute_80", 40)._replace(ptxas_arch="sm_80")
    bare = e.Kernel("waits", "compute_90")
    stage.board = board_of(run_of(FIRST, compiled(begun("1-1", T0), counted, bare)))
    async with stage.app().run_test(size=(120, 40)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        cells = {row.cells[1].text: row.cells for row in screen.table("kernels").rows}
        assert [cells["k"][at].text.strip() for at in (2, 3)] == ["~sm_80", "40"]
        assert [cells["waits"][at].text.strip() for at in (2, 3)] == ["compute_90", "–"]
        screen.table("kernels").select(next(row.key for row in screen.table("kernels").rows if "waits" not in row.key))
        await pilot.press("enter")
        await pilot.pause()
        shown = text_of(pilot)
        assert "PTX, counted for sm_80: the driver's compiler may make others" in shown
        assert "registers           40             ptxas -v of sm_80" in shown


def test_a_pane_warns_of_ptx_that_spills_now() -> None:
    was, now = (
        compiled(begun(f"{at}-1", T0 + at), kernel("k", "compute_80", 40, spills=spills)._replace(ptxas_arch="sm_80"))
        for at, spills in ((1, 0), (9, 16))
    )
    board = board_of(run_of(FIRST, was), run_of(SECOND, now))
    assert words.note(WorseBook().of(board)[SECOND]) == "k ~sm_80: spills appear: 32 B in loads and stores"
