"""Calls of nvcc on real sources: candle's kernels, sppark's `ntt-cuda`, one of NVIDIA's samples, our sample workspace's
CUDA members, and a small one.

Part of `bench.nvcc_front`. The sources are fetched, not kept here.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from core import sample

REPOSITORIES = {
    "candle": ("https://github.com/huggingface/candle", ("candle-kernels",)),
    "sppark": ("https://github.com/supranational/sppark", ("ec", "ff", "ntt", "msm", "poc/ntt-cuda", "util", "rust")),
    "cuda-samples": ("https://github.com/NVIDIA/cuda-samples", ("Samples/0_Introduction/mergeSort", "Common")),
}
"""Where they are, and which folders of them are needed."""
_SMALL = {
    "small.cuh": "#pragma once\n__device__ float twice(float one);\n#define SIZE 64\n",
    "small.cu": """#include "small.cuh"
template <int N> __global__ void fold(const float *all, float *out) {
    __shared__ float part[N];
    part[threadIdx.x] = all[blockIdx.x * N + threadIdx.x];
    for (int at = N / 2; at; at /= 2) {
        __syncthreads();
        if (threadIdx.x < at) part[threadIdx.x] += part[threadIdx.x + at];
    }
    out[blockIdx.x] = part[0];
}
__global__ void spill(float *all) {
    float here[96];
    for (int at = 0; at < 96; at++) here[at] = all[at * threadIdx.x];
    for (int at = 0; at < 96; at++) all[(int)here[at]] = here[95 - at] * __LINE__;
}
int main() { fold<SIZE><<<1, SIZE>>>(0, 0); spill<<<1, 1>>>(0); return 0; }
""",
    "split.cu": '#include "small.cuh"\n__global__ void all(float *x) { x[threadIdx.x] = twice(x[0]); }\n',
    "twice.cu": '#include "small.cuh"\n__device__ float twice(float one) { return one + one; }\n',
}


@dataclass(frozen=True)
class Call:
    """One call, in a folder, and what it writes there."""

    name: str
    folder: str
    words: tuple[str, ...]
    output: str

    @property
    def is_exact(self) -> bool:
        """Two plain calls write the same; objects have the names of temporary files in them."""
        return self.output.endswith((".ptx", ".cubin"))


def fetch(name: str, keep: str) -> str:
    """The folder with a repository's files, fetched into `keep` where it is not there. Raises CalledProcessError."""
    place = f"{keep}/{name}"
    if not os.path.exists(place + "/.complete"):
        shutil.rmtree(place, ignore_errors=True)
        url, folders = REPOSITORIES[name]
        git = ["git", "-C", place]
        clone = ["git", "clone", "--quiet", "--depth", "1", "--filter=blob:none", "--no-checkout", url, place]
        for words in (clone, [*git, "sparse-checkout", "set", *folders], [*git, "checkout", "--quiet"]):
            subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
        with open(place + "/.complete", "w"):
            pass
    return place


def candle(place: str, most: int) -> list[Call]:
    """The kernels that lie beside each other, as PTX and as cubins."""
    folder = f"{place}/candle-kernels/src"
    names = _names(folder)[:most]
    flags = ("-arch=sm_80", "--expt-relaxed-constexpr", "-std=c++17", "-O3")
    return [
        Call(f"{name} {kind}", folder, (f"-{kind}", *flags, f"{name}.cu", "-o", f"{name}.{kind}"), f"{name}.{kind}")
        for name in names
        for kind in ("ptx", "cubin")
    ]


def sppark(place: str) -> list[Call]:
    """`ntt_api.cu` of its proof of concept."""
    words = ("-c", "-arch=sm_80", "-DFEATURE_GOLDILOCKS", "-DGL64_NO_REDUCTION_KLUDGE", "-I../../..", "-std=c++17")
    return [Call("ntt_api", f"{place}/poc/ntt-cuda/cuda", (*words, "ntt_api.cu", "-o", "ntt_api.o"), "ntt_api.o")]


def samples(place: str) -> list[Call]:
    """Merge sort, for two of the processors that it is made for."""
    archs = ("-gencode", "arch=compute_80,code=sm_80", "-gencode=arch=compute_90,code=[sm_90,compute_90]")
    folder = f"{place}/Samples/0_Introduction/mergeSort"
    return [
        Call(
            f"{name} object", folder, ("-c", *archs, "-I../../../Common", f"{name}.cu", "-o", f"{name}.o"), f"{name}.o"
        )
        for name in ("mergeSort", "bitonic")
    ]


def own(place: str) -> list[Call]:
    """What the CUDA members of our sample workspace call nvcc for; they are written there."""
    shutil.copytree(sample.FILES + "/cuda", place)
    archs = tuple(f"-gencode=arch=compute_{arch},code=sm_{arch}" for arch in (80, 90))
    kernels, grid = f"{place}/orchard-kernels", f"{place}/orchard-grid/native"
    fat = [
        Call(f"{name} fatbin", kernels, (*archs, "-fatbin", "-Ikernels", f"kernels/{name}.cu", "-o", f"{name}.fatbin"),
             f"{name}.fatbin")
        for name in _names(f"{kernels}/kernels")
    ]  # fmt: skip
    objects = [
        Call(f"{name} object", grid, ("-O3", "-DNDEBUG", "-arch=sm_80", "-Xcompiler=-fPIC", "-I.", "-c", f"{name}.cu",
                                      "-o", f"{name}.o"), f"{name}.o")
        for name in _names(grid)
    ]  # fmt: skip
    return [*fat, *objects]


def _names(folder: str) -> list[str]:
    return sorted(name.removesuffix(".cu") for name in os.listdir(folder) if name.endswith(".cu"))


def small(place: str) -> list[Call]:
    """Sources of our own, in each kind of call; they are written there."""
    os.makedirs(place + "/out", exist_ok=True)
    for name, text in _SMALL.items():
        with open(f"{place}/{name}", "w") as file:
            file.write(text)
    archs = ("-gencode", "arch=compute_80,code=[sm_80,compute_80]", "-gencode", "arch=compute_90a,code=sm_90a")
    link = ("-arch=sm_80", "split.o", "twice.o", "-o", "linked.o")
    calls: Sequence[tuple[str, tuple[str, ...], str]] = (
        ("object", ("-c", *archs, "small.cu", "-o", "small.o"), "small.o"),
        ("object, two threads", ("-c", "-t2", *archs, "small.cu", "-o", "threads.o"), "threads.o"),
        ("object, debugged", ("-c", "-G", "-no-compress", "-arch=sm_80", "small.cu", "-o", "debug.o"), "debug.o"),
        ("ptx into a folder", ("--ptx", "--output-directory", "out", "-arch=sm_80", "small.cu"), "out/small.ptx"),
        ("cubin", ("-cubin", "-arch=sm_80", "-lineinfo", "small.cu", "-o", "small.cubin"), "small.cubin"),
        ("fatbin", ("-fatbin", *archs, "small.cu", "-o", "small.fatbin"), "small.fatbin"),
        ("device code", ("-dc", "-arch=sm_80", "split.cu", "-o", "split.o"), "split.o"),
        ("more device code", ("-dc", "-arch=sm_80", "twice.cu", "-o", "twice.o"), "twice.o"),
        ("device code, lines", ("-dc", "-lineinfo", "-arch=sm_80", "small.cu", "-o", "lines.o"), "lines.o"),
        ("device link", ("-dlink", *link), "linked.o"),
        ("linked cubin", ("-dlink", "-cubin", *link[:-1], "linked.cubin"), "linked.cubin"),
        ("library", ("-lib", "split.o", "twice.o", "-o", "libsmall.a"), "libsmall.a"),
        ("program", ("-arch=sm_80", "small.cu", "-o", "small"), "small"),
    )
    return [Call(name, place, words, output) for name, words, output in calls]
