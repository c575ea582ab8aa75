"""Builds with modes, for real: what cargo gets, what is said, what fails and what the next build does about it."""

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.real.product import Deck, read_json, until

_MANIFEST = '[package]\nname = "{name}"\nversion = "1.0.0"\nedition = "2021"\n'


@pytest.fixture
def ws(deck: Deck) -> Path:
    """A workspace of `low`, `mid` (needs it) and `app` (needs that), committed on main."""
    root = Path(deck.folder, "ws")
    needs = {"low": "", "mid": "low", "app": "mid"}
    for name, need in needs.items():
        (root / name / "src").mkdir(parents=True)
        dependency = f'[dependencies]\n{need} = {{ path = "../{need}" }}\n' if need else ""
        (root / name / "Cargo.toml").write_text(_MANIFEST.format(name=name) + dependency)
        (root / name / "src" / "lib.rs").write_text(f'pub fn name() -> &\'static str {{ "{name}" }}\n')
    (root / "app" / "src" / "main.rs").write_text('fn main() { println!("{}", app::name()) }\n')
    (root / "Cargo.toml").write_text('[workspace]\nresolver = "2"\nmembers = ["low", "mid", "app"]\n')
    (root / ".gitignore").write_text("/target\n")
    subprocess.run(["cargo", "generate-lockfile", "--offline"], cwd=root, check=True, capture_output=True)
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "one")):
        named = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *named, *words], cwd=root, check=True, capture_output=True)
    return root


def _newest(deck: Deck) -> dict[str, Any]:
    return read_json(deck.runs()[-1] + "/run.json")


def _rows(deck: Deck) -> dict[str, dict[str, Any]]:
    return {row["setting"]: row for row in _newest(deck)["plan"]}


def _compiled(stderr: str) -> list[str]:
    return [line.split()[1] for line in stderr.splitlines() if line.strip().startswith(("Compiling", "Checking"))]


def test_a_mode_reaches_rustc_and_its_copy_lies_beside_the_plain_one(deck: Deck, ws: Path) -> None:
    verbose = deck.run("build", "-v", "--mode", "dev", cwd=str(ws))
    assert verbose.returncode == 0, verbose.stderr
    assert verbose.stderr.count("-C debuginfo=line-tables-only") == 4
    assert _compiled(deck.run("build", cwd=str(ws)).stderr) == ["low", "mid", "app"]
    for words in (("build", "--mode", "dev"), ("build",), ("build", "--mode", "dev"), ("build",)):
        assert _compiled(deck.run(*words, cwd=str(ws)).stderr) == []
    assert _compiled(subprocess.run(["cargo", "build"], cwd=ws, capture_output=True, text=True).stderr) == []


@pytest.mark.long
def test_what_chose_the_mode_is_on_record_and_a_restart_has_it_too(deck: Deck, ws: Path) -> None:
    (ws / "deck.toml").write_text('mode = "mine"\n[modes.mine]\ninherits = "dev"\nopt-level = 1\n')
    assert deck.run("build", "--agent", "a", cwd=str(ws)).returncode == 0
    assert (_newest(deck)["mode"], _newest(deck)["mode_origin"]) == ("mine", f"{ws}/deck.toml:1")
    assert _rows(deck)["opt-level"]["origin"] == f"{ws}/deck.toml:4"
    assert deck.run("build", "--agent", "b", "--mode", "release-fast", cwd=str(ws)).returncode == 0
    assert (_newest(deck)["mode"], _newest(deck)["mode_origin"]) == ("release-fast", "--mode")
    assert "--release" in _newest(deck)["launch"]["argv"]
    before = len(deck.runs())
    done = deck.run("restart", "b")
    assert done.returncode == 0, done.stderr
    until(lambda: len(deck.runs()) > before and os.path.exists(deck.runs()[-1] + "/exit.json"), 60, "the restart")
    assert (_newest(deck)["mode"], _newest(deck)["mode_origin"]) == ("release-fast", "--mode")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mode = \n", "line 1: "),
        ('mode = "devv"\n', 'line 1: there is no mode "devv": did you mean dev?'),
        ('mode = "x"\n[modes.x]\ndebug = 7\n', "line 3: debug is one of"),
        ('mode = "x"\n[modes.x]\ncache = "sccache"\nincremental = true\n', "line "),
    ],
)
def test_a_mistake_in_deck_toml_is_said_with_its_line_and_the_build_goes_plain(
    deck: Deck, ws: Path, text: str, said: str
) -> None:
    (ws / "deck.toml").write_text(text)
    done = deck.run("build", cwd=str(ws))
    assert done.returncode == 0, done.stderr
    assert f"cargo-deck: {ws}/deck.toml, {said}" in done.stderr
    assert not [row for row in _newest(deck)["plan"] if row["flags"]]
    assert deck.run("plan", cwd=str(ws)).returncode == 2


def test_an_unknown_mode_on_the_command_line_builds_nothing(deck: Deck, ws: Path) -> None:
    done = deck.run("build", "--mode", "relase", cwd=str(ws))
    assert (done.returncode, deck.runs()) == (2, [])
    assert 'there is no mode "relase": did you mean release?' in done.stderr
    assert not (ws / "target").exists()


@pytest.mark.parametrize(
    ("env", "config", "said"),
    [
        ({"RUSTC_WRAPPER": "nosuchwrapper"}, "", "nosuchwrapper"),
        ({}, '[build]\nrustc-wrapper = "nosuchwrapper"\n', "nosuchwrapper"),
        ({}, '[target.x86_64-unknown-linux-gnu]\nlinker = "nosuchlinker"\n', "nosuchlinker"),
        ({"RUSTUP_TOOLCHAIN": "nightly-2019-01-01"}, "", "rustup toolchain install nightly-2019-01-01"),
    ],
)
def test_what_will_have_the_build_fail_is_said_before_it(
    deck: Deck, ws: Path, env: dict[str, str], config: str, said: str
) -> None:
    if config:
        (ws / ".cargo").mkdir()
        (ws / ".cargo" / "config.toml").write_text(config)
    done = deck.run("build", cwd=str(ws), env=env)
    assert done.returncode != 0
    ours = [line for line in done.stderr.splitlines() if line.startswith("cargo-deck: ")]
    assert len(ours) == 1, done.stderr
    assert said in ours[0]
    assert done.stderr.startswith(ours[0])


def test_with_c_settings_and_modes_are_those_of_the_folder_that_cargo_goes_to(deck: Deck, ws: Path) -> None:
    (ws / ".cargo").mkdir()
    (ws / ".cargo" / "config.toml").write_text('[build]\ntarget-dir = "there"\n')
    (ws / "deck.toml").write_text('mode = "dev"\n')
    words = ("+nightly", "-Z", "unstable-options", "-C", str(ws), "build", "-v")
    done = deck.run(*words, cwd=deck.folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("-C debuginfo=line-tables-only") == 4
    assert (ws / "there" / "debug" / "app").exists()
    record = _newest(deck)
    assert (record["target_dir"], record["target_source"]) == (f"{ws}/there", "user")
    assert (record["mode"], record["cwd"]) == ("dev", deck.folder)


def test_check_fast_checks_what_differs_and_on_request_what_needs_it(deck: Deck, ws: Path) -> None:
    assert _compiled(deck.run("check", cwd=str(ws)).stderr) == ["low", "mid", "app"]
    (ws / "low" / "src" / "lib.rs").write_text('pub fn name() -> &\'static str { "other" }\n')
    done = deck.run("check", "--mode", "check-fast", cwd=str(ws))
    assert done.returncode == 0, done.stderr
    assert _compiled(done.stderr) == ["low"]
    assert _rows(deck)["packages"]["value"] == "low"
    (ws / "deck.toml").write_text('[modes.all]\ninherits = "check-fast"\npackages = "changed+dependants"\n')
    assert _compiled(deck.run("check", "--mode", "all", cwd=str(ws)).stderr) == ["mid", "app"]
    explicit = deck.run("check", "-p", "mid", "--mode", "check-fast", cwd=str(ws))
    assert explicit.returncode == 0
    assert _rows(deck)["packages"]["by"] == "user"


@pytest.mark.long
def test_a_linker_of_ours_that_fails_is_named_and_the_next_build_goes_without(deck: Deck, ws: Path) -> None:
    folder = Path(deck.folder, "bin")
    folder.mkdir()
    mold = folder / "ld.mold"
    mold.write_text('#!/bin/sh\n[ "$1" = --version ] && { echo "mold 2.40.0 (compatible with GNU ld)"; exit; }\n'
                    "kill -SEGV $$\n")  # fmt: skip
    mold.chmod(mold.stat().st_mode | stat.S_IXUSR)
    (ws / "deck.toml").write_text('mode = "fast"\n[modes.fast]\nlinker = "mold"\n')
    env = {"PATH": f"{folder}:{deck.env['PATH']}", "COMPILER_PATH": str(folder)}
    failed = deck.run("build", "--agent", "a", cwd=str(ws), env=env)
    assert failed.returncode == 101, failed.stderr
    deck.run("ps")  # starts an engine
    until(lambda: [one for one in _findings(deck) if one["id"] == "linker-failed"], 20, "the finding")
    assert _findings(deck)[0]["title"] == "mold failed a link; the next build goes with the toolchain's own linker"
    again = deck.run("build", "--agent", "a", cwd=str(ws), env=env)
    assert again.returncode == 0, again.stderr
    assert "failed to link this workspace before" in _rows(deck)["linker"]["reason"]


def _findings(deck: Deck) -> list[dict[str, Any]]:
    runs = deck.json("ps", "--json", "--all")["runs"]
    return [finding for run in runs for finding in run.get("findings") or []]


def test_a_program_that_dies_of_an_illegal_instruction_is_named(deck: Deck, ws: Path) -> None:
    (ws / "app" / "src" / "main.rs").write_text('fn main() { unsafe { std::arch::asm!("ud2") } }\n')
    done = deck.run("run", "--agent", "a", cwd=str(ws), env={"RUSTFLAGS": "-C target-cpu=native"})
    assert done.returncode == -4
    deck.run("ps")
    until(lambda: [one for one in _findings(deck) if one["id"] == "illegal-instruction"], 20, "the finding")
    (finding,) = (one for one in _findings(deck) if one["id"] == "illegal-instruction")
    assert finding["title"] == "app died of an illegal instruction (SIGILL)"
    assert "target-cpu=native" in finding["cost"]


@pytest.mark.long
def test_objects_for_this_processor_alone_are_kept_apart(deck: Deck, ws: Path) -> None:
    native = {"RUSTFLAGS": "-C target-cpu=native", "DECK_CACHE": "sccache"}
    for agent in ("a", "b"):
        done = deck.run("build", "--target-dir", f"{deck.folder}/{agent}", "--agent", agent, cwd=str(ws), env=native)
        assert done.returncode == 0, done.stderr
    assert deck.run("build", "--agent", "c", cwd=str(ws), env={"DECK_CACHE": "sccache"}).returncode == 0
    spaces = [read_json(f"{deck.state}/caches/{agent}/server.json")["namespace"] for agent in ("a", "b", "c")]
    assert spaces[0] == spaces[1] != ""
    assert spaces[2] == ""
    store = f"{deck.folder}/cache/cargo-deck/store"
    apart = [name for _, _, names in os.walk(store) for name in names if name.startswith(f"n-{spaces[0]},")]
    assert len(apart) == 3, "the three libraries, once"


def test_variables_of_the_guides_count_only_where_the_project_says_so(deck: Deck, ws: Path) -> None:
    bare = {"MODE": "release", "VERBOSE": "true"}
    assert deck.run("check", cwd=str(ws), env=bare).returncode == 0
    assert not _newest(deck).get("mode")
    (ws / "deck.toml").write_text("bare-names = true\n")
    done = deck.run("check", cwd=str(ws), env=bare)
    assert (_newest(deck)["mode"], _newest(deck)["mode_origin"]) == ("release", "MODE")
    assert "Running `" in done.stderr
    assert json.loads(Path(deck.runs()[-1], "run.json").read_text())["launch"]["argv"].count("--release") == 1
