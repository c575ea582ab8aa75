"""What cargo's output says, from recorded runs of cargo 1.95 and from lines it can write."""

import pickle
from collections.abc import Sequence
from typing import Any, TypeVar

import pytest

from core import events as e
from core.parsers.cargo import Json
from core.parsers.select import Kind, make_parser
from core.reduce import reduce_run
from core.state import Run
from tests.core.recordings import NAMES, is_split, log, pieces

T = TypeVar("T", bound=e.Event)
NO_JSON = ("text-noisy", "short-text", "wrong-flag", "nextest", "nextest-color")
KINDS: dict[str, Kind] = {"nextest": "nextest", "nextest-color": "nextest"}
DOC_TEST_UNITS = {"test": 2, "test-red-two": 1}
"""Cargo counts a unit for each package with doc tests, of which no message tells."""
GENERIC = ("cmake", "ninja", "make")
LAST = b'{"reason":"build-finished","success":true}\n'
PLACED = b"warning: unused\n --> src/a.rs:3:5\n  |\n\n"


def events_of(name: str, size: int = 1 << 20, *, tick_s: float = 0.0) -> list[e.Event]:
    """Events of a recording, fed in pieces, both streams in turn."""
    split = is_split(name)
    json: Json = "none" if name in NO_JSON else "user" if name.startswith("json") else "ours"
    kind: Kind = "generic" if name.startswith(GENERIC) else KINDS.get(name, "cargo")
    parser = make_parser(kind, is_split=split, json=json)
    events: list[e.Event] = []
    at = 100.0
    out, err = pieces(log(name), size), pieces(log(name, "err") if split else b"", size)
    for chunk in out:
        at += tick_s
        events += parser.feed("out", chunk, at)
        events += parser.feed("err", next(err, b""), at)
    for chunk in err:
        events += parser.feed("err", chunk, at)
    return events + parser.close(at)


def of_text(text: bytes, *, json: Json = "ours") -> list[e.Event]:
    parser = make_parser("cargo", is_split=False, json=json)
    return parser.feed("out", text, 1.0) + parser.close(1.0)


def only(events: Sequence[e.Event], cls: type[T]) -> list[T]:
    return [event for event in events if isinstance(event, cls)]


def board(events: Sequence[e.Event], tool: str = "cargo") -> dict[str, Any]:
    """What a reader of the journal knows in the end."""
    started = e.RunStarted(100.0, "r", "a", "build", tool, "build", "/", "/", None, False, False, False)
    run = reduce_run(None, [started, *events])
    assert isinstance(run, Run)
    return {name: getattr(run, name) for name in Run.__dataclass_fields__}


@pytest.mark.parametrize("size", [1, 3, 64, 1000])
@pytest.mark.parametrize("name", NAMES)
def test_any_cut_of_a_recording_says_the_same(name: str, size: int) -> None:
    moving = (e.ProgressMoved, e.TestsCounted)
    whole, cut = events_of(name), events_of(name, size)
    if not is_split(name):
        assert [x for x in cut if not isinstance(x, moving)] == [x for x in whole if not isinstance(x, moving)]
    known, seen = board(whole), board(cut)
    assert {**seen, "dirtied": None, "diagnostics": None, "failed_tests": None} == {
        **known, "dirtied": None, "diagnostics": None, "failed_tests": None,
    }  # fmt: skip
    assert sorted(map(repr, only(cut, e.DiagnosticEmitted))) == sorted(map(repr, only(whole, e.DiagnosticEmitted)))


@pytest.mark.parametrize("name", NAMES)
def test_a_parser_can_be_stored_anywhere_within_a_run(name: str) -> None:
    content = log(name)
    parser = make_parser("cargo", is_split=False, json="ours")
    stored = make_parser("cargo", is_split=False, json="ours")
    for chunk in pieces(content, 700):
        stored = pickle.loads(pickle.dumps(stored))
        assert stored.feed("out", chunk, 1.0) == parser.feed("out", chunk, 1.0)
    assert stored.close(1.0) == parser.close(1.0)


@pytest.mark.parametrize(("name", "units", "fresh"), [
    ("build-one", 7, 0), ("build-two", 7, 0), ("build-quiet", 7, 0), ("build-noisy", 7, 0), ("check", 14, 0),
    ("doc", 11, 0), ("test", 12, 0), ("bench", 12, 0), ("fresh-verbose", 7, 7), ("dirty-verbose", 7, 5),
    ("json-full", 7, 0), ("test-red-two", 3, 0),
])  # fmt: skip
def test_every_unit_of_a_build_is_counted(name: str, units: int, fresh: int) -> None:
    known = board(events_of(name, 256))
    assert known["units_fresh"] + known["units_built"] == units
    assert known["units_fresh"] == fresh
    assert known["units_total"] in (None, units + DOC_TEST_UNITS.get(name, 0))
    assert known["units_done"] == known["units_total"] or known["units_done"] == units
    assert known["in_flight"] == ()
    assert known["is_build_over"]


def test_units_are_named_as_in_the_progress_line() -> None:
    names = {unit.name for unit in only(events_of("check"), e.UnitFinished)}
    assert names == {
        "script(build.rs)", "script(build)", "script", "script(test)", "leaf", "util", "util(test)", "mac", "mac(test)",
        "app(bin)", "app(bin test)", "cli(test)", "speed(bench)",
    }  # fmt: skip
    seen = {name for bar in only(events_of("check", 64), e.ProgressMoved) for name in bar.in_flight}
    assert seen == names, "each was named in flight"


def test_units_of_other_kinds_are_told_apart() -> None:
    kinds = {(u.name, u.package, u.version, u.kind) for u in only(events_of("doc"), e.UnitFinished)}
    assert kinds >= {
        ("script(build.rs)", "script", "0.3.0", "custom-build"),
        ("script(build)", "script", "0.3.0", "run-build-script"),
        ("mac", "mac", "0.2.0", "proc-macro"), ("leaf", "leaf", "1.2.3", "lib"), ("leaf(doc)", "leaf", "1.2.3", "doc"),
        ("app(doc)", "app", "0.1.0", "doc"),
    }  # fmt: skip


def test_seconds_run_from_the_first_time_a_unit_was_named() -> None:
    parser = make_parser("cargo", is_split=False, json="ours")
    bar = b"    Building [=> ] 1/9: %s\r"
    artifact = (
        b'{"reason":"compiler-artifact","package_id":"path+file:///code/%s#0.1.0","manifest_path":"/code/Cargo.toml",'
        b'"target":{"kind":["lib"],"name":"%s","src_path":"/code/src/lib.rs"},"profile":{"test":false},'
        b'"filenames":[],"executable":null,"fresh":false}\n'
    )
    parser.feed("out", bar % b"a, b", 10.0)
    assert [u.elapsed_s for u in only(parser.feed("out", artifact % (b"a", b"a"), 13.5), e.UnitFinished)] == [3.5]
    parser.feed("out", bar % b"c", 14.0)
    at_once = parser.feed("out", bar % b"d" + artifact % (b"d", b"d"), 15.0)
    assert [u.elapsed_s for u in only(at_once, e.UnitFinished)] == [None], "its start and end lie in one batch"
    late = parser.feed("out", artifact % (b"b", b"b"), 20.0)
    assert [u.elapsed_s for u in only(late, e.UnitFinished)] == [4.0], "it left the line at 14.0"
    again = parser.feed("out", bar % b"a" + bar % b"a", 21.0) + parser.feed("out", artifact % (b"a", b"a"), 22.0)
    assert [u.elapsed_s for u in only(again, e.UnitFinished)] == [None], "which unit of that name is not said"
    unseen = parser.feed("out", artifact % (b"z", b"z"), 23.0)
    assert [u.elapsed_s for u in only(unseen, e.UnitFinished)] == [None]


def test_of_old_output_nobody_saw_when_units_started() -> None:
    parser = make_parser("cargo", is_split=False, json="none")
    parser.feed("out", b"    Building [=> ] 1/9: a\r", 10.0, is_backlog=True)
    left = parser.feed("out", b"    Building [=> ] 2/9: b\r", 11.0)
    assert [(u.name, u.elapsed_s) for u in only(left, e.UnitFinished)] == [("a", None)]


def test_without_messages_units_that_leave_the_progress_line_are_finished() -> None:
    parser = make_parser("cargo", is_split=False, json="none")
    bar = b"    Building [=> ] %s\r"
    parser.feed("out", b"   Compiling ring v0.17.8\n" + bar % b"1/9: ring(build), b", 10.0)
    left = parser.feed("out", bar % b"2/9: b", 12.0)
    assert left[0] == e.UnitFinished(12.0, "ring(build)", "ring", "0.17.8", "run-build-script", False, 2.0)
    failed = parser.feed("out", bar % b"2/9: c", 13.0)
    assert only(failed, e.UnitFinished) == [], "the count did not grow: it was given up"
    parser.feed("out", bar % b"3/9: c, d, ee...", 14.0)
    assert only(parser.feed("out", bar % b"4/9: d, fff...", 15.0), e.UnitFinished) == [], "the list was cut"


def test_the_last_state_of_a_batch_is_told_and_a_cut_name_is_not() -> None:
    bar = b"    Building [=> ] %d/300: serde, ring(build), tok...      \r"
    moved = only(of_text(bar % 3 + bar % 4 + b"\x1b[K"), e.ProgressMoved)
    assert moved == [e.ProgressMoved(1.0, 4, 300, ("serde", "ring(build)"), "units", True)]
    unicode = bar.replace(b"...", "…".encode()) % 5
    assert only(of_text(unicode), e.ProgressMoved) == [
        e.ProgressMoved(1.0, 5, 300, ("serde", "ring(build)"), "units", True)
    ]
    alone = "    Building [=> ] 1/9: ring(bui…\r".encode()
    assert only(of_text(alone), e.ProgressMoved) == [e.ProgressMoved(1.0, 1, 9, (), "units", True)]


def test_a_unit_that_a_cut_line_may_have_hidden_gets_no_seconds() -> None:
    parser = make_parser("cargo", is_split=False, json="none")
    parser.feed("out", b"    Building [=> ] 1/9: a, b...\r", 10.0)
    parser.feed("out", b"    Building [=> ] 1/9: a, bb\r", 11.0)
    left = parser.feed("out", b"    Building [=> ] 3/9: c\r", 13.0)
    assert [(u.name, u.elapsed_s) for u in only(left, e.UnitFinished)] == [("a", 3.0), ("bb", None)]


def test_a_finished_unit_is_not_put_back_in_flight_by_a_line_that_came_before() -> None:
    known = board(events_of("build-one", 1 << 20)[:-1])
    assert known["in_flight"] == ()


@pytest.mark.parametrize(("name", "errors", "warnings"), [
    ("build-one", 0, 1), ("build-noisy", 0, 5), ("json-full", 0, 5), ("short", 0, 5), ("text-noisy", 0, 5),
    ("clippy", 0, 6), ("build-broken", 2, 1), ("build-broken-two", 2, 1), ("json-broken", 2, 1), ("short-text", 2, 1),
    ("no-package", 1, 0), ("bad-manifest", 1, 0), ("wrong-flag", 1, 0), ("test-red", 0, 1), ("nextest", 0, 1),
    ("run-two", 0, 1), ("test-abort", 0, 1),
])  # fmt: skip
def test_errors_and_warnings_are_counted_without_their_summaries(name: str, errors: int, warnings: int) -> None:
    known = board(events_of(name))
    assert (known["errors"], known["warnings"]) == (errors, warnings)


def test_an_error_has_its_place_and_whole_text() -> None:
    found = [d for d in only(events_of("build-broken-two"), e.DiagnosticEmitted) if d.level == "error"]
    assert found[0] == e.DiagnosticEmitted(
        100.0, "error", "mismatched types", "E0308", "util/src/lib.rs", 17, 18,
        "error[E0308]: mismatched types\n"
        "  --> util/src/lib.rs:17:18\n"
        "   |\n"
        '17 |     let y: u64 = "one";\n'
        "   |            ---   ^^^^^ expected `u64`, found `&str`\n"
        "   |            |\n"
        "   |            expected due to this",
    )  # fmt: skip
    assert (found[1].code, found[1].line) == ("E0425", 19)


@pytest.mark.parametrize("name", ["build-broken", "json-broken"])
def test_rendered_text_is_the_same_from_text_and_from_messages(name: str) -> None:
    texts = [d.rendered for d in only(events_of(name), e.DiagnosticEmitted) if d.level == "error"]
    assert texts == [d.rendered for d in only(events_of("build-broken-two"), e.DiagnosticEmitted) if d.level == "error"]


def test_a_lint_is_named_where_the_text_names_it() -> None:
    codes = [d.code for d in only(events_of("build-noisy"), e.DiagnosticEmitted)]
    assert codes == [None, "unreachable_code", "unused_mut", "unused_variables", None]
    assert any(d.code == "clippy::clone_on_copy" for d in only(events_of("clippy"), e.DiagnosticEmitted))


def test_a_warning_of_a_build_script_names_its_package() -> None:
    found = only(events_of("build-one"), e.DiagnosticEmitted)
    assert [(d.package, d.message) for d in found] == [("script", "built by hand")]


def test_an_error_of_cargo_keeps_its_causes() -> None:
    text = (
        b"error: failed to load manifest for workspace member `/x`\n\nCaused by:\n  failed to parse\n\nCaused by:\n"
        b"  TOML parse error\n"
    )
    (found,) = only(of_text(text), e.DiagnosticEmitted)
    assert found.rendered == text.decode().rstrip()


def test_a_diagnostic_is_told_as_soon_as_it_is_whole() -> None:
    parser = make_parser("cargo", is_split=False, json="none")
    assert only(parser.feed("out", PLACED, 1.0), e.DiagnosticEmitted) != []
    assert parser.close(2.0) == []


def test_a_long_diagnostic_is_cut_to_4_kb() -> None:
    (found,) = only(of_text(b"error: long\n --> a.rs:1:1\n" + "ü".encode() * 9000 + b"\n\n"), e.DiagnosticEmitted)
    assert 4000 < len(found.rendered.encode()) <= 4096


def test_a_wait_for_a_lock_begins_and_ends() -> None:
    waits = [x for x in events_of("blocked", 64) if isinstance(x, e.LockWaitBegan | e.LockWaitEnded)]
    assert waits == [e.LockWaitBegan(100.0, "artifact directory"), e.LockWaitEnded(100.0)]
    text = b"    Blocking waiting for file lock on build directory (/code/target/debug)\n"
    assert of_text(text) == [e.LockWaitBegan(1.0, "build directory")]


def test_reasons_of_a_rebuild_are_kept() -> None:
    dirtied = only(events_of("dirty-verbose"), e.UnitDirtied)
    assert [d.package for d in dirtied] == ["util", "app"]
    assert dirtied[0].reason.startswith("the file `util/src/lib.rs` has changed (")
    assert dirtied[1].reason == "the dependency `util` was rebuilt"
    (plain,) = only(of_text(b"       Dirty serde v1.0.2: the profile configuration changed\n"), e.UnitDirtied)
    assert plain == e.UnitDirtied(1.0, "serde", "the profile configuration changed")


def test_what_the_program_prints_after_the_build_is_not_believed() -> None:
    forged = log("build-one").replace(b"build-finished", b"build-ended")
    program = forged + PLACED + b"    Building [=> ] 8/9: x\r   Compiling x v1.0.0\nerror: x\n    Blocking x\n"
    parser = make_parser("cargo", is_split=False, json="ours")
    assert parser.feed("out", log("build-one") + program, 100.0) + parser.close(100.0) == events_of("build-one")


def test_a_program_that_prints_test_lines_is_no_test_run() -> None:
    program = b"running 1 test\ntest a ... FAILED\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured;\n"
    assert only(of_text(LAST + b"     Running `target/debug/app`\n" + program), e.TestFinished) == []
    assert only(of_text(LAST + program), e.TestFinished) == []
    split = make_parser("cargo", is_split=True, json="ours")
    split.feed("out", LAST + program, 1.0)
    assert split.feed("err", b"    Finished x\n     Running `target/debug/app`\n", 1.0) == []


def test_errors_on_standard_error_after_a_success_are_the_programs_own() -> None:
    split = make_parser("cargo", is_split=True, json="ours")
    split.feed("out", LAST, 1.0)
    assert split.feed("err", b"error: cannot open\nerror[E0308]: x\n --> a.rs:1:1\n\n" + b"[=> ] 1/2: x\r", 1.0) == []
    late = split.feed("err", PLACED + b"    Finished x\n" + PLACED, 1.0)
    assert [d.message for d in only(late, e.DiagnosticEmitted)] == ["unused"], "a warning of rustc may be read late"
    quiet = make_parser("cargo", is_split=True, json="ours")
    quiet.feed("out", LAST, 1.0)
    assert quiet.feed("err", b"warning: low on ink\nerror: x\n", 1.0) + quiet.close(1.0) == []


def test_what_cargo_said_before_a_success_is_understood_though_it_is_read_after() -> None:
    split = make_parser("cargo", is_split=True, json="ours")
    split.feed("out", LAST, 1.0)
    text = (
        b"warning: a@0.1.0: by hand\n       Dirty b v0.1.0: forced\n" + b"    Building [=> ] 1/2: b\r    Finished x\n"
    )
    warning, dirtied, moved = split.feed("err", text, 2.0)
    assert isinstance(warning, e.DiagnosticEmitted)
    assert dirtied == e.UnitDirtied(2.0, "b", "forced")
    assert moved == e.ProgressMoved(2.0, 2, 2, (), "units")


def test_a_test_binary_has_its_name_whichever_stream_is_read_first() -> None:
    out = (
        LAST
        + b"\nrunning 1 test\ntest a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filt\n"
    )
    err = b"    Finished x\n     Running tests/cli.rs (target/debug/deps/cli-0123456789abcdef)\n"
    orders: tuple[tuple[e.Stream, e.Stream], ...] = (("out", "err"), ("err", "out"))
    for order in orders:
        split = make_parser("cargo", is_split=True, json="ours")
        events = [x for stream in order for x in split.feed(stream, out if stream == "out" else err, 1.0)]
        assert only(events, e.TestFinished) == [e.TestFinished(1.0, "a", "tests/cli.rs", "ok", None)]


def test_quiet_test_runs_are_counted_without_names_of_binaries() -> None:
    split = make_parser("cargo", is_split=True, json="ours")
    split.feed("out", log("test-red-two")[: log("test-red-two").index(b"running")], 1.0)
    events = split.feed("out", log("test-red-two")[log("test-red-two").index(b"running") :], 1.0) + split.close(1.0)
    assert only(events, e.TestsCounted) == [e.TestsCounted(1.0, 2, 2, 1)]
    assert {t.suite for t in only(events, e.TestFinished)} == {""}


@pytest.mark.parametrize("message", [
    b'{"reason":"compiler-artifact"}', b'{"reason":"compiler-artifact","package_id":7}', b'{"reason":"',
    b'{"reason":"x"}', b'{"reason":"compiler-artifact","package_id":"x","target":{"kind":[],"name":1}}',
    b'{"reason":"build-finished"',
    b'{"reason":"compiler-message","package_id":"a 1 (x)","message":{"level":"error"}}', b'{"reason":"\xff\xfe"}',
    b'{"reason":"compiler-message","package_id":"a 1 (x)","message":{"level":"error","message":"m","code":null,'
    b'"spans":[{"is_primary":true,"file_name":7}],"rendered":null}}',
    b'{"reason":"' + b"[" * 100_000, b'{"reason":"\x00"}', b'{"reason":"build-script-executed","package_id":"#"}',
])  # fmt: skip
def test_a_torn_or_forged_message_says_nothing_and_raises_nothing(message: bytes) -> None:
    assert of_text(message + b"\n" + message) == []


@pytest.mark.parametrize(("package_id", "name", "version"), [
    ("registry+https://github.com/rust-lang/crates.io-index#serde@1.0.228", "serde", "1.0.228"),
    ("path+file:///code/my-app#0.1.0", "my-app", "0.1.0"), ("path+file:///code/dir#my-app@0.1.0", "my-app", "0.1.0"),
    ("git+https://x.org/a/b?branch=main#0.2.0", "b", "0.2.0"), ("old 0.3.0 (path+file:///code/old)", "old", "0.3.0"),
])  # fmt: skip
def test_package_ids_of_all_ages_are_read(package_id: str, name: str, version: str) -> None:
    text = '{"reason":"build-script-executed","package_id":"%s"}\n' % package_id  # noqa: UP031
    (unit,) = only(of_text(text.encode()), e.UnitFinished)
    assert (unit.package, unit.version, unit.name) == (name, version, f"{name}(build)")


def test_a_message_of_megabytes_is_read_and_one_beyond_16_mib_is_skipped() -> None:
    unit = b'{"reason":"build-script-executed","package_id":"path+file:///a#1.0.0","env":["%s"]}\n'
    after = b"    Building [=> ] 1/9: a\r"
    for size, count in ((5 << 20, 1), (17 << 20, 0)):
        parser = make_parser("cargo", is_split=False, json="ours")
        events = [x for c in pieces(unit % (b"x" * size) + after, 1 << 16) for x in parser.feed("out", c, 1.0)]
        assert len(only(events, e.UnitFinished)) == count
        assert len(only(events, e.ProgressMoved)) == 1, "what follows is understood"


def test_control_characters_and_markup_in_names_reach_nobody() -> None:
    text = b"    Building [=> ] 1/9: a\x1b]52;c;x\x07b, [red]c[/red], \x9b2Jd\xe2\x80\xae\r   Blocking x\n"
    (moved,) = only(of_text(text), e.ProgressMoved)
    assert all(name.isprintable() for name in moved.in_flight)
    assert "[red]c[/red]" in moved.in_flight, "markup is the business of who draws"
    (found,) = only(of_text(b"error: a\x1b]0;title\x07\x1b[31mb\x08\x00\n"), e.DiagnosticEmitted)
    assert found.message == "ab"


SCRIPT_FAILED = b"""error: failed to run custom build command for `kernels v0.1.0 (/code/kernels)`

Caused by:
  process didn't exit successfully: `/code/target/debug/build/kernels-4402/build-script-build` (exit status: 101)
  --- stdout
  cargo:rerun-if-changed=k.cu
  [ 33%] Building CUDA object CMakeFiles/k.dir/k.cu.o
  cargo:warning=j.cu(7): error: identifier "late" is undefined
  cargo:warning=  int y = late;
  cargo:warning=          ^
  cargo:warning=

  --- stderr
  /code/kernels/k.cu(2): error: identifier "nope" is undefined
    o[0] = nope;
           ^

  /code/kernels/k.cu(2): error: identifier "nope" is undefined
    o[0] = nope;
           ^

  2 errors detected in the compilation of "/code/kernels/k.cu".
  /code/kernels/c.cpp:1:10: error: expected primary-expression before 'return'
      1 | int c( { return nope; }
        |          ^~~~~~
  gmake: *** [Makefile:124: k] Error 2

  thread 'main' (886) panicked at /home/user/.cargo/registry/src/index/cmake-0.1.58/src/lib.rs:1132:5:
  command did not execute successfully, got: exit status: 2
  stack backtrace:
     0: __rustc::rust_begin_unwind
warning: build failed, waiting for other jobs to finish...
"""


def test_where_a_script_failed_for_a_compiler_the_first_error_is_the_compilers() -> None:
    for size in (len(SCRIPT_FAILED), 1, 100):
        parser = make_parser("cargo", is_split=False, json="none")
        said = [
            event for at in range(0, len(SCRIPT_FAILED), size)
            for event in parser.feed("out", SCRIPT_FAILED[at : at + size], 1.0)
        ]  # fmt: skip
        found = only(said, e.DiagnosticEmitted)
        assert [(d.file, d.line, d.message, d.package) for d in found] == [
            ("j.cu", 7, 'identifier "late" is undefined', "kernels"),
            ("/code/kernels/k.cu", 2, 'identifier "nope" is undefined', "kernels"),
            ("/code/kernels/c.cpp", 1, "expected primary-expression before 'return'", "kernels"),
            (None, None, "failed to run custom build command for `kernels v0.1.0 (/code/kernels)`", None),
        ]  # fmt: skip
        assert found[1].rendered.split("\n")[1:] == ["  o[0] = nope;", "         ^"]
        assert found[2].rendered.split("\n")[2] == "      |          ^~~~~~"
        assert "backtrace" not in found[3].rendered
        assert "(exit status: 101)" in found[3].rendered


def test_a_script_that_failed_by_itself_is_told_in_its_own_words() -> None:
    said = SCRIPT_FAILED[: SCRIPT_FAILED.index(b"  [ 33%]")] + b"  --- stderr\n  thread 'main' panicked: no nvcc\n"
    (found,) = only(make_parser("cargo", is_split=False, json="none").feed("out", said + b"warning: build failed, "
                    b"waiting for other jobs to finish...\n", 1.0), e.DiagnosticEmitted)  # fmt: skip
    assert found.rendered.endswith("thread 'main' panicked: no nvcc")
