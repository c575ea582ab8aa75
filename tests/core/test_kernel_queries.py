import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from core import events as e
from core import kernel_queries as queries
from core.kernel_order import ORDERS, ordered
from core.kernel_queries import WorseBook, compilations, kernel_rows, last_of, newest
from core.native.kernels.branch_blobs import branch_blobs, git_of
from core.native.kernels.demangle import demangle
from core.native.kernels.kernel_diff import compare, gone, key_of, spilled, warnings
from core.nvcc_queries import arch_progress, arch_s, call_rows, memory_of
from core.reduce import reduce_run
from core.state import MAX_NVCC, NvccUnderWay, Run
from core.watch.nvcc_notes import blob_of
from tests.nvcc_scene import (
    CHECKOUT,
    GEMM,
    NTT,
    begun,
    board_of,
    compiled,
    ended,
    kernel,
    kernels_of,
    measured,
    over,
    run_of,
    two_builds,
)
from tests.scene import T0

# Comparing


def test_each_kernel_is_compared_with_the_one_of_its_name_and_arch() -> None:
    before = [kernel("a", "sm_80", 40), kernel("a", "sm_90", 44), kernel("b", "sm_80", 10)]
    now = [kernel("a", "sm_90", 48), kernel("c", "sm_80", 9)]
    a, c = compare(now, before)
    assert (a.before, a.deltas["registers"], a.deltas["code_bytes"], a.differs) == (before[1], 4, 0, True)
    assert (c.before, c.differs, c.deltas["registers"]) == (None, False, None)
    assert gone(now, before) == (before[0], before[2])
    assert [change.before for change in compare(now, None)] == [None, None]


def test_a_time_alone_is_no_difference() -> None:
    before = kernel("a", "sm_80", 40)._replace(compile_s=1.0)
    (change,) = compare([before._replace(compile_s=2.0)], [before])
    assert not change.differs
    assert change.deltas["compile_s"] == 1.0


def test_spills_that_appear_and_occupancy_that_falls_are_warned_of() -> None:
    before = kernel("a", "sm_80", 64, threads=256)
    (change,) = compare([kernel("a", "sm_80", 100, spills=264, threads=256)], [before])
    assert change.is_worse
    assert list(warnings(change)) == [
        "spills appear: 528 B in loads and stores", "occupancy falls: 50 % to 25 % (registers)",
    ]  # fmt: skip


def test_what_gets_better_or_was_never_known_is_no_warning() -> None:
    spilling, clean = kernel("a", "sm_80", 100, spills=264), kernel("a", "sm_80", 64)
    unknown = spilling._replace(spill_store_bytes=None)
    for now, before in ((clean, spilling), (spilling, spilling), (spilling, unknown), (unknown, clean)):
        (change,) = compare([now], [before])
        assert [one for one in warnings(change) if "spills" in one] == []
    (first,) = compare([spilling], None)
    assert list(warnings(first)) == []


def test_spills_of_functions_that_it_calls_count_too() -> None:
    before = kernel("a", "sm_80", 64)
    (change,) = compare([before._replace(called_spill_bytes=396)], [before])
    assert (spilled(change.now), change.spills, change.more_spilled) == (396, True, 396)
    assert spilled(before._replace(spill_load_bytes=None)) is None


def test_kernels_of_two_checkouts_are_the_same() -> None:
    here = kernel("_ZN36_GLOBAL__N__0fded8b4_4_n_cu_327bc8984anonIdEEvPT_", "sm_80", 9)
    there = here._replace(name="_ZN36_GLOBAL__N__f41204db_4_n_cu_327bc8984anonIdEEvPT_")
    assert key_of(here) == key_of(there)


# What is compared with what


def test_the_last_build_of_the_same_source_and_checkout_is_compared_with() -> None:
    board = two_builds()
    found = compilations(board.runs.values())
    (now,) = newest(found)
    before = last_of(found)(now)
    assert before is not None
    assert (now.run[-4:], before.run[-4:], now.place) == ("0002", "0001", "kernels/gemm.cu")
    rows = kernel_rows([now], last_of(found))
    assert [row.change.now.registers for row in rows] == [88, 128, 92, 132]
    assert [row.change.deltas["registers"] for row in rows] == [24, 24, 24, 24]


def test_calls_of_the_same_run_other_checkouts_and_other_outputs_are_not_the_build_before() -> None:
    twice = [*compiled(begun("1-1", T0), *kernels_of()), *compiled(begun("1-2", T0 + 9), *kernels_of())]
    own = run_of("20251229-100000-000-0001", twice)
    elsewhere = run_of("20251229-090000-000-0000", compiled(begun("0-1", T0 - 99), *kernels_of()), checkout="/other")
    other = replace(begun("0-2", T0 - 50), output="/w/other.o")
    differently = run_of("20251229-093000-000-0000", compiled(other, *kernels_of()))
    found = compilations([own, elsewhere, differently])
    (now,) = [one for one in newest(found) if one.run == own.run]
    assert now.measured.call == "1-2"
    assert last_of(found)(now) is None


def test_a_run_that_is_named_may_have_been_of_another_checkout() -> None:
    source = "/home/ada/src/copy/kernels/gemm.cu"
    there = replace(begun("0-1", T0 - 99), source=source, output="/home/ada/src/copy/k.o")
    copy = run_of("20251229-090000-000-0000", compiled(there, *kernels_of(50)), checkout="/home/ada/src/copy")
    here = run_of("20251229-100000-000-0001", compiled(begun("1-1", T0), *kernels_of()))
    found = compilations([copy, here])
    before = queries.run_of(found, copy.run, lambda checkout: "engine")(found[-1])
    assert before is not None
    assert before.run == copy.run
    assert queries.run_of(found, "no such run", lambda checkout: "engine")(found[-1]) is None


def test_kernels_of_another_repository_are_not_compared_though_their_sources_have_the_same_place() -> None:
    source = "/home/ada/src/other/kernels/gemm.cu"
    there = replace(begun("0-1", T0 - 99), source=source, output="/home/ada/src/other/k.o")
    other = run_of("20251229-090000-000-0000", compiled(there, *kernels_of(50)), checkout="/home/ada/src/other")
    found = compilations([other, run_of("20251229-100000-000-0001", compiled(begun("1-1", T0), *kernels_of()))])
    assert queries.run_of(found, other.run, str)(found[-1]) is None
    assert queries.run_of(found, other.run, str)(found[0]) == found[0]


def out_of(name: str, profile: str = "debug") -> str:
    """A path in OUT_DIR."""
    return f"{CHECKOUT}/target/{profile}/build/kern-{'0123456789abcdef'}/out/{name}"


def test_a_build_of_another_profile_is_said_to_be_one_beside_what_it_changed() -> None:
    first = replace(begun("1-1", T0), output=out_of("gemm.o"))
    second = replace(begun("2-1", T0 + 60), output=out_of("gemm.o", "release"))
    builds = [run_of("20251229-100000-000-0001", compiled(first, *kernels_of())),
              run_of("20251229-100100-000-0002", compiled(second, *kernels_of(88)))]  # fmt: skip
    found = compilations(builds)
    rows = kernel_rows(newest(found), last_of(found))
    assert {row.other_flags for row in rows} == {"other flags: debug before, release now"}
    assert rows[0].warnings == ("occupancy falls: 50 % to 25 % (registers); other flags: debug before, release now",)
    assert {row.other_flags for row in kernel_rows(found[:1], last_of(found))} == {""}


def test_a_kernel_that_was_linked_is_one_row_with_the_figures_of_the_last_link() -> None:
    def build(number: int, profile: str, registers: int) -> Run:
        at = T0 + number * 60
        made = replace(begun("1-1", at), output=out_of("gemm.o", profile))
        link = replace(begun("1-2", at + 5, source=""), output=out_of("k_dlink.o", profile), kind="link")
        events = [*compiled(made, *kernels_of(registers)), *compiled(link, *kernels_of(registers + 1))]
        return run_of(f"20251229-10000{number}-000-000{number}", events, at=at)

    found = compilations([build(0, "debug", 32), build(1, "release", 24)])
    shown = queries.distinct(kernel_rows(newest(found), last_of(found)))
    assert [row.change.now.registers for row in shown] == [25, 65, 29, 69]
    assert [row.change.deltas["registers"] for row in shown] == [-8.0] * 4
    assert {row.compiled.measured.output for row in shown} == {out_of("k_dlink.o", "release")}
    again = run_of("20251229-100900-000-0009", compiled(
        replace(begun("9-1", T0 + 900), output=out_of("gemm.o", "release")), *kernels_of(20)))  # fmt: skip
    found = compilations([build(1, "release", 24), again])
    assert len(queries.distinct(kernel_rows(newest(found), last_of(found)))) == 8, "it is not linked yet"


def test_the_branch_point_is_the_last_build_of_the_source_as_it_was_there() -> None:
    found = compilations(two_builds().runs.values())
    now = newest(found)[0]
    at_branch = queries.branch_of(found, {(CHECKOUT, "kernels/gemm.cu"): "b1"})(now)
    assert at_branch is not None
    assert at_branch.run[-4:] == "0001"
    assert queries.branch_of(found, {})(now) is None
    assert queries.branch_of(found, {(CHECKOUT, "kernels/gemm.cu"): ""})(now) is None


def with_header(run: str, call: str, at: float, header: str, registers: int) -> Run:
    """A build of the same gemm.cu that read this tile.cuh."""
    start = begun(call, at, blob="b1")
    headers = (e.Header(f"{CHECKOUT}/kernels/tile.cuh", header), e.Header("/opt/cub/cub.cuh", "c1"))
    return run_of(run, [start, over(start, headers=headers), measured(start, *kernels_of(registers))], at=at)


def test_a_build_that_read_another_header_is_not_that_of_the_branch_point() -> None:
    first = with_header("20251229-100000-000-0001", "1-1", T0, "h1", 64)
    second = with_header("20251229-100100-000-0002", "2-1", T0 + 60, "h2", 88)
    there = {(CHECKOUT, "kernels/gemm.cu"): "b1", (CHECKOUT, "kernels/tile.cuh"): "h1"}
    found = compilations([first, second])
    (now,) = newest(found)
    assert set(queries.asked_of([now], found)) == set(there)
    before = queries.branch_of(found, there)(now)
    assert before is not None
    assert before.run == first.run
    alone = compilations([second])
    assert queries.branch_of(alone, there)(alone[0]) is None
    unread = compilations([with_header("20251229-100000-000-0001", "1-1", T0, "", 64)])
    assert queries.branch_of(unread, {**there, (CHECKOUT, "kernels/tile.cuh"): ""})(unread[0]) is None


def test_a_build_whose_headers_nobody_told_is_not_known_to_be_that_of_the_branch_point() -> None:
    start = begun("1-1", T0, blob="b1")
    run = run_of("20251229-100000-000-0001", [start, over(start, headers=None), measured(start, *kernels_of())])
    found = compilations([run])
    assert queries.branch_of(found, {(CHECKOUT, "kernels/gemm.cu"): "b1"})(found[0]) is None


# Several outputs of one source


def made(name: str, at: float, *kernels: e.Kernel, blob: str = "b1") -> list[e.Event]:
    start = replace(begun(f"{name}-{at}", at, blob=blob), output=f"{CHECKOUT}/target/out/{name}")
    return compiled(start, *kernels)


def shown(*runs: Run) -> list[tuple[str, str, int | None, str]]:
    found = compilations(runs)
    rows = queries.distinct(kernel_rows(newest(found), last_of(found)))
    return [(row.change.now.name, row.change.now.arch, row.change.now.registers, row.output) for row in rows]


def test_outputs_with_the_same_figures_are_one_row_of_the_last_one() -> None:
    code, ptx = kernel("k", "sm_80", 40), e.Kernel("k", "compute_80")
    run = run_of("20251229-100000-000-0001", [
        *made("k.o", T0, code, kernel("k", "sm_90", 44)), *made("k.fatbin", T0 + 1, code),
        *made("k.cubin", T0 + 2, code._replace(compile_s=1.0)), *made("k.ptx", T0 + 3, ptx),
    ])  # fmt: skip
    assert shown(run) == [("k", "sm_80", 40, ""), ("k", "sm_90", 44, "")]
    only_ptx = run_of("20251229-100000-000-0001", made("k.ptx", T0, ptx))
    assert shown(only_ptx) == [("k", "compute_80", None, "")]


def test_outputs_with_other_figures_are_told_apart_by_their_names() -> None:
    debug = made("k-debug.o", T0 + 1, kernel("k", "sm_80", 90))
    run = run_of("20251229-100000-000-0001", [*made("k.o", T0, kernel("k", "sm_80", 40)), *debug])
    assert shown(run) == [("k", "sm_80", 40, "k.o"), ("k", "sm_80", 90, "k-debug.o")]


def test_what_an_earlier_state_of_the_source_gave_is_left_out_and_what_is_still_so_stays() -> None:
    code = kernel("k", "sm_80", 40)
    first = run_of("20251229-100000-000-0001", [*made("k.o", T0, code), *made("k.cubin", T0 + 1, code)])
    edited = run_of("20251229-100100-000-0002", made("k.o", T0 + 60, kernel("k", "sm_80", 48), blob="b2"))
    assert shown(first, edited) == [("k", "sm_80", 48, "")]
    other_flags = run_of("20251229-100100-000-0002", made("k.o", T0 + 60, kernel("k", "sm_80", 48)))
    assert shown(first, other_flags) == [("k", "sm_80", 40, "k.cubin"), ("k", "sm_80", 48, "k.o")]


def test_a_source_that_is_gone_takes_its_kernels_along() -> None:
    found = compilations(two_builds().runs.values())
    assert queries.there(found, lambda path: True) == list(found)
    assert queries.there(found, lambda path: path != GEMM) == []


def test_what_got_worse_comes_first_and_what_changed_before_the_rest() -> None:
    board = two_builds()
    found = compilations(board.runs.values())
    rows = kernel_rows(newest(found), last_of(found))
    assert [row.change.is_worse for row in ordered(rows, "changed")] == sorted(
        (row.change.is_worse for row in rows), reverse=True
    )
    assert [row.change.now.registers for row in ordered(rows, "registers")] == [132, 128, 92, 88]
    assert len({row.key for row in rows}) == 4
    for order in ORDERS:
        assert len(ordered(rows, order)) == 4
    with pytest.raises(TypeError):
        ordered(rows, "else")  # type: ignore[arg-type]


def test_kernels_of_a_source_come_by_arch_and_name_however_a_compiler_left_them() -> None:
    names = ("_Z4tileILi128EEvPf", "_Z4tileILi8EEvPf", "_Z3addPf", "_Z4tileILi64EEvPf")
    made = [kernel(name, arch, 8) for arch in ("sm_100", "sm_80") for name in names]
    begins = begun("1-1", T0, archs=("sm_100", "sm_80"))
    for kernels in (made, made[::-1]):
        found = compilations([run_of("20251229-100000-000-0001", compiled(begins, *kernels))])
        rows = kernel_rows(newest(found), last_of(found))
        for order in ORDERS:
            assert [(demangle(row.change.now.name), row.change.now.arch) for row in ordered(rows, order)] == [
                (name, arch) for arch in ("sm_80", "sm_100") for name in ("add", "tile<8>", "tile<64>", "tile<128>")
            ]


def test_what_is_worse_is_found_again_only_where_something_was_measured() -> None:
    book, board = WorseBook(), two_builds()
    worse = book.of(board)
    assert {run[-4:]: len(rows) for run, rows in worse.items()} == {"0002": 4}
    assert book.of(replace(board, now=board.now + 1)) is worse
    less = replace(board, runs={name: run for name, run in board.runs.items() if name[-4:] != "0002"})
    assert book.of(less) == {}


def test_time_of_an_arch_is_that_of_its_ptxas_and_of_the_cicc_before_it() -> None:
    phases = (
        e.Phase("cicc", "compute_80", 2.0), e.Phase("ptxas", "sm_80", 0.5), e.Phase("ptxas", "sm_86", 0.25),
        e.Phase("cicc", "compute_90a", 4.0), e.Phase("ptxas", "sm_90a", 1.0),
        e.Phase("cicc", "compute_90a", 8.0, None, "other.cu"),
    )  # fmt: skip
    end = over(begun("1-1", T0), phases=phases)
    assert [arch_s(end, arch, "/w/k.cu") for arch in ("sm_80", "sm_86", "sm_90a", "sm_75")] == [2.5, 2.25, 5.0, None]
    assert arch_s(end, "sm_90a", "/w/other.cu") == 13.0  # rows that name no source may be anybody's


def test_a_kernel_for_a_new_arch_has_no_time_before() -> None:
    first = run_of("20251229-100000-000-0001", compiled(begun("1-1", T0, archs=("sm_80",)), kernel("k", "sm_80", 8)))
    both = [kernel("k", arch, 8) for arch in ("sm_80", "sm_86")]
    second = run_of("20251229-100100-000-0002", compiled(begun("2-1", T0 + 60, archs=("sm_80", "sm_86")), *both))
    found = compilations([first, second])
    old, new = kernel_rows(newest(found), last_of(found))
    assert old.arch_s_before is not None
    assert (new.change.before, new.arch_s_before) == (None, None)


# Calls


def test_calls_under_way_come_before_the_last_one_of_each_source() -> None:
    board = two_builds()
    rows = call_rows(board.runs.values())
    assert [(row.place, row.ended is None, row.run.run[-4:]) for row in rows] == [
        ("kernels/ntt.cu", True, "0003"), ("kernels/gemm.cu", False, "0002"),
    ]  # fmt: skip
    asked = replace(begun("1-1", T0), kind="query", source="")
    assert call_rows([run_of("20251229-100000-000-0001", [asked, over(asked)])]) == ()


def test_how_far_a_call_is_follows_the_archs_that_ptxas_was_seen_for() -> None:
    (live,) = [run for run in two_builds().runs.values() if run.nvcc]
    (call,) = live.nvcc
    assert (call.tool, call.arch, call.seen, arch_progress(call)) == (
        "ptxas", "sm_86", ("compute_86", "sm_86"), (3, 9),
    )  # fmt: skip
    assert memory_of(live, "31-1") == 1_210_000_000
    assert memory_of(live, "other") is None
    assert arch_progress(NvccUnderWay(begun("1-1", T0, archs=()))) == (0, None)
    assert arch_progress(NvccUnderWay(begun("1-1", T0, archs=("compute_80",)), seen=("compute_80",))) == (1, 1)


@pytest.mark.parametrize(("seen", "at"), [
    (("compute_80",), 0), (("compute_80", "sm_89"), 1), (("compute_80", "sm_89", "sm_86"), 2),
    (("compute_80", "sm_89", "sm_86", "sm_80"), 3),
])  # fmt: skip
def test_of_several_archs_of_one_ptx_those_count_that_were_seen(seen: tuple[str, ...], at: int) -> None:
    begins = begun("1-1", T0, archs=("sm_80", "sm_86", "sm_89"))
    assert arch_progress(NvccUnderWay(begins, seen=seen)) == (at, 3)


@pytest.mark.parametrize("archs", [("all-major",), ("all",), ("native",), ("sm_80", "native"), ()])
def test_archs_that_nvcc_chooses_itself_are_counted_as_they_are_seen(archs: tuple[str, ...]) -> None:
    seen = ("compute_80", "sm_80", "compute_90", "sm_90", "compute_100")
    call = NvccUnderWay(begun("1-1", T0, archs=archs), "ptxas", "sm_90", seen)
    assert arch_progress(call) == (2, None)


def test_a_run_that_is_over_has_no_call_under_way_and_keeps_its_ends() -> None:
    start = begun("1-1", T0)
    run = run_of(
        "20251229-100000-000-0001", [start, e.NvccPhaseBegan(T0 + 1, "1-1", "cicc", "compute_80"), ended(T0 + 9)]
    )
    assert (run.nvcc, run.nvcc_starts) == ((), (start,))
    late = reduce_run(run, [over(start), begun("2-1", T0 + 10)])
    assert late is not None
    assert (late.nvcc, len(late.nvcc_ends)) == ((), 1)


def test_what_is_measured_again_takes_the_place_of_what_was_known() -> None:
    start = begun("1-1", T0)
    first, other = measured(start, *kernels_of()), replace(measured(start), source=NTT)
    again = measured(start, *kernels_of(70))
    assert run_of("20251229-100000-000-0001", [first, other, again]).kernels == (again, other)


def test_only_the_last_calls_are_kept() -> None:
    events = [
        event
        for number in range(MAX_NVCC + 5)
        for event in compiled(begun(f"{number}-1", T0 + number, f"/w/{number}.cu"))
    ]
    run = run_of("20251229-100000-000-0001", events)
    assert len(run.nvcc_ends) == len(run.nvcc_starts) == len(run.kernels) == MAX_NVCC
    assert run.nvcc_ends[0].call == "5-1"


def test_a_batch_of_nvccs_events_says_the_same_as_one_by_one() -> None:
    start = begun("1-1", T0)
    story = [start, e.NvccPhaseBegan(T0 + 1, "1-1", "cicc", "compute_80"), over(start), measured(start, *kernels_of())]
    whole = run_of("r", story)
    for cut in range(len(story)):
        assert reduce_run(run_of("r", story[:cut]), story[cut:]) == whole
    assert board_of(whole).runs["r"] is whole
    assert compilations([whole])[0].source == GEMM


# The branch point, as git knows it


def _git(folder: Path, *words: str) -> None:
    name = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", *name, *words], cwd=folder, check=True, capture_output=True)


def test_git_tells_what_sources_were_at_the_branch_point(tmp_path: Path) -> None:
    source = tmp_path / "app" / "kernels" / "my gemm.cu"
    source.parent.mkdir(parents=True)
    source.write_text("one\n")
    there = blob_of(str(source))
    _git(tmp_path, "init", "-q", "-b", "main")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-qm", "one")
    _git(tmp_path, "checkout", "-qb", "faster")
    source.write_text("two\n")
    _git(tmp_path, "commit", "-qam", "two")
    source.write_text("three\n")
    git = git_of({"PATH": "/usr/bin:/bin", "GIT_DIR": "/nowhere"})
    places = ["kernels/my gemm.cu", "kernels/new.cu", "/usr/include/x.cu", "kernels", "", "a\nb"]
    found = branch_blobs(str(tmp_path / "app"), places, git)
    assert (found.name, found.blobs) == ("the branch point from main", {"kernels/my gemm.cu": there})
    assert len(found.commit) == 40


def test_without_git_or_a_commit_the_branch_point_is_not_known(tmp_path: Path) -> None:
    git = git_of({"PATH": "/usr/bin:/bin"})
    assert branch_blobs(str(tmp_path), ["k.cu"], git).commit == ""
    _git(tmp_path, "init", "-q")
    assert branch_blobs(str(tmp_path), ["k.cu"], git) == ("", "", {})
    assert branch_blobs(str(tmp_path / "gone"), ["k.cu"], git).commit == ""
    assert branch_blobs(str(tmp_path), ["k.cu"], git_of({"PATH": "/nowhere"})).commit == ""


def test_rows_are_made_once_for_each_two_compilations() -> None:
    book, board = queries.RowBook(), two_builds()
    found = compilations(board.runs.values())
    first = book.rows(newest(found), last_of(found))
    again = compilations(board.runs.values())
    second = book.rows(newest(again), last_of(again))
    assert first == kernel_rows(newest(found), last_of(found))
    assert all(one is other for one, other in zip(first, second, strict=True))
    alone = book.rows(newest(again), lambda _: None)
    assert {row.before for row in alone} == {None}
