import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.errors import StateError, UsageError
from core.paths import Paths
from core.run import ahead, begin, compose, identity, spawn, supervisor, target
from core.run.child import Job, start_child
from core.run.stop import find_holder, is_live, stop_run
from tests.core.runs import alive, exit_of, log_of, paths_in, start_owned, start_python, until

STUBBORN = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
def keep(name):
    print(name, os.getpid(), flush=True)
    while True: time.sleep(1)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: keep("grandchild")
    os._exit(0)
if os.fork() == 0:
    os.setsid()
    bare = "import time,os; print('bare', os.getpid(), flush=True); time.sleep(999)"
    os.execve(sys.executable, [sys.executable, "-I", "-c", bare], {})
keep("main")
"""


def test_a_run_leaves_its_output_and_its_exit_code(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    run = start_python(paths, "import sys; print('to out'); print('to err', file=sys.stderr); sys.exit(3)")
    record = exit_of(paths, run)
    assert (record["code"], record["signal"], record["stopped_by"]) == (3, None, None)
    assert sorted(log_of(paths, run).split("\n")) == ["", "to err", "to out"]
    assert record["largest_process_bytes"] > 1_000_000


def test_a_death_by_signal_is_told_from_an_exit(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    run = start_python(paths, "import os; os.kill(os.getpid(), 11)")
    record = exit_of(paths, run)
    assert (record["code"], record["signal"]) == (None, 11)


def test_a_program_that_cannot_be_executed_says_so_in_its_log(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    run = begin.start_detached(paths, agent="a", cwd=str(tmp_path), words=(str(broken),), tool="exec", env={})
    assert exit_of(paths, run)["code"] == 127
    assert "could not execute" in log_of(paths, run)


def test_a_detached_run_has_a_session_of_its_own_and_no_input(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    run = start_python(paths, "import os,sys; print(os.getsid(0) == os.getpid(), repr(sys.stdin.read()))")
    exit_of(paths, run)
    assert log_of(paths, run) == "True ''\n"


def test_a_child_gets_default_signals(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    run = start_python(paths, "print(open('/proc/self/status').read().split('SigBlk:')[1].split()[0])")
    exit_of(paths, run)
    assert int(log_of(paths, run), 16) == 0
    run = begin.start_detached(
        paths, agent="a", cwd="/", words=("/bin/sh", "-c", "grep SigIgn /proc/$$/status"), tool="exec", env={}
    )
    exit_of(paths, run)
    assert int(log_of(paths, run).split()[1], 16) & (1 << (signal.SIGPIPE - 1)) == 0


def test_what_a_terminal_sends_while_a_run_starts_is_the_builds_not_the_supervisors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves the terminal's group only once it has started the build."""

    def started_late(job: Job) -> int:
        child = start_child(job)
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTSTP):
            os.kill(os.getpid(), number)
        return child

    monkeypatch.setattr(supervisor, "start_child", started_late)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    paths = paths_in(tmp_path)
    run = start_python(paths, "print('done')")
    record = exit_of(paths, run)
    assert (record["code"], record["signal"], record["stopped_by"]) == (0, None, None)
    assert log_of(paths, run) == "done\n"
    assert not Path(paths.run(run), "supervisor.log").exists()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask


def test_what_a_supervisor_is_sent_does_not_wake_the_process_that_forked_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch takes such a wake for the wish to end."""
    here, set_handler = os.getpid(), signal.signal

    def set_and_send(number: int, handler: Any) -> Any:
        before = set_handler(number, handler)
        if os.getpid() != here and number == signal.SIGCHLD:
            os.kill(os.getpid(), number)
        return before

    monkeypatch.setattr(signal, "signal", set_and_send)
    wake_fd, wake_write = os.pipe2(os.O_NONBLOCK)
    before = signal.set_wakeup_fd(wake_write)
    try:
        paths = paths_in(tmp_path)
        assert exit_of(paths, start_python(paths, "print('done')"))["code"] == 0
        with pytest.raises(BlockingIOError):
            os.read(wake_fd, 1)
    finally:
        signal.set_wakeup_fd(before)
        os.close(wake_fd)
        os.close(wake_write)


def test_a_stop_ends_what_ignores_it_hides_or_has_lost_its_environment(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    run = start_python(paths, STUBBORN)
    text = until(lambda: t if (t := log_of(paths, run)).count("\n") == 3 else None, "three processes")
    pids = [int(line.split()[1]) for line in text.splitlines()]
    assert all(alive(pid) for pid in pids)
    assert stop_run(paths, run)
    record = exit_of(paths, run)
    assert not [pid for pid in pids if alive(pid)]
    assert (record["stopped_by"], record["is_killed"]) == ("request", True)


def test_a_kill_does_not_wait(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    run = start_python(paths, STUBBORN)
    until(lambda: log_of(paths, run).count("\n") == 3, "three processes")
    assert stop_run(paths, run, kill=True)
    record = exit_of(paths, run)
    assert record["is_killed"]
    asked = json.loads(Path(paths.run(run), "asked.json").read_text())
    assert (asked["by"], asked["is_kill"]) == ("request", True)


def test_a_run_that_ended_by_itself_keeps_what_it_left_behind(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    code = "import os,time\nif os.fork() == 0:\n    os.setsid(); print(os.getpid(), flush=True); time.sleep(60)\n"
    run = start_python(paths, code)
    exit_of(paths, run)
    pid = int(until(lambda: log_of(paths, run).strip(), "the daemon's pid"))
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_an_owner_that_vanishes_ends_the_run(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    begun = start_owned(paths, sys.executable, "-I", "-c", STUBBORN)
    until(lambda: log_of(paths, begun.started.run).count("\n") == 3, "three processes")
    os.close(begun.started.owner_fd)
    record = exit_of(paths, begun.started.run)
    os.waitpid(begun.started.supervisor, 0)
    assert record["stopped_by"] == "owner"
    pids = [int(line.split()[1]) for line in log_of(paths, begun.started.run).splitlines()]
    assert not [pid for pid in pids if alive(pid)]


def test_an_owner_that_detaches_leaves_the_run_alone(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    begun = start_owned(paths, "/bin/sh", "-c", "read line; echo got $line")
    os.write(begun.started.owner_fd, b"d")
    os.close(begun.started.owner_fd)
    record = exit_of(paths, begun.started.run)
    os.waitpid(begun.started.supervisor, 0)
    assert record["stopped_by"] is None


def test_a_dead_supervisor_frees_the_lock_and_leaves_no_exit(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    run = start_python(paths, "import time; time.sleep(60)")
    holder = until(lambda: find_holder(paths, run), "the supervisor")
    child = until(lambda: holder.child if alive(holder.child) else None, "the child")
    os.kill(holder.supervisor.pid, signal.SIGKILL)
    until(lambda: not is_live(paths, run), "the lock to be free")
    assert not Path(paths.run(run), "exit.json").exists()
    assert not stop_run(paths, run)
    os.kill(child, signal.SIGKILL)


def test_a_state_folder_that_cannot_be_written_is_said_with_the_way_out() -> None:
    with pytest.raises(StateError, match="XDG_STATE_HOME"):
        spawn.take_slot(Paths("/dev/null/state", "/dev/null/cache"), "a", None)


def test_a_program_that_is_not_there_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    with pytest.raises(UsageError, match="no such program"):
        begin.start_detached(paths, agent="a", cwd="/", words=("no-such-program",), tool="exec", env={"PATH": "/bin"})
    assert not os.path.exists(paths.runs)


def test_no_credential_reaches_the_record(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    run = start_python(paths, "pass", "--token", "hunter2hunter2", env={"DEPLOY_KEY": "s3cr3t-value"})
    exit_of(paths, run)
    text = Path(paths.run(run), "run.json").read_text()
    assert "hunter2hunter2" not in text
    assert "s3cr3t-value" not in text
    assert json.loads(text)["env"]["DEPLOY_KEY"] is None


def test_a_second_agent_in_a_checkout_gets_a_dir_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    own = str(tmp_path / "ws" / "target")
    first = spawn.take_slot(paths, "one", own)
    second = spawn.take_slot(paths, "two", own)
    early, late = sorted((first, second), key=lambda slot: slot.run)
    name = {first.run: "one", second.run: "two"}
    kept = target.choose_target(paths, early.run, target.Subject(name[early.run], str(tmp_path / "ws"), own))
    given = target.choose_target(paths, late.run, target.Subject(name[late.run], str(tmp_path / "ws"), own))
    assert kept == target.Target(own, "default", "no other agent builds in this checkout")
    assert given.source == "private"
    assert given.path is not None
    assert given.path.startswith(paths.targets)
    os.close(early.lock_fd)
    again = target.choose_target(paths, late.run, target.Subject(name[late.run], str(tmp_path / "ws"), own))
    assert again.path == given.path
    os.close(late.lock_fd)


def test_two_runs_of_one_agent_share_a_target_dir(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    slots = [spawn.take_slot(paths, "one", "/ws/target") for _ in range(2)]
    chosen = [target.choose_target(paths, slot.run, target.Subject("one", "/ws", "/ws/target")) for slot in slots]
    assert {c.source for c in chosen} == {"default"}
    for slot in slots:
        os.close(slot.lock_fd)


def test_where_a_second_agent_would_build_is_foreseen_and_not_made(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    slot = spawn.take_slot(paths, "one", "/ws/target")
    (tmp_path / "state" / "runs" / slot.run / "run.json").write_text('{"agent": "one", "target_dir": "/ws/target"}')
    assert target.foresee_target(paths, target.Subject("one", "/ws", "/ws/target")).source == "default"
    foreseen = target.foresee_target(paths, target.Subject("two", "/ws", "/ws/target"))
    assert foreseen.source == "private"
    assert foreseen.reason == "one is building in this checkout"
    assert not os.path.exists(paths.targets)
    os.close(slot.lock_fd)
    assert target.foresee_target(paths, target.Subject("two", "/ws", "/ws/target")).source == "default"


def test_private_target_dirs_are_told_apart_by_their_key(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    slot = spawn.take_slot(paths, "one", "/ws/target")
    plain = target.Subject("one", "/ws", "/ws/target")
    keyed = [plain._replace(key=key, is_keyed=True) for key in ("1.95 lock", "1.96 lock")]
    assert target.foresee_target(paths, plain).source == "default"
    foreseen = [target.foresee_target(paths, one).path for one in keyed]
    assert not os.path.exists(paths.targets)
    chosen = [target.choose_target(paths, slot.run, one) for one in keyed]
    assert [one.path for one in chosen] == foreseen
    assert len({one.path for one in (*chosen, target.choose_target(paths, slot.run, plain))}) == 3
    assert target.foresee_target(paths, plain._replace(key="of another processor")).source == "default"
    os.close(slot.lock_fd)


def test_a_stop_in_a_run_s_first_moment_is_not_lost(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    for _ in range(20):
        run = start_python(paths, "import time; time.sleep(60)")
        assert stop_run(paths, run)
        assert exit_of(paths, run)["stopped_by"] == "request"


def test_of_agents_that_start_at_once_one_alone_takes_cargos_own_target_dir(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    own = str(tmp_path / "target")
    gate = tmp_path / "gate"
    words = (
        "import os, sys, json\n"
        "from core.paths import Paths\n"
        "from core.run import spawn, target\n"
        "paths, agent, own, gate = Paths(*sys.argv[1:3]), *sys.argv[3:6]\n"
        "print('ready', flush=True)\n"
        "while not os.path.exists(gate): pass\n"
        "slot = spawn.take_slot(paths, agent, own)\n"
        "print(target.choose_target(paths, slot.run, target.Subject(agent, '/checkout', own)).source, flush=True)\n"
        "sys.stdin.read()\n"
    )
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", words, *paths, f"agent-{number}", own, str(gate)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for number in range(6)
    ]  # fmt: skip
    assert [one.stdout.readline() for one in starts if one.stdout] == ["ready\n"] * 6
    gate.touch()
    sources = [one.stdout.readline().strip() for one in starts if one.stdout]
    for one in starts:
        one.communicate("")
    assert sorted(sources) == ["default", *["private"] * 5]


AHEAD = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-IS", "-c", "import time; time.sleep(99)"])
while time.process_time() < 0.3: pass
names = ("DECK_RUN", "DECK_FRONTS", "DECK_NVCC_AHEAD", "MORE")
with open(sys.argv[1] + ".part", "w") as file:
    print(os.getpid(), child.pid, *map(os.environ.get, names), file=file)
os.rename(sys.argv[1] + ".part", sys.argv[1])
if len(sys.argv) < 3: time.sleep(99)
child.kill()
child.wait()
"""


def begun_ahead(paths: Paths, monkeypatch: pytest.MonkeyPatch, flag: Path, *words: str, code: str) -> spawn.Started:
    """An owned run of a piece of Python, which is held while another one runs ahead; that writes a file."""
    monkeypatch.setattr(spawn, "_has_fronts", lambda launch: True)
    one = spawn.Ahead((sys.executable, "-IS", "-c", AHEAD, str(flag), *words), os.getcwd(), (("MORE", "more"),))
    request = begin.Request(
        "exec", (sys.executable, "-IS", "-c", code, str(flag)), identity.Agent("owner", "flag"), os.getcwd(),
        dict(os.environ), compose.NOBODY, is_owned=True, ahead=(one,),
    )  # fmt: skip
    return begin.begin(paths, request).started


def told(flag: Path) -> list[str]:
    until(flag.exists, "what runs ahead")
    return flag.read_text().split()


def test_a_build_waits_for_its_owner_while_something_runs_ahead_which_is_ended_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, flag = paths_in(tmp_path), tmp_path / "flag"
    started = begun_ahead(paths, monkeypatch, flag, code="print('built')")
    pid, child, *variables = told(flag)
    assert variables == [started.run, started.folder + "/fronts", "1", "more"]
    assert log_of(paths, started.run) == ""
    spawn.let_go(started)
    record = exit_of(paths, started.run)
    assert (record["code"], record["stopped_by"], log_of(paths, started.run)) == (0, None, "built\n")
    assert record["user_s"] + record["sys_s"] >= 0.3
    until(lambda: not alive(int(pid)) and not alive(int(child)), "the end of what ran ahead")
    os.close(started.owner_fd)


def test_what_ran_ahead_counts_where_it_ended_before_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, flag = paths_in(tmp_path), tmp_path / "flag"
    code = "import os, sys, time\nwhile os.path.exists(sys.argv[1]): time.sleep(0.005)"
    started = begun_ahead(paths, monkeypatch, flag, "ends", code=code)
    pid = int(told(flag)[0])
    spawn.let_go(started)
    until(lambda: not alive(pid), "its end")
    flag.unlink()
    record = exit_of(paths, started.run)
    assert record["code"] == 0
    assert record["user_s"] + record["sys_s"] >= 0.3
    os.close(started.owner_fd)


@pytest.mark.parametrize("is_dropped", [True, False], ids=["it is dropped", "its owner is gone"])
def test_a_build_that_is_held_ends_with_all_that_runs_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_dropped: bool
) -> None:
    paths, flag = paths_in(tmp_path), tmp_path / "flag"
    started = begun_ahead(paths, monkeypatch, flag, code="print('built')")
    pid, child = map(int, told(flag)[:2])
    if is_dropped:
        spawn.drop(started)
    else:
        os.close(started.owner_fd)
    record = exit_of(paths, started.run)
    assert (record["code"], record["signal"], record["stopped_by"]) == (None, signal.SIGKILL, "owner")
    assert log_of(paths, started.run) == ""
    until(lambda: not alive(pid) and not alive(child), "the end of what ran ahead")


def test_a_build_that_is_held_and_forgotten_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "HELD_AT_MOST_S", 0.05)
    paths, flag = paths_in(tmp_path), tmp_path / "flag"
    started = begun_ahead(paths, monkeypatch, flag, code="print('built')")
    assert exit_of(paths, started.run)["stopped_by"] == "owner"
    spawn.let_go(started)  # nobody hears it any more
    assert log_of(paths, started.run) == ""
    os.close(started.owner_fd)


def test_what_runs_ahead_is_ended_also_where_many_files_are_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their numbers are above 1023, which `select` cannot have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    opened = [os.open("/dev/null", os.O_RDONLY)]
    while opened[-1] < 1100:
        opened.append(os.open("/dev/null", os.O_RDONLY))
    try:
        paths, flag = paths_in(tmp_path), tmp_path / "flag"
        started = begun_ahead(paths, monkeypatch, flag, code="print('built')")
        told(flag)
        spawn.let_go(started)
        assert exit_of(paths, started.run)["code"] == 0
        os.close(started.owner_fd)
    finally:
        for fd in opened:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
