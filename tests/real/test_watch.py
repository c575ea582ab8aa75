"""`cargo deck watch` with real builds and real saves."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.product import COMMAND, Deck, Process, end, gone_after_s, marked, process, until
from tests.real.ptys import Answer, run_in_terminal

_MANIFEST = '[package]\nname = "app"\nversion = "1.0.0"\nedition = "2021"\n'
_MAIN = 'mod part;\nfn main() { println!("{}", part::answer()); }\n'
_PART = "pub fn answer() -> u32 { 1 }\n#[test]\nfn is_right() { assert!(answer() < 100); }\n"
_SLEEPS = """fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=kernels");
    if std::path::Path::new("quick").exists() { return; }
    let script = "trap '' TERM INT; setsid sh -c 'trap \\"\\" TERM INT; sleep 600 & wait' & sleep 600 & wait";
    std::process::Command::new("sh").arg("-c").arg(script).status().unwrap();
}
"""


class Watched:
    """A watch under way, and what it told."""

    def __init__(self, deck: Deck, cwd: Path, *words: str, env: dict[str, str] | None = None) -> None:
        self._path = Path(deck.folder, f"watch-{time.monotonic_ns()}")
        self._seen = 0
        with self._path.open("wb") as out, open(str(self._path) + ".err", "wb") as err:
            self.child = subprocess.Popen(
                [COMMAND, "watch", "--json", *words], cwd=cwd, env={**deck.env, **(env or {})},
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
            )  # fmt: skip

    def events(self) -> list[dict[str, Any]]:
        """All that it told so far."""
        lines = self._path.read_bytes().split(b"\n")[:-1]
        return [json.loads(line) for line in lines]

    def next(self, what: str, limit_s: float = 60, **fields: Any) -> dict[str, Any]:
        """The next event of that kind and with these fields, of those that no call has passed yet."""

        def look() -> dict[str, Any] | None:
            events = self.events()
            for at in range(self._seen, len(events)):
                one = events[at]
                if one["event"] == what and fields.items() <= one.items():
                    self._seen = at + 1
                    return one
            return None

        try:
            return until(look, limit_s, f"{what} {fields}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.events()[self._seen :]}, {Path(str(self._path) + '.err').read_text()}"
                                 ) from None  # fmt: skip

    def ready(self) -> dict[str, Any]:
        """The first build is over, and what is to be watched is known."""
        ended = self.next("ended")
        self.next("watching")
        return ended

    def interrupt(self) -> int:
        """End it as Ctrl-C does; its exit code."""
        os.killpg(self.child.pid, signal.SIGINT)
        return self.child.wait(30)


@pytest.fixture
def package(deck: Deck) -> Path:
    """A small package that is built."""
    root = Path(deck.folder, "app")
    (root / "src").mkdir(parents=True)
    for name, text in (("Cargo.toml", _MANIFEST), ("src/main.rs", _MAIN), ("src/part.rs", _PART)):
        (root / name).write_text(text)
    return root


@pytest.fixture
def watch(deck: Deck, package: Path) -> Iterator[Callable[..., Watched]]:
    """Starts watches of the package, which are gone afterwards."""
    started: list[Watched] = []

    def start(*words: str, cwd: Path = package, env: dict[str, str] | None = None) -> Watched:
        started.append(Watched(deck, cwd, *words, env=env))
        return started[-1]

    yield start
    for one in started:
        one.child.kill()
        one.child.wait()


def test_a_test_that_is_not_there_is_told(watch: Callable[..., Watched]) -> None:
    assert watch("--test", "nope", "build").next("ended", step=1)["tests_run"] == 0


def test_a_save_is_built_and_tested_and_everything_else_is_left_alone(
    deck: Deck, package: Path, watch: Callable[..., Watched]
) -> None:
    one = watch("--test", "is_right", "build")
    assert one.ready()["code"] == 0
    one.next("ended", step=1, code=0, tests_run=1)
    part = package / "src/part.rs"
    part.write_text(_PART.replace("{ 1 }", "{ 2 }"))
    built = one.next("ended", step=0)
    assert (built["class"], built["changed"], built["code"]) == ("rust", [str(part)], 0)
    assert {"rustc", "link"} <= built["phases"].keys()
    assert built["since_save_s"] >= built["wall_s"]
    one.next("ended", step=1, code=0)

    count = len(one.events())
    part.touch()
    (package / "src/.part.rs.swp").write_text("x")
    (package / "README.md").write_text("x")
    aside = package / "src/part.rs.new"
    aside.write_text(_PART.replace("{ 1 }", "{ 200 }"))
    aside.rename(part)
    built = one.next("ended", step=0)
    assert (built["class"], built["changed"], built["code"]) == ("rust", [str(part)], 0)
    assert one.next("ended", step=1)["code"] == 101
    starts = [event for event in one.events()[count:] if event["event"] == "started"]
    assert [event["step"] for event in starts] == [0, 1], "of all that, one save was a change"

    assert one.interrupt() == 101
    assert gone_after_s(deck.env["XDG_STATE_HOME"], 5, (deck.engine(),))[1] == []
    kept = deck.json("iterations", "--json", cwd=str(package))["iterations"]
    assert [(row["class"], row["state"], row["test_code"]) for row in kept][-2:] == [
        ("rust", "done", 0), ("rust", "done", 101),
    ]  # fmt: skip


def test_without_json_an_iteration_is_a_line_and_errors_stand_below_it(deck: Deck, package: Path) -> None:
    out = Path(deck.folder, "out")
    with out.open("wb") as file:
        child = subprocess.Popen([COMMAND, "watch"], cwd=package, env=deck.env, stdin=subprocess.DEVNULL,
                                 stdout=file, stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip
    try:
        until(lambda: "watching" in out.read_text(), 60, "first build")
        (package / "src/part.rs").write_text(_PART + "fn\n")
        until(lambda: "src/part.rs:4" in out.read_text(), 60, "the error")
        (package / "src/part.rs").write_text(_PART)
        until(lambda: out.read_text().count("rust src/part.rs") == 2, 60, "the mend")
    finally:
        os.killpg(child.pid, signal.SIGINT)
    assert child.wait(30) == 0
    lines = out.read_text().splitlines()
    assert "  first  ok " in lines[0]
    assert any("rust src/part.rs  failed " in line for line in lines)
    assert any(line.startswith("error: expected identifier") for line in lines)
    assert " since the save)" in lines[-1]


@pytest.mark.long
def test_the_prompt_after_a_watch_stands_on_a_line_of_its_own(deck: Deck, package: Path) -> None:
    answers = [Answer(b"watching", b"\x03")]
    line = f"{COMMAND} watch; printf 'prompt%s\\n' ' $'"
    done = run_in_terminal(f"trap : INT; {line}", cwd=str(package), env=deck.env, answers=answers)
    lines = done.out.replace(b"\r", b"").split(b"\n")
    assert lines[lines.index(b"prompt $") - 1] == b"^C"


def sleepers(marker: str) -> list[Process]:
    """Living children of the build script."""
    return [one for one in marked(marker) if one.argv[:1] == ("sleep",)]


@pytest.fixture
def sleepy(package: Path) -> Path:
    """The package with a build script whose children would live ten minutes, whatever they are told."""
    (package / "build.rs").write_text(_SLEEPS)
    (package / "kernels").mkdir()
    (package / "kernels/k.cu").write_text("1")
    return package


def test_a_save_while_it_builds_leaves_no_process_of_that_build_behind(
    deck: Deck, sleepy: Path, watch: Callable[..., Watched]
) -> None:
    one = watch(env={"MARKER": "deck-watch-cancel"})
    marker = "MARKER=deck-watch-cancel"
    first = one.next("started")
    until(lambda: len(sleepers(marker)) >= 2, 60, "the build script's children")
    before = {found.pid for found in sleepers(marker)}
    (sleepy / "quick").write_text("")
    (sleepy / "kernels/k.cu").write_text("2")
    stopped = one.next("ended", run=first["run"])
    assert (stopped["is_cancelled"], stopped["is_stopped"]) == (True, True)
    assert [pid for pid in before if process(pid) is not None] == [], "they are gone before the next build begins"
    built = one.next("ended")
    assert (built["code"], built["class"]) == (0, "cu")
    assert one.interrupt() == 0
    assert gone_after_s(marker, 5, (deck.engine(),))[1] == []


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT, signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.long),
        pytest.param(signal.SIGHUP, marks=pytest.mark.long),
    ],
)  # fmt: skip
def test_however_a_watch_ends_nothing_of_its_build_is_left(
    number: signal.Signals, deck: Deck, sleepy: Path, watch: Callable[..., Watched]
) -> None:
    marker = f"MARKER=deck-watch-{number}"
    one = watch(env={"MARKER": f"deck-watch-{number}"})
    until(lambda: len(sleepers(marker)) >= 2, 60, "the build script's children")
    found = process(one.child.pid)
    assert found is not None
    assert end(found, number)
    one.child.wait(30)
    assert gone_after_s(marker, 8, (deck.engine(),))[1] == []
    assert (sleepy / "target").exists()


@pytest.mark.long
def test_a_watch_that_was_started_by_a_program_ends_with_it_once_the_build_is_over(deck: Deck, package: Path) -> None:
    child = subprocess.Popen([COMMAND, "watch", "--with-caller", "--json"], cwd=package, env=deck.env,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    assert json.loads(child.stdout.readline())["event"] == "started"
    child.stdin.close()
    told = [json.loads(line) for line in child.stdout]
    child.stdout.close()
    assert child.wait(30) == 0
    assert [(one["event"], one.get("code")) for one in told] == [("ended", 0), ("over", None)]


@pytest.mark.long
def test_what_make_builds_is_watched_by_the_dependencies_that_compilers_wrote(
    deck: Deck, watch: Callable[..., Watched]
) -> None:
    root = Path(deck.folder, "made")
    (root / "include").mkdir(parents=True)
    files = {
        "Makefile": "a.o: a.c\n\tcc -MD -c -Iinclude a.c -o a.o\n-include a.d\n",
        "a.c": '#include "n.h"\nint a(void) { return N; }\n', "include/n.h": "#define N 1\n", "other.h": "", "b.c": "",
    }  # fmt: skip
    for name, text in files.items():
        (root / name).write_text(text)
    one = watch("exec", "--", "make", cwd=root)
    assert one.ready()["code"] == 0
    (root / "notes.txt").write_text("x")
    (root / "include/n.h").write_text("#define N 2\n")
    built = one.next("ended")
    assert (built["class"], built["changed"], built["code"]) == ("header", [str(root / "include/n.h")], 0)
    assert one.interrupt() == 0


def test_a_command_line_that_cannot_be_used_is_refused_with_a_sentence(deck: Deck, package: Path) -> None:
    for words, said in (
        (("--then", ""), "--then needs a command"),
        (("--test", "a", "--then", "b"), "one or the other"),
        (("-p", "app"), "write the subcommand before"),
        (("build", "--detach"), "for a single build"),
        (("--test", "a", "exec", "--", "make"), "--test is for builds of cargo"),
    ):
        done = deck.run("watch", *words, cwd=str(package))
        assert (done.returncode, said in done.stderr) == (2, True), (words, done.stderr)
