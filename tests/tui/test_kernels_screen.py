"""What kernels need, as a person sees it: the screen, the line of a pane, the sheet behind a figure."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.style import Style
from textual.pilot import Pilot

from core import events as e
from core.kernel_queries import compilations, kernel_rows, last_of, newest
from core.native.edits import lever_figures
from core.native.edits.edit_class import EditClass
from core.native.edits.iteration_book import keep_iteration
from core.native.edits.iterations import Iteration
from core.native.edits.lever_figures import Figure, Measurement
from core.native.kernels.kernel_diff import compare
from core.nvcc_queries import CallRow, call_rows, outputs_told_apart
from core.state import NvccUnderWay, Run, RunState
from core.watch.nvcc_notes import blob_of
from tests.nvcc_scene import (
    GEMM,
    begun,
    board_of,
    compiled,
    ended,
    kernel,
    kernels_of,
    made_of,
    measured,
    over,
    run_of,
    two_builds,
)
from tests.scene import T0
from tests.tui.conftest import Stage
from tests.tui.screen_text import opened_by, painted_at_rest, settled, text_of
from tests.tui.sizes import PICTURED, SIZES
from tui.screens.kernels import MOST_SHOWN, KernelsScreen
from tui.screens.run import RunScreen
from tui.screens.sheet import SheetScreen
from tui.widgets import kernel_rows as rows
from tui.widgets import kernel_words as words
from tui.widgets.look import UNICODE, make_look
from tui.widgets.nvcc_words import under_way
from tui.widgets.pane import PaneView, draw
from tui.widgets.status_line import StatusLine
from tui.widgets.table_view import Cell


@pytest.fixture
def native(stage: Stage) -> Stage:
    """An edit that made kernels worse, and another build that compiles just now."""
    stage.board = two_builds()
    stage.now = T0 + 60
    return stage


def column(screen: KernelsScreen, title: str) -> list[str]:
    """Texts of a column of the kernels, trimmed."""
    table = screen.table("kernels")
    at = [one.title.strip() for one in table._columns].index(title)
    return [row.cells[at].text.strip() for row in table.rows]


def commit(root: Path) -> None:
    """Make a folder a repository of one commit."""
    name = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for git in (("init", "-qb", "main"), ("add", "."), ("commit", "-qm", "one")):
        subprocess.run(["git", *name, *git], cwd=root, check=True)


# The screen


@pytest.mark.parametrize("size", PICTURED, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_screen_looks_as_it_did(native: Stage, size: tuple[int, int], snap_compare: Any) -> None:
    async def press(pilot: Pilot[None]) -> None:
        await opened_by(pilot, "f6", KernelsScreen)

    assert snap_compare(native.app(), terminal_size=size, run_before=press)


async def test_each_figure_stands_beside_what_it_changed_by(native: Stage) -> None:
    async with native.app().run_test(size=(200, 60)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        assert column(screen, "kernel") == ["gemm<64, 64>", "gemm<128, 128>"] * 2
        assert column(screen, "arch") == ["sm_80", "sm_80", "sm_90", "sm_90"]
        assert column(screen, "regs") == ["88 ▲+24", "128 ▲+24", "92 ▲+24", "132 ▲+24"]
        assert column(screen, "spills") == ["0", "264/264 ▲", "0", "264/264 ▲"]
        assert column(screen, "occup") == ["25 % ▼−25", "25 %", "25 % ▼−13", "12 % ▼−13"]
        assert column(screen, "file") == ["gemm.cu"] * 4
        assert column(screen, "time") == ["1.6 s"] * 4
        words_above = screen.query_one("#about", StatusLine).words
        assert words_above.startswith(" 2 kernels of 1 source · 4 worse · 4 changed · against last build · 2 archs")


async def test_the_chosen_kernel_says_what_changed_and_what_got_worse(native: Stage) -> None:
    async with native.app().run_test(size=(120, 40)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        await pilot.press("down")
        await pilot.pause()
        shown = text_of(pilot)
        assert "gemm<128, 128>  sm_80  kernels/gemm.cu" in shown
        assert "⚠ spills appear: 528 B in loads and stores; registers 104 to 128" in shown
        assert screen.chosen is not None
        assert screen.chosen.run[-4:] == "0002"


async def test_enter_says_where_each_figure_comes_from(native: Stage) -> None:
    async with native.app().run_test(size=(120, 40)) as pilot:
        await opened_by(pilot, "f6", KernelsScreen)
        await pilot.press("down", "enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, SheetScreen)
        shown = text_of(pilot)
        assert "_Z4gemmILi128ELi128EEvPfPKfS2_" in shown
        assert "registers          128  was 104    the cubin's .nv.info" in shown
        assert "spill stores     264 B  was 0      ptxas -v on the PTX nvcc kept" in shown
        assert "occupancy         25 %             blocks of 256, by registers" in shown
        assert "run 20251229-100030-000-0002" in shown
        assert "against the build before: " in shown
        assert "esc back" in shown
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, KernelsScreen)


async def test_the_sheet_says_what_was_measured_to_be_faster_or_how_to_measure_it(native: Stage) -> None:
    async with native.app().run_test(size=(120, 40)) as pilot:
        await opened_by(pilot, "f6", KernelsScreen)
        await pilot.press("enter")
        await pilot.pause()
        assert "cargo deck iterations --levers kernels/gemm.cu" in text_of(pilot)
        await pilot.press("escape")
        faster = Figure("one arch: sm_90", "1 of 9 archs", 0.4, 0.38, 0.3, 0.4, "faster", None, None)
        lever_figures.append(native.paths, Measurement(T0, GEMM, "13.0", 2, 7, 0.05, (faster,)))
        await pilot.press("enter")
        await pilot.pause()
        assert "measured here: gemm.cu: one arch sm_90 ×0.38 (1 of 9 archs)" in text_of(pilot)


async def test_no_line_of_the_sheet_is_wider_than_it(native: Stage) -> None:
    found = compilations(native.board.runs.values())
    for row in kernel_rows(newest(found), last_of(found)):
        for line in words.explain(row, T0 + 60, "the build before"):
            if not line.text.startswith("⚠"):
                assert len(line.text) <= words.SHEET


async def test_a_call_under_way_is_above_those_that_are_over(native: Stage) -> None:
    async with native.app().run_test(size=(120, 40)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        live, done = screen.table("calls").rows
        assert [cell.text for cell in live.cells[1:5]] == [
            "kernels/ntt.cu", "runs", "8.0 s", "ptxas sm_86 · 3/9",
        ]  # fmt: skip
        assert [cell.text for cell in done.cells[1:4]] == ["kernels/gemm.cu", "miss", "4.6 s"]
        assert set(done.cells[4].text) == set("░█▓▒")
        await pilot.press("tab", "enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, RunScreen)


async def test_calls_for_one_source_are_told_apart_and_the_chosen_one_says_how_it_went(stage: Stage) -> None:
    first = begun("1-1", T0, archs=("sm_80", "sm_90"))
    second = replace(begun("1-2", T0 + 9, archs=("sm_80",)), output="/w/gemm.cubin")
    events = [*compiled(first, kernel("k", "sm_80", 40)), second, over(second, why="tile.cuh has changed")]
    stage.board = board_of(run_of("20251229-100000-000-0001", events))
    async with stage.app().run_test(size=(120, 40)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        assert [row.cells[1].text for row in screen.table("calls").rows] == [
            "kernels/gemm.cu ▸ gemm.cubin", "kernels/gemm.cu ▸ gemm.cu.o",
        ]  # fmt: skip
        assert "k  sm_80  kernels/gemm.cu" in text_of(pilot)
        await pilot.press("tab")
        await pilot.pause()
        shown = text_of(pilot)
        assert "kernels/gemm.cu ▸ gemm.cubin  sm_80" in shown
        assert "miss: tile.cuh has changed · cicc 2.0 s · front ends 0.8 s" in shown
        await pilot.press("down")
        await pilot.pause()
        assert "kernels/gemm.cu ▸ gemm.cu.o  sm_80 sm_90  in engine, by gpu-agent" in text_of(pilot)


async def test_filters_orders_and_lists_follow_their_keys(native: Stage) -> None:
    plain = run_of(
        "20251229-100040-000-0009", compiled(begun("41-1", T0 + 41, "/w/k.cu"), kernel("plain", "sm_80", 8)), "codex"
    )
    native.board = board_of(*native.board.runs.values(), plain)
    async with native.app().run_test(size=(120, 40)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        assert len(screen.table("kernels").rows) == 5
        await pilot.press("m")
        assert len(screen.table("kernels").rows) == 4
        await pilot.press("m", "a")
        assert set(column(screen, "kernel")) == {"gemm<64, 64>", "gemm<128, 128>"}
        await pilot.press("escape")
        assert len(screen.table("kernels").rows) == 5
        await pilot.press("O")
        assert column(screen, "regs")[0].startswith("132")
        await pilot.press("i")
        await settled(pilot)
        assert screen.table("iterations").size.height > 0
        assert screen.table("calls").size.height == 0
        await pilot.press("escape")
        assert pilot.app.current_mode == "board"


async def test_what_an_edit_cost_is_shown_once_it_is_kept(native: Stage) -> None:
    def edited(run: str, at: float) -> Iteration:
        return Iteration(run, at, "/w", "build", EditClass.CU, "done", 3.0)

    keep_iteration(native.paths, edited("20251229-100000-000-0001", T0))
    async with native.app().run_test(size=(200, 60)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        assert [row.cells[0].text for row in screen.table("iterations").rows] == ["build in w", "cu"]
        assert screen.table("iterations").rows[1].cells[1].text == "1"
        keep_iteration(native.paths, edited("20251229-100010-000-0002", T0 + 10))
        native.now += 10
        await settled(pilot)
        assert screen.table("iterations").rows[1].cells[1].text == "2"


async def test_a_class_of_edits_says_what_was_edited_last_and_opens_that_run(native: Stage) -> None:
    one = Iteration(
        "20251229-100030-000-0002", T0, "/w/engine", "build", EditClass.HEADER, "done", 3.0, "ada",
        ("/w/engine/k/tile.cuh",), 1, {"cicc": 2.0, "ptxas": 0.5}, 2, 1,
    )  # fmt: skip
    keep_iteration(native.paths, one)
    keep_iteration(native.paths, replace(one, run="20251201-100030-000-0002", kind=EditClass.RUST, at=T0 - 9))
    app = native.app()
    async with app.run_test(size=(200, 60)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        screen.table("iterations").focus()
        await pilot.press("G")
        await pilot.pause()
        shown = text_of(pilot)
        assert "header in engine: last k/tile.cuh" in shown
        assert "3.0 s by ada · nvcc 2 calls, 1 from the cache · cicc 2.0 s · ptxas 0.5 s" in shown
        await pilot.press("k", "enter")
        assert app.screen is screen
        assert [note.message[:29] for note in app._notifications] == ["Run 20251201-100030-000-0002 "]
        await pilot.press("j", "enter")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)


async def test_commands_with_long_names_can_be_read_above_their_iterations_at_80_columns(native: Stage) -> None:
    command, checkout = "build --release -p engine-kernels --features cuda", "/home/ada/src/orchard"
    for number, name in enumerate((checkout, checkout + "-2")):
        one = Iteration(f"20251229-10000{number}-000-0001", T0 + number, name, command, EditClass.CU, "done", 3.0)
        keep_iteration(native.paths, one)
    async with native.app().run_test(size=(80, 24)) as pilot:
        await opened_by(pilot, "f6", KernelsScreen)
        await pilot.press("i")
        await settled(pilot)
        shown = text_of(pilot)
        assert f"{command} in orchard-2" in shown
        assert f"{command} in orchard " in shown


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_branch_point_is_compared_with_on_request(native: Stage, size: tuple[int, int]) -> None:
    async with native.app(env={"PATH": "/usr/bin:/bin"}).run_test(size=size) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        await pilot.press("b")
        await settled(pilot)
        assert "against branch point" in text_of(pilot)
        assert "against branch point" in screen.query_one("#about", StatusLine).words
        assert "the branch point is not known: no git repository, or no commit" in text_of(pilot)
        assert column(screen, "regs")[0] == "88"
        await pilot.press("b")
        assert column(screen, "regs")[0] == "88 ▲+24"


async def test_a_build_after_an_edit_of_a_header_alone_is_not_that_of_the_branch_point(
    stage: Stage, tmp_path: Path
) -> None:
    root = tmp_path / "app"
    (root / "kernels").mkdir(parents=True)
    source, header = root / "kernels" / "gemm.cu", root / "kernels" / "tile.cuh"
    source.write_text("one\n")
    header.write_text("16\n")
    commit(root)
    header.write_text("32\n")
    start = begun("1-1", T0 + 10, str(source), blob=blob_of(str(source)))
    end = over(start, headers=(e.Header(str(header), blob_of(str(header))),))
    edited = [start, end, measured(start, *kernels_of())]
    stage.board = board_of(run_of("20251229-100000-000-0001", edited, checkout=str(root)))
    async with stage.app(env=dict(os.environ)).run_test(size=(120, 40)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        await pilot.press("b")
        await settled(pilot)
        shown = text_of(pilot)
        assert "no build of the branch point is known: none of the last 24 h compiled it as of the last commit" in shown
        assert "as it was before" not in shown
        assert column(screen, "") == ["–"] * 4
        header.write_text("16\n")
        end = replace(end, headers=(e.Header(str(header), blob_of(str(header))),))
        stage.board = board_of(run_of("20251229-100000-000-0001", [start, end, edited[2]], checkout=str(root)))
        await settled(pilot)
        assert "as at the branch point" in text_of(pilot)
        assert column(screen, "") == [""] * 4


async def test_git_is_asked_of_a_source_that_was_compiled_after_the_branch_point_was_chosen(
    stage: Stage, tmp_path: Path
) -> None:
    root = tmp_path / "app"
    root.mkdir()
    sources = [root / name for name in ("a.cu", "b.cu")]
    for source in sources:
        source.write_text(source.name)
    commit(root)
    made: list[e.Event] = []
    for at, source in enumerate(sources):
        start = begun(f"{at}-1", T0 + 10 + at, str(source), blob=blob_of(str(source)))
        made += [start, over(start), measured(start, kernel(f"of_{source.stem}", "sm_80", 32))]
    stage.board = board_of(run_of("20251229-100000-000-0001", made[:3], checkout=str(root)))
    async with stage.app(env=dict(os.environ)).run_test(size=(120, 40)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        await pilot.press("b")
        await settled(pilot)
        assert column(screen, "") == [""]
        stage.board = board_of(run_of("20251229-100000-000-0001", made, checkout=str(root)))
        await settled(pilot)
        assert column(screen, "kernel") == ["of_b", "of_a"]
        assert column(screen, "") == ["", ""]  # both as at the branch point


async def test_rows_whose_source_is_gone_go_and_those_whose_output_is_gone_are_dim(native: Stage) -> None:
    native.gone.add(made_of(GEMM))
    async with native.app().run_test(size=(120, 40)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        await settled(pilot)
        table = screen.table("kernels")
        assert {cell.role for row in table.rows for cell in row.cells} == {"dim"}
        assert "what was made of it is gone: these are the figures of that build" in text_of(pilot)
        native.gone.add(GEMM)
        native.now += 10
        await settled(pilot)
        await pilot.pause()
        assert table.rows == []
        assert "Sources of all kernels that are known are gone." in text_of(pilot)


async def test_several_outputs_of_one_source_are_one_row_unless_their_figures_differ(stage: Stage) -> None:
    plain = begun("1-1", T0)
    same, other = (replace(begun(f"1-{n}", T0 + n), output=f"/w/gemm-{n}.cubin") for n in (2, 3))
    stage.board = board_of(run_of("20251229-100000-000-0001", [
        *compiled(plain, kernel("k", "sm_80", 40), kernel("l", "sm_80", 8)), *compiled(same, kernel("k", "sm_80", 40)),
        *compiled(other, kernel("l", "sm_80", 10)),
    ]))  # fmt: skip
    async with stage.app().run_test(size=(120, 40)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        assert list(zip(column(screen, "kernel"), column(screen, "file"), strict=True)) == [
            ("l", "gemm-3.cubin"), ("k", "gemm.cu"), ("l", "gemm.cu.o"),
        ]  # fmt: skip
        assert "l  sm_80  kernels/gemm.cu ▸ gemm-3.cubin" in text_of(pilot)


async def test_of_very_many_kernels_the_first_are_shown_and_all_are_counted(stage: Stage) -> None:
    many = [kernel(f"_Z1kILi{number}EEvv", "sm_80", 40) for number in range(MOST_SHOWN + 20)]
    stage.board = board_of(run_of("20251229-100000-000-0001", compiled(begun("1-1", T0), *many)))
    async with stage.app().run_test(size=(120, 40)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        assert len(screen.table("kernels").rows) == MOST_SHOWN
        count = MOST_SHOWN + 20
        assert f" {count} kernels of 1 source · the first {MOST_SHOWN} of {count} rows" in text_of(pilot)


async def test_without_kernels_the_screen_says_what_would_fill_it(stage: Stage) -> None:
    async with stage.app().run_test(size=(80, 24)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        shown = text_of(pilot)
        assert "No kernel was compiled in the last 24 hours." in shown
        assert "cargo deck exec -- nvcc -c k.cu" in " ".join(shown.split())
        assert not screen.table("kernels").display
        assert "nvcc is not in PATH" not in shown
        await pilot.press("m", "a", "O", "b", "i", "tab", "enter")
        await settled(pilot)
        assert isinstance(pilot.app.screen, KernelsScreen)
    async with stage.app(env={"PATH": "/nowhere"}).run_test(size=(80, 24)) as pilot:
        await opened_by(pilot, "f6", KernelsScreen)
        assert "nvcc is not in PATH: no kernel can be compiled here." in text_of(pilot)


async def test_calls_without_kernels_are_shown_as_what_they_are(stage: Stage) -> None:
    start = begun("1-1", T0)
    stage.board = board_of(run_of("20251229-100000-000-0001", [start, over(start, code=2, phases=()), ended(T0 + 9)]))
    async with stage.app().run_test(size=(120, 40)) as pilot:
        screen = await opened_by(pilot, "f6", KernelsScreen)
        assert "none of them left a kernel" in text_of(pilot)
        (row,) = screen.table("calls").rows
        assert [cell.text for cell in row.cells[1:4]] == ["kernels/gemm.cu", "exit 2", "4.0 s"]


@pytest.mark.parametrize("size", SIZES)
async def test_nothing_is_painted_while_nothing_changes(
    native: Stage, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    native.board = board_of(*(run for run in native.board.runs.values() if not run.nvcc))
    async with native.app().run_test(size=size) as pilot:
        await opened_by(pilot, "f6", KernelsScreen)
        assert await painted_at_rest(pilot, monkeypatch) == []


async def test_foreign_text_is_never_markup_and_moves_no_column(stage: Stage) -> None:
    start = begun("1-1", T0, "/home/ada/src/engine/[red]\x1b[31mk\n.cu")
    odd = kernel("[bold]k\x1b]0;x\x07", "sm_80", 8)
    stage.board = board_of(run_of("20251229-100000-000-0001", compiled(start, odd), agent="gpu-agent"))
    async with stage.app().run_test(size=(120, 40)) as pilot:
        await opened_by(pilot, "f6", KernelsScreen)
        shown = text_of(pilot)
        assert "[bold]k" in shown
        assert "\x1b" not in shown
        await pilot.press("enter")
        await pilot.pause()
        assert "[bold]k" in text_of(pilot)
        assert "\x1b" not in text_of(pilot)


async def test_a_terminal_without_unicode_gets_letters_of_its_own(native: Stage) -> None:
    async with native.app(is_ascii=True).run_test(size=(200, 60)) as pilot:
        await opened_by(pilot, "f6", KernelsScreen)
        assert text_of(pilot).isascii()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 160, 200, 300])
def test_columns_leave_room_for_names_and_bars(width: int) -> None:
    for columns, kept in ((rows.kernel_columns(width), 5), (rows.call_columns(width), 4)):
        assert len(columns) >= kept
        fixed = sum(one.width + 2 for one in columns)
        assert width - 2 - fixed >= 20 or len(columns) == kept


# A pane


async def test_a_pane_says_what_nvcc_does_now(native: Stage) -> None:
    async with native.app().run_test(size=(120, 40)) as pilot:
        shown = await settled(pilot)
        assert "nvcc ntt.cu ▸ ptxas sm_86 · 3/9 archs · 1.2 G" in shown


async def test_a_pane_warns_of_kernels_that_got_worse(native: Stage) -> None:
    async with native.app().run_test(size=(120, 40)) as pilot:
        shown = await settled(pilot)
        assert "⚠ gemm<64, 64> sm_80: occupancy falls: 50 % to 25 % (registers) · 3 more" in shown


async def test_a_low_pane_warns_of_them_in_the_place_of_its_vitals(native: Stage) -> None:
    async with native.app().run_test(size=(100, 16)) as pilot:
        assert "⚠ gemm<64, 64> sm_80: occupancy falls" in await settled(pilot)


@pytest.mark.parametrize(("height", "row"), [(2, 1), (3, 2)])
def test_the_lowest_pane_of_a_build_that_is_done_warns_of_them_too(native: Stage, height: int, row: int) -> None:
    (run,) = (run for run in native.board.runs.values() if run.run.endswith("0003"))
    look = make_look(UNICODE, lambda _: Style.null())

    def drawn(run: Run, worse: str) -> list[str]:
        view = PaneView(1, run, 0, (), None, None, run.started_at, is_selected=False, worse=worse)
        return [strip.text for strip in draw(view, 70, height, look)]

    shown = drawn(replace(run, state=RunState.DONE), "gemm sm_80: spills appear")
    assert f"{run.agent} ⚠" in shown[0]
    assert "⚠ gemm sm_80: spills appear" in shown[row]
    shown = drawn(replace(run, state=RunState.BUILDING), "gemm sm_80: spills appear")
    assert f"{run.agent} ⚠" in shown[0]
    assert "spills" not in "".join(shown)
    assert "⚠" not in "".join(drawn(run, ""))


async def test_what_is_said_of_the_chosen_kernel_is_cut_where_it_is_too_long(native: Stage) -> None:
    async with native.app().run_test(size=(60, 24)) as pilot:
        await opened_by(pilot, "f6", KernelsScreen)
        await pilot.press("down")
        await pilot.pause()
        (line,) = (line for line in text_of(pilot).split("\n") if "⚠ spills appear" in line)
        assert line.rstrip().endswith("…")


def test_calls_of_one_source_and_output_need_no_name_behind_it(native: Stage) -> None:
    found = call_rows(native.board.runs.values())
    assert outputs_told_apart(found) == {}
    again = run_of("20251229-100100-000-0004", [begun("41-1", T0 + 59)])
    assert outputs_told_apart(call_rows([*native.board.runs.values(), again])) == {}


def test_what_a_call_does_is_said_as_far_as_it_is_known() -> None:
    start = begun("1-1", T0, archs=("sm_90",))
    run = run_of("20251229-100000-000-0001", [start])
    assert under_way(run, run.nvcc[0]) == ("nvcc gemm.cu", "")
    (call,) = run.nvcc
    assert under_way(run, replace(call, tool="cicc", arch="compute_90")) == ("nvcc gemm.cu", " ▸ cicc compute_90")
    assert under_way(run, replace(call, tool="gcc (preprocessing 4)")) == ("nvcc gemm.cu", " ▸ gcc")
    linked = NvccUnderWay(replace(start, source="", output="/w/app"))
    assert under_way(run, linked) == ("nvcc app", "")


# Words


@pytest.mark.parametrize(
    ("cell", "text", "role"),
    [
        (words.count_cell(168, 12), " 168 ▲+12", "waiting"),
        (words.count_cell(32, -8), "  32 ▼−8", "done"),
        (words.count_cell(32, 0), "  32", "number"),
        (words.count_cell(None, None), "   –", "dim"),
        (words.size_cell(20_736, 1_200), " 21 K ▲+1.2 K", "waiting"),
        (words.size_cell(0, 0), "    0", "dim"),
        (words.size_cell(0, -64), "    0 ▼−64 B", "done"),
        (words.size_cell(None, None), "    –", "dim"),
        (words.time_cell(1.2, 0.9), " 1.2 s ▲+0.3 s", "waiting"),
        (words.time_cell(1.2, 1.15), " 1.2 s", "dim"),
        (words.time_cell(0.086, None), " 86 ms", "dim"),
        (words.time_cell(None, 1.0), "     –", "dim"),
    ],
)
def test_figures_and_what_they_changed_by(cell: Cell, text: str, role: str) -> None:
    assert (cell.text, cell.role) == (text, role)


def test_spills_are_told_as_ptxas_tells_them() -> None:
    clean, spilling = kernel("a", "sm_80", 64), kernel("a", "sm_80", 64, spills=264)
    called, unknown = clean._replace(called_spill_bytes=396), clean._replace(spill_store_bytes=None)
    shown = {
        name: words.spills_cell(compare([now], before)[0])
        for name, now, before in (
            ("clean", clean, [clean]), ("first", spilling, None), ("appear", spilling, [clean]),
            ("gone", clean, [spilling]), ("same", spilling, [spilling]), ("called", called, None),
            ("unknown", unknown, [clean]),
        )
    }  # fmt: skip
    assert {name: (cell.text.strip(), cell.role) for name, cell in shown.items()} == {
        "clean": ("0", "dim"), "first": ("264/264", "number"), "appear": ("264/264 ▲", "failed"),
        "gone": ("0 ▼", "done"), "same": ("264/264", "number"), "called": ("0+", "waiting"), "unknown": ("–", "dim"),
    }  # fmt: skip


def test_occupancy_says_whether_it_is_that_of_the_kernels_own_block() -> None:
    known, unknown = kernel("a", "sm_80", 64), kernel("a", "sm_80", 64, threads=None)
    assert words.occupancy_cell(compare([known], None)[0]).text == "  50 %"
    assert words.occupancy_cell(compare([unknown], None)[0]).text == " ≤50 %"
    assert words.occupancy_cell(compare([known._replace(arch="sm_30")], None)[0]).text == "     –"


def test_a_bar_is_in_proportion_to_the_longest_call() -> None:
    end = over(begun("1-1", T0), 10.0)
    assert words.parts(end) == {"front ends": 2.0, "cicc": 5.0, "ptxas": 2.0, "host": 1.0}
    assert words.bar(end, 10.0, 20, is_ascii=False) == "░░░░██████████▓▓▓▓▒▒"
    assert words.bar(end, 20.0, 20, is_ascii=True) == "..#####==-"
    assert words.bar(replace(end, phases=()), 10.0, 20, is_ascii=False) == ""
    assert words.bar(end, 0.0, 20, is_ascii=False) == ""
    assert words.phase_words(end) == "cicc 5.0 s · front ends 2.0 s · ptxas 2.0 s · host 1.0 s"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "miss"), ({"verdict": "hit"}, "hit"), ({"verdict": "off"}, "compiled"), ({"verdict": "bypass"}, "bypass"),
        ({"code": 2}, "exit 2"), ({"code": None, "signal": 9}, "signal 9"), ({"code": None}, "cut short"),
        ({"verdict": "hit", "is_stale": True}, "stale"),
    ],
)  # fmt: skip
def test_how_a_call_ended_in_a_word(changes: dict[str, Any], text: str) -> None:
    start = begun("1-1", T0)
    run = run_of("20251229-100000-000-0001", [start])
    assert words.verdict_cell(CallRow(run, None, over(start, **changes))).text == text
    assert words.verdict_cell(CallRow(run, run.nvcc[0], None)).text == "runs"


def test_what_was_not_compared_says_so() -> None:
    found = compilations([run_of("20251229-100000-000-0001", compiled(begun("1-1", T0), *kernels_of()))])
    (row, *_) = kernel_rows(found, last_of(found))
    assert [line.text for line in words.brief(row)][1] == "compiled for the first time that is known"
    lines = [line.text for line in words.explain(row, T0, "the build before")]
    assert lines[-1] == "against the build before: nothing that is known"
    ptx = row._replace(change=compare([e.Kernel("k", "compute_80")], None)[0])
    assert "not counted yet: kernels --ptxas" in "\n".join(line.text for line in words.explain(ptx, T0, "x"))
    assert words.note([]) == ""
    assert rows.kernel_rows([row])[0].cells[0].text == "–"


def test_the_table_shows_all_columns_where_there_is_room() -> None:
    assert [one.title.strip() for one in rows.kernel_columns(200)] == [
        "", "kernel", "arch", "regs", "spills", "occup", "time", "file", "code", "smem", "stack", "agent",
    ]  # fmt: skip
