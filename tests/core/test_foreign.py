"""Builds that are not ours, over a made-up /proc."""

from pathlib import Path

import pytest

from core.events.machine import BuildRow
from core.watch.foreign import ForeignWatch, subcommand_of
from core.watch.table import ProcessTable
from tests.core.test_process_table import PAGE, FakeProc

BOOTED = 1_000_000.0


class World:
    """Processes, and a watch over them two minutes after the start of the machine."""

    def __init__(self, root: Path) -> None:
        self.proc = FakeProc(root)
        self.now = 120.0
        self.slept_s = 0.0
        """How long the machine was suspended: starts of processes count that, monotonic clocks do not."""
        self.open: set[str] = set()
        self.table = ProcessTable(str(root))
        self.watch = ForeignWatch(
            self.table, clock=lambda: BOOTED + self.now, monotonic=lambda: self.now - self.slept_s,
            is_open=lambda run: run in self.open, uptime=lambda: self.now,
        )  # fmt: skip

    def add(
        self, pid: int, parent: int, words: str, environ: str = "", *, cwd: str = "", name: str = "", ticks: int = 0
    ) -> None:
        """A process that began when the machine was as many seconds old as its pid says."""
        self.proc.add(pid, parent, words, environ, name=name, ticks=ticks)
        link = self.proc.root / str(pid) / "cwd"
        if cwd and not link.is_symlink():
            link.symlink_to(cwd)

    def look(self, *supervisors: int) -> tuple[BuildRow, ...] | None:
        self.table.look()
        ours = [one for pid in supervisors for one in self.table.below(pid)]
        return self.watch.look(supervisors, ours)

    def commands(self, *supervisors: int) -> list[str]:
        return [row[3] for row in self.look(*supervisors) or ()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "proc").mkdir()
    return World(tmp_path / "proc")


def test_a_build_is_told_with_all_that_is_seen(world: World, tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").write_text("[workspace]\n")
    (tmp_path / "crate").mkdir()
    (tmp_path / "crate" / "Cargo.toml").write_text("[package]\n")
    world.add(5, 1, "bash")
    world.add(10, 5, "/bin/cargo build --config registry.token=geheim", cwd=str(tmp_path / "crate"))
    world.add(11, 10, "rustc --crate-name serde --out-dir /t/debug/deps")
    assert world.look() == ((
        10, BOOTED + 10, "cargo", "cargo build --config registry.token=***", str(tmp_path / "crate"), str(tmp_path),
        ("serde",), 400 * PAGE, None, 2, "", (),
    ),)  # fmt: skip


def test_a_machine_that_was_suspended_shows_builds_at_once_and_since_when(world: World) -> None:
    world.slept_s = 80.0
    world.add(115, 1, "cargo build")
    ((pid, started_at, *_),) = world.look() or ()
    assert (pid, started_at) == (115, BOOTED + 115)


def test_what_is_meant_for_the_program_that_runs_does_not_name_the_workspace(world: World, tmp_path: Path) -> None:
    for name in ("own", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Cargo.toml").write_text("[package]\n")
    words = f"cargo run -- --manifest-path {tmp_path}/other/Cargo.toml"
    world.add(10, 1, words, cwd=str(tmp_path / "own"))
    ((_, _, _, _, _, checkout, *_),) = world.look() or ()
    assert checkout == str(tmp_path / "own")


def test_nothing_is_told_again_until_something_is_to_be_seen(world: World) -> None:
    assert world.look() == ()
    assert world.look() is None
    world.add(10, 1, "cargo build")
    told = world.look()
    assert told is not None
    world.now += 1
    rates = world.look()
    assert rates is not None
    assert rates[0][8] == 0.0
    world.now += 1
    assert world.look() is None
    world.add(10, 1, "cargo build", ticks=150)
    world.now += 1
    busy = world.look()
    assert busy is not None
    assert busy[0][8] == 1.5
    world.proc.remove(10)
    assert world.look() == ()


def test_what_is_below_a_supervisor_of_ours_is_ours(world: World) -> None:
    world.add(8, 1, "make all")
    world.add(9, 8, "python supervisor")
    world.add(10, 9, "cargo build")
    world.add(11, 10, "rustc --crate-name a")
    assert world.look(9) == ()


def test_a_build_of_ours_that_was_not_found_yet_is_none_of_theirs(world: World) -> None:
    world.open = {"20260101-000000-000-abcd"}
    world.add(10, 1, "cargo build", "PATH=/bin DECK_RUN=20260101-000000-000-abcd")
    assert world.look() == ()


@pytest.mark.parametrize("run", ["20260101-000000-000-abcd", "../open", ""])
def test_what_another_deck_runs_and_what_a_run_left_behind_is_not_ours(world: World, run: str) -> None:
    world.open = {"20260101-000000-000-ffff", "../open", ""}
    world.add(10, 1, "cargo build", f"PATH=/bin DECK_RUN={run}")
    assert world.commands() == ["cargo build"]


def test_a_build_that_outlives_its_run_is_shown_then(world: World) -> None:
    world.open = {"r1"}
    world.add(9, 1, "python supervisor")
    world.add(10, 9, "cargo check", "DECK_RUN=r1")
    assert world.look(9) == ()
    world.open = set()
    world.proc.remove(9)
    world.add(10, 1, "cargo check", "DECK_RUN=r1")
    assert world.commands() == ["cargo check"]


def test_only_the_topmost_process_stands_for_a_build(world: World) -> None:
    world.add(10, 1, "cargo clippy")
    world.add(11, 10, "cargo-clippy clippy")
    world.add(12, 11, "cargo check")
    world.add(13, 12, "clippy-driver rustc --crate-name a")
    world.add(20, 1, "ninja -C out")
    world.add(21, 20, "cc1 -o a.o")
    assert world.commands() == ["cargo clippy", "ninja -C out"]


def test_cargos_below_the_topmost_process_are_told(world: World) -> None:
    world.add(10, 1, "ninja -C out")
    world.add(13, 10, "sh -c cargo")
    world.add(12, 13, "cargo build")
    world.add(11, 10, "cargo nextest run")
    world.add(14, 11, "cargo-nextest nextest run")
    world.add(20, 1, "cargo build")
    rows = world.look() or ()
    assert [(row[0], row[11]) for row in rows] == [(10, (11, 12, 14)), (20, ())]


def test_an_editor_is_named_and_is_no_build_itself(world: World) -> None:
    world.add(9, 1, "rust-analyzer")
    world.add(10, 9, "cargo check --workspace")
    (row,) = world.look() or ()
    assert (row[3], row[10]) == ("cargo check --workspace", "rust-analyzer")


@pytest.mark.parametrize(
    "words",
    ["rustc --version", "rustc --print=cfg", "rustc --explain E0382", "cargo metadata --format-version 1",
     "cargo --version", "cargo +nightly fmt", "rustc -vV", "rustc --print sysroot", "cmake -P script.cmake",
     "cargo fetch", "cargo vendor", "cargo clean", "cargo uninstall x", "cargo install --list", "cargo package -l",
     "cargo package --no-verify", "make help", "cargo deck top", "bash cargo.sh"],
)  # fmt: skip
def test_what_compiles_nothing_is_no_build(world: World, words: str) -> None:
    world.add(10, 1, words)
    assert world.look() == ()


@pytest.mark.parametrize(
    ("words", "below"),
    [("make -j4", "cc -c a.c"), ("cmake --build out", ""), ("cmake ..", "cc -o probe"), ("nvcc -c k.cu", ""),
     ("rustc --crate-name a a.rs", ""), ("rustc -O big.rs", ""), ("rustc --crate-name=big -O big.rs", ""),
     ("cargo nextest run", ""), ("cargo test -- --list", ""), ("cargo package", ""), ("cargo install x", ""),
     ("cargo -Z unstable build", "")],
)  # fmt: skip
def test_what_compiles_is_one(world: World, words: str, below: str) -> None:
    world.add(10, 1, words)
    if below:
        world.add(11, 10, below)
    assert world.commands() == [words]


@pytest.mark.parametrize("server", ["/bin/sccache", "zccache-daemon --foreground"])
def test_what_a_cache_server_compiles_is_no_build_of_the_make_that_started_it(world: World, server: str) -> None:
    world.add(10, 1, "make demo")
    world.add(11, 10, "python cargo-deck")
    world.add(12, 11, server)
    world.add(13, 12, "rustc --crate-name serde --out-dir /t/debug/deps")
    assert world.look() == ()


def test_what_a_cache_compiles_in_the_place_of_a_compiler_is_one(world: World) -> None:
    world.add(10, 1, "make all")
    world.add(11, 10, "ccache cc -c a.c")
    world.add(12, 11, "cc -c a.c")
    assert world.commands() == ["make all"]


def test_a_build_is_told_only_when_it_is_old_enough_to_be_read(world: World) -> None:
    world.now = 10.5
    world.add(10, 1, "cargo build")
    assert world.look() == ()
    world.now = 11.0
    assert world.commands() == ["cargo build"]


def test_what_a_cache_server_compiles_counts_for_who_asked(world: World) -> None:
    world.add(7, 1, "sccache", name="sccache")
    world.add(8, 7, "rustc --crate-name theirs --out-dir /theirs/deps")
    world.add(9, 7, "rustc --crate-name nobodys --out-dir /nobodys/deps")
    world.add(10, 1, "cargo build")
    world.add(11, 10, "sccache rustc --crate-name theirs --out-dir /theirs/deps", name="sccache")
    (row,) = world.look() or ()
    assert (row[6], row[9]) == (("theirs",), 3)


def test_the_oldest_comes_first_and_another_of_the_same_number_is_another_build(world: World) -> None:
    world.add(30, 1, "cargo test")
    world.add(20, 1, "cargo build")
    assert world.commands() == ["cargo build", "cargo test"]


@pytest.mark.parametrize(
    ("words", "found"),
    [("cargo build", "build"), ("cargo +1.80 test --lib", "test"), ("cargo --color never -q check", "check"),
     ("cargo --config net.offline=true run", "run"), ("cargo", "version"), ("cargo --list", "version")],
)  # fmt: skip
def test_a_subcommand_is_found_behind_options(words: str, found: str) -> None:
    assert subcommand_of(words.encode().split()) == found


def test_what_programs_of_a_make_build_is_their_own(world: World) -> None:
    world.add(10, 1, "make test")
    world.add(11, 10, "python -m pytest")
    world.add(12, 11, "cargo build")
    world.add(13, 11, "cc -c a.c")
    assert world.commands() == ["cargo build"]
