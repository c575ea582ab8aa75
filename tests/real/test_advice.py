"""Advice on real packages: cargo, the C compiler and nvcc build in scratch worlds, with and without it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core import sample
from core.native.gains.advice import Advice
from core.native.gains.advice_edits import NATIVE, RUST, Edit
from core.native.gains.advice_survey import digests, survey
from core.native.gains.advice_trials import Trial, try_all
from core.native.gains.advice_world import worlds
from core.native.staleness.doctor import examine
from core.native.staleness.stale_place import find_place
from core.paths import find_paths
from tests.advice_worlds import content_of, write_kernels, write_package
from tests.real.product import COMMAND, Deck, until, with_environ

pytestmark = pytest.mark.long


def built(deck: Deck, root: Path, *words: str, env: Mapping[str, str] | None = None) -> None:
    done = deck.run("build", *words, cwd=str(root), env=env, timeout_s=600)
    assert done.returncode == 0, done.stderr


def advise(deck: Deck, root: Path, *words: str, env: Mapping[str, str] | None = None) -> Any:
    done = deck.run("advise", "--json", *words, cwd=str(root), env=env, timeout_s=900)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rows(found: Any) -> dict[str, Any]:
    return {one["advice"]: one for one in found["advice"]}


def left(deck: Deck) -> list[str]:
    """What measurements left behind."""
    cache = f"{deck.folder}/cache/cargo-deck"
    return [name for folder in ("scratch", "measure") for name in os.listdir(f"{cache}/{folder}") if name != "lock"]


def rebuilt(one: Any) -> dict[str, tuple[Any, Any]]:
    """Units and scripts, before and after, by edit."""
    found = {}
    for figure in one["figures"]:
        before, after = figure["before"], figure["after"]
        found[figure["edit"]] = [before["units"], before["scripts"]], [after["units"], after["scripts"]]
    return found


@pytest.mark.parametrize("uses_cc_crate", [False, True])
def test_a_split_is_built_measured_and_applied_as_a_patch(deck: Deck, tmp_path: Path, uses_cc_crate: bool) -> None:
    root = tmp_path / "app"
    write_package(root, uses_cc_crate=uses_cc_crate)
    built(deck, root)
    before = content_of(root)
    found = advise(deck, root, "--measure", "split", "--rounds", "5")
    (one,) = found["tried"]
    assert (one["what"], one["trouble"]) == ("app-native", "")
    assert rows(found)["split"]["measured"] == one
    own, native = ["app bin", "app lib"], ["app bin", "app lib", "app-native lib"]
    assert rebuilt(one) == {
        "native": ([own, ["app"]], [native, ["app-native"]]),
        "rust": ([own, []], [own, []]),
    }
    assert {figure["verdict"] for figure in one["figures"]} <= {"faster", "slower", "within noise"}
    patch = tmp_path / "split.patch"
    done = deck.run("advise", "--patch", str(patch), cwd=str(root))
    assert done.returncode == 0, done.stderr
    assert content_of(root) == before
    assert left(deck) == []
    assert rows(advise(deck, root))["split"]["measured"] == one
    subprocess.run(["git", "apply", patch], cwd=root, check=True)
    built(deck, root, "--locked", "--features", "loud")
    assert subprocess.run([root / "target/debug/app"], capture_output=True, check=True).stdout == b"81\n"
    assert rows(advise(deck, root))["split"]["changed_since"] != []


def test_where_a_script_declares_nothing_a_split_spares_rust_edits_the_native_part(deck: Deck, tmp_path: Path) -> None:
    root = tmp_path / "app"
    write_package(root, declares=False)
    built(deck, root)
    (root / "src/lib.rs").write_text((root / "src/lib.rs").read_text() + "// edited\n")
    built(deck, root)
    touch = rows(advise(deck, root))["split"]
    assert touch["class"] == "rust"
    assert touch["at_most_s"] > 0
    (one,) = advise(deck, root, "--measure", "split", "--rounds", "5")["tried"]
    own = ["app bin", "app lib"]
    assert rebuilt(one)["rust"] == ([own, ["app"]], [own, []])
    assert rebuilt(one)["native"] == ([own, ["app"]], [[*own, "app-native lib"], ["app-native"]])


def test_linker_cache_and_symbols_are_tried_and_nothing_is_left(deck: Deck, tmp_path: Path) -> None:
    root = tmp_path / "app"
    write_package(root)
    built(deck, root)
    before = content_of(root)
    found = advise(deck, root, "--measure", "debug", "sccache", "linker", "jobs", "--rounds", "5")
    assert [(one["advice"], one["trouble"]) for one in found["tried"]] == [
        ("debug", ""),
        ("sccache", ""),
        ("linker", ""),
    ]
    assert rows(found)["jobs"]["why"] == "nothing: no build script here has CMake build something"
    cached = found["tried"][1]
    assert [figure["edit"] for figure in cached["figures"]] == ["native", "rust", "back"]
    assert content_of(root) == before
    assert left(deck) == []
    assert with_environ(f"{deck.folder}/cache/cargo-deck/measure") == []


def test_an_interrupt_leaves_no_process_and_no_file(deck: Deck, tmp_path: Path) -> None:
    root = tmp_path / "app"
    write_package(root)
    built(deck, root)
    before = content_of(root)
    command = [COMMAND, "advise", "--measure", "sccache"]
    with subprocess.Popen(command, cwd=root, env=deck.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          start_new_session=True) as process:  # fmt: skip
        place = f"{deck.folder}/cache/cargo-deck/measure"
        until(lambda: with_environ(f"SCCACHE_DIR={place}"), 60, "a build behind a cache")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    until(lambda: not with_environ(f"SCCACHE_DIR={place}"), 20, "the end of all that was started")
    assert left(deck) == []
    assert content_of(root) == before


def test_a_world_that_is_a_copy_tells_the_same(deck: Deck, tmp_path: Path) -> None:
    root = tmp_path / "app"
    write_package(root)
    built(deck, root)
    paths = find_paths(deck.env)
    place = find_place(paths, str(root), deck.env)
    examined = examine(paths, place)
    found = survey(paths, place, examined)
    edits = (Edit(NATIVE, f"{place.workspace}/c/a.c"), Edit(RUST, f"{place.workspace}/src/lib.rs"))
    trial = Trial(edits, 5, digests(found), lambda said: None)
    with worlds(found.project, examined, found.arms([Advice.SPLIT]), is_copied=True) as made:
        (one,) = try_all(found.project, made, trial, lambda: 1.0)
    assert (one.world, one.trouble) == ("copy", "")
    native, rust = one.figures
    assert (native.before.scripts, native.after.scripts) == (("app",), ("app-native",))
    assert (rust.before.scripts, rust.after.scripts) == ((), ())


def test_the_sample_is_not_split_and_says_why_and_its_kernels_are_counted(deck: Deck, nvcc: str) -> None:
    root = Path(deck.folder, "ws")
    sample.write_shared(f"{deck.folder}/shared")
    sample.write_checkout(str(root), f"{deck.folder}/shared", has_cuda=True)
    env = {"PATH": f"{nvcc}:{deck.env['PATH']}"}
    built(deck, root, "-p", "orchard-kernels", "-p", "orchard-grid", env=env)
    why = rows(advise(deck, root, "-p", "orchard-kernels", env=env))["split"]["why"]
    assert "src/lib.rs takes in what the build script makes, by OUT_DIR" in why
    found = advise(deck, root, "-p", "orchard-grid", "--measure", "jobs", "--rounds", "5", env=env)
    assert "prints rustc-cfg, which cargo gives to the package of the script alone" in rows(found)["split"]["why"]
    assert rows(found)["jobs"]["why"] == "ninja starts as many at once as there are cores already"
    (one,) = found["tried"]
    calls = {figure["edit"]: figure["after"]["nvcc_calls"] for figure in one["figures"]}
    assert calls == {"native": 1, "header": 2, "rust": 0}


def test_a_split_of_kernels_has_nvcc_compile_what_it_compiled_before(deck: Deck, tmp_path: Path, nvcc: str) -> None:
    root = tmp_path / "kern"
    write_kernels(root)
    env = {"PATH": f"{nvcc}:{deck.env['PATH']}"}
    built(deck, root, env=env)
    (one,) = advise(deck, root, "--measure", "split", "--rounds", "5", env=env)["tried"]
    assert one["trouble"] == ""
    assert rebuilt(one) == {
        "native": ([["kern lib"], ["kern"]], [["kern lib", "kern-native lib"], ["kern-native"]]),
        "rust": ([["kern lib"], []], [["kern lib"], []]),
    }
    calls = {
        figure["edit"]: (figure["before"]["nvcc_calls"], figure["after"]["nvcc_calls"]) for figure in one["figures"]
    }
    assert calls == {"native": (1, 1), "rust": (0, 0)}


def test_the_server_of_a_cache_compiles_nothing_of_a_scratch_world(deck: Deck, tmp_path: Path) -> None:
    root = tmp_path / "app"
    write_package(root)
    program = os.path.join(os.path.dirname(sys.executable), "sccache")
    env = {
        "RUSTC_WRAPPER": program, "SCCACHE_DIR": f"{deck.folder}/store", "SCCACHE_SERVER_UDS": f"{deck.folder}/s",
        "CARGO_INCREMENTAL": "0",
    }  # fmt: skip
    subprocess.run([program, "--start-server"], env={**deck.env, **env}, capture_output=True, check=True)
    try:
        built(deck, root, env=env)
        before = content_of(root)
        done = deck.run("prove", "--json", cwd=str(root), env=env)
        assert {one["outcome"] for one in json.loads(done.stdout)["files"]} <= {"tracked", "wide"}
        (one,) = advise(deck, root, "--measure", "linker", "--rounds", "5", env=env)["tried"]
        assert one["trouble"] == ""
        assert content_of(root) == before
    finally:
        subprocess.run([program, "--stop-server"], env={**deck.env, **env}, capture_output=True, check=True)
