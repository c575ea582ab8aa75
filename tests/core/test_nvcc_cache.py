"""The depfile cache before nvcc, with a script in the place of nvcc: what it answers, and when it must not."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.nvcc_world import SOURCE, World, build_stub, make_world, same_time, settle, shell


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_stub(tmp_path_factory.mktemp("stub"))


@pytest.fixture
def world(tmp_path: Path, stub: Path) -> World:
    return make_world(tmp_path, stub)


def made(path: Path) -> str:
    """An output without the names of temporary files."""
    text = path.read_text()
    return text if "tmpxft" not in text else text[: text.rindex("tmpxft")]


def test_the_same_again_is_answered_without_nvcc(world: World) -> None:
    first = world.ptx()
    before = (world.root / "k.ptx").read_text()
    (world.root / "k.ptx").unlink()
    second = world.ptx()
    assert (first.code, first.verdict, second.code, second.verdict) == (0, "miss", 0, "hit")
    assert (world.compiled(), (world.root / "k.ptx").read_text()) == (1, before)
    inputs = [str(world.root / name) for name in ("inc/lib/far.cuh", "inc/lib/farther.cuh", "src/k.cu", "src/near.cuh")]
    assert sorted(first.note["inputs"]) == sorted(second.note["inputs"]) == inputs


@pytest.mark.parametrize("kind", ["-c", "-dc", "-dw", "-cubin", "-fatbin", "--ptx"])
def test_each_kind_is_kept_wherever_it_goes(world: World, kind: str) -> None:
    words = (kind, "-arch=sm_80", "-Iinc", "src/k.cu")
    for place, verdict in ((("-o", "out"), "miss"), (("-odir", "early"), "hit"), ((), "hit")):
        before = set(world.root.rglob("*"))
        assert world.call(*words, *place).verdict == verdict
        (made_now,) = set(world.root.rglob("*")) - before
        assert "kernel" in made_now.read_text()
    assert world.compiled() == 1


def test_what_was_printed_is_printed_again_on_the_same_streams(world: World) -> None:
    world.write("src/near.cuh", "WARN\n")
    first, second = world.ptx(), world.ptx()
    assert (first.stdout, first.stderr) == ("told\n", "src/k.cu(1): warning\n")
    assert (second.verdict, second.stdout, second.stderr) == ("hit", first.stdout, first.stderr)
    for _ in range(2):  # where its preprocessed text was not caught, what was kept is bound to how it was asked for
        both = shell(world, "NVCC -ptx -arch=sm_80 -Iearly -Iinc src/k.cu -o k.ptx 2>&1")
    assert (world.ended()["verdict"], sorted(both.stdout.splitlines())) == ("hit", ["src/k.cu(1): warning", "told"])


def test_order_is_kept_where_both_streams_are_one(world: World) -> None:
    world.write("src/near.cuh", "WARN\n")
    first, second = [shell(world, "NVCC -c -Iinc src/k.cu 2>&1").stdout for _ in range(2)]
    assert (first, world.ended()["verdict"]) == (second, "hit")


def test_the_users_depfile_is_written_on_a_hit_too(world: World) -> None:
    for words in (("-MD", "-MF", "d/x.d", "-MT", "named"), ("-MD",), ("-MD", "-MF", "y.d")):
        (world.root / "d").mkdir(exist_ok=True)
        before = {path: path.read_text() for path in world.root.rglob("*.d")}
        assert world.ptx(*words).verdict == "miss"
        written = {path: path.read_text() for path in world.root.rglob("*.d") if path not in before}
        (path,) = written
        path.unlink()
        assert world.ptx(*words).verdict == "hit"
        assert path.read_text() == written[path]


def test_names_of_output_and_depfile_are_no_part_of_the_question(world: World) -> None:
    world.call("-c", "-Iinc", "src/k.cu", "-o", "a.o", "-MD", "-MF", "a.d")
    hit = world.call("-c", "-Iinc", "src/k.cu", "-o", "early/b.o", "-MD", "-MF", "b.d")
    assert (hit.verdict, (world.root / "b.d").read_text().split(" : ")[0]) == ("hit", "early/b.o")
    rest = [(world.root / name).read_text().partition(" : ")[2] for name in ("a.d", "b.d")]
    assert (rest[0], made(world.root / "a.o")) == (rest[1], made(world.root / "early/b.o"))


def lengthen(path: Path) -> None:
    """Another program of the same name."""
    with path.open("ab") as file:
        file.write(b"x")


def _replace_gcc(world: World) -> None:
    (world.folder / "first").mkdir()
    shutil.copy(world.folder / "host/gcc", world.folder / "first/gcc")
    lengthen(world.folder / "first/gcc")


def _swap_folder(world: World) -> None:
    shutil.copytree(world.root / "inc", world.root / "new")
    (world.root / "new/lib/farther.cuh").write_text("further\n")
    (world.root / "inc").rename(world.root / "old")
    (world.root / "new").rename(world.root / "inc")


CHANGES: dict[str, Callable[[World], object]] = {
    "the source": lambda world: world.write("src/k.cu", SOURCE + "more\n"),
    "a header": lambda world: world.write("src/near.cuh", "nearer\n"),
    "a nested header": lambda world: world.write("inc/lib/farther.cuh", "further\n"),
    "same size and time": lambda world: same_time(world.root / "inc/lib/farther.cuh", "Farther\n"),
    "an earlier header, read instead": lambda world: world.write("early/lib/far.cuh", "other\n"),
    "a header beside the source, read instead": lambda world: world.write("src/lib/far.cuh", "other\n"),
    "a header that could have been read": lambda world: world.write("inc/lib/lib/far.cuh", "other\n"),
    "a folder swapped": _swap_folder,
    "ptxas": lambda world: lengthen(world.bin / "ptxas"),
    "cicc": lambda world: lengthen(world.bin / "cicc"),
    "nvcc": lambda world: lengthen(world.bin / "nvcc"),
    "libdevice": lambda world: (world.folder / "kit/nvvm/libdevice/libdevice.10.bc").write_text("Device"),
    "the profile": lambda world: (world.bin / "nvcc.profile").write_text("TOP = /elsewhere\n"),
    "the profile is gone": lambda world: (world.bin / "nvcc.profile").unlink(),
    "gcc": lambda world: lengthen(world.folder / "host/gcc"),
    "as": lambda world: lengthen(world.folder / "host/as"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_what_was_read_is_a_miss_with_a_reason(world: World, name: str) -> None:
    world.ptx()
    assert world.ptx().verdict == "hit"
    CHANGES[name](world)
    call = world.ptx()
    assert (call.verdict, world.compiled()) == ("miss", 2)
    assert any(words in call.why for words in ("has changed", "came or went", "is gone", "is another one"))
    text = (world.root / "k.ptx").read_text()
    assert all(word in text for word in ("kernel", "near", "other" if "instead" in name else "far"))


def test_what_came_back_is_known_again(world: World) -> None:
    texts = ["near\n", "nearer\n", "Near\n"]
    for text in texts:
        world.write("src/near.cuh", text)
        assert world.ptx().verdict == "miss"
    for text in texts:
        world.write("src/near.cuh", text)
        assert (world.ptx().verdict, f"\n{text}" in (world.root / "k.ptx").read_text()) == ("hit", True)
    assert world.compiled() == 3


def test_a_header_that_is_touched_only_is_a_hit(world: World) -> None:
    world.ptx()
    for path in [*world.root.rglob("*.cu*"), world.bin / "ptxas"]:
        os.utime(path)
    (world.root / "early/unrelated.txt").touch()
    assert (world.ptx().verdict, world.compiled()) == ("hit", 1)


def test_another_gcc_earlier_on_path_is_a_miss(world: World) -> None:
    world.ptx()
    _replace_gcc(world)
    call = world.ptx(env={"PATH": f"{world.front}:{world.bin}:{world.folder}/first:{world.folder}/host:/usr/bin:/bin"})
    assert (call.verdict, "gcc is another one" in call.why) == ("miss", True)


@pytest.mark.parametrize("header", ["maybe.cuh", "early/maybe.cuh", "src/maybe.cuh"])
def test_a_header_that_was_asked_for_and_comes_is_a_miss(world: World, header: str) -> None:
    world.write("src/k.cu", SOURCE + '#if __has_include("maybe.cuh")\n')
    assert [world.ptx("-I.").verdict for _ in range(2)] == ["miss", "hit"]
    assert "has False" in (world.root / "k.ptx").read_text()
    path = world.write(header, "")
    assert (world.ptx("-I.").verdict, "has True" in (world.root / "k.ptx").read_text()) == ("miss", True)
    path.unlink()
    assert (world.ptx("-I.").verdict, "has False" in (world.root / "k.ptx").read_text()) == ("hit", True)


@pytest.mark.parametrize(
    ("words", "more"),
    [
        (("-DMORE",), {}), (("-arch=sm_90",), {}), (("-lineinfo",), {}), (("--threads", "2"), {}), (("-G",), {}),
        (("-Xcompiler", "-fPIC"), {}), (("-optf", "options"), {}), (("--split-compile=2",), {}), (("-rdc=true",), {}),
        (("--compress-mode=size",), {}), ((), {"NVCC_PREPEND_FLAGS": "-DX"}), ((), {"NVCC_APPEND_FLAGS": "-DX"}),
        ((), {"CPATH": "early"}), ((), {"LANG": "de_DE"}), ((), {"CUDAFE_FLAGS": "--x"}),
        ((), {"GCC_EXEC_PREFIX": "/x/"}), ((), {"LD_PRELOAD": ""}), ((), {"SOURCE_DATE_EPOCH": "1"}),
        ((), {"INCLUDES": "-DX"}), ((), {"LC_ALL": "C"}),
        ((), {"CPLUS_INCLUDE_PATH": "early"}), ((), {"NVVM_FLAGS": "1"}), ((), {"LD_LIBRARY_PATH": "/x"}),
    ],
)  # fmt: skip
def test_other_words_and_another_environment_are_other_questions(
    world: World, words: tuple[str, ...], more: dict[str, str]
) -> None:
    world.write("options", "-DINFILE\n")
    world.ptx()
    verdicts = [world.ptx(*words, env=more).verdict for _ in range(2)]
    assert (verdicts, world.ptx().verdict) == (["miss", "hit"], "hit")


@pytest.mark.parametrize(
    "more", [{"CARGO_TERM_COLOR": "always"}, {"DECK_RUN": "r"}, {"MAKEFLAGS": "-j"}, {"CUDA_VISIBLE_DEVICES": "1"}]
)
def test_what_no_tool_reads_is_no_part_of_the_question(world: World, more: dict[str, str]) -> None:
    world.ptx()
    assert world.ptx(env=more).verdict == "hit"


def test_an_options_file_counts_by_its_content(world: World) -> None:
    world.write("options", "-DA -DB\n")
    world.ptx("-optf", "options")
    world.write("options", "-DA -DC\n")
    assert world.ptx("-optf", "options").verdict == "miss"
    world.write("more", "-DA -DC")
    assert world.ptx("-optf", "more").verdict == "hit"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("-E", "src/k.cu"), "preprocess"), (("-M", "src/k.cu"), "depend"), (("src/k.cu",), "program"),
        (("-c", "src/k.cu", "src/l.cu"), "2 inputs"), (("-c", "--keep", "src/k.cu"), "--keep"),
        (("-c", "-save-temps", "src/k.cu"), "--save-temps"), (("-c", "src/k.cu", "--time", "x"), "--time"),
        (("-c", "src/k.cu", "-fdevice-time-trace=x"), "--fdevice-time-trace"), (("-c", "-x", "cu", "-"), "source"),
        (("-c", "src/k.cu", "-DX=$HOME"), "shell"), (("-c", "src/k.cu", "-DX=`id`"), "shell"),
        (("-v", "-c", "src/k.cu"), "verbose"), (("-c", "src/k.cu", "-Xptxas", "-o,x"), "file"),
        (("-c", "src/k.cu", "-Xcompiler", "--coverage"), "--coverage"), (("-c", "src/k.cu", "-MF", "x.d"), "-MF"),
        (("-c", "src/k.cu", "-Xcompiler", "-fplugin=x.so"), "-fplugin"),
        (("-c", "src/k.cu", "-MMD"), "generate-nonsystem"), (("-c", "src/none.cu"), "no such source"),
        (("-c", "src/k.cu", "-DX=__DATE__"), "not the same"), (("-c", "src/k.cu", "-arch=native"), "native"),
        (("-dlink", "src/k.o"), "link"), (("-lib", "src/k.o"), "library"), (("-c", "src/k.cu", "-unheard"), "-unheard"),
        (("--dryrun", "-c", "src/k.cu"), "query"), (("-c", "src/k.ptx"), "source"),
        (("-c", "src/k.cu", "-Xcompiler", "-fdeps-file=x"), "-fdeps"),
    ],
)  # fmt: skip
def test_what_is_not_understood_goes_by_with_a_reason(world: World, words: tuple[str, ...], why: str) -> None:
    world.write("src/l.cu", "")
    for _ in range(2):
        call = world.call(*words)
        assert (call.verdict, why in call.why) == ("bypass", True), call.why
    assert not (world.store / "v1/manifests").exists()


def test_a_folder_that_is_not_this_one_is_not_taken_for_its_name(world: World) -> None:
    other = world.folder / "link"
    other.symlink_to(world.root)
    named = {"": "/", "again": str(world.root), "by a link": str(other), "without": ""}
    verdicts = {}
    for name, pwd in named.items():
        verdicts[name] = world.call("-c", "-g", "-Iinc", "src/k.cu", "-o", "k.o", env={"PWD": pwd}).verdict
    assert verdicts == {"": "miss", "again": "hit", "by a link": "miss", "without": "hit"}


def test_the_gpus_that_a_call_sees_are_part_of_the_question(world: World) -> None:
    gpu, call = "/proc/driver/nvidia/gpus/0", "NVCC -c -arch=native -Iinc src/k.cu -o k.o"
    steps = (
        f"mount -t tmpfs none /proc/driver && mkdir -p {gpu} && echo 580 > /proc/driver/nvidia/version",
        f"echo H200 > {gpu}/information", call, call, f"CUDA_VISIBLE_DEVICES= {call}", f"CUDA_VISIBLE_DEVICES=0 {call}",
        f"echo B200 > {gpu}/information", call, call,
    )  # fmt: skip
    done = shell(world, f"unshare -Urm sh -ec '{'; '.join(steps)}'")
    assert done.returncode == 0, done.stderr
    notes = map(json.loads, (world.folder / "notes/nvcc.jsonl").read_text().splitlines())
    verdicts = [note["verdict"] for note in notes if "end" in note]
    assert verdicts == ["miss", "hit", "miss", "miss", "miss", "hit"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("FAIL", "failed"), ("// __DATE__", "__DATE__"), ("__TIMESTAMP__", "__TIMESTAMP__"), ('# embed "x"', "#embed"),
        ('asm(".incbin x")', ".incbin"), ('asm("nop; .include \\"x\\"")', ".include"),
        ("#pragma GCC dependency", "#pragma GCC dependency"),
        ("DURING echo changed > src/near.cuh", "near.cuh may have changed"),
        ("DURING mkdir early/lib; echo > early/lib/far.cuh", "early/lib may have changed"),
        ("DURING mv inc i; cp -rp i inc; rm -r i", "inc may have changed"),
        ("#if __has_include(NAMED)", "__has_include of a macro"), ("DURING : > k.none", ""),
        ("int a = 1; \\  \n__TI\\\nME__", "__TIME__"),
        ("what PASTED(__TI, ME__) becomes: \"09:05:59\"", "a date or a time"),
        ('"Nov  1 2026"', "a date or a time"), ('"Sun Nov  1 09:05:59 2026"', "a date or a time"),
        ('"9:05:59", "Nov 1st", "00:00:000"', ""), ("#pragma \t GCC\t dependency", "#pragma GCC dependency"),
        ('__asm__ volatile (".inc"\n "bin x")', ".incbin"), ('asm(".in\\x63\\142in x")', ".incbin"),
        ('asm(".INCLUDE x")', ".include"), ('asm(R"(.macro m)")', ".macro"),
        ('asm("mov.u32 %0, %clock;" : "=r"(x))', ""),
        ("#if __has_in\\\nclude(NAMED)", "__has_include of a macro"),
        ('#if __has_include/* any */("x.h")', "__has_include of a macro"),
        ("#define ASKS MY_HAS_INCLUDE", "__has_include of a macro"),
        ("#if MY_HAS_INCLUDE(NAMED)", "__has_include of a macro"),
        ("#define MY_HAS_INCLUDE(x) __has_include(x)", ""), ("#ifdef MY_HAS_INCLUDE", ""),
    ],
)  # fmt: skip
def test_what_could_be_wrong_later_is_not_kept(world: World, text: str, why: str) -> None:
    world.write("src/k.cu", SOURCE + text + "\n")
    settle()
    first = world.ptx()
    assert (first.verdict, why in first.why) == ("miss", True), first.why
    assert world.call("-ptx", "-arch=sm_80", "-Iearly", "-Iinc", "src/k.cu", "-o", "k.ptx").verdict == (
        "miss" if why else "hit"
    )


def test_nvcc_is_asked_for_no_depfile_that_nobody_wants(world: World) -> None:
    world.write("src/k.cu", SOURCE + "ALONE\n")
    assert [(call.code, call.verdict) for call in (world.ptx(), world.ptx())] == [(0, "miss"), (0, "hit")]
    (world.root / "inc/lib/farther.cuh").write_text("else\n")
    assert (world.ptx().verdict, "else" in (world.root / "k.ptx").read_text()) == ("miss", True)


def test_what_was_preprocessed_and_not_seen_is_not_kept(world: World) -> None:
    world.write("src/k.cpp", SOURCE)  # of a source of this name nvcc preprocesses nothing here
    call = world.call("-c", "-Iinc", "-x", "cu", "src/k.cpp", "-o", "k.o")
    assert (call.verdict, call.note["not_kept"]) == ("miss", "what was preprocessed was not seen")


@pytest.mark.parametrize("name", ["near.cuh", "a blank.cuh", "c#.cuh", "all$.cuh", "back\\slash.cuh"])
def test_of_a_source_without_device_code_the_host_compiler_says_what_it_read(world: World, name: str) -> None:
    world.write("src/k.cpp", f'#include <lib/far.cuh>\n#include "{name}"\n')
    header = world.write(f"src/{name}", "one\n")
    words = ("-c", "-Iinc", "src/k.cpp", "-o", "k.o")
    assert [world.call(*words).verdict for _ in range(2)] == ["miss", "hit"]
    header.write_text("two\n")
    assert (world.call(*words).verdict, "two" in (world.root / "k.o").read_text()) == ("miss", True)
    assert sorted(world.ended()["inputs"]) == sorted(
        str(world.root / path) for path in ("inc/lib/far.cuh", "inc/lib/farther.cuh", f"src/{name}", "src/k.cpp")
    )


@pytest.mark.parametrize("text", ["#define JOIN(a, b) a ## b", "asm(CODE);", 'asm volatile ("nop" CODE);', "%:%:"])
def test_what_macros_make_of_a_source_that_nobody_preprocesses_is_not_known(world: World, text: str) -> None:
    world.write("src/k.cpp", f"{text}\n")
    calls = [world.call("-c", "src/k.cpp", "-o", "k.o") for _ in range(2)]
    assert {call.note["not_kept"] for call in calls} == {f"what macros make of {world.root}/src/k.cpp is not seen"}
    calls = [world.call("-c", "-x", "cu", "src/k.cu", "-Iinc", "-o", "k.o") for _ in range(2)]
    assert [call.verdict for call in calls] == ["miss", "hit"]


def test_a_compiled_header_that_comes_is_a_miss_and_one_that_is_there_keeps_nothing(world: World) -> None:
    world.write("src/k.cpp", '#include "near.cuh"\n')
    words = {"source": ("-c", "src/k.cpp", "-o", "k.o"), "first": ("-c", "-Iinc", "-include", "first.h", "src/k.cu")}
    world.write("first.h", "")
    for name, place in (("source", "src/near.cuh.gch"), ("first", "first.h.pch")):
        assert [world.call(*words[name]).verdict for _ in range(2)] == ["miss", "hit"]
        compiled = world.write(place, "")
        for _ in range(2):
            call = world.call(*words[name])
            assert (call.verdict, f"{place} may be taken in place" in call.why) == ("miss", True), call.why
        compiled.unlink()
        assert world.call(*words[name]).verdict == "hit"


def test_where_what_is_printed_cannot_be_written_nvcc_goes_on(world: World) -> None:
    world.write("src/k.cu", SOURCE + "WARN\n")
    done = shell(world, "NVCC -c -Iinc src/k.cu -o k.o > /dev/full 2>&1")
    assert (done.returncode, (world.root / "k.o").exists()) == (0, True)
    assert world.ended()["not_kept"] == "what it prints goes to a terminal, or is too much"


def test_a_failure_is_handed_on_each_time(world: World) -> None:
    world.write("src/k.cu", SOURCE + "FAIL\n")
    for count in (1, 2):
        assert (world.ptx().code, world.compiled()) == (2, count)


def test_a_fresh_edit_is_kept_where_it_was_seen_before_nvcc_began(world: World) -> None:
    world.ptx()
    for number in range(3):
        world.write("src/near.cuh", f"near {number}\n")
        assert world.ptx().why.endswith("None")
        assert world.ptx().verdict == "hit"


def test_a_second_worktree_of_the_same_content_hits_and_its_paths_are_its_own(world: World) -> None:
    world.write("src/near.cuh", "WARN\n")
    two = world.second()
    words = ("-c", "-I{}/early", "-I{}/inc", "{}/src/k.cu", "-o", "k.o", "-MD", "-MF", "k.d")
    calls = [world.call(*(word.format(root) for word in words), cwd=root) for root in (world.root, two)]
    assert [call.verdict for call in calls] == ["miss", "hit"], calls[1].why
    assert (world.compiled(), made(world.root / "k.o")) == (1, made(two / "k.o"))
    assert calls[1].stderr == f"{two}/src/k.cu(1): warning\n"
    assert (two / "k.d").read_text() == (world.root / "k.d").read_text().replace(str(world.root), str(two))
    (two / "inc/lib/farther.cuh").write_text("further\n")
    assert world.call(*(word.format(two) for word in words), cwd=two).verdict == "miss"
    assert [world.call(*(word.format(root) for word in words), cwd=root).verdict for root in (world.root, two)] == [
        "hit"
    ] * 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("FILE", ()), ("", ("-lineinfo",)), ("", ("-G",)), ("", ("-g",)), ("", ("-Xcompiler", "-g1")),
        ("__builtin_FILE()", ()), ("__builtin_source_location", ()), ("NAMED", ()),
    ],
)  # fmt: skip
def test_what_holds_a_path_is_good_in_that_folder_alone(world: World, text: str, words: tuple[str, ...]) -> None:
    world.write("src/k.cu", SOURCE + text + "\n")
    two = world.second()

    def verdict(root: Path) -> str:
        return world.call("-cubin", f"-I{root}/inc", *words, f"{root}/src/k.cu", "-o", "k.cubin", cwd=root).verdict

    assert [verdict(root) for root in (world.root, two, world.root, two)] == ["miss", "miss", "hit", "hit"]


def test_a_path_that_is_relative_binds_nothing(world: World) -> None:
    world.write("src/k.cu", SOURCE + "FILE __builtin_FILE()\n")
    two = world.second()
    assert [world.ptx(cwd=root).verdict for root in (world.root, two)] == ["miss", "hit"]


def test_names_that_ptx_has_of_its_path_become_those_of_another_path(world: World) -> None:
    world.write("src/k.cu", SOURCE + "NAMED\n")
    two = world.second()
    assert [world.ptx(cwd=root).verdict for root in (world.root, two)] == ["miss", "hit"]
    hit = made(two / "k.ptx")
    del world.env["FAKE_HELD"]
    assert world.ptx(cwd=two, env={"DECK_NVCC_CACHE": ""}).verdict == "off"
    assert made(two / "k.ptx") == hit != made(world.root / "k.ptx")


def test_outputs_are_written_as_nvcc_writes_them(world: World) -> None:
    world.ptx()
    out = world.root / "k.ptx"
    text = out.read_text()
    out.write_text("old")
    out.chmod(0o640)
    os.link(out, world.root / "other name")
    world.ptx()
    assert ((world.root / "other name").read_text(), stat.S_IMODE(out.stat().st_mode)) == (text, 0o640)
    out.unlink()
    out.symlink_to("target")
    world.ptx()
    assert (out.is_symlink(), (world.root / "target").read_text()) == (True, text)
    out.unlink()
    old_mask = os.umask(0o027)
    try:
        assert world.ptx().verdict == "hit"
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE(out.stat().st_mode) == 0o640
    assert world.call("-ptx", "-arch=sm_80", "-Iearly", "-Iinc", "src/k.cu", "-o", "/dev/null").code == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert sorted(path.name for path in world.root.iterdir()) == [
        ".git", "early", "inc", "k.ptx", "other name", "src", "target",
    ]  # fmt: skip


def test_objects_are_written_as_an_assembler_writes_them(world: World) -> None:
    words = ("-c", "-Iinc", "src/k.cu", "-o", "k.o")
    world.call(*words)
    out, other = world.root / "k.o", world.root / "other"
    text = out.read_text()
    other.write_text("old")
    other.chmod(0o755)
    for put in (os.link, shutil.copy):
        out.unlink()
        put(other, out)
        assert world.call(*words).verdict == "hit"
        assert (other.read_text(), out.read_text(), out.stat().st_nlink, stat.S_IMODE(out.stat().st_mode)) == (
            "old", text, 1, 0o644,
        )  # fmt: skip
    out.chmod(0o444)
    assert world.call(*words).verdict == "miss", "not each assembler replaces what is read-only"
    out.unlink()
    out.symlink_to(other)
    assert world.call(*words).verdict == "miss", "nor a link"


def test_an_output_that_cannot_be_written_is_nvccs_matter(world: World) -> None:
    world.ptx()
    out = world.root / "none/k.ptx"
    call = world.call("-ptx", "-arch=sm_80", "-Iearly", "-Iinc", "src/k.cu", "-o", str(out))
    assert (call.verdict, call.code != 0) == ("miss", True)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 129, 255, 256, 4096, (1 << 18) + 1])
def test_objects_are_named_by_their_blake2b(world: World, size: int) -> None:
    world.ptx(f"-DSIZE{size}")
    content = (world.root / "k.ptx").read_bytes()
    assert len(content) == size
    name = hashlib.blake2b(content, digest_size=32).hexdigest()
    assert (world.store / "v1/objects" / name[:2] / name[2:]).read_bytes() == content
    assert world.ptx(f"-DSIZE{size}").verdict == "hit"


def _everything(world: World) -> list[Path]:
    return sorted(path for path in (world.store / "v1").rglob("*") if path.is_file() and len(path.name) == 62)


@pytest.mark.parametrize("damage", ["garbage", "cut", "empty", "one bit", "swapped", "a folder", "a pipe", "nothing"])
def test_a_damaged_store_gives_no_wrong_object(world: World, damage: str) -> None:
    world.write("src/l.cu", SOURCE + "l\n")
    other = ("-ptx", "-arch=sm_80", "-Iearly", "-Iinc", "src/l.cu", "-o", "l.ptx")
    world.ptx()
    world.call(*other)
    expected = made(world.root / "k.ptx")
    for path in _everything(world):
        text = path.read_bytes()
        _spoil(path, text, damage)
        call = world.ptx()
        assert (call.code, made(world.root / "k.ptx")) == (0, expected), path
    if damage != "swapped":
        shutil.rmtree(world.store)
    assert [world.ptx().code, world.ptx().verdict] == [0, "hit"]


def _spoil(path: Path, text: bytes, damage: str) -> None:
    path.unlink()
    match damage:
        case "garbage":
            path.write_bytes(os.urandom(len(text)))
        case "cut":
            path.write_bytes(text[: len(text) // 2])
        case "empty":
            path.write_bytes(b"")
        case "one bit":
            path.write_bytes(text[:-40] + bytes([text[-40] ^ 1]) + text[-39:] if len(text) > 40 else b"x")
        case "swapped":
            sibling = next(one for one in path.parents[1].rglob("*") if one.is_file()) if any(
                one.is_file() for one in path.parents[1].rglob("*")) else None  # fmt: skip
            path.write_bytes(sibling.read_bytes() if sibling else text)
        case "a folder":
            path.mkdir()
        case "a pipe":
            os.mkfifo(path)


@pytest.mark.parametrize("place", ["a file", "read-only", "gone", "not absolute"])
def test_a_store_that_cannot_be_written_fails_no_build(world: World, place: str) -> None:
    more = {}
    match place:
        case "a file":
            world.store.write_text("")
        case "read-only":
            world.store.mkdir(mode=0o500)
            more = {"DECK_NVCC_CACHE": "/proc/1/nvcc"}
        case "not absolute":
            more = {"DECK_NVCC_CACHE": "store"}
        case "gone":
            more = {"DECK_NVCC_CACHE": "/dev/null/store"}
    for count in (1, 2):
        call = world.ptx(env=more)
        assert (call.code, call.verdict, world.compiled()) == (0, "off" if "not" in place else "miss", count)


def test_many_at_once_are_each_right(world: World) -> None:
    names = [f"src/k{number}.cu" for number in range(4)]
    for name in names:
        world.write(name, SOURCE + name + "\n")
    settle()
    env = {**world.env, "PATH": f"{world.front}:{world.env['PATH']}"}
    jobs = [
        subprocess.Popen(["nvcc", "-ptx", "-Iinc", name, "-o", f"out{number}"], env=env, cwd=world.root)
        for number, name in enumerate(names * 4)
    ]
    assert [job.wait() for job in jobs] == [0] * 16
    for number, name in enumerate(names * 4):
        assert f"\n{name}\n" in (world.root / f"out{number}").read_text()
    world.write("src/near.cuh", "near\n")
    assert world.call("-ptx", "-Iinc", names[0], "-o", "k.ptx").verdict == "hit"


def test_a_killed_front_leaves_a_good_store(world: World) -> None:
    env = {**world.env, "PATH": f"{world.front}:{world.env['PATH']}"}
    for delay in range(12):
        world.write("src/near.cuh", f"near {delay}\n")
        settle()
        job = subprocess.Popen(["nvcc", "-ptx", "-Iinc", "src/k.cu", "-o", "k.ptx"], env=env, cwd=world.root)
        with pytest.raises(subprocess.TimeoutExpired):
            job.wait(timeout=0.002 * delay)
        job.kill()
        job.wait()
    world.write("src/near.cuh", "near 3\n")
    assert world.call("-ptx", "-Iinc", "src/k.cu", "-o", "k.ptx").code == 0
    assert "\nnear 3\n" in (world.root / "k.ptx").read_text()


def test_the_store_keeps_its_limit_and_what_was_used_last(world: World) -> None:
    more = {"DECK_NVCC_CACHE_BYTES": str(2 << 20)}
    world.ptx(env=more)
    for number in range(16):
        world.ptx(f"-DSIZE{300_000 + number}", env=more)
    held = sum(path.stat().st_blocks * 512 for path in (world.store / "v1").rglob("*") if path.is_file())
    assert held < 2 << 20
    assert world.ptx("-DSIZE300015", env=more).verdict == "hit"
    assert world.ptx("-DSIZE300001", env=more).verdict == "miss"


def test_verify_mode_compiles_says_what_was_stale_and_mends_it(world: World) -> None:
    world.write("src/k.cu", SOURCE + "SECRET\n")
    verify = {"DECK_NVCC_VERIFY": "1"}
    assert world.ptx().note["stale"] is None
    again = world.ptx(env=verify)
    assert (again.verdict, again.note["stale"], world.compiled()) == ("miss", False, 2)
    (world.folder / "log.secret").touch()
    assert world.ptx().verdict == "hit"
    assert "secret" not in (world.root / "k.ptx").read_text()
    assert [world.ptx(env=verify).note["stale"] for _ in range(2)] == [True, False]
    assert (world.ptx().verdict, "secret" in (world.root / "k.ptx").read_text()) == ("hit", True)


def test_an_nvcc_that_is_a_script_of_more_than_one_command_goes_by(world: World) -> None:
    real = (world.bin / "nvcc").rename(world.bin / "nvcc.real")
    (world.bin / "nvcc").write_text(f'#!/bin/sh\n. ./settings\nexec {real} "$@"\n')
    (world.bin / "nvcc").chmod(0o755)
    assert "is a script" in world.ptx().why


def test_on_a_terminal_nothing_is_kept(world: World) -> None:
    import pty

    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(world.root)
        os.execve(world.front + "/nvcc", ["nvcc", "-ptx", "-Iinc", "src/k.cu", "-o", "k.ptx"], world.env)
    os.waitpid(pid, 0)
    os.close(fd)
    assert (world.ended()["verdict"], "terminal" in world.ended()["not_kept"]) == ("miss", True)
