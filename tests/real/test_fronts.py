"""The front, built by the real rustc: what it notes, what it hands on, and where it stays away."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.paths import Paths
from core.run.fronts import Build, find_fronts, without_fronts
from tests.fronts import lend_fronts
from tests.real.product import process, until

_NAMED_AT_RANDOM = re.compile(r"/tmp/cc\w+|COLLECT_GCC=.*")
BY_NAME = ("sh", "-c", 'exec "$0" "$@"')
"""As rustc and cc-rs call a tool."""
SHOWS = '#!/bin/sh\necho "$PATH"\necho "$@"\n'


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(str(tmp_path / "state"), lend_fronts(tmp_path / "cache"))


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with programs of ours, before all others in PATH."""
    folder = tmp_path / "tools"
    folder.mkdir()
    return folder


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def env_with(tools: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}


def fronted(paths: Paths, tools: Path) -> dict[str, str]:
    """An environment with the fronts in PATH."""
    env = env_with(tools)
    found = find_fronts(paths, Build(env)).folders
    assert found
    notes = Path(paths.state, "notes")
    notes.mkdir(parents=True, exist_ok=True)
    return {**env, "PATH": ":".join((*found, env["PATH"])), "DECK_FRONTS": str(notes)}


def call(paths: Paths, tools: Path, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """A tool as a build calls it, with the fronts in PATH."""
    return subprocess.run(
        [*BY_NAME, *words],
        env=fronted(paths, tools),
        cwd=tools,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def noted(paths: Paths) -> list[dict[str, object]]:
    path = Path(paths.state, "notes", "links.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_link_is_noted_and_made(paths: Paths, tools: Path) -> None:
    (tools / "a.c").write_text("int main(void) { return 7; }\n")
    assert call(paths, tools, "cc", "a.c", "-o", "a b\x01").returncode == 0
    assert subprocess.run([tools / "a b\x01"], check=False).returncode == 7
    begun, ended = noted(paths)
    assert (begun["output"], begun["inputs"], begun["cwd"]) == ("a b\x01", 1, str(tools))
    assert (ended["end"], ended["code"], ended["signal"]) == (begun["link"], 0, None)
    assert ended["output_bytes"] == (tools / "a b\x01").stat().st_size


@pytest.mark.parametrize(
    "words",
    [("-c", "a.c"), ("--version",), ("-E", "a.c"), ("-print-search-dirs",), ("-dumpmachine",), ("-v",),
     ("-v", "-c", "a.c"), ("--version", "a.c"), ("-###", "a.c")],
)  # fmt: skip
def test_what_is_no_link_is_handed_on_without_a_note(paths: Paths, tools: Path, words: tuple[str, ...]) -> None:
    (tools / "a.c").write_text("int main(void) { return 7; }\n")
    plain = subprocess.run(["cc", *words], cwd=tools, capture_output=True, text=True, check=True)
    done = call(paths, tools, "cc", *words)
    assert (done.returncode, done.stdout) == (0, plain.stdout)
    assert _NAMED_AT_RANDOM.sub("", done.stderr) == _NAMED_AT_RANDOM.sub("", plain.stderr)
    assert noted(paths) == []


@pytest.mark.parametrize(
    ("words", "output"),
    [(("-oq 2", "a.c"), "q 2"), (("a.c",), "a.out"), (("-v", "a.c", "-o", "y"), "y"), (("-xc", "-", "-o", "y"), "y"),
     (("-x", "c", "text", "-oy"), "y"), (("a.c", "--output=y"), "y"), (("a.c", "-dumpbase", "b.c", "-o", "y"), "y")],
)  # fmt: skip
def test_a_link_is_noted_however_it_is_asked_for(
    paths: Paths, tools: Path, words: tuple[str, ...], output: str
) -> None:
    for name in ("a.c", "text"):
        (tools / name).write_text("int main(void) { return 7; }\n")
    assert call(paths, tools, "cc", *words, stdin="int main(void) { return 7; }\n").returncode == 0
    begun, ended = noted(paths)
    assert (begun["output"], begun["inputs"]) == (output, 1)
    assert ended["output_bytes"] == (tools / output).stat().st_size


def test_words_of_a_response_file_count(paths: Paths, tools: Path) -> None:
    (tools / "a.c").write_text("int main(void) { return 0; }\n")
    subprocess.run(["cc", "-c", "a.c", "-o", "a b.o"], cwd=tools, check=True)
    (tools / "args").write_text('a\\ b.o\n-o\n"out put"\n')
    assert call(paths, tools, "cc", "@args").returncode == 0
    begun, _ = noted(paths)
    assert (begun["output"], begun["inputs"], begun["input_bytes"]) == ("out put", 1, (tools / "a b.o").stat().st_size)


def test_exit_codes_and_signals_are_the_tools_own(paths: Paths, tools: Path) -> None:
    write(tools / "cc", '#!/bin/sh\n[ "$1" = 9.o ] && kill -9 $$\nexit 5\n')
    assert call(paths, tools, "cc", "x.o", "-o", "x").returncode == 5
    assert call(paths, tools, "cc", "9.o", "-o", "x").returncode == -9
    assert [(end["code"], end["signal"]) for end in noted(paths)[1::2]] == [(5, None), (None, 9)]


@contextlib.contextmanager
def slow_link(paths: Paths, tools: Path, *words: str, ctty: int | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """A link that would take a minute, under way; in a session of its own, of that terminal."""
    write(tools / "cc", f"#!/bin/sh\necho $$ > {tools}/pid\nexec sleep 60\n")

    def take_terminal() -> None:
        if ctty is not None:
            fcntl.ioctl(ctty, termios.TIOCSCTTY, 0)

    child = subprocess.Popen(
        [*BY_NAME, "cc", "a.o", "-o", "a", *words], env=fronted(paths, tools), cwd=tools, start_new_session=True,
        preexec_fn=take_terminal,
    )  # fmt: skip
    try:
        until(lambda: (found := process(real_pid(tools))) and found.argv[:1] == ("sleep",), 10, "a linker")
        yield child
    finally:
        child.kill()
        child.wait()


def real_pid(tools: Path) -> int:
    """Of the tool behind the front; 0: not started yet."""
    path = tools / "pid"
    return int((path.read_text() if path.exists() else "") or "0")


@pytest.mark.parametrize("words", [(), ("-fuse-ld=mold",)])
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM])
def test_a_signal_to_the_front_alone_ends_the_tool(
    paths: Paths, tools: Path, number: signal.Signals, words: tuple[str, ...]
) -> None:
    with slow_link(paths, tools, *words) as link:
        link.send_signal(number)
        assert link.wait(10) == -number
        until(lambda: process(real_pid(tools)) is None, 10, "the end of the tool")
    assert [(end["code"], end["signal"]) for end in until_noted(paths, 2)[1:]] == [(None, number)]


@pytest.mark.parametrize("words", [(), ("-fuse-ld=mold",)])
def test_a_signal_of_the_terminal_is_noted(paths: Paths, tools: Path, words: tuple[str, ...]) -> None:
    ours, theirs = os.openpty()
    with slow_link(paths, tools, *words, ctty=theirs) as link:
        os.write(ours, b"\x03")
        assert link.wait(10) == -signal.SIGINT
    assert [(end["code"], end["signal"]) for end in until_noted(paths, 2)[1:]] == [(None, signal.SIGINT)]
    os.close(ours)
    os.close(theirs)


def test_what_the_caller_ignores_the_tool_ignores(paths: Paths, tools: Path) -> None:
    write(tools / "cc", "#!/bin/sh\nkill -HUP $PPID\nkill -HUP $$\nexit 3\n")
    words = ("sh", "-c", "trap '' HUP; exec cc a.o -o a")
    done = subprocess.run(words, env=fronted(paths, tools), cwd=tools, check=False)
    assert done.returncode == 3


def test_the_memory_of_a_linker_that_forks_is_its_childs(paths: Paths, tools: Path) -> None:
    (tools / "a.c").write_text("char v[40000000] = {1};\nint main(void) { return v[0]; }\n")
    subprocess.run(["cc", "-c", "a.c"], cwd=tools, check=True)
    assert call(paths, tools, "cc", "-fuse-ld=mold", "a.o", "-o", "a").returncode == 0
    assert subprocess.run([tools / "a"], check=False).returncode == 1
    _, ended = until_noted(paths, 2)
    assert ended["code"] == 0
    assert int(str(ended["peak_bytes"])) > 40_000_000


def test_a_linker_that_forks_fails_as_it_would_alone(paths: Paths, tools: Path) -> None:
    (tools / "a.c").write_text("int nobody(void);\nint main(void) { return nobody(); }\n")
    subprocess.run(["cc", "-c", "a.c"], cwd=tools, check=True)
    plain = subprocess.run(
        ["cc", "-fuse-ld=mold", "a.o", "-o", "a"], cwd=tools, capture_output=True, text=True, check=False
    )
    done = call(paths, tools, "cc", "-fuse-ld=mold", "a.o", "-o", "a")
    assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout)
    assert "nobody" in done.stderr
    assert until_noted(paths, 2)[1]["code"] == plain.returncode == 1


def until_noted(paths: Paths, lines: int) -> list[dict[str, object]]:
    """What is noted after the tool has ended as well."""
    return until(lambda: found if len(found := noted(paths)) >= lines else None, 10, "the notes of a link")


def test_a_cache_finds_the_real_compiler_and_rustc_finds_ours(paths: Paths, tools: Path) -> None:
    write(tools / "sccache", SHOWS)
    fronts = find_fronts(paths, Build(env_with(tools))).folders
    assert {"cc", "sccache"} <= {os.path.basename(folder) for folder in fronts}
    for compiler in ("cc", "nvcc", "/usr/bin/c++"):
        path, words = call(paths, tools, "sccache", compiler, "-c", "a.c").stdout.splitlines()
        assert not set(fronts) & set(path.split(":"))
        assert words == f"{compiler} -c a.c"
    path, words = call(paths, tools, "sccache", "/x/bin/rustc", "--crate-name", "a").stdout.splitlines()
    assert path.split(":")[: len(fronts)] == list(fronts)
    _, words = call(paths, tools, "sccache", f"{fronts[0]}/cc", "-c", "a.c").stdout.splitlines()
    assert not words.startswith(fronts[0])
    assert words.endswith("/cc -c a.c")


def test_where_nothing_can_be_noted_the_tool_runs(paths: Paths, tools: Path) -> None:
    (tools / "a.c").write_text("int main(void) { return 0; }\n")
    fronts = find_fronts(paths, Build(env_with(tools))).folders
    env = {**os.environ, "PATH": f"{fronts[0]}:{os.environ['PATH']}", "DECK_FRONTS": "/nowhere/at/all"}
    assert subprocess.run(["cc", "a.c", "-o", "a"], cwd=tools, env=env, check=False).returncode == 0


@pytest.mark.parametrize(
    ("variable", "wrapper"),
    [
        ({}, "/opt/bin/sccache"),
        ({"CC": "/opt/bin/ccache gcc"}, None),
        ({"CMAKE_C_COMPILER_LAUNCHER": "/x/sccache"}, None),
    ],
)
def test_a_cache_called_by_its_path_means_no_front(
    paths: Paths, tools: Path, variable: dict[str, str], wrapper: str | None
) -> None:
    assert find_fronts(paths, Build({**env_with(tools), **variable}, None, wrapper)).folders == ()


def test_a_package_that_notes_compilers_means_no_front(paths: Paths, tools: Path, tmp_path: Path) -> None:
    lock = tmp_path / "Cargo.lock"
    lock.write_text('[[package]]\nname = "cmake"\nversion = "0.1.50"\n')
    assert find_fronts(paths, Build(env_with(tools), str(tmp_path))).folders == ()
    lock.write_text('[[package]]\nname = "cmake-parser"\nversion = "0.1.50"\n')
    assert find_fronts(paths, Build(env_with(tools), str(tmp_path))).folders != ()


@pytest.mark.parametrize("place", ["build.rs", "app/build.rs", "crates/app/build.rs"])
def test_a_build_script_that_calls_cmake_means_no_front(paths: Paths, tools: Path, tmp_path: Path, place: str) -> None:
    script = tmp_path / "ws" / place
    script.parent.mkdir(parents=True)
    (tmp_path / "ws" / "Cargo.lock").touch()
    script.write_text('fn main() { std::process::Command::new("cmake").status().unwrap(); }')
    assert find_fronts(paths, Build(env_with(tools), str(tmp_path / "ws"))).folders == ()
    script.write_text("fn main() {}")
    assert find_fronts(paths, Build(env_with(tools), str(tmp_path / "ws"))).folders != ()


def test_a_build_script_that_watches_path_means_no_front(paths: Paths, tools: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"

    def said(place: str, text: str) -> None:
        (target / place).mkdir(parents=True, exist_ok=True)
        (target / place / "output").write_text(text)

    def has_front() -> bool:
        return find_fronts(paths, Build(env_with(tools), build_dir=str(target))).folders != ()

    assert has_front()
    said("debug/build/one-1", "cargo:rerun-if-env-changed=PATHS\ncargo:rustc-env=A=cargo:rerun-if-env-changed=PATH\n")
    assert has_front()
    said("x86_64-unknown-linux-gnu/release/build/two-2", "cargo::rerun-if-env-changed=PATH\n")
    assert not has_front()
    assert not has_front()
    shutil.rmtree(target / "x86_64-unknown-linux-gnu")
    assert has_front()
    said("debug/build/one-1", "cargo:rustc-cfg=x\ncargo:rerun-if-env-changed=PATH")
    assert not has_front()


def test_a_machine_without_a_compiler_gets_no_front(paths: Paths, tools: Path) -> None:
    assert find_fronts(paths, Build({**os.environ, "PATH": str(tools)})).folders == ()


def test_a_front_that_cannot_be_built_is_not_tried_at_each_build(tmp_path: Path, tools: Path) -> None:
    alone = Paths(str(tmp_path / "state"), str(tmp_path / "cache"))
    write(tools / "rustc", f"#!/bin/sh\necho x >> {tmp_path}/tries\nexit 1\n")
    for _ in range(3):
        assert find_fronts(alone, Build(env_with(tools))).folders == ()
    assert (tmp_path / "tries").read_text() == "x\n"


def test_a_program_that_takes_over_gets_the_path_of_its_caller(paths: Paths, tools: Path) -> None:
    fronts = find_fronts(paths, Build(env_with(tools))).folders
    assert without_fronts(":".join((*fronts, "/usr/bin", "/bin"))) == "/usr/bin:/bin"
