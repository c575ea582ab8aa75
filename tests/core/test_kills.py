import fcntl
import os
import struct
import termios
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from core import events as e
from core.watch.deaths import SAME_WITHIN_S, Death, DeathReader, Losses
from core.watch.kills import EVIDENCE_WITHIN_S, KillBook, Suspect, Victim
from core.watch.oom import KernelLog, Killed, group_of, kill_count, limit_bytes, parse_kill, sibling

KILL = Killed(41, "ld", 900, is_group=True, group="/g")
RECORD = (
    b"3,900,123,-;Memory cgroup out of memory: Killed process 41 (rust-lld) total-vm:212128kB, anon-rss:55552kB, "
    b"file-rss:6348kB, shmem-rss:0kB, UID:0 pgtables:168kB oom_score_adj:0\n"
)


def suspect(
    run: str, *, group: str = "/g", failed_at: float | None = None, memory: int = 10, ends: bool = False
) -> Suspect:
    return Suspect(run, f"agent-{run}", group, failed_at, "app(bin)" if failed_at else "", memory, ends)


def settle(
    book: KillBook, now: float, *suspects: Suspect, victim: Victim | None = None, is_strangers: bool = False
) -> list[tuple[str, e.ProcessKilled]]:
    among: Mapping[str, Suspect] = {one.run: one for one in suspects}
    return book.settle(now, among, lambda kill: victim, lambda kill: is_strangers)


def taken(*kills: Killed) -> KillBook:
    book = KillBook()
    book.add(100.0, kills, lambda kill: 5000)
    return book


def test_a_process_that_was_seen_alive_is_told_to_its_run() -> None:
    victim = Victim("a", "ld", "cli(bin)", 700)
    ((run, event),) = settle(taken(KILL), 100.1, suspect("a"), suspect("b", memory=80), victim=victim)
    assert run == "a"
    assert (event.is_oom, event.pid, event.name, event.unit) == (True, 41, "ld", "cli(bin)")
    assert (event.size_bytes, event.limit_bytes, event.others) == (900, 5000, (("agent-b", 80),))


def test_one_that_was_not_is_told_to_the_run_that_failed_just_then() -> None:
    book = taken(KILL)
    assert settle(book, 100.1, suspect("a"), suspect("b")) == []
    ((run, event),) = settle(book, 100.3, suspect("a"), suspect("b", failed_at=100.2))
    assert (run, event.unit) == ("b", "app(bin)")
    assert book.is_empty


def test_of_two_that_failed_none_is_blamed() -> None:
    book = taken(KILL)
    both = (suspect("a", failed_at=100.1), suspect("b", failed_at=100.2))
    assert settle(book, 100.3, *both) == []
    assert settle(book, 100.0 + EVIDENCE_WITHIN_S + 0.1, *both) == []
    assert book.is_empty


def test_a_link_whose_processes_have_these_numbers_lost_one_in_whatever_group() -> None:
    elsewhere = Killed(41, "rust-lld", 900, is_group=True, group="/other", age_s=0.2)
    mine = replace(suspect("a", failed_at=99.9), link=(38, 99.7, 99.9))
    before = replace(suspect("b", failed_at=99.0), link=(39, 98.0, 99.0))
    far = replace(suspect("c", failed_at=99.9), link=(2000, 99.7, 99.9))
    ((run, event),) = settle(taken(elsewhere), 100.1, mine, before, far)
    assert (run, event.unit, event.is_oom) == ("a", "app(bin)", True)
    assert settle(taken(elsewhere), 100.1, before, far) == []


def test_a_stranger_that_was_seen_alive_is_nobodys_loss() -> None:
    book = taken(KILL)
    assert settle(book, 100.1, suspect("a", failed_at=100.0), is_strangers=True) == []
    assert book.is_empty
    alone = taken(KILL)
    assert settle(alone, 101.0, suspect("a", ends=True), is_strangers=True) == []


def died(run: str, at: float, *, ends: bool = False, failed_at: float | None = None) -> Suspect:
    return replace(suspect(run, ends=ends, failed_at=failed_at), death=Death(at, "ld", "cli(bin)"))


def test_a_death_that_no_kill_explains_is_told_and_by_whom_is_unknown() -> None:
    book = KillBook()
    assert settle(book, 100.1, died("a", 100.0), suspect("b")) == []
    ((run, event),) = settle(book, 100.0 + EVIDENCE_WITHIN_S, died("a", 100.0), suspect("b"))
    assert run == "a"
    assert (event.is_oom, event.pid, event.name, event.unit) == (False, None, "ld", "cli(bin)")
    assert (event.size_bytes, event.limit_bytes, event.others) == (None, None, ())
    ((run, event),) = settle(book, 100.1, died("a", 100.0, ends=True))
    assert (run, event.is_oom) == ("a", False), "there is no later"


def test_a_death_that_a_kill_explains_is_told_once() -> None:
    (told,) = settle(taken(KILL), 100.1, died("a", 100.0, ends=True, failed_at=100.0))
    assert told[1].is_oom


def test_where_the_kernel_names_nobody_only_signal_9_is_evidence() -> None:
    unnamed = Killed(0, "", 0, is_group=False)
    assert settle(taken(unnamed), 100.1, suspect("a", failed_at=100.0)) == []
    (told,) = settle(taken(unnamed), 100.1, died("a", 100.0, failed_at=100.0))
    assert told[1].is_oom


@pytest.mark.parametrize(
    ("said", "names"),
    [
        (b"  process didn't exit successfully: `/t/a-17eb/build-script-build` (signal: 9, SIGKILL: kill)\n",
         ["build-script-bu"]),
        (b"  process didn't exit successfully: `CARGO=/c rustc --crate-name a b.rs` (signal: 9, SIGKILL: kill)\n",
         ["rustc"]),
        (b"error: linking with `cc` failed: signal: 9 (SIGKILL)\n", ["cc"]),
        (b'{"rendered":"\\n  = note: collect2: fatal error: ld terminated with signal 9 [Killed]\\n"}\n', ["ld"]),
        (b"error: linking with `/t/my-cc` failed: exit status: 137, note: line 5: 99 Killed  ld\n", ["my-cc"]),
        (b"error: linking with `cc` failed: exit status: 1\n", []),
        (b"clang: error: unable to execute command: Killed\n", [""]),
        (b"nvcc error   : 'ptxas' died due to signal 9 (Kill signal)\n", ["ptxas"]),
        (b"nvcc error   : '\"$CICC_PATH/cicc\"' died due to signal 9 (Kill signal)\n", ["cicc"]),
        (b"nvcc error   : 'cicc' died due to signal 6\n", []),
        (b"Killed\nmake: *** [Makefile:2: k.o] Error 137\n", [""]),
        (b"make: *** [Makefile:2: k.o] Error 1375\n", []),
        (b"make[1]: *** [Makefile:2: all] Killed\n", [""]),
        (b"  process didn't exit successfully: `/t/app` (signal: 11, SIGSEGV: invalid memory reference)\n", []),
        (b"  process didn't exit successfully: `/t/app` (exit status: 9)\n", []),
        (b"test signal_99_is_handled ... ok\nKilled a dragon\n", []),
    ],
)  # fmt: skip
def test_a_build_says_who_died(said: bytes, names: list[str]) -> None:
    assert DeathReader().feed(said) == names
    for cut in range(len(said)):
        reader = DeathReader()
        assert reader.feed(said[:cut]) + reader.feed(said[cut:]) == names


def test_a_death_is_one_whoever_says_so_and_none_of_somebody_who_was_stopped() -> None:
    losses = Losses(float("-inf"))
    losses.died(10.0, "", "cli(bin)")
    losses.read("err", b"error: linking with `cc` failed: signal: 9 (SIGKILL)\n", 10.2)
    assert losses.death == Death(10.0, "cc", "cli(bin)")
    losses.told(11.0)
    losses.died(11.0 + SAME_WITHIN_S, "cargo", "")
    assert losses.death is None
    losses.died(11.5 + SAME_WITHIN_S, "rustc", "")
    assert losses.death == Death(11.5 + SAME_WITHIN_S, "rustc", "")
    losses.told(14.0)
    losses.stop()
    losses.died(99.0, "rustc", "")
    assert (losses.death, losses.failed_at) == (None, 99.0)


def test_a_kill_is_no_older_than_the_last_look(tmp_path: Path) -> None:
    log, now = tmp_path / "kmsg", [50.0]
    log.write_bytes(b"")
    kernel = KernelLog(str(log), monotonic=lambda: now[0])
    assert kernel.kills() == []
    log.write_bytes(RECORD.replace(b"3,900,123,-;", b"3,900,50500000,-;"))
    now[0] = 51.0
    (kill,) = kernel.kills()
    assert kill.age_s == pytest.approx(0.5)
    kernel.close()


def test_a_failure_of_long_ago_is_no_evidence() -> None:
    assert settle(taken(KILL), 100.2, suspect("a", group="/", failed_at=90.0)) == []


def test_one_alone_in_its_group_is_blamed_before_it_closes() -> None:
    assert settle(taken(KILL), 100.1, suspect("a"), suspect("b", group="/h")) == []
    ((run, _),) = settle(taken(KILL), 100.1, suspect("a", ends=True), suspect("b", group="/h"))
    assert run == "a"


def test_a_run_in_another_group_is_never_blamed() -> None:
    assert settle(taken(KILL), 102.0, suspect("b", group="/h", failed_at=100.1)) == []


def test_a_kill_of_somebody_else_is_dropped() -> None:
    book = taken(Killed(9, "firefox", 1, is_group=False, group="/user"))
    assert settle(book, 100.0 + EVIDENCE_WITHIN_S, suspect("a", group="/g")) == []
    assert book.is_empty


def test_the_limit_is_told_only_where_a_group_was_full() -> None:
    whole = Killed(41, "ld", 900, is_group=False)
    ((_, event),) = settle(taken(whole), 100.1, suspect("a"), victim=Victim("a", "ld", "", 1))
    assert event.limit_bytes is None


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (RECORD, Killed(41, "rust-lld", 55552 * 1024, is_group=True)),
        (b"3,1,2,-;Out of memory: Killed process 7 (a) b) total-vm:1kB, anon-rss:2kB, x",
         Killed(7, "a) b", 2048, is_group=False)),
        (b"6,1,2,-;eth0: link up", None),
    ],
)  # fmt: skip
def test_the_kernel_names_the_process(record: bytes, expected: Killed | None) -> None:
    assert parse_kill(record) == expected


def test_a_log_that_may_not_be_read_is_silent(tmp_path: Path) -> None:
    log = KernelLog(str(tmp_path / "kmsg"))
    assert not log.is_readable
    assert log.kills() == []


@pytest.mark.parametrize("version", [1, 2])
def test_counter_and_limit_of_a_group_are_found(tmp_path: Path, version: int) -> None:
    point = tmp_path / "cg"
    folder = point / "builds" / "a"
    folder.mkdir(parents=True)
    (tmp_path / "7").mkdir()
    if version == 1:
        (tmp_path / "7/cgroup").write_text("4:cpu:/\n3:memory:/builds/a\n0::/\n")
        mount = f"30 2 0:1 / {point} rw - cgroup cgroup rw,memory"
        (folder / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
        (folder / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    else:
        (tmp_path / "7/cgroup").write_text("0::/builds/a\n")
        mount = f"30 2 0:1 / {point} rw - cgroup2 cgroup2 rw"
        (folder / "memory.events").write_text("low 0\nhigh 0\nmax 5\noom 3\noom_kill 3\n")
        (folder / "memory.max").write_text("max\n")
    (tmp_path / "mounts").write_text(f"29 2 0:2 / /x rw - tmpfs tmpfs rw\n{mount}\n")
    group = group_of(7, str(tmp_path), str(tmp_path / "mounts"))
    assert group is not None
    assert (group.path, kill_count(group), limit_bytes(group)) == ("/builds/a", 3, None)
    Path(group.limit).write_text("50000000\n")
    assert limit_bytes(group) == 50_000_000
    assert sibling(group, "/other") is None
    (point / "other").mkdir()
    (point / "other" / Path(group.limit).name).write_text("70\n")
    other = sibling(group, "/other")
    assert other is not None
    assert limit_bytes(other) == 70


def give_in_pieces(path: Path, *pieces: str) -> Thread:
    """Make a file that gives one piece with each read, as the kernel's tables do."""
    os.mkfifo(path)

    def write() -> None:
        with open(path, "wb", buffering=0) as file, suppress(BrokenPipeError):
            for piece in pieces:
                file.write(piece.encode())
                while struct.unpack("i", fcntl.ioctl(file, termios.FIONREAD, bytes(4)))[0]:
                    pass  # it was not read yet

    thread = Thread(target=write, daemon=True)
    thread.start()
    return thread


def test_a_group_is_found_in_a_table_of_mounts_of_several_pages(tmp_path: Path) -> None:
    (tmp_path / "cg/builds").mkdir(parents=True)
    (tmp_path / "7").mkdir()
    (tmp_path / "7/cgroup").write_text("0::/builds\n")
    (tmp_path / "cg/builds/memory.events").write_text("oom_kill 3\n")
    root = f"29 2 0:2 / / rw - overlay overlay rw,lowerdir={'/l' * 2000}\n"
    writer = give_in_pieces(tmp_path / "mounts", root, f"30 2 0:1 / {tmp_path / 'cg'} rw - cgroup2 cgroup2 rw\n")
    group = group_of(7, str(tmp_path), str(tmp_path / "mounts"))
    writer.join(10.0)
    assert group is not None
    assert (group.path, kill_count(group)) == ("/builds", 3)


def test_a_system_without_groups_says_nothing(tmp_path: Path) -> None:
    assert group_of(7, str(tmp_path)) is None
    assert kill_count(None, str(tmp_path / "vmstat")) is None
