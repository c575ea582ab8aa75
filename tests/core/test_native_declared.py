"""What build scripts print, and the notes of compilers and ninja: whole values, and what is torn or hostile."""

import os
import random
import struct
import subprocess
from pathlib import Path

import pytest

from core.native.staleness.nvcc_ask import words_for
from core.native.traces.depfile import Rule, read_depfile
from core.native.traces.directives import Declared, Directives, read_directives
from core.native.traces.includes import MAX_TRIES, closure, includes
from core.native.traces.ninja_explain import Explained, read_explained, reasons_of
from core.native.traces.ninja_log import Step, read_ninja_log
from core.native.traces.nvcc_calls import NvccCall, latest_by_output, read_calls

OUTPUT = b"""cargo:rerun-if-changed=kernels/k.cu
   cargo::rerun-if-changed=kernels with blank
cargo:rerun-if-env-changed=CUDA_HOME
cargo:rustc-link-lib=cuda
cargo:rerun-if-changed=kernels/k.cu
not cargo:rerun-if-changed=x
cargo:rerun-if-changed=\xff\xfe.cu
cargo:rerun-if-env-changed=CUDA_HOME
"""
DEPFILE = b"""# made by a compiler
out/k.o out/k.d: \\
    src/k.cu src/with\\ space.cuh \\
  /usr/include/a\\#b.h src/k.cu $$HOME/x.h
src/k.cu:

C:\\x : y
"""
LOG = b"""# ninja log v5
0\t28\t1730000000000000000\ta.o\ted36089e3b2fb971
1\t29\t1730000000000000000\tb.o\t302dc46bdef0b701
torn\tline
0\t18\t1730000009000000000\ta.o\ted36089e3b2fb971
2\t20\t1730000009000000000\tb.o\t547e6a6bc60b0972
3\t20\t1730000009000000000\tc.o\t547e6a6bc60b0972
"""
NOTES = b"""{"nvcc": "7-1", "at": 5.5, "cwd": "/w", "argv": ["-c", "k.cu", "-o", "k.o", "-DX=***"], \
"tool": "/c/bin/nvcc", "sources": ["/w/k.cu"], "output": "/w/k.o", "kind": "object", "package": "app", \
"manifest_dir": null, "out_dir": "/w/o", "archs": ["sm_80", 5, "compute_90"]}
{"phase": "7-1", "at": 5.6, "tool": "cicc"}
{"end": "7-1", "elapsed_s": 2, "code": 0, "verdict": "miss", "why": "k.cuh differs", "inputs": ["/w/k.cu", "x", 3]}
{"nvcc": "7-2", "cwd": 5, "argv": "x", "sources": null, "output": {}, "kind": []}
{"end": "7-9"} trailing
{"nvcc": "7-3", "cwd": "/\\ud800", "argv": ["a"], "sources": ["/a\\u0000b", "/ok"], "output": "/\\ud800", "kind": "ptx"}
[1]
"""


def test_directives_are_read_as_cargo_reads_them_each_once() -> None:
    assert read_directives(OUTPUT) == Directives(
        (Declared("kernels/k.cu", 1), Declared("kernels with blank", 2)), ("CUDA_HOME",)
    )
    assert read_directives(b"cargo:warning=x").is_empty
    assert not read_directives(b"cargo:rerun-if-env-changed=X").is_empty


def test_a_depfile_gives_rules_with_their_escapes_undone() -> None:
    assert read_depfile(DEPFILE) == (
        Rule(
            ("out/k.o", "out/k.d"), ("src/k.cu", "src/with space.cuh", "/usr/include/a#b.h", "$HOME/x.h")
        ),
        Rule(("C:\\x",), ("y",)),
    )  # fmt: skip


def test_what_gcc_writes_for_odd_names_is_read_back(tmp_path: Path) -> None:
    names = ["plain.h", "with space.h", "dollar$x.h", "hash#x.h"]
    for name in names:
        (tmp_path / name).write_text("\n")
    (tmp_path / "a.c").write_text("".join(f'#include "{name}"\n' for name in names))
    subprocess.run(["gcc", "-MD", "-MF", "a.d", "-c", "a.c", "-o", "a.o"], cwd=tmp_path, check=True)
    (rule,) = read_depfile((tmp_path / "a.d").read_bytes())
    assert rule.targets == ("a.o",)
    assert {"a.c", *names} <= set(rule.inputs)


def test_a_log_of_ninjas_gives_steps_and_skips_torn_lines() -> None:
    steps = read_ninja_log(LOG)
    assert steps[0] == Step("a.o", 0, 28, 1730000000000000000, "ed36089e3b2fb971")
    assert [step.output for step in steps] == ["a.o", "b.o", "a.o", "b.o", "c.o"]
    assert read_ninja_log(b"something else\n" + LOG) == ()


def test_reasons_come_from_the_log_and_times_where_ninja_said_nothing() -> None:
    times = {"h.h": 1730000005000000000, "a.c": 1}
    found = reasons_of(read_ninja_log(LOG), {"a.o": ("a.c", "h.h"), "b.o": ("b.c",)}, lambda output: True,
                       lambda name: times.get(name, 0))  # fmt: skip
    assert found == (
        Explained("a.o", "h.h is newer than what was made before"),
        Explained("b.o", "its command line changed"),
        Explained("c.o", "it was not made before"),
    )
    assert reasons_of(read_ninja_log(LOG), {}, lambda output: False, lambda name: 0) == ()


def test_ninjas_own_words_are_read_and_name_their_output(tmp_path: Path) -> None:
    (tmp_path / "build.ninja").write_text("rule cp\n command = cp $in $out\nbuild a.o: cp a.c\nbuild b.o: cp b.c\n")
    for name in ("a.c", "b.c"):
        (tmp_path / name).write_text("x")
    subprocess.run(["ninja"], cwd=tmp_path, check=True, capture_output=True)
    made_at = (tmp_path / "a.o").stat().st_mtime_ns
    os.utime(tmp_path / "a.c", ns=(made_at + 10**9, made_at + 10**9))
    (tmp_path / "b.o").unlink()
    done = subprocess.run(["ninja", "-d", "explain"], cwd=tmp_path, check=True, capture_output=True)
    said = {one.output: one.reason for one in read_explained(done.stderr + done.stdout)}
    assert set(said) == {"a.o", "b.o"}
    assert "older than most recent input a.c" in said["a.o"]
    assert "doesn't exist" in said["b.o"]


def test_notes_of_the_front_give_calls_and_leave_out_what_is_none() -> None:
    first, second, third = read_calls(NOTES, "r")
    assert first == NvccCall(
        "r", "7-1", 5.5, "/w", ("-c", "k.cu", "-o", "k.o", "-DX=***"), "/c/bin/nvcc", ("/w/k.cu",), "/w/k.o", "object",
        "app", "", "/w/o", 0, "miss", "k.cuh differs", 2.0, ("/w/k.cu",), ("sm_80", "compute_90"),
    )  # fmt: skip
    assert (second.cwd, second.argv, second.sources, second.output, second.code) == ("", (), (), "", None)
    assert (third.cwd, third.sources, third.output) == ("", ("/ok",), "")
    assert latest_by_output((first, first._replace(at=4.0, code=1), second)) == {"/w/k.o": first}


@pytest.mark.parametrize("number", ["1" * 400, "Infinity", "NaN", "-1", '"x"', "null"])
def test_a_time_that_is_none_is_not_known(number: str) -> None:
    notes = f'{{"nvcc": "1", "at": {number}}}\n{{"end": "1", "elapsed_s": {number}}}\n'
    (call,) = read_calls(notes.encode())
    assert (call.at, call.elapsed_s) == (0.0, None)


def test_words_of_a_depfile_are_those_between_blanks_with_and_without_escapes() -> None:
    text = b"a.o  b.o: x\t y:z w::\n: lost\nk:\nc.o : $$y\tq\n"
    assert read_depfile(text) == (Rule(("a.o", "b.o"), ("x", "y:z", "w::")), Rule(("c.o",), ("$y", "q")))


def test_nvcc_is_asked_with_the_words_of_the_call_but_for_what_it_makes() -> None:
    call = read_calls(NOTES)[0]
    assert words_for(call) is None, "a word of it is not known"
    argv = ("-c", "-I", "inc", "k.cu", "-o", "k.o", "-MD", "-MF", "k.d", "--dependency-output=x", "-arch=sm_80", "-ptx")
    assert words_for(call._replace(argv=argv)) == ("-I", "inc", "k.cu", "-arch=sm_80", "-M")
    assert words_for(call._replace(argv=argv, sources=())) is None


def test_names_that_are_nowhere_are_looked_for_in_a_bounded_number_of_places() -> None:
    text = b"".join(b'#include "n%d.h"\n' % number for number in range(60_000))
    looked: list[str] = []

    def read(path: str) -> bytes | None:
        looked.append(path)
        return text if path == "/w/k.cu" else None

    assert closure("/w/k.cu", ["/a", "/b", "/c"], read) == ("/w/k.cu",)
    assert len(looked) <= MAX_TRIES + 1


def test_what_nvcc_would_write_beside_its_answer_is_not_asked_for() -> None:
    call = read_calls(NOTES)[0]
    words = ("--time", "t.csv", "-time=u", "-keep-dir", "k", "--keep", "-save-temps", "-fdevice-time-trace", "f",
             "-cubin", "-O3", "-o=x", "k.cu")  # fmt: skip
    assert words_for(call._replace(argv=words)) == ("-O3", "k.cu", "-M")


def test_includes_are_followed_but_not_those_that_are_commented_out(tmp_path: Path) -> None:
    files = {
        "k.cu": '#include "a.cuh"\n// #include "no.h"\n/* x\n#include "no.h"\n*/ #include "b.h"\n#include <c.h>\n'
        '#if 0\n#include "no.h"\n#else\n#include "d.h"\n#endif\n#ifdef X\n#include "e.h"\n#endif\n',
        "a.cuh": '#include "k.cu"\n#include "inc/f.h"\n', "inc/f.h": '#include "g.h"\n', "inc/g.h": "",
        "b.h": "", "inc/c.h": "", "d.h": "", "e.h": "", "no.h": "",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = closure(str(tmp_path / "k.cu"), (str(tmp_path / "inc"),))
    assert {os.path.relpath(path, tmp_path) for path in found} == set(files) - {"no.h"}
    assert list(includes(b'#include MACRO\n#include "x')) == []


@pytest.mark.parametrize("seed", range(40))
def test_no_bytes_make_a_reader_raise(seed: int) -> None:
    chance = random.Random(seed)
    parts = [OUTPUT, DEPFILE, LOG, NOTES, b"ninja explain: output x older than", b"\\\n", b"\0" * 9,
             struct.pack("<I", 1 << 31)]  # fmt: skip
    content = b"".join(chance.choice(parts)[chance.randrange(9) :] for _ in range(20))
    content = bytes(byte ^ (chance.random() < 0.02) * chance.randrange(256) for byte in content)
    for cut in range(0, len(content), 97):
        read_directives(content[:cut])
        read_depfile(content[:cut])
        read_ninja_log(b"# ninja log v5\n" + content[:cut])
        read_calls(content[:cut])
        read_explained(content[:cut])
        list(includes(content[:cut]))
