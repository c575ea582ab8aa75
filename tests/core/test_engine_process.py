"""The engine as a process of its own: one a user, started by whoever needs it, asked over its socket."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core import client
from core.errors import EngineError
from core.journal import read_journal
from core.paths import Paths
from core.reduce import reduce_run
from core.requests import Server
from core.state import RunState
from tests.core.runs import until

PROGRAM = Path(client.__file__).with_name("engine.py")


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    paths = Paths(str(tmp_path / "state"), str(tmp_path / "cache"))
    yield paths
    if os.path.exists(paths.engine + "/socket"):
        pid = ping(paths)["pid"]
        client.request(paths, {"do": "shutdown"})
        until(lambda: not _is_running(pid), "the end of the engine")


def ping(paths: Paths) -> dict[str, Any]:
    return client.request(paths, {"do": "ping"}, timeout_s=20)


def _is_running(pid: int) -> bool:
    client._engines.reap()
    return os.path.exists(f"/proc/{pid}") and "(zombie)" not in Path(f"/proc/{pid}/status").read_text()


def _ask_raw(paths: Paths, content: bytes) -> dict[str, Any]:
    link = client._connect(paths, timeout_s=10)
    assert link is not None
    try:
        link.sendall(content)
        answer = b""
        while not answer.endswith(b"\n"):
            answer += link.recv(1 << 16)
        found: dict[str, Any] = json.loads(answer)
        return found
    finally:
        link.close()


def test_a_ping_starts_the_engine_and_a_second_one_finds_it(paths: Paths) -> None:
    assert ping(paths)["pid"] == ping(paths)["pid"] != os.getpid()
    assert Path(paths.engine, "token").stat().st_mode & 0o777 == 0o600
    assert Path(paths.engine).stat().st_mode & 0o777 == 0o700
    assert Path(paths.state).stat().st_mode & 0o777 == 0o700


def test_of_two_engines_one_ends_quietly(paths: Paths) -> None:
    ping(paths)
    command = [sys.executable, "-I", "-S", str(PROGRAM), paths.state, paths.cache, "60"]
    second = subprocess.run(command, capture_output=True, timeout=20)
    assert (second.returncode, second.stdout, second.stderr) == (0, b"", b"")


def test_an_engine_whose_state_was_removed_ends_and_leaves_the_field_to_the_next(paths: Paths) -> None:
    first = ping(paths)["pid"]
    shutil.rmtree(paths.state)
    assert ping(paths)["pid"] != first
    until(lambda: not _is_running(first), "the end of the first engine")
    assert ping(paths)["ok"]


def test_a_dead_engines_socket_is_replaced(paths: Paths) -> None:
    first = ping(paths)["pid"]
    os.kill(first, signal.SIGKILL)
    until(lambda: not _is_running(first), "the death of the engine")
    assert os.path.exists(paths.engine + "/socket")
    assert ping(paths)["pid"] != first


def test_a_long_state_path_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 100) / ("e" * 100)
    long_paths = Paths(str(folder), str(tmp_path / "cache"))
    pid = ping(long_paths)["pid"]
    client.request(long_paths, {"do": "shutdown"})
    until(lambda: not _is_running(pid), "the end of the engine")


def test_an_engine_that_nobody_needs_ends(paths: Paths) -> None:
    client.ensure_engine(paths, idle_s=0.0)
    until(lambda: os.path.exists(paths.engine + "/socket"), "the start of the engine")
    until(lambda: not any(_is_running(pid) for pid in tuple(client._engines.pids)), "the end of the engine")
    os.unlink(paths.engine + "/socket")


def test_an_inherited_pipe_is_not_held_open(paths: Paths) -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    ping(paths)
    os.close(write)
    assert os.read(read, 1) == b""
    os.close(read)


def test_a_run_is_started_watched_stopped_and_forgotten(paths: Paths, tmp_path: Path) -> None:
    start = {"do": "start", "agent": "a", "cwd": str(tmp_path), "tool": "exec", "argv": ["sleep", "1000"]}
    run = client.request(paths, start)["run"]
    with pytest.raises(EngineError, match="is not over yet"):
        client.request(paths, {"do": "forget", "run": run})
    assert client.request(paths, {"do": "stop", "run": run})["is_told"] is True
    until(lambda: not os.path.exists(f"{paths.open}/{run}"), "the end of the run in its journal")
    ended = reduce_run(None, read_journal(f"{paths.run(run)}/events.jsonl").events)
    assert ended is not None
    assert ended.state is RunState.STOPPED
    assert ended.stop is not None
    assert ended.stop.by == "request"
    client.request(paths, {"do": "forget", "run": run})
    assert not os.path.exists(paths.run(run))


def test_a_run_is_restarted_as_it_was(paths: Paths, tmp_path: Path) -> None:
    message = {
        "do": "start", "agent": "a", "cwd": str(tmp_path), "tool": "exec",
        "argv": ["sh", "-c", "echo $COLOUR"], "env": {"PATH": os.environ["PATH"], "COLOUR": "blue"},
    }  # fmt: skip
    first = client.request(paths, message)["run"]
    until(lambda: not os.path.exists(f"{paths.open}/{first}"), "the end of the first run")
    second = client.request(paths, {"do": "restart", "run": first})["run"]
    until(lambda: not os.path.exists(f"{paths.open}/{second}"), "the end of the second run")
    assert second != first
    assert Path(paths.run(second), "out.log").read_text() == "blue\n"


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ({"do": "fly"}, "cannot do 'fly'"),
        ({}, "cannot do None"),
        ({"do": "stop"}, "needs run"),
        ({"do": "stop", "run": "../engine"}, "there is no run"),
        ({"do": "forget", "run": ""}, "needs run"),
        ({"do": "forget", "run": "nothing"}, "there is no run"),
        ({"do": "restart", "run": ["x"]}, "needs run"),
        ({"do": "start", "argv": "build"}, "argv"),
        ({"do": "start", "argv": ["build"], "agent": "a", "cwd": "/nowhere"}, "/nowhere is not a folder"),
        ({"do": "start", "argv": ["x"], "agent": "a b", "cwd": "/", "tool": "exec"}, "a b"),
        ({"do": "start", "argv": ["x"], "tool": "make"}, "cargo or exec"),
        ({"do": "start", "argv": ["x"], "env": {"A": 1}}, "names and values"),
    ],
)
def test_a_request_that_cannot_be_done_gets_a_sentence(paths: Paths, message: dict[str, Any], sentence: str) -> None:
    with pytest.raises(EngineError, match=sentence):
        client.request(paths, message)


def test_without_the_token_nothing_is_done(paths: Paths) -> None:
    pid = ping(paths)["pid"]
    for token in ("wrong", "", None, 5, ["x"]):
        answer = _ask_raw(paths, json.dumps({"v": 1, "token": token, "do": "shutdown"}).encode() + b"\n")
        assert answer["ok"] is False
        assert "token" in answer["error"]
    assert ping(paths)["pid"] == pid


@pytest.mark.parametrize("line", [b"\n", b"{\n", b"[]\n", b"\xff\xfe\n", b"null\n", b"[" * 100_000 + b"\n", b'"x"\n'])
def test_a_malformed_request_is_refused(paths: Paths, line: bytes) -> None:
    ping(paths)
    assert "one JSON object" in _ask_raw(paths, line)["error"]
    assert ping(paths)["ok"] is True


def test_a_huge_line_is_refused(paths: Paths) -> None:
    pid = ping(paths)["pid"]
    link = client._connect(paths, timeout_s=10)
    assert link is not None
    with pytest.raises(OSError, match=r"pipe|reset"):  # noqa: PT012
        for _ in range(100):
            link.sendall(b"x" * 100_000)
    link.close()
    assert ping(paths)["pid"] == pid


def test_an_engine_of_another_version_says_so(paths: Paths) -> None:
    ping(paths)
    token = Path(paths.engine, "token").read_text().strip()
    answer = _ask_raw(paths, json.dumps({"v": 2, "token": token, "do": "ping"}).encode() + b"\n")
    assert "speaks version 1" in answer["error"]


def test_who_says_nothing_is_let_go(tmp_path: Path) -> None:
    now = [0.0]
    server = Server(str(tmp_path), lambda message: {}, _no_fault)
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(tmp_path / "socket"))
            server.serve(1.0, lambda: now[0])
            now[0] = 11.0
            server.serve(0.0, lambda: now[0])
            link.settimeout(5)
            assert link.recv(1) == b""
    finally:
        server.close()


def test_a_fault_in_answering_is_a_refusal_and_is_told(tmp_path: Path) -> None:
    def fail(message: dict[str, Any]) -> dict[str, Any]:
        raise TypeError("of all things")

    told: list[tuple[str, str]] = []
    server = Server(str(tmp_path), fail, lambda where, error: told.append((where, str(error))))
    token = (tmp_path / "token").read_text().strip()
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(f"{tmp_path}/socket")
        link.sendall(json.dumps({"v": 1, "token": token, "do": "start"}).encode() + b"\n")
        for _ in range(2):  # one turn to accept, one to answer
            server.serve(1.0, lambda: 0.0)
        answer = json.loads(link.recv(1 << 16))
    server.close()
    assert answer["ok"] is False
    assert "TypeError: of all things" in answer["error"]
    assert told == [("request", "of all things")]


def _no_fault(where: str, error: BaseException) -> None:
    raise error


def test_a_state_folder_that_cannot_be_made_is_said_in_time(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, not a folder")
    with pytest.raises(EngineError, match="did not start"):
        client.request(Paths(str(tmp_path / "state"), str(tmp_path)), {"do": "ping"}, timeout_s=0.3)


def test_the_engine_starts_where_only_the_package_folder_holds_it(tmp_path: Path) -> None:
    """As in the wheel: `core` lies in a folder that is no entry of the module path."""
    package = tmp_path / "site" / "cargo_deck"
    shutil.copytree(PROGRAM.parent, package / "core", ignore=shutil.ignore_patterns("__pycache__"))
    state = tmp_path / "state"
    program = str(package / "core" / "engine.py")
    command = [sys.executable, "-I", "-S", program, str(state), str(tmp_path / "cache"), "0"]
    found = subprocess.run(command, capture_output=True, timeout=20, cwd="/")
    assert (found.returncode, found.stderr) == (0, b"")
    assert (state / "engine" / "socket").exists()
    assert (state / "engine" / "log").read_text() == ""


def test_the_client_imports_little() -> None:
    heavy = {"socket", "subprocess", "dataclasses", "asyncio", "argparse", "pathlib"}
    code = f"import sys, core.client; print(*sorted({heavy} & set(sys.modules)))"
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import sys; sys.path.insert(0, {str(PROGRAM.parent.parent)!r}); {code}",
    ]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == []
