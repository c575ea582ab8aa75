"""Real builds through a real sccache and our store: what is shared, and that no build suffers from the store."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.cache.store_client import StoreAddress, ensure_store, store_stats
from core.paths import Paths
from tests.real.store_builds import Builder, builder, change_token, kill_and_restart, meanwhile, poison
from tests.stores import ended, kill, log_of, object_files, paths_below


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    with ended(paths_below(str(tmp_path))) as paths:
        yield paths


@pytest.fixture
def address(paths: Paths) -> StoreAddress:
    return ensure_store(paths)


@pytest.fixture
def one(short: str, address: StoreAddress) -> Iterator[Builder]:
    with builder(short, "one", address) as found:
        yield found


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A socket's path has at most 107 bytes."""
    return str(tmp_path_factory.mktemp("s"))


def counted(builder: Builder) -> tuple[int, int, int]:
    """Hits, misses, writes, as sccache counts them."""
    stats = builder.stats()
    return (
        sum(stats["cache_hits"]["counts"].values()),
        sum(stats["cache_misses"]["counts"].values()),
        stats["cache_writes"],
    )


def test_what_one_agent_compiled_is_anothers_hit_and_all_numbers_agree(
    paths: Paths, one: Builder, address: StoreAddress
) -> None:
    said = one.write(100)
    assert one.build()[:2] == (0, str(said))
    with builder(one.folder, "two", address) as two:
        assert two.build()[:2] == (0, str(said))
        assert counted(one) == (0, 3, 3)
        assert counted(two) == (3, 0, 0)
    stats = store_stats(paths)
    assert stats is not None
    assert [(trade["by"], trade["agent"], trade["hits"]) for trade in stats["trades"]] == [("one", "two", 3)]
    ops = [(line["agent"], line["op"]) for line in log_of(paths)]
    assert sorted(ops) == [("one", "miss")] * 3 + [("one", "put")] * 3 + [("two", "hit")] * 3
    assert (stats["entries"], stats["errors"], stats["refused"]) == (3, 0, 0)


def test_a_store_that_dies_within_a_build_does_not_fail_it(paths: Paths, one: Builder) -> None:
    said = one.write(200)
    with meanwhile(lambda: kill_and_restart(paths), random.Random(1), 0.2) as kills:
        assert one.build()[:2] == (0, str(said))
    assert kills[0] > 0
    assert one.build()[:2] == (0, str(said))


def test_a_store_that_is_gone_does_not_fail_a_build(one: Builder, address: StoreAddress) -> None:
    kill(address)
    said = one.write(300)
    assert one.build()[:2] == (0, str(said))


@pytest.mark.long
def test_a_token_that_is_not_right_any_more_does_not_fail_a_build(paths: Paths, one: Builder) -> None:
    said = one.write(400)
    assert one.build()[:2] == (0, str(said))
    change_token(paths, "f" * 48)
    assert one.build()[:2] == (0, str(said))
    assert {line["op"] for line in log_of(paths)[-3:]} == {"refused"}


@pytest.mark.long
def test_poisoned_objects_are_compiled_anew(paths: Paths, one: Builder) -> None:
    said = one.write(500)
    assert one.build()[:2] == (0, str(said))
    dice = random.Random(2)
    for path in object_files(paths):
        os.truncate(path, dice.randrange(os.path.getsize(path)))
    assert one.build()[:2] == (0, str(said))
    assert [line["op"] for line in log_of(paths)].count("error") == 3
    assert poison(paths, dice) != ""
    assert one.build()[:2] == (0, str(said))
    assert counted(one) == (2, 7, 7)
