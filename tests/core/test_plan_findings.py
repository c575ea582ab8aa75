"""What defeats a build is seen in what was found, and nothing else is."""

import random
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from core.native.cleans.clean_notes import CLEANED
from core.native.staleness import stale_findings
from core.plan.finding_toolchain import package_of
from core.plan.findings import SEVERITIES, find, with_mend
from core.plan.found import Found, Machine, Target, Tool
from core.plan.given import Given, Origin, Settings, Trouble
from core.plan.mend import changed
from core.plan.plan import Change, Finding
from core.plan.wish import Mode, Wish
from core.watch import fault_book, native_findings, sampled_nvcc
from tests.core.finding_worlds import (
    CONFIG,
    HOME_CONFIG,
    HOST,
    LOW_MEMORY,
    MANIFEST,
    MUSL,
    NIGHTLY,
    ROOT,
    STABLE,
    found,
    musl,
    settings,
    tools,
    wish,
)

SCCACHE = {"RUSTC_WRAPPER": "sccache"}
CUDA_LAUNCHER = "CMAKE_CUDA_COMPILER_LAUNCHER"
LAUNCHED = {CUDA_LAUNCHER: "sccache"}
CACHED_KERNELS = Mode("mine", Origin("--mode"), {"nvcc-cache": Given("sccache", Origin("deck.toml", 3))})
WRAPPER = '[build]\nrustc-wrapper = "sccache"\n'
IDS_OF_LOGS = {value for name, value in vars(fault_book).items() if name.isupper() and isinstance(value, str)}
DOCS = Path(__file__).parents[2] / "docs" / "findings.md"


class World(NamedTuple):
    """What is there, what is wanted, and which findings that gives."""

    ids: str
    """`error:a warning:b`, in this order."""
    config: str = ""
    manifest: str = ""
    env: Mapping[str, str] = {}
    command: str = "build"
    more: Mapping[str, Any] = {}
    """Fields of what was found."""
    wanted: Mapping[str, Any] = {}
    """Fields of the wish."""

    @property
    def files(self) -> dict[str, str]:
        return {CONFIG: self.config, MANIFEST: self.manifest}

    def find(self, files: Mapping[str, str] | None = None) -> tuple[Finding, ...]:
        there = found(files or self.files, self.env, **self.more)
        return find(there, wish(self.command, **self.wanted))


def ids(findings: tuple[Finding, ...]) -> str:
    return " ".join(f"{one.severity}:{one.id}" for one in findings)


CALM: dict[str, World] = {
    "nothing at all": World(""),
    "cargo new": World("", manifest='[package]\nname = "x"\nversion = "0.1.0"\nedition = "2024"\n[dependencies]\n'),
    "profiles as ripgrep has them": World("", manifest=(
        '[profile.release]\ndebug = 1\n[profile.release-lto]\ninherits = "release"\nopt-level = 3\ndebug = "none"\n'
        'strip = "symbols"\ndebug-assertions = false\noverflow-checks = false\nlto = "fat"\npanic = "abort"\n'
        "incremental = false\ncodegen-units = 1\n[profile.deb]\ninherits = \"release-lto\"\n"),
        command="build --profile release-lto"),
    "a cfg flag as tokio's users have it": World("", '[build]\nrustflags = ["--cfg", "tokio_unstable"]\n'),
    "xtask, a variable and a foreign linker": World("", (
        '[alias]\nxtask = "run --package xtask --"\n[target.x86_64-pc-windows-msvc]\nlinker = "rust-lld"\n'
        '[env]\nCARGO_WORKSPACE_DIR = { value = "", relative = true }\n'),
        '[profile.dev]\ndebug = 1\n[profile.dev.package]\nrowan.opt-level = 3\n[profile.release]\n'
        "incremental = true\n"),
    "dependencies that are optimized in dev": World("", manifest=(
        '[profile.dev]\nopt-level = 1\n[profile.dev.package."*"]\nopt-level = 3\n')),
    "what cargo's book advises": World("", manifest=(
        '[profile.dev]\ndebug = "line-tables-only"\n[profile.dev.package."*"]\ndebug = false\n'
        '[profile.debugging]\ninherits = "dev"\ndebug = true\n')),
    "GitHub": World("", WRAPPER, env={
        "CI": "true", "GITHUB_ACTIONS": "true", "CARGO_TERM_COLOR": "always", "CARGO_INCREMENTAL": "0",
        "SCCACHE_GHA_ENABLED": "true", "CARGO_HOME": "/home/runner/.cargo", "RUSTUP_HOME": "/home/runner/.rustup",
        "CARGO_NET_RETRY": "10", "RUST_BACKTRACE": "short", "RUSTFLAGS": "-D warnings"}, command="test --workspace"),
    "GitLab, with its own CARGO_HOME": World("", env={
        "CI": "true", "GITLAB_CI": "true", "CARGO_HOME": f"{ROOT}/.cargo-home", "CI_PROJECT_DIR": ROOT,
        "CARGO_TARGET_DIR": f"{ROOT}/target"}, wanted={"target_dir": f"{ROOT}/target", "target_dir_source": "user"}),
    "Azure": World("", env={"TF_BUILD": "True", "AGENT_ID": "7", "CARGO_TERM_COLOR": "always"}),
    "CircleCI": World("", env={"CI": "true", "CIRCLECI": "true", "CARGO_BUILD_JOBS": "2", "CARGO_NET_OFFLINE": "true"}),
    "the image rust:1.95": World("", env={
        "CARGO_HOME": "/usr/local/cargo", "RUSTUP_HOME": "/usr/local/rustup", "RUST_VERSION": "1.95.0"} | SCCACHE),
    "sccache and nothing else": World("", WRAPPER),
    "sccache without incremental": World("", WRAPPER + "incremental = false\n", env={"CARGO_BUILD_JOBS": "2"}),
    "variables that are in no key": World("", env=SCCACHE | {
        "CARGO_BUILD_JOBS": "3", "CARGO_MAKEFLAGS": "-j", "CARGO_REGISTRIES_OURS_INDEX": "sparse+https://x/",
        "SCCACHE_IDLE_TIMEOUT": "0", "SCCACHE_CACHE_SIZE": "50G", "SCCACHE_DIR": "/home/me/.cache/sccache"}),
    "another cache than sccache": World("", '[build]\nrustc-wrapper = "zccache"\nincremental = true\n'
                                        .replace("incremental = true\n", ""), env={"CARGO_TERM_COLOR": "never"}),
    "no wrapper, said as nothing": World("", WRAPPER, env={"RUSTC_WRAPPER": "", "CARGO_INCREMENTAL": "1"}),
    "flags that no profile has": World("", (
        f'[target.{HOST}]\nrustflags = ["-C", "target-cpu=x86-64-v3", "-C", "force-frame-pointers=yes", "-W", "x"]\n')),
    "native on one machine": World("", '[build]\nrustflags = ["-C", "target-cpu=native"]\n' + WRAPPER[8:]),
    "flags for Windows beside flags for all": World("", (
        "[target.'cfg(windows)']\nrustflags = [\"-C\", \"target-feature=+crt-static\"]\n"
        '[build]\nrustflags = ["--cfg", "all"]\n')),
    "the same flags in both places": World("", '[build]\nrustflags = ["--cfg", "a"]\n',
                                           env={"RUSTFLAGS": "--cfg a -D warnings"}),
    "nightly flags on nightly": World("", '[build]\nrustflags = ["-Zshare-generics=y", "-Zthreads=4"]\n',
                                      more={"toolchain": NIGHTLY}),
    "cargo called by make": World("", env={"MAKEFLAGS": " -j4 --jobserver-auth=3,4", "MFLAGS": "--jobserver-fds=3,4"}),
    "tests of cargo nextest with -j": World("", env={"CARGO_MAKEFLAGS": "-j --jobserver-auth=fifo:/run/x"},
                                            command="nextest -j 2"),
    "another target, all there": World("", f'[target.{MUSL}]\nlinker = "musl-gcc"\n',
                                        more={"target": musl("musl-gcc")}),
    "mold where rustc links with ld": World("", (
        f'[target.{HOST}]\nlinker = "clang"\nrustflags = ["-C", "link-arg=-fuse-ld=mold"]\n'),
        more={"toolchain": STABLE._replace(links_with_lld=False, rustc=(1, 89, 0))}),
    "a target dir of the repo's own": World("", '[build]\ntarget-dir = "target"\n',
                                            wanted={"target_dir": f"{ROOT}/target", "target_dir_source": "user"}),
    "tools that nobody asked yet": World("", WRAPPER, more={
        "tools": {"sccache": Tool("sccache", "/usr/bin/sccache", is_asked=False)}}),
    "a mirror, a vendored source": World("", (
        '[source.crates-io]\nreplace-with = "v"\n[source.v]\ndirectory = "vendor"\n[net]\ngit-fetch-with-cli = true\n'
        '[term]\ncolor = "auto"\n[registries.ours]\nindex = "sparse+https://x/"\n')),
}  # fmt: skip


@pytest.mark.parametrize("name", CALM)
def test_a_sensible_world_has_no_findings(name: str) -> None:
    assert ids(CALM[name].find()) == CALM[name].ids == ""


GUIDE_DEV = (
    '[profile.dev]\nopt-level = 0\ndebug = 2\nincremental = true\ncodegen-units = 256\nlto = "off"\n'
    '[profile.release]\nopt-level = 3\nlto = "thin"\ncodegen-units = 1\ndebug = 1\nstrip = "symbols"\n'
    "[profile.test]\nopt-level = 0\nincremental = true\ncodegen-units = 256\n"
)
GUIDE_STREAM = """\
[build]
jobs = 8                      # Parallel
incremental = true            # Enable
target-dir = "target"         # Shared

[target.x86_64-unknown-linux-musl]
linker = "clang"
rustflags = [
    "-C", "link-arg=-fuse-ld=lld",     # Use
    "-C", "target-cpu=x86-64-v2",       # Modern
    "-C", "opt-level=2",                # Balanced
    "-Z", "share-generics=y",           # Share
    "-Z", "threads=8",                  # Parallel
]

[profile.dev]
opt-level = 0
debug = 0
incremental = true
overflow-checks = false

[profile.dev.package."*"]
opt-level = 2

[profile.release]
opt-level = 2
lto = "thin"
codegen-units = 16
incremental = true
strip = true
panic = "abort"

[profile.release-fast]
inherits = "release"
opt-level = 2
lto = false
codegen-units = 256

[profile.release-optimized]
inherits = "release"
opt-level = 3
lto = "fat"
codegen-units = 1
"""
GUIDE_SCRIPT = {
    "RUSTC_WRAPPER": "sccache", "CARGO_BUILD_JOBS": "8", "CARGO_INCREMENTAL": "1",
    "RUSTFLAGS": "-C link-arg=-fuse-ld=lld -Z share-generics=y -Z threads=8",
}  # fmt: skip
GUIDE_MEMORY = """\
[env]
CARGO_BUILD_JOBS = "4"        # Reduce
CARGO_INCREMENTAL = "1"       # Use
RUSTC_THREADS = "4"           # Limit

[profile.release]
codegen-units = 256           # More
lto = false                   # Less
"""
GUIDE_IMAGE = (
    f'[target.{HOST}]\nlinker = "clang-15"\nrustflags = ["-C", "link-arg=-fuse-ld=mold", "-C", "target-cpu=native"]\n'
    '[profile.dev]\ndebug = 0\nstrip = "debuginfo"\nincremental = true\n[profile.dev.package."*"]\nopt-level = 3\n'
)
GUIDE_SHARED = (
    f'[build]\ntarget = "{HOST}"\ntarget-dir = "target"\nrustc-wrapper = "sccache"\n[env]\n'
    'SCCACHE_DIR = { value = ".sccache", relative = true }\nSCCACHE_CACHE_SIZE = "10G"\nSCCACHE_IDLE_TIMEOUT = "0"\n'
)
MOLD = f'[target.{HOST}]\nlinker = "clang"\nrustflags = ["-C", "link-arg=-fuse-ld=mold"]\n'
GUIDES: dict[str, World] = {
    "000: sccache and mold": World("hint:mold-after-lld", MOLD, '[profile.dev]\ndebug = 1\n[profile.dev.package."*"]\n'
                                   "opt-level = 0\ndebug = 0\n", SCCACHE | {"SCCACHE_DIR": "/home/me/.cache/sccache"}),
    "000 without clang": World("error:linker-missing hint:mold-after-lld", MOLD, more={"tools": tools("clang")}),
    "000 without mold": World("error:fuse-ld-unusable", MOLD, more={"tools": tools("mold")}),
    "001: dev": World("warning:sccache-incremental", manifest=GUIDE_DEV, env=SCCACHE),
    "001: test": World("warning:sccache-incremental", manifest=GUIDE_DEV, env=SCCACHE, command="test"),
    "001: release": World("", manifest=GUIDE_DEV, env=SCCACHE, command="build --release"),
    "001: a target dir for each agent": World(
        "warning:cache-key-variables", env=SCCACHE | {"CARGO_TARGET_DIR": f"{ROOT}/target/agents/council-agent",
                                                      "AGENT_ID": "council-agent", "MODE": "dev", "VERBOSE": "true"}),
    "002 §1: dev": World("hint:build-incremental", GUIDE_STREAM),
    "002 §1: release": World("warning:build-incremental", GUIDE_STREAM, command="build --release"),
    "002 §1: release-fast": World("warning:build-incremental", GUIDE_STREAM, command="build --profile release-fast"),
    "002 §1: musl, without clang": World(
        "error:linker-missing error:nightly-flags warning:profile-in-rustflags hint:build-incremental", GUIDE_STREAM,
        more={"target": musl(), "tools": tools("clang")}),
    "002 §1: musl on nightly": World(
        "warning:profile-in-rustflags warning:front-end-threads hint:build-incremental", GUIDE_STREAM,
        more={"target": musl("clang"), "toolchain": NIGHTLY}),
    "002 §5: the script": World("error:sccache-incremental-forced error:nightly-flags hint:lld-is-default",
                                GUIDE_STREAM, env=GUIDE_SCRIPT, command="build --release"),
    "002 §5: the script, for musl": World(
        "error:sccache-incremental-forced error:nightly-flags warning:rustflags-dropped", GUIDE_STREAM,
        env=GUIDE_SCRIPT, command="build --release", more={"target": musl("clang")}),
    "002: memory": World("warning:env-table-unread warning:rustc-threads", GUIDE_MEMORY),
    "002: memory, release": World("warning:env-table-unread warning:rustc-threads hint:codegen-units-for-memory",
                                  GUIDE_MEMORY, command="build --release"),
    "002: memory, with sccache": World(
        "error:sccache-incremental-forced warning:env-table-unread warning:rustc-threads", GUIDE_MEMORY, env=SCCACHE),
    "002: CI": World("error:nightly-flags hint:mold-after-lld", env=SCCACHE | {
        "CI": "true", "CARGO_TERM_COLOR": "always", "SCCACHE_GHA_ENABLED": "true",
        "RUSTFLAGS": "-C link-arg=-fuse-ld=mold -Z share-generics=y"}, command="build --release"),
    "003: the image": World(
        "warning:sccache-incremental warning:native-in-shared-cache hint:mold-after-lld", GUIDE_IMAGE, env=SCCACHE | {
            "CARGO_HOME": "/cache/cargo", "RUSTUP_HOME": "/cache/rustup", "SCCACHE_DIR": "/cache/sccache"}),
    "003 without clang-15": World("error:linker-missing hint:mold-after-lld", GUIDE_IMAGE,
                                  more={"tools": tools("clang-15")}),
    "004: one target dir for all crates": World("", GUIDE_SHARED,
                                                wanted={"target_dir": f"{ROOT}/target", "target_dir_source": "user"}),
    "004 without sccache": World("error:wrapper-unusable", GUIDE_SHARED, more={"tools": tools("sccache")}),
}  # fmt: skip


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_gives_the_findings_that_its_advice_earns(name: str) -> None:
    assert ids(GUIDES[name].find()) == GUIDES[name].ids


ROWS: dict[str, World] = {
    "forced, in [env]": World("error:sccache-incremental-forced", WRAPPER + '[env]\nCARGO_INCREMENTAL = "1"\n'),
    "forced, in a table of [env]": World("error:sccache-incremental-forced",
                                         WRAPPER + '[env]\nCARGO_INCREMENTAL = { value = "1", force = true }\n'),
    "incremental of [build]": World("warning:sccache-incremental", WRAPPER + "incremental = true\n"),
    "incremental of release": World("warning:sccache-incremental", WRAPPER, "[profile.release]\nincremental = true\n",
                                    command="build --release"),
    "a coloured agent": World("warning:cache-key-variables", env=SCCACHE | {"CARGO_TERM_COLOR": "never"}),
    "our own cache": World("warning:cache-key-variables", env={"CARGO_TERM_PROGRESS_WIDTH": "80"},
                           wanted={"cache": "sccache 0.16.0"}),
    "a target dir in CI": World("warning:cache-key-variables",
                                env=SCCACHE | {"CARGO_TARGET_DIR": "/t", "CI": "1", "CARGO_TERM_COLOR": "never"}),
    "basedirs": World("warning:sccache-basedirs", env=SCCACHE | {"SCCACHE_BASEDIRS": "/a:/b"}),
    "basedirs, not direct": World("hint:sccache-basedirs",
                                  env=SCCACHE | {"SCCACHE_BASEDIRS": "/a:/b", "SCCACHE_DIRECT": "false"}),
    "basedirs of 0.18": World("", env=SCCACHE | {"SCCACHE_BASEDIRS": "/a"}, more={"tools": tools(sccache=(0, 18, 0))}),
    "sccache and new steps of nvcc": World("error:sccache-nvcc-steps", env=LAUNCHED | {"PATH": "/usr/bin"},
                                           more={"tools": tools(nvcc=(13, 3, 20))}),
    "sccache in a list, by its path": World("error:sccache-nvcc-steps", more={"tools": tools(nvcc=(13, 4))},
                                            config=f"[env]\n{CUDA_LAUNCHER} = '/opt/sccache;--x'\n"),
    "a mode with new steps": World("hint:sccache-nvcc-steps", more={"tools": tools(nvcc=(13, 3))},
                                   wanted={"mode": CACHED_KERNELS}),
    "sccache and nvcc 13.2": World("", env=LAUNCHED, more={"tools": tools(nvcc=(13, 2, 99))}),
    "sccache 0.18 and new steps": World("", env=LAUNCHED, more={"tools": tools(nvcc=(13, 3), sccache=(0, 18))}),
    "C++ alone and new steps": World("", env={"CMAKE_CXX_COMPILER_LAUNCHER": "sccache"},
                                     more={"tools": tools(nvcc=(13, 3))}),
    "ccache for kernels": World("error:ccache-nvcc-default", env={CUDA_LAUNCHER: "ccache"}),
    "ccache told not to": World("error:ccache-nvcc-default", more={"ccache_depends": True},
                                env={CUDA_LAUNCHER: "/usr/bin/ccache", "CCACHE_DEPEND": "0"}),
    "ccache without": World("error:ccache-nvcc-default", env={CUDA_LAUNCHER: "ccache", "CCACHE_NODEPEND": "1"},
                            more={"ccache_depends": True}),
    "ccache by dependencies": World("", env={CUDA_LAUNCHER: "ccache", "CCACHE_DEPEND": "true"}),
    "ccache by its file": World("", env={CUDA_LAUNCHER: "ccache"}, more={"ccache_depends": True}),
    "ccache for C++": World("", env={"CMAKE_CXX_COMPILER_LAUNCHER": "ccache"}),
    "basedirs and a launcher": World("error:sccache-basedirs-direct", env=LAUNCHED | {"SCCACHE_BASEDIRS": "/a:/b"}),
    "basedirs and a launcher of C": World(
        "error:sccache-basedirs-direct", env={"CMAKE_C_COMPILER_LAUNCHER": "sccache", "SCCACHE_BASEDIRS": "/a"}),
    "basedirs, a launcher, not direct": World(
        "", env=LAUNCHED | {"SCCACHE_BASEDIRS": "/a:/b", "SCCACHE_DIRECT": "off"}),
    "a cache for CMake without CMake": World("hint:nvcc-cache-unused", wanted={"mode": CACHED_KERNELS},
                                             more={"has_cmake": False}),
    "a cache for CMake with it": World("", wanted={"mode": CACHED_KERNELS}, more={"has_cmake": True}),
    "codegen units": World("warning:codegen-units-in-rustflags", '[build]\nrustflags = ["-Ccodegen-units=4"]\n'),
    "units, in a string": World("warning:codegen-units-in-rustflags", '[build]\nrustflags = "-C codegen-units=4"\n'),
    "units and memory": World("hint:codegen-units-for-memory", "", "[profile.release]\ncodegen-units = 256\n",
                              command="build --release", wanted={"mode": LOW_MEMORY}),
    "fat in two GiB": World("hint:fat-lto-in-little-memory", "", '[profile.release]\nlto = true\n',
                            command="build --release", more={"machine": Machine(cgroup_memory_bytes=2 << 30)}),
    "-O and -g": World("warning:profile-in-rustflags", env={"RUSTFLAGS": "-O -g"}),
    "lto as a flag": World("error:lto-in-rustflags", env={"RUSTFLAGS": "-Clto=thin"}),
    "lto with its bitcode": World("", env={"RUSTFLAGS": "-Clto=thin -Cembed-bitcode=yes"}),
    "lto that is off": World("", env={"RUSTFLAGS": "-Clto=off"}),
    "panic and tests": World("error:panic-in-rustflags", env={"RUSTFLAGS": "-C panic=abort"}, command="test"),
    "panic": World("warning:profile-in-rustflags", env={"RUSTFLAGS": "--codegen panic=abort"}),
    "a CARGO_ variable of [env]": World("warning:env-table-unread", '[env]\nCARGO_TARGET_DIR = "/x"\n'),
    "RUSTC_THREADS": World("warning:rustc-threads", env={"RUSTC_THREADS": "2"}),
    "-j in make": World("warning:jobs-with-jobserver", env={"MAKEFLAGS": "-j4 --jobserver-auth=3,4"},
                        command="build -j 2"),
    "a fifo and make 4.3": World("warning:makeflags-fifo", env={"MAKEFLAGS": "-j4 --jobserver-auth=fifo:/run/x"}),
    "a fifo and make 4.4": World("", env={"MAKEFLAGS": "-j4 --jobserver-auth=fifo:/run/x"},
                                 more={"tools": tools(make=(4, 4, 1))}),
    "a variable against a profile": World("warning:incremental-overruled", "", "[profile.dev]\nincremental = true\n",
                                          {"CARGO_INCREMENTAL": "0"}),
    "the same in CI": World("hint:incremental-overruled", "", "[profile.dev]\nincremental = true\n",
                            {"CARGO_INCREMENTAL": "0", "CI": "true"}),
    "[build] against a profile": World("warning:incremental-overruled", "[build]\nincremental = false\n",
                                       "[profile.dev]\nincremental = true\n"),
    "CI and cargo 1.99": World("warning:incremental-overruled", "", "[profile.release]\nincremental = true\n",
                               {"CI": "false"}, "build --release", {"toolchain": STABLE._replace(cargo=(1, 99, 0))}),
    "CI and cargo 1.99, brought back": World("warning:build-incremental", "[build]\nincremental = true\n",
                                             "[profile.release]\nincremental = true\n", {"CI": "1"}, "build --release",
                                             {"toolchain": STABLE._replace(cargo=(1, 99, 0))}),
    "CI and cargo 1.98": World("", "", "[profile.release]\nincremental = true\n", {"CI": "1"}, "build --release",
                               {"toolchain": STABLE._replace(cargo=(1, 98, 0))}),
    "CARGO_INCREMENTAL=true": World("warning:incremental-not-one", env={"CARGO_INCREMENTAL": "true"}),
    "a dir for all checkouts": World("hint:target-dir-outside", more={
        "settings": settings({HOME_CONFIG: '[build]\ntarget-dir = "/home/me/target"\n'})},
        wanted={"target_dir": "/home/me/target", "target_dir_source": "user"}),
    "a dir outside, by a variable": World("hint:target-dir-outside", env={"CARGO_TARGET_DIR": "/fast/target"},
                                          wanted={"target_dir": "/fast/target", "target_dir_source": "user"}),
    "lld": World("hint:lld-is-default", env={"RUSTFLAGS": "-Clink-arg=-fuse-ld=lld"}),
    "an old gcc": World("error:fuse-ld-unusable", env={"RUSTFLAGS": "-Clink-arg=-fuse-ld=mold"},
                        more={"tools": tools(cc=(11, 4, 0), gcc=(11, 4, 0))}),
    "an old cc that is clang": World("hint:mold-after-lld", env={"RUSTFLAGS": "-Clink-arg=-fuse-ld=mold"}, more={
        "tools": tools() | {"cc": Tool("cc", "/usr/bin/cc", (11, 0, 1), kind="clang")}}),
    "wild and gcc": World("error:fuse-ld-unusable", env={"RUSTFLAGS": "-Clink-arg=-fuse-ld=wild"},
                          more={"tools": tools(wild=(0, 8, 0))}),
    "a linker that does not run": World("error:linker-missing", "[target.'cfg(unix)']\nlinker = 'ld9'\n",
                                        more={"tools": {"ld9": Tool("ld9", "/x/ld9", trouble="exits 1")}}),
    "a linker by a flag": World("error:linker-missing", env={"RUSTFLAGS": "-C linker=clang"},
                                more={"tools": tools("clang")}),
    "lto in dev": World("warning:slow-dev-profile", "", '[profile.dev]\nlto = "fat"\ncodegen-units = 1\n'),
    "one unit in test": World("warning:slow-dev-profile", "", "[profile.test]\ncodegen-units = 1\n", command="test"),
    "variables drop flags": World("warning:rustflags-dropped", '[build]\nrustflags = ["--cfg", "a"]\n',
                                  env={"RUSTFLAGS": "-D warnings"}),
    "nothing drops flags too": World("warning:rustflags-dropped", f'[target.{HOST}]\nrustflags = "--cfg a"\n',
                                     env={"RUSTFLAGS": ""}),
    "flags in two keys": World("warning:rustflags-shadowed",
                               f'[build]\nrustflags = ["--cfg", "a"]\n[target.{HOST}]\nrustflags = ["-Wx"]\n'),
    "a word that both have": World("warning:rustflags-shadowed", (
        f'[build]\nrustflags = ["--cfg", "a"]\n[target.{HOST}]\nrustflags = ["--cfg", "b"]\n')),
    "flags of a cfg": World("warning:rustflags-shadowed",
                            "[build]\nrustflags = [\"--cfg\", \"a\"]\n[target.'cfg(unix)']\nrustflags = ['-Wx']\n"),
    "too many threads": World("warning:front-end-threads", env={"RUSTFLAGS": "-Zthreads=4"},
                              more={"toolchain": NIGHTLY}, wanted={"agents": 2}),
    "all threads": World("warning:front-end-threads", env={"RUSTFLAGS": "-Zthreads=0"},
                         more={"toolchain": NIGHTLY}, wanted={"agents": 4}),
    "a home for each agent": World("hint:cargo-home-per-agent", env={"CARGO_HOME": "/srv/council/cargo",
                                                                    "AGENT_ID": "council"}),
    "a home, and a cache": World("warning:cache-key-variables hint:cargo-home-per-agent",
                                 env=SCCACHE | {"CARGO_HOME": "/tmp/agent-7"}),
    "-Z of cargo's": World("error:nightly-options", command="build -Z build-std"),
    "an [unstable] table": World("hint:unstable-table", "[unstable]\nbuild-std = ['std']\n"),
    "stable with RUSTC_BOOTSTRAP": World("", env={"RUSTFLAGS": "-Zthreads=2", "RUSTC_BOOTSTRAP": "1"}),
    "a wrapper that fails": World("error:wrapper-unusable", WRAPPER, more={
        "tools": {"sccache": Tool("sccache", "/usr/bin/sccache", trouble="exits 127")}}),
    "a workspace wrapper": World("error:wrapper-unusable", '[build]\nrustc-workspace-wrapper = "wrap"\n',
                                 more={"tools": {"wrap": Tool("wrap", is_asked=False)}}),
    "a rustc by a variable": World("error:wrapper-unusable", env={"RUSTC": "/x/rustc"},
                                   more={"tools": {"/x/rustc": Tool("/x/rustc")}}),
    "a wrapper by its path": World("error:wrapper-unusable", '[build]\nrustc-wrapper = "/opt/wrap"\n',
                                   more={"tools": {"/opt/wrap": Tool("/opt/wrap")}}),
    "no toolchain": World("error:toolchain-missing", more={"toolchain": STABLE._replace(
        name="1.70.0", chosen_by=Origin(f"{ROOT}/rust-toolchain.toml", 2), is_installed=False, channel="")}),
    "a toolchain that comes": World("hint:toolchain-missing", more={"toolchain": STABLE._replace(
        name="1.70.0", chosen_by=Origin(f"{ROOT}/rust-toolchain.toml", 2), is_installed=False, is_coming=True,
        channel="")}),
    "a std that comes": World("hint:std-missing", more={
        "target": musl(has_std=False), "toolchain": STABLE._replace(coming_targets=(MUSL,))}),
    "no std": World("error:std-missing", more={"target": musl(has_std=False)}),
    "no such target": World("error:target-unknown", more={"target": musl(has_std=False)._replace(
        is_known=False, linker="x-gcc", is_linker_there=False)}),
    "no std of a target of one's own": World("error:std-missing", more={"target": musl(has_std=False)._replace(
        is_own=True)}),
    "no std, but it is built": World("", command="build -Z build-std", more={"target": musl(has_std=False),
                                                                             "toolchain": NIGHTLY}),
    "no linker": World("error:target-linker-missing", more={"target": Target(
        "aarch64-unknown-linux-gnu", Origin("--target"), linker="aarch64-linux-gnu-gcc", is_linker_there=False)}),
    "no linker, but nothing is linked": World("", command="check", more={"target": Target(
        "aarch64-unknown-linux-gnu", Origin("--target"), linker="aarch64-linux-gnu-gcc", is_linker_there=False)}),
    "native for all machines": World("warning:native-in-shared-cache",
                                     env=SCCACHE | {"SCCACHE_BUCKET": "b", "RUSTFLAGS": "-Ctarget-cpu=native"}),
    "panic of test": World("hint:panic-in-test-profile", "", '[profile.test]\npanic = "abort"\n', command="test"),
    "panic of dev, and tests": World("hint:panic-abort-and-tests", "", '[profile.dev]\npanic = "abort"\n',
                                     command="test"),
    "panic of dev": World("", "", '[profile.dev]\npanic = "abort"\n'),
    "flags of a variable for one target": World("warning:codegen-units-in-rustflags", env={
        f"CARGO_TARGET_{HOST.upper().replace('-', '_')}_RUSTFLAGS": "-Ccodegen-units=1 -Wx"}, more={
        "settings": Settings({("target", HOST, "rustflags"): Given("-Ccodegen-units=1 -Wx", Origin(
            f"CARGO_TARGET_{HOST.upper().replace('-', '_')}_RUSTFLAGS"))})}),
    "a wrapper that only we have": World("error:wrapper-unusable", WRAPPER, env={"PATH": "/bin:/usr/local/bin"}),
    "a variable of [build]": World("warning:incremental-overruled", "", "[profile.dev]\nincremental = true\n",
                                   {"CARGO_BUILD_INCREMENTAL": "false"}, more={"settings": Settings(
                                       {("build", "incremental"): Given(False, Origin("CARGO_BUILD_INCREMENTAL"))},
                                       {("profile", "dev", "incremental"): Given(True, Origin(MANIFEST, 2))})}),
    "a profile of nextest's": World("warning:slow-dev-profile", "",
                                    '[profile.dev]\nlto = "fat"\n', command="nextest --profile release"),
    "flags that may be dropped": World("", (
        '[build]\nrustflags = ["-C", "opt-level=2"]\n'
        "[target.'cfg(target_feature = \"avx512f\")']\nrustflags = [\"-C\", \"codegen-units=1\"]\n")),
    "a linker that may be named": World("", (
        "[target.'cfg(target_feature = \"avx512f\")']\nlinker = \"not-there\"\n"), more={
            "tools": tools("not-there")}),
    "LTO in the release that a mode builds": World("", "", '[profile.dev]\nlto = "fat"\n', wanted={
        "mode": Mode("mine", options={"profile": Given("release", Origin("deck.toml", 2))})}),
    "nothing to split": World("hint:split-without-debuginfo", "",
                              '[profile.dev]\ndebug = 0\nsplit-debuginfo = "unpacked"\n'),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_a_contradiction_is_seen(name: str) -> None:
    assert ids(ROWS[name].find()) == ROWS[name].ids


WORLDS = GUIDES | ROWS
ALL = [one for world in WORLDS.values() for one in world.find()]
MENDED_BY_FILE = [name for name, world in WORLDS.items() if any(one.changes for one in world.find())]


@pytest.mark.parametrize("name", MENDED_BY_FILE)
def test_the_mend_of_a_finding_ends_it_and_brings_no_worse(name: str) -> None:
    world = WORLDS[name]
    if "settings" in world.more:
        world = world._replace(config="", more={k: v for k, v in world.more.items() if k != "settings"})
    files = {HOME_CONFIG: '[build]\ntarget-dir = "/home/me/target"\n'} if world != WORLDS[name] else world.files
    for finding in world.find(files):
        after = dict(files)
        for change in finding.changes:
            text = changed(after[change.path], change.key, change.value)
            assert text is not None, finding.id
            after[change.path] = text
        left = world.find(after)
        if finding.changes and "panic" not in finding.id:
            assert finding.id not in [one.id for one in left]
            assert {one.id for one in left if one.severity == "error"} <= {one.id for one in world.find(files)}


def test_the_diff_is_made_of_the_text_and_only_when_asked_for() -> None:
    world = GUIDES["002 §1: dev"]
    (finding,) = world.find()
    assert finding.mend == ""
    assert with_mend(finding, world.files.__getitem__).mend == (
        "--- a/.cargo/config.toml\n+++ b/.cargo/config.toml\n@@ -3 +2,0 @@ [build]\n"
        "-incremental = true            # Enable\n"
    )


def test_flags_of_two_words_stay_together() -> None:
    world = ROWS["a word that both have"]
    (finding,) = world.find()
    assert [one.value for one in finding.changes] == [["--cfg", "b", "--cfg", "a"]]


def test_a_mend_that_is_a_command_needs_no_text() -> None:
    (finding,) = ROWS["no std"].find()

    def read(path: str) -> str:
        raise AssertionError(path)

    assert with_mend(finding, read).mend == f"rustup target add --toolchain stable-{HOST} {MUSL}"


COMMANDS = {
    "a variable of [build]": "unset CARGO_BUILD_INCREMENTAL",
    "flags of a variable for one target": "export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS='-Wx'",
    "a fifo and make 4.3": 'export CARGO_MAKEFLAGS="$MAKEFLAGS"; unset MAKEFLAGS',
    "a variable against a profile": "unset CARGO_INCREMENTAL",
    "-O and -g": "unset RUSTFLAGS",
    "002: CI": "export RUSTFLAGS='-C link-arg=-fuse-ld=mold'",
    "variables drop flags": 'unset RUSTFLAGS; cargo build --config \'build.rustflags=["-D", "warnings"]\'',
    "no toolchain": "rustup toolchain install 1.70.0",
    "no linker": "apt-get install gcc-aarch64-linux-gnu",
    "a coloured agent": "unset CARGO_TERM_COLOR  # instead: CARGO_TERM_COLOR: --color WHEN",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_no_file_says_is_mended_by_a_command(name: str) -> None:
    assert WORLDS[name].find()[0].mend == COMMANDS[name]


def test_a_title_is_a_short_sentence_on_one_line() -> None:
    assert len(ALL) > 60
    assert [one.title for one in ALL if not 20 <= len(one.title) <= 90 or not one.title.isprintable()] == []
    assert [one.title for one in ALL if one.title.endswith(".")] == []


def test_a_finding_has_evidence_and_says_what_it_costs() -> None:
    assert [one.id for one in ALL if not one.evidence or not one.cost or one.severity not in SEVERITIES] == []


def test_what_stands_in_a_file_is_shown_with_its_line() -> None:
    placed = [e.origin for one in ALL for e in one.evidence if e.origin.place in (CONFIG, MANIFEST, HOME_CONFIG)]
    assert len(placed) > 20
    assert all(origin.line > 0 for origin in placed)


def test_each_finding_is_described() -> None:
    described = {line[4:].strip("`") for line in DOCS.read_text().splitlines() if line.startswith("### ")}
    others = {*IDS_OF_LOGS, *native_findings.IDS, CLEANED, sampled_nvcc.UNSEEN, *stale_findings.IDS.values()}
    assert described == {one.id for one in ALL} | {"settings-unusable", *others}


def test_the_worst_comes_first() -> None:
    severities = [SEVERITIES.index(one.severity) for one in GUIDES["002 §1: musl, without clang"].find()]
    assert severities == sorted(severities)


def test_trouble_with_a_file_is_an_error_with_its_line() -> None:
    trouble = Trouble(Origin(CONFIG, 3), "jobs is a number")
    (finding,) = find(found(settings=Settings(troubles=(trouble,))), wish())
    assert (finding.severity, finding.title) == ("error", f"{CONFIG}, line 3: jobs is a number")
    assert finding.evidence[0].shown == f"{CONFIG}:3 says jobs is a number"


def test_a_long_path_leaves_room_for_what_is_wrong_in_the_title() -> None:
    trouble = Trouble(Origin(f"{ROOT}/{'deep/' * 20}deck.toml", 7), "it includes itself")
    (finding,) = find(found(settings=Settings(troubles=(trouble,))), wish())
    assert finding.title == "deck.toml, line 7: it includes itself"
    assert finding.evidence[0].origin == trouble.origin


def test_each_file_that_says_so_is_named_and_changed() -> None:
    files = {
        CONFIG: '[build]\nrustflags = ["-Zthreads=2", "--cfg", "a"]\n',
        HOME_CONFIG: '[build]\nrustflags = ["-Zx"]\n',
    }
    finding = next(one for one in find(found(files), wish()) if one.id == "nightly-flags")
    assert [e.origin.place for e in finding.evidence] == [CONFIG, HOME_CONFIG, "rustup default"]
    assert with_mend(finding, files.__getitem__).mend == (
        "--- a/.cargo/config.toml\n+++ b/.cargo/config.toml\n@@ -2 +2 @@ [build]\n"
        '-rustflags = ["-Zthreads=2", "--cfg", "a"]\n+rustflags = ["--cfg", "a"]\n'
        '--- a/config.toml\n+++ b/config.toml\n@@ -2 +1,0 @@ [build]\n-rustflags = ["-Zx"]\n'
    )


def test_a_credential_in_the_address_of_a_store_is_not_shown() -> None:
    env = SCCACHE | {"SCCACHE_REDIS_ENDPOINT": "redis://me:secret@host", "RUSTFLAGS": "-Ctarget-cpu=native"}
    (finding,) = find(found(env=env), wish())
    assert "secret" not in repr(finding)


@pytest.mark.parametrize(
    ("linker", "package"),
    [("x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64"), ("arm-linux-gnueabihf-gcc", "gcc-arm-linux-gnueabihf"),
     ("musl-gcc", "musl-tools"), ("clang", "clang"), ("link.exe", "")],
)  # fmt: skip
def test_the_package_of_a_linker_is_named_where_it_is_known(linker: str, package: str) -> None:
    assert package_of(linker) == package


KEYS = [
    ("build", "rustc-wrapper"), ("build", "incremental"), ("build", "rustflags"), ("build", "jobs"),
    ("build", "target-dir"), ("target", HOST, "rustflags"), ("target", "cfg(", "rustflags"), ("target", HOST, "linker"),
    ("target", "cfg(unix)", "linker"), ("profile", "dev", "incremental"), ("profile", "dev", "lto"),
    ("profile", "dev", "codegen-units"), ("profile", "dev", "inherits"), ("profile", "dev", "panic"),
    ("profile", "dev", "debug"), ("profile", "dev", "split-debuginfo"), ("profile", "test", "inherits"),
    ("env", "CARGO_INCREMENTAL"), ("env", "CARGO_BUILD_JOBS"), ("env", "RUSTC_THREADS", "value"), ("env",),
    ("env", "SCCACHE_BASEDIRS"), ("unstable", "build-std"), ("unstable",), (), ("target",), ("profile",),
]  # fmt: skip
VALUES: list[Any] = [
    True, False, 0, 1, -1, 1 << 70, 1.5, "", "x", "1", "\x00\x1b[31m\n", "-C", "-Z", "-C lto -Zthreads=99999999999999",
    [], ["-C"], [1, None, {}], ["-Cpanic=abort", "-Z", "threads=0"], {}, {"value": 1}, "dev", "test", "release", None,
    ["-C", "linker="], ["-Clink-arg=-fuse-ld="], "sccache", "é" * 5000, ["\ud800"],
]  # fmt: skip
NAMES = (
    "RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTC_WRAPPER CARGO_INCREMENTAL CARGO_HOME CARGO_TARGET_DIR AGENT_ID MAKEFLAGS "
    "SCCACHE_BASEDIRS SCCACHE_DIRECT CI RUSTC_THREADS CARGO_TERM_COLOR TMPDIR SCCACHE_DIR"
).split()


def test_no_value_of_a_wrong_kind_raises() -> None:
    chance = random.Random(5)
    seen = set()
    for _ in range(3000):
        given = {key: Given(chance.choice(VALUES), Origin(chance.choice([CONFIG, "--config", ""])))
                 for key in chance.sample(KEYS, 5)}  # fmt: skip
        env = {name: str(chance.choice(VALUES)) for name in chance.sample(NAMES, 4)}
        there = Found(
            toolchain=chance.choice([STABLE, NIGHTLY, STABLE._replace(channel="", host="")]), env=env,
            settings=Settings(given, given if chance.random() < 0.5 else {}, tuple(given.items())),
            root=chance.choice(["", "/", ROOT]), tools=tools(), cwd=chance.choice(["", "/", ROOT]),
        )  # fmt: skip
        wanted = wish(chance.choice(["build", "test", "build --release", "build --profile x", "bench", "nextest -j 1"]),
                      target_dir_source="user", target_dir=chance.choice(["", "/", "/x"]))  # fmt: skip
        seen |= {one.id for one in find(there, wanted)}
    assert len(seen) > 15


def test_a_wish_without_anything_is_a_dev_build() -> None:
    assert find(Found(), Wish()) == ()


FOREIGN = [
    "x; touch PWN #",
    "$(touch PWN)",
    "`touch PWN`",
    "a\ntouch PWN",
    "a b",
    "-y",
    "&touch",
    "'",
    "\x1b[201~touch PWN",
    "",
]


def unknown_target(config: str = "", **env: str) -> Finding:
    """The finding of a target whose name is nearly musl's."""
    base = found({CONFIG: config} if config else {}, env)
    given = base.settings.get("build", "target") or Given(env.get("CARGO_BUILD_TARGET"), Origin("CARGO_BUILD_TARGET"))
    if env:
        base = base._replace(settings=base.settings._replace(values={("build", "target"): given}))
    target = Target(str(given.value), given.origin, has_std=False, is_known=False, nearest=MUSL)
    (finding,) = find(base._replace(target=target), wish())
    return finding


def test_a_target_that_there_is_not_is_mended_where_it_stands() -> None:
    of_file = unknown_target('[build]\ntarget = "x86_64-unknown-linux-msl"\n')
    assert of_file.title == f"rustc knows no target x86_64-unknown-linux-msl: did you mean {MUSL}?"
    assert of_file.changes == (Change(CONFIG, ("build", "target"), MUSL, ROOT),)
    assert unknown_target(CARGO_BUILD_TARGET="musl").mend == f"export CARGO_BUILD_TARGET={MUSL}"
    assert unknown_target('[build]\ntarget = ["musl"]\n').changes == ()


@pytest.mark.parametrize("word", FOREIGN)
def test_a_name_that_a_shell_would_obey_is_in_no_command(word: str) -> None:
    worlds = [
        found(toolchain=STABLE._replace(name=word, is_installed=False)),
        found(target=Target(word, Origin(CONFIG, 1), has_std=False)),
        found(toolchain=STABLE._replace(name=word), target=musl(has_std=False)),
        found(target=Target(word, Origin(CONFIG, 1), has_std=True, linker=f"{word}-linux-gnu-gcc")),
    ]
    seen = [one for world in worlds for one in find(world, wish())]
    assert len(seen) >= (3 if word else 2)
    assert [one.mend for one in seen if "PWN" in one.mend or (word and word in one.mend)] == []


@pytest.mark.parametrize("word", FOREIGN)
def test_foreign_words_of_a_command_are_one_word_for_a_shell(word: str, tmp_path: Path) -> None:
    text = f"-Wx -Clink-arg={word} -Copt-level=2"
    findings = find(found(env={"RUSTFLAGS": text}), wish())
    findings += find(found({CONFIG: '[build]\nrustflags = ["-Wy"]\n'}, {"RUSTFLAGS": text}), wish())
    commands = [one.mend for one in findings if one.mend]
    assert len(commands) == (3 if "\x1b" not in word else 1)
    for command in commands:
        script = f"cargo() {{ :; }}\n{command}\n"
        subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True, capture_output=True)
        assert command.isprintable()
    assert list(tmp_path.iterdir()) == []


def test_no_credential_leaves_what_finds() -> None:
    config = (
        '[build]\nrustflags = ["-Clink-arg=SECRET_KEY=planted", "-Clink-arg=hunter2hunter2", "-Clink-arg=a"]\n'
        '[unstable]\nx = "sparse+https://user:planted@host"\n'
        f'[target.{HOST}]\nrustflags = ["-Wx"]\n'
    )
    env = {"DEPLOY_TOKEN": "hunter2hunter2"}
    files = {CONFIG: config}
    said = [
        *find(found(files, env), wish()),
        *find(found(files, {**env, "RUSTFLAGS": "-Clink-arg=hunter2hunter2 -Clto"}), wish()),
    ]
    assert {one.id for one in said} >= {"rustflags-shadowed", "unstable-table", "rustflags-dropped", "lto-in-rustflags"}
    assert "SECRET_KEY=***" in str(said)
    assert "planted" not in str(said)
    assert "hunter2" not in str(said)
    (shadowed,) = (one for one in said if one.id == "rustflags-shadowed")
    assert with_mend(shadowed, files.__getitem__).mend == ""
