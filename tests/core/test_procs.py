"""Units from /proc: what a command line says, what comes and goes, and that only new processes are read."""

import subprocess
import sys
from pathlib import Path

import pytest

from core import events as e
from core.watch.procs import (
    Unit,
    changes,
    is_compiler_or_script,
    package_of,
    survivors,
    unit_of,
)
from tests.core.runs import until

SERDE = {"CARGO_PKG_NAME": "serde-json", "CARGO_PKG_VERSION": "1.0.2"}


@pytest.mark.parametrize(
    ("line", "package", "expected"),
    [
        ("rustc --crate-name serde_json --crate-type lib", SERDE, Unit("serde-json", "serde-json", "1.0.2", "lib")),
        ("/w/sccache /bin/rustc --crate-name x --crate-type lib", {}, Unit("x", "x", "", "lib")),
        ("rustc --crate-name m --crate-type proc-macro", {}, Unit("m", "m", "", "proc-macro")),
        (
            "rustc --crate-name my_app --crate-type bin",
            {"CARGO_PKG_NAME": "app", "CARGO_BIN_NAME": "my-app"},
            Unit("my-app(bin)", "app", "", "bin"),
        ),
        (
            "rustc --crate-name demo --crate-type bin --out-dir /t/debug/examples",
            {"CARGO_PKG_NAME": "app"},
            Unit("demo(example)", "app", "", "example"),
        ),
        ("rustc --crate-name cli --test", {"CARGO_PKG_NAME": "app"}, Unit("cli(test)", "app", "", "test")),
        (
            "rustc --crate-name my_app src/main.rs --test",
            {"CARGO_PKG_NAME": "app", "CARGO_BIN_NAME": "my-app"},
            Unit("my-app(bin test)", "app", "", "test"),
        ),
        (
            "rustc --crate-name ex app/examples/ex.rs --test",
            {"CARGO_PKG_NAME": "app", "CARGO_BIN_NAME": "ex"},
            Unit("ex(example test)", "app", "", "test"),
        ),
        (
            "rustc --crate-name ex --crate-type bin examples/ex/src/main.rs --out-dir /t/debug/deps",
            {"CARGO_PKG_NAME": "ex", "CARGO_BIN_NAME": "ex", "CARGO_MANIFEST_DIR": "/w/examples/ex"},
            Unit("ex(bin)", "ex", "", "bin"),
        ),
        (
            "rustc --crate-name dy_ex app/examples/dy-ex.rs --crate-type cdylib --out-dir /t/debug/examples",
            {"CARGO_PKG_NAME": "app"},
            Unit("dy-ex(example)", "app", "", "example"),
        ),
        ("rustc @/tmp/args", {"CARGO_PKG_NAME": "app", "CARGO_CRATE_NAME": "my_app"}, Unit("my_app", "app", "", "lib")),
        (
            "rustc --crate-name build_script_build --crate-type bin",
            {"CARGO_PKG_NAME": "ring"},
            Unit("ring(build.rs)", "ring", "", "custom-build"),
        ),
        (
            "/t/debug/build/ring-0123456789abcdef/build-script-build",
            {},
            Unit("ring(build)", "ring", "", "run-build-script"),
        ),
        (
            "/t/debug/build/ring-0123456789abcdef/build-script-main",
            {"CARGO_PKG_NAME": "ring", "CARGO_PKG_VERSION": "0.17"},
            Unit("ring(build)", "ring", "0.17", "run-build-script"),
        ),
        ("rustdoc --crate-name serde_json", SERDE, Unit("serde-json(doc)", "serde-json", "1.0.2", "doc")),
        ("rustc --crate-name=big -O --crate-type=bin big.rs", {}, Unit("big(bin)", "big", "", "bin")),
        ("/bin/rustc -O src/my-app.rs", {}, Unit("my_app", "my_app", "", "lib")),
        ("rustc -o out.rs big.rs --print link-args", {}, Unit("big", "big", "", "lib")),
        ("rustc -vV", {}, None),
        ("rustc --version --verbose", {}, None),
        ("rustc --explain E0382", {}, None),
        ("rustc --crate-name=a --print=cfg", {}, None),
        ("rustc --print cfg a.rs", {}, None),
        ("less rustc a.rs", {}, None),
        ("rustc - --crate-name ___ --print=file-names", {}, None),
    ],
)
def test_a_unit_is_named_as_cargo_names_it(line: str, package: dict[str, str], expected: Unit | None) -> None:
    words = line.encode().split()
    assert is_compiler_or_script(words)
    assert unit_of(words, package) == expected


@pytest.mark.parametrize(
    ("crate", "source", "flags", "name"),
    [
        ("my_bench", "benches/my-bench.rs", "--cfg test", "my-bench(bench)"),
        ("h_bench", "benches/h-bench.rs", "--test", "h-bench(bench)"),
        ("b", "app/benches/b/main.rs", "--test", "b(bench)"),
        ("nh_test", "tests/nh-test.rs", "--cfg test", "nh-test(test)"),
        ("my_test", "/w/app/tests/my-test/main.rs", "--test", "my-test(test)"),
        ("my_app", "src/lib.rs", "--test", "my_app(test)"),
        ("my_app", "lib/my-app.rs", "--test", "my_app(test)"),
        ("my_app", "tests/my-app.rs", "--test", "my-app(test)"),
        ("perf", "perf/all.rs", "--test", "perf"),
        ("perf", "src/perf.rs", "--cfg test", "perf"),
    ],
)
def test_a_target_of_which_cargo_tells_no_name_is_named_by_its_source(
    crate: str, source: str, flags: str, name: str
) -> None:
    package = {"CARGO_PKG_NAME": "my-app", "CARGO_MANIFEST_DIR": "/w/app"}
    found = unit_of(f"rustc --crate-name {crate} {source} {flags} --out-dir /t/debug/deps".encode().split(), package)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("line", ["cargo build", "cc -o x rustc.o", "sh -c rustc", "", "grep x rustc"])
def test_other_programs_are_no_units(line: str) -> None:
    assert not is_compiler_or_script(line.encode().split() or [b""])


def test_of_an_environment_only_the_package_is_kept() -> None:
    environ = b"API_TOKEN=hush\0CARGO_PKG_NAME=app\0CARGO_PKG_VERSION=1.2\0HOME=/root\0CARGO_BIN_NAME=b\0"
    found = package_of(environ)
    assert found == {"CARGO_PKG_NAME": "app", "CARGO_PKG_VERSION": "1.2", "CARGO_BIN_NAME": "b"}


def test_what_comes_and_goes_becomes_events() -> None:
    old, new = Unit("old(bin)", "old", "1", "bin"), Unit("new", "new", "1", "lib")
    first, known = changes({}, [old], 10.0, is_finish_said=False)
    assert first == [e.UnitStarted(10.0, "old(bin)", is_sampled=True)]
    assert changes(known, [old], 11.0, is_finish_said=False) == ([], {"old(bin)": 10.0})
    events, known = changes(known, [new], 12.5, is_finish_said=False)
    assert events == [
        e.UnitFinished(12.5, "old(bin)", "old", "", "bin", False, 2.5),
        e.UnitStarted(12.5, "new", is_sampled=True),
    ]
    assert known == {"new": 12.5}


def test_an_end_that_the_tool_will_tell_is_not_told_twice() -> None:
    assert changes({"old": 1.0}, [], 2.0, is_finish_said=True) == ([], {})


def test_a_system_without_proc_has_no_survivors(tmp_path: Path) -> None:
    assert survivors("r1", 0, str(tmp_path / "nothing")) == ()


def test_survivors_are_told_by_their_environment_and_age() -> None:
    code = "print('ready', flush=True); input()"
    command = [sys.executable, "-I", "-S", "-c", code]
    with subprocess.Popen(
        command, env={"DECK_RUN": "r-procs-1"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        assert survivors("r-procs-1", 0) == (child.pid,)
        assert survivors("r-procs-1", 1 << 60) == ()
        assert survivors("r-procs", 0) == ()
    until(lambda: survivors("r-procs-1", 0) == (), "the end of the child")
