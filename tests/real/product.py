"""The installed command, driven from outside, against folders of its own; and what /proc says of it."""

import contextlib
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from tests.fronts import lend_fronts

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMAND = os.environ.get("CARGO_DECK_COMMAND") or os.path.join(os.path.dirname(sys.executable), "cargo-deck")
"""What is tested: the command beside the Python that runs the tests, or another one on request."""
_KEPT = ("RUSTUP_TOOLCHAIN", "RUSTUP_AUTO_INSTALL", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "LANG")

T = TypeVar("T")


class Process(NamedTuple):
    """A process that is not reused as another one: pid and start."""

    pid: int
    start: str
    """Field 22 of /proc/PID/stat."""
    argv: tuple[str, ...]


def plain_env(folder: str, path_front: str = "") -> dict[str, str]:
    """What a caller's shell has: the machine's cargo, and all folders of ours below `folder`."""
    home = os.path.expanduser("~")
    path = os.environ["PATH"]
    for extra in (os.path.join(REPO, ".tools", "bin"), os.path.dirname(COMMAND), path_front):
        path = f"{extra}{os.pathsep}{path}" if extra else path
    return {
        "PATH": path,
        "HOME": os.path.join(folder, "home"),
        "CARGO_HOME": os.environ.get("CARGO_HOME", os.path.join(home, ".cargo")),
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", os.path.join(home, ".rustup")),
        "XDG_STATE_HOME": os.path.join(folder, "state"),
        "XDG_CACHE_HOME": os.path.join(folder, "cache"),
        "TERM": "xterm-256color",
        "CARGO_NET_OFFLINE": "true",
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
    }


class Deck:
    """One user's cargo-deck: its folders, its engine, its shim."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.env = plain_env(folder)
        os.makedirs(self.env["HOME"], exist_ok=True)
        lend_fronts(os.path.join(folder, "cache", "cargo-deck"))
        self.state = os.path.join(folder, "state", "cargo-deck")

    def run(
        self, *args: str, cwd: str | None = None, env: Mapping[str, str] | None = None, timeout_s: float = 120
    ) -> "subprocess.CompletedProcess[str]":
        """One command of ours to its end, over files (a process that holds a pipe open does not hang us)."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            done = subprocess.run(
                [COMMAND, *args], cwd=cwd or self.folder, env={**self.env, **(env or {})}, stdout=out, stderr=err,
                stdin=subprocess.DEVNULL, timeout=timeout_s, check=False,
            )  # fmt: skip
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())

    def json(self, *args: str, cwd: str | None = None) -> Any:
        """What one command of ours prints as JSON. Raises AssertionError where it is none."""
        done = self.run(*args, cwd=cwd)
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError as error:
            raise AssertionError(f"{args}: exit {done.returncode}, {done.stdout!r}, {done.stderr!r}") from error

    def shim(self) -> str:
        """The folder to put first in PATH, found as whatever holds an executable called cargo."""
        done = self.run("shim", "install")
        found = [
            os.path.join(at, "cargo")
            for at, _, names in os.walk(self.folder)
            if "cargo" in names and os.access(os.path.join(at, "cargo"), os.X_OK)
        ]
        assert found, f"no shim after `shim install`: {done.returncode} {done.stdout} {done.stderr}"
        return os.path.dirname(found[0])

    def runs(self) -> list[str]:
        """Folders of all runs, oldest first."""
        return sorted(glob.glob(os.path.join(self.state, "runs", "*")))

    def engine(self) -> Process | None:
        """Whoever holds the flock on engine/lock, as the kernel says."""
        path = os.path.join(self.state, "engine", "lock")
        try:
            inode = os.stat(path).st_ino
        except FileNotFoundError:
            return None
        with open("/proc/locks", encoding="ascii") as locks:
            for line in locks:
                words = line.split()
                if words[1] == "FLOCK" and words[5].endswith(f":{inode}") and (one := process(int(words[4]))):
                    return one
        return None

    def processes(self) -> list[Process]:
        """All that live with our state folder in their environment."""
        return with_environ(f"XDG_STATE_HOME={self.env['XDG_STATE_HOME']}")

    def close(self) -> None:
        """End what is left of us, by pid."""
        for one in self.processes():
            end(one, signal.SIGKILL)


@contextlib.contextmanager
def temporary_deck(prefix: str = "deck-") -> Iterator[Deck]:
    """A Deck in a short temporary folder, gone afterwards."""
    folder = tempfile.mkdtemp(prefix=prefix, dir="/tmp")
    deck = Deck(folder)
    try:
        yield deck
    finally:
        deck.close()
        shutil.rmtree(folder, ignore_errors=True)


def process(pid: int) -> Process | None:
    """The process with that pid; None: gone, or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            argv = file.read().decode("utf-8", "replace").split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in (b"Z", b"X") else Process(pid, fields[19].decode(), tuple(argv))


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def with_environ(text: str) -> list[Process]:
    """Living processes in whose environment the text occurs, without ourselves."""
    found = []
    for pid in _pids():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
            if text.encode() in file.read() and pid != os.getpid() and (one := process(pid)):
                found.append(one)
    return found


def with_argument(text: str) -> list[Process]:
    """Living processes with the text in their argv, without ourselves."""
    return [one for pid in _pids() if pid != os.getpid() and (one := process(pid)) and any(text in a for a in one.argv)]


def marked(marker: str) -> list[Process]:
    """Living processes with the marker in environment or argv."""
    return list({one.pid: one for one in (*with_environ(marker), *with_argument(marker))}.values())


def end(one: Process, number: int) -> bool:
    """Signal that very process; False: it was gone."""
    if process(one.pid) is None or process(one.pid) != one:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(one.pid, number)
        return True
    return False


def gone_after_s(marker: str, limit_s: float, spared: tuple[Process | None, ...] = ()) -> tuple[float, list[Process]]:
    """Seconds until nothing with the marker lives, at most limit_s, and what then lives."""
    began = time.monotonic()
    spared_pids = {one.pid for one in spared if one}
    while True:
        left = [one for one in marked(marker) if one.pid not in spared_pids]
        waited_s = time.monotonic() - began
        if not left or waited_s > limit_s:
            return waited_s, left
        time.sleep(0.02)


def read_json(path: str) -> dict[str, Any]:
    """An object of a file of ours."""
    with open(path, encoding="utf-8") as file:
        value: dict[str, Any] = json.load(file)
    return value


def until(found: Callable[[], T | None], limit_s: float, what: str) -> T:
    """The first truth that `found` gives. Raises AssertionError after limit_s."""
    deadline = time.monotonic() + limit_s
    while True:
        value = found()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(0.01)
