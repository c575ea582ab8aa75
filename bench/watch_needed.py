"""A saved .cu until the binary is there, against the calls that must run for it. Part of `bench.watch`.

For sppark's `ntt_api.cu` (its `ntt-cuda`, as a program that calls it) and for the CUDA members of the sample, below a
program that calls both. Each save changes what is compiled. The watch's time goes from before the write to the line
that tells of the result. Then the calls that must run are made by hand, in the same tree and target dir, one after the
other with nothing around and without our fronts:

* each call of nvcc that makes something, with its own argv: the object or fat binary of the saved file, the device link
  of the cc crate. They are those that the build script made of a recorder in PATH, or those of the build's notes where
  CMake calls nvcc by its path; where there are both they must be the same;
* what archives it: `ar` of the cc crate as its build script calls it, ninja's own command for a library of CMake's;
* rustc of the crate and of the program, as `cargo build -vv` prints them; the program's rustc links it.

That is the narrow figure. Not counted in it: cargo, the build script itself with what it asks of its tools (`nvcc
--version`, which compiler nvcc is and which flags it takes, for which the cc crate has it preprocess and compile small
files, CMake's look at its cache, ninja's at its files). In the wide one, which is judged, the build script is run whole
by hand in place of nvcc and ar: all that must run but cargo. Beside them stands plain `cargo build` of the same.

Machines are noisy: each save is compared with what was made by hand right after it, and the median of these ratios
counts. The calls are made twice; the second by the first is the control, which would be 1.

Processor time is that of the build with all that it started, fronts included, and of the narrow calls: where others
load the machine it tells more than seconds.
"""

import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.watch_session import Session, save
from core import sample
from core.native.traces.nvcc_calls import NvccCall, calls_of_run
from core.paths import Paths
from tests.real.product import Deck, read_json, until

LIMIT = 1.1
"""The wait against the calls that must run, median."""
_RUNNING = re.compile(r"^ +Running `(.*?)`$", re.MULTILINE | re.DOTALL)
_PROGRAM = '[package]\nname = "user"\nversion = "0.1.0"\nedition = "2021"\npublish = false\n\n[dependencies]\n'
_CLOSED_S = 200.0
"""Figures of kernels are asked for behind a build, with what processors have left: by hand nothing is beside a call."""
_DEVICE_LINK = "--device-link"
_RECORDER = '#!/bin/sh\n{{ pwd; printf "%s\\n" {tool} "$@" ""; }} >>{notes}\nexec {tool} "$@"\n'


@dataclass(frozen=True)
class Subject:
    """A source that is saved, and the program that is built then."""

    name: str
    root: Path
    """Where the watch runs."""
    source: Path


class Command(NamedTuple):
    """A call that is made by hand."""

    what: str
    """`nvcc`, `ar`, `rustc`, `script`."""
    argv: tuple[str, ...]
    cwd: str


class Saved(NamedTuple):
    """One save."""

    wait_s: float
    needed_s: Mapping[str, float]
    """Seconds of the calls that must run, by `what`."""
    again_s: float
    """Of the same calls once more."""
    script_s: float
    """Of the build script, run by hand."""
    plain_s: float
    """Of plain `cargo build`."""
    start_s: float
    wall_s: float
    cpu_s: float
    """Processor time of the build with all that it started."""
    needed_cpu_s: float
    """Of the calls that must run."""


def sppark_subject(deck: Deck, place: str) -> Subject:
    """A program that calls sppark's NTT over the Goldilocks field; `place`: its sources."""
    copy, root = f"{deck.folder}/sppark", Path(deck.folder, "ntt")
    shutil.copytree(place, copy, ignore=shutil.ignore_patterns(".git"), symlinks=True)
    _write(root, {
        "Cargo.toml": f'{_PROGRAM}ntt-cuda = {{ path = "{copy}/poc/ntt-cuda", features = ["gl64"] }}\n'
                      f'sppark = {{ path = "{copy}/rust" }}\n',
        "src/main.rs": "fn main() { ntt_cuda::NTT(0, &mut [0u64; 8], sppark::NTTInputOutputOrder::NN); }\n",
    })  # fmt: skip
    return Subject("sppark's ntt_api.cu", root, Path(copy, "poc/ntt-cuda/cuda/ntt_api.cu"))


def sample_subject(deck: Deck, member: str, source: str) -> Subject:
    """A program that uses one of the CUDA members of the sample workspace, in a checkout of its own."""
    root, shared = Path(deck.folder, member), f"{deck.folder}/shared"
    if not os.path.isdir(shared):
        sample.write_shared(shared)
    sample.write_checkout(str(root), shared, has_cuda=True)
    _write(root / "crates/user", {
        "Cargo.toml": f'{_PROGRAM}{member} = {{ path = "../{member}" }}\n',
        "src/main.rs": f"use {member.replace('-', '_')} as _;\nfn main() {{}}\n",
    })  # fmt: skip
    return Subject(f"the sample's {Path(source).name}", root, root / "crates" / member / source)


def _write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


class Replay:
    """The calls that must run for a save, by hand."""

    def __init__(self, deck: Deck, subject: Subject, env: Mapping[str, str]) -> None:
        self._env = {**env, "PATH": f"{_toolchain(env)}/bin:{env['PATH']}"}
        self._subject = subject
        self.cpu_s = 0.0
        """Of all calls so far."""
        printed = self._printed()
        found = [shlex.split(line) for line in _RUNNING.findall(printed)]
        self._rustcs = [self._command("rustc", words) for words in found if _program(words).endswith("rustc")]
        scripts = [self._command("script", words) for words in found if "/build-script-" in _program(words)]
        if len(scripts) != 1 or len(self._rustcs) != 2:
            raise RuntimeError(f"more or less than one script, a crate and the program: {printed}")
        self._script = scripts[0]
        self._tree = next(word for word in self._script.argv if word.startswith("OUT_DIR="))[8:] + "/build"
        self._made = [] if os.path.exists(self._tree + "/build.ninja") else list(self._recorded(deck))
        """What the script calls by PATH, in order."""

    def _printed(self) -> str:
        """What plain cargo says that it runs, for a save."""
        source = self._subject.source
        save(source, source.read_text() + "// once\n")
        done = subprocess.run(
            ["cargo", "build", "-p", "user", "-vv"], cwd=self._subject.root, env=self._env, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stdout)
        return done.stdout

    def _command(self, what: str, words: Sequence[str]) -> Command:
        """Of a line of cargo's: variables first."""
        given = dict(word.split("=", 1) for word in words[: words.index(_program(words))])
        cwd = given["CARGO_MANIFEST_DIR"] if what == "script" else str(self._subject.root)
        return Command(what, ("env", *words), cwd)

    def _recorded(self, deck: Deck) -> Iterator[Command]:
        """What the build script has nvcc make and ar archive, by a recorder that stands first in PATH."""
        front, notes = Path(deck.folder, "recorder"), Path(deck.folder, "recorded.txt")
        front.mkdir(exist_ok=True)
        for name in ("nvcc", "ar"):
            real = shutil.which(name, path=self._env["PATH"])
            (front / name).write_text(_RECORDER.format(notes=notes, tool=real))
            (front / name).chmod(0o755)
        notes.write_text("")
        os.utime(self._subject.source)
        self._run(self._script, {**self._env, "PATH": f"{front}:{self._env['PATH']}"})
        for call in notes.read_text().split("\n\n")[:-1]:
            cwd, tool, *words = call.split("\n")
            if tool.endswith("/ar") or self._is_needed(words):
                yield Command(os.path.basename(tool), (tool, *words), cwd)

    def _is_needed(self, words: Sequence[str]) -> bool:
        """A call of nvcc that compiles the source, or links what is made of it."""
        source = self._subject.source
        return _DEVICE_LINK in words or any(word.endswith(f"{source.parent.name}/{source.name}") for word in words)

    def _by_cmake(self, calls: Sequence[NvccCall]) -> list[Command]:
        """Calls of nvcc as they were noted, and ninja's command for the archive."""
        told = subprocess.run(["ninja", "-C", self._tree, "-t", "commands"], capture_output=True, text=True,
                              check=True).stdout.splitlines()  # fmt: skip
        archive = next(line for line in told if " qc " in line)
        return [*(Command("nvcc", (call.tool, *call.argv), call.cwd) for call in calls),
                Command("ar", ("sh", "-c", archive), self._tree)]  # fmt: skip

    def needed(self, calls: Sequence[NvccCall]) -> dict[str, float]:
        """Make the calls; seconds by what they are. `calls`: those of nvcc that were noted.

        Raises:
            RuntimeError: one fails, or others were noted than the build script makes.
        """
        calls = [call for call in calls if self._is_needed(call.argv)]
        made = self._made or self._by_cmake(calls)
        own = [one.argv[1:] for one in made if one.what == "nvcc"]
        if not own or (calls and sorted(own) != sorted(call.argv for call in calls)):
            raise RuntimeError(f"{own} should have been noted, {[call.argv for call in calls]} were")
        spent: dict[str, float] = {}
        for command in (*made, *self._rustcs):
            spent[command.what] = spent.get(command.what, 0.0) + self._run(command, self._env)
        return spent

    def run_script(self) -> float:
        """Run the build script, for which the source is newer than what was made of it; seconds."""
        os.utime(self._subject.source)
        return self._run(self._script, self._env)

    def run_cargo(self) -> float:
        """Run plain cargo, for which the source is newer: the watch sees that it is the same; seconds."""
        os.utime(self._subject.source)
        return self._run(Command("cargo", ("cargo", "build", "-p", "user"), str(self._subject.root)), self._env)

    def _run(self, command: Command, env: Mapping[str, str]) -> float:
        began, before = time.perf_counter(), os.times()
        done = subprocess.run(command.argv, cwd=command.cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              check=False)  # fmt: skip
        took_s, after = time.perf_counter() - began, os.times()
        self.cpu_s += sum(after[2:4]) - sum(before[2:4])
        if done.returncode:
            raise RuntimeError(f"{shlex.join(command.argv)} in {command.cwd}: {done.stderr.decode('utf-8', 'replace')}")
        return took_s


def _program(words: Sequence[str]) -> str:
    """Behind the variables."""
    return next(word for word in words if not re.match(r"\w+=", word))


def _toolchain(env: Mapping[str, str]) -> str:
    """Where cargo's own rustc is: by hand it is not to be looked up by rustup."""
    return subprocess.run(["rustc", "--print", "sysroot"], env=dict(env), capture_output=True, text=True,
                          check=True).stdout.strip()  # fmt: skip


def measure(deck: Deck, subject: Subject, env: Mapping[str, str], saves: int) -> list[Saved]:
    """Saves under one watch, each followed by its calls by hand."""
    done = deck.run("build", "-p", "user", cwd=str(subject.root), env=env, timeout_s=3600)
    if done.returncode:
        raise RuntimeError(done.stderr)
    text = subject.source.read_text()
    replay = Replay(deck, subject, {**deck.env, **env})
    session = Session(deck, subject.root, env, ("build", "-p", "user"))
    found: list[Saved] = []
    try:
        session.next("ended")
        session.next("watching")
        for number in range(saves):
            found.append(_save(deck, session, subject, replay, f"{text}__device__ float saved = {number}.5f;\n"))
            print(f"{subject.name} {number + 1}/{saves}: {_line(found[-1])}", file=sys.stderr, flush=True)
    finally:
        session.close()
    return found


def _save(deck: Deck, session: Session, one: Subject, replay: Replay, text: str) -> Saved:
    told = session.saved("cu", save(one.source, text))
    paths = Paths(deck.state, "")
    deck.run("iterations", cwd=str(one.root))  # where the engine has ended, another one begins
    until(lambda: not os.path.exists(f"{paths.open}/{told['run']}"), _CLOSED_S, "the end of what the engine measures")
    calls = [call for call in calls_of_run(paths, told["run"]) if call.makes]
    before_s = replay.cpu_s
    needed = replay.needed(calls)
    needed_cpu_s = replay.cpu_s - before_s
    again_s = sum(replay.needed(calls).values())
    left = read_json(f"{paths.run(told['run'])}/exit.json")
    return Saved(told["wait_s"], needed, again_s, replay.run_script(), replay.run_cargo(), told["start_s"],
                 told["wall_s"], left["user_s"] + left["sys_s"], needed_cpu_s)  # fmt: skip


def _line(one: Saved) -> str:
    parts = " + ".join(f"{what} {s:.2f}" for what, s in one.needed_s.items())
    return (f"{one.wait_s:.2f} s ({one.start_s:.2f} to the start, build {one.wall_s:.2f}) against {parts} s; "
            f"script {one.script_s:.2f} s, cargo {one.plain_s:.2f} s")  # fmt: skip


def judge(name: str, found: Sequence[Saved]) -> bool:
    """Say what was measured; whether it is within the limit."""
    waits, plain = [one.wait_s for one in found], [one.plain_s for one in found]
    narrow = [sum(one.needed_s.values()) for one in found]
    wide = [one.script_s + one.needed_s["rustc"] for one in found]
    ratio = _paired(waits, wide)
    print(f"{name}, {len(found)} saves: built {_spread(waits)} after the save")
    print(f"  build script and rustc by hand {_spread(wide)}: {ratio:.3f} (limit {LIMIT})")
    print(f"  nvcc, ar and rustc by hand {_spread(narrow)}: {_paired(waits, narrow):.3f}, "
          f"plain cargo against them {_paired(plain, narrow):.3f}, "
          f"they against themselves {_paired([one.again_s for one in found], narrow):.3f}")  # fmt: skip
    for what in found[0].needed_s:
        print(f"    {what} {_spread([one.needed_s[what] for one in found])}")
    print(f"  plain cargo build {_spread(plain)}: {_paired(waits, plain):.3f}")
    print(
        f"  to the start of the build {_spread([one.start_s for one in found])}, "
        f"the build {_spread([one.wall_s for one in found])}"
    )
    cpu = [one.cpu_s for one in found], [one.needed_cpu_s for one in found]
    print(f"  processor time: the build {_spread(cpu[0])}, nvcc, ar and rustc {_spread(cpu[1])}: "
          f"{_paired(*cpu):.3f}")  # fmt: skip
    return ratio <= LIMIT


def _paired(ones: Sequence[float], others: Sequence[float]) -> float:
    """Median of the ratios of each save."""
    return statistics.median(one / other for one, other in zip(ones, others, strict=True))


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f})"
