"""What logs say of native failures, recorded from the real tools, and the findings that are made of it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.events import RunStarted
from core.native.cleans.blame import Blame, Place, look_into
from core.native.cleans.telling import MOST_LOOKS, teller
from core.paths import Paths
from core.plan.plan import Finding
from core.watch.fault_book import Chosen, FaultBook
from core.watch.native_failures import (
    ARCH,
    CACHE,
    HEADER,
    HOST,
    MEMORY,
    NVCC,
    RULE,
    SYMBOL,
    NativeFailureReader,
    NativeFault,
)
from core.watch.native_findings import finding_of
from tests.core.engine_world import World, settle
from tests.cpu import least_cpu_s

DATA = Path(__file__).parents[1] / "data" / "native"
NAMES = sorted(path.stem for path in DATA.glob("*.log"))
CODE = "/home/user/code"
_RUN = "20260101-000000-000-0001"


def program(name: str) -> str:
    return {"cargo": "cargo", "nvcc": "nvcc"}.get(name.partition("-")[0], "make")


def faults(name: str, said: bytes | None = None) -> list[NativeFault]:
    reader = NativeFailureReader(program(name))
    return reader.feed((DATA / f"{name}.log").read_bytes() if said is None else said) + reader.close()


# name: kind, what it is about, who needs it (its end), package
EXPECTED = {
    "bash-no-nvcc": (NVCC, "", "", ""),
    "cargo-arch": (ARCH, "compute_35", "", "worker-kernels"),
    "cargo-cmake-moved": (CACHE, f"{CODE}/cargo-cmake-moved/build", f"{CODE}/elsewhere/make", "worker-kernels"),
    "cargo-header": (HEADER, "deep/inc.cuh", "k.cu:1", "worker-kernels"),
    "cargo-link-bfd": (SYMBOL, "launch_scale", ".rcgu.o", "worker-kernels"),
    "cargo-link-default": (SYMBOL, "launch_scale", "::main::hac9fabd11f1b853c)", "worker-kernels"),
    "cargo-link-gold": (SYMBOL, "launch_scale", "src/main.rs:2", "worker-kernels"),
    "cargo-link-lld": (SYMBOL, "launch_scale", "::main::hac9fabd11f1b853c)", "worker-kernels"),
    "cargo-link-mold": (SYMBOL, "launch_scale", "::main::hac9fabd11f1b853c)", "worker-kernels"),
    "cargo-no-nvcc": (NVCC, "", "", "worker-kernels"),
    "cargo-no-rule": (RULE, f"{CODE}/cargo-no-rule/two.c", "CMakeFiles/thing.dir/two.c.o", "worker-kernels"),
    "cargo-nvcc-killed": (MEMORY, "nvcc", "", "worker-kernels"),
    "cargo-nvcc-not-started": (NVCC, "", "", "worker-kernels"),
    "clang-header": (HEADER, "nosuch.h", "h.c:1", ""),
    "cmake-arch": (ARCH, "compute_35", "", ""),
    "cmake-build-no-rule": (RULE, f"{CODE}/cuda/two.c", "CMakeFiles/thing.dir/two.c.o", ""),
    "cmake-generator": (CACHE, "", "Ninja", ""),
    "cmake-moved": (CACHE, f"{CODE}/copy/build", f"{CODE}/cuda/build", ""),
    "cmake-moved-build": (CACHE, f"{CODE}/copy/make", f"{CODE}/cuda/make", ""),
    "cmake-no-nvcc": (NVCC, "", "", ""),
    "cmake-source": (CACHE, "", f"{CODE}/cuda/CMakeLists.txt", ""),
    "gcc-header": (HEADER, "nosuch.h", "h.c:1", ""),
    "link-c-bfd": (SYMBOL, "launch", ".o", ""),
    "link-c-gold": (SYMBOL, "launch", ".o", ""),
    "link-c-lld": (SYMBOL, "launch", ".o:(main)", ""),
    "link-c-mold": (SYMBOL, "launch", ".o:(main)", ""),
    "link-cpp-bfd": (SYMBOL, "a::launch(float*, int)", ".o", ""),
    "link-cpp-gold": (SYMBOL, "a::launch(float*, int)", ".o", ""),
    "link-cpp-lld": (SYMBOL, "a::launch(float*, int)", ".o:(main)", ""),
    "link-cpp-mold": (SYMBOL, "a::launch(float*, int)", ".o:(main)", ""),
    "make-no-nvcc": (NVCC, "", "", ""),
    "make-no-rule": (RULE, f"{CODE}/cuda/two.c", "CMakeFiles/thing.dir/two.c.o", ""),
    "make-nvcc-killed": (MEMORY, "nvcc", "", ""),
    "make-plain-no-rule": (RULE, "thing.h", "thing.o", ""),
    "ninja-no-rule": (RULE, f"{CODE}/cuda/two.c", "CMakeFiles/thing.dir/two.c.o", ""),
    "nvcc-arch": (ARCH, "compute_35", "", ""),
    "nvcc-ccbin": (HOST, "Failed to preprocess host compiler properties", "", ""),
    "nvcc-cicc-died": (MEMORY, "cicc", "", ""),
    "nvcc-cicc-killed": (MEMORY, "nvcc", "", ""),
    "nvcc-cudafe-memory": (MEMORY, "", "stl_iterator_base_funcs.h(191)", ""),
    "nvcc-gnu": (HOST, "unsupported GNU version! gcc versions later than 15 are not supported", "", ""),
    "nvcc-header": (HEADER, "deep/inc.cuh", "k.cu:1", ""),
    "nvcc-ptxas-died": (MEMORY, "ptxas", "", ""),
    "nvcc-ptxas-killed": (MEMORY, "nvcc", "", ""),
    "sh-no-nvcc": (NVCC, "", "", ""),
}


def test_each_recording_is_expected_to_tell_of_something() -> None:
    assert {*EXPECTED, "cargo-very-verbose"} == {*NAMES}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_the_tools_say_is_told_once_with_its_words(name: str) -> None:
    kind, subject, by, package = EXPECTED[name]
    (fault,) = faults(name)
    assert (fault.kind, fault.subject, fault.package) == (kind, subject, package)
    assert fault.by.endswith(by)
    assert bool(fault.by) is bool(by)
    content = (DATA / f"{name}.log").read_text()
    assert fault.said in content


def test_of_a_very_verbose_build_that_goes_on_only_what_is_no_try_of_a_compiler_is_told() -> None:
    stale, symbol = faults("cargo-very-verbose")
    assert (stale.kind, stale.subject, stale.package) == (CACHE, f"{CODE}/verbose/build", "worker-kernels")
    assert (symbol.kind, symbol.subject, symbol.package) == (SYMBOL, "launch_scale", "worker-kernels")


@pytest.mark.parametrize("name", NAMES)
def test_a_log_says_the_same_at_every_cut(name: str) -> None:
    whole, content = faults(name), (DATA / f"{name}.log").read_bytes()
    for cut in range(0, len(content), 1 if len(content) < 1200 else 13):
        reader = NativeFailureReader(program(name))
        assert reader.feed(content[:cut]) + reader.feed(content[cut:]) + reader.close() == whole


def test_a_coloured_build_is_read_too() -> None:
    content = (DATA / "cargo-arch.log").read_bytes().replace(b"error:", b"\x1b[1m\x1b[91merror\x1b[0m:", 1)
    assert [one.kind for one in faults("cargo-arch", content)] == [ARCH]


@pytest.mark.parametrize("end", [b"\r", b"\r\x1b[K"])
def test_what_follows_cargos_progress_in_the_same_line_is_read(end: bytes) -> None:
    progress = (b"    Building [===>    ] 1/4: kern(build)" + b" " * 90 + end) * 50
    content = (DATA / "cargo-arch.log").read_bytes().replace(b"error: failed", progress + b"error: failed", 1)
    assert [(one.kind, one.package) for one in faults("cargo-arch", content)] == [(ARCH, "worker-kernels")]
    windows = (DATA / "nvcc-arch.log").read_bytes().replace(b"\n", b"\r\n")
    assert faults("nvcc-arch", windows) == faults("nvcc-arch")


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("cargo")])
def test_cargos_note_on_backtraces_hides_nothing(name: str) -> None:
    note = (
        b"note: To improve backtraces for build dependencies, set the CARGO_PROFILE_DEV_BUILD_OVERRIDE_DEBUG=true e\n"
    )
    lines = (DATA / f"{name}.log").read_bytes().splitlines(keepends=True)
    noted = [line + note if b"failed to run custom build command" in line else line for line in lines]
    assert faults(name, b"".join(noted)) == faults(name)


def test_several_symbols_of_one_link_are_one_failure() -> None:
    lines = b"".join(
        b"/usr/bin/ld: a.o: in function `f':\na.c:1: undefined reference to `s%d'\n" % n for n in range(40)
    )
    (fault,) = faults("link", lines + lines + b"collect2: error: ld returned 1 exit status\n")
    assert (fault.subject, fault.by, fault.more[:2]) == ("s0", "a.o", ("s1", "s2"))
    assert len(fault.more) == 8


@pytest.mark.parametrize(
    "said",
    [
        b"make: *** No rule to make target 'x', needed by 'y'.  Stop.\n",
        b"nvcc fatal   : Unsupported gpu architecture 'compute_35'\n",
        b"a.c:1:10: fatal error: x.h: No such file or directory\n",
        b"rust-lld: error: undefined symbol: x\n",
        b"nvcc was called\nKilled\n",
        b"[package 1.0.0] conftest.c:1:10: fatal error: x.h: No such file or directory\n",
        b"[package 1.0.0] bash: line 1: nvcc: command not found\n",
    ],
)
def test_what_a_program_prints_that_cargo_runs_is_no_failure_of_tools(said: bytes) -> None:
    assert faults("cargo", b"    Finished `dev` profile\n     Running `target/debug/app`\n" + said) == []


def test_a_killed_process_far_from_nvcc_is_not_nvccs() -> None:
    assert faults("make", b"nvcc -c k.cu\n" + b"cc -c x.c\n" * 80 + b"Killed\n") == []


def test_other_words_of_cmake_and_nvcc_are_no_failures() -> None:
    said = b"CMake Error at CMakeLists.txt:3 (message): no\nnvcc warning : old\nnvcc: ok\nfatal error: x\n"
    assert faults("make", said * 3) == []


@pytest.mark.parametrize(
    "piece",
    [b"make: *** ", b"a.o: ", b"nvcc", b"(1): ", b"x:1:", b"undefined ", b">>> ", b"'", b"\x1b[", b": in function "],
)
def test_long_lines_are_looked_at_in_linear_time(piece: bytes) -> None:
    tail = (
        b" undefined reference to `\nCMake Error catastrophic error: out of fatal error: died due to signal"
        b" cannot open source o rule to make nvcc fatal unsupported used to generate cache CMakeCache.txt directory\n"
    )

    def cost_s(count: int) -> float:
        return least_cpu_s(lambda: faults("make", (piece * count + tail) * 20))

    assert cost_s(60_000) < 15 * cost_s(6000) + 0.1


def test_a_flood_is_told_in_part_and_hostile_bytes_are_read_in_bounded_memory() -> None:
    flood = b"".join(b"nvcc fatal   : Unsupported gpu architecture 'sm_%d'\n" % n for n in range(9000))
    assert 0 < len(faults("make", flood)) <= 20
    reader = NativeFailureReader("cargo")
    for _ in range(50):
        assert reader.feed(b"error: linking with `" + b"\xff\x00\x1b[" * 5000) == []
    assert reader.feed(b"\n" * 9000) == []


def test_files_are_looked_at_for_the_first_failures_alone_and_once_each(tmp_path: Path) -> None:
    build = tmp_path / "build"
    build.mkdir()
    (build / "CMakeCache.txt").write_text("CMAKE_GENERATOR:INTERNAL=Ninja\n")
    started = RunStarted(at=0.0, run=_RUN, agent="me", tool="exec", subcommand="make", command="make",
                         cwd=str(tmp_path), checkout=str(tmp_path), target_dir=None,
                         is_private_target=False, is_owned=True, is_split=False)  # fmt: skip
    tell = teller(Paths(str(tmp_path / "state"), str(tmp_path / "cache")), started)
    told = [NativeFault(CACHE, f"line {number}", subject=str(build)) for number in range(MOST_LOOKS + 1)]
    mends = [tell(one).mend for one in (*told[:-1], *told)]
    assert [bool(one) for one in mends] == [True] * (2 * MOST_LOOKS) + [False]
    (build / "CMakeCache.txt").unlink()
    assert tell(told[0]).mend, "nobody looks twice"


def finding(name: str, blame: Blame | None = None) -> Finding:
    return finding_of(faults(name)[0], blame or Blame())


@pytest.mark.parametrize("name", EXPECTED)
def test_each_failure_is_a_finding_that_says_what_it_costs_and_where_it_was_said(name: str) -> None:
    found = finding(name)
    assert (found.id, found.severity) == (EXPECTED[name][0], "error")
    assert found.title
    assert found.cost
    assert found.evidence[0].value == faults(name)[0].said
    assert "\n" not in found.mend


@pytest.mark.parametrize(
    ("name", "blame", "mend"),
    [
        ("cargo-cmake-moved", Blame(folder="/w/build"), "cargo deck clean --cmake /w/build"),
        ("cargo-cmake-moved", Blame(), "cargo deck clean -p worker-kernels"),
        ("cmake-moved", Blame(), ""),
        ("cmake-moved", Blame(folder="/w/a b;rm'x"), "cargo deck clean --cmake '/w/a b;rm'\"'\"'x'"),
        ("cmake-moved", Blame(folder="/w/a\nb"), ""),
        ("cmake-moved", Blame(folder="/w/\u202eb"), ""),
        ("cargo-no-rule", Blame(folder="/w/build"), "cargo deck clean --cmake /w/build"),
        ("cargo-no-rule", Blame(folder="/w/build", named_at="/w/CMakeLists.txt:3"), ""),
        ("cargo-no-rule", Blame(), "cargo deck clean -p worker-kernels"),
        ("make-plain-no-rule", Blame(), ""),
        ("cargo-link-default", Blame(package="kern", source="/w/k.cu", library="/w/k.a", is_stale=True),
         "cargo deck clean -p kern"),
        ("cargo-link-default", Blame(package="kern", source="/w/k.cu", library="/w/k.a", is_stale=False), ""),
        ("cargo-link-default", Blame(), ""),
        ("cargo-no-nvcc", Blame(nvcc="/opt/cuda 13/bin"), "export PATH='/opt/cuda 13/bin':\"$PATH\""),
        ("nvcc-gnu", Blame(), "export NVCC_CCBIN=g++-15"),
    ],
)  # fmt: skip
def test_the_mend_is_the_smallest_clean_that_helps_and_none_where_a_clean_does_not(
    name: str, blame: Blame, mend: str
) -> None:
    assert finding(name, blame).mend == mend


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A CMake project with a build folder, as far as names and cache go."""
    (tmp_path / "build/CMakeFiles").mkdir(parents=True)
    cache = f"CMAKE_GENERATOR:INTERNAL=Ninja\nCMAKE_HOME_DIRECTORY:INTERNAL={tmp_path}\n"
    (tmp_path / "build/CMakeCache.txt").write_text(cache)
    (tmp_path / "build/build.ninja").write_text(f"build x.o: CC {tmp_path}/gone.c\n")
    (tmp_path / "CMakeLists.txt").write_text("file(GLOB all *.c)\n# gone.c\nadd_library(x ${all})\n")
    return tmp_path


def test_the_folder_that_is_stale_is_found_where_it_is_said(project: Path) -> None:
    fault = NativeFault(CACHE, "", str(project / "build"), "/old")
    assert look_into(fault, Place("/")) == Blame(folder=str(project / "build"))
    assert look_into(fault._replace(subject=str(project)), Place("/")) == Blame()


def test_the_folder_of_another_generator_is_found_where_there_is_but_one(project: Path) -> None:
    fault = NativeFault(CACHE, "", "", "Ninja", package_dir=str(project))
    assert look_into(fault, Place("/")) == Blame(folder=str(project / "build"))
    assert look_into(fault._replace(by="Unix Makefiles"), Place("/")) == Blame()
    (project / "other").mkdir()
    (project / "other/CMakeCache.txt").write_bytes((project / "build/CMakeCache.txt").read_bytes())
    assert look_into(fault, Place("/")) == Blame()


def test_a_file_that_a_glob_found_once_is_mended_by_a_clean_and_one_that_is_named_is_not(project: Path) -> None:
    fault = NativeFault(RULE, "", f"{project}/gone.c", "x.o", folder="build")
    assert look_into(fault, Place(str(project))) == Blame(folder=str(project / "build"))
    (project / "CMakeLists.txt").write_text("add_library(x one.c\n  gone.c)\n")
    named = look_into(fault, Place(str(project)))
    assert named == Blame(str(project / "build"), f"{project}/CMakeLists.txt:2")
    assert finding_of(fault, named).evidence[1].shown == f"{project}/CMakeLists.txt:2 says gone.c"


def test_the_folder_of_a_missing_rule_is_found_by_who_names_the_file(project: Path) -> None:
    fault = NativeFault(RULE, "", f"{project}/gone.c", "x.o", package_dir=str(project))
    assert look_into(fault, Place("/")) == Blame(folder=str(project / "build"))
    assert look_into(fault._replace(subject="/else.c"), Place("/")) == Blame()


def make_script_run(root: Path, source: str) -> Path:
    """What cargo leaves of a build script that ran; its library, which is older than nothing."""
    crate, built = root / "kern", root / "target/debug"
    for folder in (crate / "src", built / "build/kern-0a/out", built / "build/kern-0b", built / ".fingerprint/kern-0a",
                   built / ".fingerprint/kern-0b"):  # fmt: skip
        folder.mkdir(parents=True)
    (crate / "Cargo.toml").write_text('[package]\nname = "kern"\n')
    (crate / "k.cu").write_text(source)
    (built / "build/kern-0a/output").write_text("cargo:rerun-if-changed=build.rs\n")
    (built / "build/kern-0a/invoked.timestamp").write_text("")
    (built / "build/kern-0b/build_script_build-0b.d").write_text("x: kern/build.rs\n")
    (built / ".fingerprint/kern-0b/build-script-build-script-build").write_text("0b00000000000000")
    note = '{"deps": [[1, "build_script_build", false, 11]], "local": []}'
    (built / ".fingerprint/kern-0a/run-build-script-build-script-build.json").write_text(note)
    library = built / "build/kern-0a/out/libk.a"
    library.write_bytes(b"!<arch>\n")
    return library


def test_a_library_that_is_older_than_the_source_with_the_symbol_is_told_and_mended(tmp_path: Path) -> None:
    library = make_script_run(tmp_path, 'extern "C" int launch_scale(float by) { return 0; }\n')
    place = Place(str(tmp_path), str(tmp_path / "target"), str(tmp_path))
    fault = faults("cargo-link-default")[0]
    source = tmp_path / "kern/k.cu"
    for newer, is_stale in ((source, True), (library, False)):
        os.utime(newer, ns=(2_000_000_000_000_000_000 + is_stale, 2_000_000_000_000_000_000 + is_stale))
        os.utime(library if is_stale else source, ns=(10**18, 10**18))
        blame = look_into(fault, place)
        assert blame == Blame(package="kern", source=str(source), library=str(library), is_stale=is_stale)
    source.write_text("int launch_scale_other;\n")
    assert look_into(fault, place) == Blame()


@pytest.mark.parametrize("subject", ["", "x", "(", "operator+(int)", "a::b::launch_scale(float)", "\udce4launch"])
def test_whatever_a_symbol_is_called_nothing_is_raised(tmp_path: Path, subject: str) -> None:
    make_script_run(tmp_path, "int launch_scale;\n")
    fault = NativeFault(SYMBOL, "", subject)
    blame = look_into(fault, Place(str(tmp_path), str(tmp_path / "target"), str(tmp_path)))
    assert (blame.source != "") is ("launch_scale" in subject)


def test_an_nvcc_beside_path_is_found(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/nvcc").write_text("#!/bin/sh\n")
    (tmp_path / "bin/nvcc").chmod(0o755)
    fault = NativeFault(NVCC, "nvcc: not found")
    assert look_into(fault, Place("/", env={"CUDA_HOME": str(tmp_path)})).nvcc == str(tmp_path / "bin")


@pytest.mark.parametrize("kind", [CACHE, RULE, SYMBOL, HEADER])
def test_hostile_files_are_not_in_the_way(tmp_path: Path, kind: str) -> None:
    (tmp_path / "CMakeCache.txt").mkdir()
    os.mkfifo(tmp_path / "build.ninja")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "target").write_text("a file")
    fault = NativeFault(kind, "", "a\x00b", "\x00", "\x00", package_dir=str(tmp_path))
    assert look_into(fault, Place(str(tmp_path), str(tmp_path / "target"), str(tmp_path))) == Blame()


def test_a_book_gives_each_finding_once_and_those_of_a_link_at_the_end_of_the_log() -> None:
    def tell(fault: NativeFault) -> Finding:
        return finding_of(fault, Blame())

    book = FaultBook(Chosen(), (), ("make", tell))
    content = (DATA / "nvcc-arch.log").read_bytes()
    first = book.read("out", content)
    assert first is not None
    assert [one.id for one in first] == [ARCH]
    assert book.read("out", content) is None
    assert book.read("out", b"/usr/bin/ld: undefined reference to `x'\n") is None
    last = book.close()
    assert last is not None
    assert [one.id for one in last] == [SYMBOL, ARCH]
    assert FaultBook(Chosen(), last, ("make", tell)).read("out", content) is None
    assert FaultBook(Chosen(), ()).read("out", content) is None


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    one = World(tmp_path)
    yield one
    one.close()


def test_a_native_failure_is_on_the_board_with_the_command_that_mends_it(world: World, project: Path) -> None:
    engine = world.engine()
    world.start(_RUN, tool="exec", subcommand="cmake", json="none", parser="generic", cwd=str(project))
    settle(engine)
    said = (
        (DATA / "cmake-moved.log").read_bytes().replace(f"{CODE}/copy/build".encode(), os.fsencode(project / "build"))
    )
    world.write(_RUN, said)
    settle(engine)
    (found,) = world.board_run(_RUN).findings
    assert (found.id, found.mend) == (CACHE, f"cargo deck clean --cmake {project}/build")
