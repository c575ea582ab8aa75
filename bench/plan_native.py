"""Settings of CMake and nvcc for `bench.plan`: workspaces that build C and CUDA, families, and what the product itself
plans for each of them, so that what is measured is what a build gets."""

import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bench.plan_settings import AGAIN, PLAIN, Arm, Family
from bench.plan_world import Subject
from core.paths import find_paths
from core.plan import make, modes
from core.plan.given import Given, Origin
from core.plan.wish import Mode
from core.run import begin, cache, decided
from tests.real.nvcc import toolkit

_MAIN = 'fn main() {{ println!("{{:?}}", {name}::reached()); }}\n'
_APP = """[package]
name = "app"
version = "0.1.0"
edition = "2021"

[dependencies]
{name} = {{ path = "../{folder}" }}
"""
_ZLIB_MAIN = """fn main() {
    println!("{}", unsafe { libz_ng_sys::crc32(0, std::ptr::null(), 0) });
}
"""
_KERNELS = {
    "Cargo.toml": """[package]
name = "kernels"
version = "0.1.0"
edition = "2021"

[build-dependencies]
cmake = "=0.1.58"
""",
    "build.rs": """fn main() {
    let built = cmake::Config::new(".").build();
    let cache = std::fs::read_to_string(built.join("build/CMakeCache.txt")).unwrap();
    let nvcc = cache.lines().find_map(|line| line.strip_prefix("CMAKE_CUDA_COMPILER:FILEPATH=")).unwrap();
    let toolkit = std::fs::canonicalize(nvcc).unwrap().parent().unwrap().join("../lib64");
    println!("cargo:rustc-link-search=native={}/lib", built.display());
    println!("cargo:rustc-link-search=native={}", toolkit.display());
    println!("cargo:rustc-link-lib=static=kernels");
    println!("cargo:rustc-link-lib=static=cudart_static");
    for name in ["stdc++", "dl", "rt", "pthread"] {
        println!("cargo:rustc-link-lib={name}");
    }
}
""",
    "src/lib.rs": """extern "C" {
    fn moe_gemm_gguf();
}

/// Keeps the kernels in the program.
pub fn reached() -> usize {
    moe_gemm_gguf as *const () as usize
}
""",
    "CMakeLists.txt": """cmake_minimum_required(VERSION 3.18)
if(NOT DEFINED ENV{CUDAARCHS})
  set(CMAKE_CUDA_ARCHITECTURES 80 86 90)
endif()
project(kernels LANGUAGES CXX CUDA)
set(CMAKE_CUDA_STANDARD 17)
add_library(kernels STATIC moe/moe_align.cu moe/moe_gguf.cu mmq_gguf/mmq_quantize.cu)
target_compile_options(kernels PRIVATE --expt-relaxed-constexpr)
install(TARGETS kernels ARCHIVE DESTINATION lib)
""",
}
_CANDLE = "candle-kernels-0.11.1"
SUBJECTS = {one.name: one for one in (
    Subject(
        "zlib-ng", ("libz-ng-sys-1.1.32",), "app", "libz-ng-sys/src/zlib-ng/deflate.c", "app/src/main.rs",
        about="a crate that builds 60 files of C by the cmake crate, and a program; the edit is in one file of C",
        own=(("app/Cargo.toml", _APP.format(name="libz-ng-sys", folder="libz-ng-sys")),
             ("app/src/main.rs", _ZLIB_MAIN)),
    ),
    Subject(
        "kernels", (), "app", "kernels/moe/moe_gguf.cu", "app/src/main.rs",
        about=f"three .cu files of {_CANDLE} built by the cmake crate for sm_80, sm_86 and sm_90 unless CUDAARCHS is "
              "set, and a program; the edit is in one of them",
        own=(*((f"kernels/{path}", text) for path, text in _KERNELS.items()),
             ("app/Cargo.toml", _APP.format(name="kernels", folder="kernels")),
             ("app/src/main.rs", _MAIN.format(name="kernels"))),
        lent=tuple((_CANDLE, f"src/{folder}", f"kernels/{folder}") for folder in ("moe", "mmq_gguf")),
    ),
)}  # fmt: skip


class Planned(NamedTuple):
    """What the product gives to a build."""

    flags: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    refused: str = ""
    """Why a setting is not made here; empty: all are."""


Plan = Callable[[str, str], Planned]
"""Of a subject's name and an arm's."""
_FILLED = (
    "before a clean build the store has all of an earlier one in the same place; the server's start and end are in CPU "
    "time and not in wall time"
)
_EMPTY = ", empty store"


def native_families(plan: Plan) -> tuple[Family, ...]:
    """CMake's and nvcc's settings, and mode cuda-iterate; an arm that cannot be had here says so in `refused`."""
    settings = (
        ("cmake", "zlib-ng", ("cmake-generator=ninja", "cmake-parallel=2", "cxx-launcher=sccache"), ()),
        ("cuda", "kernels", (
            "cmake-generator=ninja", "nvcc-threads=2", "cuda-archs=90", "cuda-archs=native", "nvcc-cache=sccache",
        ), ("size_bytes", "program_bytes")),
        ("mode cuda-iterate", "kernels", ("mode=cuda-iterate",), ("size_bytes", "program_bytes")),
    )  # fmt: skip
    return tuple(_family(plan, name, subject, arms, aims) for name, subject, arms, aims in settings)


def _family(plan: Plan, name: str, subject: str, settings: tuple[str, ...], aims: tuple[str, ...]) -> Family:
    arms = [Arm(PLAIN), Arm(AGAIN)]
    for setting in settings:
        found = plan(subject, setting)
        is_cache = setting.endswith("=sccache")
        arms.append(Arm(setting, found.flags, found.env, "filled" if is_cache else "", found.refused))
        if is_cache:
            arms.append(Arm(setting + _EMPTY, found.flags, found.env, "empty", found.refused))
    caches = [f"`{arm.name}`: {_FILLED}." for arm in arms if arm.store == "filled"]
    about = " ".join(caches)
    return Family(name, subject, "dev", tuple(arms), situations=("clean", "edit"), aims=aims, about=about)


def planned(folder: str, env: Mapping[str, str], arm: str) -> Planned:
    """What the product gives to `cargo build` in a workspace, for an arm's name: a setting, or `mode=NAME`."""
    name, _, value = arm.partition("=")
    mode = _built_in(value) if name == "mode" else _mode({name: int(value) if value.isdigit() else value})
    paths = find_paths(env)
    command = begin.command_of(paths, ("build",), folder, dict(env))
    prepared = make.prepare(paths, command, may_ask=True, has_wishes=False)
    prepared = prepared._replace(wish=prepared.wish._replace(mode=mode))
    plan = make.finish(prepared, decided.own_target(command), cache.Chosen()).plan
    left = [row.reason for row in plan.settings if row.name == name and not row.is_ours]
    return Planned(plan.flags, plan.env, left[0] if left else "")


def _mode(options: Mapping[str, Any]) -> Mode:
    origin = Origin("bench.plan")
    return Mode("measured", origin, {
        key: Given("90" if (key, value) == ("cuda-archs", 90) else value, origin) for key, value in options.items()
    })  # fmt: skip


def _built_in(name: str) -> Mode:
    found = modes.resolve(name, [modes.built_in()])
    if found is None:
        raise KeyError(f"there is no built-in mode {name}")
    return found.mode


def with_nvcc(folder: str, env: Mapping[str, str]) -> dict[str, str]:
    """The environment with a CUDA toolkit, kept below the folder. Raises RuntimeError where none can be had."""
    if shutil.which("nvcc", path=env["PATH"]):
        return dict(env)
    return {**env, "PATH": f"{env['PATH']}:{toolkit(folder + '/cuda', env['PATH'])}/bin"}


def store_of(folder: str, target: str, arm: Arm, env: Mapping[str, str]) -> dict[str, str]:
    """Variables of the arm's own sccache, whose store is empty where it is to be."""
    store = f"{folder}/stores/{os.path.basename(target)}"
    if arm.store == "empty":
        shutil.rmtree(store, ignore_errors=True)
    os.makedirs(store, exist_ok=True)
    return {
        **env, "SCCACHE_DIR": store, "SCCACHE_IDLE_TIMEOUT": "0",
        "SCCACHE_SERVER_UDS": f"/tmp/bench-plan-{os.getpid()}.socket",
    }  # fmt: skip


def is_filled(folder: str, target: str) -> bool:
    """A build left something in that arm's store."""
    return any(names for _, _, names in os.walk(f"{folder}/stores/{os.path.basename(target)}"))


def beside_server(argv: list[str], wall: str) -> list[str]:
    """The command between start and end of a cache server, which so is counted; its own wall time goes to a file."""
    return ["bash", "-c", _BESIDE_SERVER, "bash", wall, *argv]


_BESIDE_SERVER = """
sccache --start-server || exit 1
wall=$1; shift
began=$(date +%s%N)
"$@"
code=$?
echo $(($(date +%s%N) - began)) > "$wall"
sccache --stop-server
exit $code
"""
