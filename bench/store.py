"""The cache store never serves a wrong object and never fails a build; what it costs beside a plain file.

`python -m bench.store [--kills 200] [--poisons 300] [--builds 40] [--entries 100000] [--only kills,…]`. Kills are
`kill -9` while eight clients put and take objects whose content is known; builds are those of a real cargo with a real
sccache while the store is killed, full, deaf to the token, or poisoned. A full disk needs root (a small tmpfs).
"""

import argparse
import contextlib
import hashlib
import http.client
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from bench.figures import Figures
from bench.store_builds import fill, measure_builds
from bench.store_speed import measure_index, measure_speed
from core.cache.store_client import StoreAddress, data_folder, ensure_store, find_store, store_stats
from core.paths import Paths
from tests.real.store_builds import poison
from tests.stores import Asker, content_of, ended, key_of, kill, log_of, object_files, paths_below

CLIENTS, KEYS, VERSIONS = 8, 60, 3
SIZES = (0, 300, 5_000, 60_000, 300_000, 1_000_000, 4_000_000)
DISK_BYTES = 24 << 20
PARTS = ("kills", "poison", "full", "token", "paths", "index", "speed", "builds")
_BREAKS = (OSError, http.client.HTTPException)
TRICKS = (
    "/a/../../../etc/cron.d/x", "/a/a/b/c/../../../x", "/a/%2e%2e/%2e%2e/c/x", "/a/a/b/c/%2e%2e%2fx", "*", "a/a/b/c/k",
    "/a/a/b/c/x%00y", "//etc/passwd", "/a//etc//passwd", f"/a/a/b/c/{'k' * 300}", f"/{'a' * 300}/a/b/c/k",
    "/a/a/b/c/.", "/a/a/b/c/..", "http://127.0.0.1/a/a/b/c/k", "/a/a/b/c/k?x=/../y", "/a/a/b/c/k#x", "/a/a/b/c/k;x",
    "/a/a/b/c/k\\..\\x", "/a/a/b/c/~", "/a/a/b/c/k/../../d", "/./a/b/c/k", "/../a/b/c/k", "/a/a/b/c/k:x",
    "/a/a/b/c/c,k", "/a/a/b/c/d/e/f/k",
)  # fmt: skip


class Known(NamedTuple):
    """What may be served under a key: digests of all that was ever put there."""

    contents: dict[str, tuple[bytes, ...]]
    digests: dict[str, frozenset[bytes]]

    def is_right(self, key: str, content: bytes) -> bool:
        return hashlib.blake2b(content).digest() in self.digests[key]


def make_known() -> Known:
    contents = {
        key_of(number): tuple(content_of(number, SIZES[number % len(SIZES)], version) for version in range(VERSIONS))
        for number in range(KEYS)
    }
    digests = {key: frozenset(hashlib.blake2b(one).digest() for one in all_of) for key, all_of in contents.items()}
    return Known(contents, digests)


class Count:
    """What was served, for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.served = self.wrong = self.puts = self.broken = 0

    def add(self, *, served: int = 0, wrong: int = 0, puts: int = 0, broken: int = 0) -> None:
        with self._lock:
            self.served += served
            self.wrong += wrong
            self.puts += puts
            self.broken += broken


def traffic(address: StoreAddress, known: Known, count: Count, seed: int, is_over: threading.Event) -> None:
    """Put and take at random until the store is dead."""
    dice = random.Random(seed)
    asker = Asker(address, f"agent-{seed % CLIENTS}")
    keys = list(known.contents)
    try:
        while not is_over.is_set():
            key = dice.choice(keys)
            if dice.random() < 0.5:
                count.add(puts=int(asker.put(key, dice.choice(known.contents[key])) == 201))
            elif (content := asker.get(key)) is not None:
                count.add(served=1, wrong=int(not known.is_right(key, content)))
    except _BREAKS:
        count.add(broken=1)
    finally:
        asker.close()


def measure_kills(figures: Figures, paths: Paths, kills: int) -> None:
    """`kill -9` within traffic, each time followed by a look at all objects."""
    known, count, dice = make_known(), Count(), random.Random(1)
    ports, later, cut = set(), 0, 0
    for number in range(kills):
        address = ensure_store(paths)
        ports.add(address.port)
        is_over = threading.Event()
        threads = [
            threading.Thread(target=traffic, args=(address, known, count, number * CLIENTS + client, is_over))
            for client in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        time.sleep(dice.uniform(0.01, 0.25))
        kill(address)
        is_over.set()
        for thread in threads:
            thread.join()
        cut += len(os.listdir(data_folder(paths) + "/tmp"))
        later += _look_at_all(paths, known, count)
    left = os.listdir(data_folder(paths) + "/tmp")
    lines = log_of(paths)  # raises where a line is torn
    figures.note("kills", f"{kills}, with {count.puts} puts and {count.broken} connections broken by them")
    figures.note("  half-written objects that they left", str(cut))
    figures.holds("objects are served", count.served > kills and later > kills)
    figures.at_most(f"{count.wrong} wrong objects of {count.served}", count.wrong, 0, "{:.0f}")
    figures.holds("the next store removed those", not left, f"{len(left)} files")
    figures.holds("the port stays what it was", len(ports) == 1)
    figures.note("lines in the log, none torn", str(len(lines)))
    damaged = [line for line in lines if line["op"] == "error" and "damaged" in line["reason"]]
    figures.at_most("objects that a kill damaged", len(damaged), 0, "{:.0f}")


def _look_at_all(paths: Paths, known: Known, count: Count) -> int:
    """All keys, from the next store; how many of them it had."""
    asker = Asker(ensure_store(paths), "look")
    served = 0
    for key in known.contents:
        content = asker.get(key)
        if content is not None:
            served += 1
            count.add(served=1, wrong=int(not known.is_right(key, content)))
    asker.close()
    return served


def measure_poison(figures: Figures, paths: Paths, poisons: int) -> None:
    """Objects spoilt on disk in six ways while four clients take them."""
    known, count, dice = make_known(), Count(), random.Random(2)
    address = ensure_store(paths)
    is_over = threading.Event()
    _fill(address, known)
    threads = [
        threading.Thread(target=traffic, args=(address, known, count, 1000 + n, is_over)) for n in range(CLIENTS // 2)
    ]
    for thread in threads:
        thread.start()
    done = 0
    while done < poisons:
        done += poison(paths, dice) != ""
        if done % 20 == 0:
            _look_at_all(paths, known, count)
    is_over.set()
    for thread in threads:
        thread.join()
    _look_at_all(paths, known, count)
    found = [line for line in log_of(paths) if line["op"] == "error" and "damaged" in line["reason"]]
    figures.at_most(f"{count.wrong} wrong objects of {count.served}", count.wrong, 0, "{:.0f}")
    figures.note("objects poisoned", f"{done}; {len(found)} of them asked for before they were replaced, removed, told")
    _fill(address, known)
    for path in (files := object_files(paths)):
        os.truncate(path, max(0, os.path.getsize(path) - 1))
    before = len(found)
    served = _look_at_all(paths, known, count)
    found = [line for line in log_of(paths) if line["op"] == "error" and "damaged" in line["reason"]]
    figures.holds(f"of {len(files)} spoilt at once none is served", served == 0, f"{len(found) - before} told")


def _fill(address: StoreAddress, known: Known) -> None:
    asker = Asker(address, "filler")
    for key, contents in known.contents.items():
        assert asker.put(key, contents[0]) == 201
    asker.close()


@contextlib.contextmanager
def small_disk(folder: str, size_bytes: int = DISK_BYTES) -> Iterator[str]:
    """A file system that is soon full. Raises SystemExit where we may not mount."""
    os.makedirs(folder)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", folder]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise SystemExit("a small file system cannot be mounted: run this as root, or without `full` and `builds`")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def measure_full(figures: Figures, folder: str) -> None:
    """The disk of objects, log and address fills up, and has room again."""
    with small_disk(folder + "/disk") as disk, ended(paths_below(disk)) as paths:
        asker = Asker(ensure_store(paths))
        contents = {key_of(number): content_of(number, 700_000) for number in range(60)}
        statuses = {key: asker.put(key, content) for key, content in contents.items()}
        fill(disk)
        statuses |= {key_of(number): asker.put(key_of(number), b"small") for number in range(100, 110)}
        kept = [key for key, status in statuses.items() if status == 201]
        figures.holds("a full disk: 201 while there is room, then 507", set(statuses.values()) == {201, 507},
                      f"{len(kept)} of {len(statuses)} stored")  # fmt: skip
        wrong = sum(asker.get(key) != contents[key] for key in kept)
        figures.at_most(f"  {wrong} wrong objects of {len(kept)}", wrong, 0, "{:.0f}")
        address = find_store(paths)
        assert address is not None
        kill(address)
        asker = Asker(ensure_store(paths))
        again = sum(asker.get(key) == contents[key] for key in kept)
        figures.holds("  a store that is killed and starts on it serves them", again == len(kept))
        os.unlink(disk + "/filler")
        for path in object_files(paths)[:10]:
            os.unlink(path)
        figures.holds("  with room again it stores again", asker.put(key_of(200), bytes(50_000)) == 201)
        torn: list[str] = []
        told = [line for line in log_of(paths, torn=torn) if "disk is full" in line.get("reason", "")]
        refused = list(statuses.values()).count(507)
        figures.note("  told in the log", f"{len(told)} of {refused}: the rest was in the memory of the killed one")
        figures.holds("  the log is torn at most where it was killed", bool(told) and len(torn) <= 1)
        figures.holds("  the store that lives has lost no line", (store_stats(paths) or {})["lost_lines"] == 0)
        asker.close()


def measure_token(figures: Figures, paths: Paths) -> None:
    """Wrong tokens, all verbs."""
    address = ensure_store(paths)
    key, content = key_of(1), content_of(1, 1000)
    owner = Asker(address)
    owner.put(key, content)
    asked = opened = 0
    for token in ("", "x", address.token[:-1], address.token + "0", address.token.upper(), "0" * 48):
        thief = Asker(address, token=token)
        for verb in ("GET", "HEAD", "PUT", "PROPFIND", "MKCOL", "DELETE", "OPTIONS", "POST"):
            for path in (thief.path(key), "/_stats", "/_objects", "/_stop", "/", "/agent-1//.sccache_check"):
                asked += 1
                opened += thief.ask(verb, path, b"poison" if verb == "PUT" else None)[0] != 401
    told = [line for line in log_of(paths) if line["op"] == "refused"]
    figures.at_most(f"wrong token: {opened} let in of {asked}", opened, 0, "{:.0f}")
    figures.holds("  each told, and the object is what it was", len(told) == asked and owner.get(key) == content)


def measure_paths(figures: Figures, paths: Paths) -> None:
    """Path tricks, all verbs: nothing on disk changes."""
    asker = Asker(ensure_store(paths))
    asker.put(key_of(1), b"x")
    before = _tree(paths)
    asked = [
        asker.ask(verb, path, b"x" if verb == "PUT" else None)[0]
        for path in TRICKS
        for verb in ("PUT", "GET", "HEAD", "DELETE", "PROPFIND", "MKCOL")
    ]
    figures.at_most(f"path tricks: {len(asked) - asked.count(400)} done of {len(asked)}",
                    len(asked) - asked.count(400), 0, "{:.0f}")  # fmt: skip
    figures.holds("  no file came, went or changed", _tree(paths) == before)


def _tree(paths: Paths) -> list[tuple[str, int]]:
    return sorted(
        (os.path.join(at, name), os.lstat(os.path.join(at, name)).st_mtime_ns)
        for at, folders, files in os.walk(os.path.dirname(paths.cache))
        for name in folders + files
        if not name.startswith("log.")
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--poisons", type=int, default=100)
    parser.add_argument("--builds", type=int, default=8)
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--only", default=",".join(PARTS), help=", ".join(PARTS))
    args = parser.parse_args()
    figures = Figures()
    folder = tempfile.mkdtemp(prefix="store-", dir="/tmp")
    try:
        for part in args.only.split(","):
            print(f"-- {part}", flush=True)
            with ended(paths_below(f"{folder}/{part}")) as paths:
                match part:
                    case "kills":
                        measure_kills(figures, paths, args.kills)
                    case "poison":
                        measure_poison(figures, paths, args.poisons)
                    case "full":
                        measure_full(figures, folder)
                    case "token":
                        measure_token(figures, paths)
                    case "paths":
                        measure_paths(figures, paths)
                    case "index":
                        measure_index(figures, paths, args.entries)
                    case "speed":
                        measure_speed(figures, paths)
                    case "builds":
                        measure_builds(figures, folder + "/b", args.builds, small_disk)
                    case _:
                        parser.error(f"--only {part}: there are {', '.join(PARTS)}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return figures.end("store")


if __name__ == "__main__":
    sys.exit(main())
