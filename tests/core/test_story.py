"""What is told of one run: units, waits, tests, plan; from journals of recorded builds and from single events."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from core import events as e
from core.chain import find_chain, needs_of, read_needs
from core.journal import JournalWriter
from core.paths import Paths
from core.reduce import reduce_run
from core.run_plan import plan_of, read_plan
from core.story import Span, StoryReader, tell
from tests.core.recordings import NAMES, log
from tests.core.test_parsers_cargo import events_of

BUILDS = [name for name in NAMES if not name.startswith(("cmake", "ninja", "make", "nextest", "text", "short", "json"))]


def finished(
    at: float, name: str, *, is_fresh: bool = False, package: str = "", elapsed_s: float | None = None
) -> e.Event:
    return e.UnitFinished(at, name, package or name, "1.0.0", "lib", is_fresh, elapsed_s)


def flying(at: float, *names: str, is_truncated: bool = False) -> e.Event:
    return e.ProgressMoved(at, 0, 9, names, "units", is_truncated)


@pytest.mark.parametrize("name", BUILDS)
def test_units_are_counted_as_cargos_messages_count_them(name: str) -> None:
    story = tell(events_of(name, 4096, tick_s=0.1))
    until = log(name).partition(b'{"reason":"build-finished"')[0]
    artifacts = [line for line in until.split(b"\n") if b'"reason":"compiler-artifact"' in line]
    scripts = [line for line in until.split(b"\n") if b'"reason":"build-script-executed"' in line]
    fresh = sum(b'"fresh":true' in line for line in artifacts)
    done = [span for span in story.spans if span.is_done]
    built = [span for span in done if span.kind != "run-build-script"]
    assert len(built) == len(artifacts) - fresh
    assert len(done) - len(built) + story.fresh == len(scripts) + fresh


def test_a_unit_lasts_from_when_it_was_seen_until_it_was_there() -> None:
    story = tell([flying(1.0, "a", "b"), flying(2.0, "b"), finished(2.0, "a"), finished(3.5, "b"), finished(4.0, "c")])
    assert [(s.name, s.began, s.ended, s.elapsed_s, s.is_done) for s in story.spans] == [
        ("a", 1.0, 2.0, 1.0, True), ("b", 1.0, 3.5, 2.5, True), ("c", None, 4.0, None, True),
    ]  # fmt: skip


def test_a_unit_that_only_left_the_list_is_not_called_done() -> None:
    story = tell([flying(1.0, "a", "b"), flying(2.0, "b"), e.BuildFinished(3.0, is_success=False)])
    assert [(s.name, s.ended, s.is_done) for s in story.spans] == [("a", 2.0, False), ("b", 3.0, False)]


def test_a_cut_list_says_nothing_of_units_that_are_not_in_it() -> None:
    story = tell([flying(1.0, "a", "b"), flying(2.0, "b", is_truncated=True)])
    assert {s.name: s.ended for s in story.spans} == {"a": None, "b": None}


def test_two_versions_of_a_crate_are_two_units_and_fresh_ones_are_only_counted() -> None:
    story = tell([flying(1.0, "syn"), finished(2.0, "syn"), flying(3.0, "syn"), finished(5.0, "syn"),
                  finished(5.0, "libc", is_fresh=True)])  # fmt: skip
    assert [s.elapsed_s for s in story.spans] == [1.0, 2.0]
    assert story.fresh == 1


def test_waits_end_when_output_goes_on_or_the_run_ends() -> None:
    story = tell([e.LockWaitBegan(1.0, "package cache"), e.LockWaitEnded(3.0), e.LockWaitBegan(4.0, "build directory"),
                  e.RunEnded(9.0, None, 15, 9.0, 0.0, 0.0, 0, "request")])  # fmt: skip
    assert [(w.what, w.began, w.ended) for w in story.waits] == [
        ("package cache", 1.0, 3.0), ("build directory", 4.0, 9.0),
    ]  # fmt: skip
    assert story.ended == 9.0


def test_what_is_read_bit_by_bit_is_what_is_read_at_once(tmp_path: Path) -> None:
    events = events_of("test-red", 4096, tick_s=0.1)
    paths = Paths(str(tmp_path), "")
    Path(paths.run("r")).mkdir(parents=True)
    writer, reader = JournalWriter(paths.run("r") + "/events.jsonl", "r"), StoryReader(paths, "r")
    for at in range(0, len(events), 3):
        writer.append(events[at : at + 3])
        story = reader.poll()
        assert story == tell(events[: at + 3])
        assert reader.poll() is story
    assert len(story.tests) == sum(isinstance(event, e.TestFinished) for event in events)


def test_of_a_recording_only_what_has_happened_by_then_is_told(tmp_path: Path) -> None:
    events = [flying(1.0, "a"), finished(2.0, "a"), flying(3.0, "b"), finished(4.0, "b")]
    paths = Paths(str(tmp_path), "")
    Path(paths.run("r")).mkdir(parents=True)
    JournalWriter(paths.run("r") + "/events.jsonl", "r").append(events)
    now = [0.0]
    reader = StoryReader(paths, "r", lambda: now[0])
    for count in range(5):
        now[0] = float(count)
        assert reader.poll() == tell(events[:count])
        assert reader.poll() is reader.story


def test_a_journal_of_a_newer_version_is_said_and_not_read(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path), "")
    Path(paths.run("r")).mkdir(parents=True)
    Path(paths.run("r") + "/events.jsonl").write_text('{"schema": 99, "run": "r"}\n')
    assert "schema 99" in StoryReader(paths, "r").poll().trouble


def test_the_story_agrees_with_the_board() -> None:
    events = events_of("test-red", 4096, tick_s=0.1)
    story = tell(events)
    started = e.RunStarted(100.0, "r", "a", "test", "cargo", "test", "/", "/", None, False, False, False)
    run = reduce_run(None, [started, *events])
    assert run is not None
    assert sum(span.is_done for span in story.spans) == run.units_built
    assert story.fresh == run.units_fresh
    assert {span.name: span.elapsed_s for span in story.spans if span.elapsed_s is not None and span.is_done} == (
        pytest.approx(dict(run.finished_s))
    )
    counted = [sum(t.outcome == word for t in story.tests) for word in ("ok", "failed", "ignored")]
    assert counted == [run.tests_passed, run.tests_failed, run.tests_ignored]
    results = re.findall(rb"(\d+) passed; (\d+) failed; (\d+) ignored", log("test-red"))
    assert counted == [sum(int(one[i]) for one in results) for i in range(3)]


def test_a_plan_names_what_was_added_without_values_of_the_environment() -> None:
    record = {
        "plan": [{"setting": "target-dir", "value": "/t", "reason": "no other agent"}], "typed": ["test"],
        "launch": {"argv": ["cargo", "test"], "env": {"B": "2", "A": "1"}, "unset": ["C"], "path_front": ["/f"],
                   "wrappers": ["sccache"]}, "target_dir": "/t", "target_source": "private",
        "env": {"X": "1", "T": None},
    }  # fmt: skip
    plan = plan_of(record)
    assert [(one.setting, one.value, one.reason) for one in plan.settings] == [("target-dir", "/t", "no other agent")]
    assert (plan.launch.argv, plan.launch.env, plan.launch.unset) == (("cargo", "test"), ("A", "B"), ("C",))
    assert (plan.target_dir, plan.target_source, dict(plan.env)) == ("/t", "private", {"X": "1", "T": None})


@pytest.mark.parametrize("content", ["", "[]", "{", '{"plan": 3, "launch": [], "env": 1, "typed": "x"}'])
def test_a_record_that_cannot_be_read_is_an_empty_plan(tmp_path: Path, content: str) -> None:
    paths = Paths(str(tmp_path), "")
    Path(paths.run("r")).mkdir(parents=True)
    Path(paths.run("r") + "/run.json").write_text(content)
    assert read_plan(paths, "r").settings == ()
    assert json.dumps(read_plan(paths, "r").typed) == "[]"


def span(name: str, began: float | None, ended: float) -> Span:
    return Span(name, name.partition("(")[0], "1.0.0", "lib", began, ended, is_done=True)


LOCK = {"package": [
    {"name": "app", "version": "1.0.0", "dependencies": ["b", "syn 2.0.0"]}, {"name": "b", "version": "1.0.0"},
    {"name": "syn", "version": "1.0.0"}, {"name": "syn", "version": "2.0.0"}, {"name": "c", "version": "1.0.0"},
]}  # fmt: skip


def test_the_chain_goes_back_from_the_last_unit_to_what_each_one_followed() -> None:
    spans = [span("b", 0.0, 2.0), span("c", 0.0, 5.0), span("app", 5.1, 7.0), span("app(bin)", 7.0, 8.0)]
    chain = find_chain(spans, needs_of(LOCK))
    assert [(link.span.name, link.after) for link in chain.links] == [
        ("c", "start"), ("app", "free"), ("app(bin)", "needs"),
    ]  # fmt: skip
    assert chain.seconds == 8.0
    assert (chain.count("needs"), chain.count("free")) == (1, 1)


def test_of_units_that_finished_together_the_needed_one_is_taken() -> None:
    spans = [span("b", 1.0, 5.0), span("c", 0.0, 5.0), span("app", 5.0, 7.0)]
    assert [link.span.name for link in find_chain(spans, needs_of(LOCK)).links] == ["b", "app"]
    assert [link.span.name for link in find_chain(spans, None).links] == ["c", "app"]


def test_a_pause_ends_the_chain_as_does_a_start_that_nobody_saw() -> None:
    assert [link.span.name for link in find_chain([span("b", 0.0, 2.0), span("app", 4.0, 6.0)], None).links] == ["app"]
    chain = find_chain([span("b", None, 2.0), span("app", 2.0, 6.0)], None)
    assert [(link.span.name, link.after) for link in chain.links] == [("b", "start"), ("app", "free")]
    assert find_chain([], None).links == ()
    assert find_chain([replace(span("b", 0.0, 1.0), ended=None)], None).links == ()


def test_units_of_no_length_do_not_hold_each_other() -> None:
    spans = [span(name, 1.0, 1.0) for name in "abc"]
    assert len(find_chain(spans, None).links) == 1


def test_the_version_of_a_package_tells_which_one_is_needed() -> None:
    needs = needs_of(LOCK)
    assert needs["app", "1.0.0"] == {("b", "1.0.0"), ("syn", "2.0.0")}


def test_a_lock_file_that_is_missing_or_odd_tells_nothing(tmp_path: Path) -> None:
    assert read_needs(str(tmp_path)) is None
    for content in ("", "package = 3", "[[package]]\nname = 1"):
        (tmp_path / "Cargo.lock").write_text(content)
        assert read_needs(str(tmp_path)) is None
