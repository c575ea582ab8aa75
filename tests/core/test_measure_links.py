import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import StateError, UsageError
from core.measure_links import Plan, make_plan, measure
from core.measure_plan import Target, find_target, first_target, variants, with_target_dir
from core.paths import Paths
from core.run import grammar

APP = Target("app", "bin", "app", False)
METADATA: dict[str, Any] = {
    "packages": [
        {"name": "app", "targets": [
            {"name": "app", "kind": ["bin"]}, {"name": "my-tests", "kind": ["test"]},
            {"name": "build-script-build", "kind": ["custom-build"]}]},
        {"name": "my-lib", "targets": [
            {"name": "my_lib", "kind": ["cdylib", "rlib"]}, {"name": "show", "kind": ["example"]}]},
        {"name": "other", "targets": [{"name": "app", "kind": ["bin"]}, {"name": "other", "kind": ["lib"]}]},
    ]
}  # fmt: skip


def words_of(
    line: str, target: Target = APP, linkers: tuple[str, ...] = ("mold",), *, has_debug: bool = True
) -> dict[str, str]:
    parsed = grammar.parse(tuple(line.split()))
    return {one.setting: " ".join(one.words) for one in variants(parsed, target, linkers, has_debug=has_debug)}


def test_each_setting_is_one_build_of_that_one_target() -> None:
    assert words_of("build -p app --features x --offline", linkers=("mold", "bfd")) == {
        "as is": "rustc --package app --bin app --features x --offline",
        "linker mold": "rustc --package app --bin app --features x --offline -- -Clink-arg=-fuse-ld=mold",
        "linker bfd": "rustc --package app --bin app --features x --offline -- "
                      "-Clinker-features=-lld -Clink-arg=-fuse-ld=bfd",
        'strip = "symbols"': "rustc --package app --bin app --features x --offline -- -Cstrip=symbols",
        'debug = "line-tables-only"': "rustc --package app --bin app --features x --offline "
                                      '--config profile.dev.debug="line-tables-only"',
        "debug = 0": "rustc --package app --bin app --features x --offline --config profile.dev.debug=0",
        'split-debuginfo = "unpacked"': "rustc --package app --bin app --features x --offline "
                                        '--config profile.dev.split-debuginfo="unpacked"',
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "target", "expected"),
    [
        ("build --release", APP, "--release --config profile.release.debug=0"),
        ("build --profile slim", APP, "--profile slim --config profile.slim.debug=0"),
        ("bench", Target("a", "bench", "b", False), "--bench b --release --config profile.release.debug=0"),
        ("test", Target("a", "lib", "a", True), "--lib --profile test --config profile.dev.debug=0"),
        ("test", Target("a", "test", "t", False), "--test t --config profile.dev.debug=0"),
        ("+nightly build --target x86", APP, "--target x86 --config profile.dev.debug=0"),
    ],
)
def test_the_profile_is_that_of_the_command(line: str, target: Target, expected: str) -> None:
    words = words_of(line, target)["debug = 0"]
    assert words.endswith(expected)
    assert words.startswith("+nightly rustc" if line.startswith("+") else "rustc")


def test_what_has_no_debug_information_is_not_built_without_it() -> None:
    assert list(words_of("build --release", has_debug=False)) == ["as is", "linker mold", 'strip = "symbols"']


def test_the_target_dir_goes_before_what_is_for_rustc() -> None:
    assert with_target_dir(("rustc", "--", "-C"), "/t") == ("rustc", "--target-dir", "/t", "--", "-C")
    assert with_target_dir(("rustc",), "/t") == ("rustc", "--target-dir", "/t")


@pytest.mark.parametrize(
    ("unit", "wanted", "target"),
    [
        ("app(bin)", (), Target("app", "bin", "app", False)),
        ("app(bin)", ("other",), Target("other", "bin", "app", False)),
        ("app(test)", (), Target("app", "bin", "app", True)),
        ("app(bin test)", (), Target("app", "bin", "app", True)),
        ("my_tests(test)", (), Target("app", "test", "my-tests", False)),
        ("show(example)", (), Target("my-lib", "example", "show", False)),
        ("my_lib(test)", (), Target("my-lib", "lib", "my_lib", True)),
        ("my-lib", (), Target("my-lib", "lib", "my_lib", False)),
    ],
)
def test_a_unit_is_found_among_the_targets_of_the_workspace(unit: str, wanted: tuple[str, ...], target: Target) -> None:
    assert find_target(unit, METADATA, wanted) == target


@pytest.mark.parametrize("unit", ["serde_derive", "nothing(bin)", "app(build.rs)"])
def test_what_is_no_target_of_the_workspace_cannot_be_measured(unit: str) -> None:
    with pytest.raises(UsageError, match="no target of this workspace"):
        find_target(unit, METADATA, ())


def test_of_several_the_first_that_is_a_target_of_the_workspace_is_measured() -> None:
    found = first_target(("serde_derive", "app(build.rs)", "app(bin)", "my-lib"), METADATA, ())
    assert found == ("app(bin)", Target("app", "bin", "app", False))
    with pytest.raises(UsageError, match="called 'syn'"):
        first_target(("serde_derive", "syn"), METADATA, ())


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(str(tmp_path / "state"), str(tmp_path / "cache"))


def test_a_run_without_links_is_refused_with_what_it_linked(paths: Paths) -> None:
    with pytest.raises(UsageError, match="its links are: none"):
        make_plan(paths, "20260101-000000-000-0000", None)


def write_run(paths: Paths, **changes: object) -> str:
    run = "20260101-000000-000-0000"
    folder = Path(paths.run(run))
    folder.mkdir(parents=True)
    started = {"event": "RunStarted", "at": 1.0, "run": run, "agent": "a", "command": "build", "tool": "cargo",
               "subcommand": "build", "cwd": "/w", "checkout": "/w", "target_dir": "/w/target",
               "is_private_target": False, "is_owned": False, "is_split": False}  # fmt: skip
    ended = {"event": "LinkEnded", "at": 2.0, "link": "7-1", "unit": "app(bin)", "output": "/w/target/debug/deps/app-1",
             "linker": "rust-lld", "input_bytes": 9, "began": 1.0, "elapsed_s": 1.0, "peak_bytes": 9, "cpu_s": 1.0,
             "code": 0, "signal": None, "output_bytes": 9, "text_bytes": 1, "debug_bytes": 1, "symbol_bytes": 1,
             "before_bytes": None, "is_sampled": False}  # fmt: skip
    lines = [{"schema": 1, "run": run}, started, ended]
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    record = {"tool": "cargo", "typed": ["build"], "command": "build", "cwd": "/", "checkout": "/w", "env": {}}
    (folder / "run.json").write_text(json.dumps({**record, **changes}))
    return run


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"is_masked": True}, "held a credential"),
        ({"tool": "exec"}, "no build of cargo's"),
        ({"typed": ["build", "--nosuch"]}, "no build of cargo's"),
        ({"env": None, "typed": None}, "cannot be read"),
    ],
)
def test_a_command_that_cannot_be_repeated_is_refused(paths: Paths, changes: dict[str, object], why: str) -> None:
    if changes.get("env", "") is None:
        changes = {}
        run = write_run(paths)
        Path(paths.run(run), "run.json").write_text("{}")
    else:
        run = write_run(paths, **changes)
    with pytest.raises(UsageError, match=why):
        make_plan(paths, run, None)


def test_a_unit_that_was_not_linked_is_refused_with_those_that_were(paths: Paths) -> None:
    run = write_run(paths)
    with pytest.raises(UsageError, match=r"linked no cli\(test\): its links are: app\(bin\)"):
        make_plan(paths, run, "cli(test)")


def test_two_at_once_would_measure_each_other(paths: Paths) -> None:
    import fcntl

    Path(paths.cache, "measure").mkdir(parents=True)
    plan = Plan("r", "app(bin)", "/w", "debug", "/w", {}, ())
    with open(f"{paths.cache}/measure/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StateError, match="measured already"):
            measure(paths, plan, lambda: 1.0, lambda trial: None)
