"""The depfile cache with a real nvcc, which needs no GPU: what it gives is what nvcc makes, or it gives nothing."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from core.paths import Paths
from core.run.fronts import find_exec_fronts
from tests.fronts import own_fronts
from tests.nvcc_world import Call, World, settle

pytestmark = pytest.mark.long

_TEMPORARY = re.compile(rb"tmpxft_[0-9a-f]{8}_[0-9a-f]{8}-\d+_")
_TWO_ARCHS = ("-gencode=arch=compute_80,code=sm_80", "-gencode=arch=compute_90,code=sm_90")
PLAIN = '#include "near.cuh"\nextern "C" __global__ void plain(float *p) { *p = NEAR; }\n'
NAMED = (
    '#include "near.cuh"\nnamespace { __device__ float kept[4]; }\n'
    "__global__ void named(float *p) { kept[1] += NEAR; *p = kept[0]; }\nvoid call(float *p) { named<<<1, 1>>>(p); }\n"
)
FILES = {
    "src/k.cu": PLAIN, "src/named.cu": NAMED, "src/near.cuh": "#define NEAR 1\n", "with blank/k 1.cu": PLAIN,
    "with blank/near.cuh": "#define NEAR 2\n",
    "with blank/h 1.cpp": '#warning looked at\n#include "near.cuh"\nint h() { return NEAR; }\n',
    "inc/host.cuh": "#define ONLY 1\n", "inc/new.cuh": "#define ONLY 2\n",
    "inc/old.cuh": "#define ONLY 3\n", "options": "-DNEARER -O1\n", "pre.cuh": "#define PRE 1\n",
    "src/parts.cu": (
        "#ifndef __CUDA_ARCH__\n#include <host.cuh>\n#elif __CUDA_ARCH__ >= 900\n#include <new.cuh>\n#else\n"
        "#include <old.cuh>\n#endif\n__global__ void parts(float *p) { *p = ONLY; }\nint told() { return ONLY; }\n"
    ),
    "src/asserts.cu": "#include <cassert>\n__global__ void asserts(int *p) { assert(*p > 0); }\n",
    "src/spots.cu": "__global__ void spots(const char **p) { *p = __builtin_FILE(); }\n",
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path, cuda_home: str) -> World:
    for name in ("tmp", "notes", "one/.git", "one/early", "one/out"):
        (tmp_path / name).mkdir(parents=True)
    paths = Paths(str(tmp_path / "state"), own_fronts(tmp_path / "cache"))
    env = {
        **os.environ, "PATH": f"{cuda_home}/bin:{os.environ['PATH']}", "TMPDIR": str(tmp_path / "tmp"),
        "DECK_FRONTS": str(tmp_path / "notes"), "DECK_NVCC_CACHE": str(tmp_path / "store"),
    }  # fmt: skip
    (front,) = (one for one in find_exec_fronts(paths, env, ("nvcc",), str(tmp_path)).folders if "/nvcc-" in one)
    world = World(tmp_path, env, front)
    for name, text in FILES.items():
        world.write(name, text)
    return world


def masked(path: Path) -> bytes:
    """An output without the names of temporary files."""
    return _TEMPORARY.sub(b"", path.read_bytes())


def everything(root: Path) -> dict[str, bytes]:
    """All that nvcc has written."""
    inputs = {root / name for name in FILES}
    return {
        str(path.relative_to(root)): masked(path)
        for path in root.rglob("*") if path.is_file() and path not in inputs
    }  # fmt: skip


def clean(root: Path, made: dict[str, bytes]) -> None:
    for name in made:
        (root / name).unlink()


def plain(world: World, root: Path, *words: str) -> dict[str, bytes]:
    """What nvcc alone writes; that is removed again."""
    done = subprocess.run(["nvcc", *words], cwd=root, env=world.env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    made = everything(root)
    clean(root, made)
    return made


def through(world: World, root: Path, *words: str) -> tuple[Call, dict[str, bytes]]:
    """What comes of it through the front; that is removed again."""
    call = world.call(*words, cwd=root)
    assert call.code == 0, call.stderr
    made = everything(root)
    clean(root, made)
    return call, made


@pytest.mark.parametrize("kind", ["-ptx", "-cubin", "-fatbin", "-c", "-dc", "-dw"])
def test_a_hit_is_what_nvcc_writes_wherever_it_goes(world: World, kind: str) -> None:
    places = ((), ("-odir", "out"), ("-o", "out/x.y"), ("-o", "z", "-MT", "a target"))
    depfiles = ((), ("-MD",), ("-MD", "-MF", "early/d"), ("-MD", "-MP"))
    for place, depfile in zip(places, depfiles, strict=True):
        for more in (depfile, ()):
            words = (kind, "-arch=sm_80", "src/k.cu", *place, *more)
            expected = plain(world, world.root, *words)
            _, first = through(world, world.root, *words)
            hit, second = through(world, world.root, *words)
            assert (hit.verdict, first, second) == ("hit", expected, expected), words


@pytest.mark.parametrize(
    "words",
    [
        ("-ptx", "src/named.cu", "-lineinfo"), ("-cubin", "src/k.cu", "-G"),
        ("-c", "src/named.cu", "--threads", "2", *_TWO_ARCHS), ("-c", "src/k.cu", "--split-compile", "2", "-rdc=true"),
        ("-ptx", "with blank/k 1.cu"), ("-ptx", "-optf", "options", "src/k.cu"),
        ("-ptx", "-include", "pre.cuh", "src/k.cu"), ("-c", "src/parts.cu", "-Iinc", "-Xcompiler", "-fPIC,-O2"),
        ("-fatbin", "src/k.cu", "--compress-mode=size"), ("-cubin", "-Xptxas", "-v", "src/named.cu"),
        ("-c", "-x", "cu", "src/k.cu"),
    ],
)  # fmt: skip
def test_what_is_printed_and_written_is_the_same_on_a_hit(world: World, words: tuple[str, ...]) -> None:
    expected = plain(world, world.root, *words)
    first, made = through(world, world.root, *words)
    hit, again = through(world, world.root, *words)
    assert (first.verdict, hit.verdict) == ("miss", "hit"), first.why
    assert made == again == expected
    assert (hit.stdout, hit.stderr) == (first.stdout, first.stderr)
    assert hit.note["elapsed_s"] < 0.2


@pytest.mark.parametrize("source", ["src/k.cu", "src/named.cu", "src/asserts.cu", "src/spots.cu"])
@pytest.mark.parametrize("kind", ["-ptx", "-cubin", "-c", "-dc"])
def test_a_second_worktree_gets_what_nvcc_makes_there(world: World, kind: str, source: str) -> None:
    two = Path(shutil.copytree(world.root, world.folder / "two"))
    settle()
    verdicts = {}
    for is_absolute in (False, True):
        for root in (world.root, two):
            words = (kind, "-arch=sm_80", f"{root}/{source}" if is_absolute else source, "-o", "k.out")
            call, made = through(world, root, *words)
            assert made == plain(world, root, *words), (root, is_absolute)
            verdicts[root.name, is_absolute] = call.verdict
    is_bound = kind == "-dc" or (source == "src/named.cu" and kind != "-ptx")
    assert verdicts["two", False] == ("miss" if is_bound else "hit")
    holds_path = source in ("src/asserts.cu", "src/spots.cu")
    assert verdicts["two", True] == ("miss" if is_bound or holds_path else "hit")


@pytest.mark.parametrize(
    ("header", "arch", "is_read"),
    [
        ("inc/host.cuh", "sm_80", True), ("inc/old.cuh", "sm_80", True), ("inc/new.cuh", "sm_80", False),
        ("inc/new.cuh", "sm_90", True), ("inc/old.cuh", "sm_90", False),
    ],
)  # fmt: skip
def test_headers_of_one_pass_count_for_calls_with_that_pass(
    world: World, header: str, arch: str, is_read: bool
) -> None:
    words = ("-c", f"-arch={arch}", "-Iinc", "src/parts.cu", "-o", "k.o")
    through(world, world.root, *words)
    world.write(header, "#define ONLY 7\n")
    call, made = through(world, world.root, *words)
    assert (call.verdict, made) == ("miss" if is_read else "hit", plain(world, world.root, *words))


@pytest.mark.parametrize(
    "name", ["crt/host_runtime.h", "crt/storage_class.h", "vector_types.h", "fatbinary_section.h", "stdc-predef.h.gch"]
)
def test_a_header_before_one_that_only_the_last_step_includes_is_a_miss(world: World, name: str) -> None:
    words = ("-c", "-arch=sm_80", "-Iearly", "src/named.cu", "-o", "k.o")
    assert [through(world, world.root, *words)[0].verdict for _ in range(2)] == ["miss", "hit"]
    world.write(f"early/{name}", f"#include_next <{name}>\nstatic int shadow_of_it = 7;\n")
    call = world.call(*words)
    assert (call.verdict, "came or went" in call.why) == ("miss", True)
    (world.root / "early" / name).unlink()


def test_a_full_disk_under_the_store_fails_no_build(world: World) -> None:
    words = "-c -arch=sm_80 src/named.cu -o k.o"
    world.store.mkdir()
    script = (
        f"mount -t tmpfs -o size=64k none {world.store} && {world.front}/nvcc {words} && {world.front}/nvcc {words} && "
        f"df {world.store} && find {world.store} -size +0 -name '[0-9]*-*'"
    )
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script],
        cwd=world.root,
        env=world.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert world.ended()["verdict"] == "miss"
    assert "cannot be written to the store" in world.ended()["not_kept"]
    assert made_only(world.root / "k.o") == plain(world, world.root, *words.split())["k.o"]


def made_only(path: Path) -> bytes:
    text = masked(path)
    path.unlink()
    return text


@pytest.mark.parametrize("kind", ["-ptx", "-cubin", "-fatbin", "-c"])
def test_what_is_said_comes_as_often_and_in_the_order_as_without_us(world: World, kind: str) -> None:
    world.write("src/k.cu", "#warning looked at\nstatic int nothing() { int y; return y; }\n" + PLAIN)
    words = [kind, "-arch=sm_80", "src/k.cu", "-o", "k.out"]
    done = subprocess.run(["nvcc", *words], cwd=world.root, env=world.env, capture_output=True, text=True, check=True)
    for verdict in ("miss", "hit"):
        call = world.call(*words)
        assert (call.verdict, call.stdout, call.stderr) == (verdict, done.stdout, done.stderr)


@pytest.mark.parametrize("kind", ["-ptx", "-cubin", "-fatbin"])
def test_code_for_the_gpu_alone_needs_no_text_for_the_host(world: World, kind: str) -> None:
    world.write("src/k.cu", "#ifndef __CUDA_ARCH__\n#error for the GPU alone\n#endif\n" + PLAIN)
    words = (kind, "-arch=sm_80", "src/k.cu", "-o", "k.out")
    expected = plain(world, world.root, *words)
    assert [through(world, world.root, *words)[1] for _ in range(2)] == [expected, expected]
    assert world.ended()["verdict"] == "hit"


def test_a_source_without_device_code_is_kept(world: World) -> None:
    words = ("-c", "-g", "with blank/h 1.cpp", "-o", "h.o")
    for near, verdicts in ((2, ["miss", "hit"]), (5, ["miss", "hit"]), (2, ["hit"])):
        world.write("with blank/near.cuh", f"#define NEAR {near}\n")
        expected = plain(world, world.root, *words)
        calls = [through(world, world.root, *words) for _ in verdicts]
        assert [(call.verdict, made) for call, made in calls] == [(verdict, expected) for verdict in verdicts]
        assert [call.stderr.count("[-Wcpp]") for call, _ in calls] == [1 for _ in verdicts]


def test_verify_mode_agrees_with_nvcc(world: World) -> None:
    for words in (("-c", "src/named.cu", "-o", "k.o"), ("-ptx", "src/named.cu"), ("-dc", "src/k.cu")):
        through(world, world.root, *words)
        call = world.call(*words, env={"DECK_NVCC_VERIFY": "1"})
        assert (call.verdict, call.note["stale"]) == ("miss", False)


def test_a_cubin_that_has_its_own_name_is_good_under_that_name(world: World) -> None:
    for name in ("a.cubin", "b.cubin", "out/a.cubin"):
        words = ("-cubin", "-G", "src/k.cu", "-o", name)
        call, made = through(world, world.root, *words)
        assert (call.verdict, made) == ("hit" if name == "out/a.cubin" else "miss", plain(world, world.root, *words))


@pytest.mark.parametrize("flag", ["-G", "-g", "-Xcompiler=-g3"])
def test_what_nvcc_makes_differently_each_time_is_not_called_stale(world: World, flag: str) -> None:
    words = ("-c", flag, "src/named.cu", "-o", "k.o")
    through(world, world.root, *words)
    assert world.call(*words, env={"DECK_NVCC_VERIFY": "1"}).note["stale"] is None
    assert world.call(*words).verdict == "hit"


@pytest.mark.parametrize("kind", ["-ptx", "-cubin", "-c"])
def test_times_of_files_count_where_ptxas_writes_them_into_the_output(world: World, kind: str) -> None:
    words = (kind, "-lineinfo", "src/named.cu", "-o", "k.out", *(("--no-compress",) if kind == "-c" else ()))
    through(world, world.root, *words)
    for seconds, verdict in ((1e9, "miss" if kind != "-ptx" else "hit"), (1e9, "hit")):
        os.utime(world.root / "src/named.cu", (seconds, seconds))
        call, made = through(world, world.root, *words)
        assert (call.verdict, made) == (verdict, plain(world, world.root, *words))


def test_variables_that_nvccs_profile_takes_over_are_part_of_the_question(world: World) -> None:
    words = ("-ptx", "src/k.cu", "-o", "k.ptx")
    world.call(*words)
    for name, value in (("INCLUDES", "-DX"), ("SYSTEM_INCLUDES", "-DX"), ("CUDAFE_FLAGS", "--no_warnings")):
        assert world.call(*words, env={name: value}).verdict == "miss"
    assert world.call(*words).verdict == "hit"
