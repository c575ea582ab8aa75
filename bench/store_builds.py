"""Real cargo builds with a real sccache while something happens to the store."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from bench.figures import Figures
from core.cache.store_client import StoreAddress, end_hung_store, ensure_store, find_store, store_stats
from core.paths import Paths
from tests.real.store_builds import SCCACHE, Builder, builder, change_token, kill_and_restart, meanwhile, poison
from tests.stores import ended, kill, log_of, paths_below

MODES = ("nothing", "killed and started", "killed for good", "full", "token wrong", "poisoned", "hung")
SmallDisk = Callable[[str], AbstractContextManager[str]]


def measure_builds(figures: Figures, folder: str, builds: int, small_disk: SmallDisk) -> None:
    """So many builds of two agents in turn, in all modes; each followed by one that finds what the first had stored."""
    version = subprocess.run([SCCACHE, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    figures.note("builds with", version)
    failed, wrong, done = [], [], 0
    hits: dict[str, int] = dict.fromkeys(MODES, 0)
    events: dict[str, int] = dict.fromkeys(MODES, 0)
    for number in range(-(-builds // 2)):
        mode = MODES[number % len(MODES)]
        place = f"{folder}{number}"
        with small_disk(place + "/disk") as disk, ended(paths_below(disk)) as paths:
            for said, (code, output, error), found, happened in _two_builds(place, paths, mode, number):
                done += 1
                if code:
                    failed.append(f"{mode}: {error[-500:]}")
                elif output != str(said):
                    wrong.append(f"{mode}: {output} for {said}")
                hits[mode] += found
                events[mode] += happened
        shutil.rmtree(place)
    for line in failed + wrong:
        print(line)
    figures.at_most(f"{len(failed)} failed builds of {done}", len(failed), 0, "{:.0f}")
    figures.at_most(f"{len(wrong)} wrong programs of {done}", len(wrong), 0, "{:.0f}")
    for mode in MODES:
        figures.note(f"  {mode}", f"{events[mode]} times; {hits[mode]} hits")
    figures.holds("the cache was really used", hits["nothing"] > 0)


def _two_builds(
    place: str, paths: Paths, mode: str, number: int
) -> Iterator[tuple[int, tuple[int, str, str], int, int]]:
    """What the program must say, the build, hits, how often something happened; for each of two builds."""
    address = ensure_store(paths)
    dice = random.Random(number)
    size = {"crates": 6, "functions": 30}
    with builder(place, "one", address, **size) as one, builder(place, "two", address, **size) as two:
        for agent, value in ((one, 1000 + number), (two, 1000 + number)):
            said = agent.write(value)
            with _trouble(place + "/disk", paths, mode, dice, address) as count:
                built = agent.build()
            yield said, built, sum(agent.stats()["cache_hits"]["counts"].values()), count[0]
            ensure_store(paths)
    _check_figures(paths, mode, (one, two))


def _check_figures(paths: Paths, mode: str, agents: tuple[Builder, Builder]) -> None:
    if mode == "nothing":
        stats = store_stats(paths)
        assert stats is not None
        assert stats["errors"] == 0, log_of(paths)
        assert sum(agent["hits"] for agent in stats["agents"].values()) > 0, agents


@contextlib.contextmanager
def _trouble(disk: str, paths: Paths, mode: str, dice: random.Random, address: StoreAddress) -> Iterator[list[int]]:
    match mode:
        case "nothing":
            yield [0]
        case "killed and started":
            with meanwhile(lambda: kill_and_restart(paths), dice, 0.25) as count:
                yield count
        case "killed for good":
            with meanwhile(lambda: _kill_once(paths), dice, 0.6) as count:
                yield count
        case "full":
            with meanwhile(lambda: fill(disk), dice, 0.1) as count:
                yield count
            os.unlink(disk + "/filler")
        case "token wrong":
            wrong = "0123456789abcdef" * 3
            with meanwhile(lambda: change_token(paths, wrong), dice, 0.6) as count:
                yield count
            change_token(paths, address.token)
        case "poisoned":
            with meanwhile(lambda: poison(paths, dice) != "", dice, 1.5) as count:
                yield count
        case "hung":
            with meanwhile(lambda: _hang_or_end(paths), dice, 1.0) as count:
                yield count
        case _:
            raise AssertionError(mode)


def _kill_once(paths: Paths) -> bool:
    address = find_store(paths)
    if address is None:
        return False
    kill(address)
    return True


def _hang_or_end(paths: Paths) -> bool:
    """The store hangs, and at the next call is found to."""
    if end_hung_store(paths):
        ensure_store(paths)
        return False
    address = find_store(paths)
    if address is not None:
        os.kill(address.pid, signal.SIGSTOP)
    return address is not None


def fill(disk: str) -> bool:
    """Take the last byte of a file system, in `filler`; False: it was full."""
    taken = 0
    fd = os.open(disk + "/filler", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with contextlib.suppress(OSError):
        while written := os.write(fd, bytes(1 << 16)):
            taken += written
    os.close(fd)
    return taken > 0
