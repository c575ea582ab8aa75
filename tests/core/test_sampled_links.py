"""Links seen among processes: a made-up /proc, in which processes come, link and go."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core import events as e
from core.watch.link_words import read_link, split_response
from core.watch.links import LinkNotes, linker_of
from core.watch.sampled_links import LinkRun, SampledLinks

SUPERVISOR = 100
STARTED = int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))
"""All processes were started just now."""
RUSTC = "rustc\0--crate-name\0app\0--crate-type\0bin\0"


def nothing_known(name: str) -> int | None:
    return None


class World:
    """A /proc with a supervisor in it, and what looks at it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "proc"
        self.work = folder / "work"
        self.work.mkdir()
        self.notes = LinkNotes(str(folder / "links.jsonl"), nothing_known)
        self.now = 5000.0
        self.last = 100
        self.root.mkdir()
        self.add(SUPERVISOR, 1, "python3")
        self.links = SampledLinks(lambda: self.now, str(self.root))
        self.runs = {"r": LinkRun("r", SUPERVISOR, self.notes, lambda: None)}
        assert self.look() == []

    def add(self, pid: int, parent: int, name: str, command: str = "", *, peak_kb: int = 0, exe: str = "") -> None:
        folder = self.root / str(pid)
        folder.mkdir()
        (folder / "comm").write_text(name + "\n")
        (folder / "stat").write_text(f"{pid} ({name}) S {parent} " + "0 " * 17 + f"{STARTED} 0 0\n")
        (folder / "status").write_text(f"Name:\t{name}\nTgid:\t{pid}\nVmHWM:\t{peak_kb} kB\nVmRSS:\t1 kB\n")
        (folder / "cmdline").write_text(command)
        (folder / "environ").write_text("CARGO_PKG_NAME=app\0CARGO_BIN_NAME=app\0")
        os.symlink(self.work, folder / "cwd")
        os.symlink(exe or f"/usr/bin/{name}", folder / "exe")
        self.last = max(self.last, pid)
        (self.root / "loadavg").write_text(f"0.1 0.1 0.1 1/80 {self.last}\n")

    def grow(self, pid: int, peak_kb: int) -> None:
        (self.root / str(pid) / "status").write_text(f"Name:\tx\nTgid:\t{pid}\nVmHWM:\t{peak_kb} kB\n")

    def end(self, *pids: int) -> None:
        """They are dead, and nobody waited for them yet."""
        for pid in pids:
            stat = (self.root / str(pid) / "stat").read_text()
            (self.root / str(pid) / "stat").write_text(stat.replace(") S ", ") Z "))
            (self.root / str(pid) / "status").write_text(f"Name:\tx\nTgid:\t{pid}\nState:\tZ (zombie)\n")

    def look(self) -> list[e.Event]:
        return [event for _, event in self.links.look(self.runs)]

    def link(self, driver: str = "clang", first: int = 200) -> None:
        """cargo, rustc, the driver and its linker."""
        (self.work / "a.o").write_bytes(b"x" * 300)
        command = f"{driver}\0a.o\0-o\0app-77\0-fuse-ld=mold\0"
        self.add(first, SUPERVISOR, "cargo", "cargo\0build\0")
        self.add(first + 1, first, "rustc", RUSTC)
        self.add(first + 2, first + 1, driver, command)
        self.add(first + 3, first + 2, "mold", "ld.mold\0a.o\0-o\0app-77\0", peak_kb=1000)


@pytest.mark.parametrize(("words", "name"), [("a.o\0-oq2\0", "q2"), ("a.o\0", "a.out"), ("-v\0a.o\0-o\0q2\0", "q2")])
def test_a_link_has_the_output_that_its_driver_was_told(world: World, words: str, name: str) -> None:
    world.add(200, SUPERVISOR, "make")
    world.add(201, 200, "cc", f"cc\0{words}")
    world.add(202, 201, "ld", f"ld\0{words}")
    (begun,) = world.look()
    assert isinstance(begun, e.LinkStarted)
    assert begun.output == f"{world.work}/{name}"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_link_is_told_with_its_unit_its_inputs_and_its_largest_memory(world: World) -> None:
    world.link()
    (begun,) = world.look()
    assert isinstance(begun, e.LinkStarted)
    assert (begun.unit, begun.linker, begun.inputs, begun.input_bytes) == ("app(bin)", "mold", 1, 300)
    assert (begun.output, begun.is_sampled) == (f"{world.work}/app-77", True)
    assert world.links.open("r") == (begun.link,)
    world.grow(203, 7000)
    assert world.look() == []
    (world.work / "app-77").write_bytes(b"y" * 900)
    os.utime(world.work / "app-77", (world.now, world.now))
    world.end(203, 202)
    world.now += 2.0
    (ended,) = world.look()
    assert isinstance(ended, e.LinkEnded)
    assert (ended.link, ended.peak_bytes, ended.output_bytes) == (begun.link, 7000 * 1024, 900)
    assert (ended.code, ended.signal, ended.cpu_s, ended.is_sampled) == (None, None, None, True)
    assert world.look() == []


def test_a_link_that_made_nothing_has_no_size(world: World) -> None:
    (world.work / "app-77").write_bytes(b"old")
    os.utime(world.work / "app-77", (10.0, 10.0))
    world.link()
    world.look()
    world.end(202, 203)
    (ended,) = world.look()
    assert isinstance(ended, e.LinkEnded)
    assert (ended.output_bytes, ended.before_bytes) == (None, None)


def test_the_next_link_of_an_output_is_compared_with_this_one(world: World) -> None:
    for first, size in ((200, 300), (300, 400)):
        world.link(first=first)
        world.look()
        (world.work / "app-77").write_bytes(b"y" * size)
        os.utime(world.work / "app-77", (world.now, world.now))
        world.end(first + 2, first + 3)
        (ended,) = world.look()
    assert isinstance(ended, e.LinkEnded)
    assert (ended.output_bytes, ended.before_bytes) == (400, 300)


def test_what_a_front_tells_is_not_told_again(world: World) -> None:
    world.notes.fronts.append(202)
    world.link()
    assert world.look() == []
    assert world.links.open("r") == ()


def test_a_process_that_becomes_a_linker_is_seen_at_the_next_look(world: World) -> None:
    world.link()
    (world.root / "203" / "comm").write_text("clang\n")
    assert world.look() == []
    (world.root / "203" / "comm").write_text("mold\n")
    assert len(world.look()) == 1


def test_all_linkers_of_one_driver_are_one_link(world: World) -> None:
    world.link("cc")
    world.add(204, 203, "mold", "ld.mold\0a.o\0", peak_kb=9000)
    assert len(world.look()) == 1
    world.end(202, 203, 204)
    (ended,) = world.look()
    assert isinstance(ended, e.LinkEnded)
    assert ended.peak_bytes == 9000 * 1024


def test_a_linker_that_rustc_starts_itself_is_its_own_driver(world: World) -> None:
    (world.work / "a.o").write_bytes(b"x")
    world.add(200, SUPERVISOR, "cargo")
    world.add(201, 200, "rustc", RUSTC)
    world.add(202, 201, "rust-lld", "rust-lld\0-flavor\0gnu\0a.o\0-o\0app\0", exe="/r/bin/rust-lld")
    (begun,) = world.look()
    assert isinstance(begun, e.LinkStarted)
    assert (begun.linker, begun.unit, begun.link.partition("-")[0]) == ("rust-lld", "app(bin)", "202")


@pytest.mark.parametrize(
    ("parent", "name", "command"),
    [
        (201, "cc", "cc\0-c\0a.c\0-o\0a.o\0"),
        (201, "ld", "ld\0--version\0"),
        (1, "ld", "ld\0a.o\0-o\0a\0"),
        (SUPERVISOR, "mold", "mold\0a.o\0-o\0a\0"),
    ],
)
def test_what_links_nothing_of_a_run_is_none(world: World, parent: int, name: str, command: str) -> None:
    world.add(200, SUPERVISOR, "cargo")
    world.add(201, 200, "rustc", RUSTC)
    world.add(202, parent, name, command)
    assert world.look() == []


def test_threads_of_a_linker_are_no_links(world: World) -> None:
    world.link()
    world.add(204, 202, "mold", "ld.mold\0a.o\0")
    (world.root / "204" / "status").write_text("Name:\tmold\nTgid:\t203\nVmHWM:\t99999 kB\n")
    world.look()
    world.end(202, 203)
    (ended,) = world.look()
    assert isinstance(ended, e.LinkEnded)
    assert ended.peak_bytes == 1000 * 1024


def test_a_link_that_began_before_anybody_looked_is_found_among_the_processes(world: World) -> None:
    world.link()
    late = SampledLinks(lambda: world.now, str(world.root))
    assert late.look(world.runs) == []
    assert len(late.consider([203], world.runs)) == 1
    assert late.consider([203], world.runs) == []


def test_a_next_engine_goes_on_with_a_link_and_ends_one_that_is_gone(world: World) -> None:
    world.link()
    (begun,) = world.look()
    assert isinstance(begun, e.LinkStarted)
    gone = e.LinkStarted(10.0, "66-s5", "old(bin)", "/nowhere/old", "mold", 1, 1, is_sampled=True)
    late = SampledLinks(lambda: world.now, str(world.root))
    ((_, unmeasured),) = late.take_over(world.runs["r"], [begun, gone])
    assert isinstance(unmeasured, e.LinkEnded)
    assert (unmeasured.link, unmeasured.peak_bytes) == ("66-s5", 0)
    assert late.open("r") == (begun.link,)
    assert late.consider([203], world.runs) == []
    world.end(202, 203)
    ((_, ended),) = late.look(world.runs)
    assert isinstance(ended, e.LinkEnded)
    assert (ended.link, ended.peak_bytes) == (begun.link, 1000 * 1024)


@pytest.mark.parametrize(("flags", "is_needed"), [("-C\0linker=clang\0", True), ("-C\0opt-level=3\0", False)])
def test_a_run_with_a_front_is_looked_at_often_where_its_rustc_names_a_linker(
    world: World, flags: str, is_needed: bool
) -> None:
    run = replace(world.runs["r"], has_fronts=True)
    world.runs = {"r": run}
    assert world.links.is_needed_for(run)
    world.add(200, SUPERVISOR, "cargo")
    world.add(201, 200, "rustc", "rustc\0-\0--crate-name\0___\0--print=file-names\0")
    world.look()
    assert world.links.is_needed_for(run)
    world.add(202, 200, "rustc", RUSTC + flags)
    world.look()
    assert world.links.is_needed_for(run) is is_needed
    world.link(first=300)
    world.look()
    assert world.links.is_needed_for(run)


def words_of(line: str, files: dict[bytes, bytes] | None = None) -> tuple[str, int, int, str | None] | None:
    found = read_link(line.encode().split(), lambda name: (files or {}).get(name, b""), lambda name: len(name))
    return (found.output.decode(), found.inputs, found.input_bytes, found.fuse) if found is not None else None


def test_a_command_line_is_read_as_the_front_reads_it() -> None:
    assert words_of("a.o lib.rlib -lc -L /x -o out -fuse-ld=mold") == ("out", 2, 11, "mold")
    assert words_of("-plugin /x/plugin.so a.o libc.so.6 -o b") == ("b", 2, 12, None)
    assert words_of("@args -o b --ld-path=/opt/wild", {b"args": b'"a b.o" c\\ d.o\n'}) == ("b", 2, 10, "/opt/wild")
    assert words_of("-oq2 a.o") == ("q2", 1, 3, None)
    assert words_of("-v a.o --output=b") == ("b", 1, 3, None)
    assert words_of("-xc - -L x.so -o b") == ("b", 1, 1, None)
    assert words_of("-x c text -x none other a.o") == ("a.out", 2, 7, None)
    for line in ("-v", "-V", "-### a.o", "--version a.o", "-x c-header a.h"):
        assert words_of(line) is None
    for line in ("-c a.c -o a.o", "--version", "-print-search-dirs", "-o b", "-E a.c"):
        assert words_of(line) is None


def test_words_of_a_response_file_are_split_as_gcc_splits_them() -> None:
    assert split_response(b'a \'b c\' "d\\"e" f\\ g\n\n') == [b"a", b"b c", b'd"e', b"f g"]


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("/usr/bin/x86_64-linux-gnu-ld.bfd", "bfd"), ("/usr/bin/ld", "bfd"), ("/usr/lib/llvm-14/bin/lld", "lld"),
        ("/r/lib/rustlib/x/bin/rust-lld", "rust-lld"), ("/usr/bin/mold", "mold"), ("/usr/bin/clang", ""),
        ("/usr/bin/x86_64-linux-gnu-ld.gold", "gold"),
    ],
)  # fmt: skip
def test_a_linker_is_named_by_its_program(program: str, name: str) -> None:
    assert linker_of(program) == name


def test_where_processes_are_not_to_be_seen_nobody_looks_for_links(tmp_path: Path) -> None:
    notes = LinkNotes(str(tmp_path / "links.jsonl"), nothing_known)
    blind = SampledLinks(lambda: 5000.0, str(tmp_path / "none"))
    assert blind.look({"r": LinkRun("r", SUPERVISOR, notes, lambda: None)}) == []
    assert not blind.is_needed_for(LinkRun("r", SUPERVISOR, notes, lambda: None))


def test_what_was_learned_of_a_run_goes_with_it(world: World) -> None:
    fronted = replace(world.runs["r"], has_fronts=True)
    world.runs = {"r": fronted}
    world.add(200, SUPERVISOR, "cargo", "cargo\0build\0")
    world.add(201, 200, "rustc", RUSTC)
    world.look()
    assert not world.links.is_needed_for(fronted)
    world.runs = {}
    world.look()
    assert world.links.is_needed_for(fronted), "of another run of that name nothing is known"
