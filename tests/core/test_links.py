import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from core import events as e
from core.watch.elf import read_sizes
from core.watch.links import LinkNotes, linker_name


def begun(link: str = "7-1", **changes: Any) -> dict[str, Any]:
    return {
        "link": link, "at": 100.0, "pid": 7, "parent": 6, "tool": "cc", "cwd": "/w",
        "output": "target/debug/deps/app-0123456789abcdef",
        "inputs": 3, "input_bytes": 4000, "fuse": None, "rust_lld": True, "shared": False, "package": "app",
        "rustc": ["--crate-name", "app"],
        "version": "0.1.0", "binary": "app", **changes,
    }  # fmt: skip


def ended(link: str = "7-1", **changes: Any) -> dict[str, Any]:
    return {
        "end": link, "elapsed_s": 0.5, "user_s": 0.3, "sys_s": 0.1, "peak_bytes": 9000, "code": 0, "signal": None,
        "output_bytes": 700, **changes,
    }  # fmt: skip


def write(path: Path, *notes: dict[str, Any], tail: str = "") -> None:
    with path.open("a") as file:
        file.write("".join(json.dumps(note) + "\n" for note in notes) + tail)


def nothing_known(name: str) -> int | None:
    return None


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "links.jsonl"


def test_a_link_is_told_when_it_starts_and_when_it_ends(notes: Path) -> None:
    links = LinkNotes(str(notes), nothing_known)
    assert links.poll() == []
    write(notes, begun())
    (start,) = links.poll()
    assert isinstance(start, e.LinkStarted)
    assert (start.output, start.linker) == ("/w/target/debug/deps/app-0123456789abcdef", "rust-lld")
    write(notes, ended())
    (end,) = links.poll()
    assert isinstance(end, e.LinkEnded)
    assert (end.at, end.began, end.elapsed_s, end.cpu_s) == (100.5, 100.0, 0.5, 0.4)
    assert (end.peak_bytes, end.input_bytes, end.output_bytes, end.before_bytes) == (9000, 4000, 700, None)


def test_half_a_line_waits_for_its_other_half_and_nonsense_is_passed_over(notes: Path) -> None:
    links = LinkNotes(str(notes), nothing_known)
    whole = json.dumps(begun()) + "\n"
    write(notes, tail="no note\n{}\n[]\n" + whole[:40])
    assert links.poll() == []
    write(notes, tail=whole[40:])
    assert len(links.poll()) == 1


def test_a_number_beyond_all_measure_takes_no_other_note_with_it(notes: Path) -> None:
    links = LinkNotes(str(notes), nothing_known)
    write(notes, begun(), begun("8-1", pid=float("inf")), ended(), ended(peak_bytes=float("inf")))
    assert [event.link for event in links.poll() if isinstance(event, e.LinkStarted | e.LinkEnded)] == ["7-1", "7-1"]


def test_an_end_without_a_start_says_nothing(notes: Path) -> None:
    write(notes, ended())
    assert LinkNotes(str(notes), nothing_known).poll() == []


def test_what_the_journal_has_is_not_told_again(notes: Path) -> None:
    write(notes, begun(), ended(), begun("7-2"), ended("7-2"))
    told = frozenset({("7-1", False), ("7-1", True), ("7-2", False)})
    (again,) = LinkNotes(str(notes), nothing_known, told=told).poll()
    assert isinstance(again, e.LinkEnded)
    assert again.link == "7-2"


def test_a_size_is_compared_with_that_of_the_same_output_in_this_run_or_an_earlier_one(notes: Path) -> None:
    write(notes, begun(), ended(), begun("7-2"), ended("7-2"))
    known = {"/w/target/debug/deps/app-0123456789abcdef": 650}
    first, second = [x for x in LinkNotes(str(notes), known.get).poll() if isinstance(x, e.LinkEnded)]
    assert (first.before_bytes, second.before_bytes) == (650, 700)


def test_a_link_that_failed_has_no_size(notes: Path) -> None:
    write(notes, begun(), ended(code=None, signal=9))
    _, end = LinkNotes(str(notes), nothing_known).poll()
    assert isinstance(end, e.LinkEnded)
    assert (end.signal, end.code, end.output_bytes, end.before_bytes) == (9, None, None, None)


@pytest.mark.parametrize(
    ("words", "binary", "name"),
    [(["--crate-name", "app", "--crate-type", "bin"], "app", "app(bin)"),
     (["--crate-name", "app", "--test"], None, "app(test)"),
     (["--crate-name", "build_script_build", "--crate-type", "bin"], None, "app(build.rs)"),
     (["--crate-name", "app_derive", "--crate-type", "proc-macro"], None, "app"),
     ([], None, "")],
)  # fmt: skip
def test_a_link_has_the_name_of_its_unit(notes: Path, words: list[str], binary: str | None, name: str) -> None:
    write(notes, begun(rustc=words, binary=binary))
    (start,) = LinkNotes(str(notes), nothing_known).poll()
    assert isinstance(start, e.LinkStarted)
    assert start.unit == name


@pytest.mark.parametrize(("crate", "name"), [("my_app", "my_app"), (None, "")])
def test_where_nobody_saw_what_rustc_was_told_a_link_has_the_name_of_its_crate(
    notes: Path, crate: str | None, name: str
) -> None:
    write(notes, begun(rustc=[], binary=None, crate=crate, manifest_dir="/w"))
    (start,) = LinkNotes(str(notes), nothing_known).poll()
    assert isinstance(start, e.LinkStarted)
    assert start.unit == name


@pytest.mark.parametrize(
    ("fuse", "is_rust_lld", "name"),
    [("lld", True, "rust-lld"), (None, True, "rust-lld"), ("lld", False, "lld"), ("mold", True, "mold"),
     ("/opt/bin/ld.mold", False, "mold")],
)  # fmt: skip
def test_the_linker_is_the_one_that_the_driver_was_told_to_use(fuse: str | None, is_rust_lld: bool, name: str) -> None:
    assert linker_name(fuse, is_rust_lld=is_rust_lld) == name


def test_sections_are_counted_as_readelf_counts_them(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int twice(int x) { return 2 * x; }\nint main(void) { return twice(0); }\n")
    subprocess.run(["cc", "-g", "a.c", "-o", "a"], cwd=tmp_path, check=True)
    listed = subprocess.run(["readelf", "-SW", "a"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    sizes = {"X": 0, "debug": 0, "symbols": 0}
    for line in listed.splitlines():
        words = line.partition("]")[2].split()
        if len(words) < 7 or len(words[4]) != 6:
            continue
        name, size, flags = words[0], int(words[4], 16), words[6]
        kind = "debug" if name.startswith(".debug") else "symbols" if name in (".symtab", ".strtab") else flags
        sizes["X" if kind == "AX" else kind] = sizes.get("X" if kind == "AX" else kind, 0) + size
    found = read_sizes(str(tmp_path / "a"))
    assert found == (sizes["X"], sizes["debug"], sizes["symbols"])
    assert min(found) > 0


def test_what_is_no_program_has_no_sections(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("#!/bin/sh\n")
    shutil.copy("/bin/true", tmp_path / "torn")
    os.truncate(tmp_path / "torn", 100)
    assert read_sizes(str(tmp_path / "text")) is None
    assert read_sizes(str(tmp_path / "torn")) is None
    assert read_sizes(str(tmp_path / "gone")) is None
    assert read_sizes(str(tmp_path)) is None
