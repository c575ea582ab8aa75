"""What `cargo deck advise` says, with the fields of docs/json.md."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from core.native.edits.edit_class import EditClass
from core.native.edits.iterations import Iteration
from core.native.gains.advice import Advice, Touch
from core.native.gains.advice_arms import Arm, Offer, Project
from core.native.gains.advice_figures import Figure, Rebuilt, Tried
from core.native.gains.advice_survey import Row, Survey
from core.native.staleness.doctor import Place
from core.paths import Paths
from core.plan.plan import Plan
from tests.native_worlds import RIGHT, Package, build_env, fake_nvcc
from tests.tui.commands import user_folders
from tests.tui.test_cli_json import documented
from tui.cli.advise import lines, measured_lines, range_words, rebuilt_words, record, touch_words, tried_words
from tui.cli.main import main

FIGURE = Figure(
    "rust", "/ws/src/lib.rs", 1.24, 1.03, 0.83, 0.8, 0.86, 0.03, "faster", Rebuilt(("app lib",), ("app",), 1),
    Rebuilt(("app lib",), (), 0),
)  # fmt: skip
TRIED = Tried(0.0, "/ws", Advice.SPLIT, "app-native", "build", "overlay", 2, 7, (FIGURE,), {"/ws/Cargo.toml": "d"})
OFFER = Offer(Advice.SPLIT, Arm("app-native", Advice.SPLIT), "app would depend on app-native", "--patch FILE")
TOUCH = Touch(EditClass.RUST, 3.2, 0.4, 12)


def row(offer: Offer = OFFER, touch: Touch = TOUCH, tried: Tried | None = TRIED, changed: tuple[str, ...] = ()) -> Row:
    return Row(offer, touch, "elsewhere (ripgrep): link ×1.26 slower", tried, changed)


def survey(*rows: Row) -> Survey:
    project = Project(Paths("/s", "/c"), Place("/ws", "/ws/target", {}), ("build", "--release"), ())
    return Survey(project, Plan(), rows, (), None, None, ())


def test_what_could_be_gained_is_an_upper_bound_or_a_reason() -> None:
    assert touch_words(row()) == "−0.4 s of 3.2 s (rust, 12 seen)"
    unknown = Touch(EditClass.RUST, None, None, 0, "not known: no rust iteration recorded")
    assert touch_words(row(touch=unknown)) == "not known: no rust iteration recorded"
    assert touch_words(row(OFFER._replace(arm=None, why="nothing: rust-lld links here already"))) == "nothing"


def test_what_was_measured_is_told_with_its_range_and_age_and_whether_it_still_holds() -> None:
    assert tried_words(row(tried=None)) == "–"
    assert tried_words(row()) == "rust ×0.83 faster"
    assert tried_words(row(changed=("/ws/Cargo.toml",))) == "rust ×0.83 faster (outdated)"
    assert re.fullmatch(
        r"measured here .+, app-native, 7 rounds: rust ×0\.83 \(0\.80–0\.86\) faster", range_words(TRIED)
    )
    same = replace(TRIED, figures=(replace(FIGURE, verdict="within noise"),))
    assert tried_words(row(tried=same)) == "within noise"
    failed = replace(TRIED, figures=(), trouble="error: it broke\nmore")
    assert tried_words(row(tried=failed)) == "it failed"
    assert range_words(failed).endswith(": it did not build: error: it broke")


def test_the_table_has_a_row_an_advice_and_says_how_to_have_it() -> None:
    found = "\n".join(lines(survey(row(changed=("/ws/Cargo.toml",)))))
    assert found.startswith("cargo build --release  in /ws: 0 iterations recorded\nadvice ")
    assert "native part in a crate of its own  −0.4 s of 3.2 s (rust, 12 seen)  rust ×0.83 faster" in found
    assert "to have it: --patch FILE" in " ".join(found.split())
    assert "Cargo.toml changed since" in found


def test_only_iterations_of_the_command_are_counted_as_its_own() -> None:
    one = Iteration("r1", 1.0, "/ws", "build --release", EditClass.CU, "done", 3.0)
    failed = replace(one, run="r4", state="failed")
    known = (one, replace(one, run="r2", command="build"), replace(one, run="r3", command="test"), failed)
    head = next(lines(survey(row())._replace(iterations=known)))
    assert head == "cargo build --release  in /ws: 1 iteration recorded, 2 of other commands"


def test_what_was_measured_now_names_what_was_rebuilt() -> None:
    found = list(measured_lines([TRIED], survey(row())))
    assert found[:4] == [
        "native part in a crate of its own: app-native",
        "  rust edit, src/lib.rs: 1.24 s → 1.03 s, pairs ×0.83 (0.80–0.86) faster; the same build twice: ×1.03",
        "    rebuilt before: app lib; build script of app; nvcc 1 call",
        "    rebuilt after:  app lib; no build script; nvcc 0 calls",
    ]
    assert rebuilt_words(Rebuilt()) == "no crate; no build script"
    failed = Tried(0.0, "/ws", Advice.LINKER, "linker mold", "build", "copy", 2, 7, (), {}, "error: \x1b[31mno\nmore")
    assert list(measured_lines([failed], survey()))[:4] == [
        "another linker: linker mold", "  it does not build:", "  error: no", "  more",
    ]  # fmt: skip


def test_json_has_the_fields_that_are_documented() -> None:
    found = record(survey(row(), row(tried=None)), [TRIED])
    assert {"schema", "version", *found} == {"schema", "version"} | documented("## `cargo-deck/advice` (version 1)")
    assert all(set(one) == documented("### An advice") for one in found["advice"])
    (trial,) = found["tried"]
    assert set(trial) == documented("### A trial")
    (figure,) = trial["figures"]
    assert set(figure) == documented("### A trial's figure")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--measure", "magic"], "'magic' is none of split, debug, sccache, linker, jobs"),
        (["--rounds", "2"], "5 at least"), ([], "no Cargo.toml"),
        (["--patch", "p", "--json"], "neither with --measure nor with --json"),
        (["--measure", "split", "--patch", "p"], "neither with --measure nor with --json"),
        (["--patch", "."], ". cannot be written"), (["--patch", "nowhere/p"], "nowhere/p cannot be written"),
    ],
)  # fmt: skip
def test_a_command_line_that_cannot_be_used_says_why(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("tui.cli.listing.bring_up_to_date", lambda paths: None)
    assert main(["advise", *words]) == 2
    assert told in capsys.readouterr().err


def test_a_built_package_is_judged_by_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    user_folders(tmp_path / "user", monkeypatch)
    monkeypatch.setattr("tui.cli.listing.bring_up_to_date", lambda paths: None)
    env = build_env(tmp_path, str(fake_nvcc(tmp_path / "bin")))
    package = Package(tmp_path / "world", next(style for style in RIGHT if style.name == "folder-inside"))
    package.build(env)
    for key, value in env.items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(package.root)
    assert main(["advise", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["command"] == ["build", "-p", "app"]
    offers = {one["advice"]: (one["can_be_had"], one["what"], one["at_most_s"]) for one in found["advice"]}
    assert offers["split"] == (True, "app-native", None)
    assert offers["debug"] == (False, None, None)
    assert offers["jobs"] == (False, None, None)
    assert main(["advise", "-p", "other"]) == 2
    assert "no build script of a package 'other' makes native code" in capsys.readouterr().err
