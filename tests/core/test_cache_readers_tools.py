"""What zccache, kache and mbx write of real builds, as look-ups."""

import json
from collections import Counter
from pathlib import Path

import pytest

from core.cache import kache, zccache
from core.cache.calls import Call, CallKey
from core.cache.journal_reader import Lookup
from core.cache.mbx import sessions_folder
from core.cache.user_sccache import Kind, read_counts

DATA = Path(__file__).parent.parent / "data"


def zccache_lookups() -> list[Lookup]:
    lines = (DATA / "zccache/compile_journal.jsonl").read_bytes().splitlines()
    return [found for line in lines if (found := zccache.parse_line(line)) is not None]


def kache_lookups() -> list[Lookup]:
    lines = (DATA / "kache/events.jsonl").read_bytes().splitlines()
    return [found for line in lines if (found := kache.parse_line(line)) is not None]


def test_zccache_tells_each_compilation_and_no_question_to_the_compiler() -> None:
    found = [(one.unit, one.outcome, one.reason) for one in zccache_lookups()]
    assert found == [
        ("a(build.rs)", "missed", "first time"),
        ("a", "missed", "first time"),
        ("b", "missed", "first time"),
        ("c(bin)", "missed", "first time"),
        ("a(build.rs)", "hit", ""),
        ("a", "hit", ""),
        ("b", "hit", ""),
        ("c(bin)", "hit", ""),
        ("a", "hit", ""),
        ("b", "hit", ""),
        ("c(bin)", "missed", "first time"),
        ("a", "error", "compile failed"),
        ("a", "error", "compile failed"),
    ]


def test_a_line_of_zccache_says_where_it_was_compiled_and_how_long_it_took() -> None:
    found = zccache_lookups()[1]
    assert (found.crate, found.extra, found.out_dir) == ("a", "-5784cdc34235296e", "/home/ann/shop/target/debug/deps")
    assert found.at - found.began == pytest.approx(0.043075821, abs=1e-6)
    assert found.at == pytest.approx(1795635976.914)
    assert found.key.startswith("af54840a")


def changed(**changes: object) -> bytes:
    row = json.loads((DATA / "zccache/compile_journal.jsonl").read_bytes().splitlines()[4])
    return json.dumps({**row, **changes}).encode()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"miss_reason": "no_artifact_for_key"}, ("missed", "evicted", "")),
        ({"miss_reason": "version_skew"}, ("missed", "compiler", "")),
        ({"miss_reason": "input_fingerprint_mismatch"}, ("missed", "inputs", "")),
        (
            {"miss_reason": "input_fingerprint_mismatch", "miss_diff": {"changed_files": ["a.rs", "b.rs"]}},
            ("missed", "source", "a.rs, b.rs"),
        ),
        ({"miss_reason": "unknown", "miss_diff": {"changed_flags": ["-O"]}}, ("missed", "flags", "-O")),
        ({"miss_reason": "something new"}, ("missed", "not known", "")),
        ({"miss_reason": "uncacheable_input"}, ("not cacheable", "unsupported", "")),
        (
            {"miss_reason": "destination_write_failed"},
            ("error", "write", "it could not be put where the build wants it"),
        ),
        ({"outcome": "error", "exit_code": -1}, ("error", "server", "the daemon could not compile it")),
        (
            {"outcome": "error", "exit_code": -137, "termination_signal": 9},
            ("error", "compile failed", "signal 9"),
        ),
        ({"outcome": "cached_error", "exit_code": 1}, ("error", "compile failed", "told again from the cache")),
    ],
)
def test_each_word_of_zccache_has_its_meaning(changes: dict[str, object], told: tuple[str, str, str]) -> None:
    found = zccache.parse_line(changed(**changes))
    assert found is not None
    assert (found.outcome, found.reason, found.detail) == told


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"ts": 3, "args": []}',
        b"\xff\xfe",
        b'{"ts":"2026-11-25T19:46:16.914Z"',
        changed(outcome="a new one"),
        changed(args=["--crate-name", "probe", "-", "--out-dir", "/x"]),
        changed(args=["--crate-name", "probe", "--print=cfg", "--out-dir", "/x"]),
        changed(outcome="link_miss", compiler="/usr/bin/ld", args=["-o", "x"]),
    ],
)
def test_other_lines_are_passed_over(line: bytes) -> None:
    assert zccache.parse_line(line) is None
    assert kache.parse_line(line) is None


def test_a_c_compilation_is_known_by_its_object() -> None:
    found = zccache.parse_line(changed(compiler="/usr/bin/gcc-12", args=["-c", "a.c", "-o", "target/x/a.o"]))
    assert found is not None
    assert (found.language, found.unit, found.out_dir) == ("C/C++", "a.o", "/home/ann/shop/target/x")


def test_kache_tells_compilations_and_runs_of_build_scripts() -> None:
    found = [(one.unit, one.language, one.outcome, one.reason) for one in kache_lookups()]
    assert found == [
        ("a(build.rs)", "Rust", "missed", "not known"),
        ("a(build)", "Build script", "missed", "not known"),
        ("a", "Rust", "missed", "not known"),
        ("b", "Rust", "missed", "not known"),
        ("c", "Rust", "missed", "not known"),
        ("build_script_build(build.rs)", "Rust", "hit", ""),
        ("a(build)", "Build script", "hit", ""),
        ("a", "Rust", "hit", ""),
        ("b", "Rust", "hit", ""),
        ("c", "Rust", "hit", ""),
        ("a", "Rust", "not cacheable", "incremental"),
        ("b", "Rust", "not cacheable", "incremental"),
        ("c", "Rust", "not cacheable", "incremental"),
        ("a", "Rust", "error", "compile failed"),
    ]


def test_a_hit_of_kache_saves_what_compiling_took() -> None:
    hit = kache_lookups()[7]
    assert (hit.saved_s, hit.size_bytes, hit.root) == (0.037, 7732, "/home/ann/shop")
    assert hit.at - hit.began == pytest.approx(0.026)
    missed = kache_lookups()[2]
    assert (missed.saved_s, missed.extra, missed.out_dir) == (
        None,
        "-5784cdc34235296e",
        "/home/ann/shop/target/debug/deps",
    )


def kache_changed(**changes: object) -> Lookup:
    row = json.loads((DATA / "kache/events.jsonl").read_bytes().splitlines()[5])
    found = kache.parse_line(json.dumps({**row, **changes}).encode())
    assert found is not None
    return found


def test_kache_says_why_where_it_is_asked_to() -> None:
    found = kache_changed(key_diff=["crate", "env_deps"])
    assert (found.reason, found.detail) == ("environment", "kache: crate, env_deps")
    assert kache_changed(lookup_rejection="blob is gone").reason == "evicted"
    failed = kache_changed(store_error="disk\nfull")
    assert (failed.outcome, failed.reason) == ("error", "write")
    passed = kache_changed(result="passthrough", passthrough_reason="unsupported|codegen backend")
    assert (passed.outcome, passed.reason, passed.detail) == ("not cacheable", "unsupported", "codegen backend")


def call(crate: str, extra: str, out_dir: str, at: float) -> Call:
    return Call(at, crate, CallKey(crate, extra, out_dir), "/home/ann/shop", (), {}, is_direct=False)


def test_a_hit_of_kache_fits_the_call_that_began_with_it() -> None:
    hit = kache_lookups()[7]
    deps = "/home/ann/shop/target/debug/deps"
    assert kache.fits(hit, call("a", "-1", deps, hit.began + 0.01)) == pytest.approx(0.01)
    assert kache.fits(hit, call("a", "-1", deps, hit.began + 1.0)) is None
    assert kache.fits(hit, call("b", "-1", deps, hit.began)) is None
    assert kache.fits(hit, call("a", "-1", "/home/bob/shop/target/debug/deps", hit.began)) is None


def test_a_line_of_zccache_fits_only_the_very_compilation_and_no_later_call() -> None:
    found = zccache_lookups()[1]
    assert found.extra is not None
    assert zccache.fits(found, call("a", found.extra, found.out_dir, found.began - 3.0)) == pytest.approx(3.0)
    assert zccache.fits(found, call("a", found.extra, found.out_dir, found.began + 3.0)) is None
    assert zccache.fits(found, call("a", "-other", found.out_dir, found.began)) is None


def test_the_folders_of_caches_follow_the_environment(tmp_path: Path) -> None:
    assert list(kache.find_journals({"HOME": "/home/ann"})) == ["/home/ann/.cache/kache/events.jsonl"]
    assert list(kache.find_journals({"KACHE_CACHE_DIR": "/k", "HOME": "/h"})) == ["/k/events.jsonl"]
    assert list(kache.find_journals({"KACHE_RUNTIME_DIR": "/r", "HOME": "/h"})) == ["/r/events.jsonl"]
    (tmp_path / ".config/kache").mkdir(parents=True)
    (tmp_path / ".config/kache/config.toml").write_text('[cache]\nlocal_store = "~/store"\n')
    assert next(iter(kache.find_journals({"HOME": str(tmp_path)}))).endswith("/store/events.jsonl")
    assert sessions_folder({"HOME": "/home/ann"}) == "/home/ann/.cache/mbx/actions/sessions/v1"
    assert sessions_folder({"MBX_CACHE_DIR": "/m"}) == "/m/actions/sessions/v1"
    journal = tmp_path / "z/v1.15.8/logs/compile_journal.jsonl"
    journal.parent.mkdir(parents=True)
    journal.touch()
    assert str(journal) in zccache.find_journals({"ZCCACHE_CACHE_DIR": str(tmp_path / "z")})


STATS = {
    "stats": {
        "cache_errors": {"counts": {}},
        "cache_hits": {"counts": {"Rust": 20}},
        "cache_misses": {"counts": {"Rust": 1, "C/C++": 2}},
        "compile_fails": 1,
        "not_cached": {"crate-type": 3, "missing input": 2, "-": 1, "-E": 4},
    }
}


def test_counters_of_sccache_leave_out_questions_to_the_compiler() -> None:
    assert read_counts(json.dumps(STATS).encode()) == Counter(
        {
            Kind("Rust", "hit", ""): 20,
            Kind("Rust", "missed", "not known"): 1,
            Kind("C/C++", "missed", "not known"): 2,
            Kind("Rust", "not cacheable", "crate-type"): 3,
            Kind("Rust", "error", "compile failed"): 1,
        }
    )
    assert read_counts(b"sccache: error: no server") is None
