"""Compiles the fronts: Rust files in `core/fronts`, once a machine and version, with the machine's own rustc.

A first build waits for it, so it is compiled without optimization: that takes a fifth of the time, and most of what a
front does is done by the system. What computes is a crate of its own (`extern crate`), which is optimized.
"""

import errno
import fcntl
import os
import signal
import time
import zlib

from core.clock import monotonic, wall_clock

LIMIT_S = 60.0
"""Of each rustc."""
RETRY_AFTER_S = 600.0
"""Where the front could not be built, it is tried again after this: it takes a second, and no cache does without it."""
_SAID = b"cargo-deck: compiles what stands before nvcc, once on this machine: some three seconds\n"
"""On a terminal; elsewhere output is as cargo's."""
_NEEDED_BYTES = 8 << 20
"""What rustc needs for it, its own files beside it included."""
_SOURCES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fronts")
_SMALL, _LARGE = "front.rs", "front_nvcc.rs"
_FRESH = "fresh-"
_PROGRAM = (
    "--edition=2021", "-Copt-level=0", "-Cdebug-assertions=off", "-Cpanic=abort", "-Cstrip=symbols",
    "-Ccodegen-units=16",
)  # fmt: skip
_CRATE = ("--edition=2021", "--crate-type=rlib", "-Copt-level=3", "-Cpanic=abort", "-Ccodegen-units=1")


def make(folder: str, names: tuple[str, ...], env: dict[str, str], *, with_nvcc: bool) -> bool:
    """The fronts are there: found, or built now; False: they cannot be built. Two at once build them once.

    Args:
        folder: Of all fronts.
        names: Those of the tools, each a folder with a link to the program. `cc` is one of them.
        env: The caller's, with a PATH that has rustc and none of ours.
        with_nvcc: The program that can stand before nvcc as well.

    Raises:
        OSError: there is no place for them.
    """
    root, there = _LARGE if with_nvcc else _SMALL, _link_in(folder)
    try:
        key = _key(root)
        if there == f"../{key}/front" or (there and not with_nvcc and there == f"../{_key(_LARGE)}/front"):
            return True
    except OSError:
        return False
    place = f"{folder}/{key}"
    os.makedirs(place, 0o700, exist_ok=True)
    if root == _LARGE and os.isatty(2) and not _is_there(place) and not _failed_lately(place):
        os.write(2, _SAID)
    with open(place + "/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_there(place) and (_failed_lately(place) or not _build(place, root, env)):
            return False
        _link(folder, names, key)
        return True


def _key(root: str) -> str:
    """Of what it and its modules contain. Raises OSError where one cannot be read."""
    source = _read_source(root)
    check, size = zlib.crc32(source), len(source)
    for name in (*_named(source, b"mod "), *_named(source, b"extern crate ")):
        source = _read_source(name + ".rs")
        check, size = zlib.crc32(source, check), size + len(source)
    return f"{check:08x}{size:06x}"


def _named(source: bytes, word: bytes) -> list[str]:
    """What stands behind a word, in lines of their own."""
    lines = (line for line in source.split(b"\n") if line.startswith(word) and line.endswith(b";"))
    return [line[len(word) : -1].decode() for line in lines]


def _read_source(name: str) -> bytes:
    with open(f"{_SOURCES}/{name}", "rb") as file:
        return file.read()


def _link_in(folder: str) -> str:
    try:
        return os.readlink(folder + "/cc/cc")
    except OSError:
        return ""


def _link(folder: str, names: tuple[str, ...], key: str) -> None:
    for name in names:
        os.makedirs(f"{folder}/{name}", 0o700, exist_ok=True)
        fresh = f"{folder}/{name}/.{os.getpid()}"
        os.symlink(f"../{key}/front", fresh)
        os.replace(fresh, f"{folder}/{name}/{name}")


def _is_there(place: str) -> bool:
    return os.access(place + "/front", os.X_OK)


def _failed_lately(place: str) -> bool:
    try:
        return os.stat(place + "/failed").st_mtime > wall_clock() - RETRY_AFTER_S
    except OSError:
        return False


def _build(place: str, root: str, env: dict[str, str]) -> bool:
    """Whole or not at all. What rustc printed stays in `log`."""
    clean = {name: value for name, value in env.items() if not name.startswith(("RUSTC", "RUSTFLAGS", "CARGO_"))}
    _remove_fresh(place)  # of somebody who was killed
    fresh = f"{place}/{_FRESH}{os.getpid()}"
    os.mkdir(fresh, 0o700)
    try:
        if all(_ends_well(_start(words, place + "/log", clean)) for words in _commands(fresh, root)):
            os.replace(fresh + "/front", place + "/front")
            return True
    finally:
        _remove_fresh(place)
    disk = os.statvfs(place)
    if disk.f_bavail * disk.f_frsize < _NEEDED_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place)
    with open(place + "/failed", "w"):
        return False


def _remove_fresh(place: str) -> None:
    import shutil  # most runs have a front

    for name in os.listdir(place):
        if name.startswith(_FRESH):
            shutil.rmtree(f"{place}/{name}", ignore_errors=True)


def _commands(fresh: str, root: str) -> list[tuple[str, ...]]:
    """The crates, then the program that has them."""
    crates = _named(_read_source(root), b"extern crate ")
    made = [(name, f"{fresh}/lib{name}.rlib") for name in crates]
    words: list[tuple[str, ...]] = [("rustc", *_CRATE, "-o", path, f"{_SOURCES}/{name}.rs") for name, path in made]
    given = (word for name, path in made for word in ("--extern", f"{name}={path}"))
    return [*words, ("rustc", *_PROGRAM, *given, "-o", fresh + "/front", f"{_SOURCES}/{root}")]


def _start(words: tuple[str, ...], log: str, env: dict[str, str]) -> int:
    pid = os.fork()
    if pid == 0:
        _execute(words, log, env)
    return pid


def _execute(words: tuple[str, ...], log: str, env: dict[str, str]) -> None:
    try:
        os.setsid()
        said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.chdir("/")
        os.execvpe(words[0], words, env)
    finally:
        os._exit(127)


def _ends_well(pid: int) -> bool:
    deadline = monotonic() + LIMIT_S
    done, status = 0, 0
    try:
        while not done and monotonic() < deadline:
            time.sleep(0.01)
            done, status = os.waitpid(pid, os.WNOHANG)
        return done == pid and status == 0
    finally:
        if not done:  # too long, or somebody interrupts us
            _kill_group(pid)
            os.waitpid(pid, 0)


def _kill_group(pid: int) -> None:
    """rustc and its linker; before it has a group of its own, it alone."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(pid, signal.SIGKILL)
