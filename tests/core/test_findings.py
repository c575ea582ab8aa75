"""Findings of a run: the same in `run.json`, in its journal, and on the board; whatever somebody wrote there."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from core import events as e
from core.attach import Reader
from core.facts import read_record
from core.findings import MAX_CHANGES, MAX_FINDINGS, MAX_PLACES, from_event, from_record, loud, merged, seen
from core.journal import JournalWriter, read_journal
from core.paths import Paths
from core.plan.given import Origin
from core.plan.mended import mended
from core.plan.plan import Change, Evidence, Finding
from core.reduce import reduce_run
from core.run.mask import safe_record
from core.run_plan import plan_of
from core.skim import skim_run
from tests.core.engine_world import World, settle

CACHE = Finding(
    "sccache-incremental", "warning", "sccache never caches incremental crates",
    (Evidence(Origin("/w/.cargo/config.toml", 4), 'rustc-wrapper = "sccache"'),
     Evidence(Origin("CARGO_INCREMENTAL"), "1")),
    "members are compiled twice as often (measured)", changes=(
        Change("/w/.cargo/config.toml", ("build", "incremental"), False, "/w"),
        Change("/w/.cargo/config.toml", ("build", "rustflags"), ["-C", "x"], "/w"),
        Change("/w/.cargo/config.toml", ("build", "jobs"), None, "/w"),
    ),
)  # fmt: skip
LINKER = Finding("no-linker", "error", "the linker `mold` is not there", mend="apt-get install mold")
HINT = Finding("thin", "hint", "thin LTO would do")
STARTED = e.RunStarted(1.0, "r", "a", "build", "cargo", "build", "/w", "/w", "/w/target", False, False, False)
ENDED = e.RunEnded(9.0, 0, None, 8.0, 1.0, 1.0, 0, None)


def test_what_run_json_holds_is_what_an_event_carries_and_a_run_has() -> None:
    found = from_record([CACHE.record(), LINKER.record(), HINT.record()])
    assert found == (LINKER, CACHE, HINT)
    event = seen(1.0, found)
    told = e.from_record(json.loads(json.dumps(e.to_record(event))))
    run = reduce_run(None, [STARTED, told] if told is not None else [])
    assert run is not None
    assert run.findings == found


def test_only_errors_and_warnings_are_loud() -> None:
    assert loud((CACHE, HINT)) == CACHE
    assert loud((HINT,)) is None
    assert loud(()) is None


@pytest.mark.parametrize("found", [
    None, 3, "x", {}, [None, 1, "x", []], [{}], [{"title": 3}], [{"title": "  "}], [{"title": None, "id": "x"}],
])  # fmt: skip
def test_what_is_no_finding_is_none(found: Any) -> None:
    assert from_record(found) == ()


def test_wrong_kinds_of_values_within_a_finding_are_left_out() -> None:
    record = {
        "id": 7, "severity": ["error"], "title": "it costs", "cost": 3, "mend": {"a": 1},
        "evidence": [{"place": 1, "line": "4", "value": None}, {"place": "/x", "line": True, "value": "y"}, "z", None],
    }  # fmt: skip
    (one,) = from_record([record])
    assert one == Finding("", "hint", "it costs", (Evidence(Origin(""), ""), Evidence(Origin("/x"), "y")))


@pytest.mark.parametrize("rows", [
    None, 3, ["x"], (1, "x", ()), (("a", "error", "t"),), (("a", "error", "", (), "", ""),), ((1, 2, 3, 4, 5, 6),),
])  # fmt: skip
def test_rows_of_a_damaged_journal_are_none(rows: Any) -> None:
    run = reduce_run(None, [STARTED, e.ContradictionsSeen(1.0, rows)])
    assert run is not None
    assert run.findings == () == from_event(e.ContradictionsSeen(1.0, rows))


@pytest.mark.parametrize("changes", [
    (), None, 3, (1, 2), ((), (), ()), ((1,), ()), ((("/x", ("a",), 1),), ()), ((("x", ("a",), 1, ""),), ()),
    ((("/x", (1,), 1, ""),), ()), ((("/x", ("a",), {}, ""),), ()), ((("/x", ("a",), ("b", 1), ""),), ()),
    ((("/x", ("a",), "b" * 9000, ""),), ()), ((("/x", ("a",), 1, ""),) * (MAX_CHANGES + 1), ()),
    ((("/x", ("a",), 1, ""), 3), ()),
])  # fmt: skip
def test_changes_of_another_form_leave_the_findings_without_a_mend(changes: Any) -> None:
    rows = seen(1.0, (LINKER, CACHE)).findings
    assert from_event(e.ContradictionsSeen(1.0, rows, changes)) == (LINKER, CACHE._replace(changes=()))


def test_a_journal_of_a_version_that_kept_diffs_is_read_without_them() -> None:
    diff = '--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n token = "planted"\n-incremental = true\n'
    row = ("sccache-incremental", "warning", "t", (("/w/c.toml", 4, "x = 1"),), "c", diff)
    told = e.from_record({"event": "ContradictionsSeen", "at": 1.0, "findings": [list(row)]})
    assert isinstance(told, e.ContradictionsSeen)
    place = Evidence(Origin("/w/c.toml", 4), "x = 1")
    assert from_event(told) == (Finding("sccache-incremental", "warning", "t", (place,), "c"),)
    (found,) = from_record([{**CACHE.record(), "mend": diff}])
    assert found.mend == ""


def test_findings_of_several_places_are_told_once_each_worst_first() -> None:
    assert merged((HINT, CACHE), (LINKER, CACHE._replace(cost="other")), (LINKER,)) == (LINKER, CACHE, HINT)


def test_a_diff_is_never_kept() -> None:
    with_diff = CACHE._replace(mend="--- a\n+++ b\n token = planted\n")
    assert "planted" not in json.dumps([with_diff.record(), e.to_record(seen(1.0, (with_diff,)))])
    assert from_event(seen(1.0, (with_diff,))) == (CACHE,) == from_record([with_diff.record()])


def test_there_is_a_bound_to_what_is_kept() -> None:
    place = {"place": "p" * 9000, "line": 1, "value": "v" * 9000}
    flood = {"id": "i" * 500, "severity": "hint", "title": "t" * 9000, "cost": "c" * 9000, "mend": "m" * 99_000,
             "evidence": [place] * 500}  # fmt: skip
    found = from_record([flood] * 500 + [LINKER.record()])
    assert len(found) == MAX_FINDINGS
    assert found[0] == LINKER
    assert len(found[1].evidence) == MAX_PLACES
    assert found[1].title.endswith("t…")
    assert found[1].mend == ""
    assert len(json.dumps(e.to_record(seen(1.0, found[1:2])))) < 160_000


def write_run(paths: Paths, *events: e.Event, findings: Any = None) -> str:
    run = "20260101-120000-000-aaaa"
    folder = Path(paths.run(run))
    folder.mkdir(parents=True)
    record = {"schema": 1, "run": run, "agent": "a", "command": "build", "tool": "cargo", "subcommand": "build",
              "cwd": "/w", "started": 1.0, "findings": findings}  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record))
    if events:
        JournalWriter(str(folder / "events.jsonl"), run).append([*events])
    return run


def test_the_board_has_findings_before_any_engine_saw_the_run(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path), str(tmp_path / "cache"))
    run = write_run(paths, findings=[CACHE.record()])
    Path(paths.open).mkdir()
    Path(paths.open, run).touch()
    assert Reader(paths, lambda: 2.0).poll().runs[run].findings == (CACHE,)


def test_the_board_has_findings_of_a_run_that_is_over(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path), str(tmp_path / "cache"))
    run = write_run(paths, STARTED, seen(1.0, (CACHE,)), ENDED)
    content = Path(paths.run(run), "events.jsonl").read_bytes()
    skimmed = skim_run(content, "x")
    assert skimmed is not None
    assert skimmed.findings == (CACHE,)
    assert Reader(paths, lambda: 10.0, shown_for_s=1e10).read_all().runs[run].findings == (CACHE,)


def test_a_journal_of_an_older_version_has_none(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path), str(tmp_path / "cache"))
    run = write_run(paths, STARTED, ENDED)
    assert Reader(paths, lambda: 10.0, shown_for_s=1e10).read_all().runs[run].findings == ()


def test_an_engine_writes_findings_behind_the_start_and_no_event_where_there_are_none(tmp_path: Path) -> None:
    world = World(tmp_path)
    try:
        world.start("r1", findings=[CACHE.record(), HINT.record()])
        world.start("r2", findings=[])
        settle(world.engine())
        assert [type(event) for event in world.events("r1")[:2]] == [e.RunStarted, e.ContradictionsSeen]
        record = read_record(world.paths, "r1")
        assert record is not None
        assert tuple(world.events("r1")[:2]) == record.begun
        assert not any(isinstance(event, e.ContradictionsSeen) for event in world.events("r2"))
        world.die("r1")
        settle(world.engine())  # another engine does not say it twice
        told = read_journal(str(world.run_folder("r1") / "events.jsonl")).events
        assert sum(isinstance(event, e.ContradictionsSeen) for event in told) == 1
    finally:
        world.close()


def test_a_plan_has_mode_findings_and_what_each_setting_is_made_of() -> None:
    plan = plan_of({
        "mode": "dev", "mode_origin": "DECK_MODE", "findings": [HINT.record()],
        "plan": [{"setting": "debug", "value": "0", "by": "mode", "reason": "r", "cost": "0.9 ×",
                  "origin": "/w/deck.toml:3", "flags": ["--config", "profile.dev.debug=0"], "env": {"X": "1"}}],
    })  # fmt: skip
    assert (plan.mode, plan.mode_origin, plan.findings) == ("dev", "DECK_MODE", (HINT,))
    (one,) = plan.settings
    assert (one.by, one.cost, one.origin, one.env) == ("mode", "0.9 ×", "/w/deck.toml:3", (("X", "1"),))
    assert one.flags == ("--config", "profile.dev.debug=0")


def test_a_plan_of_wrong_kinds_is_read_as_far_as_it_goes() -> None:
    plan = plan_of({
        "mode": ["dev"], "mode_origin": 3, "findings": {"x": 1},
        "plan": [{"setting": "lto", "by": 3, "cost": [], "origin": {}, "flags": "x", "env": ["y"]}, 7],
    })  # fmt: skip
    assert (plan.mode, plan.mode_origin, plan.findings) == ("", "", ())
    (one,) = plan.settings
    assert (one.setting, one.value, one.by, one.cost, one.origin, one.flags, one.env) == ("lto", "", "", "", "", (), ())


def test_the_diff_is_made_of_the_file_as_it_is_after_credentials_were_masked(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[build]\nincremental = true\n")
    change = Change(str(config), ("build", "incremental"), False, str(tmp_path))
    record = safe_record(CACHE._replace(changes=(change,)).record(), {})
    (found,) = mended(from_record([json.loads(json.dumps(record))]))
    assert "-incremental = true\n+incremental = false\n" in found.mend


@pytest.mark.parametrize("changes", [
    3, ["x"], [{}], [{"path": "x", "setting": ["a"], "base": ""}], [{"path": "/nowhere/at/all", "setting": ["a"],
    "base": ""}], [{"path": "/", "setting": ["a"], "base": ""}], [{"path": "/x", "setting": [], "base": ""}],
    [{"path": "/x\0y", "setting": ["a"], "base": ""}],
])  # fmt: skip
def test_changes_that_cannot_be_made_are_no_mend(changes: Any) -> None:
    (found,) = mended(from_record([{**CACHE.record(), "mend": "", "changes": changes}]))
    assert found.mend == ""


def test_a_file_that_never_ends_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.toml")
    change = Change(str(tmp_path / "config.toml"), ("build", "jobs"), 2)
    (found,) = mended((CACHE._replace(mend="", changes=(change,)),))
    assert found.mend == ""
