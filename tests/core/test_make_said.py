"""What make's output says of what was made."""

import os
import random
import shlex
from itertools import accumulate
from pathlib import Path

import pytest

from core import events as e
from core.native.edits.make_times import make_pieces
from core.native.edits.wait_phases import ABOUT_CPP, Piece
from core.native.traces.make_said import Made, Told, read_make, split_words

LOG = b"""make: Entering directory '/w/build'
[ 33%] \x1b[32mBuilding CUDA object sub/CMakeFiles/k.dir/k.cu.o\x1b[0m
[ 50%] Linking CUDA device code CMakeFiles/k.dir/cmake_device_link.o
make[1]: Entering directory '/w/build/deep'
CC=gcc ccache /opt/cuda/bin/nvcc -arch=sm_80 -Iinc -I ../more -odir x -c k.cu -o "a b.o"
cd sub && g++ -O2 -fPIC -c x.cpp && ar rcs libx.a x.o
make[1]: Leaving directory '/w/build/deep'
[100%] Linking CXX static library libk.a
x86_64-linux-gnu-gcc-12 -oapp main.o libk.a -lm
echo gcc -o no.o
[ 40%] Built target one
"""


def test_objects_links_and_commands_are_read_with_their_folder() -> None:
    assert not read_make(LOG, "/w").is_nothing
    assert read_make(LOG, "/w").made == (
        Made("sub/CMakeFiles/k.dir/k.cu.o", "/w/build"),
        Made("CMakeFiles/k.dir/cmake_device_link.o", "/w/build"),
        Made("a b.o", "/w/build/deep", ("k.cu",), ("inc", "../more")),
        Made("x.o", "/w/build/deep/sub", ("x.cpp",)),
        Made("libx.a", "/w/build/deep/sub", ("x.o",)),
        Made("libk.a", "/w/build"),
        Made("app", "/w/build", ("main.o", "libk.a")),
    )  # fmt: skip


@pytest.mark.parametrize("line", [
    "g++ -DX='\"a b\"' -c a.cpp", 'gcc "-DA=\\"x\\"" -o "a b.o"', r"ar rcs lib\ x.a a\'b.o", "cc -c ''x'' \"\" y",
    r'cc -D"A=B" \\x',
])  # fmt: skip
def test_words_are_split_as_a_shell_splits_them(line: str) -> None:
    assert split_words(line) == shlex.split(line)


@pytest.mark.parametrize("line", [
    b"make: 'b.o' is up to date.", b"make[2]: Nothing to be done for 'all'.", b"gmake: Nothing to be done for 'all'.",
    b"[100%] Built target k", b"ninja: no work to do.",
])  # fmt: skip
def test_that_there_is_nothing_to_do_is_heard(line: bytes) -> None:
    assert read_make(b"x\n" + line + b"\n", "/") == Told((), is_nothing=True)


@pytest.mark.parametrize("log", [
    b"", b"\0\xff -c\n", b"gcc -o", b"gcc -c 'open\n", b"ar\nar rcs\n", b"make: Leaving directory '/x'\n" * 3,
    b"nvcc " * 50_000 + b" -o x", b"[ 1%] Building CXX object ", b"gcc -o \0\0 -c a.c\n", b"cd && gcc -c a.c",
])  # fmt: skip
def test_what_is_torn_or_odd_does_not_raise(log: bytes) -> None:
    assert all("\0" not in made.output for made in read_make(log, "/w").made)


def test_mutilated_output_does_not_raise() -> None:
    dice = random.Random(7)
    for _ in range(50):
        log = bytearray(LOG)
        for _ in range(20):
            log[dice.randrange(len(log))] = dice.randrange(256)
        assert len(read_make(bytes(log), "/w").made) <= 9


def test_what_was_compiled_has_the_time_from_makes_word_to_the_object_more_or_less(tmp_path: Path) -> None:
    lines = [
        "[ 1%] Building CXX object a.cpp.o\n", "[ 2%] Building CUDA object k.cu.o\n", "gcc -c b.c -o b.o\n",
        "[ 3%] Linking CXX static library libk.a\n", "[ 4%] Building CXX object gone.cpp.o\n",
        "gcc -c late.c -o late.o\n",
    ]  # fmt: skip
    ends = list(accumulate(len(line) for line in lines))
    (tmp_path / "out.log").write_text("".join(lines))
    for name, at in (("a.cpp.o", 102.5), ("k.cu.o", 103.0), ("b.o", 104.0), ("libk.a", 105.0), ("late.o", 106.0)):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (at, at))
    told = [e.OutputGrew(101.0, "out", 2, ends[1]), e.OutputGrew(103.5, "out", 5, ends[4])]
    place = str(tmp_path)
    assert make_pieces(place, told, (place,), 100.0, 110.0) == [
        Piece(ABOUT_CPP, 101.0, 102.5), Piece(ABOUT_CPP, 103.5, 104.0),
    ]  # fmt: skip
    assert make_pieces(place, told, (place,), 100.0, 103.0) == [Piece(ABOUT_CPP, 101.0, 102.5)]
    assert make_pieces(place, [], (place,), 100.0, 110.0) == []
    assert make_pieces(place + "/none", told, (place,), 100.0, 110.0) == []
