"""The processes of a run, compared with what psutil says of them."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.paths import Paths
from core.run import proctree
from core.watch.run_processes import look

BUSY = "import sys; x = bytearray(30_000_000); sum(range(5_000_000)); print('ready', flush=True); sys.stdin.read()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}, '--token=abc'])"


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    """A state folder in which this process supervises run `r`."""
    own = proctree.read_process(os.getpid())
    assert own is not None
    (tmp_path / "open").mkdir()
    file = tmp_path / "open" / "r"
    file.write_text(json.dumps({"supervisor": own.pid, "supervisor_start": own.started_ticks, "child": 1,
                                "child_start": 1}) + "\n")  # fmt: skip
    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield Paths(str(tmp_path), "")


def test_each_process_stands_below_its_parent_with_its_cost(paths: Paths) -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        found = [one for one in look(paths, "r") if one.pid >= parent.pid or one.depth]
        own = [one for one in found if one.pid == parent.pid]
        below = found[found.index(own[0]) + 1]
        assert (own[0].depth, below.depth) == (0, 1)
        said = psutil.Process(below.pid)
        assert said.ppid() == parent.pid
        assert below.rss_bytes == pytest.approx(said.memory_info().rss, rel=0.05)
        times = said.cpu_times()
        assert below.cpu_s == pytest.approx(times.user + times.system, abs=0.05)
        assert below.cpu_s > 0
        full = said.memory_full_info()
        status = Path(f"/proc/{below.pid}/status").read_text()
        anonymous = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")) * 1024
        assert below.anonymous_bytes == pytest.approx(anonymous, abs=1 << 20)
        assert below.pss_bytes == pytest.approx(full.pss, rel=0.05)
        assert 30_000_000 < below.anonymous_bytes < (below.pss_bytes or 0) < below.rss_bytes
        assert below.read_bytes is not None
        assert (below.role, below.is_served) == ("program", False)
        assert below.program == os.path.basename(said.exe())
        assert "abc" not in below.command
        assert below.command.startswith(sys.executable)
        parent.communicate()


FORK = """
import os, sys
held = bytearray(30_000_000)
if os.fork():
    print("ready", flush=True)
sys.stdin.read()
"""


def test_a_page_that_forked_processes_share_is_not_told_twice(paths: Paths) -> None:
    command = [sys.executable, "-c", FORK]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        found = look(paths, "r")
        first = next(at for at, one in enumerate(found) if one.pid == parent.pid)
        assert 30_000_000 < sum(one.anonymous_bytes for one in found[first : first + 2]) < 50_000_000
        parent.communicate()


def test_a_run_that_is_over_has_no_processes(tmp_path: Path) -> None:
    assert look(Paths(str(tmp_path), ""), "r") == ()
