"""What is known of an agent's cache server, and whom the kernel names at its socket."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from core.cache.server import _shared
from core.cache.server_process import listener
from core.cache.server_record import Server, agent_folder, read_server, write_server
from core.errors import StateError
from core.run.cache import Wish
from tests.stores import paths_below


def server_in(folder: Path) -> Server:
    place = agent_folder(paths_below(str(folder)), "ann")
    os.makedirs(place)
    return Server("ann", place, place + "/socket", place + "/log-1.000", 7, 8, "/bin/sccache", "/p", "0.16.0", "own",
                  "d" * 32, 1.5)  # fmt: skip


def test_a_server_is_read_as_it_was_written(tmp_path: Path) -> None:
    server = server_in(tmp_path)
    write_server(server)
    assert read_server(paths_below(str(tmp_path)), "ann") == server
    assert Path(server.folder, "server.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("agent", "bob"), ("agent", None), ("socket", 4), ("socket", "a\0b"), ("socket", "\ud800"), ("pid", 10**30),
        ("pid", "7"), ("pid", True), ("pid", -1), ("start", 1.5), ("start", -1), ("program", ["x"]), ("version", 16),
        ("backend", 5), ("started", "now"), ("started", float("inf")), ("started", float("nan")), ("log", {}),
    ],
)  # fmt: skip
def test_a_record_with_a_field_that_cannot_be_is_none(tmp_path: Path, name: str, value: Any) -> None:
    server = server_in(tmp_path)
    Path(server.folder, "server.json").write_text(json.dumps({**server._asdict(), name: value}))
    assert read_server(paths_below(str(tmp_path)), "ann") is None


def test_a_record_of_an_earlier_version_lacks_what_came_later(tmp_path: Path) -> None:
    server = server_in(tmp_path)
    known = server._asdict()
    del known["namespace"]
    Path(server.folder, "server.json").write_text(json.dumps(known))
    assert read_server(paths_below(str(tmp_path)), "ann") == server
    del known["backend"]
    Path(server.folder, "server.json").write_text(json.dumps(known))
    assert read_server(paths_below(str(tmp_path)), "ann") is None


@pytest.mark.parametrize("content", ["", "{}", "4", "[" * 100_000, "\0", '{"pid": ', " " * 100_000])
def test_what_is_no_record_is_none(tmp_path: Path, content: str) -> None:
    Path(server_in(tmp_path).folder, "server.json").write_text(content)
    assert read_server(paths_below(str(tmp_path)), "ann") is None


@pytest.mark.parametrize(("theirs", "ours"), [("", "avx2"), ("avx2", ""), ("avx2", "neon")])
def test_of_builds_for_other_processors_none_shares_a_server(tmp_path: Path, theirs: str, ours: str) -> None:
    known = server_in(tmp_path)._replace(namespace=theirs)
    with pytest.raises(StateError, match=r"does not compile for the same processors .* kept apart"):
        _shared(known, Wish(namespace=ours))
    assert _shared(known, Wish(namespace=theirs)) is known


def test_the_kernel_names_who_takes_connections(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    assert listener(path) is None
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path)
        assert listener(path) is None
        one.listen()
        found = listener(path)
        assert found is not None
        assert found.pid == os.getpid()
    assert listener(path) is None
