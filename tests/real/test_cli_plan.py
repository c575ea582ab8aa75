"""The installed `cargo deck plan` and `cargo deck tools`: what they say is what cargo and the tools really do."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.real.product import COMMAND, Deck
from tests.real.ptys import Answer, run_in_terminal
from tests.real.samples import write_files

FILES = {
    "Cargo.toml": '[package]\nname = "told"\nversion = "0.1.0"\nedition = "2021"\n',
    "src/main.rs": 'fn main() { println!("{}", env!("SEEN")); }\n',
    "build.rs": """fn main() {
    println!("cargo:rustc-env=SEEN={}", std::env::var("CMAKE_BUILD_PARALLEL_LEVEL").unwrap_or_default());
}
""",
}


@pytest.fixture
def crate(deck: Deck) -> str:
    root = os.path.join(deck.folder, "a crate")
    write_files(root, FILES)
    return root


def tree(root: str) -> set[str]:
    return {str(path.relative_to(root)) for path in Path(root).rglob("*")}


def compilers(verbose: str) -> list[str]:
    """Command lines of the compilations of the program, as cargo shows them."""
    return [line for line in verbose.splitlines() if "--crate-name told " in line and "Running" in line]


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
def test_what_is_printed_for_a_shell_has_cargo_build_as_planned(deck: Deck, crate: str, shell: str) -> None:
    mode = '[modes.told]\ninherits = "cuda-iterate"\ncmake-parallel = "jobs"\n'
    Path(crate, "deck.toml").write_text(mode)
    planned = deck.run("plan", "--mode", "told", "--shell", "build", "-v", cwd=crate)
    assert (planned.returncode, planned.stderr) == (0, "")
    done = subprocess.run(
        [shell, "-c", 'eval "$1"; ./target/debug/told', shell, planned.stdout], cwd=crate, env=deck.env,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (compiled,) = compilers(done.stderr)
    assert "-C debuginfo=line-tables-only" in compiled
    level = re.search(r"export CMAKE_BUILD_PARALLEL_LEVEL=(\d+)", planned.stdout)
    assert level is not None
    assert done.stdout == f"{level[1]}\n"


def test_a_build_with_a_mode_is_fresh_after_the_lines_for_a_shell_built_it(deck: Deck, crate: str) -> None:
    planned = deck.run("plan", "--mode", "dev", "--shell", cwd=crate)
    subprocess.run(["sh", "-c", planned.stdout], cwd=crate, env=deck.env, capture_output=True, check=True)
    done = deck.run("build", "--mode", "dev", "-v", cwd=crate)
    assert (done.returncode, "Fresh told" in done.stderr, compilers(done.stderr)) == (0, True, [])


@pytest.mark.parametrize("name", ["café".encode(), b"caf\xe9"])
def test_a_path_comes_back_from_a_shell_as_its_bytes_whatever_the_terminal_can_show(deck: Deck, name: bytes) -> None:
    root = os.fsdecode(os.fsencode(deck.folder) + b"/" + name)
    write_files(root, FILES)
    lines = subprocess.run(
        [COMMAND, "plan", "--mode", "dev", "--shell", "build", "--manifest-path", f"{root}/Cargo.toml"],
        cwd=root, env={**deck.env, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert b"'" + os.fsencode(root) + b"/Cargo.toml'" in lines


def test_a_plan_starts_nothing_and_writes_nothing_into_the_checkout(deck: Deck, crate: str) -> None:
    before = tree(crate)
    for words in ([], ["--mode", "dev", "--why", "test"], ["--diff", "release"], ["--modes"], ["--json"]):
        assert deck.run("plan", *words, cwd=crate).returncode == 0
    assert tree(crate) == before
    assert deck.runs() == []


def test_without_a_mode_cargo_is_told_nothing(deck: Deck, crate: str) -> None:
    found = deck.json("plan", "--json", cwd=crate)
    assert (found["mode"], found["flags"], found["env"], found["copy"]) == (None, [], {}, None)
    assert deck.run("plan", "--shell", "test", "--", "a b", cwd=crate).stdout == "cargo test -- 'a b'\n"


def test_a_broken_deck_toml_is_named_by_line_and_the_plan_goes_without_it(deck: Deck, crate: str) -> None:
    write_files(crate, {"deck.toml": 'mode = "mine"\n\n[modes.mine]\nstrip = 7\n'})
    done = deck.run("plan", cwd=crate)
    assert done.returncode == 2
    assert f"{crate}/deck.toml, line 4: strip is" in done.stderr
    assert done.stdout.startswith("No mode for `cargo build`")
    missing = deck.run("plan", "--mode", "nope", cwd=crate)
    assert (missing.returncode, missing.stdout) == (2, "")


def test_the_price_of_a_second_copy_is_the_size_of_the_folder(deck: Deck, crate: str) -> None:
    subprocess.run(["cargo", "build", "-q"], cwd=crate, env=deck.env, check=True)
    copy = deck.json("plan", "--mode", "dev", "--json", cwd=crate)["copy"]
    sizes = subprocess.run(["du", "-sb", copy["folder"]], capture_output=True, text=True, check=True).stdout
    folders = sum(path.stat().st_size for path in [Path(copy["folder"]), *Path(copy["folder"]).rglob("*")]
                  if path.is_dir() and not path.is_symlink())  # fmt: skip
    assert (copy["folder"], copy["is_whole"]) == (f"{crate}/target/debug", True)
    assert copy["bytes"] == int(sizes.split()[0]) - folders


def test_tools_are_those_that_a_build_would_use_with_their_own_versions(deck: Deck, crate: str) -> None:
    rows: dict[str, dict[str, Any]] = {one["tool"]: one for one in deck.json("tools", "--json", cwd=crate)["tools"]}
    for name in ("cc", "cmake", "ninja", "make"):
        path = shutil.which(name, path=deck.env["PATH"])
        if path is None:
            assert rows[name]["state"] == "missing", name
            continue
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
        assert rows[name]["version"] in said, name
        assert os.path.basename(rows[name]["path"]).startswith(name)


@pytest.fixture
def noted(deck: Deck) -> Path:
    """What a pip in front of all others was started with; there is no such file until it is."""
    noted = os.path.join(deck.folder, "noted")
    write_files(deck.folder, {"bin/pip": f'#!/bin/sh\necho "$@" > "{noted}"\nexit 3\n'})
    os.chmod(os.path.join(deck.folder, "bin", "pip"), 0o755)
    deck.env["PATH"] = f"{deck.folder}/bin:{deck.env['PATH']}"
    return Path(noted)


def test_without_a_terminal_a_package_manager_is_started_by_yes_alone(deck: Deck, crate: str, noted: Path) -> None:
    shown = deck.run("tools", "install", "nvcc", cwd=crate)
    assert (shown.returncode, shlex.split(shown.stdout)[:3]) == (0, ["pip", "install", "nvidia-cuda-nvcc==13.0.*"])
    assert not noted.exists()
    assert deck.run("tools", "install", "nvcc", "--yes", cwd=crate).returncode == 3
    assert noted.read_text().split()[:2] == ["install", "nvidia-cuda-nvcc==13.0.*"]


@pytest.mark.parametrize(("typed", "code"), [(b"y\n", 3), (b"n\n", 0), (b"\n", 0), (b"\x04", 0), (b"\x03", 130)])
def test_on_a_terminal_it_is_started_by_the_answer_yes(
    deck: Deck, crate: str, noted: Path, typed: bytes, code: int
) -> None:
    line = shlex.join([COMMAND, "tools", "install", "nvcc"])
    done = run_in_terminal(line, cwd=crate, env=deck.env, answers=[Answer(b"Run it? [y/N]", typed)])
    assert (done.status, noted.exists()) == (code, code == 3), done.out
