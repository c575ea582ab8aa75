"""Programs that settings name are found by those names, or are not there."""

from pathlib import Path
from typing import Any

import pytest

from core.plan.found import Tool
from core.plan.given import Given, Key, Origin, Settings
from core.plan.tools import find_named


def program(path: Path, mode: int = 0o755) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/false\n")
    path.chmod(mode)
    return str(path)


def named(tmp_path: Path, key: Key, value: Any, place: str = "/x/.cargo/config.toml", **env: str) -> dict[str, Tool]:
    settings = Settings({key: Given(value, Origin(place, 1))})
    return find_named(settings, env, str(tmp_path), [str(tmp_path / "bin")])


def test_a_linker_that_is_on_path_is_there_and_was_not_asked(tmp_path: Path) -> None:
    path = program(tmp_path / "bin/ld9")
    found = named(tmp_path, ("target", "t", "linker"), "ld9")
    assert found == {"ld9": Tool("ld9", path, is_asked=False)}


def test_a_wrapper_that_nobody_has_is_not_there(tmp_path: Path) -> None:
    found = named(tmp_path, ("build", "rustc-wrapper"), "nowhere")
    assert not found["nowhere"].path


def test_a_path_of_a_file_is_relative_to_the_folder_that_holds_the_files_own(tmp_path: Path) -> None:
    path = program(tmp_path / "tools/ld")
    found = named(tmp_path / "deeper", ("target", "t", "linker"), "tools/ld", f"{tmp_path}/.cargo/config.toml")
    assert found["tools/ld"].path == path


def test_a_path_of_a_variable_is_relative_to_where_cargo_starts(tmp_path: Path) -> None:
    path = program(tmp_path / "wrap.sh")
    assert named(tmp_path, ("x",), 1, RUSTC_WRAPPER="./wrap.sh")["./wrap.sh"].path == f"{tmp_path}/./wrap.sh"
    assert Path(path).exists()


@pytest.mark.parametrize("kind", ["folder", "plain"])
def test_what_cannot_be_executed_has_a_trouble(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "thing"
    if kind == "folder":
        path.mkdir()
    else:
        program(path, 0o644)
    tool = named(tmp_path, ("build", "rustc-wrapper"), str(path))[str(path)]
    assert (tool.path, tool.is_usable) == (str(path), False)


@pytest.mark.parametrize("value", ["-C linker=ld9", "-Clinker=ld9", ["-C", "linker=ld9"], ["-Clinker=ld9", 1, None]])
def test_a_linker_of_rustflags_is_looked_for(tmp_path: Path, value: Any) -> None:
    assert list(named(tmp_path, ("build", "rustflags"), value)) == ["ld9"]
    text = " ".join(filter(lambda one: isinstance(one, str), value)) if isinstance(value, list) else value
    assert list(named(tmp_path, ("x",), 1, RUSTFLAGS=text)) == ["ld9"]
    assert list(named(tmp_path, ("x",), 1, CARGO_ENCODED_RUSTFLAGS=text.replace(" ", "\x1f"))) == ["ld9"]


@pytest.mark.parametrize("value", ["", 1, True, ["ld9"], {}, "a\0b", "clang"])
def test_what_names_no_program_or_a_known_one_is_left_out(tmp_path: Path, value: Any) -> None:
    assert named(tmp_path, ("target", "t", "linker"), value) == {}
