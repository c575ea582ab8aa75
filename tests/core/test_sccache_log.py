"""What is read from sccache's log, beside what the server said of itself; `tests/data/record_sccache.py` made both."""

import json
import pickle
import random
from collections import defaultdict
from pathlib import Path

import pytest

from core.cache.sccache_argv import read_asked, read_list
from core.cache.sccache_log import ServerLog, is_question
from core.cache.sccache_stats import ServerStats, parse_stats, tally
from core.cache.verdict import Verdict

DATA = Path(__file__).parent.parent / "data" / "sccache"
NAMES = sorted(path.stem for path in DATA.glob("*.log"))
STAMP = "[2026-11-20T17:04:33.{:03}Z {:5} {}] "
COMPILER = "sccache::compiler::compiler"
SERVER = "sccache::server"


def record(text: str, target: str = COMPILER, ms: int = 177, level: str = "DEBUG") -> bytes:
    return (STAMP.format(ms, level, target) + text + "\n").encode()


def words(*argv: str) -> str:
    return json.dumps(argv)


def rustc(crate: str, out_dir: str = "/t/debug/deps") -> str:
    return words("--crate-name", crate, f"{crate}/src/lib.rs", "--crate-type", "lib", "--out-dir", out_dir)


def recorded(name: str) -> bytes:
    return (DATA / f"{name}.log").read_bytes()


def stats_of(name: str) -> ServerStats:
    return parse_stats((DATA / f"{name}.json").read_bytes())


def read(log: bytes) -> list[Verdict]:
    return ServerLog().feed(log)


def test_all_that_a_server_of_one_agent_can_meet_is_recorded() -> None:
    assert NAMES == ["c", "cuda", "killed", "parallel", "readonly", "redis", "rust", "webdav"]


@pytest.mark.parametrize("name", NAMES)
def test_verdicts_add_up_to_what_the_server_counted(name: str) -> None:
    log = ServerLog()
    verdicts = log.feed(recorded(name))
    assert tally(verdicts) == stats_of(name).tally()
    assert (log.skipped_lines, log.in_flight) == (0, 0)


@pytest.mark.parametrize("name", NAMES)
def test_any_cut_of_the_log_gives_the_same_verdicts(name: str) -> None:
    content = recorded(name)
    whole = read(content)
    for size in (1, 7, 611, 4096):
        log = ServerLog()
        found = [v for at in range(0, len(content), size) for v in log.feed(content[at : at + size])]
        assert found == whole


def test_a_reader_that_was_pickled_between_any_two_lines_goes_on() -> None:
    content = recorded("parallel")
    whole = read(content)
    log, found = ServerLog(), []
    for line in content.splitlines(keepends=True):
        found += log.feed(line)
        log = pickle.loads(pickle.dumps(log))
    assert found == whole


@pytest.mark.parametrize("name", NAMES)
def test_a_log_that_begins_anywhere_counts_all_that_ended_after(name: str) -> None:
    lines = recorded(name).splitlines(keepends=True)
    whole = [(v.at, v.outcome) for v in read(b"".join(lines))]
    for at in range(0, len(lines), max(1, len(lines) // 40)):
        found = [(v.at, v.outcome) for v in read(b"".join(lines[at:]))]
        assert len(found) <= len(whole)
        assert [moment for moment, _ in found] == [moment for moment, _ in whole][len(whole) - len(found) :]


@pytest.mark.parametrize("name", NAMES)
def test_lines_that_are_torn_or_lost_or_twice_there_break_nothing(name: str) -> None:
    chance = random.Random(name)
    lines = recorded(name).splitlines(keepends=True)
    for _ in range(30):
        damaged = [
            line[: chance.randrange(len(line))] if chance.random() < 0.05 else line * chance.choice((1, 1, 1, 1, 0, 2))
            for line in lines
        ]
        verdicts = read(b"".join(damaged))
        assert all(v.outcome in ("hit", "missed", "not cacheable", "error") for v in verdicts)


def test_compilations_of_one_crate_at_once_keep_their_own_keys() -> None:
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for verdict in read(recorded("parallel")):
        if verdict.key and verdict.crate_name != "script":  # its OUT_DIR, another for each target dir, is in its key
            keys[verdict.crate_name, verdict.metadata].add(verdict.key)
    assert len(keys) == 6
    assert {len(found) for found in keys.values()} == {1}


def test_each_compilation_tells_what_it_was() -> None:
    first = next(v for v in read(recorded("rust")) if v.crate_name == "low")
    assert (first.language, first.outcome, first.tag) == ("Rust", "missed", "low")
    assert (first.crate_types, first.out_dir, first.is_test) == (("lib",), "/w/ws/../one/debug/deps", False)
    assert first.emit == ("dep-info", "link", "metadata")
    assert (first.source, first.extra_filename[0], len(first.metadata)) == ("low/src/lib.rs", "-", 16)
    assert len(first.key) == 64
    assert first.is_stored
    assert first.compile_s
    assert first.hash_s
    assert first.lookup_s is not None
    assert 1.7e9 < first.at < 1.9e9
    tests = [v for v in read(recorded("rust")) if v.is_test]
    assert {v.reason for v in tests} == {"crate-type", "argument parse"}


def test_what_cannot_be_cached_says_why() -> None:
    reasons = {v.reason for v in read(recorded("rust")) if v.outcome == "not cacheable"}
    assert reasons == {"crate-type", "incremental", "argument parse", "multiple input files"}


def test_questions_to_a_compiler_are_no_compilations() -> None:
    assert is_question("-")
    assert is_question("missing input")
    assert is_question("missing output_dir")
    assert is_question("-E")
    assert not is_question("crate-type")
    for name in NAMES:
        assert not [v for v in read(recorded(name)) if "-vV" in v.words or "--print" in v.words or "-E" in v.words]
    assert stats_of("rust").questions == 15


def test_each_step_of_nvcc_has_its_language_and_nvcc_itself_is_marked() -> None:
    verdicts = read(recorded("cuda"))
    first, again = verdicts[:7], verdicts[7:14]
    languages = ["CUDA (Device code)", "PTX", "CUBIN", "PTX", "CUBIN", "CUDA", "CUDA"]
    assert [v.language for v in first] == [v.language for v in again] == languages
    assert {v.outcome for v in first[:-1]} == {"missed"}
    assert {v.outcome for v in again[:-1]} == {"hit"}
    assert [v.is_driver for v in first] == [False] * 6 + [True]
    assert first[1].source == "/w/k.cu"
    assert first[1].output == "k.compute_80.ptx"
    broken = [v for v in verdicts if v.reason == "compile failed"]
    assert [(v.tag, v.is_driver) for v in broken] == [("wrong.module_id", False), ("wrong.cu.o", True)]


def test_an_assembler_and_a_forced_compilation_are_told_apart() -> None:
    verdicts = read(recorded("c"))
    assert {v.language for v in verdicts} == {"C/C++", "Assembler"}
    assert [v.reason for v in verdicts if v.outcome == "missed" and v.reason] == ["recache"]
    assert [v.tag for v in verdicts if v.reason == "SCCACHE_NO_CACHE"] == ["a.o"]
    assert [v.reason for v in verdicts if v.outcome == "error"] == ["compile failed"] * 4 + ["server"]
    assert [v.source for v in verdicts if v.output == "sub dir/a.o"] == ["a.c", "a.c"]


def test_a_store_that_fails_is_an_error_though_the_server_counts_a_miss() -> None:
    log = ServerLog()
    reasons = defaultdict(list)
    for verdict in log.feed(recorded("webdav")):
        if verdict.outcome == "error":
            reasons[verdict.reason].append(verdict)
    assert {reason: len(found) for reason, found in reasons.items()} == {"write": 3, "read": 8, "timeout": 3}
    assert stats_of("webdav").errors == 2
    assert stats_of("webdav").read_errors == 0
    assert log.read_failures == 6
    assert all(v.lookup_s is not None and v.lookup_s > 59 for v in reasons["timeout"])
    assert "Unexpected" in log.trouble


def test_a_store_that_took_nothing_at_the_start_shows_as_read_only() -> None:
    log = ServerLog()
    verdicts = log.feed(recorded("readonly"))
    assert log.mode == "ReadOnly"
    assert [v.reason for v in verdicts if v.language == "Rust" and v.key] == ["write"] * 3
    assert stats_of("readonly").is_read_only_suspected
    assert not stats_of("webdav").is_read_only_suspected


def test_redis_that_went_away_is_seen_in_each_look_up() -> None:
    verdicts = read(recorded("redis"))
    lost = [v for v in verdicts if v.reason == "read"]
    assert lost
    assert all(v.lookup_s is not None and v.lookup_s > 29 for v in lost)
    assert stats_of("redis").errors == 0
    assert [v.outcome for v in verdicts if v.crate_name == "mid"][-1] == "hit"


def test_a_compiler_that_was_killed_failed_and_a_client_that_was_killed_changes_nothing() -> None:
    low = [v for v in read(recorded("killed")) if v.crate_name == "low"]
    assert [(v.outcome, v.reason, v.is_stored) for v in low] == [
        ("missed", "", True),
        ("error", "compile failed", False),
    ]


def begun(tag: str, ms: int, out_dir: str) -> bytes:
    return record(f"[{tag}]: get_cached_or_compile: {rustc(tag, out_dir)}", ms=ms)


def test_records_of_one_crate_go_to_the_compilation_that_took_so_long() -> None:
    log = b"".join((
        begun("m", 100, "/one"),
        begun("m", 110, "/two"),
        record("[m]: generate_hash_key took 0.030 s", ms=140),  # began at 110
        record("[m]: Hash key: bb", ms=140),
        record("[m]: Cache hit in 0.001 s", ms=141),
        record("[m]: generate_hash_key took 0.050 s", ms=150),
        record("[m]: Hash key: aa", ms=150),
        record("[m]: compile result: cache hit", SERVER, ms=151),
        record("[m]: Cache miss in 0.002 s", ms=152),
        record("[m]: Compiled in 0.100 s, storing in cache", ms=252),
        record("[m]: compile result: cache miss", SERVER, ms=253),
        record("[m]: Stored in cache successfully!", ms=254),
        record("[m]: Cache write finished in 0.001 s", SERVER, ms=254),
    ))  # fmt: skip
    hit, missed = read(log)
    assert (hit.outcome, hit.key, hit.out_dir, hit.hash_s) == ("hit", "bb", "/two", 0.03)
    assert (missed.outcome, missed.key, missed.out_dir, missed.compile_s) == ("missed", "aa", "/one", 0.1)


def test_what_has_no_tag_goes_by_the_source_that_the_compiler_names() -> None:
    compiling = [
        record(f"[{name}.o]: {event}", ms=at)
        for name, at in (("a", 1), ("b", 2))
        for event in (
            f"get_cached_or_compile: {words('-c', f'{name}.c', '-o', f'{name}.o')}",
            "generate_hash_key took 0.000 s", f"Hash key: {name}", "Cache miss in 0.000 s", "Compiling locally",
        )
    ]  # fmt: skip
    failed = record('Compilation failed: Output { stderr: "b.c:1:1: error: no\\n" }', SERVER, ms=9)
    assert [(v.tag, v.reason) for v in read(b"".join(compiling) + failed)] == [("b.o", "compile failed")]


def test_a_failed_write_goes_by_the_key_that_it_names() -> None:
    written = b"".join(
        begun(name, at, "/t")
        + record(f"[{name}]: generate_hash_key took 0.000 s", ms=at)
        + record(f"[{name}]: Hash key: {key}", ms=at)
        + record(f"[{name}]: Cache miss in 0.000 s", ms=at)
        + record(f"[{name}]: Compiled in 0.001 s, storing in cache", ms=at + 1)
        + record(f"[{name}]: compile result: cache miss", SERVER, ms=at + 1)
        for name, key, at in (("m", "aaaa", 1), ("n", "bbbb", 2))
    )
    failed = record("Error executing cache write: Unexpected at write, context: { path: b/b/b/bbbb } => no", SERVER)
    (verdict,) = read(written + failed)
    assert (verdict.tag, verdict.outcome, verdict.reason) == ("n", "error", "write")
    assert "write_errors" in verdict.counters


def test_a_server_that_dies_leaves_errors_that_it_never_counted() -> None:
    log = ServerLog()
    assert log.feed(begun("m", 1, "/t")) == []
    assert log.in_flight == 1
    (verdict,) = log.feed(record("start_server: /s", SERVER, level="INFO"))
    assert (verdict.tag, verdict.outcome, verdict.reason, verdict.counters) == ("m", "error", "server", ())
    log.feed(begun("n", 1, "/t"))
    assert [v.tag for v in log.abandon(5.0)] == ["n"]
    assert log.in_flight == 0


def test_a_line_that_a_server_could_not_end_does_not_swallow_the_next_servers_first() -> None:
    log = ServerLog()
    log.feed(begun("m", 1, "/t") + b"[2026-11-20T17:04:33.178Z DEBUG sccache::compiler::comp")
    (verdict,) = log.feed(record("start_server: /s", SERVER, level="INFO"))
    assert (verdict.tag, log.skipped_lines) == ("m", 1)


def test_a_file_that_was_emptied_is_read_from_its_first_byte() -> None:
    log = ServerLog()
    log.feed(begun("m", 1, "/t")[:-30])
    log.begin_anew()
    log.feed(b"\0\0\0" + begun("n", 2, "/t"))
    assert (log.in_flight, log.skipped_lines) == (1, 1)


def test_lines_of_a_newer_version_are_passed_over_and_counted() -> None:
    log = ServerLog()
    content = record("[m]: compile result: cache borrowed", SERVER) + record("a new word", SERVER) + b"what is this\n"
    assert log.feed(content) == []
    assert log.skipped_lines == 3
    assert log.feed(record("whatever", "sccache::other")) == []
    assert log.skipped_lines == 3


def test_a_line_without_end_costs_no_memory() -> None:
    log = ServerLog()
    for _ in range(20):
        log.feed(b"x" * (1 << 20))
    assert len(pickle.dumps(log)) < 6 << 20
    assert log.feed(b"\n" + begun("m", 1, "/t")) == []
    assert log.in_flight == 1


def test_compilations_that_never_end_are_given_up_at_last() -> None:
    log = ServerLog()
    for number in range(5000):
        log.feed(begun(f"c{number}", 1, "/t"))
    assert 3500 < log.in_flight <= 4096


def test_words_are_read_as_rust_writes_them() -> None:
    assert read_list(r'["a b", "c\"d", "e\\f", "g\nh", "\u{e9}", "\xff", ""]') == (
        "a b", 'c"d', "e\\f", "g\nh", "é", "\ufffd", "",
    )  # fmt: skip
    assert read_list("no list") == ()


def test_a_command_line_says_what_it_makes() -> None:
    assert read_asked(("-c", "-x", "assembler", "a.c")).language == "Assembler"
    assert read_asked(("-c", "a.cu", "-o", "a.o")).is_driver
    assert not read_asked(("-c", "-x", "c++", "/tmp/sccache_nvccX/a.cudafe1.cpp")).is_driver
    asked = read_asked(("--crate-name=a", "a.rs", "-Cmetadata=1", "--codegen", "extra-filename=-2", "--test"))
    assert (asked.crate_name, asked.metadata, asked.extra_filename, asked.is_test) == ("a", "1", "-2", True)
    assert read_asked(()).language == "C/C++"


def test_a_hostile_file_name_reaches_no_terminal() -> None:
    log = record('parse_arguments: CannotCache(-x): ["-c", "\\u{1b}]0;evil\\u{7}a.c", "-x", "z"]', SERVER)
    (verdict,) = read(log)
    assert "\x1b" not in verdict.tag
    assert "\x07" not in verdict.tag


def test_statistics_that_are_none_are_refused() -> None:
    for text in (b"", b"{}", b"[]", b'{"stats": 1}', b"[" * 100_000, b"\xff"):
        with pytest.raises(ValueError, match=r"."):
            parse_stats(text)


def test_statistics_of_another_version_are_read_as_far_as_they_go() -> None:
    stats = parse_stats(
        b'{"stats": {"cache_hits": {"counts": {"Rust": 2}}, "new": 1, "cache_writes": "x"}, "version": 9}'
    )
    assert (stats.hits, stats.misses, stats.writes, stats.version, stats.cache_bytes) == (2, 0, 0, "9", None)


def test_statistics_say_where_the_store_is_and_what_it_cost() -> None:
    stats = stats_of("redis")
    assert stats.cache_location.startswith("redis, name: ")
    assert (stats.hits, stats.writes, stats.write_errors, stats.version) == (2, 7, 3, "0.16.0")
    assert stats.write_s > 0
    assert stats.compile_s > 0
    assert stats.hit_s > 0


def test_recordings_name_no_machine() -> None:
    for path in DATA.iterdir():
        content = path.read_bytes()
        assert not [word for word in (b"/root", b"/tmp/sclog", b"/work", b"site-packages") if word in content]
