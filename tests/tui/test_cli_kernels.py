"""`cargo deck kernels`: kernels as a table and as JSON, against the build before, a run, or the branch point."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from core import events as e
from core.journal import JournalWriter
from core.native.kernels.kernel_store import digest_of_content
from core.paths import Paths
from core.watch.nvcc_notes import blob_of
from tests.core.cubins import FOLDER
from tests.core.engine_world import START
from tests.nvcc_scene import begun, compiled, ended, kernels_of, over, two_builds
from tests.tui.commands import user_folders
from tests.tui.test_cli_json import documented
from tui import format as f
from tui.cli.listing import run_record
from tui.cli.main import main

FIRST, SECOND = "20270115-080000-000-0001", "20270115-081000-000-0002"
THIRD = "20270115-080030-000-0003"


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setattr("core.clock.wall_clock", lambda: START + 900)
    monkeypatch.setattr("tui.cli.common.wall_clock", lambda: START + 900)
    monkeypatch.setattr("tui.cli.kernels.wall_clock", lambda: START + 900)
    return user_folders(tmp_path / "user", monkeypatch)


def written(paths: Paths, run: str, checkout: Path, *events: e.Event) -> None:
    """A run that is over, as an engine leaves it."""
    folder = Path(paths.run(run))
    folder.mkdir(parents=True)
    record = {
        "schema": 1, "run": run, "agent": "ada", "command": "build", "tool": "cargo", "subcommand": "build",
        "typed": ["build"], "cwd": str(checkout), "checkout": str(checkout), "target_dir": None,
        "target_source": "default",
        "json": "ours", "progress": True, "parser": "cargo", "streams": 1, "owner": False, "started": START, "env": {},
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "out.log").touch()
    started = e.RunStarted(
        START, run, "ada", "build", "cargo", "build", str(checkout), str(checkout), None, False, False, False
    )
    journal = JournalWriter(str(folder / "events.jsonl"), run)
    journal.append([started, *events, ended(START + 700)])
    journal.close()


@pytest.fixture
def builds(paths: Paths, tmp_path: Path) -> Path:
    """A checkout whose last edit made kernels worse."""
    source = tmp_path / "engine" / "gemm.cu"
    source.parent.mkdir()
    source.write_text("one\n")
    first = begun("11-1", START + 10, str(source), blob=blob_of(str(source)))
    written(paths, FIRST, source.parent, *compiled(first, *kernels_of()))
    source.write_text("two\n")
    second = begun("21-1", START + 610, str(source), blob=blob_of(str(source)))
    written(paths, SECOND, source.parent, *compiled(second, *kernels_of(88, 264)))
    return source


def lines(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["kernels", *words]) == 0
    return capsys.readouterr().out.splitlines()


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main(["kernels", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_kernels_are_listed_against_the_build_before(builds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heading, *rows = lines(capsys)
    assert heading.split() == [
        "kernel", "arch", "regs", "spills", "occup", "smem", "stack", "code", "time", "file", "agent",
    ]  # fmt: skip
    assert rows[0].split()[:7] == ["⚠", "gemm<64,", "64>", "sm_80", "88", "▲+24", "0"]
    assert rows[1].split()[-2:] == ["gemm.cu", "ada"]
    assert "⚠ gemm<128, 128> sm_80: spills appear: 528 B in loads and stores" in rows
    assert sum(row.startswith("⚠ gemm") for row in rows) == 5
    assert [row.partition(" ")[0] for row in rows[:4]] == ["⚠"] * 4


@pytest.mark.parametrize("room", [50, 80, 100, 200])
@pytest.mark.parametrize("words", [(), ("--calls",)])
def test_no_row_is_wider_than_the_terminal(
    words: tuple[str, ...], room: int, builds: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = lines(capsys, *words)
    monkeypatch.setattr("tui.cli.common.room", lambda: room)
    count = next((at for at, line in enumerate(whole) if line.startswith("⚠ ") and ": " in line), len(whole))
    rows = lines(capsys, *words)[:count]
    assert max(f.cell_len(row) for row in rows) <= room
    assert rows[0].split() == [title for title in whole[0].split() if title in rows[0].split()]
    assert ({"call", "time", "file"} if words else {"kernel", "arch", "regs", "spills"}) <= set(rows[0].split())
    assert (rows == whole[:count]) == (f.cell_len(max(whole[:count], key=f.cell_len)) <= room)


@pytest.fixture
def other(builds: Path, paths: Paths, tmp_path: Path) -> Path:
    """Another project, with a source of the same place and name."""
    source = tmp_path / "other" / "gemm.cu"
    source.parent.mkdir()
    source.write_text("one\n")
    start = begun("31-1", START + 20, str(source), blob=blob_of(str(source)))
    written(paths, THIRD, source.parent, *compiled(start, *kernels_of()))
    return source


def test_inside_a_checkout_its_own_kernels_are_shown_and_elsewhere_all_with_whose_they_are(
    builds: Path, other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(builds.parent)
    own = lines(capsys)
    assert len([row for row in own if "gemm.cu" in row]) == 4
    assert own[-1] == f"of this checkout alone: {builds.parent}; --all has 1 other"
    assert printed(capsys)["checkout"] == str(builds.parent)
    assert {one["checkout"] for one in printed(capsys)["calls"]} == {str(builds.parent)}
    whole = lines(capsys, "--all")
    assert whole[0].split()[:2] == ["checkout", "kernel"]
    assert sorted(row.split()[1] for row in whole[1:9]) == ["engine"] * 4 + ["other"] * 4
    assert "⚠ gemm<128, 128> sm_80 in engine: spills appear: 528 B in loads and stores" in whole
    monkeypatch.chdir(tmp_path)
    assert lines(capsys) == [*whole, "of 2 checkouts: none called nvcc around this folder"]


def test_a_run_of_another_repository_is_nothing_to_compare_with(
    builds: Path, other: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = printed(capsys, SECOND, "--against", THIRD)
    assert [one["before"] for one in found["kernels"]] == [None] * 4


def test_of_branch_points_only_that_of_this_checkout_is_told_to_be_missing(
    builds: Path, other: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(builds.parent)
    why = printed(capsys, "--against", "branch")["why"]
    assert why == f"{builds.parent}: the branch point is not known: no git repository, or no commit"


def test_what_stands_below_the_table_parts_between_words(
    builds: Path, other: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.cli.common.room", lambda: 60)
    rows = lines(capsys, "--all")
    assert max(f.cell_len(row) for row in rows) <= 60
    at = next(at for at, row in enumerate(rows) if row.startswith("⚠ gemm<128, 128> sm_80"))
    assert rows[at : at + 2] == ["⚠ gemm<128, 128> sm_80 in engine: spills appear: 528 B in", "loads and stores"]


def test_json_has_the_fields_that_are_documented(builds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys)
    assert set(found) - {"schema", "version"} == documented("## `cargo-deck/kernels` (version 1)")
    assert (found["schema"], found["version"], found["against"], found["why"]) == (
        "cargo-deck/kernels",
        1,
        "last",
        None,
    )
    for one in found["kernels"]:
        assert set(one) == documented("### A kernel")
    first = found["kernels"][0]
    assert (first["kernel"], first["registers"], first["before"]["registers"], first["run"]) == (
        "gemm<64, 64>", 88, 64, SECOND,
    )  # fmt: skip
    assert first["occupancy"] == {"share": 0.25, "threads": 256, "is_block_known": True, "by": "registers"}
    assert first["before"]["occupancy_share"] == 0.5
    assert first["warnings"] == ["occupancy falls: 50 % to 25 % (registers)"]


def test_calls_that_are_over_are_told_with_their_phases_and_memory(
    builds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (last,) = printed(capsys)["calls"]
    assert set(last) == documented("### A call")
    assert (last["run"], last["call"], last["sources"], last["kind"], last["archs"]) == (
        SECOND, "21-1", [str(builds)], "object", ["sm_80", "sm_90"],
    )  # fmt: skip
    assert (last["verdict"], last["why"], last["code"], last["signal"], last["peak_bytes"]) == (
        "miss", None, 0, None, 1_200_000_000,
    )  # fmt: skip
    assert {"tool": "ptxas", "arch": "sm_90", "source": None, "elapsed_s": 0.4, "peak_bytes": 1_200_000_000} in (
        last["phases"]
    )
    assert [call["run"] for call in printed(capsys, FIRST)["calls"]] == [FIRST]
    heading, row = lines(capsys, "--calls")
    assert heading.split() == ["call", "time", "cores", "memory", "archs", "phases", "file", "made", "agent"]
    assert row.split()[:6] == ["miss", "4.0", "s", "4.0", "s", "1.2"]
    assert row.split()[-3:] == ["gemm.cu", "gemm.cu.o", "ada"]


def test_calls_of_a_run_are_told_phase_by_phase(builds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = lines(capsys, SECOND, "--calls")
    assert shown[0] == "source  gemm.cu"
    assert ["ptxas", "sm_90", "0.4", "s", "1.2", "G"] in [line.split() for line in shown]
    assert shown[-1].endswith(f"by ada, run {SECOND}")


def test_without_calls_that_is_said(paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(paths, FIRST, tmp_path)
    assert lines(capsys, "--calls") == ["No call of nvcc that makes code is known."]


def test_a_run_of_its_own_shows_what_it_compiled(builds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, FIRST)
    assert {one["registers"] for one in found["kernels"]} == {64, 104, 68, 108}
    assert [one["before"] for one in found["kernels"]] == [None] * 4
    against = printed(capsys, FIRST, "--against", SECOND)
    assert against["against"] == SECOND
    assert {one["before"]["registers"] for one in against["kernels"]} == {88, 128, 92, 132}


def test_the_branch_point_is_found_by_what_the_source_said(builds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "branch point is not known" in printed(capsys, "--against", "branch")["why"]
    name = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    builds.write_text("one\n")
    for words in (("init", "-qb", "main"), ("add", "."), ("commit", "-qm", "one"), ("checkout", "-qb", "faster")):
        subprocess.run(["git", *name, *words], cwd=builds.parent, check=True)
    found = printed(capsys, "--against", "branch")
    assert found["why"] is None
    assert {one["before"]["run"] for one in found["kernels"]} == {FIRST}
    builds.write_text("three\n")
    subprocess.run(["git", *name, "commit", "-qam", "three"], cwd=builds.parent, check=True)
    subprocess.run(["git", *name, "branch", "-qf", "main"], cwd=builds.parent, check=True)
    why = printed(capsys, "--against", "branch")["why"]
    assert why.startswith("no build of the branch point is known: no run that is kept compiled gemm.cu, headers ")
    assert "as of the last commit" in why
    assert main(["kernels", "--against", "branch"]) == 0
    shown = capsys.readouterr()
    assert {row.split()[0] for row in shown.out.splitlines()[1:]} == {"–"}
    assert "no build of the branch point is known" in shown.err
    builds.unlink()
    assert lines(capsys) == ["Sources of all kernels that are known are gone."]


def test_a_run_without_kernels_and_one_that_is_not_known_say_so(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nvcc = tmp_path / "bin" / "nvcc"
    nvcc.parent.mkdir()
    nvcc.write_text("#!/bin/sh\n")
    nvcc.chmod(0o755)
    monkeypatch.setenv("PATH", str(nvcc.parent))
    assert lines(capsys)[0] == "No kernel was compiled in the last 24 hours."
    monkeypatch.setenv("PATH", "/nowhere")
    said = lines(capsys)
    assert said[:3] == [
        "nvcc is not in PATH: no kernel can be compiled here. Install a CUDA toolkit, or",
        "put its bin folder there:", "export PATH=/usr/local/cuda/bin:$PATH",
    ]  # fmt: skip
    assert max(map(len, said)) <= 80
    written(paths, FIRST, tmp_path)
    assert lines(capsys, FIRST)[0].startswith("No kernel is known of this run: it did not call nvcc, ")
    assert main(["kernels", "nobody"]) == 2
    assert main(["kernels", "--against", "nobody"]) == 2
    assert "nobody" in capsys.readouterr().err


def test_kernels_that_are_no_more_are_named(paths: Paths, builds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    third = begun("31-1", START + 800, str(builds))
    written(paths, "20270115-082000-000-0003", builds.parent, *compiled(third, *kernels_of()[1:3]))
    gone = printed(capsys)["gone"]
    assert [(one["name"], one["arch"]) for one in gone] == [
        ("_Z4gemmILi64ELi64EEvPfPKfS2_", "sm_80"), ("_Z4gemmILi128ELi128EEvPfPKfS2_", "sm_90"),
    ]  # fmt: skip


@pytest.fixture
def ptx(paths: Paths, tmp_path: Path) -> Path:
    """PTX that a build made and nobody measured."""
    made = tmp_path / "k.ptx"
    made.write_bytes((FOLDER / "three.ptx").read_bytes())
    (tmp_path / "k.cu").touch()
    start = begun("1-1", START + 10, str(tmp_path / "k.cu"), ("compute_80",))
    start = e.NvccStarted(start.at, start.call, "", start.source, str(made), "ptx", start.archs)
    kernels = (e.Kernel("_Z4tilePfPKf", "compute_80", block_threads=256),)
    digest = digest_of_content(made.read_bytes())
    told = e.KernelsMeasured(START + 20, "1-1", start.source, str(made), kernels, digest)
    written(paths, FIRST, tmp_path, start, over(start), told)
    return made


def ptxas(folder: Path) -> Path:
    """One that says what a real one said."""
    tool = folder / "bin" / "ptxas"
    tool.parent.mkdir()
    said, cubin = FOLDER / "sm_80-13.0.txt", FOLDER / "sm_80-13.0.cubin"
    tool.write_text(f'#!/bin/sh\ncat {said} >&2\nwhile [ "$1" != -o ]; do shift; done\ncp {cubin} "$2"\n')
    tool.chmod(0o755)
    return tool


def test_ptx_alone_gets_its_figures_from_a_ptxas_of_path_on_request(
    ptx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (plain,) = printed(capsys)["kernels"]
    assert (plain["registers"], plain["occupancy"], plain["ptxas_arch"]) == (None, None, None)
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["kernels", "--ptxas"]) == 2
    assert "no ptxas is known" in capsys.readouterr().err
    monkeypatch.setenv("PATH", f"{ptxas(tmp_path).parent}:/usr/bin:/bin")
    found = {one["kernel"]: one for one in printed(capsys, "--ptxas")["kernels"]}
    assert found.keys() == {"calls", "tile", "heavy<20>"}
    heavy = found["heavy<20>"]
    assert (heavy["arch"], heavy["ptxas_arch"]) == ("compute_80", "sm_80")
    assert (heavy["registers"], heavy["spill_store_bytes"], heavy["occupancy"]["share"]) == (24, 32, 1.0)
    monkeypatch.setenv("PATH", "/nowhere")  # it is known from now on
    rows = lines(capsys)
    assert "~sm_80" in rows[1]
    assert rows[-1].startswith("~sm_80: PTX, counted by the toolkit's ptxas for that arch; ")


def test_ptx_that_was_overwritten_or_does_not_compile_is_named(
    ptx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = ptxas(tmp_path)
    tool.write_text("#!/bin/sh\nexit 1\n")
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    assert main(["kernels", "--ptxas"]) == 0
    assert f"ptxas does not compile {ptx}" in capsys.readouterr().err
    ptx.write_text("another")
    assert main(["kernels", "--ptxas"]) == 0
    shown = capsys.readouterr()
    assert f"{ptx} is not what that build made any more: build it again" in shown.err
    assert "compute_80" in shown.out


def test_a_run_says_in_json_what_its_calls_do() -> None:
    board = two_builds()
    for run in board.runs.values():
        found = run_record(board, run)["nvcc"]
        assert set(found) == documented("### `nvcc`")
    (live,) = [run_record(board, run)["nvcc"] for run in board.runs.values() if run.nvcc]
    (call,) = live["running"]
    assert (call["tool"], call["arch"], call["arch_at"], call["arch_count"], call["memory_bytes"]) == (
        "ptxas", "sm_86", 3, 9, 1_210_000_000,
    )  # fmt: skip
