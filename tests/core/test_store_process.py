"""The store as a process of its own: found or started, asked over HTTP, ended, killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.cache import store_client
from core.cache.store_address import write_address
from core.cache.store_client import (
    StoreAddress,
    clear_store,
    ensure_store,
    find_lost_store,
    find_store,
    stop_store,
    store_stats,
)
from core.cache.store_object import OVERHEAD_BYTES
from core.cache.store_server import MAX_LINKS, MAX_STRANGERS
from core.errors import DeckError
from core.paths import Paths
from core.run.cache import STORE_LIMIT_BYTES
from tests.core.runs import until
from tests.stores import Asker, content_of, ended, key_of, kill, log_of, object_files, paths_below

PROGRAM = Path(store_client.__file__).with_name("store.py")
KEY = key_of(1)


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    with ended(paths_below(str(tmp_path))) as paths:
        yield paths


@pytest.fixture
def address(paths: Paths) -> StoreAddress:
    return ensure_store(paths)


def ops(paths: Paths) -> list[tuple[str, str]]:
    return [(line["agent"], line["op"]) for line in log_of(paths)]


def test_a_store_is_started_once_and_then_found(paths: Paths) -> None:
    assert find_store(paths) is None
    assert store_stats(paths) is None
    first = ensure_store(paths)
    assert ensure_store(paths) == find_store(paths) == first
    assert Path(paths.store, "address").stat().st_mode & 0o777 == 0o600
    for folder in (paths.state, paths.store, paths.cache, paths.cache + "/store"):
        assert Path(folder).stat().st_mode & 0o777 == 0o700
    assert Path(paths.store, "errors").read_text() == ""


def test_many_who_need_it_at_once_get_one_store(paths: Paths) -> None:
    code = "import sys; from core.cache.store_client import ensure_store; from core.paths import Paths\n"
    code += "print(ensure_store(Paths(sys.argv[1], sys.argv[2])).pid)"
    command = [sys.executable, "-c", code, paths.state, paths.cache]
    asking = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROGRAM.parents[2]) for _ in range(6)]
    pids = {one.communicate(timeout=20)[0] for one in asking}
    assert len(pids) == 1
    assert pids != {b""}


def test_one_agents_object_is_anothers_hit_and_the_log_says_whose(paths: Paths, address: StoreAddress) -> None:
    one, two = Asker(address, "one"), Asker(address, "two")
    assert one.get(KEY) is None
    assert one.put(KEY, b"object") == 201
    assert two.get(KEY) == b"object"
    lines = log_of(paths)
    assert [(line["agent"], line["op"], line["by"], line["bytes"]) for line in lines] == [
        ("one", "miss", "", 0),
        ("one", "put", "one", 6),
        ("two", "hit", "one", 6),
    ]
    assert {line["key"] for line in lines} == {KEY}
    assert lines[2]["stored_at"] == lines[1]["stored_at"] <= lines[1]["at"] <= lines[2]["at"]
    stats = store_stats(paths)
    assert stats is not None
    assert stats["agents"]["two"] == {"hits": 1, "misses": 0, "puts": 0, "hit_bytes": 6, "put_bytes": 0}
    assert stats["trades"] == [{"by": "one", "agent": "two", "hits": 1, "bytes": 6}]
    assert (stats["entries"], stats["pid"], stats["limit"]) == (1, address.pid, STORE_LIMIT_BYTES)
    assert stats["bytes"] == os.path.getsize(object_files(paths)[0])


def test_a_line_is_in_the_log_before_its_answer(paths: Paths, address: StoreAddress) -> None:
    asker = Asker(address)
    for number in range(50):
        asker.put(key_of(number), b"x")
        assert log_of(paths)[-1]["key"] == key_of(number)


def test_what_sccache_asks_for_is_answered(paths: Paths, address: StoreAddress) -> None:
    asker = Asker(address)
    assert asker.ask("GET", "/agent-1//.sccache_check")[0] == 404
    assert asker.ask("PUT", "/agent-1//.sccache_check", b"Hello, World!")[0] == 201
    assert asker.ask("GET", "/agent-1//.sccache_check") == (200, b"Hello, World!")
    question = b'<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>'
    status, body = asker.ask("PROPFIND", "/agent-1//8/c/a/", question, Depth="0")
    assert (status, b"<D:collection/>" in body, b"<D:href>/agent-1//8/c/a/</D:href>" in body) == (207, True, True)
    assert asker.ask("PROPFIND", asker.path(KEY), question)[0] == 404
    assert asker.put(KEY, b"12345") == 201
    status, body = asker.ask("PROPFIND", asker.path(KEY), question)
    assert (status, b"<D:getcontentlength>5<" in body) == (207, True)
    assert asker.ask("MKCOL", "/agent-1/8/c/")[0] == 201
    assert asker.ask("HEAD", asker.path(KEY)) == (200, b"")
    assert asker.ask("OPTIONS", "/")[0] == 200
    assert asker.ask("DELETE", asker.path(KEY))[0] == 204
    assert asker.ask("DELETE", asker.path(KEY))[0] == 404
    assert asker.ask("HEAD", asker.path(KEY))[0] == 404
    assert asker.ask("DELETE", "/agent-1//.sccache_check")[0] == 204
    assert asker.ask("PATCH", asker.path(KEY))[0] == 405
    assert ops(paths) == [("agent-1", "put"), ("agent-1", "evict"), ("agent-1", "refused")]


@pytest.mark.parametrize("token", ["wrong", "", "a" * 48, "ü"])
def test_without_the_token_nothing_is_done(paths: Paths, address: StoreAddress, token: str) -> None:
    Asker(address).put(KEY, b"object")
    thief = Asker(address, token=token)
    assert thief.ask("GET", thief.path(KEY))[0] == 401
    assert thief.ask("PUT", thief.path(KEY), b"poison" * 100_000)[0] == 401
    for verb, path in (("GET", "/_stats"), ("DELETE", "/_objects"), ("POST", "/_stop"), ("OPTIONS", "/"), ("GET", "x")):
        assert thief.ask(verb, path)[0] == 401, path
    assert Asker(address).get(KEY) == b"object"
    refused = [line for line in log_of(paths) if line["op"] == "refused"]
    assert len(refused) == 7
    assert "token" in refused[0]["reason"]
    assert address.token not in Path(paths.store, "log.jsonl").read_text()


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/agent-1/a/b/c/..%2f..%2fx", "//etc/a/b/c", "/a/b/c/d/e%00"])
def test_a_trick_in_a_path_touches_nothing(paths: Paths, address: StoreAddress, path: str) -> None:
    before = sorted(str(one) for one in Path(paths.cache).rglob("*"))
    asker = Asker(address)
    for verb in ("PUT", "GET", "DELETE", "HEAD", "PROPFIND", "MKCOL"):
        assert asker.ask(verb, path, b"x" if verb == "PUT" else None)[0] == 400
    assert sorted(str(one) for one in Path(paths.cache).rglob("*")) == before
    assert ops(paths) == [("", "refused")] * 6


def test_a_poisoned_object_is_a_miss_and_told(paths: Paths, address: StoreAddress) -> None:
    asker = Asker(address)
    asker.put(KEY, b"object" * 1000)
    (path,) = object_files(paths)
    with open(path, "r+b") as file:
        file.seek(3000)
        file.write(b"X")
    assert asker.get(KEY) is None
    assert object_files(paths) == []
    assert [op for _, op in ops(paths)] == ["put", "error", "miss"]
    assert "checksum" in log_of(paths)[1]["reason"]


def test_a_large_object_streams_within_little_memory(paths: Paths, address: StoreAddress) -> None:
    asker, content = Asker(address), content_of(1, 80 << 20)
    assert asker.put(KEY, content) == 201
    assert asker.get(KEY) == content
    with open(f"/proc/{address.pid}/status", encoding="ascii") as file:
        (peak,) = (int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    assert peak < 48 << 10  # KiB; 25 MiB of it are the interpreter's


def test_an_object_larger_than_the_limit_is_refused(paths: Paths) -> None:
    asker = Asker(ensure_store(paths, limit_bytes=100_000))
    assert asker.put(KEY, bytes(100_001 - OVERHEAD_BYTES)) == 413
    assert asker.put(KEY, bytes(100_000 - OVERHEAD_BYTES)) == 201
    assert asker.put(key_of(2), bytes(1000)) == 201
    assert asker.get(KEY) is None
    assert [op for _, op in ops(paths)] == ["refused", "put", "evict", "put", "miss"]
    assert log_of(paths)[2]["by"] == "agent-1"


def test_a_put_that_breaks_off_leaves_nothing(paths: Paths, address: StoreAddress) -> None:
    link = socket.create_connection(("127.0.0.1", address.port))
    head = f"PUT /a/a/b/c/abc HTTP/1.1\r\nAuthorization: Bearer {address.token}\r\nContent-Length: 1000000\r\n\r\n"
    link.sendall(head.encode() + bytes(500_000))
    link.close()
    until(lambda: ops(paths) == [("a", "error")], "the line of the broken request")
    assert object_files(paths) == []
    until(lambda: os.listdir(paths.cache + "/store/tmp") == [], "the removal of what came")
    assert Asker(address, "a").ask("GET", "/a/a/b/c/abc")[0] == 404


def test_a_client_that_hangs_holds_nobody(paths: Paths, address: StoreAddress) -> None:
    hanging = [socket.create_connection(("127.0.0.1", address.port)) for _ in range(40)]
    head = f"PUT /a/a/b/c/abc HTTP/1.1\r\nAuthorization: Bearer {address.token}\r\nContent-Length: 1000000\r\n\r\n"
    for number, link in enumerate(hanging):
        link.sendall(head.encode()[: 10 + 5 * number])
    asker = Asker(address, "a")
    assert asker.put(KEY, bytes(20 << 20)) == 201
    for _ in range(5):  # they ask for much and take nothing
        hanging.append(socket.create_connection(("127.0.0.1", address.port)))
        hanging[-1].sendall(f"GET {asker.path(KEY)} HTTP/1.1\r\nAuthorization: Bearer {address.token}\r\n\r\n".encode())
    until(lambda: ops(paths).count(("a", "hit")) == 5, "the answers that nobody takes")
    for number in range(20):
        assert asker.put(key_of(number), b"x") == 201
    stats = store_stats(paths)
    assert stats is not None
    assert stats["connections"] >= 46
    for link in hanging:
        link.close()


def test_a_put_that_does_not_say_its_length_replaces_nothing(paths: Paths, address: StoreAddress) -> None:
    asker = Asker(address)
    asker.put(KEY, b"object")
    with socket.create_connection(("127.0.0.1", address.port)) as link:
        link.settimeout(20)
        head = f"PUT {asker.path(KEY)} HTTP/1.1\r\nAuthorization: Bearer {address.token}\r\n\r\n"
        link.sendall(head.encode())
        assert link.recv(4096).startswith(b"HTTP/1.1 411 Length Required\r\n")
    assert asker.get(KEY) == b"object"
    assert asker.put(KEY, b"") == 201
    assert asker.get(KEY) == b""


def test_requests_of_one_connection_are_answered_in_turn(address: StoreAddress) -> None:
    fields = f"Authorization: Bearer {address.token}\r\n"
    link = socket.create_connection(("127.0.0.1", address.port))
    link.settimeout(20)
    put = f"PUT /a/a/b/c/abc HTTP/1.1\r\n{fields}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    get = f"GET /a/a/b/c/abc HTTP/1.1\r\n{fields}Connection: close\r\n\r\n"
    link.sendall(f"{put}xyz{get}".encode())
    answer = b""
    while chunk := link.recv(4096):
        answer += chunk
    link.close()
    assert [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP")] == [
        b"HTTP/1.1 100 Continue", b"HTTP/1.1 201 Created", b"HTTP/1.1 200 OK",
    ]  # fmt: skip
    assert answer.endswith(b"\r\n\r\nxyz")


@pytest.mark.parametrize("raw", [b"\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 5000])
def test_what_is_no_request_is_refused_and_let_go(paths: Paths, address: StoreAddress, raw: bytes) -> None:
    link = socket.create_connection(("127.0.0.1", address.port))
    link.settimeout(20)
    link.sendall(raw)
    answer = b""
    while chunk := link.recv(4096):
        answer += chunk
    link.close()
    assert answer.startswith(b"HTTP/1.1 4")
    assert ops(paths) == [("", "refused")]
    assert find_store(paths) == address


def test_many_at_once_get_what_they_put(paths: Paths, address: StoreAddress) -> None:
    wrong: list[str] = []

    def work(agent: int) -> None:
        asker = Asker(address, f"agent-{agent}")
        for number in range(40):
            key = key_of(number % 10)
            content = content_of(number % 10, 5000 + number % 10)
            if asker.put(key, content) != 201 or asker.get(key) != content:
                wrong.append(f"{agent}: {key}")

    threads = [threading.Thread(target=work, args=(agent,)) for agent in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    stats = store_stats(paths)
    assert stats is not None
    assert (stats["entries"], stats["errors"]) == (10, 0)
    assert sum(agent["hits"] for agent in stats["agents"].values()) == 320 == len(log_of(paths)) / 2
    open_files = os.listdir(f"/proc/{address.pid}/fd")
    assert len(open_files) < 12 + stats["connections"], open_files


def test_port_token_and_objects_outlive_a_kill(paths: Paths, address: StoreAddress) -> None:
    Asker(address).put(KEY, b"object")
    kill(address)
    assert find_store(paths) is None
    second = ensure_store(paths)
    assert second == address._replace(pid=second.pid)
    assert second.pid != address.pid
    assert Asker(second).get(KEY) == b"object"


def test_a_store_that_hangs_is_replaced(paths: Paths, address: StoreAddress) -> None:
    Asker(address).put(KEY, b"object")
    os.kill(address.pid, signal.SIGSTOP)
    second = ensure_store(paths)
    assert second == address._replace(pid=second.pid)
    assert second.pid != address.pid
    assert Asker(second).get(KEY) == b"object"


def test_a_store_that_hangs_is_ended_when_asked_and_no_other(paths: Paths, address: StoreAddress) -> None:
    assert store_client.end_hung_store(paths) is False
    os.kill(address.pid, signal.SIGSTOP)
    assert store_client.end_hung_store(paths) is True
    until(lambda: not store_client._is_alive(address.pid), "the death of the store")
    assert store_client.end_hung_store(paths) is False


def test_a_process_that_is_no_store_is_not_killed(paths: Paths, address: StoreAddress) -> None:
    kill(address)
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        write_address(paths.store, address._replace(pid=stranger.pid))
        assert store_client.end_hung_store(paths) is False
        assert ensure_store(paths).pid != stranger.pid
        assert stranger.poll() is None
        stranger.kill()


def test_a_port_that_is_taken_meanwhile_is_left_to_whoever_has_it(paths: Paths, address: StoreAddress) -> None:
    kill(address)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", address.port))
        other.listen()
        second = ensure_store(paths)
        assert second.port != address.port
        assert Asker(second).put(KEY, b"x") == 201


def test_a_store_is_stopped_once(paths: Paths, address: StoreAddress) -> None:
    assert stop_store(paths) is True
    assert not store_client._is_alive(address.pid)
    assert stop_store(paths) is False
    assert Path(paths.store, "errors").read_text() == ""


def test_a_term_signal_ends_it_once_requests_are_answered(paths: Paths, address: StoreAddress) -> None:
    quiet = Asker(address)
    assert quiet.put(KEY, b"x") == 201
    link = socket.create_connection(("127.0.0.1", address.port))
    link.settimeout(20)
    head = f"PUT /a/a/b/c/abc HTTP/1.1\r\nAuthorization: Bearer {address.token}\r\nContent-Length: 10\r\n\r\n"
    link.sendall(head.encode() + b"12345")
    until(lambda: os.listdir(paths.cache + "/store/tmp"), "the begin of the request")
    os.kill(address.pid, signal.SIGTERM)
    link.sendall(b"67890")
    assert link.recv(4096).startswith(b"HTTP/1.1 201")
    link.close()
    until(lambda: not store_client._is_alive(address.pid), "the end of the store")
    assert len(object_files(paths)) == 2


def test_a_store_that_nobody_needs_ends(paths: Paths) -> None:
    address = ensure_store(paths, idle_s=0.3)
    asker = Asker(address)
    assert asker.put(KEY, b"x") == 201
    asker.close()
    until(lambda: not store_client._is_alive(address.pid), "the end of the store")


def test_a_store_whose_state_was_removed_leaves_the_field_to_the_next(paths: Paths, address: StoreAddress) -> None:
    Asker(address).put(KEY, b"object")
    for name in os.listdir(paths.store):
        os.unlink(f"{paths.store}/{name}")
    second = until(lambda: _try(paths), "the second store")
    assert second.pid != address.pid
    assert Asker(second).get(KEY) == b"object"
    until(lambda: not store_client._is_alive(address.pid), "the end of the first store")


def _try(paths: Paths) -> StoreAddress | None:
    try:
        return ensure_store(paths)
    except DeckError:
        return None


@pytest.mark.parametrize(
    "content",
    [
        '{"port": 1, "token": "' + "a" * 48 + '", "pid": 1}',
        *(pytest.param(one, marks=pytest.mark.long) for one in (None, "", "[" * 5000)),
    ],
    ids=("gone", "none", "empty", "deep"),
)
def test_a_store_whose_address_was_lost_is_found_again(
    paths: Paths, address: StoreAddress, content: str | None
) -> None:
    file = Path(paths.store, "address")

    def lose() -> None:
        file.unlink() if content is None else file.write_text(content)

    lose()
    assert ensure_store(paths) == address
    assert file.stat().st_mode & 0o777 == 0o600
    write_address(paths.store, address._replace(port=1 if address.port != 1 else 2))
    assert ensure_store(paths) == address
    Asker(address).put(KEY, bytes(1000))
    lose()
    assert clear_store(paths, timeout_s=5) > 1000
    lose()
    assert find_lost_store(paths) == address
    lose()
    assert stop_store(paths) is True
    until(lambda: not store_client._is_alive(address.pid), "the end of the store")
    assert Path(paths.store, "errors").read_text() == ""


def test_connections_without_the_token_keep_nobody_out(paths: Paths, address: StoreAddress) -> None:
    asker = Asker(address)
    assert asker.put(KEY, b"object") == 201
    idle = [socket.create_connection(("127.0.0.1", address.port)) for _ in range(MAX_LINKS + 10)]
    assert ensure_store(paths) == address
    assert asker.get(KEY) == b"object"
    stats = until(lambda: _few(paths, MAX_STRANGERS + 2), "the end of the connections that were too many")
    assert stats["pid"] == address.pid
    idle[0].settimeout(20)
    assert idle[0].recv(1) == b""
    for link in idle:
        link.close()


def _few(paths: Paths, most: int) -> dict[str, Any] | None:
    stats = store_stats(paths)
    return stats if stats is not None and stats["connections"] <= most else None


def test_of_more_connections_with_the_token_than_there_is_room_for_one_that_rests_gives_way(
    paths: Paths, address: StoreAddress
) -> None:
    askers = [Asker(address) for _ in range(MAX_LINKS + 5)]
    assert [asker.get(KEY) for asker in askers] == [None] * len(askers)
    stats = store_stats(paths)
    assert stats is not None
    assert stats["connections"] <= MAX_LINKS + 1
    assert ensure_store(paths) == address


def test_a_store_that_has_no_room_is_told_from_one_that_hangs(paths: Paths, address: StoreAddress) -> None:
    head = f"PUT /a/a/b/c/abc HTTP/1.1\r\nAuthorization: Bearer {address.token}\r\nContent-Length: 9\r\n\r\n"
    busy = []
    for _ in range(MAX_LINKS):
        busy.append(socket.create_connection(("127.0.0.1", address.port)))
        busy[-1].sendall(head.encode())
    until(lambda: len(os.listdir(paths.cache + "/store/tmp")) == MAX_LINKS, "the begin of all requests")
    assert store_client._ask(address, "OPTIONS", "/", 5.0).status == 503
    assert find_store(paths) == ensure_store(paths) == address
    assert store_client.end_hung_store(paths) is False
    for link in busy:
        link.close()
    until(lambda: store_client._ask(address, "OPTIONS", "/", 5.0).status == 200, "the room that they left")


def test_objects_are_cleared_whether_or_not_the_store_runs(paths: Paths, address: StoreAddress) -> None:
    asker = Asker(address)
    asker.put(KEY, bytes(1000))
    assert 1000 < clear_store(paths) < 1000 + OVERHEAD_BYTES
    assert asker.get(KEY) is None
    asker.put(KEY, bytes(1000))
    stop_store(paths)
    assert len(object_files(paths)) == 1
    assert 1000 < clear_store(paths) < 1000 + OVERHEAD_BYTES
    assert object_files(paths) == []
    assert clear_store(paths) == 0
    assert [op for _, op in ops(paths)] == ["put", "evict", "miss", "put", "evict", "evict"]
    assert find_store(paths) is None


def test_clearing_what_never_was_makes_nothing(paths: Paths) -> None:
    assert clear_store(paths) == 0
    assert not os.path.exists(paths.cache)


def test_a_second_store_over_the_same_objects_is_refused_with_a_sentence(paths: Paths, address: StoreAddress) -> None:
    other = paths._replace(state=paths.state + "-2")
    with pytest.raises(DeckError, match="did not start"):
        ensure_store(other)
    until(lambda: "another store is at work" in Path(other.store, "errors").read_text(), "its last words")
    assert find_store(paths) == address


def test_a_state_folder_that_cannot_be_made_is_said_in_time(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, not a folder")
    with pytest.raises(DeckError, match=r"cannot write to .*/state/store: "):
        ensure_store(paths_below(str(tmp_path)))


def test_an_inherited_pipe_is_not_held_open(paths: Paths) -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    ensure_store(paths)
    os.close(write)
    assert os.read(read, 1) == b""
    os.close(read)


def test_a_client_imports_little() -> None:
    heavy = {"socket", "subprocess", "dataclasses", "asyncio", "argparse", "pathlib", "http", "json", "threading"}
    code = f"import sys; sys.path.insert(0, {str(PROGRAM.parents[2])!r}); import core.cache.store_client\n"
    code += f"print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == []
