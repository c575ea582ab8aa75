"""What other tools say: cmake, ninja, make, gcc, nvcc, and anything that shows how far it is."""

import pytest

from core import events as e
from core.parsers.select import make_parser
from tests.core.test_parsers_cargo import board, events_of, only


def of_text(*chunks: bytes) -> list[e.Event]:
    parser = make_parser("generic", is_split=False, json="none")
    return [x for chunk in chunks for x in parser.feed("out", chunk, 1.0)] + parser.close(1.0)


@pytest.mark.parametrize(("line", "done", "total", "kind"), [
    (b"[3/9] Building CUDA object gemm.cu.o\n", 3, 9, "steps"), (b"[ 40%] Built target one\n", 40, 100, "percent"),
    (b"[100%] Built\n", 100, 100, "percent"), (b"(12/40) installing x\n", 12, 40, "steps"),
    (b"12 of 40 done\n", 12, 40, "steps"), (b"Step 2 of 7 : RUN make\n", 2, 7, "steps"),
    (b"\x1b[32m[ 20%] \x1b[1mBuilding\x1b[0m\n", 20, 100, "percent"),
    (b"Receiving objects:  45% (9/20)\r", 9, 20, "steps"),
    (b"downloading 7%\r", 7, 100, "percent"), (b" 33.3 % done\r", 33, 100, "percent"),
])  # fmt: skip
def test_a_figure_that_says_how_far_it_is(line: bytes, done: int, total: int, kind: str) -> None:
    assert of_text(line) == [e.ProgressMoved(1.0, done, total, (), kind)]  # type: ignore[arg-type]


@pytest.mark.parametrize("line", [
    b"coverage 45% of lines\n", b"5 of them\n", b"[9/3] odd\n", b"[info] 1/2\n", b"[300%] x\n", b"x [1/2]\n",
    b"2026/11/20 10:00\n", b"0 of 0\n", b"",
])  # fmt: skip
def test_other_figures_are_not_taken_for_progress(line: bytes) -> None:
    assert of_text(line) == []


def test_the_last_state_of_a_batch_is_told_once() -> None:
    moved = of_text(b"[1/9] a\n[2/9] b\n", b"[2/9] b\ntext\n", b"[3/9] c\n")
    assert [m.done for m in only(moved, e.ProgressMoved)] == [2, 3]


@pytest.mark.parametrize(("name", "done", "total", "errors"), [
    ("ninja", 5, 5, 0), ("ninja-broken", 1, 2, 1), ("cmake-make", 100, 100, 0), ("make-broken", 60, 100, 1),
    ("cmake-configure", 0, None, 0),
])  # fmt: skip
def test_recorded_builds_of_c(name: str, done: int, total: int | None, errors: int) -> None:
    known = board(events_of(name), tool="exec")
    assert (known["units_done"], known["units_total"], known["errors"]) == (done, total, errors)


def test_an_error_of_gcc_has_its_place() -> None:
    (found,) = only(events_of("ninja-broken"), e.DiagnosticEmitted)
    assert (found.file, found.line, found.column) == ("/home/user/code/c/three.c", 1, 26)
    assert found.message == "‘missing’ undeclared (first use in this function)"


def test_diagnostics_of_nvcc_and_cmake_are_read() -> None:
    nvcc = b'src/gemm.cu(12): error: identifier "x" is undefined\na.cu(3): warning #177-D: variable "i" was declared\n'
    cmake = (
        b"CMake Error at CMakeLists.txt:3 (add_library):\n  Cannot find source file:\n\n    one.c\n\n\n-- Configuring\n"
    )
    found = only(of_text(nvcc + cmake), e.DiagnosticEmitted)
    assert [(d.level, d.file, d.line, d.code) for d in found] == [
        ("error", "CMakeLists.txt", 3, None), ("error", "src/gemm.cu", 12, None), ("warning", "a.cu", 3, "177-D"),
    ]  # fmt: skip
    assert found[0].message == "Cannot find source file:"


def test_words_without_a_place_are_no_diagnostics() -> None:
    assert (
        of_text(b"error: no\nE: error: x\n12:30: error: late\n2026-11-20T10:30:01: error: later\nnote: warning: x\n")
        == []
    )


NVCC = b"""eh.cuh(1): error: identifier "nope" is undefined
  template<class T> T id(T a){ return a+nope; }
                                        ^
          detected during instantiation of "T id(T) [with T=int]" at line 3 of e.cu

e.cu(4): warning #177-D: variable "x" was declared but never referenced
    int x = 1;
        ^

Remark: The warnings can be suppressed with "-diag-suppress <warning-number>"

1 error detected in the compilation of "e.cu".
At end of source: error: expected a "}"
g.cu(1): note #3196-D: to match this "{"
  int f(){
         ^

1 error detected in the compilation of "k/g.cu".
a.cu(1): catastrophic error: cannot open source file "no.h"
  #include "no.h"
                 ^

1 catastrophic error detected in the compilation of "a.cu".
ptxas /tmp/tmpxft_00004d5c_00000000-6_p.ptx, line 23; error   : Unknown modifier '.op'
ptxas out/k.ptx, line 7; error   : Not a name of any known instruction: 'bogus'
ptxas fatal   : Ptx assembly aborted due to errors
nvcc fatal   : Unsupported gpu architecture 'compute_10'
"""
GCC = b"""In file included from \x1b[01m\x1b[Kc.cpp:1\x1b[m\x1b[K:
\x1b[01m\x1b[Keh.h:1:51:\x1b[m\x1b[K \x1b[01;31m\x1b[Kerror: \x1b[m\x1b[Knope was not declared
    1 | return a+\x1b[01;31m\x1b[Knope\x1b[m\x1b[K;
      |          \x1b[01;31m\x1b[K^~~~\x1b[m\x1b[K
c.cpp:9:3: note: in what is called here
    9 |   id(1);
g++: fatal error: no input files
d.cpp:2:15: error: unknown type
int c( { }
       ^
cc1plus: all warnings being treated as errors
"""


def at_every_cut(log: bytes) -> list[e.DiagnosticEmitted]:
    """The same, wherever it is cut."""
    whole = only(of_text(log), e.DiagnosticEmitted)
    for size in (1, 7, 64):
        assert only(of_text(*(log[at : at + size] for at in range(0, len(log), size))), e.DiagnosticEmitted) == whole
    return whole


def test_an_error_of_nvcc_has_its_source_line_its_caret_and_what_nvcc_said_with_it() -> None:
    found = at_every_cut(NVCC)
    assert [(d.level, d.file, d.line, d.message) for d in found] == [
        ("error", "eh.cuh", 1, 'identifier "nope" is undefined'),
        ("warning", "e.cu", 4, 'variable "x" was declared but never referenced'),
        ("error", "k/g.cu", None, 'expected a "}"'),
        ("error", "a.cu", 1, 'cannot open source file "no.h"'),
        ("error", None, None, "Unknown modifier '.op'"),
        ("error", "out/k.ptx", 7, "Not a name of any known instruction: 'bogus'"),
        ("error", None, None, "Unsupported gpu architecture 'compute_10'"),
    ]  # fmt: skip
    assert found[0].rendered == NVCC[: NVCC.index(b"\n\n")].decode()
    assert found[2].rendered.split("\n")[1:] == [
        'g.cu(1): note #3196-D: to match this "{"', "  int f(){", "         ^",
    ]  # fmt: skip


def test_an_error_of_gcc_and_of_clang_has_its_source_line_and_caret_in_colour_or_not() -> None:
    found = at_every_cut(GCC)
    assert [(d.file, d.line, d.column, d.message) for d in found] == [
        ("eh.h", 1, 51, "nope was not declared"), (None, None, None, "no input files"),
        ("d.cpp", 2, 15, "unknown type"),
    ]  # fmt: skip
    assert found[0].rendered.split("\n") == [
        "eh.h:1:51: error: nope was not declared", "    1 | return a+nope;", "      |          ^~~~",
        "c.cpp:9:3: note: in what is called here", "    9 |   id(1);",
    ]  # fmt: skip
    assert found[2].rendered == "d.cpp:2:15: error: unknown type\nint c( { }\n       ^"
