"""Each figure of kernels against an independent one: nvcc's own -Xptxas -v and --time, wait4, the toolkit's calculator
of occupancy, c++filt; through `cargo deck exec -- nvcc` and real files. No GPU is needed."""

import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.attach import Reader
from core.clock import wall_clock
from core.events.native import Kernel
from core.native.kernels import occupancy
from core.native.kernels.demangle import demangle
from core.native.kernels.occupancy import occupancy_of
from core.native.kernels.usage import parse_usage
from core.paths import Paths
from tests.nvcc_times import parse_times
from tests.real.product import Deck
from tui.app import DeckApp
from tui.preferences import Preferences
from tui.screens.kernels import KernelsScreen
from tui.source import Deck as Source

pytestmark = pytest.mark.long

ARCHS = ("80", "90", "100")
FLAGS = (
    "-maxrregcount",
    "24",
    *(word for arch in ARCHS for word in ("-gencode", f"arch=compute_{arch},code=sm_{arch}")),
)
_SOURCE = """
template <int N> __global__ void heavy(float *y, const float *x) {
    float a[N], s = 0;
    for (int k = 0; k < N; k++) a[k] = x[threadIdx.x + k * 32];
    for (int j = 0; j < N; j++)
        for (int k = 0; k < N; k++) a[k] = a[k] * a[(k * 7 + j) % N] + a[(k + 1) % N];
    for (int k = 0; k < N; k++) s += a[k];
    y[threadIdx.x] = s;
}
template __global__ void heavy<8>(float *, const float *);
template __global__ void heavy<40>(float *, const float *);
namespace { template <class T> __global__ void half_of(T *y) { y[threadIdx.x] /= T(2); } }
__global__ void __launch_bounds__(256, 2) tile(float *y, const float *x) {
    __shared__ float s[SHARED];
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = s[255 - threadIdx.x];
}
extern __shared__ float dynamic[];
__global__ void moved(float *y, int n) {
    dynamic[threadIdx.x] = n;
    __syncthreads();
    y[threadIdx.x] = dynamic[(threadIdx.x + 1) % n];
}
__device__ __noinline__ float far(const float *x, int n) {
    float a[24], s = 0;
    for (int i = 0; i < 24; i++) a[i] = x[i];
    for (int j = 0; j < n; j++)
        for (int i = 0; i < 24; i++) a[i] = a[i] * a[(i * 5 + 3) % 24] + 1;
    for (int i = 0; i < 24; i++) s += a[i];
    return s;
}
__global__ void calls(float *y, const float *x, int n) { y[0] = far(x, n); }
__global__ void local(float *y, int i) {
    float a[100];
    for (int k = 0; k < 100; k++) a[k] = y[k];
    y[0] = a[i];
}
void start(double *d) { half_of<double><<<1, 1>>>(d); }
"""


class Bench:
    """A source, a real nvcc, and a user's cargo-deck."""

    def __init__(self, deck: Deck, home: str) -> None:
        self.deck, self.home = deck, home
        self.folder = Path(deck.folder, "work")
        self.folder.mkdir()
        self.source = self.folder / "k.cu"
        self.source.write_text(_SOURCE.replace("SHARED", "256"))
        self.env = {"PATH": f"{home}/bin:{deck.env['PATH']}"}

    def plain(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """nvcc as it is without us, into a folder of its own."""
        apart = self.folder / "apart"
        apart.mkdir(exist_ok=True)
        argv = [f"{self.home}/bin/nvcc", *words]
        done = subprocess.run(
            argv, cwd=self.folder, env={**self.deck.env, **self.env}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done

    def said(self, *words: str) -> dict[tuple[str, str], Kernel]:
        """What `-Xptxas -v` says of each kernel and arch."""
        done = self.plain("-Xptxas", "-v", *words)
        found = [usage.kernel for usage in parse_usage(done.stderr.splitlines()) if usage.is_entry]
        return {(kernel.name, kernel.arch): kernel for kernel in found}

    def build(self, *words: str) -> None:
        """nvcc through cargo-deck, until what it made was measured."""
        done = self.deck.run(
            "exec", "--agent", "ada", "--", "nvcc", *words, cwd=str(self.folder), env=self.env, timeout_s=300
        )
        assert (done.returncode, done.stderr) == (0, "")
        run = os.path.basename(self.deck.runs()[-1])
        until(lambda: not os.path.exists(f"{self.deck.state}/open/{run}"), f"the end of {run}")

    def kernels(self, *words: str) -> list[dict[str, Any]]:
        """What `cargo deck kernels` prints."""
        found = self.deck.json("kernels", *words, "--json", cwd=str(self.folder))["kernels"]
        assert found, words
        return list(found)


def until(is_so: Callable[[], bool], what: str, timeout_s: float = 200.0) -> None:
    ends = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < ends, f"{what} did not come within {timeout_s:.0f} s"
        time.sleep(0.05)


@pytest.fixture
def bench(deck: Deck, cuda_home: str) -> Bench:
    return Bench(deck, cuda_home)


def compare(found: list[dict[str, Any]], said: dict[tuple[str, str], Kernel]) -> None:
    """Every kernel and arch, every figure that ptxas tells."""
    assert {(one["name"], one["arch"]) for one in found} == said.keys()
    for one in found:
        told = said[one["name"], one["arch"]]
        for figure in ("registers", "spill_store_bytes", "spill_load_bytes", "stack_bytes", "shared_bytes", "barriers"):
            assert one[figure] == getattr(told, figure), (one["name"], one["arch"], figure)
        if told.constant_bytes is not None:
            assert one["constant_bytes"] == told.constant_bytes


def test_figures_of_an_object_are_those_of_xptxas_v(bench: Bench) -> None:
    said = bench.said(*FLAGS, "-c", "k.cu", "-o", "apart/k.o")
    bench.build(*FLAGS, "-c", "k.cu", "-o", "k.o")
    found = bench.kernels()
    compare(found, said)
    assert len(found) == 7 * len(ARCHS)
    spilling = {(one["kernel"], one["arch"]) for one in found if one["spill_store_bytes"]}
    assert ("heavy<40>", "sm_80") in spilling
    called = {one["kernel"]: one["called_spill_bytes"] for one in found if one["arch"] == "sm_90"}
    assert called["calls"] > 0
    assert called["tile"] == 0
    assert {one["kernel"]: one["block_threads"] for one in found}["tile"] == 256


@pytest.mark.parametrize("kind", ["-cubin", "-dc", "-lineinfo", "-G"])
def test_figures_of_other_kinds_of_output_are_right_too(bench: Bench, kind: str) -> None:
    name = "k.cubin" if kind == "-cubin" else "k.o"
    words = (kind, *(("-c",) if kind in ("-lineinfo", "-G") else ()), "-arch", "sm_90", "-maxrregcount", "24")
    said = bench.said(*words, "k.cu", "-o", f"apart/{name}")
    bench.build(*words, "k.cu", "-o", name)
    compare(bench.kernels(), said)


def counted(bench: Bench, *words: str) -> list[dict[str, Any]]:
    """What `cargo deck kernels` prints once all PTX is counted."""
    until(lambda: all(one["registers"] is not None for one in bench.kernels(*words)), "the figures of PTX")
    return bench.kernels(*words)


def test_ptx_has_the_figures_of_the_toolkits_ptxas_in_a_while(bench: Bench) -> None:
    bench.build("-ptx", "-arch", "compute_80", "k.cu", "-o", "k.ptx")
    said = bench.said("-cubin", "-arch", "sm_80", "k.cu", "-o", "apart/k.cubin")
    found = counted(bench)
    compare(found, {(name, "compute_80"): kernel for (name, _), kernel in said.items()})
    assert {one["ptxas_arch"] for one in found} == {"sm_80"}
    assert {one["kernel"]: one["occupancy"]["share"] for one in found}["tile"] == 1.0
    assert os.listdir(f"{bench.deck.folder}/cache/cargo-deck/ptx") == []


def test_spills_that_appear_in_ptx_are_told_also_of_what_was_overwritten(bench: Bench) -> None:
    words = ("-ptx", "-arch", "compute_80", "k.cu", "-o", "k.ptx")
    bench.build(*words)
    crowded = bench.source.read_text().replace(
        "template <int N> __global__ void heavy", "template <int N> __global__ void __launch_bounds__(1024, 2) heavy"
    )
    bench.source.write_text(crowded)
    bench.build(*words)
    (heavy,) = [one for one in counted(bench) if one["kernel"] == "heavy<40>"]
    assert heavy["warnings"][0].startswith("spills appear: ")
    assert heavy["before"]["spill_store_bytes"] == 0
    assert heavy["registers"] < heavy["before"]["registers"]


def test_ptx_that_is_not_measured_by_itself_is_on_request(bench: Bench) -> None:
    config = Path(bench.deck.env["HOME"], ".config", "cargo-deck")
    config.mkdir(parents=True)
    (config / "config.toml").write_text("measure-ptx = false\n")
    bench.build("-ptx", "-arch", "compute_80", "k.cu", "-o", "k.ptx")
    names = bench.kernels()
    assert {(one["arch"], one["registers"]) for one in names} == {("compute_80", None)}
    assert {one["ptxas_arch"] for one in bench.kernels("--ptxas")} == {"sm_80"}
    assert {one["ptxas_arch"] for one in bench.kernels()} == {"sm_80"}


def test_kernels_of_all_sources_of_a_call_are_known_with_their_outputs(bench: Bench) -> None:
    (bench.folder / "sp x.cu").write_text(_SOURCE.replace("SHARED", "512"))
    (bench.folder / "out").mkdir()
    bench.build("--ptx", "-arch", "compute_80", "--output-directory", "out", "k.cu", "sp x.cu")
    made = {(os.path.basename(one["source"]), one["output"]) for one in counted(bench)}
    assert made == {(name, f"{bench.folder}/out/{name[:-3]}.ptx") for name in ("k.cu", "sp x.cu")}
    said = bench.said(*FLAGS, "-c", "sp x.cu", "-o", "apart/x.o")
    bench.build(*FLAGS, "-c", "k.cu", "sp x.cu")
    run = os.path.basename(bench.deck.runs()[-1])
    found = [one for one in bench.kernels(run) if one["source"].endswith("sp x.cu")]
    compare(found, said)
    assert {one["output"] for one in found} == {f"{bench.folder}/sp x.o"}
    (call,) = bench.deck.json("kernels", run, "--json", cwd=str(bench.folder))["calls"]
    assert call["outputs"] == [f"{bench.folder}/k.o", f"{bench.folder}/sp x.o"]
    assert {phase["source"] for phase in call["phases"] if phase["tool"] == "ptxas"} == {"k.cu", "sp x.cu"}


def test_phases_and_memory_are_those_of_the_call(bench: Bench) -> None:
    bench.plain("--time=apart/times.csv", *FLAGS, "-c", "k.cu", "-o", "apart/k.o")
    rows = list(parse_times((bench.folder / "apart" / "times.csv").read_text().splitlines()))
    began = time.monotonic()
    bench.build(*FLAGS, "-c", "k.cu", "-o", "k.o")
    waited_s = time.monotonic() - began
    (run,) = Reader(Paths(bench.deck.state, ""), wall_clock).read_all().runs.values()
    (ended,) = [end for end in run.nvcc_ends if end.kind == "object"]
    assert sorted((phase.tool, str(phase.arch)) for phase in ended.phases) == sorted(
        (row.tool, str(row.arch)) for row in rows
    )
    assert sum(phase.elapsed_s for phase in ended.phases) <= ended.elapsed_s <= waited_s
    peaks = {phase.tool: phase.peak_bytes for phase in ended.phases if phase.peak_bytes}
    assert ended.peak_bytes is not None
    assert max(peaks.values()) <= ended.peak_bytes * 1.05  # VmHWM counts pages that ru_maxrss does not
    with subprocess.Popen(
        [f"{bench.home}/bin/nvcc", *FLAGS, "-c", "k.cu", "-o", "apart/k.o"], cwd=bench.folder,
        env={**bench.deck.env, **bench.env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert abs(usage.ru_maxrss * 1024 - ended.peak_bytes) < 0.1 * ended.peak_bytes
    assert ended.output_bytes == (bench.folder / "k.o").stat().st_size


def test_an_edit_is_compared_with_the_build_before_and_with_the_branch_point(bench: Bench) -> None:
    name = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for words in (("init", "-qb", "main"), ("add", "k.cu"), ("commit", "-qm", "one"), ("checkout", "-qb", "faster")):
        subprocess.run(["git", *name, *words], cwd=bench.folder, check=True)
    compile_it = ("-arch", "sm_80", "-c", "k.cu", "-o", "k.o")
    was = bench.said("-arch", "sm_80", "-c", "k.cu", "-o", "apart/k.o")
    bench.build(*compile_it)
    bench.source.write_text(_SOURCE.replace("SHARED", "8192"))
    bench.build(*compile_it)
    bench.build("-maxrregcount", "24", *compile_it)
    now = bench.said("-maxrregcount", "24", "-arch", "sm_80", "-c", "k.cu", "-o", "apart/k.o")
    last, branch = bench.kernels(), bench.kernels("--against", "branch")
    runs = [os.path.basename(folder) for folder in bench.deck.runs()]
    assert {one["before"]["run"] for one in last} == {runs[1]}
    assert {one["before"]["run"] for one in branch} == {runs[0]}
    for one in branch:
        key = one["name"], "sm_80"
        assert (one["registers"], one["before"]["registers"]) == (now[key].registers, was[key].registers)
    by_name = {one["kernel"]: one for one in branch}
    assert by_name["tile"]["warnings"] == ["occupancy falls: 100 % to 50 % (shared memory)"]
    (heavy,) = [one for one in last if one["kernel"] == "heavy<40>"]
    spilled = now[heavy["name"], "sm_80"]
    assert spilled.spill_store_bytes is not None
    assert spilled.spill_load_bytes is not None
    assert heavy["warnings"] == [
        f"spills appear: {spilled.spill_store_bytes + spilled.spill_load_bytes:,} B in loads and stores"
    ]


def test_an_edit_of_a_header_alone_is_compared_with_the_branch_point(bench: Bench) -> None:
    header = bench.folder / "n.cuh"
    header.write_text("#define N 256\n")
    bench.source.write_text(
        '#include "n.cuh"\n__global__ void k(float *y) {\n  __shared__ float s[N];\n'
        "  s[threadIdx.x] = y[threadIdx.x];\n  __syncthreads();\n  y[threadIdx.x] = s[N - 1 - threadIdx.x];\n}\n"
    )
    name = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for words in (("init", "-qb", "main"), ("add", "."), ("commit", "-qm", "one")):
        subprocess.run(["git", *name, *words], cwd=bench.folder, check=True)
    compile_it = ("-arch", "sm_80", "-c", "k.cu", "-o", "k.o")
    header.write_text("#define N 512\n")
    bench.build(*compile_it)
    found = bench.deck.json("kernels", "--against", "branch", "--json", cwd=str(bench.folder))
    assert [one["before"] for one in found["kernels"]] == [None]
    assert found["why"].startswith("no build of the branch point is known: ")
    header.write_text("#define N 256\n")
    bench.build(*compile_it)
    header.write_text("#define N 1024\n")
    bench.build(*compile_it)
    (kernel,) = bench.kernels("--against", "branch")
    assert (kernel["shared_bytes"], kernel["before"]["shared_bytes"]) == (4096, 1024)
    assert kernel["before"]["run"] == os.path.basename(bench.deck.runs()[1])


def test_a_call_under_way_says_what_it_does(bench: Bench) -> None:
    seen = seen_of_call(bench, *FLAGS)
    assert {one["source"] for one in seen} == {str(bench.source)}
    assert {one["arch_count"] for one in seen} == {3}
    assert "cicc" in {one["tool"] for one in seen}
    places = [one["arch_at"] for one in seen]
    assert places == sorted(places)


def test_archs_that_nvcc_chooses_are_counted_as_they_come(bench: Bench) -> None:
    seen = seen_of_call(bench, "-arch=all-major")
    assert {one["arch_count"] for one in seen} == {None}
    places = [one["arch_at"] for one in seen]
    assert places == sorted(places)
    assert places[-1] > 2
    (call,) = bench.deck.json("kernels", "--json", cwd=str(bench.folder))["calls"]
    made = {phase["arch"] for phase in call["phases"] if phase["tool"] == "ptxas"}
    assert call["archs"] == ["all-major"]
    until(lambda: {one["arch"] for one in kernels_so_far(bench)} == made, "kernels of all archs")
    assert max(phase["peak_bytes"] or 0 for phase in call["phases"]) <= call["peak_bytes"] * 1.05


def kernels_so_far(bench: Bench) -> list[dict[str, Any]]:
    """None, while they are being measured."""
    return list(bench.deck.json("kernels", "--json", cwd=str(bench.folder))["kernels"])


def seen_of_call(bench: Bench, *words: str) -> list[dict[str, Any]]:
    """What `ps` tells of a call, again and again, until it is over."""
    done = bench.deck.run(
        "exec", "--agent", "ada", "--detach", "--", "nvcc", *words, "-c", "k.cu", "-o", "k.o", cwd=str(bench.folder),
        env=bench.env,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen: list[dict[str, Any]] = []

    def is_over() -> bool:
        (run,) = bench.deck.json("ps", "--all", "--json")["runs"]
        seen.extend(run["nvcc"]["running"])
        return bool(run["ended_at"])

    until(is_over, "the end of the call")
    return seen


async def test_the_screen_shows_what_ptxas_says(bench: Bench) -> None:
    said = bench.said(*FLAGS, "-c", "k.cu", "-o", "apart/k.o")
    bench.build(*FLAGS, "-c", "k.cu", "-o", "k.o")
    paths = Paths(bench.deck.state, os.path.join(bench.deck.folder, "cache"))
    source = Source(
        Reader(paths, wall_clock), paths, clock=wall_clock, request=lambda message: {"ok": True}, theme="deck-dark",
        glyphs_are_ascii=False, preferences=Preferences(),
    )  # fmt: skip
    async with DeckApp(source, is_pulling=False).run_test(size=(200, 60)) as pilot:
        await pilot.press("f6")
        for _ in range(5):
            pilot.app.pull()  # type: ignore[attr-defined]
            await pilot.pause()
        screen = pilot.app.screen
        assert isinstance(screen, KernelsScreen)
        shown = {
            (row.cells[1].text, row.cells[2].text): [row.cells[at].text.strip() for at in (3, 4, 9)]
            for row in screen.table("kernels").rows
        }
    expected = {
        (demangle(name), arch): [
            str(kernel.registers),
            f"{kernel.spill_store_bytes}/{kernel.spill_load_bytes}" if kernel.spill_store_bytes else "0",
            "1.0 K" if kernel.shared_bytes else "0",
        ]
        for (name, arch), kernel in said.items()
    }
    assert {key: [cell.rstrip("+") for cell in cells] for key, cells in shown.items()} == expected


# Formulas


_CALCULATOR = """
#include <climits>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include "cuda_occupancy.h"
int main() {
    int major, minor, warps, shared, regs, smem, threads, bars;
    while (scanf("%d %d %d %d %d %d %d %d", &major, &minor, &warps, &shared, &regs, &smem, &threads, &bars) == 8) {
        cudaOccDeviceProp p;
        p.computeMajor = major; p.computeMinor = minor; p.maxThreadsPerBlock = 1024;
        p.maxThreadsPerMultiprocessor = warps * 32; p.regsPerBlock = p.regsPerMultiprocessor = 65536; p.warpSize = 32;
        p.sharedMemPerBlock = 49152; p.sharedMemPerMultiprocessor = shared; p.numSms = 1;
        p.reservedSharedMemPerBlock = major >= 8 ? 1024 : 0;
        p.sharedMemPerBlockOptin = shared - p.reservedSharedMemPerBlock;
        cudaOccFuncAttributes a; memset(&a, 0, sizeof a);
        a.maxThreadsPerBlock = 1024; a.numRegs = regs; a.sharedSizeBytes = smem; a.numBlockBarriers = bars;
        cudaOccDeviceState s; cudaOccResult r; memset(&r, 0, sizeof r);
        int error = cudaOccMaxActiveBlocksPerMultiprocessor(&r, &p, &a, &s, threads, 0);
        printf("%d %d\\n", error, r.activeBlocksPerMultiprocessor);
    }
}
"""


def test_occupancy_is_that_of_the_toolkits_own_calculator(cuda_home: str, tmp_path: Path) -> None:
    (tmp_path / "calculator.cpp").write_text(_CALCULATOR)
    built = [shutil.which("g++") or "c++", "-w", f"-I{cuda_home}/include", "calculator.cpp", "-o", "calculator"]
    subprocess.run(built, cwd=tmp_path, check=True)
    rng, kernels, asked = random.Random(1), [], []
    for _ in range(20_000):
        number, limits = rng.choice(sorted(occupancy._LIMITS.items()))
        one = Kernel(
            "k", f"sm_{number}", rng.randint(1, 255), shared_bytes=rng.choice([0, rng.randint(0, 49152)]),
            barriers=rng.choice([0, 1, 1, 2, 8, 16]), block_threads=rng.randint(1, 1024),
        )  # fmt: skip
        kernels.append((one, limits))
        asked.append(
            f"{number // 10} {number % 10} {limits.warps} {limits.shared_bytes} {one.registers} {one.shared_bytes} "
            f"{one.block_threads} {one.barriers}\n"
        )
    done = subprocess.run(
        ["./calculator"], cwd=tmp_path, input="".join(asked), capture_output=True, text=True, check=True
    )
    for (one, limits), line in zip(kernels, done.stdout.splitlines(), strict=True):
        found = occupancy_of(one)
        assert found is not None
        warps = -(-(one.block_threads or 0) // 32)
        assert ["0", str(round(found.share * limits.warps / warps))] == line.split(), one


def test_names_of_kernels_are_those_of_cxxfilt(bench: Bench) -> None:
    done = bench.plain("-ptx", "-arch", "compute_80", "k.cu", "-o", "apart/k.ptx")
    assert done.stderr == ""
    names = re.findall(r"\.entry ([\w$]+)\(", (bench.folder / "apart" / "k.ptx").read_text())
    assert len(names) == 7
    shown = subprocess.run(["c++filt", "-p", *names], capture_output=True, text=True, check=True).stdout.splitlines()
    for name, expected in zip(names, shown, strict=True):
        assert demangle(name) == expected.replace("(anonymous namespace)", "(anonymous)").replace("> >", ">>")


def test_an_object_that_the_cache_gives_has_its_kernels(bench: Bench) -> None:
    cache = {"DECK_NVCC_CACHE": os.path.join(bench.deck.folder, "nvcc-cache")}
    words = ("-arch", "sm_90", "-maxrregcount", "24", "-c", "k.cu", "-o", "k.o")
    said = bench.said(*words[:-1], "apart/k.o")
    bench.env |= cache
    bench.build(*words)
    (bench.folder / "k.o").unlink()
    bench.build(*words)
    runs = [run for _, run in sorted(Reader(Paths(bench.deck.state, ""), wall_clock).read_all().runs.items())]
    assert [end.verdict for run in runs for end in run.nvcc_ends] == ["miss", "hit"]
    compare(bench.kernels(runs[1].run), said)


def test_ptx_that_the_cache_gives_has_its_figures(bench: Bench) -> None:
    words = ("-ptx", "-arch", "compute_80", "k.cu", "-o", "k.ptx")
    bench.env |= {"DECK_NVCC_CACHE": os.path.join(bench.deck.folder, "nvcc-cache")}
    bench.build(*words)
    first = counted(bench)
    (bench.folder / "k.ptx").unlink()
    bench.build(*words)
    again = bench.kernels(os.path.basename(bench.deck.runs()[-1]))
    (call,) = bench.deck.json("kernels", "--json", cwd=str(bench.folder))["calls"]
    assert (call["verdict"], call["phases"]) == ("hit", [])
    assert [one["registers"] for one in again] == [one["registers"] for one in first]
