"""Real builds through a real sccache whose objects are in our store, and what may happen to the store meanwhile."""

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from core.cache import store_client
from core.cache.store_address import write_address
from core.cache.store_client import StoreAddress, ensure_store
from core.paths import Paths
from tests.real.product import plain_env
from tests.stores import kill, object_files

SCCACHE = os.path.join(os.path.dirname(sys.executable), "sccache")
_MANIFEST = '[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n\n[dependencies]\n{needs}'
_WORK = (
    "pub fn w{i}(x: u64) -> String {{ let mut all: Vec<String> = (0..x % {i}7).map(|n| n.to_string()).collect();"
    ' all.sort(); all.dedup(); all.join(",") }}\n'
)


class Builder:
    """One agent: a checkout, a target dir a build, an sccache server."""

    def __init__(self, folder: str, agent: str, address: StoreAddress, *, crates: int = 3, functions: int = 12) -> None:
        self.folder, self.agent, self.crates, self.functions = folder, agent, crates, functions
        self.checkout = folder + "/checkout"
        os.makedirs(folder, exist_ok=True)
        self.env = plain_env(folder) | {
            "RUSTC_WRAPPER": SCCACHE,
            "CARGO_INCREMENTAL": "0",
            "SCCACHE_SERVER_UDS": f"{folder}/{agent}.sock",
            "SCCACHE_WEBDAV_ENDPOINT": f"http://127.0.0.1:{address.port}/{agent}/",
            "SCCACHE_WEBDAV_TOKEN": address.token,
            "SCCACHE_CONF": folder + "/none",
            "SCCACHE_IDLE_TIMEOUT": "120",
        }
        os.makedirs(self.env["HOME"], exist_ok=True)
        self._builds = 0

    def write(self, value: int) -> int:
        """Sources whose program prints a number that depends on `value` in the lowest crate; that number."""
        for number in range(self.crates):
            below = f"c{number - 1}::value() + " if number else ""
            needs = f'c{number - 1} = {{ path = "../c{number - 1}" }}\n' if number else ""
            own = value if number == 0 else number
            self._write(f"c{number}/Cargo.toml", _MANIFEST.format(name=f"c{number}", needs=needs))
            work = "".join(_WORK.format(i=i) for i in range(1, self.functions))
            self._write(f"c{number}/src/lib.rs", f"pub fn value() -> u64 {{ {below}{own} }}\n{work}")
        last = self.crates - 1
        self._write("app/Cargo.toml", _MANIFEST.format(name="app", needs=f'c{last} = {{ path = "../c{last}" }}\n'))
        self._write("app/src/main.rs", f'fn main() {{ println!("{{}}", c{last}::value()); }}\n')
        members = json.dumps([f"c{number}" for number in range(self.crates)] + ["app"])
        self._write("Cargo.toml", f'[workspace]\nresolver = "2"\nmembers = {members}\n')
        return value + sum(range(1, self.crates))

    def build(self, timeout_s: float = 120) -> tuple[int, str, str]:
        """A build of all into a target dir that is new: exit code, what the program says, stderr."""
        self._builds += 1
        target = f"{self.folder}/t{self._builds}"
        command = ["cargo", "build", "--target-dir", target]
        done = subprocess.run(
            command, cwd=self.checkout, env=self.env, capture_output=True, text=True, timeout=timeout_s
        )
        said = ""
        if done.returncode == 0:
            said = subprocess.run([target + "/debug/app"], capture_output=True, text=True, check=False).stdout.strip()
        shutil.rmtree(target, ignore_errors=True)
        return done.returncode, said, done.stderr

    def start(self) -> None:
        """The sccache server: one that starts while no store answers ends at once, and with it the build."""
        subprocess.run([SCCACHE, "--start-server"], env=self.env, capture_output=True, check=True)

    def stats(self) -> dict[str, Any]:
        """What the sccache server counted."""
        command = [SCCACHE, "--show-stats", "--stats-format=json"]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout)["stats"]
        return found

    def end(self) -> None:
        """The sccache server, and what it had counted, is gone."""
        subprocess.run([SCCACHE, "--stop-server"], env=self.env, capture_output=True, check=False)

    def _write(self, path: str, text: str) -> None:
        full = f"{self.checkout}/{path}"
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)


@contextlib.contextmanager
def builder(folder: str, agent: str, address: StoreAddress, **size: int) -> Iterator[Builder]:
    """With an sccache server, which is gone afterwards."""
    one = Builder(folder, agent, address, **size)
    try:
        one.start()
        yield one
    finally:
        one.end()


@contextlib.contextmanager
def meanwhile(disturb: Callable[[], object], dice: random.Random, pause_s: float) -> Iterator[list[int]]:
    """Do something to the store again and again; how often (what returns False did nothing), in a list of one."""
    is_over, count, faults = threading.Event(), [0], []

    def work() -> None:
        try:
            while not is_over.wait(dice.uniform(0.2, 1.0) * pause_s):
                count[0] += disturb() is not False
        except Exception as error:
            faults.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield count
    finally:
        is_over.set()
        thread.join()
    if faults:
        raise faults[0]


def kill_and_restart(paths: Paths, **options: Any) -> None:
    """`kill -9`; the next one is there at once."""
    address = store_client.find_store(paths)
    if address is not None:
        kill(address)
    ensure_store(paths, **options)


def change_token(paths: Paths, token: str) -> None:
    """Another store, which wants to hear another token on the same port."""
    address = store_client.find_store(paths)
    assert address is not None
    kill(address)
    write_address(paths.store, address._replace(token=token))
    ensure_store(paths)


def poison(paths: Paths, dice: random.Random) -> str:
    """Spoil one object on disk in one of six ways; how. Empty: there is none."""
    files = object_files(paths)
    if not files:
        return ""
    path = dice.choice(files)
    kinds = ("flip", "truncate", "swap", "empty", "foreign", "append")
    kind = dice.choice(kinds)
    try:
        with open(path, "rb") as file:
            old = file.read()
        with open(dice.choice(files), "rb") as file:
            other = file.read()
    except FileNotFoundError:
        return ""
    where = dice.randrange(len(old)) if old else 0
    new = {
        "flip": old[:where] + bytes([old[where] ^ (1 << dice.randrange(8))]) + old[where + 1 :] if old else b"x",
        "truncate": old[:where],
        "swap": other if other != old else b"",
        "empty": b"",
        "foreign": dice.randbytes(len(old) or 100),
        "append": old + b"\0",
    }[kind]
    temporary = path + ",spoilt"
    with open(temporary, "wb") as file:
        file.write(new)
    os.rename(temporary, path)  # as a file system that lost its mind would have it, and never half of both
    return kind


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float = 20) -> None:
    """Fails where it does not come true in time."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        time.sleep(0.005)
