"""`cargo deck why`, `stale` and `prove`: what they print, what they write, how they end; over real builds."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core import events as e
from core.journal import JournalWriter
from core.native.proofs.prove import Verdict
from core.native.reasons.rebuilt import Why
from core.native.staleness.build_script_mend import printed as directives
from core.paths import Paths
from tests.core.runs import exit_of, start_python
from tests.core.test_native_trees import cmake_world
from tests.native_worlds import DECLARATIONS, RIGHT, SKIPPING, Package, Style, build_env, fake_nvcc
from tests.tui.commands import user_folders
from tests.tui.test_cli_json import documented
from tui.cli import common
from tui.cli import stale as stale_command
from tui.cli.main import main
from tui.cli.prove import Tried
from tui.cli.prove import lines as prove_lines
from tui.cli.why import lines as why_lines
from tui.nothing_native import no_kernel, nothing_native

STYLES = {style.name: style for style in (*DECLARATIONS, *RIGHT, *SKIPPING)}


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    return user_folders(tmp_path / "user", monkeypatch)


@pytest.fixture
def built(tmp_path: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Package]:
    """Builds a package of a style; commands then run in its folder."""

    def build(name: str) -> Package:
        env = build_env(tmp_path, str(fake_nvcc(tmp_path / "bin")))
        package = Package(tmp_path / "world", STYLES[name])
        package.build(env)
        for key, value in env.items():
            monkeypatch.setenv(key, value)
        monkeypatch.chdir(package.root)
        return package

    return build


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code = main([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_stale_prints_what_is_documented_and_ends_with_1_where_it_found_something(
    built: Callable[[str], Package], capsys: pytest.CaptureFixture[str]
) -> None:
    package = built("file")
    code, found = printed(capsys, "stale")
    assert (code, found["schema"]) == (1, "cargo-deck/stale")
    assert set(found) - {"schema", "version"} == documented("## `cargo-deck/stale` (version 1)")
    (script,), (finding,) = found["scripts"], found["findings"]
    assert set(script) == documented("### A build script")
    assert set(finding) == documented("### A finding about a build script")
    assert (script["declared"], script["declares"]) == (["kernels/k.cu"], "declared")
    assert (finding["id"], finding["declare"], finding["proof"]) == (
        "input-undeclared", ["kernels/inc/deep.cuh", "../shared/outside.cuh"], None,
    )  # fmt: skip
    assert main(["stale"]) == 1
    shown = capsys.readouterr().out
    assert "✗ error: app: an edit to kernels/inc/deep.cuh and 1 more is not rebuilt" in shown
    assert f"{package.root}/build.rs:{finding['evidence'][0]['line']}:" in shown
    assert '+    println!("cargo:rerun-if-changed=../shared/outside.cuh");' in shown


def test_what_is_right_is_said_so_and_ends_with_0(
    built: Callable[[str], Package], capsys: pytest.CaptureFixture[str]
) -> None:
    built("files-all")
    assert main(["stale"]) == 0
    assert "Nothing is stale" in capsys.readouterr().out
    assert main(["stale", "-p", "other"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "There is nothing to judge: no build script of a package here has run" in out
    assert main(["prove", "-p", "other"]) == 2
    assert "There is nothing to prove: no build script of a package here has run" in capsys.readouterr().err


def test_where_nothing_native_is_known_it_is_said_what_to_do(tmp_path: Path) -> None:
    nvcc = tmp_path / "nvcc"
    nvcc.write_text("#!/bin/sh\n")
    nvcc.chmod(0o755)
    has, lacks = {"PATH": str(tmp_path)}, {"PATH": "/nowhere"}
    assert nothing_native("judge", ["a", "b", "c", "d"], has) == (
        "There is nothing to judge: no native output of what build scripts made (a, b, c and 1 more) is known."
    )
    said = nothing_native("prove", ["a"], lacks)
    assert "(a) is known. nvcc is not in PATH: no kernel can be compiled here." in said
    assert said.endswith("there: export PATH=/usr/local/cuda/bin:$PATH")


def test_why_no_kernel_is_known_of_a_run() -> None:
    def call(verdict: str, why: str, code: int | None) -> e.NvccEnded:
        return e.NvccEnded(
            9.0, "1", "", "/w/k.cu", "/w/k.o", "object", 1.0, 2.0, None, None, code, None, None, verdict, why
        )

    by_path = "nvcc is called by its path, where no front stands: /opt/cuda/bin/nvcc"
    seen = call("seen", by_path, None)
    assert no_kernel([seen, seen]) == f"No kernel is known of this run: nvcc was seen 2×, but {by_path}."
    assert no_kernel([call("miss", "", 1)]) == "No kernel is known of this run: nvcc failed, 1 of 1 calls."
    assert no_kernel([]).startswith("No kernel is known of this run: it did not call nvcc, ")


def test_scripts_are_changed_only_after_a_yes(
    built: Callable[[str], Package], capsys: pytest.CaptureFixture[str]
) -> None:
    package = built("file")
    script = package.root / "build.rs"
    script.chmod(0o755)
    before = script.read_text()
    asked: list[str] = []

    def answer(text: str) -> Callable[[str], bool]:
        def ask(question: str) -> bool:
            asked.append(question)
            return text == "y"

        return ask

    for ask, said in ((None, "Nothing is changed: there is no terminal"), (answer("n"), "is left as it is")):
        assert stale_command.run(["--apply"], stale_command.World(ask)) == 1
        assert script.read_text() == before
        assert said in capsys.readouterr().err
    assert stale_command.run(["--apply"], stale_command.World(answer("y"))) == 1
    assert [one.path for one in directives(script.read_text())] == [
        "kernels/k.cu", "kernels/inc/deep.cuh", "../shared/outside.cuh",
    ]  # fmt: skip
    assert script.stat().st_mode & 0o777 == 0o755
    assert asked == [f"Change {script} like this? [y/N] "] * 2
    assert "is changed" in capsys.readouterr().err


def test_a_script_that_was_changed_meanwhile_is_not_overwritten(
    built: Callable[[str], Package], capsys: pytest.CaptureFixture[str]
) -> None:
    script = built("file").root / "build.rs"

    def edit_and_say_yes(question: str) -> bool:
        script.write_text("fn main() {}\n")
        return True

    code = common.guarded(lambda words: stale_command.run(words, stale_command.World(edit_and_say_yes)), ["--apply"])
    assert (code, script.read_text()) == (2, "fn main() {}\n")
    assert "was changed meanwhile" in capsys.readouterr().err


@pytest.mark.long
def test_each_finding_is_proven_on_request(built: Callable[[str], Package], capsys: pytest.CaptureFixture[str]) -> None:
    built("file")
    _, found = printed(capsys, "stale", "--prove")
    (proof,) = (one["proof"] for one in found["findings"])
    assert (proof["is_true"], proof["is_mended"]) == (True, True)
    assert "nothing was made again" in proof["said"]


def test_prove_prints_what_is_documented_and_names_what_is_untracked(
    built: Callable[[str], Package], paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    package = built("file")
    code, found = printed(capsys, "prove")
    assert (code, found["schema"]) == (1, "cargo-deck/prove")
    assert set(found) - {"schema", "version"} == documented("## `cargo-deck/prove` (version 1)")
    assert {frozenset(one) for one in found["files"]} == {frozenset(documented("### An edited file"))}
    assert (found["tracked"], found["tried"]) == (1, 3)
    assert main(["prove", "kernels/k.cu", "--", "build", "--all-targets"]) == 0
    shown = capsys.readouterr().out
    assert "tracked 1 of 1" in shown
    assert "cargo build --all-targets --offline" in shown
    assert os.listdir(paths.cache + "/scratch") == []
    assert package.header.read_text() == "#pragma once\n#define VALUE 1\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [(["prove", "kernels/none.cu"], "is no file"), (["stale", "--json", "--apply"], "one of both"),
     (["why", "nobody"], "nobody"), (["stale", "--target-dir", "nowhere"], "is not there: build first")],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_a_sentence(
    built: Callable[[str], Package], capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    built("none-inside")
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_outside_of_a_workspace_nothing_is_judged(
    tmp_path: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert main(["stale"]) == 2
    assert "neither a Cargo.toml nor a build tree" in capsys.readouterr().err
    assert main(["why"]) == 2
    assert "no run is known yet" in capsys.readouterr().err


def test_why_prints_what_is_documented_of_the_newest_run_of_this_checkout(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("here", "other", "new"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run = start_python(paths, "print(1)", agent="tester")
    monkeypatch.chdir(tmp_path / "other")
    exit_of(paths, start_python(paths, "print(2)", agent="tester"))
    monkeypatch.chdir(tmp_path / "new")
    assert main(["why"]) == 2
    assert f"no run is known yet of {tmp_path}/new: build here" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path / "here")
    exit_of(paths, run)
    writer = JournalWriter(paths.run(run) + "/events.jsonl", run)
    started = e.RunStarted(10.0, run, "tester", "build -v", "cargo", "build", "/w", "/w", None, False, True, False)
    writer.append([started, e.UnitDirtied(11.0, "app", "the file `k.cu` has changed")])
    writer.close()
    _, found = printed(capsys, "why")
    assert set(found) - {"schema", "version"} == documented("## `cargo-deck/why` (version 1)")
    (unit,) = found["units"]
    assert set(unit) == documented("### A unit and its reason")
    assert (found["run"], found["is_told"], unit["unit"], unit["by"]) == (run, True, "app", "cargo")


def test_reasons_are_told_by_kind_and_foreign_text_is_made_harmless() -> None:
    shown = list(why_lines([
        Why("app", "crate", True, "x\x1b[31m has changed", "cargo", "app"),
        Why("/o/k.ptx", "output", False, "old", "times"),
        Why("/o/k.ptx", "call", False, "from the cache", "nvcc"), Why("b\nc", "crate", True, ""),
    ], "run", "build\x07"))  # fmt: skip
    assert shown[:4] == ["run  build", "", "Crates", "  app: x has changed"]
    assert "  k.ptx: not rebuilt: old" in shown
    assert "  k.ptx: from the cache" in shown
    assert not any(char in line for line in shown for char in "\x1b\x07\n")
    assert "Nothing was rebuilt, and nothing changed, as far as times" in " ".join(why_lines([], "run", ""))
    assert "Nothing" not in "".join(why_lines([], "run", "", is_told=False))
    assert "Not known: " in "".join(why_lines([], "run", "", is_told=False))


def test_crates_with_one_reason_in_common_are_one_line() -> None:
    new = "first build in this target dir"
    many = [Why(f"crate-{number}", "crate", True, new, "times") for number in range(9)]
    shown = list(why_lines([*many, Why("app", "crate", True, "x has changed", "cargo")], "run", "build"))
    assert shown[2:] == ["Crates", f"  crate-0, crate-1, crate-2 and 6 more: {new}", "  app: x has changed"]


def test_styles_are_all_named_differently() -> None:
    assert isinstance(STYLES["file"], Style)
    assert len(STYLES) == len(DECLARATIONS) + len(RIGHT) + len(SKIPPING)


def test_stale_and_prove_of_a_build_tree_print_what_is_documented_and_the_mend_is_written(
    tmp_path: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = cmake_world(tmp_path, "Ninja")
    for key, value in world.env.items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(world.root)
    code, found = printed(capsys, "stale")
    assert (code, set(found) - {"schema", "version"}) == (1, documented("## `cargo-deck/stale` (version 1)"))
    (tree,), (finding,) = found["trees"], found["findings"]
    assert (tree["folder"], tree["kind"], len(tree["outputs"])) == (f"{world.root}/build", "ninja", 2)
    assert set(finding) == documented("### A finding about a build script")
    assert main(["prove", "inc/v.cuh"]) == 1
    assert "✗ inc/v.cuh: all.txt, d.ptx, k.ptx" in capsys.readouterr().out
    assert main(["prove", "--json", "inc/v.cuh", "--", "ninja", "-C", "build", "d.ptx"]) == 0
    tried = json.loads(capsys.readouterr().out)
    assert set(tried) - {"schema", "version"} == documented("## `cargo-deck/prove` (version 1)")
    assert (tried["files"][0]["outcome"], tried["command"][0]) == ("tracked", "ninja")
    assert main(["stale", "--apply", "--yes"]) == 1
    assert f"{world.rules} is changed" in capsys.readouterr().err
    world.run("ninja", "-C", "build")
    assert main(["stale"]) == 0
    assert "Nothing is stale" in capsys.readouterr().out
    assert main(["stale", "--prove"]) == 2


def test_a_build_that_failed_is_told_line_by_line_and_once() -> None:
    why = "error: failed to run build script of app\n\n  --- stderr\n  nvcc did not start"
    verdicts = [Verdict(f"/w/{name}.cu", "failed", ("/o/a.o",), why=why) for name in "ab"]
    tried = Tried(verdicts, ("/bin/cargo", "build"), "/w", "overlay", (), 2.0)
    assert list(prove_lines(tried)) == [
        "cargo build",
        "  ! a.cu: a.o",
        "      error: failed to run build script of app",
        "        --- stderr",
        "        nvcc did not start",
        "  ! b.cu: a.o",
        "      error: failed to run build script of app (as above)",
        "tracked 0 of 2; 0:02",
    ]
