"""A toolkit whose programs are a script, a project in a worktree, and the front before nvcc with its cache."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from core.paths import Paths
from core.run.fronts import find_exec_fronts
from tests.fronts import own_fronts

_STUB = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* nvcc's own binary has the names of its options. */
const char *knows = "generate-dependencies-with-compile";
int main(int count, char **words) {
    char **all = calloc(count + 5, sizeof *all), me[4096];
    ssize_t length = readlink("/proc/self/exe", me, sizeof me - 1);
    if (length < 0) return 126;
    me[length] = 0;
    if (strcmp(strrchr(me, '/'), "/nvcc")) {
        const char *asked = count > 1 ? strstr(words[1], "-prog-name=") : 0;
        if (asked) puts(asked + strlen("-prog-name="));
        return 0;
    }
    all[0] = PYTHON; all[1] = "-IS"; all[2] = SCRIPT; all[3] = me;
    for (int at = 1; at < count; at++) all[at + 3] = words[at];
    execv(PYTHON, all);
    return knows[0] ? 127 : 0;
}
"""
_COARSE = 5
"""`CLOCK_REALTIME_COARSE`: what the kernel writes into inodes."""
SOURCE = '#include "near.cuh"\n#include <lib/far.cuh>\nkernel\n'

FILES = {
    "src/k.cu": SOURCE, "src/near.cuh": "near\n", "inc/lib/far.cuh": '#include "farther.cuh"\nfar\n',
    "inc/lib/farther.cuh": "farther\n",
}  # fmt: skip


class Call(NamedTuple):
    """One nvcc through the front."""

    code: int
    stdout: str
    stderr: str
    note: dict[str, Any]
    """What the front said of its end."""

    @property
    def verdict(self) -> str:
        return str(self.note["verdict"])

    @property
    def why(self) -> str:
        return f"{self.note['why']}; {self.note['not_kept']}"


class World(NamedTuple):
    """Everything below one folder."""

    folder: Path
    env: dict[str, str]
    front: str

    @property
    def root(self) -> Path:
        """The first worktree."""
        return self.folder / "one"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def bin(self) -> Path:
        """Where the toolkit's programs are."""
        return self.folder / "kit/bin"

    def call(self, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Call:
        """Run nvcc, by default of the first worktree."""
        settle()
        whole = {**self.env, "PATH": f"{self.front}:{self.env['PATH']}", **(env or {})}
        done = subprocess.run(
            ["nvcc", *words], executable=self.front + "/nvcc", cwd=cwd or self.root, env=whole, capture_output=True,
            text=True, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        return Call(done.returncode, done.stdout, done.stderr, self.ended())

    def ptx(self, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Call:
        """The usual call."""
        usual = ("-ptx", "-arch=sm_80", "-Iearly", "-Iinc", *words, "src/k.cu", "-o", "k.ptx")
        return self.call(*usual, cwd=cwd, env=env)

    def ended(self) -> dict[str, Any]:
        """The last note of an end."""
        lines = (self.folder / "notes/nvcc.jsonl").read_text().splitlines()
        found: dict[str, Any] = next(note for line in reversed(lines) if "end" in (note := json.loads(line)))
        return found

    def compiled(self) -> int:
        """How often nvcc has run."""
        log = self.folder / "log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def write(self, name: str, text: str) -> Path:
        """A file of the first worktree."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def second(self) -> Path:
        """A worktree of the same content."""
        return Path(
            shutil.copytree(
                self.root, self.folder / "two", ignore=shutil.ignore_patterns("k.ptx", "k.o", "k.d", "k.cubin")
            )
        )


def settle() -> None:
    """Wait for the clock of files to go on: what is written in one moment with a compilation is rightly not kept."""
    now = time.time_ns()
    while time.clock_gettime_ns(_COARSE) <= now:
        pass


def build_stub(folder: Path) -> Path:
    """The program that stands for each tool."""
    script = Path(__file__).with_name("fake_nvcc.py")
    texts = [f"-D{name}={json.dumps(str(value))}" for name, value in (("PYTHON", sys.executable), ("SCRIPT", script))]
    (folder / "stub.c").write_text(_STUB)
    subprocess.run(["cc", "-o", folder / "stub", folder / "stub.c", *texts], check=True)
    return folder / "stub"


def make_world(folder: Path, stub: Path) -> World:
    """A toolkit, a project, and fronts."""
    for name in ("kit/bin", "kit/include", "kit/nvvm/libdevice", "host", "tmp", "notes", "one/.git", "one/early"):
        (folder / name).mkdir(parents=True)
    for name in ("nvcc", "cicc", "ptxas"):
        shutil.copy(stub, folder / "kit/bin" / name)
    for name in ("gcc", "as"):
        shutil.copy(stub, folder / "host" / name)
    (folder / "kit/bin/nvcc.profile").write_text("TOP = $(_HERE_)/..\n")
    (folder / "kit/nvvm/libdevice/libdevice.10.bc").write_text("device")
    paths = Paths(str(folder / "state"), own_fronts(folder / "cache"))
    env = {
        "PATH": f"{folder}/kit/bin:{folder}/host:/usr/bin:/bin", "TMPDIR": str(folder / "tmp"), "HOME": str(folder),
        "DECK_FRONTS": str(folder / "notes"), "DECK_NVCC_CACHE": str(folder / "store"), "FAKE_LOG": str(folder / "log"),
        "FAKE_HELD": "1",
    }  # fmt: skip
    (front,) = (one for one in find_exec_fronts(paths, env, ("nvcc",), str(folder)).folders if "/nvcc-" in one)
    world = World(folder, env, front)
    for name, text in FILES.items():
        world.write(name, text)
    return world


def same_time(path: Path, text: str) -> None:
    """Other content of the same size, with the old time of change."""
    old = path.stat()
    assert len(text) == old.st_size
    path.write_text(text)
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))


def shell(world: World, text: str) -> "subprocess.CompletedProcess[str]":
    """Run a line of shell in the first worktree, with the front in PATH."""
    settle()
    env = {**world.env, "PATH": f"{world.front}:{world.env['PATH']}"}
    argv = ["sh", "-c", text.replace("NVCC", shlex.quote(world.front + "/nvcc"))]
    return subprocess.run(argv, cwd=world.root, env=env, capture_output=True, text=True, check=False)
