"""Which lines of a cache's journal are which run's: with notes of the front, without, and where nobody can tell."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from core import events as e
from core.cache.journal_reader import HOLD_S, SETTLE_LIMIT_S, SETTLE_S
from core.cache.line_tail import LineTail
from core.cache.readers import CacheReader, CacheReaders, tool_of
from core.cache.subject import Subject

STARTED = 1795635976.0


class World:
    """A user's zccache, two agents and their runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder / "z/v1/logs/compile_journal.jsonl"
        self.journal.parent.mkdir(parents=True)
        (folder / "bin").mkdir()
        for tool in ("zccache", "kache", "mbx", "sccache"):
            program = folder / "bin" / tool
            program.write_bytes(b"\x7fELF")
            program.chmod(0o755)
        self.env = {"PATH": str(folder / "bin"), "ZCCACHE_CACHE_DIR": str(folder / "z"), "HOME": str(folder)}
        self.env["KACHE_CACHE_DIR"] = str(folder / "k")
        self.readers = CacheReaders()

    def reader(self, run: str, *, target: str, wrapper: str = "zccache", started: float = STARTED) -> CacheReader:
        found = self.readers.make_reader(self.subject(run, target=target, wrapper=wrapper, started=started))
        assert found is not None
        return found

    def subject(self, run: str, *, target: str, wrapper: str, started: float) -> Subject:
        (self.folder / run / "fronts").mkdir(parents=True, exist_ok=True)
        return Subject(
            wrapper, self.env, run, str(self.folder / run), f"agent of {run}", target, os.path.dirname(target),
            ("build",), started,
        )  # fmt: skip

    def compiled(self, at: float, out_dir: str, *, crate: str = "a", outcome: str = "hit", extra: str = "-1") -> None:
        args = ["--crate-name", crate, "--out-dir", out_dir, "-C", f"extra-filename={extra}"]
        row = {"ts": _iso(at), "outcome": outcome, "compiler": "/x/rustc", "args": args, "cwd": "/w", "exit_code": 0}
        with open(self.journal, "a") as file:
            file.write(json.dumps({**row, "latency_ns": 100_000_000}, separators=(",", ":")) + "\n")

    def asked(self, run: str, at: float, out_dir: str, *, crate: str = "a", extra: str = "-1") -> None:
        argv = ["/x/rustc", "--crate-name", crate, "--out-dir", out_dir, "-C", f"extra-filename={extra}"]
        note = {"call": "1", "at": at, "cwd": "/w", "direct": False, "argv": argv, "env": {"CARGO_PKG_NAME": crate}}
        with open(self.folder / run / "fronts/cache.jsonl", "a") as file:
            file.write(json.dumps(note) + "\n")


def _iso(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def told(reader: CacheReader, now: float) -> list[tuple[str, str]]:
    return [(event.unit, event.outcome) for event in reader.poll(now)]


def test_a_line_of_the_run_is_told_once(world: World) -> None:
    one = world.reader("one", target="/w/target")
    world.compiled(STARTED + 1, "/w/target/debug/deps")
    assert told(one, STARTED + 1.2) == []
    assert told(one, STARTED + 1.2 + HOLD_S) == [("a", "hit")]
    assert told(one, STARTED + 3) == []
    one.end(STARTED + 3, is_whole=True)
    assert not one.is_settled(STARTED + 3)
    assert one.is_settled(STARTED + 3 + SETTLE_S)
    assert one.note == ""


def test_lines_from_before_the_run_and_of_other_folders_are_not_its(world: World) -> None:
    world.compiled(STARTED - 5, "/w/target/debug/deps")
    one = world.reader("one", target="/w/target")
    world.compiled(STARTED + 1, "/w/target-other/debug/deps")
    world.compiled(STARTED + 1, "/v/target/debug/deps")
    assert told(one, STARTED + 1) == []
    assert told(one, STARTED + 9) == []
    assert one.note == ""


def test_two_runs_with_folders_of_their_own_have_figures_of_their_own(world: World) -> None:
    one, two = world.reader("one", target="/w/target"), world.reader("two", target="/v/target")
    world.compiled(STARTED + 1, "/w/target/debug/deps")
    world.compiled(STARTED + 1, "/v/target/debug/deps", outcome="error")
    for reader in (one, two):
        reader.poll(STARTED + 1)
    assert told(one, STARTED + 2) == [("a", "hit")]
    assert told(two, STARTED + 2) == [("a", "error")]


def test_of_two_runs_in_one_folder_neither_has_figures_and_both_say_why(world: World) -> None:
    one, two = world.reader("one", target="/w/target"), world.reader("two", target="/w/target")
    world.compiled(STARTED + 1, "/w/target/debug/deps")
    for now in (STARTED + 1, STARTED + 2):
        assert told(one, now) == told(two, now) == []
    assert one.note == two.note == (
        "another run used this target dir at the same time, and zccache does not say which asked"
    )  # fmt: skip


def test_a_run_that_came_after_another_in_its_folder_has_its_figures(world: World) -> None:
    one = world.reader("one", target="/w/target")
    world.compiled(STARTED + 1, "/w/target/debug/deps")
    one.poll(STARTED + 1)
    assert told(one, STARTED + 2) == [("a", "hit")]
    one.end(STARTED + 2, is_whole=True)
    one.close()
    two = world.reader("two", target="/w/target", started=STARTED + 2.5)
    world.compiled(STARTED + 4, "/w/target/debug/deps", crate="b")
    two.poll(STARTED + 4)
    assert told(two, STARTED + 5) == [("b", "hit")]


def test_a_run_that_waited_for_the_lock_of_its_folder_has_no_figures(world: World) -> None:
    one = world.reader("one", target="/w/target")
    one.saw_lock_wait("/elsewhere/.package-cache")
    assert one.note == ""
    one.saw_lock_wait("/w/target/debug/.cargo-lock")
    assert one.note.startswith("another build used this target dir meanwhile")
    world.compiled(STARTED + 1, "/w/target/debug/deps")
    one.poll(STARTED + 1)
    assert told(one, STARTED + 2) == []


def test_notes_of_the_front_tell_runs_in_one_folder_apart(world: World) -> None:
    one, two = world.reader("one", target="/w/target"), world.reader("two", target="/w/target")
    deps = "/w/target/debug/deps"
    world.asked("one", STARTED + 1, deps)
    world.compiled(STARTED + 1.2, deps, outcome="error")
    for reader in (one, two):
        reader.poll(STARTED + 1.3)
    world.asked("two", STARTED + 2, deps)
    world.compiled(STARTED + 2.2, deps, crate="a")
    events = [*one.poll(STARTED + 2.3), *two.poll(STARTED + 2.3)]
    assert [(event.unit, event.outcome) for event in events] == [("a", "hit")]
    assert told(one, STARTED + 9) == told(two, STARTED + 9) == []
    assert one.note == two.note == ""


def test_a_line_waits_for_the_note_of_its_call(world: World) -> None:
    one = world.reader("one", target="/w/target")
    deps = "/w/target/debug/deps"
    world.asked("one", STARTED + 0.5, deps, crate="first")
    world.compiled(STARTED + 1.1, deps)
    assert told(one, STARTED + 1.2) == []
    world.asked("one", STARTED + 1, deps)
    assert told(one, STARTED + 1.4) == [("a", "hit")]


def test_calls_that_no_line_answers_are_missed_in_the_figures(world: World) -> None:
    one = world.reader("one", target="/w/target")
    deps = "/w/target/debug/deps"
    world.asked("one", STARTED + 1, deps)
    world.asked("one", STARTED + 1, deps, crate="b")
    world.compiled(STARTED + 1.2, deps)
    assert told(one, STARTED + 1.3) == [("a", "hit")]
    one.end(STARTED + 2, is_whole=True)
    assert not one.is_settled(STARTED + 2 + SETTLE_S)
    assert one.is_settled(STARTED + 2 + SETTLE_LIMIT_S)
    assert one.note == "the log of zccache lacks 1 of the run's compilations"


def test_a_run_that_was_stopped_may_have_calls_without_an_answer(world: World) -> None:
    one = world.reader("one", target="/w/target")
    world.asked("one", STARTED + 1, "/w/target/debug/deps")
    one.poll(STARTED + 1.3)
    one.end(STARTED + 2, is_whole=False)
    assert one.is_settled(STARTED + 2 + SETTLE_LIMIT_S)
    assert one.note == ""


def test_an_engine_that_comes_later_tells_what_was_not_told_yet(world: World) -> None:
    for number in range(3):
        world.compiled(STARTED + number + 1, "/w/target/debug/deps", crate=f"c{number}")
    subject = world.subject("one", target="/w/target", wrapper="zccache", started=STARTED)
    first = e.CacheLookedUp(STARTED + 1, "zccache", "c0", "Rust", "hit", "", "", "", "", 0.1, None, None)
    again = Subject(
        subject.wrapper, subject.env, subject.run, subject.folder, subject.agent, subject.target_dir, subject.checkout,
        subject.words, subject.started, frozenset({(first.unit, first.at)}),
    )  # fmt: skip
    one = CacheReaders().make_reader(again)
    assert one is not None
    one.poll(STARTED + 9)
    assert told(one, STARTED + 10) == [("c1", "hit"), ("c2", "hit")]


def kache_line(at: float, root: str, result: str, *, key: str = "k", crate: str = "a") -> str:
    row = {"ts": _iso(at), "crate_name": crate, "root": root, "result": result, "elapsed_ms": 100, "size": 7}
    return json.dumps({**row, "compile_time_ms": 900, "cache_key": key}, separators=(",", ":")) + "\n"


def test_a_hit_of_kache_names_whose_compilation_filled_the_entry(world: World) -> None:
    one = world.reader("one", target="/w/target", wrapper="kache")
    two = world.reader("two", target="/v/target", wrapper="kache")
    (world.folder / "k").mkdir()
    (world.folder / "k/events.jsonl").write_text(
        kache_line(STARTED + 1, "/w", "miss")
        + kache_line(STARTED + 2, "/v", "local_hit")
        + kache_line(STARTED + 2, "/v", "local_hit", key="older")
    )
    for reader in (one, two):
        reader.poll(STARTED + 2)
    (missed,), hits = one.poll(STARTED + 3), two.poll(STARTED + 3)
    assert (missed.outcome, missed.source_agent) == ("missed", "")
    assert [(hit.source_agent, hit.saved_s) for hit in hits] == [("agent of one", 0.9), ("", 0.9)]


def kache_row(at: float, result: str, *, crate: str = "a", **fields: str) -> str:
    row = {"ts": _iso(at), "crate_name": crate, "root": "/w", "result": result, "elapsed_ms": 100, "size": 7}
    output = f"/w/target/debug/deps/lib{crate}-0123456789abcdef.rlib"
    key = "".join(fields.values())
    more = {"cache_key": key, "key_fields": fields, "rebuilt_paths": [output] if result == "miss" else []}
    return json.dumps({**row, **more}, separators=(",", ":")) + "\n"


def test_a_miss_of_kache_is_explained_by_what_its_key_was_made_of_before(world: World) -> None:
    (world.folder / "k").mkdir()
    log = world.folder / "k/events.jsonl"
    log.write_text(kache_row(STARTED - 50, "miss", sources="s1", externs="e1"))
    one = world.reader("one", target="/w/target", wrapper="kache")
    with open(log, "a") as file:
        file.write(kache_row(STARTED + 1, "miss", sources="s2", externs="e1"))
        file.write(kache_row(STARTED + 2, "local_hit", sources="s1", externs="e1"))
        file.write(kache_row(STARTED + 3, "miss", sources="s1", externs="e2"))
        file.write(kache_row(STARTED + 4, "miss", sources="s1", externs="e2"))
        file.write(kache_row(STARTED + 5, "miss", crate="b", sources="s1", externs="e1"))
    one.poll(STARTED + 5)
    assert [(event.outcome, event.reason, event.detail) for event in one.poll(STARTED + 6)] == [
        ("missed", "source", "kache: sources"),
        ("hit", "", ""),
        ("missed", "dependency", "kache: externs"),
        ("missed", "evicted", "its key was there before"),
        ("missed", "first time", ""),
    ]


def test_what_kache_logged_long_ago_may_have_been_the_first_time(world: World) -> None:
    (world.folder / "k/events.jsonl.archive").mkdir(parents=True)
    log = world.folder / "k/events.jsonl"
    one = world.reader("one", target="/w/target", wrapper="kache")
    log.write_text(kache_row(STARTED + 1, "miss", sources="s2"))
    one.poll(STARTED + 5)
    assert [event.reason for event in one.poll(STARTED + 6)] == ["not known"]


def test_what_kache_asked_twice_at_one_moment_is_not_guessed(world: World) -> None:
    one = world.reader("one", target="/t/one", wrapper="kache")
    two = world.reader("two", target="/t/two", wrapper="kache")
    world.asked("one", STARTED + 1, "/t/one/debug/deps")
    world.asked("two", STARTED + 1.01, "/t/two/debug/deps")
    (world.folder / "k").mkdir()
    (world.folder / "k/events.jsonl").write_text(kache_line(STARTED + 1.1, "/t", "local_hit"))
    two.poll(STARTED + 1.2)
    assert told(one, STARTED + 1.2) == []
    assert one.note == "another run compiled the same crate at the same moment, and kache does not say which asked"


@pytest.mark.parametrize("tool", ["sccache", "zccache", "kache", "mbx"])
def test_the_tool_is_known_behind_a_link_and_in_a_small_script(world: World, tool: str) -> None:
    (world.folder / "bin/link").symlink_to(world.folder / "bin" / tool)
    script = world.folder / "bin/script"
    script.write_text(f'#!/bin/sh\nexec {tool} "$@"\n')
    script.chmod(0o755)
    assert tool_of(tool, world.env) == tool_of(str(world.folder / "bin" / tool), {}) == tool
    assert tool_of("link", world.env) == tool_of("script", world.env) == tool


def test_a_wrapper_that_is_no_cache_has_no_reader(world: World) -> None:
    other = world.folder / "bin/other"
    other.write_text("#!/bin/sh\nsccache; kache\n")
    other.chmod(0o755)
    assert [tool_of(word, world.env) for word in ("other", "missing", "")] == ["", "", ""]
    (world.folder / "bin/mbx").unlink()
    assert world.readers.make_reader(world.subject("one", target="/t", wrapper="other", started=STARTED)) is None


def when(line: bytes) -> float | None:
    try:
        return float(line.split()[0])
    except (ValueError, IndexError):
        return None


def test_a_tail_begins_where_lines_are_new_enough(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b"".join(b"%d %s\n" % (number, b"x" * 1000) for number in range(2000)))
    tail = LineTail(str(path), 1800, when)
    found = tail.poll()
    assert len(found) < 1000
    assert [line for line in found if (when(line) or 0) >= 1800] == found[-200:]
    tail.close()


def test_a_torn_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "j"
    tail = LineTail(str(path), 1, when)
    assert tail.poll() == []
    with open(path, "ab", buffering=0) as file:
        file.write(b"1 one\n2 tw")
        assert tail.poll() == [b"1 one"]
        file.write(b"o\n")
        assert tail.poll() == [b"2 two"]
    tail.close()


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_rotation_loses_nothing_and_tells_nothing_twice(tmp_path: Path, kept: int) -> None:
    path, new = tmp_path / "j", tmp_path / "new"
    tail = LineTail(str(path), 1, when)
    path.write_bytes(b"1 a\n2 b\n")
    assert tail.poll() == [b"1 a", b"2 b"]
    with open(path, "ab") as file:
        file.write(b"3 c\n")
    lines = path.read_bytes().splitlines(keepends=True)
    new.write_bytes(b"".join(lines[len(lines) - kept :]) + b"4 d\n")
    os.replace(new, path)
    assert tail.poll() == [b"3 c", b"4 d"]
    tail.close()


def session(folder: Path, name: str, *, words: list[str], root: str, actions: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = [{"type": "session_started", "workspace_root": root, "command": words, "pid": 1}]
    began_ms = int(name.split("-")[0])
    rows += [
        {"type": "action", "ts_ms": began_ms + number, "outcome": {"kind": "hit"}, "crate_name": f"c{number}",
         "duration_ns": 5, "detail": {"avoided_compiler_ns": 2_000_000_000, "output_bytes": 9}}
        for number in range(actions)
    ]  # fmt: skip
    rows.append({"type": "action", "ts_ms": began_ms, "outcome": {"kind": "bypass", "reason": "compiler-query"}})
    rows.append({"type": "session_finished", "stats": {}})
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_session_of_mbx_that_is_over_is_the_run_whose_command_it_has(world: World) -> None:
    folder = world.folder / ".cache/mbx/actions/sessions/v1"
    one = world.reader("one", target="/w/target", wrapper="")
    began_ms = int((STARTED + 1) * 1000)
    session(folder, f"{began_ms}-999999991-aaaa", words=["build"], root="/w", actions=2)
    session(folder, f"{began_ms + 1}-999999992-bbbb", words=["check"], root="/w", actions=1)
    session(folder, f"{began_ms - 9000}-999999993-cccc", words=["build"], root="/w", actions=1)
    session(folder, f"{began_ms}-999999994-dddd", words=["build"], root="/v", actions=1)
    events = one.poll(STARTED + 2)
    assert [(event.unit, event.cache, event.saved_s, event.size_bytes) for event in events] == [
        ("c0", "mbx", 2.0, 9),
        ("c1", "mbx", 2.0, 9),
    ]
    assert told(one, STARTED + 3) == []
    assert one.note == ""


def test_two_runs_with_the_same_command_in_one_checkout_say_that_mbx_does_not_tell_them_apart(world: World) -> None:
    folder = world.folder / ".cache/mbx/actions/sessions/v1"
    one, two = (world.reader(run, target="/w/target", wrapper="") for run in ("one", "two"))
    session(folder, f"{int((STARTED + 1) * 1000)}-999999991-aaaa", words=["build"], root="/w", actions=2)
    assert told(one, STARTED + 2) == told(two, STARTED + 2) == []
    assert one.note
    assert two.note == one.note


def test_a_session_that_another_run_looked_at_first_is_still_found(world: World) -> None:
    folder = world.folder / ".cache/mbx/actions/sessions/v1"
    one = world.reader("one", target="/v/target", wrapper="")
    session(folder, f"{int((STARTED + 1) * 1000)}-999999991-aaaa", words=["build"], root="/w", actions=1)
    assert told(one, STARTED + 2) == []
    two = world.reader("two", target="/w/target", wrapper="")
    assert told(two, STARTED + 2) == [("c0", "hit")]
