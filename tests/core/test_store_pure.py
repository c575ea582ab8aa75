"""The store's paths, requests, order of use and log, without a store."""

import email.utils
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.cache.store_address import StoreAddress, read_address, write_address
from core.cache.store_http import Refusal, answer_head, http_date, parse_head, properties
from core.cache.store_index import Index
from core.cache.store_log import CLEARED, Note, StoreLog, Tally
from core.cache.store_names import Target, find_target

KEY = "8ca19a77cce8f83e04b2d420357665f6dbc7c4dd44d4995196fa6d9cbe85dcf8"
GET = b"GET /agent-1//8/c/a/8ca1 HTTP/1.1"


def test_a_path_of_sccache_names_an_object() -> None:
    for path in (f"/agent-1//8/c/a/{KEY}", f"/agent-1/8/c/a/{KEY}"):
        assert find_target(path) == Target("object", "agent-1", KEY, KEY)


def test_a_namespace_makes_another_object_of_the_same_key() -> None:
    plain, spaced = find_target("/ann//a/b/c/abcd"), find_target("/ann/n-0123456789abcdef/a/b/c/abcd")
    assert plain is not None
    assert spaced is not None
    assert (spaced.kind, spaced.agent, spaced.key) == ("object", "ann", "abcd")
    assert spaced.name == "n-0123456789abcdef,a,b,c,abcd" != plain.name
    check = find_target("/ann/n-0123456789abcdef/.sccache_check")
    assert check is not None
    assert check.kind == "check"
    folder = find_target("/ann/n-0123456789abcdef/a/")
    assert folder is not None
    assert folder.kind == "folder"
    assert find_target("/ann/n-../a/b/c/abcd") is None


def test_a_path_with_other_folders_names_another_object() -> None:
    names = {
        target.name for path in ("/x/a/b/c/abcd", "/x/a/b/d/abcd", "/x/ab/c/d/abcd") if (target := find_target(path))
    }
    assert len(names) == 3
    assert not any("/" in name for name in names)


@pytest.mark.parametrize("path", ["/", "/agent-1", "/agent-1/", "/agent-1//", "/agent-1/8", "/agent-1//8/c/a/"])
def test_shorter_paths_name_folders(path: str) -> None:
    target = find_target(path)
    assert target is not None
    assert target.kind == "folder"


@pytest.mark.parametrize(
    "path",
    [
        "", "x", "*", "//", "//8/c/a/key", "/../8/c/a/key", "/./8/c/a/key", "/agent-1/../b/c/key", "/agent-1/a/b/c/..",
        "/agent-1/a/b/c/.", "/agent-1/./b/c/key", "/agent-1/a/../../../etc/passwd", "/agent-1/%2e%2e/b/c/key",
        "/agent-1/a/b/c/%2fetc%2fpasswd", "/agent-1/a/b/c/a%00", "/agent-1/a/b/c/a\0b", "/agent-1/a/b/c/a\nb",
        "/agent-1/a/b/c/key\n", "/agent-1\n/a/b/c/key", "/agent-1///a/b/c/key", "/agent-1/a//c/key",
        "/agent-1/a/b/c//key", "/agent-1/a/b/c/key/", "/agent-1/a/b/c/d/key", "/agent-1/a/b/c/k,y",
        "/agent-1/a/b/c/k\\y",
        "/agent-1/a/b/c/k y", "/agent-1/a/b/c/key?x", "/agent-1/a/b/c/key#x", "/agent-1/a/b/c/schlüssel",
        "http://127.0.0.1/agent-1/a/b/c/key", f"/{'a' * 65}/a/b/c/key", f"/agent-1/a/b/c/{'k' * 161}",
        f"/agent-1/{'a' * 17}/b/c/key", "/agent 1/a/b/c/key", "/_stats/", "/_stats?x", "/agent-1/x/.sccache_check?",
    ],
)  # fmt: skip
def test_a_trick_in_a_path_names_nothing(path: str) -> None:
    target = find_target(path)
    assert target is None or (target.kind == "folder" and target.agent == "_stats")


def test_a_head_is_read() -> None:
    head = parse_head(GET + b"\r\nauthorization:Bearer  x \r\ncontent-length: 12\r\nConnection: close\r\nX: y")
    assert (head.verb, head.path, head.authorization) == ("GET", "/agent-1//8/c/a/8ca1", "Bearer  x")
    assert (head.length, head.is_kept, head.is_waiting) == (12, False, False)
    assert parse_head(b"PUT / HTTP/1.1\r\nContent-Length: 0\r\nExpect: 100-Continue").is_waiting
    assert not parse_head(b"GET / HTTP/1.0").is_kept


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400), (b"GET / HTTP/2", 400), (b"GET /", 400), (b"get / HTTP/1.1", 400), (b"GET /\0 HTTP/1.1", 400),
        (b"GET  / HTTP/1.1", 400), (b"\x16\x03\x01", 400), (GET + b"\r\n x: y", 400), (GET + b"\r\nx", 400),
        (GET + b"\r\nContent-Length: -1", 400), (GET + b"\r\nContent-Length: +1", 400),
        (GET + b"\r\nContent-Length: 1\r\nContent-Length: 2", 400), (GET + b"\r\nContent-Length: " + b"9" * 19, 400),
        (GET + b"\r\nTransfer-Encoding: chunked", 411), (GET + b"\r\nx: a\nContent-Length: 1", 400),
        (b"PUT /a/a/b/c/abc HTTP/1.1", 411), (b"GET /" + b"a" * 2000 + b" HTTP/1.1", 400),
    ],
)  # fmt: skip
def test_a_malformed_head_is_refused(raw: bytes, status: int) -> None:
    with pytest.raises(Refusal) as refused:
        parse_head(raw)
    assert refused.value.status == status


def test_an_answer_says_its_length_and_whether_it_is_the_last() -> None:
    assert answer_head(404, 0) == b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    assert b"\r\nConnection: close\r\n" in answer_head(413, 0, is_kept=False)


def test_a_date_is_read_by_others_as_it_was_meant() -> None:
    for at in (0.0, 784111777.0, 1795636376.7, 1709164800.0):
        assert http_date(at) == email.utils.formatdate(at, usegmt=True)
    assert http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert b"<D:getcontentlength>5<" in properties("/a", 0, 5)
    assert b"<D:collection/>" in properties("/a", 0, None)


def test_the_least_recently_used_is_first() -> None:
    index = Index()
    for at, name in enumerate("abc"):
        index.used(name, 10, at)
    index.used("a", 12, 3.0)
    index.drop("b")
    index.drop("unknown")
    assert index.first() == ("c", (10, 2))
    assert (index.total_bytes, len(index), index.size_of("a"), index.size_of("b")) == (22, 2, 12, 0)


def test_what_the_disk_held_goes_before_what_was_used_since() -> None:
    index = Index()
    index.used("new", 1, 9.0)
    index.used("both", 2, 9.5)
    index.put_before([(3.0, 5, "later"), (1.0, 5, "early"), (2.0, 5, "gone"), (4.0, 7, "both")], {"gone"})
    order = []
    while (first := index.first()) is not None:
        order.append(first[0])
        index.drop(first[0])
    assert order == ["early", "later", "new", "both"]
    assert index.total_bytes == 0


def _lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_note_is_one_line(tmp_path: Path) -> None:
    log = StoreLog(str(tmp_path))
    log.write(Note(5.0, "b", "hit", "k", 7, "a", 4.0))
    log.write(Note(6.0, "b", "miss", "l", reason='a "reason"\n'))
    assert _lines(tmp_path / "log.jsonl") == [
        {"at": 5.0, "agent": "b", "op": "hit", "key": "k", "bytes": 7, "by": "a", "stored_at": 4.0},
        {"at": 6.0, "agent": "b", "op": "miss", "key": "l", "bytes": 0, "by": "", "stored_at": None,
         "reason": 'a "reason"\n'},
    ]  # fmt: skip


def test_a_full_log_makes_way_and_keeps_its_predecessor(tmp_path: Path) -> None:
    log = StoreLog(str(tmp_path), rotate_bytes=1000)
    for number in range(25):
        log.write(Note(number, "a", "put", f"key-{number}"))
    now, before = _lines(tmp_path / "log.jsonl"), _lines(tmp_path / "log.1.jsonl")
    assert [line["at"] for line in (*before, *now)] == list(range(25 - len(before) - len(now), 25))
    assert (tmp_path / "log.1.jsonl").stat().st_size <= 1000


def test_a_line_torn_by_a_kill_spoils_no_other(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(b'{"at":1,"op":"h')
    StoreLog(str(tmp_path)).write(Note(2.0, "a", "hit", "k"))
    assert (tmp_path / "log.jsonl").read_bytes().splitlines()[0] == b'{"at":1,"op":"h'
    assert json.loads((tmp_path / "log.jsonl").read_bytes().splitlines()[1])["at"] == 2.0


def test_lines_that_find_no_room_wait_until_there_is_some(tmp_path: Path) -> None:
    folder = tmp_path / "not yet"
    log = StoreLog(str(folder))
    for number in range(3):
        log.write(Note(number, "a", "hit", "k"))
    folder.mkdir()
    log.write(Note(3, "a", "hit", "k"))
    assert [line["at"] for line in _lines(folder / "log.jsonl")] == [0, 1, 2, 3]
    assert log.lost_lines == 0


def test_lines_beyond_a_megabyte_are_counted_as_lost(tmp_path: Path) -> None:
    log = StoreLog(str(tmp_path / "never"))
    for number in range(20_000):
        log.write(Note(number, "a", "hit", "k" * 40))
    assert 0 < log.lost_lines < 20_000


def test_notes_are_added_up_by_agent_and_by_trade() -> None:
    tally = Tally(1.0)
    for note in (
        Note(1, "a", "miss", "k"), Note(2, "a", "put", "k", 10, "a", 2.0), Note(3, "b", "hit", "k", 10, "a", 2.0),
        Note(4, "b", "hit", "k", 10, "a", 2.0), Note(5, "a", "evict", "k", 15, "a", 2.0), Note(6, "", "refused"),
        Note(7, "b", "error", "k"), Note(8, "", "evict", size_bytes=99, reason=CLEARED),
    ):  # fmt: skip
        tally.add(note)
    zero = dict.fromkeys(("hits", "misses", "puts", "hit_bytes", "put_bytes"), 0)
    assert tally.figures() == {
        "since": 1.0,
        "agents": {
            "a": zero | {"misses": 1, "puts": 1, "put_bytes": 10},
            "b": zero | {"hits": 2, "hit_bytes": 20},
        },
        "trades": [{"by": "a", "agent": "b", "hits": 2, "bytes": 20}],
        "evicted": 1, "evicted_bytes": 15, "refused": 1, "errors": 1,
    }  # fmt: skip


def test_an_address_is_read_as_it_was_written_by_the_user_alone(tmp_path: Path) -> None:
    address = StoreAddress(40000, "a" * 48, 7)
    write_address(str(tmp_path), address)
    assert read_address(str(tmp_path)) == address
    assert (tmp_path / "address").stat().st_mode & 0o777 == 0o600


def test_an_address_is_written_in_its_place_where_no_new_file_can_be(tmp_path: Path) -> None:
    write_address(str(tmp_path), StoreAddress(40000, "a" * 48, 7777777))
    (tmp_path / "address.new").mkdir()
    write_address(str(tmp_path), StoreAddress(40000, "a" * 48, 8))
    assert read_address(str(tmp_path)) == StoreAddress(40000, "a" * 48, 8)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "", lambda text: text[:20], lambda text: "[]", lambda text: "null",
        lambda text: text.replace("40000", "0"), lambda text: text.replace("40000", "1e999"),
        lambda text: text.replace("7", "1" + "0" * 30), lambda text: text.replace("7", "true"),
        lambda text: "[" * 100_000, lambda text: text.replace("40000", '"40000"'),
        lambda text: text.replace("a" * 48, "\\u00fc" * 40),
        lambda text: text.replace("a" * 48, "short"), lambda text: text.replace("a" * 48, "a" * 40 + "\\r\\n"),
    ],
)  # fmt: skip
def test_a_spoilt_address_is_none(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    write_address(str(tmp_path), StoreAddress(40000, "a" * 48, 7))
    path = tmp_path / "address"
    path.write_text(spoil(path.read_text()))
    assert read_address(str(tmp_path)) is None
