"""What an edit is, what it cost, and what is said of it."""

import itertools
import json
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from core.events.native import NvccEnded, Phase
from core.native.edits import checkout_state, iteration_book, iteration_watch
from core.native.edits.budgets import read_budgets, rows_with_budgets
from core.native.edits.edit_class import EditClass, class_of, kind_of
from core.native.edits.iteration_book import keep, keep_iteration, read_iterations
from core.native.edits.iteration_of import measure
from core.native.edits.iterations import BUDGETS, Budget, Iteration, from_record, merged, rows_of, to_record, unseen_now
from core.native.edits.wait_phases import CARGO, CPP, LINK, NVCC, RUSTC, SCRIPT, Piece, divide, nvcc_pieces
from core.paths import Paths
from tests.core.iteration_world import FILE_OF, IterationWorld

# Classes


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/w/src/a.rs", "rust"), ("/w/k/gemm.cu", "cu"), ("/w/k/x.cpp", "cpp"), ("/w/k/x.C", "cpp"),
        ("/w/k/x.cuh", "header"), ("/w/k/x.hpp", "header"), ("/w/CMakeLists.txt", "cmake"), ("/w/f.cmake", "cmake"),
        ("/w/config.h.in", "other"), ("/w/x.cmake.in", "cmake"), ("/w/build.rs", "build.rs"),
        ("/w/tools/script.rs", "build.rs"), ("/w/Cargo.toml", "manifest"), ("/w/.cargo/config.toml", "manifest"),
        ("/w/config.toml", "other"), ("/w/rust-toolchain", "manifest"), ("/w/table", "other"), ("", "other"),
    ],
)  # fmt: skip
def test_the_kind_of_a_file_is_told_by_its_name(path: str, kind: str) -> None:
    assert kind_of(path, frozenset(("/w/tools/script.rs",))) == kind


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ([], None), (["a.rs", "b.rs"], "rust"), (["a.cu"], "cu"), (["a.cu", "a.cu"], "cu"),
        (["a.cu", "b.cu"], "several"), (["a.cpp", "b.cpp"], "several"), (["a.h", "b.cuh"], "header"),
        (["a.rs", "a.cu"], "several"),
        (["Cargo.toml", "Cargo.lock"], "manifest"),
    ],
)  # fmt: skip
def test_the_class_of_an_edit(changed: list[str], kind: str | None) -> None:
    assert class_of(changed) == kind


def test_what_cmake_reads_is_cmakes_where_its_name_says_nothing_else() -> None:
    known = frozenset(("/w/version.txt", "/w/config.h.in", "/w/k/x.cuh"))
    kinds = [class_of([path], frozenset(), known) for path in (*sorted(known), "/w/other.txt")]
    assert kinds == ["cmake", "header", "cmake", "other"]


# Where the time goes


def test_each_moment_is_given_to_what_was_started_last_and_all_of_them_are_the_wall_time() -> None:
    pieces = [
        Piece(SCRIPT, 101, 106), Piece(NVCC, 102, 104), Piece("cicc", 102, 103), Piece("ptxas", 103, 103.5),
        Piece(CPP, 104, 105), Piece(RUSTC, 106, 109), Piece(LINK, 108, 109.5),
    ]  # fmt: skip
    spent = divide(100, 110, pieces)
    assert spent == pytest.approx(
        {CARGO: 1.5, SCRIPT: 2, "cicc": 1, "ptxas": 0.5, NVCC: 0.5, CPP: 1, RUSTC: 2, LINK: 1.5}
    )
    assert sum(spent.values()) == pytest.approx(10)
    assert list(spent) == sorted(spent, key=lambda what: -spent[what])


def test_what_runs_side_by_side_shares_the_moment() -> None:
    assert divide(0, 4, [Piece(RUSTC, 0, 4), Piece("cicc", 0, 4), Piece("cicc", 2, 4)]) == {RUSTC: 2, "cicc": 2}


def test_what_lies_outside_of_the_run_counts_for_nothing() -> None:
    assert divide(10, 12, [Piece(LINK, 0, 11), Piece(RUSTC, 13, 20), Piece(CPP, 11.5, 11.5)]) == {LINK: 1, CARGO: 1}


def test_many_random_pieces_never_make_more_or_less_than_the_wall_time() -> None:
    rng = random.Random(7)
    for _ in range(200):
        pieces = [
            Piece(rng.choice((RUSTC, SCRIPT, NVCC, "cicc", LINK, CPP)), rng.uniform(-5, 15), rng.uniform(-5, 15))
            for _ in range(rng.randrange(12))
        ]
        assert sum(divide(0, 10, pieces).values()) == pytest.approx(10)


def call(elapsed_s: float, *phases: tuple[str, float]) -> NvccEnded:
    return NvccEnded(0.0, "1", "", "/a.cu", "/a.o", "object", 50.0, elapsed_s, 1.0, 1, 0, None, 1, "miss", "",
                     tuple(Phase(tool, "sm_90", s) for tool, s in phases))  # fmt: skip


def test_tools_of_nvcc_follow_one_another_in_its_call_and_are_shortened_where_they_ran_side_by_side() -> None:
    found = nvcc_pieces(call(2.0, ("gcc (preprocessing 1)", 1.0), ("cicc", 2.0), ("gcc (compiling)", 1.0)))
    assert found == [
        Piece("nvcc", 50, 52), Piece("preprocess", 50, 50.5), Piece("cicc", 50.5, 51.5),
        Piece("host compiler", 51.5, 52),
    ]  # fmt: skip
    assert nvcc_pieces(call(2.0)) == [Piece("nvcc", 50, 52)]


# What is kept of a checkout


@pytest.fixture
def world(tmp_path: Path) -> IterationWorld:
    """A package that was built once."""
    one = IterationWorld(tmp_path)
    one.run(100.0, nvcc={"cicc": 1.0})
    return one


@pytest.mark.parametrize("kind", FILE_OF)
def test_a_run_after_an_edit_has_the_class_of_the_edit(world: IterationWorld, kind: str) -> None:
    world.edit(FILE_OF[kind])
    run = world.run(2.0)
    (one,) = read_iterations(world.paths)
    assert (one.run, one.kind, one.changed) == (run, kind, (str(world.root / FILE_OF[kind]),))


def test_a_run_after_nothing_changed_is_no_iteration_though_files_were_touched(world: IterationWorld) -> None:
    for name in FILE_OF.values():
        os.utime(world.root / name, (1, 1))
    world.run(2.0)
    assert read_iterations(world.paths) == ()


def test_an_edit_that_was_taken_back_is_none(world: IterationWorld) -> None:
    before = (world.root / "src/lib.rs").read_text()
    world.edit("src/lib.rs")
    world.write("src/lib.rs", before)
    world.run(2.0)
    assert read_iterations(world.paths) == ()


def test_what_a_stopped_or_failed_build_did_not_build_counts_for_the_next_one(world: IterationWorld) -> None:
    world.edit("kernels/a.cu")
    world.run(1.0, code=None, is_stopped=True)
    world.edit("src/more.rs")
    world.run(1.0, code=101)
    world.edit("src/more.rs")
    world.run(3.0)
    world.edit("src/more.rs")
    world.run(0.5)
    found = read_iterations(world.paths)
    assert [(one.kind, one.state) for one in found] == [
        ("cu", "stopped"), ("several", "failed"), ("several", "done"), ("rust", "done"),
    ]  # fmt: skip


def test_tests_that_failed_do_not_mean_that_nothing_was_built(world: IterationWorld) -> None:
    world.run(5.0, command="test")
    for _ in range(2):
        world.edit("src/more.rs")
        world.run(2.0, command="test", code=101, is_built=True)
    assert [(one.kind, one.changed_count, one.state) for one in read_iterations(world.paths)] == [
        ("rust", 1, "failed"), ("rust", 1, "failed"),
    ]  # fmt: skip


def test_each_command_is_compared_with_its_own_last_run(world: IterationWorld) -> None:
    world.run(1.0, command="check")
    world.edit("src/more.rs")
    world.run(0.3, command="check")
    world.edit("kernels/a.cu")
    world.run(3.0)
    assert [(one.command, one.kind) for one in read_iterations(world.paths)] == [
        ("check", "rust"),
        ("build", "several"),
    ]


def test_what_is_saved_while_it_builds_is_the_next_edit(world: IterationWorld) -> None:
    from core.facts import read_record

    world.edit("src/more.rs")
    run = world.run(1.0)
    record = read_record(world.paths, run)
    assert record is not None
    before = checkout_state.read_state(world.draft_of(record.started).state_path)
    assert before is not None
    world.edit("kernels/b.cu")
    world.run(1.0)
    assert [one.kind for one in read_iterations(world.paths)] == ["rust", "cu"]


def test_a_state_that_is_too_long_for_the_engine_is_read_by_who_settles(
    world: IterationWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iteration_watch, "_MOST_STATE_BYTES", 100)
    for name in ("src/lib.rs", "kernels/b.cu"):
        world.edit(name)
        world.run(1.0)
    assert [one.kind for one in read_iterations(world.paths)] == ["rust", "cu"]


@pytest.mark.parametrize("is_hurried", [True, False])
def test_what_there_is_no_time_for_as_a_run_begins_is_looked_at_later(world: IterationWorld, is_hurried: bool) -> None:
    world.is_hurried = is_hurried
    world.ticks = itertools.count()  # each look at the clock is a second later
    world.edit("src/lib.rs")
    world.run(1.0)
    world.edit("kernels/b.cu")
    world.run(1.0)
    found = read_iterations(world.paths)
    assert [(one.kind, [os.path.basename(path) for path in one.changed]) for one in found] == [
        ("rust", ["lib.rs"]), ("cu", ["b.cu"]),
    ]  # fmt: skip


def test_a_new_target_dir_makes_a_clean_build(world: IterationWorld) -> None:
    (world.root / "target/CACHEDIR.TAG").write_text("")
    os.utime(world.root / "target/CACHEDIR.TAG")
    world.now = os.stat(world.root / "target/CACHEDIR.TAG").st_ctime - 0.01
    world.edit("src/lib.rs")
    world.run(90.0)
    assert [one.kind for one in read_iterations(world.paths)] == ["clean"]


@pytest.fixture
def today(tmp_path: Path) -> IterationWorld:
    """A package that was built once, in the time of its files."""
    one = IterationWorld(tmp_path)
    one.meet_files()
    one.run(0.0)
    return one


def test_a_new_header_that_is_read_now_is_a_part_of_the_edit(today: IterationWorld) -> None:
    today.edit_later("kernels/new.cuh")
    today.run(2.0)
    assert [(one.kind, one.changed) for one in read_iterations(today.paths)] == [
        ("header", (str(today.root / "kernels/new.cuh"),))
    ]


def test_what_is_saved_after_a_build_that_no_engine_saw_is_the_next_edit(today: IterationWorld) -> None:
    today.edit_later("src/more.rs")
    built = today.run(0.0, unseen=lambda: today.edit_later("kernels/a.cu"))
    later = today.run(0.0)
    found = [(one.run, one.kind, one.changed_count) for one in read_iterations(today.paths)]
    assert found == [(built, "rust", 1), (later, "cu", 1)]


def test_what_is_saved_after_the_first_build_of_all_is_the_next_edit(tmp_path: Path) -> None:
    world = IterationWorld(tmp_path)
    world.meet_files()
    world.run(0.0, unseen=lambda: world.edit_later("kernels/a.cu"))
    later = world.run(0.0)
    assert [(one.run, one.kind) for one in read_iterations(world.paths)] == [(later, "cu")]


def test_what_is_saved_after_nvcc_began_to_read_it_in_the_first_build_is_the_next_edit(tmp_path: Path) -> None:
    world = IterationWorld(tmp_path)
    world.meet_files()
    began = world.now
    world.edit_later("kernels/a.cu")
    saved, world.now = world.now, began
    world.run(100.0, nvcc={"cicc": 1.0})
    assert saved < world.now
    later = world.run(1.0)
    assert [(one.run, one.kind) for one in read_iterations(world.paths)] == [(later, "cu")]


def test_the_lock_file_that_cargo_writes_for_an_edit_is_not_the_next_one(tmp_path: Path) -> None:
    world = IterationWorld(tmp_path)
    world.write("Cargo.lock", "one")
    world.meet_files()
    world.run(0.0)
    world.edit_later("Cargo.toml")
    began = world.now
    world.edit_later("Cargo.lock")
    built, world.now = world.now, began
    world.run(built - began)
    world.edit_later("src/more.rs")
    world.run(0.0)
    assert [one.kind for one in read_iterations(world.paths)] == ["manifest", "rust"]


def test_runs_that_are_settled_late_or_in_another_order_have_their_own_edits(today: IterationWorld) -> None:
    found: list[str] = []
    settles: list[Callable[[], None]] = []
    for name in ("kernels/a.cu", "src/more.rs", "kernels/b.cu", "src/lib.rs"):
        today.edit_later(name)
        run, settle = today.run_unsettled(0.0)
        found.append(run)
        settles.append(settle)
        if name == "src/more.rs":
            settles[0]()
            settles[1]()
    settles[3]()
    settles[2]()
    today.edit_later("kernels/host.cpp")
    found.append(today.run(0.0))
    kinds = {one.run: str(one.kind) for one in read_iterations(today.paths)}
    assert [kinds[run] for run in found] == ["cu", "rust", "cu", "several", "cpp"]


def test_an_iteration_has_its_time_by_phase_and_the_calls_of_nvcc(world: IterationWorld) -> None:
    world.edit("kernels/a.cu")
    world.run(5.0, link_s=0.5, nvcc={"cicc": 2.0, "ptxas": 1.0})
    (one,) = read_iterations(world.paths)
    assert one.phases == pytest.approx({"cicc": 2.0, "rest": 1.5, "ptxas": 1.0, "link": 0.5})
    assert (one.nvcc_calls, one.nvcc_hits) == (1, 0)


@pytest.mark.parametrize(
    ("words", "rest"), [("make -C out", "rest"), ("cmake --build out", "rest"), ("./b", "program")]
)
def test_what_make_does_not_tell_of_is_no_programs_time(world: IterationWorld, words: str, rest: str) -> None:
    world.write("out/Makefile", "all:\n")
    run = world.run(2.0)
    record = Path(world.paths.run(run)) / "run.json"
    said = {"tool": "exec", "subcommand": words.split()[0], "command": words, "target_dir": None}
    record.write_text(json.dumps({**json.loads(record.read_text()), **said}))
    measured = measure(world.paths, run)
    assert measured is not None
    assert measured.phases == pytest.approx({rest: 1.9, "link": 0.1})


def test_an_edit_that_made_nothing_is_told_and_leaves_the_next_edit_of_another_file_its_class(
    world: IterationWorld,
) -> None:
    world.edit("kernels/n.cuh")
    world.is_fresh = True
    world.run(0.1, link_s=0.0)
    world.is_fresh = False
    world.edit("kernels/a.cu")
    world.run(2.0, nvcc={"cicc": 1.0})
    found = read_iterations(world.paths)
    assert [(one.kind, one.is_idle, one.has_built) for one in found] == [("header", True, False), ("cu", False, True)]


@pytest.mark.parametrize("has_front", [True, False])
def test_an_edit_that_nvcc_did_not_see_is_told_where_it_would_have_been_noted(
    world: IterationWorld, has_front: bool
) -> None:
    world.has_front = has_front
    world.edit("kernels/a.cu")
    world.run(2.0, nvcc={"cicc": 1.0})
    world.edit("kernels/n.cuh")
    world.run(0.7)
    seen, unseen = read_iterations(world.paths)
    assert (seen.unseen, seen.is_idle) == ((), False)
    assert (unseen.unseen, unseen.is_idle) == ((str(world.root / "kernels/n.cuh"),) if has_front else (), has_front)


def test_in_a_build_tree_what_was_written_there_tells_that_something_was_made(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    paths = Paths(str(tmp_path / "state"), str(tmp_path / "cache"))
    (tmp_path / "out/build.ninja").write_text("")
    os.utime(tmp_path / "out/build.ninja", (1, 1))
    began = os.stat(tmp_path / "out").st_mtime
    for run, name, has_built in (("r1", ".ninja_log", False), ("r2", "app", True)):
        os.makedirs(paths.run(run))
        (tmp_path / "out" / name).write_text("")
        record = {"schema": 1, "run": run, "agent": "me", "tool": "exec", "subcommand": "ninja", "owner": True,
                  "command": "ninja -C out", "typed": ["ninja", "-C", "out"], "cwd": str(tmp_path), "env": {},
                  "checkout": str(tmp_path), "target_dir": None, "started": began, "streams": 1}  # fmt: skip
        Path(paths.run(run), "run.json").write_text(json.dumps(record))
        ended = {"code": 0, "signal": None, "ended": began + 1, "wall_s": 1.0, "stopped_by": None}
        Path(paths.run(run), "exit.json").write_text(json.dumps(ended))
        measured = measure(paths, run)
        assert measured is not None
        assert measured.has_built is has_built


def test_without_a_front_nothing_is_said_of_nvcc(world: IterationWorld) -> None:
    world.edit("kernels/a.cu")
    world.run(5.0)
    (one,) = read_iterations(world.paths)
    assert (one.nvcc_calls, one.nvcc_hits) == (None, None)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"schema": 9}', b'{"schema":1,"at":1,"files":{"a":[1]}}', b"\xff"]
)
def test_a_damaged_state_of_a_checkout_is_none_and_the_next_run_writes_it_anew(
    world: IterationWorld, content: bytes
) -> None:
    (name,) = os.listdir(checkout_state.folder_of(world.paths))
    path = Path(checkout_state.folder_of(world.paths), name)
    path.write_bytes(content)
    assert checkout_state.read_state(str(path)) is None
    world.edit("src/more.rs")
    world.run(1.0)
    world.edit("kernels/a.cu")
    world.run(1.0)
    assert [one.kind for one in read_iterations(world.paths)] == ["cu"]


def test_of_many_checkouts_the_oldest_states_go(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path), str(tmp_path))
    for number in range(checkout_state.MOST_STATES + 5):
        path = checkout_state.path_of(paths, f"/w{number}", None, "build")
        checkout_state.write_state(path, checkout_state.CheckoutState(1.0), checkout="", command="")
        os.utime(path, (number, number))
    left = os.listdir(checkout_state.folder_of(paths))
    assert len(left) == checkout_state.MOST_STATES
    newest = checkout_state.path_of(paths, f"/w{checkout_state.MOST_STATES + 4}", None, "build")
    assert os.path.basename(newest) in left


# An hour of edits

_USUAL_S = {"rust": 1.2, "cu": 4.0, "cpp": 3.5, "header": 9.0, "cmake": 41.0, "build.rs": 12.0, "manifest": 6.0}


def test_the_table_of_an_hour_of_edits(world: IterationWorld) -> None:
    rng = random.Random(3)
    kinds = (
        ["rust"] * 40
        + ["cu"] * 30
        + ["cpp"] * 8
        + ["header"] * 12
        + ["cmake"] * 4
        + ["build.rs"] * 3
        + ["manifest"] * 4
    )
    rng.shuffle(kinds)
    waits: dict[str, list[float]] = {}
    began = world.now
    for number, kind in enumerate(kinds):
        wall_s = _USUAL_S[kind] * rng.uniform(0.9, 1.1)
        world.edit(FILE_OF[kind])
        if number % 10 == 9:
            world.run(0.4, code=None, is_stopped=True)
        if number % 10 == 4:
            world.run(0.6, code=101)
        world.run(wall_s, nvcc={"cicc": wall_s / 2, "ptxas": wall_s / 4} if kind in ("cu", "header") else None)
        waits.setdefault(kind, []).append(wall_s)
        world.now += 24.0
    assert 2700 < world.now - began < 4500, "an hour"

    rows = {row.kind: row for row in rows_of(read_iterations(world.paths))}
    assert list(rows) == ["rust", "cu", "cpp", "header", "cmake", "build.rs", "manifest"]
    for kind, row in rows.items():
        assert row.done == len(waits[kind])
        assert row.median_s == pytest.approx(median(waits[kind]))
        assert not row.is_slower
        assert sum(phase.median_s for phase in row.phases) == pytest.approx(row.median_s, rel=0.3)
    assert sum(row.stopped for row in rows.values()) == sum(row.failed for row in rows.values()) == 10
    assert [kind for kind, row in rows.items() if row.is_over_budget] == []
    assert rows[EditClass.CU].phases[0].what == "cicc" or "cicc" in [one.what for one in rows[EditClass.CU].phases]

    world.edit(FILE_OF["cu"])
    world.run(9.0, nvcc={"cicc": 2.0, "ptxas": 6.5})
    row = next(row for row in rows_of(read_iterations(world.paths)) if row.kind == "cu")
    assert (row.is_slower, row.culprit) == (True, "ptxas")
    assert row.trend == pytest.approx(9.0 / median(waits["cu"][-10:]))


def test_the_table_of_edits_that_were_recorded_on_a_real_package() -> None:
    recorded = Path(__file__).parents[1] / "journals/edits.iterations.jsonl"
    found = merged(json.loads(line) for line in recorded.read_text().splitlines()[1:])
    assert len(found) > 40
    rows = {row.kind: row for row in rows_of(found)}
    assert {"rust", "cu", "cpp", "header", "cmake", "build.rs", "manifest", "several"} <= rows.keys()
    for row in rows.values():
        for one in found:
            if one.kind == row.kind and one.phases:
                assert sum(one.phases.values()) == pytest.approx(one.wall_s, abs=0.02)
    assert (rows[EditClass.RUST].median_s or 1e9) < (rows[EditClass.CU].median_s or 0.0)
    assert {phase.what for phase in rows[EditClass.CU].phases} >= {"cicc", "ptxas", "cudafe++"}
    assert "cicc" not in {phase.what for phase in rows[EditClass.RUST].phases}
    assert "cmake" in {phase.what for phase in rows[EditClass.CMAKE].phases}
    assert "c++" in {phase.what for phase in rows[EditClass.CPP].phases}


# Rows


def iteration(number: int, wait_s: float, **changed: object) -> Iteration:
    one = Iteration(f"r{number:03d}", float(number), "/w", "build", EditClass.RUST, "done", wait_s)
    return replace(one, **changed)  # type: ignore[arg-type]


def one_row(waits: list[float]) -> object:
    (row,) = rows_of(iteration(at, wait) for at, wait in enumerate(waits))
    return row


@pytest.mark.parametrize(
    ("waits", "is_slower"),
    [
        ([1.0] * 10 + [1.1], False), ([1.0] * 10 + [2.0], True), ([1.0, 1.0, 9.0], False),
        ([1.0, 2.0, 3.0, 2.5], False),
        ([0.1] * 10 + [0.3], False), ([1.0] * 10 + [0.5], False), ([2.0] * 50 + [1.0] * 10 + [2.0], True),
    ],
)  # fmt: skip
def test_the_last_one_is_marked_only_where_it_is_slower_than_the_ten_before_beyond_noise(
    waits: list[float], is_slower: bool
) -> None:
    assert getattr(one_row(waits), "is_slower") is is_slower  # noqa: B009


def test_with_less_than_four_there_is_no_trend() -> None:
    assert getattr(one_row([1.0, 1.0, 1.0]), "trend") is None  # noqa: B009
    assert getattr(one_row([1.0, 1.0, 1.0, 2.0]), "trend") == 2.0  # noqa: B009


def test_what_built_nothing_is_counted_apart_and_the_first_real_one_is_no_alarm() -> None:
    header = {"kind": EditClass.HEADER, "changed": ("/w/n.cuh",), "changed_count": 1}
    idle = [iteration(at, 0.09, phases={"cargo": 0.09}, **header) for at in range(4)]
    built = iteration(5, 3.0, phases={"cicc": 2.0, "cargo": 1.0}, nvcc_calls=2, nvcc_hits=0, **header)
    (row,) = rows_of([*idle, built])
    assert (row.done, row.idle, row.median_s, row.is_slower, row.before_s) == (1, 4, 3.0, False, None)
    (row,) = rows_of([iteration(at, 0.2, phases={"rest": 0.2}, has_built=False) for at in range(2)])
    assert (row.done, row.idle, row.median_s, row.last) == (0, 2, None, None)
    assert row.newest is not None
    (row,) = rows_of([iteration(0, 0.4, phases={"rustc": 0.4}, has_built=True, unseen=("/w/n.cuh",), **header)])
    assert (row.done, row.idle) == (0, 1), "the crate was made, but nothing of the header"


def test_answers_of_nvccs_cache_are_not_compared_with_what_compiled() -> None:
    cu = {"kind": EditClass.CU, "nvcc_calls": 2}
    answered = [iteration(at, 0.3, nvcc_hits=2, **cu) for at in range(4)]
    compiled = iteration(5, 3.0, nvcc_hits=1, **cu)
    (row,) = rows_of([*answered, compiled])
    assert (row.done, row.answered, row.median_s, row.is_slower) == (1, 4, 3.0, False)
    (row,) = rows_of(answered)
    assert (row.done, row.answered, row.median_s) == (4, 4, 0.3)
    (row,) = rows_of([replace(one, kind=EditClass.RUST) for one in (*answered, compiled)])
    assert (row.done, row.answered) == (5, 0), "what a Rust edit costs where the build script runs each time"


def test_only_files_whose_last_edit_nvcc_did_not_see_are_named() -> None:
    missed = {"changed": ("/w/n.cuh",), "changed_count": 1, "unseen": ("/w/n.cuh",)}
    seen = {"changed": ("/w/n.cuh",), "changed_count": 1, "nvcc_calls": 1}
    other = iteration(3, 0.1, changed=("/w/m.cuh",), changed_count=1, unseen=("/w/m.cuh",))
    assert unseen_now([iteration(1, 0.1, **missed), iteration(2, 2.0, **seen)]) == ()
    assert unseen_now([iteration(2, 2.0, **seen), iteration(4, 0.1, **missed), other]) == ("/w/n.cuh", "/w/m.cuh")
    tested = iteration(5, 0.1, changed=("/w/n.cuh",), changed_count=1, has_built=False)
    assert unseen_now([iteration(4, 0.1, **missed), tested]) == ("/w/n.cuh",)


def test_the_wait_since_the_save_counts_where_it_is_known() -> None:
    (row,) = rows_of([iteration(1, 1.0, since_save_s=1.4)])
    assert row.median_s == 1.4


def test_the_command_that_was_used_last_comes_first() -> None:
    rows = rows_of([iteration(1, 1.0, command="old"), iteration(2, 1.0, command="new"), iteration(3, 1, kind="cu")])
    assert [(row.command, row.kind) for row in rows] == [("build", "cu"), ("new", "rust"), ("old", "rust")]


def test_a_budget_is_exceeded_where_half_of_them_take_longer() -> None:
    budgets = {EditClass.RUST: Budget(0, 2.0, "deck.toml")}
    (row,) = rows_of([iteration(at, wait) for at, wait in enumerate((1.0, 2.5, 2.6))], budgets)
    assert row.is_over_budget
    (row,) = rows_of([iteration(at, wait) for at, wait in enumerate((1.0, 1.5, 2.6))], budgets)
    assert not row.is_over_budget


def test_built_in_budgets_are_those_of_commands_that_built_kernels() -> None:
    def budgets(*iterations: Iteration, own: Budget | None = None) -> list[Budget | None]:
        given = BUDGETS if own is None else {**BUDGETS, EditClass.RUST: own}
        return [row.budget for row in rows_of(iterations, given)]

    plain = Iteration("r1", 1.0, "/w", "build", EditClass.RUST, "done", 3.0)
    assert budgets(plain) == budgets(replace(plain, nvcc_calls=0)) == [None]
    assert budgets(replace(plain, nvcc_calls=2)) == [BUDGETS[EditClass.RUST]]
    kernel = replace(plain, run="r2", at=2.0, kind=EditClass.CU)
    assert budgets(plain, kernel) == [BUDGETS[EditClass.RUST], BUDGETS[EditClass.CU]]
    assert budgets(plain, replace(kernel, checkout="/v")) == [BUDGETS[EditClass.CU], None]
    mine = Budget(0.0, 1.5, "deck.toml")
    assert budgets(plain, own=mine) == [mine]


def test_budgets_of_the_project_count_more_than_those_of_the_person(tmp_path: Path) -> None:
    (tmp_path / "conf/cargo-deck").mkdir(parents=True)
    (tmp_path / "conf/cargo-deck/config.toml").write_text("[budgets]\nrust = 9\ncpp = 8\n")
    (tmp_path / "deck.toml").write_text('[budgets]\nrust = 1.5\ncu = "x"\nnone = 3\nheader = -1\nbuild-rs = 20\n')
    found = read_budgets("", str(tmp_path), {"XDG_CONFIG_HOME": str(tmp_path / "conf"), "HOME": str(tmp_path)})
    assert found.by_class[EditClass.RUST] == Budget(0, 1.5, "deck.toml")
    assert found.by_class[EditClass.CPP] == Budget(0, 8, "config.toml")
    assert found.by_class[EditClass.BUILD_RS] == Budget(0, 20, "deck.toml")
    assert found.by_class[EditClass.CU] == BUDGETS[EditClass.CU]
    assert [one.origin.line for one in found.troubles] == [3, 4, 5]


def test_each_checkout_has_budgets_of_its_own(tmp_path: Path) -> None:
    for name, seconds in (("a", 1.5), ("b", 9)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "deck.toml").write_text(f"[budgets]\nrust = {seconds}\n")
    found = [
        Iteration(f"r{at}", at, str(tmp_path / name), "build", EditClass.RUST, "done", 3.0)
        for at, name in enumerate(("a", "b", "a"))
    ]
    rows = rows_with_budgets("", found, {"HOME": str(tmp_path)})
    assert [(row.checkout[-1], row.done, row.budget and row.budget.most_s) for row in rows] == [
        ("a", 2, 1.5),
        ("b", 1, 9),
    ]


# The file


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A user's empty state."""
    return Paths(str(tmp_path / "state"), str(tmp_path / "cache"))


def test_what_is_kept_is_read_again(paths: Paths) -> None:
    one = iteration(1, 2.0, changed=("/w/a.rs",), changed_count=1, phases={"rustc": 1.5, "cargo": 0.5}, nvcc_calls=0)
    keep_iteration(paths, one)
    assert read_iterations(paths) == (one,)


def test_what_becomes_known_later_is_added_to_an_iteration(paths: Paths) -> None:
    keep_iteration(paths, iteration(1, 2.0))
    keep(paths, {"run": "r001", "since_save_s": 2.2, "test_run": "r002", "test_s": 0.0, "test_code": 0})
    keep_iteration(paths, iteration(1, 2.0))
    keep_iteration(paths, iteration(2, 5.0))
    (one,) = read_iterations(paths)
    assert (one.since_save_s, one.test_run, one.test_s, one.test_code) == (2.2, "r002", 0.0, 0)


def test_a_watch_knows_best_what_was_saved(paths: Paths) -> None:
    os.makedirs(paths.run("r001"))
    keep(paths, {**to_record(iteration(1, 2.0, kind=EditClass.CU)), "by": "watch"})
    keep_iteration(paths, iteration(1, 2.0, kind=EditClass.SEVERAL, nvcc_calls=3))
    for _ in range(2):
        (one,) = read_iterations(paths)
        assert (one.kind, one.nvcc_calls) == ("cu", 3)
        Path(iteration_book.path_of(paths)).unlink(missing_ok=True)


def test_torn_and_foreign_lines_are_passed_over(paths: Paths) -> None:
    keep_iteration(paths, iteration(1, 1.0))
    with open(iteration_book.path_of(paths), "ab") as file:
        file.write(b'\n[1]\n{"run": 5}\n{"run": "x"}\n\xff\xfe\n' + b"[" * 5000 + b'\n{"run": "torn", "at"')
    keep_iteration(paths, iteration(2, 1.0))
    assert [one.run for one in read_iterations(paths)] == ["r001", "r002"]


@pytest.mark.parametrize("content", [b"", b"nonsense\n", b"{}\n", b'{"schema": "x"}\n'])
def test_where_the_file_is_none_it_is_made_anew_from_the_runs(paths: Paths, content: bytes) -> None:
    for number in (1, 2):
        os.makedirs(paths.run(f"r{number:03d}"))
        keep_iteration(paths, iteration(number, 1.0))
    Path(iteration_book.path_of(paths)).write_bytes(content)
    assert [one.run for one in read_iterations(paths)] == ["r001", "r002"]
    keep_iteration(paths, iteration(3, 1.0))
    assert [one.run for one in read_iterations(paths)] == ["r001", "r002", "r003"]
    assert Path(iteration_book.path_of(paths)).read_bytes().startswith(b'{"schema": 1}\n')


def test_the_file_of_a_newer_version_is_left_alone(paths: Paths) -> None:
    os.makedirs(paths.state)
    path = Path(iteration_book.path_of(paths))
    path.write_bytes(b'{"schema": 99}\n{"new": 1}\n')
    os.makedirs(paths.run("r001"))
    keep_iteration(paths, iteration(1, 1.0))
    assert path.read_bytes() == b'{"schema": 99}\n{"new": 1}\n'
    assert [one.run for one in read_iterations(paths)] == ["r001"], "from the run itself"


def test_a_file_that_grew_too_long_keeps_its_newer_half(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iteration_book, "MAX_BYTES", 20_000)
    monkeypatch.setattr(iteration_book, "_KEPT", 40)
    for number in range(200):
        keep_iteration(paths, iteration(number, 1.0))
    found = read_iterations(paths)
    assert 20 <= len(found) < 100
    assert found[-1].run == "r199"
    assert os.path.getsize(iteration_book.path_of(paths)) < 25_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("run", 5), ("at", "x"), ("at", float("nan")), ("at", -1), ("wall_s", True), ("class", "what"),
        ("state", "odd"),
        ("checkout", None), ("command", "x" * 5000), ("phases", {"cicc": "x"}), ("since_save_s", []),
    ],
)  # fmt: skip
def test_a_record_with_values_of_wrong_types_is_none(name: str, value: object) -> None:
    assert from_record({**to_record(iteration(1, 1.0)), name: value}) is None


@pytest.mark.parametrize(
    ("name", "value"), [("changed", "x"), ("changed", [1, "a"]), ("phases", []), ("nvcc_calls", "2"), ("unseen", {})]
)
def test_what_is_not_needed_of_a_record_may_be_anything(name: str, value: object) -> None:
    assert from_record({**to_record(iteration(1, 1.0)), name: value}) is not None


def test_what_cannot_be_written_is_lost_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    paths = Paths(str(tmp_path / "state"), str(tmp_path / "cache"))
    keep_iteration(paths, iteration(1, 1.0))
    assert read_iterations(paths) == ()
