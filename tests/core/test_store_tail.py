import json
import os
from pathlib import Path

from core.cache.store_tail import StoreTail
from core.paths import Paths


def line(at: float, agent: str, key: str, by: str, op: str = "hit") -> str:
    return json.dumps({"at": at, "agent": agent, "op": op, "key": key, "bytes": 1, "by": by, "stored_at": 0.5}) + "\n"


def tail_in(folder: Path) -> tuple[StoreTail, Path]:
    paths = Paths(str(folder), str(folder / "cache"))
    os.makedirs(paths.store)
    return StoreTail(paths), Path(paths.store, "log.jsonl")


def test_each_hit_is_known_once_by_who_had_stored_it(tmp_path: Path) -> None:
    tail, log = tail_in(tmp_path)
    log.write_text(
        line(1, "a", "k", "b") + line(2, "a", "k", "c") + line(2, "z", "k", "z") + line(3, "a", "j", "b", "put")
    )
    tail.poll()
    assert [tail.source("a", "k", 3), tail.source("a", "k", 3), tail.source("a", "k", 3)] == ["b", "c", ""]
    assert tail.source("a", "j", 3) == ""


def test_hits_of_long_ago_and_of_later_are_none_of_this_one(tmp_path: Path) -> None:
    tail, log = tail_in(tmp_path)
    log.write_text(line(1, "a", "k", "old") + line(1000, "a", "k", "new"))
    tail.poll()
    assert tail.source("a", "k", 500) == ""
    assert tail.source("a", "k", 1000.5) == "new"


def test_a_log_that_was_put_aside_is_read_to_its_end(tmp_path: Path) -> None:
    tail, log = tail_in(tmp_path)
    log.write_text(line(1, "a", "k", "b"))
    tail.poll()
    with log.open("a") as file:
        file.write(line(2, "a", "k", "c"))
    os.rename(log, log.with_name("log.1.jsonl"))
    log.write_text(line(3, "a", "k", "d") + '{"torn')
    tail.poll()
    assert [tail.source("a", "k", 3.5) for _ in range(3)] == ["b", "c", "d"]
