"""Objects on disk: whole or not there, and the least recently used go first."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.cache import store_object
from core.cache.store_files import Objects
from core.cache.store_object import CHUNK_BYTES, OVERHEAD_BYTES, Damage, Stored
from tests.cpu import least_cpu_s

NAME, OTHER = "ab" * 32, "cd" * 32
BIG = CHUNK_BYTES * 2 + 17


class World:
    """Objects in a folder, with a clock that we move."""

    def __init__(self, folder: Path, limit_bytes: int = 1 << 30) -> None:
        self.folder = folder
        self.now = 1000.0
        self.limit_bytes = limit_bytes
        self.objects = self.start()

    def start(self) -> Objects:
        """As a new store would find them."""
        self.objects = Objects(str(self.folder), self.limit_bytes, lambda: self.now)
        self.objects.prepare()
        self.evicted = [one.name for one in self.objects.look()]
        return self.objects

    def put(self, name: str, content: bytes, agent: str = "a") -> list[str]:
        """What had to go for it."""
        self.now += 1
        incoming = self.objects.begin(name, agent)
        for at in range(0, len(content), 1000):
            incoming.add(content[at : at + 1000])
        return [one.name for one in incoming.keep(self.now)]

    def get(self, name: str) -> bytes | None:
        self.now += 1
        taken = self.objects.take(name)
        if taken is None:
            return None
        try:
            content = os.pread(taken.fd, taken.stored.size_bytes, 0)
            assert taken.content in (None, content)
            return content
        finally:
            os.close(taken.fd)

    def file(self, name: str) -> Path:
        (found,) = self.folder.glob(f"objects/*/{name}")
        return found

    @property
    def bytes(self) -> object:
        return self.objects.figures()["bytes"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "store")


@pytest.mark.parametrize("size", [0, 1, 1000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, BIG])
def test_what_was_put_is_taken_whole(world: World, size: int) -> None:
    content = os.urandom(size)
    world.put(NAME, content, "claude-1")
    assert world.get(NAME) == content
    assert world.objects.stored(NAME) == Stored(size, "claude-1", 1001.0)
    assert world.bytes == world.file(NAME).stat().st_size <= size + OVERHEAD_BYTES


def test_what_was_never_put_is_not_there(world: World) -> None:
    assert world.get(NAME) is None
    assert world.objects.stored(NAME) is None
    assert world.objects.remove(NAME) is None


def test_a_second_object_of_a_name_replaces_the_first(world: World) -> None:
    world.put(NAME, b"first")
    world.put(NAME, b"the second")
    assert world.get(NAME) == b"the second"
    assert world.objects.figures()["entries"] == 1
    assert world.bytes == world.file(NAME).stat().st_size


def test_what_is_being_taken_outlives_its_replacement(world: World) -> None:
    world.put(NAME, b"x" * BIG)
    taken = world.objects.take(NAME)
    assert taken is not None
    world.put(NAME, b"y")
    world.objects.remove(NAME)
    assert os.pread(taken.fd, BIG, 0) == b"x" * BIG
    os.close(taken.fd)


def test_what_was_abandoned_leaves_nothing(world: World) -> None:
    incoming = world.objects.begin(NAME, "a")
    incoming.add(b"half of it")
    incoming.abandon()
    assert world.get(NAME) is None
    assert os.listdir(world.folder / "tmp") == []


def _flip(at: float) -> Callable[[Path, bytes], bytes]:
    """One bit, at that part of the file."""

    def spoil(path: Path, old: bytes) -> bytes:
        where = int((len(old) - 1) * at)
        return old[:where] + bytes([old[where] ^ 1]) + old[where + 1 :]

    return spoil


POISONS: dict[str, Callable[[Path, bytes], bytes]] = {
    "empty": lambda path, old: b"",
    "the first bit flipped": _flip(0),
    "a bit in the middle flipped": _flip(0.5),
    "a bit of the line flipped": lambda path, old: old.replace(b'"agent": "a"', b'"agent": "b"'),
    "the last bit flipped": _flip(1),
    "one byte short": lambda path, old: old[:-1],
    "half of it": lambda path, old: old[: len(old) // 2],
    "its end alone": lambda path, old: old[-200:],
    "zeros": lambda path, old: bytes(len(old)),
    "one byte more in front": lambda path, old: b"x" + old,
    "one byte more behind": lambda path, old: old + b"x",
    "another object's file": lambda path, old: next(path.parents[1].glob(f"*/{OTHER}")).read_bytes(),
    "foreign": lambda path, old: b"PK\x03\x04" + bytes(4000),
    "a wrong length in the line": lambda path, old: old.replace(b'"bytes": ', b'"bytes":1'),
    "infinite": lambda path, old: old.replace(b'"bytes": ', b'"bytes":1e999, "x": '),
}


@pytest.mark.parametrize("size", [1000, BIG])
@pytest.mark.parametrize("poison", POISONS)
def test_a_poisoned_object_is_not_served_and_removed(world: World, poison: str, size: int) -> None:
    world.put(NAME, os.urandom(size))
    world.put(OTHER, os.urandom(500))
    path = world.file(NAME)
    spoilt = POISONS[poison](path, path.read_bytes())
    assert spoilt != path.read_bytes()
    path.write_bytes(spoilt)
    with pytest.raises(Damage):
        world.get(NAME)
    assert not path.exists()
    assert world.get(NAME) is None
    assert world.get(OTHER) is not None
    assert world.bytes == world.file(OTHER).stat().st_size
    world.put(NAME, b"again")
    assert world.get(NAME) == b"again"


def test_what_is_no_file_is_not_served_and_removed(world: World, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    world.put(NAME, b"x")
    path = world.file(NAME)
    kinds: list[Callable[[], object]] = [
        path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to(tmp_path / "secret"),
    ]  # fmt: skip
    for make in kinds:
        path.unlink()
        make()
        with pytest.raises(Damage):
            world.get(NAME)
        assert not os.path.lexists(path)
        world.put(NAME, b"x")
    assert (tmp_path / "secret").read_text() == "secret"


def test_a_damaged_file_that_was_replaced_meanwhile_stays(world: World) -> None:
    world.put(NAME, b"bad")
    path = world.file(NAME)
    path.write_bytes(b"spoilt")
    fd = os.open(path, os.O_RDONLY)
    world.put(NAME, b"good")
    world.objects._discard(NAME, fd)
    os.close(fd)
    assert world.get(NAME) == b"good"


def _size_of_each(world: World) -> int:
    world.put("x" * 64, bytes(1000))
    size = world.file("x" * 64).stat().st_size
    world.objects.remove("x" * 64)
    return size


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    size = _size_of_each(World(tmp_path / "probe"))
    world = World(tmp_path / "store", limit_bytes=3 * size)
    names = [letter * 64 for letter in "abcde"]
    for name in names[:3]:
        assert world.put(name, bytes(1000)) == []
    world.get(names[0])
    assert world.put(names[3], bytes(1000)) == [names[1]]
    assert world.put(names[4], bytes(1000)) == [names[2]]
    assert world.bytes == 3 * size
    assert sorted(path.name for path in world.folder.glob("objects/*/*")) == [names[0], names[3], names[4]]


def test_the_order_of_use_outlives_the_store(tmp_path: Path) -> None:
    world = World(tmp_path / "store")
    names = [letter * 64 for letter in "abcde"]
    for name in names:
        world.put(name, bytes(1000))
    world.get(names[0])
    world.get(names[1])
    size = world.file(names[0]).stat().st_size
    world.limit_bytes = 3 * size
    world.start()
    assert world.evicted == [names[2], names[3]]
    assert world.bytes == 3 * size
    assert world.put("f" * 64, bytes(1000)) == [names[4]]


def test_a_large_object_makes_way_for_itself(tmp_path: Path) -> None:
    world = World(tmp_path / "store", limit_bytes=10_000)
    for letter in "abcdef":
        world.put(letter * 64, bytes(1000))
    assert world.put(NAME, bytes(10_000 - OVERHEAD_BYTES)) == [letter * 64 for letter in "abcdef"]
    assert world.get(NAME) == bytes(10_000 - OVERHEAD_BYTES)


def test_what_a_killed_store_had_begun_is_removed(world: World) -> None:
    world.objects.begin(NAME, "a").add(b"half")
    assert len(os.listdir(world.folder / "tmp")) == 1
    world.start()
    assert os.listdir(world.folder / "tmp") == []
    assert world.get(NAME) is None


def test_what_nobody_of_us_put_there_is_removed_at_the_start(world: World) -> None:
    world.put(NAME, b"x")
    shelf = world.file(NAME).parent
    for name in ("a b", "ü", "wrong-shelf-1", "wrong-shelf-2"):
        (shelf / name).write_bytes(b"foreign")
    (shelf / "link").symlink_to("/etc/passwd")
    world.start()
    assert os.listdir(shelf) == [NAME]
    assert world.bytes == world.file(NAME).stat().st_size


def test_until_all_is_looked_through_all_is_served_and_nothing_evicted(world: World) -> None:
    world.put(NAME, bytes(1000))
    world.put(OTHER, bytes(1000))
    size = world.file(NAME).stat().st_size
    world.objects = Objects(str(world.folder), size * 2, lambda: world.now)
    world.objects.prepare()
    assert world.get(NAME) == bytes(1000)
    assert world.put("e" * 64, bytes(1000)) == []
    assert world.objects.figures()["is_looked_through"] is False
    assert [one.name for one in world.objects.look()] == [OTHER]
    assert world.bytes == size * 2


def test_clearing_leaves_no_object_and_no_file(world: World) -> None:
    for letter in "abc":
        world.put(letter * 64, bytes(1000))
    assert world.objects.clear() == 3 * (1000 + len(_end_of("a" * 64)))
    assert world.objects.figures()["entries"] == 0
    assert os.listdir(world.folder / "objects") == []
    assert sorted(os.listdir(world.folder)) == ["objects", "tmp"]
    assert world.get("a" * 64) is None
    world.put(NAME, b"x")
    assert world.get(NAME) == b"x"


def _end_of(name: str) -> bytes:
    line = f'{{"name": "{name}", "bytes": 1000, "agent": "a", "stored_at": 1001.0}}\n'
    return line.encode() + bytes(44)


def test_a_cache_folder_that_somebody_removed_is_made_again(world: World) -> None:
    world.put(NAME, b"x")
    shutil.rmtree(world.folder)
    assert world.get(NAME) is None
    assert world.bytes == 0
    world.put(NAME, b"y")
    assert world.get(NAME) == b"y"


def test_a_hundred_thousand_objects_are_known_within_two_seconds(world: World) -> None:
    world.put(NAME, b"x")
    found = [(float(n), 5, f"{n:064x}") for n in range(100_000)]
    # what the disk adds is measured by `bench.store`
    assert least_cpu_s(lambda: world.objects._index.put_before(found, set()), times=2) < 1.0
    assert world.objects.figures()["entries"] == 100_001


def test_a_write_that_stops_half_way_is_told(world: World) -> None:
    incoming = world.objects.begin(NAME, "a")
    os.close(incoming._fd)
    incoming._fd = incoming._writer._fd = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError, match="No space left"):
        incoming.add(b"x" * 10)
    incoming.abandon()
    assert os.listdir(world.folder / "tmp") == []
    assert len(_end_of(NAME)) < store_object.OVERHEAD_BYTES
