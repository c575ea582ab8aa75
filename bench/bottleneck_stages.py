"""Situations that hold a build up, each staged with a real build and real trouble. Part of `bench.bottleneck`."""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.real.product import COMMAND, Deck, process, until
from tests.real.samples import write_files

_MEMORY, _BLKIO = "/sys/fs/cgroup/memory", "/sys/fs/cgroup/blkio"
MEMORY_LIMIT_BYTES = 70 << 20
SWAP_BYTES = 512 << 20
WRITE_BYTES_S = 200_000
MANIFEST = '[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n'
PROFILE = "[profile.dev]\nincremental = false\ncodegen-units = 1\n"
_CORES = os.cpu_count() or 1


class Staged(NamedTuple):
    """A situation that has begun."""

    run: str
    """Folder of the run."""
    at: float
    """When it began, seconds since the epoch."""


Stage = Callable[[Deck, str], contextlib.AbstractContextManager[Staged]]


def library(functions: int, seed: int = 0) -> str:
    """Source of a library that takes rustc about 3 ms a function to check, and 8 to compile."""
    return "".join(
        f'pub fn f{i}(x: &mut Vec<String>) -> usize {{ x.push(format!("{{}}-{{:?}}", {i + seed}u64 * x.len() as u64, '
        "x.first())); let m: std::collections::HashMap<String, Vec<u64>> = x.iter().map(|s| (s.clone(), "
        "s.bytes().map(u64::from).collect())).collect(); m.values().map(|v| v.iter().sum::<u64>() as usize).sum() }\n"
        for i in range(functions)
    )


def write_wide(root: str, crates: int, functions: int) -> None:
    """A workspace of libraries that do not depend on each other."""
    names = [f"wide{i}" for i in range(crates)]
    files = {"Cargo.toml": f'[workspace]\nresolver = "2"\nmembers = {json.dumps(names)}\n{PROFILE}'}
    for i, name in enumerate(names):
        files[f"{name}/Cargo.toml"] = MANIFEST.format(name=name)
        files[f"{name}/src/lib.rs"] = library(functions, i)
    write_files(root, files)


def start(deck: Deck, root: str, *words: str, env: dict[str, str] | None = None) -> str:
    """A detached build; its folder."""
    before = set(deck.runs())
    deck.run(*words, "--detach", "--agent", "staged", cwd=root, env=env)
    (run,) = set(deck.runs()) - before
    return run


def end(deck: Deck, run: str) -> None:
    """Stop a run, whatever state it is in."""
    deck.run("stop", "--kill", os.path.basename(run))


@contextlib.contextmanager
def begun(deck: Deck, root: str, *words: str, env: dict[str, str] | None = None) -> Iterator[Staged]:
    """A detached build, from now on; it is stopped in the end."""
    at = time.time()
    run = start(deck, root, *words, env=env)
    yield Staged(run, at)
    end(deck, run)


@contextlib.contextmanager
def cpu_hog(deck: Deck, root: str) -> Iterator[Staged]:
    write_wide(root, _CORES + 2, 400)
    spin = "while True: pass"
    hogs = [subprocess.Popen([sys.executable, "-I", "-S", "-c", spin]) for _ in range(2 * _CORES)]
    try:
        with begun(deck, root, "build") as staged:
            yield staged
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


@contextlib.contextmanager
def memory_hog(deck: Deck, root: str) -> Iterator[Staged]:
    """The build lives in a memory cgroup that is too small for it; swap keeps it alive."""
    write_wide(root, 2, 1500)
    swap, group = root + "/swap", f"{_MEMORY}/deck-bench-{os.getpid()}"
    with open(swap, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, SWAP_BYTES)
    os.chmod(swap, 0o600)
    _call("mkswap", swap)
    _call("swapon", swap)
    os.mkdir(group)
    _write(group + "/memory.limit_in_bytes", str(MEMORY_LIMIT_BYTES))
    try:
        with _inside(deck, group, root, "build") as staged:
            yield staged
    finally:
        _remove(group)
        _call("swapoff", swap)


@contextlib.contextmanager
def slow_disk(deck: Deck, root: str) -> Iterator[Staged]:
    """The target dir is on a disk that takes 200 KB/s, and at once."""
    image, mount, group = root + "/disk", root + "/target", f"{_BLKIO}/deck-bench-{os.getpid()}"
    write_wide(root, 4, 30)
    os.makedirs(mount)
    with open(image, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 512 << 20)
    _call("mkfs.ext4", "-q", image)
    device = _call("losetup", "--find", "--show", image)
    _call("mount", "-o", "sync,dirsync", device, mount)
    os.mkdir(group)
    number = os.stat(device).st_rdev
    throttle, disk = group + "/blkio.throttle.write_bps_device", f"{os.major(number)}:{os.minor(number)}"
    _write(throttle, f"{disk} {WRITE_BYTES_S}")
    try:
        with _inside(deck, group, root, "build") as staged:
            yield staged
            _write(throttle, f"{disk} 0")  # nobody dies before what it writes is written
    finally:
        _remove(group)
        _call("umount", "-l", mount)
        _call("losetup", "-d", device)


@contextlib.contextmanager
def held_lock(deck: Deck, root: str) -> Iterator[Staged]:
    write_files(root, {"Cargo.toml": MANIFEST.format(name="held"), "src/lib.rs": ""})
    os.makedirs(root + "/target/debug")
    with open(root + "/target/debug/.cargo-lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with begun(deck, root, "build") as staged:
            yield staged


@contextlib.contextmanager
def dead_cache(deck: Deck, root: str) -> Iterator[Staged]:
    """The server of sccache is stopped before the build asks it for the first crate."""
    tool = SCCACHE[0]
    write_wide(root, 2, 50)
    port = str(_free_port())
    env = {
        "RUSTC_WRAPPER": tool, "SCCACHE_DIR": root + "/cache", "SCCACHE_SERVER_PORT": port, "SCCACHE_IDLE_TIMEOUT": "0",
    }  # fmt: skip
    subprocess.run([tool, "--start-server"], env={**deck.env, **env}, check=True, capture_output=True)
    server = _listener(int(port))
    try:
        deck.run("build", "--agent", "staged", cwd=root, env=env)
        write_wide(root, 2, 51)
        os.kill(server, signal.SIGSTOP)
        with begun(deck, root, "build", env=env) as staged:
            yield staged
    finally:
        os.kill(server, signal.SIGKILL)


@contextlib.contextmanager
def silent_registry(deck: Deck, root: str) -> Iterator[Staged]:
    """A registry that takes the connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        config = f'[source.crates-io]\nreplace-with = "silent"\n[source.silent]\nregistry = "sparse+http://127.0.0.1:{port}/"\n'
        dependency = '[dependencies]\nserde = "1"\n'
        write_files(root, {"Cargo.toml": MANIFEST.format(name="asks") + dependency, "src/lib.rs": "",
                           ".cargo/config.toml": config})  # fmt: skip
        env = {"CARGO_HOME": root + "/home", "CARGO_NET_OFFLINE": "false"}
        with begun(deck, root, "build", env=env) as staged:
            yield staged


@contextlib.contextmanager
def one_crate(deck: Deck, root: str) -> Iterator[Staged]:
    """All wait for one crate, whose check keeps one core busy."""
    files = {"Cargo.toml": f'[workspace]\nresolver = "2"\nmembers = ["root", "leaf0", "leaf1"]\n{PROFILE}',
             "root/Cargo.toml": MANIFEST.format(name="root"), "root/src/lib.rs": library(8000)}  # fmt: skip
    for name in ("leaf0", "leaf1"):
        files[f"{name}/Cargo.toml"] = MANIFEST.format(name=name) + '[dependencies]\nroot = { path = "../root" }\n'
        files[f"{name}/src/lib.rs"] = ""
    write_files(root, files)
    with begun(deck, root, "check") as staged:
        yield staged


@contextlib.contextmanager
def few_jobs(deck: Deck, root: str) -> Iterator[Staged]:
    write_wide(root, 6, 500)
    with begun(deck, root, "build", "-j1") as staged:
        yield staged


@contextlib.contextmanager
def nothing_wrong(deck: Deck, root: str) -> Iterator[Staged]:
    os.makedirs(root)
    with begun(deck, root, "exec", "--", "sleep", "30") as staged:
        yield staged


SCCACHE: list[str] = []
SITUATIONS: dict[str, tuple[str, Stage]] = {
    "cpu hog": ("cpu", cpu_hog),
    "memory hog": ("memory", memory_hog),
    "slow disk": ("disk", slow_disk),
    "held lock": ("lock", held_lock),
    "dead cache": ("cache", dead_cache),
    "silent registry": ("network", silent_registry),
    "one crate": ("critical path", one_crate),
    "too few jobs": ("cpu", few_jobs),
    "nothing wrong": ("", nothing_wrong),
}


@contextlib.contextmanager
def _inside(deck: Deck, group: str, root: str, *words: str) -> Iterator[Staged]:
    """A build whose processes live in a cgroup from the start."""
    deck.run("exec", "--", "true")
    deck.run("ps")  # which starts an engine for the end of that: outside of the group
    before = set(deck.runs())
    enter = 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"'
    at = time.time()
    caller = subprocess.Popen(
        ["sh", "-c", enter, "sh", group, COMMAND, *words, "--agent", "staged"], cwd=root, env=deck.env,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: set(deck.runs()) - before, 10, "the start of the build")
        (run,) = set(deck.runs()) - before
        yield Staged(run, at)
        end(deck, run)
    finally:
        caller.kill()
        caller.wait()


def _call(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _remove(group: str) -> None:
    """A cgroup, once its processes are gone."""
    deadline = time.monotonic() + 20
    while True:
        try:
            os.rmdir(group)
            return
        except OSError:
            with open(group + "/cgroup.procs") as file:
                left = file.read().split()
            if time.monotonic() > deadline:
                names = [" ".join(found.argv) for pid in left if (found := process(int(pid)))]
                raise SystemExit(f"{group} is not empty: {left} {names}") from None
            time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _listener(port: int) -> int:
    """Pid of who listens there."""
    import psutil

    found = psutil.net_connections("tcp4")
    return next(one.pid for one in found if one.status == "LISTEN" and one.laddr[1:] == (port,) and one.pid)
