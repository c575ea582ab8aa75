"""Profiles and rustflags as we understand them, against the command lines that real cargo gives to rustc."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from core.plan.cfg import facts_of, holds
from core.plan.profile import effective, profile_of
from core.plan.rustflags import effective_rustflags
from core.plan.settings import read_settings
from tests.real.cargo_settings import Files, build_world, environment, read, rustc_lines, write_crate

pytestmark = pytest.mark.long

HOST = subprocess.run(["rustc", "--print", "host-tuple"], capture_output=True, text=True, check=True).stdout.strip()
BUILD = '[build]\nrustflags = ["--cfg", "b"]\n'
TARGET = f'[target.{HOST}]\nrustflags = ["--cfg", "t"]\n'
CFGS = """
[target.'cfg(unix)']
rustflags = ["--cfg", "u"]
[target.'cfg(all(unix, not(windows)))']
rustflags = "--cfg a"
[target.'cfg(windows)']
rustflags = ["--cfg", "w"]
"""
OF_TARGET = f"CARGO_TARGET_{HOST.upper().replace('-', '_')}_RUSTFLAGS"
FLAGS: tuple[tuple[str, dict[str, str], tuple[str, ...]], ...] = (
    ("", {}, ()),
    (BUILD, {}, ()),
    ('build.rustflags = "--cfg b"', {"CARGO_BUILD_RUSTFLAGS": "--cfg e"}, ()),
    ('build.rustflags = "--cfg b"', {"CARGO_BUILD_RUSTFLAGS": "--cfg e"}, ('build.rustflags="--cfg c"',)),
    (BUILD + TARGET, {}, ()),
    (BUILD + f"[target.{HOST}]\nrustflags = []", {}, ()),
    (BUILD + CFGS, {}, ()),
    (TARGET + CFGS, {OF_TARGET: "--cfg v"}, ()),
    (TARGET, {"RUSTFLAGS": " --cfg  r "}, ()),
    (TARGET, {"RUSTFLAGS": ""}, ()),
    ("", {"RUSTFLAGS": "--cfg r", "CARGO_ENCODED_RUSTFLAGS": "--cfg\x1fz"}, ()),
    ("", {"RUSTFLAGS": "--cfg r", "CARGO_ENCODED_RUSTFLAGS": ""}, ()),
    ("", {}, (f"target.{HOST}.rustflags=['--cfg', 'q']", "build.rustflags=['--cfg', 'b']")),
)


@pytest.mark.parametrize("at", range(len(FLAGS)))
def test_rustflags_are_those_that_rustc_gets(at: int, tmp_path: Path) -> None:
    config, more, given = FLAGS[at]
    write_crate(tmp_path)
    build_world(tmp_path, {".cargo/config.toml": config})
    env = environment(tmp_path, more)
    words = [word for one in given for word in ("--config", one)]
    line = rustc_lines(tmp_path, env, ["check", "-p", "dep", *words])["dep"]
    _, flags = effective_rustflags(read(tmp_path, env, given), env, "", HOST)
    theirs = re.findall(r"--cfg (\w)(?= |$)", line)
    assert flags is not None
    assert [flag for flag in flags if flag != "--cfg"] == theirs


def test_common_targets_are_what_rustc_says_of_them() -> None:
    listed = subprocess.run(["rustc", "--print", "target-list"], capture_output=True, text=True, check=True)
    known = {triple: facts for triple in listed.stdout.split() if (facts := facts_of(triple)) is not None}
    assert len(known) > 50
    for triple, facts in known.items():
        said = subprocess.run(
            ["rustc", "--print", "cfg", "--target", triple], capture_output=True, text=True, check=True
        )
        theirs = [line.partition("=") for line in said.stdout.splitlines()]
        for key, value in facts.items():
            assert [given.strip('"') for name, _, given in theirs if name == key] == [value], (triple, key)
            assert holds(f'cfg({key} = "{value}")', facts) is True


PROFILES: tuple[tuple[str, Files, dict[str, str], tuple[str, ...]], ...] = (
    ("", {}, {}, ("build",)),
    ("", {}, {}, ("build", "--release")),
    ("", {}, {}, ("test", "--no-run")),
    ("", {}, {}, ("bench", "--no-run")),
    ("[profile.dev]\ndebug = 1\nopt-level = 1\n", {}, {}, ("test", "--no-run")),
    ("[profile.dev]\ndebug = 1\n[profile.test]\ndebug = 0\n", {}, {}, ("test", "--no-run")),
    ("[profile.dev]\ndebug = 0\nincremental = false\npanic = 'abort'\n", {}, {}, ("build",)),
    ("[profile.dev]\npanic = 'abort'\n", {}, {}, ("test", "--no-run")),
    ("[profile.release]\nlto = true\ncodegen-units = 1\nstrip = true\npanic = 'abort'\n", {}, {},
     ("build", "--release")),
    ("[profile.release]\nlto = 'thin'\ndebug = 'line-tables-only'\n", {}, {}, ("build", "--release")),
    ("[profile.release]\nlto = 'off'\noverflow-checks = true\n", {}, {}, ("build", "--release")),
    ("[profile.release]\ndebug = 2\n", {"home/config.toml": "[profile.release]\ndebug = 1\nopt-level = 's'"}, {},
     ("build", "--release")),
    ("[profile.release]\ndebug = 2\nsplit-debuginfo = 'packed'\n", {}, {"CARGO_PROFILE_RELEASE_OPT_LEVEL": "2"},
     ("build", "--release")),
    ("[profile.fast]\ninherits = 'release'\nopt-level = 1\n[profile.release]\nlto = 'thin'\n", {},
     {"CARGO_PROFILE_FAST_CODEGEN_UNITS": "3"}, ("build", "--profile", "fast")),
    ("[profile.a]\ninherits = 'b'\n[profile.b]\ninherits = 'dev'\ndebug = false\n[profile.dev]\nstrip = 'debuginfo'\n",
     {}, {}, ("build", "--profile=a")),
    ("", {"home/config.toml": "[profile.mine]\ninherits = 'dev'\nopt-level = 2\nincremental = false"}, {},
     ("build", "--profile", "mine")),
    ("[profile.dev.build-override]\nopt-level = 2\ncodegen-units = 7\ndebug = 1\n", {}, {}, ("build",)),
    ("", {".cargo/config.toml": "[build]\nincremental = false"}, {}, ("build",)),
    ("", {".cargo/config.toml": "[build]\nincremental = false"}, {"CARGO_INCREMENTAL": "1"}, ("build", "--release")),
    ("[profile.dev]\nincremental = true\n", {}, {"CARGO_INCREMENTAL": "0"},
     ("build", "--config", "build.incremental=true")),
    ("[profile.dev]\nincremental = true\n", {}, {"CARGO_INCREMENTAL": "true"}, ("build",)),
    ("[profile.dev]\ndebug = 0\nstrip = 'none'\n", {}, {}, ("build", "--config", "profile.dev.lto='fat'")),
)  # fmt: skip


def said_of(line: str) -> dict[str, Any]:
    """What a command line of rustc's says, in our words."""
    flags = dict(re.findall(r"-C ([a-z-]+)(?:=([^ `]*))?", line))
    level = flags.get("opt-level", "0")
    debug_assertions = flags.get("debug-assertions", "off" if level != "0" else "on") == "on"
    return {
        "opt-level": level,
        "debug": {"0": "none", "1": "limited", "2": "full"}.get(flags.get("debuginfo", "0"), flags.get("debuginfo")),
        "lto": (flags["lto"] or "fat") if "lto" in flags else "thin-local",
        "codegen-units": int(flags.get("codegen-units", "256" if "incremental" in flags else "16")),
        "incremental": "incremental" in flags,
        "strip": flags.get("strip", "none"),
        "panic": flags.get("panic", "unwind"),
        "debug-assertions": debug_assertions,
        "overflow-checks": flags.get("overflow-checks", "on" if debug_assertions else "off") == "on",
        "split-debuginfo": flags.get("split-debuginfo", ""),
    }


@pytest.mark.parametrize("at", range(len(PROFILES)))
def test_profiles_are_those_that_rustc_gets(at: int, tmp_path: Path) -> None:
    manifest, files, more, words = PROFILES[at]
    write_crate(tmp_path, manifest)
    build_world(tmp_path, files)
    env = environment(tmp_path, more)
    env = {name: value for name, value in env.items() if name not in ("CI", "TF_BUILD")}
    lines = rustc_lines(tmp_path, env, words)
    given = [words[at + 1] for at, word in enumerate(words) if word == "--config"]
    settings = read_settings("", cwd=str(tmp_path / "in"), env=env, home=str(tmp_path), given=given,
                             root=str(tmp_path / "in"))  # fmt: skip
    assert settings.troubles == ()
    options = {"release": [""]} if "--release" in words else {}
    named = [word.removeprefix("--profile=") for word in words if word.startswith("--profile=")]
    named += [words[at + 1] for at, word in enumerate(words) if word == "--profile"]
    profile = profile_of(words[0], {**options, **({"profile": named} if named else {})})
    ours = effective(settings, profile, subcommand=words[0])
    theirs = said_of(lines["top"])
    assert {key: ours[key].value for key in theirs} == theirs
    of_script = said_of(lines["build_script_build"])
    parts = {key: ours[f"build-override.{key}"].value for key in ("opt-level", "codegen-units", "debug")}
    assert parts == {key: of_script[key] for key in parts}
