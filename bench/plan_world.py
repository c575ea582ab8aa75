"""Real workspaces out of published crates, and one build of them measured: time, memory, size.

Members stand in one workspace, each patched in for its published self, as in the repository they come from. Their
tests, benches and examples are left out: nothing builds them here.
"""

import contextlib
import glob
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_LEFT_OUT = re.compile(r"(dev-dependencies|profile|test|bench|example|lints|target\..*\.dev-dependencies)\b")


class Subject(NamedTuple):
    """A workspace."""

    name: str
    members: tuple[str, ...]
    """`NAME-VERSION`; the first has the program."""
    program: str
    """File name of what is linked."""
    low: str
    """Source of a member low in the graph, which the edit changes."""
    main: str
    """Source of the program's crate, which is all that a link alone changes."""
    job: tuple[str, ...] = ()
    """Arguments of a fixed job of the program, run in the workspace's folder; empty: it is not run."""
    about: str = ""
    own: tuple[tuple[str, str], ...] = ()
    """Files of ours: path and text; a folder with a manifest is a member."""
    lent: tuple[tuple[str, str, str], ...] = ()
    """Crate, file or folder of it, and the path here that it is copied to."""


SUBJECTS = {one.name: one for one in (
    Subject(
        "ripgrep", ("ripgrep-15.2.0", "grep-0.4.1", "grep-cli-0.1.12", "grep-matcher-0.1.9", "grep-printer-0.3.1",
                    "grep-regex-0.1.14", "grep-searcher-0.1.17", "globset-0.4.20", "ignore-0.4.35"),
        "rg", "globset/src/lib.rs", "ripgrep/crates/core/main.rs",
        ("-j1", "-c", "--no-ignore", "--sort=path", "(fn|let|impl|use) +[a-z_]+.*(Error|Result|String)", *["."] * 40),
        "nine members, little of proc macros, a program that computes",
    ),
    Subject(
        "minijinja", ("minijinja-cli-3.0.5", "minijinja-3.0.5", "minijinja-contrib-3.0.5"),
        "minijinja-cli", "minijinja/src/lib.rs", "minijinja-cli/src/main.rs",
        about="three members, serde and clap with their proc macros, much of generics",
    ),
)}  # fmt: skip


class Taken(NamedTuple):
    """What one build took."""

    wall_s: float
    cpu_s: float
    """User and system, of all that ran for it, detached or not."""
    peak_bytes: int
    """Largest resident memory of one process."""
    link_bytes: int
    """The same, of linkers; 0: nothing was linked."""
    at_once_bytes: int
    """Largest anonymous memory of all its processes together, seen every 50 ms; 0: not looked at."""
    code: int


def unpack(subject: Subject, folder: str, env: dict[str, str]) -> None:
    """Write the workspace, fetch what it depends on. Raises CalledProcessError without the registry."""
    names = [crate.rpartition("-")[0] for crate in subject.members]
    os.makedirs(folder)
    for name, crate in zip(names, subject.members, strict=True):
        shutil.copytree(_source(crate, env), f"{folder}/{name}", ignore=shutil.ignore_patterns("Cargo.lock", "*.orig"))
        with open(f"{folder}/{name}/Cargo.toml", encoding="utf-8") as file:
            text = without_tables(file.read())
        _write(f"{folder}/{name}/Cargo.toml", text)
    for crate, path, to in subject.lent:
        source = f"{_source(crate, env)}/{path}"
        os.makedirs(os.path.dirname(f"{folder}/{to}"), exist_ok=True)
        (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, f"{folder}/{to}")
    for path, text in subject.own:
        _write(f"{folder}/{path}", text)
    patches = "".join(f'{name} = {{ path = "{name}" }}\n' for name in names[1:])
    names += [path.removesuffix("/Cargo.toml") for path, _ in subject.own if path.endswith("/Cargo.toml")]
    members = ", ".join(f'"{name}"' for name in names)
    _write(
        f"{folder}/Cargo.toml", f'[workspace]\nresolver = "2"\nmembers = [{members}]\n\n[patch.crates-io]\n{patches}'
    )
    lock = f"{_source(subject.members[0], env)}/Cargo.lock" if subject.members else ""
    if os.path.exists(lock):
        shutil.copy(lock, folder)
    subprocess.run(
        ["cargo", "fetch"], cwd=folder, env={**env, "CARGO_NET_OFFLINE": "false"}, check=True, capture_output=True
    )


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def without_tables(manifest: str) -> str:
    """A published manifest (every table has a header of its own) without what nothing here builds."""
    kept, is_kept = [], True
    for line in manifest.splitlines():
        if line.startswith("["):
            is_kept = not _LEFT_OUT.match(line.strip("[]"))
        if is_kept:
            kept.append(line)
    return "\n".join(kept) + "\n"


def _source(crate: str, env: dict[str, str]) -> str:
    """The crate's folder in the registry; `cargo info` puts it there."""
    pattern = os.path.join(env["CARGO_HOME"], "registry", "src", "*", crate)
    if not glob.glob(pattern):
        name, _, version = crate.rpartition("-")
        subprocess.run(
            ["cargo", "info", f"{name}@{version}"], check=True, capture_output=True,
            env={**env, "CARGO_NET_OFFLINE": "false"},
        )  # fmt: skip
    return sorted(glob.glob(pattern))[-1]


class Edit:
    """A source file whose last function changes."""

    _MARK = "\n// What follows changes.\n"

    def __init__(self, path: str, *, is_program: bool) -> None:
        self.path = path
        with open(path, encoding="utf-8") as file:
            self._text = file.read().partition(self._MARK)[0]
        self._form = _IN_OTHER.get(os.path.splitext(path)[1], _IN_PROGRAM if is_program else _IN_LIBRARY)

    def make(self, number: int) -> None:
        """Another body than with any other number, of the same size up to 9999."""
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(f"{self._text}{self._MARK}{self._form.replace('NUMBER', f'1{number:04}')}")


_IN_LIBRARY = """/// Changes.
pub fn changing(words: &[&str]) -> String {
    let mut all: Vec<String> = words.iter().map(|w| format!("{w}-NUMBER")).collect();
    all.sort();
    all.join(" ")
}
"""
_IN_OTHER = {
    ".c": "int changing(int number) {\n    return number * NUMBER;\n}\n",
    ".cu": 'extern "C" __global__ void changing(float *all) {\n    all[threadIdx.x] *= NUMBER;\n}\n',
}
_IN_PROGRAM = "#[used]\nstatic CHANGING: u32 = NUMBER;\n"


def take(argv: Sequence[str], *, cwd: str, env: dict[str, str], peaks: str = "", looks: bool = False) -> Taken:
    """The command to its end, and of all that it leaves behind.

    Whoever calls is a child subreaper with no other children: a linker that forks and lets its first process end (mold)
    is counted. `peaks`: file in which each link notes its memory.
    """
    if peaks and os.path.exists(peaks):
        os.unlink(peaks)
    streams = [(0, os.devnull, os.O_RDONLY), (1, os.devnull, os.O_WRONLY), (2, os.devnull, os.O_WRONLY)]
    began = time.monotonic()
    pid = os.posix_spawnp(
        "env", ["env", "-C", cwd, *argv], env,
        file_actions=[(os.POSIX_SPAWN_OPEN, fd, path, flags, 0) for fd, path, flags in streams],
    )  # fmt: skip
    with _watched(looks) as seen:
        cpu_s, peak, code, wall_s = 0.0, 0, -1, 0.0
        with contextlib.suppress(ChildProcessError):
            while True:
                ended, status, usage = os.wait4(-1, 0)
                cpu_s += usage.ru_utime + usage.ru_stime
                peak = max(peak, usage.ru_maxrss * 1024)
                if ended == pid:
                    wall_s, code = time.monotonic() - began, os.waitstatus_to_exitcode(status)
    return Taken(wall_s, cpu_s, peak, read_link_peak(peaks), max(seen, default=0), code)


def read_link_peak(peaks: str) -> int:
    """The largest of a file of `OUTPUT <tab> BYTES` lines; 0: there is none."""
    try:
        with open(peaks, encoding="utf-8", errors="replace") as file:
            return max((int(line.rpartition("\t")[2]) for line in file if line.endswith("\n")), default=0)
    except FileNotFoundError:
        return 0


@contextlib.contextmanager
def _watched(looks: bool) -> Iterator[list[int]]:
    """Anonymous bytes of all our descendants, looked at until the block ends."""
    seen: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            seen.append(sum(_anonymous_bytes(pid) for pid in _below(os.getpid())))

    thread = threading.Thread(target=look)
    if looks:
        thread.start()
    yield seen
    over.set()
    if looks:
        thread.join()


def _below(pid: int) -> list[int]:
    found = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
            found += [int(word) for word in file.read().split()]
    return found + [one for child in found for one in _below(child)]


def _anonymous_bytes(pid: int) -> int:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0


def size_bytes(folder: str) -> int:
    """Of all files below, each once however many names it has."""
    sizes = {}
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                stat = os.lstat(f"{place}/{name}")
                sizes[stat.st_ino] = stat.st_size
    return sum(sizes.values())
