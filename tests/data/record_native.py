"""Makes the recordings in `native` anew: what cargo, CMake, make, ninja, linkers and nvcc say of failures.

    python tests/data/record_native.py SCRATCH_FOLDER NVCC_FOLDER [NAME…]

Each recording is one file, `NAME.log`, standard output and errors as they came, with machine paths replaced.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent / "native"
HOME = b"/home/user/code"
_LISTS = "cmake_minimum_required(VERSION 3.18)\nproject(thing LANGUAGES C)\nadd_library(thing STATIC one.c two.c)\n"
_CUDA_LISTS = "cmake_minimum_required(VERSION 3.18)\nproject(thing LANGUAGES CUDA)\nadd_library(thing STATIC k.cu)\n"
_KERNEL = (
    '#include "deep/inc.cuh"\nextern "C" __global__ void scale(float *a, float by) { a[threadIdx.x] *= by * X; }\n'
)
_HEAVY = """template <int N> __device__ float f(float x) { return f<N - 1>(x) * sinf(x) + tanf(f<N / 2>(x + N)); }
template <> __device__ float f<0>(float x) { return x; }
extern "C" __global__ void heavy(float *a) {
#pragma unroll
    for (int i = 0; i < 64; ++i) a[i] = f<12>(a[i]);
}
"""
_SCRIPT = """use std::process::Command;
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let out = std::env::var("OUT_DIR").unwrap();
    let words = std::fs::read_to_string("do.txt").unwrap();
    for line in words.lines() {
        let line = line.replace("OUT", &out);
        println!("running: {line}");
        let done = Command::new("sh").args(["-c", &line]).status().expect("sh runs");
        assert!(done.success(), "{line} failed: {done}");
    }
    println!("cargo:rustc-link-search=native={out}");
    println!("cargo:rustc-link-lib=static=thing");
}
"""
_MAIN = """unsafe extern "C" { fn launch_scale(by: f32) -> i32; }
fn main() { println!("{}", unsafe { launch_scale(2.0) }); }
"""


class Bench:
    """A scratch folder with a package and a CMake project in it."""

    def __init__(self, root: Path, nvcc: Path) -> None:
        self.root, self.nvcc = root, nvcc
        keep = ("HOME", "CARGO_HOME", "RUSTUP_HOME", "USER")
        self.env = {
            "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **{k: os.environ[k] for k in keep if k in os.environ}
        }  # fmt: skip
        self.cuda = {**self.env, "PATH": f"{nvcc}/bin:{self.env['PATH']}"}
        shutil.rmtree(root, ignore_errors=True)

    def write(self, folder: str, **files: str) -> Path:
        path = self.root / folder
        for name, text in files.items():
            file = path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return path

    def project(self, folder: str) -> Path:
        two = '#include "deep.h"\nint two(void) { return DEEP; }\n'
        files = {"CMakeLists.txt": _LISTS, "one.c": "int one(void) { return 1; }\n", "two.c": two}
        files["deep.h"] = "#define DEEP 2\n"
        return self.write(folder, **files)

    def kernel(self, folder: str, text: str = _KERNEL) -> Path:
        return self.write(folder, **{"k.cu": text, "deep/inc.cuh": "#define X 1\n"})

    def package(self, folder: str, words: str) -> Path:
        manifest = '[package]\nname = "worker-kernels"\nversion = "0.1.0"\nedition = "2021"\n'
        files = {"Cargo.toml": manifest, "build.rs": _SCRIPT, "do.txt": words, "src/main.rs": _MAIN,
                 "thing.c": "int unrelated(void) { return 1; }\n"}  # fmt: skip
        return self.write(folder, **files)

    def quiet(self, cwd: Path, *argv: str) -> None:
        subprocess.run(argv, cwd=cwd, env=self.env, capture_output=True, check=True)

    def record(self, name: str, cwd: Path, *argv: str, env: dict[str, str] | None = None,
               beside: Callable[[int], None] | None = None) -> None:  # fmt: skip
        HERE.mkdir(exist_ok=True)
        log = self.root / "log"
        with log.open("wb") as file:
            child = subprocess.Popen(
                argv, cwd=cwd, env=env or self.env, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )
            if beside:
                threading.Thread(target=beside, args=(child.pid,), daemon=True).start()
            code = child.wait()
        said = log.read_bytes()
        for path in (self.root, self.nvcc):
            for one in (str(path), os.path.realpath(path)):
                said = said.replace(one.encode(), HOME if path == self.root else b"/usr/local/cuda")
        said = said.replace(os.path.expanduser("~").encode() + b"/", b"/home/user/")
        said = said.replace(os.environ["PATH"].encode(), b"/usr/bin")
        (HERE / f"{name}.log").write_bytes(said)
        sys.stdout.write(f"{name}: exit {code}, {len(said)} bytes\n")


def cmake(bench: Bench) -> None:
    source = bench.project("cuda")
    bench.quiet(source, "cmake", "-S", ".", "-B", "build", "-G", "Ninja")
    bench.quiet(source, "cmake", "-S", ".", "-B", "make", "-G", "Unix Makefiles")
    bench.record("cmake-generator", source, "cmake", "-S", ".", "-B", "build", "-G", "Unix Makefiles")
    shutil.copytree(source, bench.root / "copy")
    bench.record("cmake-moved", bench.root / "copy", "cmake", "-S", ".", "-B", "build")
    bench.record("cmake-moved-build", bench.root / "copy", "cmake", "--build", "make")
    other = bench.project("other")
    bench.record("cmake-source", other, "cmake", "-S", ".", "-B", str(source / "build"))
    (source / "two.c").unlink()
    bench.record("ninja-no-rule", source, "ninja", "-C", "build")
    bench.record("make-no-rule", source, "make", "-C", "make")
    bench.record("cmake-build-no-rule", source, "cmake", "--build", "make")
    rules = bench.write("rules", Makefile="thing.o: thing.c thing.h\n\tcc -c thing.c\n", **{"thing.c": "int x;\n"})
    bench.record("make-plain-no-rule", rules, "make")
    lists = bench.write("lists", **{"CMakeLists.txt": _CUDA_LISTS, "k.cu": ""})
    bench.record("cmake-no-nvcc", lists, "cmake", "-S", ".", "-B", "build")
    bench.record("cmake-arch", lists, "cmake", "-S", ".", "-B", "b2", "-DCMAKE_CUDA_ARCHITECTURES=35", env=bench.cuda)


def nvcc(bench: Bench) -> None:
    folder = bench.kernel("k")
    call = ("nvcc", "-arch=sm_80", "-c", "k.cu", "-o", "k.o")
    bench.record("nvcc-arch", folder, "nvcc", "-gencode", "arch=compute_35,code=sm_35", "-c", "k.cu", env=bench.cuda)
    bench.record("nvcc-gnu", folder, *call, "-Xcompiler", "-U__GNUC__,-D__GNUC__=99", env=bench.cuda)
    bench.record("nvcc-ccbin", folder, *call, "-ccbin", "g++-99", env=bench.cuda)
    (folder / "deep/inc.cuh").unlink()
    bench.record("nvcc-header", folder, *call, env=bench.cuda)
    bench.record("sh-no-nvcc", folder, "sh", "-c", " ".join(call))
    bench.record("bash-no-nvcc", folder, "bash", "-c", " ".join(call))
    rules = bench.write("nm", Makefile="k.o: k.cu\n\tnvcc -c k.cu\n", **{"k.cu": ""})
    bench.record("make-no-nvcc", rules, "make")
    heavy = bench.kernel("heavy", _HEAVY)
    for tool in ("cicc", "ptxas"):
        bench.record(f"nvcc-{tool}-killed", heavy, *call, env=bench.cuda, beside=partial(kill, tool))
        # nvcc starts them by way of sh: dash tells of their death itself, bash leaves it to nvcc
        bash = "mount --bind /bin/bash /usr/bin/dash && exec " + " ".join(call)
        words = ("unshare", "-m", "sh", "-c", bash)
        bench.record(f"nvcc-{tool}-died", heavy, *words, env=bench.cuda, beside=partial(kill, tool))
    limited = f"ulimit -v 150000; exec {' '.join(call)}"
    bench.record("nvcc-cudafe-memory", heavy, "sh", "-c", limited, env=bench.cuda)
    rules = bench.write("heavy", Makefile="k.o: k.cu\n\tnvcc -arch=sm_80 -c k.cu\n")
    bench.record("make-nvcc-killed", rules, "make", env=bench.cuda, beside=partial(kill, "ptxas"))


def kill(name: str, root: int) -> None:
    """SIGKILL the first process of that name below `root`."""
    while True:
        pending = [root]
        while pending:
            pid = pending.pop()
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                    os.kill(pid, 9)
                    return
                for children in Path(f"/proc/{pid}/task").glob("*/children"):
                    pending += map(int, children.read_text().split())
        if not os.path.exists(f"/proc/{root}"):
            return


def compilers(bench: Bench) -> None:
    folder = bench.write("h", **{"h.c": "#include <nosuch.h>\n"})
    bench.record("gcc-header", folder, "gcc", "-c", "h.c")
    bench.record("clang-header", folder, "clang", "-c", "h.c")
    objects = bench.write("o", **{"main.c": "int launch(void); int main(void) { return launch(); }\n"})
    for linker in ("bfd", "gold", "lld", "mold"):
        bench.record(f"link-c-{linker}", objects, "gcc", "main.c", f"-fuse-ld={linker}")
    plus = bench.write(
        "p", **{"main.cpp": "namespace a { int launch(float*, int); } int main() { return a::launch(0, 1); }\n"}
    )
    for linker in ("bfd", "gold", "lld", "mold"):
        bench.record(f"link-cpp-{linker}", plus, "g++", "main.cpp", f"-fuse-ld={linker}")


def cargo(bench: Bench) -> None:
    build = ("cargo", "build", "-j1", "--color", "never", "--offline")
    made = "cc -c thing.c -o OUT/thing.o\nar crs OUT/libthing.a OUT/thing.o\n"
    package = bench.package("links", made)
    for linker in ("", "bfd", "gold", "lld", "mold"):
        flags = {"RUSTFLAGS": f"-Clink-arg=-fuse-ld={linker}"} if linker else {}
        bench.record(f"cargo-link-{linker or 'default'}", package, *build, env={**bench.env, **flags})
    built = bench.project("elsewhere") / "make"
    bench.quiet(built.parent, "cmake", "-S", ".", "-B", "make")
    scripts = {
        "cargo-cmake-moved": "cmake -S . -B build\n",
        "cargo-no-rule": "ninja -C build\n",
        "cargo-no-nvcc": "nvcc -c k.cu -o OUT/k.o\n",
        "cargo-arch": "nvcc -gencode arch=compute_35,code=sm_35 -c k.cu -o OUT/k.o\n",
        "cargo-header": "nvcc -c k.cu -o OUT/k.o\n",
    }
    for name, words in scripts.items():
        folder = bench.package(name, words)
        bench.project(name)
        bench.kernel(name)
        if name == "cargo-cmake-moved":
            shutil.copytree(built, folder / "build")
        if name == "cargo-no-rule":
            bench.quiet(folder, "cmake", "-S", ".", "-B", "build", "-G", "Ninja")
            (folder / "two.c").unlink()
        if name == "cargo-header":
            (folder / "deep/inc.cuh").unlink()
        bench.record(name, folder, *build, env=bench.env if "nvcc" in name else bench.cuda)
    killed = bench.package("killed", "nvcc -arch=sm_80 -c k.cu -o OUT/k.o\n")
    bench.kernel("killed", _HEAVY)
    bench.record("cargo-nvcc-killed", killed, *build, env=bench.cuda, beside=partial(kill, "ptxas"))
    verbose = bench.package("verbose", "cmake -S . -B build || true\n" + made)
    bench.project("verbose")
    shutil.copytree(built, verbose / "build")
    bench.record("cargo-very-verbose", verbose, *build, "-vv")
    started = bench.package("started", "")
    (started / "build.rs").write_text(
        'fn main() { std::process::Command::new("nvcc").arg("-c").status().expect("nvcc could not be started"); }\n'
    )
    bench.record("cargo-nvcc-not-started", started, *build)


GROUPS = {"cmake": cmake, "nvcc": nvcc, "compilers": compilers, "cargo": cargo}


def main() -> None:
    bench = Bench(Path(sys.argv[1]).resolve() / "code", Path(sys.argv[2]).resolve())
    for name in sys.argv[3:] or GROUPS:
        GROUPS[name](bench)


if __name__ == "__main__":
    main()
