"""Cases in which a caller must not notice us, and the comparison with plain cargo."""

import os
import shlex
import shutil
import stat
import subprocess
from typing import NamedTuple

from tests.real import samples, shown
from tests.real.product import COMMAND, Deck
from tests.real.ptys import COLUMNS, Answer, Outcome, run_in_terminal, run_piped


class Case(NamedTuple):
    """One shell line. `CARGO` in it is the command under test, `+nightly` its toolchain argument."""

    name: str
    line: str
    is_clean: bool = False
    """Starts without a target dir."""
    touched: str = ""
    """A file that is newer than what was built of it."""
    stdin: bytes | None = None
    answers: tuple[Answer, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    folder: str = "ws"
    """Where it runs, below the scratch folder."""
    is_drawn_narrow: bool = False
    """Its tool pads lines to the terminal's width and lets them wrap."""
    is_sampled: bool = False
    """Part of the default test run."""


_B, _M, _A = "base/src/lib.rs", "mid/src/lib.rs", "app/src/main.rs"
_JSON = "--message-format=json"
CASES: tuple[Case, ...] = (
    Case("build from nothing", "CARGO build", is_clean=True, is_sampled=True),
    Case("build after an edit", "CARGO build", touched=_B),
    Case("fresh build", "CARGO build", is_sampled=True),
    Case("check", "CARGO check", is_clean=True),
    Case("failing build", "CARGO build -p broken", is_sampled=True),
    Case("failing workspace", "CARGO build --workspace --keep-going", is_clean=True),
    Case("test with failures", "CARGO test -p mid", is_sampled=True),
    Case("test of all", "CARGO test --no-fail-fast -p base -p mid", touched=_B),
    Case("test that does not compile", "CARGO test -p broken"),
    Case("test list", "CARGO test -p base -- --list"),
    Case("test filter", "CARGO test nosuchtest -p base"),
    Case("test nocapture", "CARGO test -p base -- --nocapture --test-threads=1"),
    Case("doc-tests", "CARGO test --doc -p base"),
    Case("run with piped stdin", "printf 'a\\nb\\n' | CARGO run -q -- echo", is_sampled=True),
    Case("stdin from the caller", "CARGO run -- echo", stdin=b"one\ntwo\n", answers=(Answer(b"echo`", b"x\r\x04"),)),
    Case("a question", "CARGO run -- ask", stdin=b"ada\n", answers=(Answer(b"Name? ", b"ada\r"),), is_sampled=True),
    Case("a test reads the terminal", "CARGO test --test terminal", answers=(Answer(b"word? ", b"swordfish\r"),)),
    Case("a test reads stdin", "CARGO test --test stdin", stdin=b"from outside\n",
         answers=(Answer(b"running 1 test", b"from outside\r"),)),
    Case("two files", "CARGO build >../out.txt 2>../err.txt", touched=_A, is_sampled=True),
    Case("two files, test", "CARGO test -p mid >../out.txt 2>../err.txt"),
    Case("one file", "CARGO test -p base >../out.txt 2>&1", touched=_B),
    Case("appended file", "echo before >../out.txt; CARGO build >>../out.txt 2>&1", touched=_A),
    Case("one pipe", "CARGO test -p mid 2>&1 | cat", is_sampled=True),
    Case("stderr thrown away", "CARGO run -- both 2>/dev/null", touched=_A),
    Case("stdout alone piped", "CARGO run -- both 2>../err.txt | cat", touched=_A),
    Case("program on both streams, one pipe", "CARGO run -q -- both 2>&1 | cat"),
    Case("jq",
         f"CARGO build {_JSON} | jq -r '.reason + \" \" + (.target.name // \"\")' >../out.txt",
         touched=_B, is_sampled=True),
    Case("json", f"CARGO build {_JSON}", touched=_B),
    Case("json of errors", f"CARGO check -p broken {_JSON}"),
    Case("json rendered", "CARGO check -p broken --message-format=json-render-diagnostics"),
    Case("json with colours", "CARGO check -p broken --message-format json-diagnostic-rendered-ansi"),
    Case("short", "CARGO check -p broken --message-format=short"),
    Case("short, as two words", "CARGO build -p broken --message-format short"),
    Case("human", "CARGO build -p broken --message-format human"),
    Case("quiet", "CARGO build -q", touched=_B, is_sampled=True),
    Case("quiet failing", "CARGO build -q -p broken"),
    Case("verbose", "CARGO build -v", touched=_B),
    Case("very verbose", "CARGO build -vv", is_clean=True),
    Case("alias", "CARGO b2", touched=_B, is_sampled=True),
    Case("alias with a list", "CARGO t2"),
    Case("short names", "CARGO c && CARGO b && CARGO r -- exit 0"),
    Case("clippy", "CARGO clippy", is_clean=True),
    Case("doc", "CARGO doc --no-deps", is_clean=True),
    Case("bench", "CARGO bench -p base"),
    Case("test with a harness of its own", "CARGO test -p odd"),
    Case("bench with a harness of its own", "CARGO bench -p odd"),
    Case("long source lines", "CARGO check -p wide"),
    Case("nextest", "CARGO nextest run -p base -p mid --no-fail-fast -j 1", is_drawn_narrow=True),
    Case("nextest list", "CARGO nextest list -p base"),
    Case("unknown external", "CARGO nosuch --flag", is_sampled=True),
    Case("an external", "CARGO hello world"),
    Case("an external fails", "CARGO hello exit 7"),
    Case("wrong flag", "CARGO build --nosuch", is_sampled=True),
    Case("wrong package", "CARGO build -p nosuch"),
    Case("wrong program", "CARGO run --bin nosuch"),
    Case("wrong profile value", "CARGO build --profile"),
    Case("unstable flag", "CARGO build -Z nosuch"),
    Case("nightly", "CARGO +nightly build"),
    Case("unknown toolchain", "CARGO +nosuchchain build"),
    Case("manifest path", "CARGO build --manifest-path ws/Cargo.toml", folder=".", touched=_A),
    Case("manifest path missing", "CARGO build --manifest-path nosuch/Cargo.toml"),
    Case("not a workspace", "CARGO build", folder="."),
    Case("below the root", "CARGO build", folder="ws/app/src", touched=_A),
    Case("another folder with -C", "CARGO -Z unstable-options -C ws build", folder="."),
    Case("program arguments", "CARGO run -- a 'b c' --flag -v"),
    Case("program exit code", "CARGO run -- exit 3", is_sampled=True),
    Case("program killed by a signal", "ulimit -c 0; CARGO run -- abort"),
    Case("program output like json", "CARGO run -- forge", touched=_A),
    Case("program output of bytes", "CARGO run -q -- bytes"),
    Case("program sees its streams", "CARGO run -q -- terminals"),
    Case("release", "CARGO build --release"),
    Case("examples and all targets", "CARGO check --all-targets"),
    Case("colour always", "CARGO build --color always -p broken", is_sampled=True),
    Case("colour always, test", "CARGO test --color always -p mid"),
    Case("colour never", "CARGO test --color never -p mid"),
    Case("colour before the subcommand", "CARGO --color always check -p broken"),
    Case("quiet before the subcommand", "CARGO -q build", touched=_B),
    Case("NO_COLOR", "CARGO build -p broken", env=(("NO_COLOR", "1"),)),
    Case("CLICOLOR_FORCE", "CARGO test -p mid", env=(("CLICOLOR_FORCE", "1"),)),
    Case("CARGO_TERM_COLOR", "CARGO test -p mid", env=(("CARGO_TERM_COLOR", "always"),)),
    Case("dumb terminal", "CARGO build", touched=_B, env=(("TERM", "dumb"),)),
    Case("links", "CARGO build", touched=_B, env=(("TERM_PROGRAM", "WezTerm"), ("COLORTERM", "truecolor"))),
    Case("progress in the title bar", "CARGO build", is_clean=True, env=(("WT_SESSION", "1"),)),
    Case("no progress wanted", "CARGO build", is_clean=True, env=(("CARGO_TERM_PROGRESS_WHEN", "never"),)),
    Case("progress wanted", "CARGO build", is_clean=True,
         env=(("CARGO_TERM_PROGRESS_WHEN", "always"), ("CARGO_TERM_PROGRESS_WIDTH", "60"))),
    Case("in CI", "CARGO build", is_clean=True, env=(("CI", "true"),)),
    Case("config on the line", "CARGO build --config 'term.verbose=true'", touched=_B),
    Case("a target dir of one's own", "CARGO build --target-dir ../other-target"),
    Case("target dir by environment", "CARGO build", env=(("CARGO_TARGET_DIR", "elsewhere"),)),
    Case("timings", "CARGO build --timings", touched=_A),
    Case("no arguments", "CARGO_ANY"),
    Case("version", "CARGO_ANY --version"),
    Case("help of a subcommand", "CARGO build --help"),
    Case("other subcommands", "CARGO_ANY tree && CARGO_ANY metadata --no-deps --format-version 1"),
    Case("clean", "CARGO_ANY clean -p app"),
    Case("rustc", "CARGO_ANY rustc -p app -- --emit=metadata"),
)  # fmt: skip


BUILT = ("generate-lockfile", "build", "test --no-run", "clippy", "bench --no-run", "doc --no-deps")
"""What all cases need to have been built before."""
BUILT_FOR_SAMPLE = BUILT[:3]


class Seen(NamedTuple):
    """What a caller has of a case: the streams, and what he sent to files."""

    outcome: Outcome
    files: tuple[bytes, bytes]
    """`out.txt`, `err.txt`; empty where there is none."""
    recorded: int
    """Runs that we have on record of it: without one, the plain command ran and the comparison says little."""


class World:
    """A scratch folder where each run finds the same workspace at the same path."""

    def __init__(self, deck: Deck) -> None:
        self.deck = deck
        self.folder = os.path.join(deck.folder, "w")
        self._kept = os.path.join(deck.folder, "kept")
        os.makedirs(os.path.join(self._kept, "clean"))
        # Of its own: nobody else's cargo makes us wait for its package cache.
        self.env = {**deck.env, "CARGO_HOME": os.path.join(deck.folder, "cargo-home")}
        self._write_external()
        self._shim: str | None = None

    def prepare(self, lines: tuple[str, ...] = BUILT) -> None:
        """Write the workspace and build it once with plain cargo, by each of the lines."""
        clean, warm = os.path.join(self._kept, "clean", "ws"), os.path.join(self._kept, "warm")
        samples.write_workspace(clean)
        self._restore("clean")
        ws = os.path.join(self.folder, "ws")
        for line in lines:
            subprocess.run(["cargo", "-q", *line.split()], cwd=ws, env=self.env, check=True, capture_output=True)
        shutil.copy2(os.path.join(ws, "Cargo.lock"), clean)
        subprocess.run(["cp", "-a", self.folder, warm], check=True)

    def run(self, case: Case, route: str, is_terminal: bool) -> Seen:
        """The case from its starting state; route: plain, direct, shim."""
        self._restore("clean" if case.is_clean else "warm")
        if case.touched:
            os.utime(os.path.join(self.folder, "ws", case.touched))
        env = {**self.env, **dict(case.env), "PATH": self._path(route)}
        cwd = os.path.normpath(os.path.join(self.folder, case.folder))
        before = len(self.deck.runs())
        line = f"set -o pipefail; {command_line(case.line, route)}"
        if is_terminal:
            outcome = run_in_terminal(line, cwd=cwd, env=env, answers=case.answers)
        else:
            outcome = run_piped(line, cwd=cwd, env=env, stdin=case.stdin)
        return Seen(outcome, (self._file("out.txt"), self._file("err.txt")), len(self.deck.runs()) - before)

    def _path(self, route: str) -> str:
        path = f"{self.deck.folder}/externals:{self.deck.env['PATH']}"
        if route == "shim":
            self._shim = self._shim or self.deck.shim()
            path = f"{self._shim}:{path}"
        return path

    def _restore(self, kept: str) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        subprocess.run(["cp", "-a", os.path.join(self._kept, kept), self.folder], check=True)

    def _file(self, name: str) -> bytes:
        try:
            with open(os.path.join(self.folder, name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def _write_external(self) -> None:
        folder = os.path.join(self.deck.folder, "externals")
        samples.write_files(folder, {"cargo-hello": _EXTERNAL})
        os.chmod(os.path.join(folder, "cargo-hello"), stat.S_IRWXU)


_EXTERNAL = """#!/bin/sh
echo "hello $*"
echo "on stderr" >&2
[ -t 1 ] && echo "a terminal"
[ "$2" = exit ] && exit "$3"
exit 0
"""


def command_line(line: str, route: str) -> str:
    """The line as the route types it. What is no build goes to plain cargo on the direct route."""
    ours = shlex.quote(COMMAND)
    if route != "direct":
        return line.replace("CARGO_ANY", "cargo").replace("CARGO ", "cargo ")
    line = line.replace("CARGO_ANY", "cargo")
    line = line.replace("CARGO +nosuchchain", "cargo +nosuchchain deck")
    return line.replace("CARGO +nightly", "cargo +nightly deck").replace("CARGO ", f"{ours} ")


def differences(plain: Seen, ours: Seen, *, is_terminal: bool, is_drawn_narrow: bool = False) -> list[str]:
    """What the caller could tell; empty: nothing."""
    before, after = plain.outcome, ours.outcome
    found = []
    if before.status != after.status:
        found.append(f"exit {before.status} became {after.status}")
    if after.is_held_open and not before.is_held_open:
        found.append("a stream is held open after the exit")
    if is_terminal:
        drawn = [shown.terminal_lines(one.out, COLUMNS if is_drawn_narrow else shown.WIDE) for one in (before, after)]
        found += _line_differences("terminal", *drawn) + _trait_differences("terminal", before.out, after.out)
        streams = []
    else:
        streams = [("stdout", before.out, after.out), ("stderr", before.err, after.err)]
    streams += [("first file", plain.files[0], ours.files[0]), ("second file", plain.files[1], ours.files[1])]
    for name, one, other in streams:
        found += _line_differences(name, shown.stream_lines(one), shown.stream_lines(other))
        found += _trait_differences(name, one, other)
    # Cargo shows progress after half a second: only a longer build must show it on both sides.
    if min(before.wall_s, after.wall_s) > 1.5:
        had, has = shown.has_progress(before.out + before.err), shown.has_progress(after.out + after.err)
        if had != has:
            found.append(f"progress line: {had} became {has}")
    return found


def _trait_differences(stream: str, before: bytes, after: bytes) -> list[str]:
    had, has = shown.traits(before), shown.traits(after)
    return [] if had == has else [f"{stream}: {sorted(had)} became {sorted(has)}"]


def _line_differences(stream: str, before_lines: list[shown.Line], after_lines: list[shown.Line]) -> list[str]:
    before, after = shown.comparable(before_lines), shown.comparable(after_lines)
    if before == after:
        return []
    at = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after)))
    expected = before[at] if at < len(before) else "<end>"
    got = after[at] if at < len(after) else "<end>"
    sizes = f"{len(before)} and {len(after)} lines"
    return [f"{stream} line {at + 1} ({sizes}): expected {expected[:300]!r}, got {got[:300]!r}"]
