"""From a command line to a plan where files are pipes, folders or nonsense: nothing waits, nothing raises."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.paths import find_paths
from core.plan import make
from core.run import begin, cache, command, decided

ENDLESS = "f" * 6000
"""Digits of a hexadecimal number that Python does not write in decimal ones."""


class Hung(BaseException):
    """It waited for something that never comes."""


class World:
    """A workspace of one package, a home without anything, and no program at all."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "ws"
        self.settings = folder / "config" / "cargo-deck" / "config.toml"
        self.cache, self.state = folder / "cache" / "cargo-deck", folder / "state" / "cargo-deck"
        self.env = {
            "HOME": str(folder / "home"), "PATH": str(folder / "bin"), "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_CACHE_HOME": str(folder / "cache"), "XDG_STATE_HOME": str(folder / "state"),
        }  # fmt: skip
        self.writers: list[int] = []
        self.write("Cargo.toml", '[package]\nname = "x"\nversion = "0.1.0"\n')

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def pipe(self, path: str | Path, *, has_writer: bool = False) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        os.mkfifo(place, 0o755)
        if has_writer:
            self.writers.append(os.open(place, os.O_RDWR))

    def plan(self, *words: str) -> make.Planned:
        paths = find_paths(self.env)
        asked = begin.command_of(paths, words or ("build",), str(self.root), self.env)
        assert command.is_planned_first(asked, None) in (True, False)
        prepared = make.prepare(paths, asked, flag="dev")
        subject = prepared.subject("agent", asked.root, str(self.root / "target"))
        planned = make.finish(prepared, decided.own_target(asked), cache.Chosen())
        assert json.dumps([planned.record, subject.key])
        return make.with_mends(planned)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    def stop(*_: object) -> None:
        raise Hung

    made = World(tmp_path)
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(20)
    yield made
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    for fd in made.writers:
        os.close(fd)


PIPES: dict[str, Callable[[World, bool], None]] = {
    "deck.toml": lambda world, has_writer: world.pipe("deck.toml", has_writer=has_writer),
    "Cargo.toml": lambda world, has_writer: world.pipe("Cargo.toml", has_writer=has_writer),
    "the Cargo.toml above": lambda world, has_writer: world.pipe("../Cargo.toml", has_writer=has_writer),
    "cargo's settings": lambda world, has_writer: world.pipe(".cargo/config.toml", has_writer=has_writer),
    "our settings": lambda world, has_writer: world.pipe(world.settings, has_writer=has_writer),
    "rust-toolchain": lambda world, has_writer: world.pipe("rust-toolchain", has_writer=has_writer),
    "answers of programs": lambda world, has_writer: world.pipe(world.cache / "answers.json", has_writer=has_writer),
    "refused linkers": lambda world, has_writer: world.pipe(world.state / "linkers.json", has_writer=has_writer),
}


@pytest.mark.parametrize("has_writer", [False, True])
@pytest.mark.parametrize("name", PIPES)
def test_a_pipe_in_place_of_a_file_is_not_waited_for(name: str, has_writer: bool, world: World) -> None:
    PIPES[name](world, has_writer)
    planned = world.plan()
    told = [*planned.troubles, *planned.found.settings.troubles]
    said = [one.why for one in told if "it is no file" in one.why]
    assert len(said) == (name in ("deck.toml", "cargo's settings", "our settings")), told


def test_a_lock_file_that_is_a_pipe_is_not_waited_for_where_it_tells_target_dirs_apart(world: World) -> None:
    world.write("deck.toml", 'target-dir-key = "full"\n')
    world.pipe("Cargo.lock")
    assert world.plan().plan.mode == "dev"


def test_a_compiler_that_is_a_pipe_is_not_waited_for(world: World) -> None:
    world.pipe("rustc")
    world.env["RUSTC"] = str(world.root / "rustc")
    assert "wrapper-unusable" in [one.id for one in world.plan().plan.findings]


@pytest.mark.parametrize("name", ["deck.toml", ".cargo/config.toml", "rust-toolchain", "Cargo.lock"])
def test_a_folder_in_place_of_a_file_raises_nothing(name: str, world: World) -> None:
    (world.root / name).mkdir(parents=True)
    assert world.plan().plan.mode == "dev"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".cargo/config.toml", f"[profile.dev]\nopt-level = 0x{ENDLESS}\n"),
        (".cargo/config.toml", f"[build]\njobs = 0x{ENDLESS}\n"),
        (".cargo/config.toml", f"[build]\nrustflags = [0x{ENDLESS}]\n"),
        (".cargo/config.toml", f"include = [{{ path = 0x{ENDLESS} }}]\n"),
    ],
)
def test_a_number_without_end_is_a_trouble_with_its_line(name: str, text: str, world: World) -> None:
    world.write(name, text)
    (trouble,) = world.plan().found.settings.troubles
    assert (trouble.origin.line, trouble.why) == (text.count("\n"), "this number does not fit into 64 bits")


def test_a_number_without_end_of_an_option_is_refused_as_cargo_does(world: World) -> None:
    (trouble,) = world.plan("build", "--config", f"profile.dev.debug=0x{ENDLESS}").found.settings.troubles
    assert trouble.origin.place == "--config"


def test_of_a_path_without_end_the_first_folders_count(world: World, tmp_path: Path) -> None:
    folders = [tmp_path / "many" / str(number) for number in range(2000)]
    for folder in folders:
        folder.mkdir(parents=True)
    for folder, name in ((folders[3], "ld.mold"), (folders[-1], "ninja")):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    world.env["PATH"] = ":".join(map(str, folders))
    found = world.plan().found
    assert (found.tool("mold").path, found.tool("ninja").path) == (f"{folders[3]}/ld.mold", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RUSTUP_HOME", "/dev/null"), ("RUSTUP_TOOLCHAIN", "../../x"), ("RUSTFLAGS", "-C \udcff"), ("PATH", ""),
        ("PATH", "\udcff:::/"), ("CARGO_HOME", "/dev/null"), ("CARGO_PROFILE_DEV_DEBUG", "\udcff"),
        ("CARGO_BUILD_TARGET", "../\x1b[31m"), ("RUSTC_WRAPPER", "a" * 5000), ("MAKEFLAGS", "--jobserver-auth="),
    ],
)  # fmt: skip
def test_variables_that_nobody_would_set_raise_nothing(name: str, value: str, world: World) -> None:
    world.env[name] = value
    assert world.plan().plan.mode == "dev"
