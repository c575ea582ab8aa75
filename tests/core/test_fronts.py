"""What is looked at before fronts are put into PATH, where files are no files."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.run import fronts
from core.run.grammar import parse
from core.run.harness import own_harnesses
from tests.core.runs import paths_in


class Hung(BaseException):
    """It waited for a writer that never comes."""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A workspace; who waits in it is stopped."""

    def stop(*_: object) -> None:
        raise Hung

    folder = tmp_path / "ws"
    (folder / "member").mkdir(parents=True)
    (folder / "Cargo.toml").write_text('[workspace]\nmembers = ["member"]\n')
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(20)
    yield folder
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def found(root: Path) -> tuple[str, ...]:
    """Fronts of a machine that has a cc, with a front that is there already."""
    programs = root.parent / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "cc").write_text("#!/bin/sh\n")
    (programs / "cc").chmod(0o755)
    build = fronts.Build({"PATH": str(programs)}, str(root), has_our_cache=True)
    return fronts.find_fronts(paths_in(root.parent), build).folders


@pytest.mark.parametrize("name", ["Cargo.lock", "build.rs", "member/build.rs"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(name: str, root: Path) -> None:
    os.mkfifo(root / name)
    assert [front.rpartition("/")[2] for front in found(root)] == ["cc", "sccache"]


def test_a_build_that_notes_its_compiler_gets_no_front_of_cc(root: Path) -> None:
    (root / "Cargo.lock").write_text('[[package]]\nname = "cmake"\n')
    assert [front.rpartition("/")[2] for front in found(root)] == ["sccache"]


def test_a_manifest_that_is_a_pipe_is_not_waited_for_where_harnesses_are_looked_for(root: Path) -> None:
    os.mkfifo(root / "member" / "Cargo.toml")
    assert own_harnesses(parse(("test",)), str(root), str(root)) == frozenset()
