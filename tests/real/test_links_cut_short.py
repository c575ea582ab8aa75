"""Links that are killed half way, for real: each has a row, with the memory that was seen of it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.real.product import Deck, end, process, until
from tests.real.samples import write_chain, write_files

_SIZE = 120_000_000
_LINKER = f'#!/usr/bin/env python3\nimport time\ntaken = b"x" * {_SIZE}\ntime.sleep(100)\n'


@pytest.fixture(autouse=True)
def engine(deck: Deck) -> None:
    """It is there before anything links: short builds do not start one."""
    deck.run("exec", "--agent", "first", "--", "true")
    deck.run("ps")
    until(deck.engine, 10, "an engine")


def start_link(deck: Deck) -> str:
    """A build whose linker takes much and never ends; once a sample told of that: its run."""
    folder = deck.folder + "/work"
    write_chain(folder, crates=1, functions=10)
    files = {".cargo/config.toml": f'[build]\nrustflags = ["-Clink-arg=-B{folder}/ld-dir"]\n', "ld-dir/ld": _LINKER}
    write_files(folder, files)
    os.chmod(folder + "/ld-dir/ld", 0o755)
    flags = {"RUSTFLAGS": f"-Clink-arg=-B{folder}/ld-dir -Clink-arg=-fuse-ld=bfd -Clinker-features=-lld"}
    os.symlink("ld", folder + "/ld-dir/ld.bfd")
    run = deck.run("build", "--agent", "a", "--detach", cwd=folder, env=flags).stdout.strip()
    until(lambda: any((one["now_bytes"] or 0) > _SIZE for one in links(deck)), 60, "a sample of a link")
    return run


def links(deck: Deck) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = deck.json("links", "--json")["links"]
    return found


def front(deck: Deck) -> int:
    """Pid of the front of the link that is under way."""
    (run,) = [run for run in deck.runs() if Path(run, "fronts", "links.jsonl").exists()]
    return int(Path(run, "fronts", "links.jsonl").read_text().partition('"link":"')[2].partition("-")[0])


def below(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def kill(pid: int) -> None:
    one = process(pid)
    assert one is not None
    assert end(one, signal.SIGKILL)


def kill_rustc(deck: Deck) -> None:
    kill(int(Path(f"/proc/{front(deck)}/stat").read_text().rpartition(")")[2].split()[1]))


def kill_front_and_driver(deck: Deck) -> None:
    first = front(deck)
    driver = below(first)
    kill(first)
    kill(driver)


def stop(deck: Deck) -> None:
    deck.run("stop", "--kill", "a")


@pytest.mark.long
@pytest.mark.parametrize("cut", [kill_rustc, kill_front_and_driver, stop])
def test_a_link_that_was_cut_short_has_a_row_with_what_was_seen(deck: Deck, cut: Callable[[Deck], None]) -> None:
    run = start_link(deck)
    cut(deck)
    (row,) = until(lambda: [one for one in links(deck) if not one["is_running"]], 30, "the end of the link")
    assert (row["run"], row["unit"]) == (run, "link0(bin)")
    assert row["peak_bytes"] > _SIZE


@pytest.mark.long
def test_where_the_driver_is_killed_its_linker_is_not_forgotten(deck: Deck) -> None:
    start_link(deck)
    kill(below(front(deck)))
    (row,) = until(lambda: [one for one in links(deck) if not one["is_running"]], 30, "the end of the link")
    assert (row["signal"], row["is_sampled"]) == (9, True)
    assert row["peak_bytes"] > _SIZE
