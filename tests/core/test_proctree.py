import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from core.run import proctree
from tests.core.runs import until

SERVER = (
    "import socket, sys, time; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen();"
    "print('up', flush=True); time.sleep(99)"
)


def test_descendants_are_found_below_a_process_parents_first() -> None:
    child = subprocess.Popen(["/bin/sh", "-c", "sleep 50 & wait"])
    try:
        (sleep,) = until(lambda: proctree.descendants(child.pid), "a child's child")
        found = [process.pid for process in proctree.descendants(os.getpid())]  # of other tests too
        assert found.index(child.pid) < found.index(sleep.pid)
    finally:
        for process in reversed(proctree.descendants(child.pid)):
            proctree.send(process, 9)
        child.kill()
        child.wait()


def test_a_signal_reaches_only_the_very_process() -> None:
    child = subprocess.Popen(["/bin/sleep", "50"])
    process = proctree.read_process(child.pid)
    assert process is not None
    assert not proctree.send(process._replace(started_ticks=process.started_ticks + 1), 9)
    assert child.poll() is None
    assert proctree.send(process, 9)
    assert child.wait() == -9
    assert not proctree.send(process, 9)


def are_cache_servers(programs: Iterable[tuple[Path, str]], identities: dict[tuple[int, int], str]) -> list[bool]:
    """What is said of each program (a copy of Python) while it runs its code."""
    env = {**os.environ, "PYTHONHOME": sys.base_prefix}
    started = [
        subprocess.Popen([str(program), "-S", "-c", code], stdout=subprocess.PIPE, env=env)
        for program, code in programs
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
        return [proctree.is_cache_server(process.pid, identities) for process in started]
    finally:
        for process in started:
            process.kill()
            process.communicate()


def test_a_cache_server_is_known_by_its_file_and_its_socket_not_by_its_name(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    real, namesake = tools / "sccache", tmp_path / "sccache"
    base = os.path.realpath(sys.executable)
    shutil.copy(base, real)
    shutil.copy(base, namesake)
    identities = proctree.tool_identities(str(tools), None)
    assert len(identities) == 1
    programs = (real, SERVER), (namesake, SERVER), (real, SERVER.replace("s.listen()", "1"))
    assert are_cache_servers(programs, identities) == [True, False, False]


def test_a_daemon_that_runs_from_a_copy_of_its_tool_is_known_by_its_bytes(tmp_path: Path) -> None:
    tools, elsewhere = tmp_path / "bin", tmp_path / "cache"
    tools.mkdir()
    elsewhere.mkdir()
    base = os.path.realpath(sys.executable)
    shutil.copy(base, tools / "zccache")
    shutil.copy(base, elsewhere / "zccache-daemon")
    shutil.copy(base, elsewhere / "other-daemon")
    (tmp_path / "forged").mkdir()
    forged = tmp_path / "forged" / "zccache-daemon"
    shutil.copy(base, forged)
    with open(forged, "ab") as file:
        file.write(b"x")
    identities = proctree.tool_identities(str(tools), None)
    programs = (elsewhere / "zccache-daemon", SERVER), (elsewhere / "other-daemon", SERVER), (forged, SERVER)
    assert are_cache_servers(programs, identities) == [True, False, False]


def test_the_server_beside_a_wrapper_that_is_named_by_its_path_is_known(tmp_path: Path) -> None:
    for name in ("kache", "kache-engine"):
        (tmp_path / name).write_text(name)
    identities = proctree.tool_identities("", str(tmp_path / "kache"))
    assert sorted(os.path.basename(path) for path in identities.values()) == ["kache", "kache-engine"]


def test_a_listening_unix_socket_counts_too(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        status = os.stat("/proc/self/exe")
        identity = {(status.st_dev, status.st_ino): "/proc/self/exe"}
        server.listen()
        assert proctree.is_cache_server(os.getpid(), identity)


def test_a_process_that_is_gone_is_none() -> None:
    child = subprocess.Popen(["/bin/true"])
    child.wait()
    assert proctree.read_process(child.pid) is None
