"""What is looked up before a plan: programs and their answers, and all of it put together."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from core.paths import Paths
from core.plan.answers import Answer, Answers, Question
from core.plan.ask import ask
from core.plan.ccache_mode import goes_by_dependencies
from core.plan.given import Given, Origin, Settings
from core.plan.look import is_native, look, native_features, relevant
from core.plan.refused import refuse_linker, refused_linkers
from core.plan.toolchain import Programs
from core.plan.tools import find_tools
from tests.core.runs import until

ROOT = Path(__file__).parents[2]
VERSION = Question("version", ("--version",))


def program(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


class Asker:
    """Answers for programs, and counts."""

    def __init__(self, **said: str | Answer) -> None:
        self.said = said
        self.asked: list[str] = []

    def __call__(self, path: str, words: tuple[str, ...], env: Mapping[str, str]) -> Answer:
        name = os.path.basename(path)
        self.asked.append(name)
        said = self.said.get(name, "")
        return said if isinstance(said, Answer) else Answer(said)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# What programs answered.


def test_a_program_is_asked_once_until_its_file_changes(tmp_path: Path) -> None:
    path, asker, file = (
        program(tmp_path / "bin/mold", "\x7fELF"),
        Asker(mold="one"),
        str(tmp_path / "cache/answers.json"),
    )
    first = Answers(file, ask=asker)
    assert first.find(VERSION, path, {}, may_ask=True) == ("one", "")
    first.keep()
    assert Answers(file, ask=asker).find(VERSION, path, {}, may_ask=True) == ("one", "")
    assert asker.asked == ["mold"]
    program(Path(path), "\x7fELF of more bytes")
    asker.said["mold"] = "two"
    assert Answers(file, ask=asker).find(VERSION, path, {}, may_ask=True) == ("two", "")
    assert os.stat(file).st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path / "cache") == ["answers.json"]


def test_a_file_of_the_same_size_and_time_in_its_place_is_asked_anew(tmp_path: Path) -> None:
    path, asker, answers = program(tmp_path / "mold", "\x7fELF"), Asker(mold="one"), None
    answers = Answers(str(tmp_path / "answers.json"), ask=asker)
    answers.find(VERSION, path, {}, may_ask=True)
    before = os.stat(path)
    other = program(tmp_path / "other", "\x7fELG")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(other, path)
    answers.find(VERSION, path, {}, may_ask=True)
    assert asker.asked == ["mold", "mold"]


def test_who_may_not_ask_gets_what_is_kept_however_old_and_the_name_of_what_is_not(tmp_path: Path) -> None:
    path, asker, clock = program(tmp_path / "mold", "\x7fELF"), Asker(mold="one"), Clock()
    answers = Answers(str(tmp_path / "answers.json"), ask=asker, clock=clock)
    assert answers.find(VERSION, path, {}, may_ask=False) is None
    assert (answers.unasked, asker.asked) == (["version"], [])
    answers.find(VERSION, path, {}, may_ask=True)
    answers.unasked.clear()
    clock.now += 3600
    assert (answers.find(VERSION, path, {}, may_ask=False), answers.unasked) == (("one", ""), [])
    clock.now += 86400
    assert (answers.find(VERSION, path, {}, may_ask=False), answers.unasked) == (("one", ""), ["version"])
    answers.find(VERSION, path, {}, may_ask=True)
    assert asker.asked == ["mold", "mold"]


@pytest.mark.parametrize("case", ["script", "trouble", "cache under a compiler's name"])
def test_what_may_change_without_its_file_is_asked_again_soon(tmp_path: Path, case: str) -> None:
    path = program(tmp_path / "cc", "#!/bin/sh\n" if case == "script" else "\x7fELF")
    if case.startswith("cache"):
        os.rename(path, tmp_path / "ccache")
        os.symlink("ccache", path)
    asker, clock = Asker(cc=Answer("", "ends with code 1: no") if case == "trouble" else "one"), Clock()
    answers = Answers(str(tmp_path / "answers.json"), ask=asker, clock=clock)
    answers.find(VERSION, path, {}, may_ask=True)
    clock.now += 500
    answers.find(VERSION, path, {}, may_ask=True)
    assert len(asker.asked) == 1
    clock.now += 200
    answers.find(VERSION, path, {}, may_ask=True)
    assert len(asker.asked) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema": 2, "answers": {}}', b'{"schema": 1, "answers": []}',
        b'{"schema": 1, "answers": {"version %s": 1}}', b'{"schema": 1, "answers": {"version %s": ["a", 1, "", 2]}}',
        b'{"schema": 1, "answers": {"version %s": ["a", "b", "c", true]}}', b"[" * 100_000, b" " * 2_000_000,
    ],
)  # fmt: skip
def test_a_damaged_file_of_answers_is_none(tmp_path: Path, content: bytes) -> None:
    path, asker, file = program(tmp_path / "mold", "\x7fELF"), Asker(mold="one"), tmp_path / "answers.json"
    file.write_bytes(content.replace(b"%s", os.fsencode(path)))
    answers = Answers(str(file), ask=asker)
    assert answers.find(VERSION, path, {}, may_ask=True) == ("one", "")
    answers.keep()
    assert json.loads(file.read_bytes())["answers"].keys() == {f"version {path}"}


@pytest.mark.parametrize("place", ["folder", "pipe", "loop", "no right", "full"])
def test_where_nothing_can_be_kept_programs_are_asked_each_time(tmp_path: Path, place: str) -> None:
    path, asker, file = program(tmp_path / "mold", "\x7fELF"), Asker(mold="one"), tmp_path / "there/answers.json"
    file.parent.mkdir()
    match place:
        case "folder":
            (file / "x").mkdir(parents=True)
        case "pipe":
            os.mkfifo(file.with_name("pipe"))
            file = file.with_name("pipe")
        case "loop":
            file.symlink_to(file)
        case "no right":
            file = Path("/proc/answers.json")
        case "full":
            file = Path("/dev/full/answers.json")
    answers = Answers(str(file), ask=asker)
    assert answers.find(VERSION, path, {}, may_ask=True) == ("one", "")
    answers.keep()
    left = [name for name in os.listdir(tmp_path / "there") if name not in ("answers.json", "pipe")]
    assert left == []


def test_answers_are_bounded_in_number_and_size(tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    path = program(tmp_path / "mold", "\x7fELF")
    answers = Answers(str(file), ask=Asker(mold="x" * 100_000))
    for number in range(300):
        answers.find(Question(f"q{number}", ()), path, {}, may_ask=True)
    answers.keep()
    kept = json.loads(file.read_bytes())["answers"]
    assert (len(kept), max(len(row[1]) for row in kept.values())) == (200, 4000)
    assert f"q299 {path}" in kept


def test_two_who_ask_at_once_keep_what_both_were_told(tmp_path: Path) -> None:
    file = str(tmp_path / "answers.json")
    one, two = (program(tmp_path / name, "\x7fELF") for name in ("mold", "lld"))
    ann, bob = Answers(file, ask=Asker(mold="m")), Answers(file, ask=Asker(lld="l"))
    ann.find(VERSION, one, {}, may_ask=True)
    bob.find(VERSION, two, {}, may_ask=True)
    ann.keep()
    bob.keep()
    after = Answers(file, ask=Asker())
    assert [after.find(VERSION, path, {}, may_ask=False) for path in (one, two)] == [("m", ""), ("l", "")]


# Asking.


def test_a_program_is_asked_in_the_c_locale_with_nothing_to_read_and_without_our_variables(tmp_path: Path) -> None:
    path = program(
        tmp_path / "x", '#!/bin/sh\nread line\necho "$LC_ALL $1 $(pwd) [$line] [$DECK_RUN$MAKEFLAGS] $KEPT"\n'
    )
    env = {"PATH": os.environ["PATH"], "LC_ALL": "de_DE", "DECK_RUN": "r", "MAKEFLAGS": "-j9", "KEPT": "k"}
    assert ask(path, ("word",), env) == ("C word / [] [] k\n", "")


def test_what_stands_on_standard_error_counts_where_there_is_nothing_else(tmp_path: Path) -> None:
    assert ask(program(tmp_path / "ld", "#!/bin/sh\necho PROJECT:ld-1115 >&2\n"), (), {}).text == "PROJECT:ld-1115\n"


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("#!/bin/sh\necho a: no such library >&2\nexit 127\n", "ends with code 127: a: no such library"),
        ("#!/bin/sh\nexit 3\n", "ends with code 3 and says nothing"),
        ("#!/bin/sh\nkill -SEGV $$\n", "is killed by SIGSEGV and says nothing"),
        ("#!/nowhere/sh\n", "cannot be started: what its first line or its header names is missing (/nowhere/sh)"),
        ("no program", "is no program for this machine"),
        ("", "is no program for this machine"),
        ("\x7fELF", "is no program for this machine"),
        ("#!/bin/sh\nprintf '\\033[31mred\\007\\n' >&2\nexit 1\n", "ends with code 1: \\x1b[31mred\\x07"),
    ],
)
def test_why_a_program_does_not_run_is_said(tmp_path: Path, text: str, trouble: str) -> None:
    assert ask(program(tmp_path / "x", text), ("--version",), {"PATH": os.environ["PATH"]}).trouble == trouble


def test_a_program_that_hangs_is_killed_with_what_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.plan.ask.LIMIT_S", 0.3)
    path = program(tmp_path / "x", f"#!/bin/sh\nsleep 1000 &\necho $! > {tmp_path}/pid\nwait\n")
    assert ask(path, (), {"PATH": os.environ["PATH"]}).trouble == "did not answer in 0.3 s"
    child = int((tmp_path / "pid").read_text())
    until(lambda: is_over(child), "the end of the child")


def is_over(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_program_whose_child_holds_its_output_is_not_waited_for(tmp_path: Path) -> None:
    path = program(tmp_path / "x", "#!/bin/sh\nsleep 30 &\necho $!\n")
    said = ask(path, (), {"PATH": os.environ["PATH"]})
    os.kill(int(said.text), 9)
    assert said.trouble == ""


def test_a_program_that_never_stops_talking_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.plan.ask.LIMIT_S", 0.3)
    said = ask(program(tmp_path / "x", "#!/bin/sh\nwhile :; do echo yes; done\n"), (), {"PATH": os.environ["PATH"]})
    assert (len(said.text), said.trouble) == (1 << 16, "did not answer in 0.3 s")


# Tools.

SAID = {
    "cc": "cc (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright (C) 2022 Free Software Foundation, Inc.\n",
    "gcc": "Apple clang version 15.0.0 (clang-1500.3.9.4)\nTarget: arm64-apple-darwin23.4.0\n",
    "clang": "Ubuntu clang version 18.1.3 (1ubuntu1)\nTarget: x86_64-pc-linux-gnu\n",
    "ld": "GNU ld version 2.41-34.fc39\n",
    "ld.mold": "mold 2.40.0 (a1b2c3; compatible with GNU ld)\n",
    "ld.lld": "LLD 19.1.7 (compatible with GNU linkers)\n",
    "wild": "Wild version 0.8.0 (compatible with GNU linkers)\n",
    "ld.gold": "GNU gold (GNU Binutils for Debian 2.40) 1.16\n",
    "ld.bfd": "GNU ld (GNU Binutils for Debian) 2.40\n",
    "sccache": "sccache 0.16.0\n",
    "ccache": "ccache version 4.7.5\nFeatures: file-storage http-storage\n",
    "cargo-nextest": "cargo-nextest 0.9.100 (58ea6ad4a 2025-05-14)\nrelease: 0.9.100\n",
    "cmake": "cmake version 3.25.1\n\nCMake suite maintained and supported by Kitware (kitware.com/cmake).\n",
    "ninja": "1.11.1.git.kitware.jobserver-1\n",
    "make": "GNU Make 4.3\nBuilt for x86_64-pc-linux-gnu\n",
    "nvcc": "nvcc: NVIDIA (R) Cuda compiler driver\nCuda compilation tools, release 13.0, V13.0.88\n"
    "Build cuda_13.0.r13.0/compiler.36424714_0\n",
    "cross": "cross 0.2.5\n[cross] note: Falling back to `cargo` on the host.\ncargo 1.95.0 (abc 2026-04-14)\n",
    "musl-gcc": "x86_64-linux-gnu-gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0\n"
    "Copyright (C) 2022 Free Software Foundation, Inc.\n",
    "rustup": "rustup 1.29.0 (28d1352db 2026-03-05)\n",
}


def test_versions_are_read_out_of_what_each_tool_says(tmp_path: Path) -> None:
    for name in SAID:
        program(tmp_path / "bin" / name, "\x7fELF")
    answers = Answers(str(tmp_path / "answers.json"), ask=Asker(**SAID))
    tools = find_tools(TOOL_NAMES, {"PATH": f"{tmp_path}/bin"}, answers, may_ask=True)
    assert {name: (tool.shown, tool.kind) for name, tool in tools.items() if name != "sccache"} == {
        "cc": ("12.2.0", "gcc"), "gcc": ("15.0.0", "apple-clang"), "clang": ("18.1.3", "clang"), "ld": ("2.41", "bfd"),
        "mold": ("2.40.0", "mold"), "lld": ("19.1.7", "lld"), "wild": ("0.8.0", "wild"), "gold": ("1.16", "gold"),
        "bfd": ("2.40", "bfd"), "ccache": ("4.7.5", ""), "nextest": ("0.9.100", ""), "cmake": ("3.25.1", ""),
        "ninja": ("1.11.1", ""), "make": ("4.3", ""), "nvcc": ("13.0.88", ""), "cross": ("0.2.5", ""),
        "musl-gcc": ("12.2.0", "gcc"), "rustup": ("1.29.0", ""),
    }  # fmt: skip
    assert all(tool.is_usable for name, tool in tools.items() if name != "sccache")


TOOL_NAMES = (
    "cc", "gcc", "clang", "ld", "mold", "lld", "wild", "gold", "bfd", "sccache", "ccache", "nextest", "cmake", "ninja",
    "make", "nvcc", "cross", "musl-gcc", "rustup",
)  # fmt: skip


def test_a_tool_that_does_not_run_is_there_with_the_reason_and_what_to_do(tmp_path: Path) -> None:
    path = program(tmp_path / "mold", "#!/bin/sh\necho 'mold: libtbb.so.12: cannot open' >&2\nexit 127\n")
    env = {"PATH": str(tmp_path)}
    tool = find_tools(["mold"], env, Answers(str(tmp_path / "answers.json")), may_ask=True)["mold"]
    assert (tool.path, tool.is_usable) == (path, False)
    assert tool.trouble == (
        f"{path} ends with code 127: mold: libtbb.so.12: cannot open; install it again, or take it out of PATH"
    )


def test_fronts_folders_files_without_the_right_and_relative_folders_are_passed_over(tmp_path: Path) -> None:
    program(tmp_path / "cache/fronts/cc/cc", "\x7fELF")
    (tmp_path / "one/cc").mkdir(parents=True)
    program(tmp_path / "two/cc", "\x7fELF")
    (tmp_path / "two/cc").chmod(0o644)
    (tmp_path / "three").mkdir()
    (tmp_path / "three/cc").symlink_to("cc")
    real = program(tmp_path / "four/cc", "\x7fELF")
    folders = ("cache/fronts/cc", "one", "two", "three", "nowhere", "four")
    path = ":".join(["", ".", "bin", *(f"{tmp_path}/{folder}" for folder in folders)])
    answers = Answers(str(tmp_path / "answers.json"), ask=Asker(cc=SAID["cc"]))
    assert find_tools(["cc"], {"PATH": path}, answers, may_ask=True)["cc"].path == real


def test_tools_outside_of_path_are_found_where_cargo_and_cmake_find_them(tmp_path: Path) -> None:
    nextest = program(tmp_path / "cargo/bin/cargo-nextest", "\x7fELF")
    nvcc = program(tmp_path / "cuda/bin/nvcc", "\x7fELF")
    env = {"PATH": "", "CARGO_HOME": str(tmp_path / "cargo"), "CUDA_HOME": str(tmp_path / "cuda")}
    tools = find_tools(["nextest", "nvcc", "gcc"], env, Answers("", ask=Asker(**SAID)), may_ask=True)
    assert [tool.path for tool in tools.values()] == [nextest, nvcc, ""]


def test_of_two_sccaches_the_newer_one_that_runs_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = program(tmp_path / "venv/sccache", "#!/bin/sh\necho sccache 0.16.0\n")
    monkeypatch.setattr("sys.executable", str(tmp_path / "venv/python"))
    newer = program(tmp_path / "new/sccache", "#!/bin/sh\necho sccache 0.17.1\n")
    broken = program(tmp_path / "bad/sccache", "#!/bin/sh\necho sccache 9.0.0\nexit 1\n")
    file = str(tmp_path / "answers.json")
    for path, best in ((newer, newer), (broken, own), ("/nowhere/x", own)):
        env = {"PATH": os.path.dirname(path)}
        assert find_tools(["sccache"], env, Answers(file), may_ask=True)["sccache"].path == best


def test_a_tool_that_nobody_asked_is_there_and_named(tmp_path: Path) -> None:
    path = program(tmp_path / "mold", "\x7fELF")
    answers = Answers(str(tmp_path / "answers.json"), ask=Asker())
    tool = find_tools(["mold"], {"PATH": str(tmp_path)}, answers, may_ask=False)["mold"]
    assert (tool.path, tool.is_asked, tool.version, answers.unasked) == (path, False, (), ["mold"])


def test_a_number_of_a_thousand_digits_is_no_version(tmp_path: Path) -> None:
    program(tmp_path / "mold", "\x7fELF")
    answers = Answers("", ask=Asker(mold=f"mold {'9' * 50}.1\n"))
    assert find_tools(["mold"], {"PATH": str(tmp_path)}, answers, may_ask=True)["mold"].version == ()


# Linkers that were refused.


def test_a_refused_linker_is_refused_for_its_workspace_until_its_file_changes(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path / "state"), str(tmp_path / "cache"))
    mold = program(tmp_path / "bin/mold", "\x7fELF")
    answers = Answers("", ask=Asker(mold=SAID["ld.mold"]))
    tools = find_tools(["mold", "lld"], {"PATH": f"{tmp_path}/bin"}, answers, may_ask=True)
    assert refused_linkers(paths, "/ws", tools) == ()
    assert refuse_linker(paths, "/ws", "mold", mold)
    assert refuse_linker(paths, "/ws", "mold", mold)
    assert refused_linkers(paths, "/ws", tools) == ("mold",)
    assert refused_linkers(paths, "/other", tools) == ()
    program(Path(mold), "\x7fELF of another version")
    assert refused_linkers(paths, "/ws", tools) == ()
    assert (tmp_path / "state/linkers.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'[{"root": "/ws"}]', b'[{"root": 1, "linker": 2, "file": 3}]']
)
def test_a_damaged_list_of_refused_linkers_refuses_nothing(tmp_path: Path, content: bytes) -> None:
    paths = Paths(str(tmp_path), str(tmp_path))
    (tmp_path / "linkers.json").write_bytes(content)
    assert refused_linkers(paths, "/ws", {}) == ()
    assert refuse_linker(paths, "/ws", "mold", str(tmp_path / "linkers.json"))
    assert len(json.loads((tmp_path / "linkers.json").read_bytes())) == 1


def test_a_linker_that_cannot_be_written_down_is_said(tmp_path: Path) -> None:
    assert not refuse_linker(Paths("/proc/nowhere", str(tmp_path)), "/ws", "mold", str(tmp_path))


# Variables, and `target-cpu=native`.


def test_of_the_environment_only_what_matters_to_a_build_is_kept_and_no_credential() -> None:
    env = {
        "RUSTFLAGS": "-Cx", "CARGO_REGISTRY_TOKEN": "cargo-secret", "CARGO_HOME": "/c", "EDITOR": "vi", "CI": "1",
        "SCCACHE_ENDPOINT": "https://me:hunter22@host/x", "NVCC_FLAGS": "a hunter22 b", "DECK_MODE": "dev",
        "PATH": "/b",
    }  # fmt: skip
    assert relevant(env) == {
        "RUSTFLAGS": "-Cx", "CARGO_REGISTRY_TOKEN": "", "CARGO_HOME": "/c", "CI": "1", "SCCACHE_ENDPOINT": "",
        "NVCC_FLAGS": "", "DECK_MODE": "dev", "PATH": "/b",
    }  # fmt: skip


def test_native_is_seen_in_variables_and_in_settings() -> None:
    flags = Given(["-C", "target-cpu=native"], Origin("/x/config.toml", 3))
    assert is_native({"RUSTFLAGS": "-Ctarget-cpu=native"}, Settings())
    assert is_native({"CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS": "-C target-cpu=native"}, Settings())
    assert is_native({}, Settings(every=((("target", "cfg(unix)", "rustflags"), flags),)))
    assert not is_native({"EDITOR": "target-cpu=native"}, Settings(every=((("env", "X"), flags),)))


def test_native_features_are_asked_anew_on_another_processor_and_do_not_rest_on_order(tmp_path: Path) -> None:
    rustc, cpuinfo = program(tmp_path / "rustc", "\x7fELF"), tmp_path / "cpuinfo"
    lines = ['target_arch="x86_64"', 'target_feature="avx2"', 'target_feature="sse2"']
    asker = Asker(rustc="\n".join(lines))
    answers = Answers(str(tmp_path / "answers.json"), ask=asker)

    def digest() -> str:
        return native_features(Programs(rustc), {}, answers, may_ask=True, cpuinfo=str(cpuinfo))

    cpuinfo.write_text("processor : 0\nmodel name : A\nflags : sse2 avx2\ncpu MHz : 1.0\n\nprocessor : 1\n")
    first = digest()
    cpuinfo.write_text("processor : 0\nmodel name : A\nflags : sse2 avx2\ncpu MHz : 2.0\n\nprocessor : 1\n")
    assert (digest(), asker.asked, len(first)) == (first, ["rustc"], 16)
    cpuinfo.write_text("processor : 0\nmodel name : A\nflags : avx2 sse2\n")
    asker.said["rustc"] = "\n".join(reversed(lines))
    assert (digest(), len(asker.asked)) == (first, 2)
    cpuinfo.write_text("processor : 0\nmodel name : B\nflags : sse2\n")
    asker.said["rustc"] = "\n".join(lines[:1] + lines[2:])
    assert digest() not in ("", first)


def test_without_a_compiler_or_its_answer_there_are_no_native_features(tmp_path: Path) -> None:
    answers = Answers("", ask=Asker(rustc=Answer("", "ends with code 1: no")))
    assert native_features(Programs(), {}, answers, may_ask=True) == ""
    assert native_features(Programs(program(tmp_path / "rustc", "")), {}, answers, may_ask=True) == ""
    assert native_features(Programs(program(tmp_path / "other", "")), {}, answers, may_ask=False) == ""


# All together.

WARM = """
import os, sys
sys.path.insert(0, {root!r})
import core.run.begin, core.run.fronts, core.run.mask
from core.paths import Paths
started, opened = [], []
def note(event, details):
    if event in ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.fork", "os.forkpty", "os.system"):
        started.append(event)
    elif event == "open" and not str(details[0]).endswith((".py", ".pyc")):
        opened.append(str(details[0]))
sys.addaudithook(note)
before = set(sys.modules)
from core.plan.look import look
found = look(Paths({state!r}, {cache!r}), cwd={cwd!r}, env={env!r}, root={cwd!r}, may_ask={may_ask})
slow = {{"subprocess", "tomllib", "hashlib", "pathlib", "argparse", "dataclasses"}} & (set(sys.modules) - before)
print(len(started), len(opened), sorted(slow), list(found.unasked), len(found.tools))
"""


def test_a_look_where_everything_answered_before_starts_no_program_and_opens_few_files(tmp_path: Path) -> None:
    env = fake_world(tmp_path)
    assert fresh_look(tmp_path, env, may_ask=False)[0] == "0"
    cold = fresh_look(tmp_path, env, may_ask=True)
    assert int(cold[0]) > 5
    number, opened, rest = fresh_look(tmp_path, env, may_ask=False)
    assert (number, rest) == ("0", "[] [] 20")
    assert int(opened) < 25
    assert fresh_look(tmp_path, env, may_ask=True)[0] == "0"


def fresh_look(tmp_path: Path, env: dict[str, str], *, may_ask: bool) -> tuple[str, str, str]:
    code = WARM.format(
        root=str(ROOT), state=str(tmp_path / "state"), cache=str(tmp_path / "cache"), cwd=str(tmp_path / "ws"), env=env,
        may_ask=may_ask,
    )  # fmt: skip
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    first, second, rest = done.stdout.strip().split(" ", 2)
    return first, second, rest


def fake_world(tmp_path: Path) -> dict[str, str]:
    """Programs that are scripts, a toolchain of rustup's, a workspace."""
    for name in ("cc", "gcc", "ld.mold", "cmake", "ninja"):
        program(tmp_path / "bin" / name, f"#!/bin/sh\necho '{SAID[name].splitlines()[0]}'\n")
    program(tmp_path / "bin/rustup", "#!/bin/sh\necho rustup 1.29.0\n")
    for name in ("cargo", "rustc"):
        os.symlink("rustup", tmp_path / "bin" / name)
    toolchain = tmp_path / "rustup/toolchains/nightly-x86_64-unknown-linux-gnu"
    program(toolchain / "bin/cargo", "#!/bin/sh\necho 'cargo 1.97.0-nightly (4d1f98451 2026-05-15)'\n")
    program(
        toolchain / "bin/rustc",
        "#!/bin/sh\nprintf 'host: x86_64-unknown-linux-gnu\\nrelease: 1.97.0-nightly\\nLLVM version: 22.1.4\\n'\n",
    )
    (tmp_path / "rustup/settings.toml").write_text('default_toolchain = "stable-x86_64-unknown-linux-gnu"\n')
    (tmp_path / "ws").mkdir()
    (tmp_path / "ws/rust-toolchain.toml").write_text('[toolchain]\nchannel = "nightly"\n')
    old = 1_600_000_000
    for path in (tmp_path / "rustup/settings.toml", tmp_path / "ws/rust-toolchain.toml"):
        os.utime(path, (old, old))
    return {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path), "RUSTUP_HOME": str(tmp_path / "rustup")}


def test_a_look_puts_everything_together(tmp_path: Path) -> None:
    env = fake_world(tmp_path) | {"EDITOR": "vi", "RUSTFLAGS": "-Cdebuginfo=0"}
    paths = Paths(str(tmp_path / "state"), str(tmp_path / "cache"))
    root = str(tmp_path / "ws")
    found = look(paths, cwd=root, env=env, root=root, target="x86_64-unknown-linux-musl", may_ask=True)
    assert (found.root, found.cwd, found.unasked, found.native_features) == (root, root, (), "")
    assert (found.toolchain.rustc, found.toolchain.channel, found.toolchain.llvm) == ((1, 97, 0), "nightly", (22, 1, 4))
    assert found.toolchain.chosen_by == Origin(root + "/rust-toolchain.toml", 2)
    assert (found.tool("mold").shown, found.tool("cc").kind, found.tool("nvcc").path) == ("2.40.0", "", "")
    assert found.target is not None
    assert (found.target.has_std, found.target.linker, found.target.is_linker_there) == (False, "cc", True)
    assert (found.machine.cores, found.env["RUSTFLAGS"], "EDITOR" in found.env) == (
        len(os.sched_getaffinity(0)), "-Cdebuginfo=0", False,
    )  # fmt: skip


def test_a_look_at_nothing_finds_nothing_and_does_not_fail(tmp_path: Path) -> None:
    paths = Paths("/proc/nowhere", "/proc/nowhere")
    found = look(paths, cwd="/nowhere", env={"HOME": "/nowhere", "PATH": ""}, root="", target="x\0y", may_ask=True)
    assert (found.toolchain.is_installed, found.toolchain.chosen_by.place) == (False, "PATH")
    assert not any(tool.path for name, tool in found.tools.items() if name not in ("sccache", "nvcc"))
    assert found.target is not None
    assert (found.target.triple, found.target.is_linker_there) == ("x\0y", False)


@pytest.mark.parametrize(("files", "env", "said"), [
    ({}, {}, False),
    ({".config/ccache/ccache.conf": "max_size = 5G\ndepend_mode = true\n"}, {}, True),
    ({".ccache/x": "", ".config/ccache/ccache.conf": "depend_mode = true\n"}, {}, False),
    ({".ccache/ccache.conf": "# no\ndepend_mode=true"}, {}, True),
    ({"own/ccache.conf": "depend_mode = true"}, {"CCACHE_DIR": "own"}, True),
    ({"system.conf": "depend_mode = true"}, {}, True),
    ({"system.conf": "depend_mode = true", ".ccache/ccache.conf": "depend_mode = false"}, {}, False),
    ({"system.conf": "depend_mode = true", "my.conf": ""}, {"CCACHE_CONFIGPATH": "my.conf"}, False),
    ({".ccache/ccache.conf/x": ""}, {}, False),
])  # fmt: skip
def test_whether_ccache_goes_by_dependencies_is_read_where_it_reads_it(
    tmp_path: Path, files: dict[str, str], env: dict[str, str], said: bool
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    full = {"HOME": str(tmp_path), **{name: str(tmp_path / value) for name, value in env.items()}}
    assert goes_by_dependencies(full, str(tmp_path / "system.conf")) is said
