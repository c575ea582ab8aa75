"""`cargo deck iterations` and the lines of `cargo deck watch`: what is printed, with the fields of docs/json.md."""

import json
import os
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from core import events as e
from core.native.edits import lever_figures
from core.native.edits.edit_class import EditClass
from core.native.edits.iteration_book import keep_iteration
from core.native.edits.iterations import Budget, ClassRow, Iteration, State, rows_of
from core.native.edits.lever_figures import Figure, Measurement
from core.parsers.select import Kind, make_parser
from core.paths import Paths
from core.reduce import reduce_run
from core.watch_loop import Edit, Ended, Step, Told
from tests.tui.commands import user_folders
from tests.tui.test_cli_json import documented
from tui import format as f
from tui.cli import watch
from tui.cli.main import main
from tui.widgets import iteration_rows as words


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with eight iterations, the last of which was slower."""
    root = tmp_path / "app"
    (root / "k").mkdir(parents=True)
    (root / "Cargo.toml").write_text("[workspace]\n")
    monkeypatch.chdir(root)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "conf"))
    paths = user_folders(tmp_path / "state", monkeypatch)
    for number, wait in enumerate((3.0, 3.1, 3.0, 2.9, 6.0)):
        keep_iteration(paths, iteration(root, number, EditClass.CU, wait))
    states: tuple[State, ...] = ("failed", "stopped", "done")
    for number, state in enumerate(states, 5):
        keep_iteration(paths, replace(iteration(root, number, EditClass.RUST, 0.4), state=state))
    keep_iteration(paths, iteration(tmp_path / "other", 8, EditClass.CPP, 1.0))
    return root


def iteration(root: Path, number: int, kind: EditClass, wait: float) -> Iteration:
    spent = {"cicc": wait - 1.0, "ptxas": 0.6, "link": 0.4} if kind is EditClass.CU else {"rustc": wait}
    return Iteration(f"r{number}", float(number), str(root), "build", kind, "done", wait, "me",
                     (str(root / "k/gemm.cu"),), 1, MappingProxyType(spent), 1, 0)  # fmt: skip


def printed(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["iterations", *argv]) == 0
    return capsys.readouterr().out


def test_the_table_has_a_line_a_kind_of_edit_and_says_what_got_slower(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(capsys).splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        f"build in {here}: 6 done, 1 failed, 1 stopped",
        "edit n median last trend budget where the time goes",
        "rust 1 0.4 s 0.4 s – 1–2 s rustc 0.4 s",
        "cu 5 3.0 s 6.0 s ▲ +100 % 3–5 s slower: cicc +3.0 s · cicc 2.0 s · ptxas 0.6 s · link 0.4 s",
        "▲ cu: the last one (k/gemm.cu) took 6.0 s, those before it 3.0 s; most of it is cicc",
        "",
        "what would make it less: cargo deck iterations --levers k/gemm.cu",
        "",
        "what a native crate apart, fewer symbols, a cache, a linker would gain: cargo deck advise",
    ]


def test_what_built_nothing_and_what_a_cache_answered_is_counted_beside_the_others(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answered = replace(iteration(here, 8, EditClass.CU, 1.1), nvcc_hits=1)
    idle = replace(iteration(here, 9, EditClass.CU, 1.1), nvcc_calls=None, has_built=False)
    keep_iteration(_paths(), replace(answered, run="answered"))
    keep_iteration(_paths(), replace(idle, run="idle"))
    head = printed(capsys).splitlines()[0]
    assert head == f"build  in {here}: 7 done (1 answered by nvcc's cache), 1 built nothing, 1 failed, 1 stopped"


def test_advice_is_named_only_where_cargo_builds(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "Cargo.toml").unlink()
    said = printed(capsys, "--all")
    assert "3.0 s" in said
    assert "cargo deck advise" not in said


def test_other_checkouts_are_shown_on_request(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"in {here.parent}/other" not in printed(capsys)
    assert f"build  in {here.parent}/other: 1 done" in printed(capsys, "--all")


def test_budgets_of_the_project_are_shown_and_what_is_wrong_in_them_is_said(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "deck.toml").write_text('[budgets]\ncu = 2.5\nrust = "fast"\n')
    assert main(["iterations"]) == 0
    said = capsys.readouterr()
    assert "≤2.5 s" in said.out
    assert f"{here}/deck.toml:3: budgets.rust is seconds" in said.err


def test_without_any_iteration_it_says_how_to_get_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    user_folders(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert "cargo deck watch" in printed(capsys)


def test_json_has_the_fields_that_are_documented(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lever_figures.append(_paths(), measurement(here))
    found = json.loads(printed(capsys, "--json"))
    assert found.keys() == {"schema", "version"} | documented("## `cargo-deck/iterations` (version 1)")
    assert all(row.keys() == documented("### A row") for row in found["rows"])
    assert all(one.keys() == documented("### An iteration") for one in found["iterations"])
    assert all(one.keys() == documented("## `cargo-deck/levers` (version 1)") for one in found["levers"])
    assert all(one.keys() == documented("### A figure") for one in found["levers"][0]["figures"])
    assert [(row["class"], row["done"], row["is_slower"], row["culprit"]) for row in found["rows"]] == [
        ("rust", 1, False, None), ("cu", 5, True, "cicc"),
    ]  # fmt: skip


def _paths() -> Paths:
    from tui.cli.common import user_paths

    return user_paths()


def measurement(root: Path) -> Measurement:
    return Measurement(1.0, str(root / "k/gemm.cu"), "13.0.88", 2, 7, 0.05, (
        Figure("as it is", "", 3.0, None, None, None, "", 1, 14_000),
        Figure("as it is, again", "", 3.0, 1.0, 0.99, 1.02, "within noise", 1, 14_000),
        Figure("one arch: sm_90", "no code for sm_80", 1.9, 0.62, 0.6, 0.65, "faster", 1, 11_000),
        Figure("-cubin, sm_90", "nothing to link", None, None, None, None, "", None, None, "exit 1: no"),
    ))  # fmt: skip


def test_what_levers_gave_here_is_shown(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lever_figures.append(_paths(), measurement(here))
    assert "measured here:\n  gemm.cu: one arch sm_90 ×0.62 (no code for sm_80)" in printed(capsys)
    lines = [words.lever_cells(one) for one in measurement(here).figures]
    assert lines[2] == ("one arch: sm_90", "1.9 s", "×0.62 (0.60–0.65)", "faster", "11 K", "no code for sm_80")
    assert lines[3] == ("-cubin, sm_90", "–", "–", "failed", "–", "exit 1: no")
    slow = replace(measurement(here), figures=measurement(here).figures[:2])
    assert words.lever_words(slow) == "gemm.cu: no lever is faster beyond noise"


@pytest.mark.parametrize("room", [60, 80, 100])
def test_no_line_is_wider_than_the_terminal_and_none_is_parted_within_a_word(
    room: int, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    faster = [
        Figure(f"one arch: sm_{n}0", "9 of 9 archs", 0.4, 0.38, 0.3, 0.4, "faster", None, None) for n in (7, 8, 9)
    ]
    lever_figures.append(_paths(), Measurement(1.0, f"{here}/k/gemm.cu", "13.0", 2, 7, 0.05, tuple(faster)))
    assert main(["iterations"]) == 0
    whole = capsys.readouterr().out
    monkeypatch.setattr("tui.cli.common.room", lambda: room)
    assert main(["iterations"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(f.cell_len(line) for line in lines) <= room
    lines = lines[next(at for at, line in enumerate(lines) if line.startswith("edit ")) :]  # above it stands a path
    assert {word for line in lines for word in line.split() if "…" not in word} <= set(whole.split())
    assert max(f.cell_len(line) for line in whole.splitlines()) > 100, "whole where it is piped"


@pytest.mark.parametrize("argv", [("--levers", "x.cu", "--rounds", "2"), ("--levers", "x.cu", "--arch", "90"),
                                  ("--levers", "x.cu"), ("--what",)])  # fmt: skip
def test_what_cannot_be_measured_is_refused_with_a_sentence(
    here: Path, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...]
) -> None:
    assert main(["iterations", *argv]) == 2
    assert capsys.readouterr().err.startswith("cargo-deck: ")


# Rows of a screen


def test_above_the_rows_of_a_command_stands_how_many_built_nothing() -> None:
    idle = replace(iteration(Path("/w"), 1, EditClass.HEADER, 0.1), nvcc_calls=None, has_built=False)
    built = replace(iteration(Path("/w"), 2, EditClass.CU, 3.0), run="r2")
    found = rows_of([idle, built])
    assert words.iteration_rows(found)[0].cells[0].text == "build in w: 1 built nothing"
    assert words.iteration_rows(rows_of([built]))[0].cells[0].text == "build in w"
    header = next(row for row in found if row.kind is EditClass.HEADER)
    assert [cell.text for cell in words.brief(header)][1].endswith("cargo deck stale says why · rustc 0.1 s")


def rows() -> tuple[ClassRow, ...]:
    kernels = rows_of(iteration(Path("/w"), number, EditClass.CU, 3.0) for number in range(5))
    checked = replace(iteration(Path("/v"), 9, EditClass.RUST, 3.0), command="check")
    return (*kernels, *rows_of([checked], {EditClass.RUST: Budget(0, 1, "deck.toml")}))


@pytest.mark.parametrize("width", [40, 59, 71, 72, 80, 200])
def test_each_row_of_a_screen_has_a_cell_a_column_and_each_command_a_row_above_its_own(width: int) -> None:
    columns = words.iteration_columns(rows(), width)
    found = words.iteration_rows(rows(), width=width)
    assert [len(row.cells) for row in found] == [1, len(columns), 1, len(columns)]
    assert [row.is_heading for row in found] == [True, False, True, False]
    assert [row.cells[0].text for row in found] == ["build in w", "cu", "check in v", "rust"]
    assert len({row.key for row in found}) == 4
    assert found[3].cells[2].role == "waiting", "over its budget"


def test_without_a_budget_there_is_no_column_for_it() -> None:
    none = rows_of([replace(iteration(Path("/v"), 9, EditClass.RUST, 3.0), nvcc_calls=None)])
    assert "budget" not in [column.title for column in words.iteration_columns(none, 120)]
    heading, row = words.iteration_rows(none)
    assert heading.cells[0].text == "build in v"
    assert len(row.cells) == len(words.iteration_columns(none, 120))


def test_the_last_edit_of_a_class_says_whether_a_compiler_ran() -> None:
    def brief(**changes: Any) -> list[tuple[str, str]]:
        one = replace(iteration(Path("/w"), 1, EditClass.HEADER, 3.0), agent="ada", changed=("/w/a.cuh",), **changes)
        return [(cell.text, cell.role) for cell in words.brief(rows_of([one])[0])]

    idle = brief(phases={"cargo": 0.06}, nvcc_calls=None, changed_count=1)
    assert idle == [
        ("header in w: last a.cuh", "strong"),
        ("3.0 s by ada · no compiler ran: cargo deck stale says why · cargo 60 ms", "waiting"),
    ]  # fmt: skip
    assert brief(phases={"cargo": 0.06, "cicc": 2.0}, nvcc_calls=2, nvcc_hits=0, changed_count=1)[1] == (
        "3.0 s by ada · nvcc 2 calls · cicc 2.0 s", "text",
    )  # fmt: skip
    assert brief(state="failed", changed_count=1) == [("header in w: none went well, 1 failed, 0 stopped", "strong")]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_long_command_leaves_room_for_where_it_ran(tmp_path: Path, width: int) -> None:
    nvcc = "nvcc" + " -gencode=arch=compute_80,code=sm_80" * 9
    one = replace(iteration(tmp_path / "app", 1, EditClass.CU, 3.0), command=nvcc)
    heading = words.iteration_rows(rows_of([one]), width=width)[0].cells[0].text
    assert heading.startswith("nvcc -genc")
    assert heading.endswith("… in app")
    assert len(heading) == width - 4


@pytest.mark.parametrize(("last", "told"), [(6.45, "▲ +115 %"), (32.9, "▲ +997 %"), (36.0, "▲ ×12"), (1.5, "−50 %")])
def test_a_trend_has_room_in_its_column(tmp_path: Path, last: float, told: str) -> None:
    waits = [*[3.0] * 10, last]
    (row,) = rows_of([iteration(tmp_path, at, EditClass.CU, wait) for at, wait in enumerate(waits)])
    (column,) = (column for column in words.iteration_columns([row], 120) if column.title == "trend")
    assert words.trend_words(row) == told
    assert len(told) <= column.width


# Lines of a watch


def told(**fields: Any) -> Told:
    edit = Edit(("/w/a.rs", "/w/b.cu", "/w/c.h", "/w/d.h"), EditClass.SEVERAL)
    return Told("ended", 5.0, 0, "r1", edit, Ended("r1", 0, wall_s=1.2), 1.5, **fields)


def test_a_line_of_a_watch_names_files_result_and_wait(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    os.makedirs(tmp_path / "w")
    monkeypatch.chdir("/")
    assert watch.edit_words(told()) == "several w/a.rs w/b.cu w/c.h +1"
    assert watch.result_words(told(), Ended("r1", 0, wall_s=1.2)) == "ok 1.2 s (1.5 s since the save)"
    assert watch.result_words(told(), Ended("r1", 1, wall_s=1.2)) == "failed 1.2 s (1.5 s since the save)"
    assert watch.result_words(told(), Ended("r1", None, 11, 1.2)) == "failed (signal 11) 1.2 s (1.5 s since the save)"
    nothing = watch.result_words(told(), Ended("r1", 0, wall_s=1.2), has_no_test=True)
    assert nothing == "no test ran, 1.2 s (1.5 s since the save)"
    stopped = Ended("r1", None, 2, 1.2, is_stopped=True)
    assert watch.result_words(told(is_cancelled=True), stopped) == "stopped after 1.2 s, saved again"
    assert watch.edit_words(told()._replace(edit=Edit((), None))) == "first"


_LIBTEST = b"""    Finished `test` profile in 0.02s
     Running unittests src/main.rs (target/debug/deps/app-0123456789abcdef)

running %d tests
%stest result: ok. %d passed; 0 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.00s

"""
_NEXTEST = b"""    Finished `test` profile in 0.02s
    Starting 0 tests across 1 binary (7 tests skipped)
     Summary [   0.000s] 0 tests run: 0 passed, 7 skipped
error: no tests to run
"""


@pytest.mark.parametrize(("kind", "words", "log", "count"), [
    ("cargo", ("test", "nope"), _LIBTEST % (0, b"", 0), 0),
    ("cargo", ("test", "a"), _LIBTEST % (1, b"test a ... ok\n", 1), 1),
    ("nextest", ("nextest", "run", "nope"), _NEXTEST, 0),
    ("cargo", ("test", "nope"), b"error[E0308]: mismatched types\n", None),
    ("cargo", ("run",), _LIBTEST % (0, b"", 0), None),
])  # fmt: skip
def test_that_no_test_ran_is_known_from_what_harnesses_say(
    kind: Kind, words: tuple[str, ...], log: bytes, count: int | None
) -> None:
    parser = make_parser(kind, is_split=False, json="none")
    began = e.RunStarted(0.0, "r", "a", "test", "cargo", "test", "/", "/", None, False, True, False)
    run = reduce_run(None, [began, *parser.feed("out", log, 1.0), *parser.close(2.0)])
    assert run is not None
    assert watch.tests_run(run, Step("cargo", words, "")) == count


def test_a_watchs_json_has_only_fields_that_are_documented() -> None:
    known = documented("## `cargo-deck/watch` (version 1), one for all that happens")
    for one in (told(), Told("watching", 1.0, files=3), Told("notice", 1.0, text="x"), Told("over", 1.0),
                Told("started", 1.0, run="r")):  # fmt: skip
        assert watch.record_of(one).keys() <= known, one


@pytest.mark.parametrize(
    ("argv", "commands"),
    [
        ((), ["cargo build"]),
        (("--test", "gemm", "build", "-p", "k", "--features", "cuda", "--release"),
         ["cargo build -p k --features cuda --release", "cargo test --package k --features cuda --release gemm"]),
        (("--then", "test -p x -- --nocapture"), ["cargo build", "cargo test -p x -- --nocapture"]),
        (("--then", "exec -- ./run.sh a"), ["cargo build", "./run.sh a"]),
        (("exec", "--", "ninja", "-C", "out"), ["ninja -C out"]),
        (("--test=gemm", "check"), ["cargo check", "cargo test gemm"]),
    ],
)  # fmt: skip
def test_steps_are_what_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...], commands: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    steps = watch.steps_of(watch.parse(list(argv)), str(tmp_path), dict(os.environ))
    assert [step.command for step in steps] == commands


def test_a_test_target_is_run_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/gemm.rs").write_text("")
    monkeypatch.chdir(tmp_path)
    steps = watch.steps_of(watch.parse(["--test", "gemm"]), str(tmp_path), dict(os.environ))
    assert steps[1].words == ("test", "--test", "gemm")
