"""What is decided really builds: rustc gets what each row of a plan says, and two ways to build live side by side."""

import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from core.paths import Paths
from core.plan.decide import decide
from core.plan.found import Found, Tool
from core.plan.given import Given, Origin
from core.plan.look import look
from core.plan.plan import Plan
from core.plan.settings import read_settings
from core.plan.wish import Mode, Wish
from tests.core.plan_worlds import MODES, MUSL, mode
from tests.real.product import plain_env
from tests.real.samples import write_files

_LIB = '[package]\nname = "{}"\nversion = "0.1.0"\nedition = "2021"\n'
FILES = {
    "work/Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["app", "engine", "derive"]\n',
    "work/app/Cargo.toml": _LIB.format("app") + '[dependencies]\nengine = { path = "../engine" }\n',
    "work/app/src/main.rs": 'fn main() { println!("{}", engine::sum(&engine::Pair { left: 1, right: 2 })) }\n'
    "#[test]\nfn one() { assert_eq!(engine::sum(&engine::Pair { left: 1, right: 2 }), 4) }\n",
    "work/engine/Cargo.toml": _LIB.format("engine")
    + '[dependencies]\nderive = { path = "../derive" }\noutside = { path = "../../outside" }\n',
    "work/engine/build.rs": 'fn main() { println!("cargo::rerun-if-changed=build.rs") }\n',
    "work/engine/src/lib.rs": "#[derive(derive::Nothing)]\npub struct Pair { pub left: u32, pub right: u32 }\n"
    "pub fn sum(pair: &Pair) -> u32 { outside::plus(pair.left, pair.right) + 1 }\n",
    "work/derive/Cargo.toml": _LIB.format("derive") + "[lib]\nproc-macro = true\n",
    "work/derive/src/lib.rs": "#[proc_macro_derive(Nothing)]\npub fn nothing(_: proc_macro::TokenStream) "
    "-> proc_macro::TokenStream { proc_macro::TokenStream::new() }\n",
    "outside/Cargo.toml": _LIB.format("outside") + "[workspace]\n",
    "outside/src/lib.rs": "pub fn plus(a: u32, b: u32) -> u32 { a + b }\n",
}
"""Members, and beside the workspace a dependency that is none."""
SUBCOMMANDS = {"check-fast": ("check",), "test": ("test", "--no-run")}
BY_TURNS_ON_NIGHTLY = ("dev", "own-nightly")
"""Other modes have the flags that stable has: that they build is enough."""
NIGHTLY_MODE = Mode(
    "own-nightly-two",
    Origin("--mode"),
    {
        name: Given(value, Origin("deck.toml"))
        for name, value in {"share-generics": False, "front-end-threads": 2, "backend": "cranelift"}.items()
    },
)


class Built(NamedTuple):
    """One cargo command."""

    code: int
    said: str
    units: Mapping[str, list[str]]
    """Words after `rustc` by crate name, of those that were compiled."""


class Bench:
    """A workspace, and builds of it in one target dir."""

    def __init__(self, folder: Path, answers: Path) -> None:
        write_files(str(folder), FILES)
        self.root = str(folder / "work")
        self.env = {**plain_env(str(folder)), "HOME": str(folder / "home")}
        self.paths = Paths(str(answers / "state"), str(answers / "cache"))

    def plan(self, wanted: Mode, words: tuple[str, ...] = ("build",), toolchain: str = "") -> Plan:
        """What is decided, from what is really there."""
        target = words[words.index("--target") + 1] if "--target" in words else ""
        options = {"target": [target]} if target else {}
        changed = ("app", "engine") if wanted.options.get("packages") else None
        return decide(self.found(toolchain, target), Wish(words[0], options, wanted, changed=changed))

    def found(self, toolchain: str = "", target: str = "") -> Found:
        """All of it."""
        settings = read_settings("", cwd=self.root, env=self.env, home=self.env["HOME"], root=self.root)
        return look(self.paths, cwd=self.root, env=self.env, root=self.root, toolchain_word=toolchain, target=target,
                    settings=settings, may_ask=True)  # fmt: skip

    def cargo(self, words: tuple[str, ...], plan: Plan | None = None, toolchain: str = "") -> Built:
        """Build, with what a plan adds."""
        flags = plan.flags if plan else ()
        argv = ["cargo", *([toolchain] if toolchain else []), words[0], "-v", "--offline", *flags, *words[1:]]
        env = {**self.env, **dict(plan.env if plan else ())}
        done = subprocess.run(argv, cwd=self.root, env=env, capture_output=True, text=True, check=False)
        lines = [line for line in done.stderr.splitlines() if re.match(r"\s+Running `.*rustc ", line)]
        units = {}
        for line in lines:
            argv = shlex.split(line.split("`", 1)[1].rsplit("`", 1)[0])
            units[argv[argv.index("--crate-name") + 1]] = argv
        return Built(done.returncode, done.stderr, units)


@pytest.fixture(scope="session")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it is kept what programs said: they are the same for all tests."""
    return tmp_path_factory.mktemp("answers")


@pytest.fixture
def bench(tmp_path: Path, answers: Path) -> Bench:
    return Bench(tmp_path, answers)


def option(argv: list[str], name: str) -> str | None:
    """The value of the last `-C NAME=VALUE`; empty without a value, None where it is not there."""
    found = None
    for word in argv:
        key, _, value = word.partition("=")
        if key == name:
            found = value
    return found


def value(plan: Plan, name: str) -> str:
    return next(row.value for row in plan.settings if row.name == name)


def expected(plan: Plan, prefix: str = "") -> dict[str, str | None]:
    """What rustc is told for a unit by the rows of a plan: `debug`, or `deps-debug`."""
    debug = {"none": None, "limited": "1", "full": "2"}
    level = value(plan, prefix + "opt-level")
    return {
        "debuginfo": debug.get(shown := value(plan, prefix + "debug"), shown),
        "opt-level": None if level == "0" else level,
    }


def told(argv: list[str], *names: str) -> dict[str, str | None]:
    return {name: option(argv, name) for name in names}


@pytest.mark.parametrize("toolchain", ["+stable", pytest.param("+nightly", marks=pytest.mark.long)])
@pytest.mark.parametrize("name", ["dev", *(pytest.param(one, marks=pytest.mark.long) for one in MODES if one != "dev")])
def test_each_mode_builds_what_its_plan_says_and_lives_beside_a_plain_build(
    bench: Bench, name: str, toolchain: str
) -> None:
    words = SUBCOMMANDS.get(name, ("build",))
    plan = bench.plan(mode(name), words, toolchain)
    first = bench.cargo(words, plan, toolchain)
    assert first.code == 0, first.said
    assert_told(plan, first)
    if toolchain == "+nightly" and name not in BY_TURNS_ON_NIGHTLY:
        return
    assert bench.cargo(words, None, toolchain).code == 0
    assert bench.cargo(words, plan, toolchain).units == {}, "the plain build took something of it away"
    assert bench.cargo(words, None, toolchain).units == {}, "it took something of the plain build away"


def assert_told(plan: Plan, built: Built) -> None:
    """Members, dependencies and build scripts are compiled as the rows say."""
    engine, outside = built.units["engine"], built.units["outside"]
    assert told(engine, "debuginfo", "opt-level") == expected(plan)
    assert told(outside, "debuginfo", "opt-level") == expected(plan, "deps-")
    assert option(built.units["build_script_build"], "opt-level") == (
        None if value(plan, "build-opt-level") == "0" else value(plan, "build-opt-level")
    )
    assert (option(engine, "incremental") is not None) == (value(plan, "incremental") == "true")
    assert option(engine, "panic") == ("abort" if value(plan, "panic") == "abort" else None)
    units = option(engine, "codegen-units")
    assert units in (None, value(plan, "codegen-units"))
    assert (units is None) == (not flags_of(plan, "codegen-units"))
    checked = value(plan, "overflow-checks") == "true"
    assert option(engine, "overflow-checks") == (
        None if checked == has_assertions(plan) else "on" if checked else "off"
    )
    assert option(engine, "split-debuginfo") in (None, value(plan, "split-debuginfo"))
    assert (option(engine, "split-debuginfo") is None) == (not flags_of(plan, "split-debuginfo"))
    if "app" in built.units and "--emit=dep-info,link" in built.units["app"]:
        app = built.units["app"]
        assert option(app, "strip") == (None if value(plan, "strip") == "none" else value(plan, "strip"))
        lto = option(app, "lto")
        assert ("fat" if lto == "" else lto or "thin-local") == value(plan, "lto")


def flags_of(plan: Plan, name: str) -> tuple[str, ...]:
    return next(row.flags for row in plan.settings if row.name == name)


def has_assertions(plan: Plan) -> bool:
    return value(plan, "profile") not in ("release", "bench")


@pytest.mark.parametrize(
    "name", ["dev", *(pytest.param(one, marks=pytest.mark.long) for one in ("release-optimized", "own-profile"))]
)
def test_plans_for_musl_build_too(bench: Bench, name: str, musl: None) -> None:
    words = ("build", "--target", MUSL)
    plan = bench.plan(mode(name), words)
    built = bench.cargo(words, plan)
    assert built.code == 0, built.said
    assert told(built.units["engine"], "debuginfo", "opt-level") == expected(plan)
    assert option(built.units["engine"], "target-cpu") == (
        None if value(plan, "target-cpu") == "default" else value(plan, "target-cpu")
    )
    assert option(built.units["build_script_build"], "target-cpu") is None, "a target is named"
    bench.cargo(words)
    assert bench.cargo(words, plan).units == bench.cargo(words).units == {}


@pytest.fixture(scope="session")
def musl() -> None:
    """Std of the target is there."""
    there = subprocess.run(["rustup", "target", "list", "--installed"], capture_output=True, text=True, check=True)
    if MUSL not in there.stdout:
        subprocess.run(["rustup", "target", "add", MUSL], check=True)


@pytest.mark.parametrize("config", ["", '[build]\nrustflags = ["--cfg", "theirs"]\n',
                                    "[target.'cfg(unix)']\nrustflags = [\"--cfg\", \"theirs\"]\n"])  # fmt: skip
def test_a_chosen_linker_links_and_takes_no_flag_of_the_user_away(bench: Bench, config: str) -> None:
    write_files(bench.root, {".cargo/config.toml": config})
    plan = bench.plan(mode("own-linker"))
    assert value(plan, "linker") == "mold"
    built = bench.cargo(("build",), plan)
    assert built.code == 0, built.said
    assert ("theirs" in built.units["engine"]) == bool(config)
    assert option(built.units["engine"], "target-cpu") == "native"
    program = Path(bench.root, "target/debug/app").read_bytes()
    assert b"mold " in program
    assert bench.cargo(("build",)).code == 0
    assert b"mold " not in Path(bench.root, "target/debug/app").read_bytes()


@pytest.mark.long
def test_nothing_is_added_beside_rustflags_of_the_environment(bench: Bench) -> None:
    bench.env["RUSTFLAGS"] = "--cfg theirs"
    plan = bench.plan(mode("own-linker"))
    assert [row.flags for row in plan.settings if row.name in ("linker", "target-cpu")] == [(), ()]
    built = bench.cargo(("build",), plan)
    assert "theirs" in built.units["engine"]
    assert option(built.units["engine"], "target-cpu") is None


@pytest.mark.long
def test_nightly_flags_reach_rustc_on_nightly_and_stable_is_asked_for_none(bench: Bench) -> None:
    plan = bench.plan(NIGHTLY_MODE, toolchain="+nightly")
    built = bench.cargo(("build",), plan, "+nightly")
    assert built.code == 0, built.said
    assert "-Zshare-generics=n" in built.units["engine"]
    is_parallel = value(plan, "front-end-threads") == "2"
    assert ("-Zthreads=2" in built.units["engine"]) == is_parallel
    has_cranelift = bench.found("+nightly").toolchain.has_cranelift
    assert (option(built.units["engine"], "codegen-backend") == "cranelift") == has_cranelift
    assert option(built.units["outside"], "codegen-backend") in (None, "llvm")
    assert bench.plan(NIGHTLY_MODE).flags == ()


@pytest.mark.long
def test_settings_of_the_manifest_stay_as_they_are(bench: Bench) -> None:
    manifest = FILES["work/Cargo.toml"] + "[profile.dev]\ndebug = 1\n[profile.dev.package.outside]\nopt-level = 2\n"
    write_files(bench.root, {"Cargo.toml": manifest})
    plan = bench.plan(mode("own-profile"))
    row = next(row for row in plan.settings if row.name == "debug")
    assert (row.value, row.by, row.origin) == ("limited", "user", Origin(bench.root + "/Cargo.toml", 5))
    built = bench.cargo(("build",), plan)
    assert built.code == 0, built.said
    assert told(built.units["engine"], "debuginfo", "opt-level") == {"debuginfo": "1", "opt-level": "1"}
    assert told(built.units["outside"], "debuginfo", "opt-level") == {"debuginfo": "1", "opt-level": "2"}


GENERATOR = """
use std::{env, fs, path::Path};
fn main() {
    let generator = env::var("CMAKE_GENERATOR").unwrap_or_default();
    let archs = env::var("CUDAARCHS").unwrap_or_default();
    let kept = Path::new(&env::var("OUT_DIR").unwrap()).join("CMakeCache.txt");
    let now = format!("{generator} {archs}");
    match fs::read_to_string(&kept) {
        Ok(before) => assert_eq!(before, now, "the folder was configured otherwise"),
        Err(_) => fs::write(&kept, now).unwrap(),
    }
    println!("cargo::rerun-if-changed=kernel.cu");
}
"""
"""As CMake: what a folder was configured with holds for good."""


@pytest.mark.long
@pytest.mark.parametrize("profile", [(), ("--release",)])
def test_folders_of_cmake_are_never_shared_with_a_build_that_configures_otherwise(
    bench: Bench, profile: tuple[str, ...]
) -> None:
    write_files(bench.root, {"engine/build.rs": GENERATOR, "engine/kernel.cu": ""})
    there = bench.found()
    tools = {name: Tool(name, f"/opt/{name}", (13, 0)) for name in ("cmake", "ninja", "nvcc")}
    found = there._replace(tools={**there.tools, **tools})
    options = {"release": [""]} if profile else {}
    plans = [decide(found, Wish(options=options, mode=mode(name))) for name in ("dev", "cuda-iterate", "own-native")]
    assert [dict(plan.env).get("CMAKE_GENERATOR") for plan in plans] == [None, "Ninja", "Ninja"]
    for turn in range(2):
        for plan in (None, *plans):
            Path(bench.root, "engine/kernel.cu").write_text(f"{turn} {plan and plan.mode}")
            built = bench.cargo(("build", *profile), plan)
            assert built.code == 0, built.said
