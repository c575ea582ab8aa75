"""What holds a build up is said in the right word, within five seconds.

`python -m bench.bottleneck [--only NAME] [--sccache PATH]`. Stages eight situations with real builds and real trouble:
a cpu hog, a memory hog, a slow disk, a held lock, a dead cache, a registry that does not answer, one crate that all
wait for, too few jobs; and one where nothing is wrong. Needs root, memory and blkio cgroups (v1), loop devices, and
sccache (the one that came with us; another one by --sccache).
"""

import argparse
import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from bench.figures import Figures
from tests.real.product import COMMAND, Deck, process, temporary_deck, until
from tests.real.samples import write_files

WITHIN_S, LEAST_RIGHT = 5.0, 7
_QUIET_WITHIN_S = 90.0
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
def cpu_hog(deck: Deck, root: str) -> Iterator[Staged]:
    write_wide(root, _CORES + 2, 400)
    spin = "while True: pass"
    hogs = [subprocess.Popen([sys.executable, "-I", "-S", "-c", spin]) for _ in range(2 * _CORES)]
    try:
        at = time.time()
        run = start(deck, root, "build")
        yield Staged(run, at)
        end(deck, run)
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
        at = time.time()
        run = start(deck, root, "build")
        yield Staged(run, at)
        end(deck, run)


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
        at = time.time()
        run = start(deck, root, "build", env=env)
        yield Staged(run, at)
        end(deck, run)
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
        at = time.time()
        run = start(deck, root, "build", env=env)
        yield Staged(run, at)
        end(deck, run)


@contextlib.contextmanager
def one_crate(deck: Deck, root: str) -> Iterator[Staged]:
    """All wait for one crate, whose check keeps one core busy."""
    files = {"Cargo.toml": f'[workspace]\nresolver = "2"\nmembers = ["root", "leaf0", "leaf1"]\n{PROFILE}',
             "root/Cargo.toml": MANIFEST.format(name="root"), "root/src/lib.rs": library(8000)}  # fmt: skip
    for name in ("leaf0", "leaf1"):
        files[f"{name}/Cargo.toml"] = MANIFEST.format(name=name) + '[dependencies]\nroot = { path = "../root" }\n'
        files[f"{name}/src/lib.rs"] = ""
    write_files(root, files)
    at = time.time()
    run = start(deck, root, "check")
    yield Staged(run, at)
    end(deck, run)


@contextlib.contextmanager
def few_jobs(deck: Deck, root: str) -> Iterator[Staged]:
    write_wide(root, 6, 500)
    at = time.time()
    run = start(deck, root, "build", "-j1")
    yield Staged(run, at)
    end(deck, run)


@contextlib.contextmanager
def nothing_wrong(deck: Deck, root: str) -> Iterator[Staged]:
    os.makedirs(root)
    at = time.time()
    run = start(deck, root, "exec", "--", "sleep", "30")
    yield Staged(run, at)
    end(deck, run)


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


def wait_for_quiet() -> float:
    """Wait until the machine has a core and a half per two to spare; how busy it was at last, 0..1."""
    import psutil

    deadline = time.monotonic() + _QUIET_WITHIN_S
    psutil.cpu_percent()
    while True:
        time.sleep(1.5)
        busy = psutil.cpu_percent() / 100
        if busy < 0.15 or time.monotonic() > deadline:
            return busy


def told(run: str) -> list[dict[str, Any]]:
    """What was found of a run so far."""
    if not os.path.exists(run + "/events.jsonl"):
        return []
    with open(run + "/events.jsonl") as file:
        lines = [json.loads(line) for line in file if '"BottleneckFound"' in line]
    return lines


def judge(figures: Figures, deck: Deck, name: str) -> bool:
    """Stage a situation; whether the right word stands after five seconds."""
    word, stage = SITUATIONS[name]
    busy = wait_for_quiet()
    root = f"{deck.folder}/{name.replace(' ', '-')}"
    with stage(deck, root) as staged:
        while time.time() - staged.at < WITHIN_S:
            time.sleep(0.05)
        found = [one for one in told(staged.run) if one["at"] - staged.at <= WITHIN_S]
        later = _rest(staged.run) if not found else []
    standing = found[-1] if found else {"word": "", "evidence": "", "at": staged.at}
    first = next((one["at"] - staged.at for one in found if one["word"] == word), None)
    others = [
        f"{one['word'] or 'nothing'} at {one['at'] - staged.at:.1f} s"
        for one in [*found, *later]
        if one["word"] != word
    ]
    is_right = standing["word"] == word
    seconds = "" if first is None else f" after {first:.1f} s"
    figures.note(
        f"  {name}",
        f"{'right' if is_right else 'WRONG'}: {standing['word'] or 'nothing'}{seconds} ({standing['evidence']})"
        + (f"; also {', '.join(others)}" if others else "")
        + (f"; the machine was {busy:.0%} busy before" if busy > 0.15 else ""),
    )  # fmt: skip
    return is_right


def _rest(run: str) -> list[dict[str, Any]]:
    """What is said a little later, of a situation that was not seen in time."""
    deadline = time.monotonic() + 3
    while not told(run) and time.monotonic() < deadline:
        time.sleep(0.1)
    return told(run)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(SITUATIONS), help="stage this one (may be repeated)")
    parser.add_argument("--trials", type=int, default=1, help="rounds over all situations")
    own = os.path.join(os.path.dirname(sys.executable), "sccache")
    parser.add_argument("--sccache", default=own, help="the program to use for the dead cache")
    args = parser.parse_args(argv)
    SCCACHE.append(os.path.abspath(args.sccache))
    names = list(args.only or SITUATIONS)
    figures = Figures()
    for _ in range(args.trials):
        with temporary_deck() as deck:
            right = [name for name in names if judge(figures, deck, name)]
        staged = [name for name in names if SITUATIONS[name][0]]
        limit = LEAST_RIGHT if len(staged) == 8 else len(staged)
        figures.at_least("right words within 5 s", len([n for n in right if n in staged]), limit, "{:.0f}",
                         f"of {len(staged)}")  # fmt: skip
        if "nothing wrong" in names:
            figures.holds("nothing is said where nothing is wrong", "nothing wrong" in right)
    return figures.end("bottleneck")


if __name__ == "__main__":
    sys.exit(main())
