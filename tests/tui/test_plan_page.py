"""The plan of a run beside its log: whose each setting is, why, and what was executed; of any version's record."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.facts import LATE_PLAN
from core.paths import Paths
from core.run_plan import Plan, plan_of, read_plan
from tests.scene import board_at
from tests.tui.conftest import Stage
from tests.tui.finding_scene import CACHE, HINT, LINKER, SETTINGS, find, live, record
from tests.tui.screen_text import settled, text_of
from tui import dossier
from tui.pages import plan
from tui.pages.scene import Scene
from tui.screens.finding import FindingScreen
from tui.screens.sheet import SheetScreen

RUN = next(iter(board_at(20.0).runs.values()))
NEW = {
    "plan": [one.record() for one in SETTINGS], "findings": [CACHE.record(), HINT.record()], "mode": "dev",
    "mode_origin": "DECK_MODE", "typed": ["test"], "launch": {"argv": ["cargo", "test", "--config", "x"]},
}  # fmt: skip
OLD = {"plan": [{"setting": "jobs", "value": "4", "reason": "two agents share 8 cores"}], "typed": ["test"],
       "launch": {"argv": ["cargo", "test"]}}  # fmt: skip


def scene(known: dict[str, Any], width: int = 46) -> Scene:
    return Scene(RUN, plan=plan_of(known), folder="/logs", width=width)


def names(shown: Scene) -> list[str]:
    return [row.cells[0].text.strip() for row in plan.content(shown).rows]


def summary(known: dict[str, Any]) -> str:
    return "".join(part.text for part in plan.content(scene(known)).summary).strip()


def detail(shown: Scene, name: str) -> list[str]:
    key = plan.content(shown).rows[names(shown).index(name)].key
    return [cell.text for cell in plan.detail(shown, key)]


def test_findings_come_first_then_settings_by_whose_they_are_then_what_was_executed() -> None:
    assert names(scene(NEW)) == [
        "⚠ warning", "hint", "set for this run", "debug", "jobs", "yours", "linker", "cargo's own", "strip",
        "as started", "typed", "executed", "env added", "folder", "logs",
    ]  # fmt: skip


def test_the_first_line_says_the_mode_and_who_chose_it() -> None:
    assert summary(NEW) == "mode dev · by DECK_MODE · 2 set for this run"
    assert summary({**NEW, "mode": None, "mode_origin": ""}) == "no mode · 2 set for this run"
    assert summary({**NEW, "mode_origin": None}) == "mode dev · 2 set for this run"
    assert summary({**NEW, "mode": None, "plan": [SETTINGS[3].record()]}) == "no mode · no setting was changed"
    assert summary({**NEW, "plan": []}) == "mode dev · by DECK_MODE · no setting was changed"


def test_a_wide_page_has_whose_and_a_wider_one_what_it_costs() -> None:
    titles = [[column.title for column in plan.content(scene(NEW, width)).columns] for width in (46, 66, 100)]
    assert titles == [["setting", "value"], ["setting", "value", "whose"], ["setting", "value", "whose", "cost"]]
    row = plan.content(scene(NEW, 100)).rows[3]
    assert [cell.text for cell in row.cells] == [
        "debug", "line-tables-only", "mode", "a second copy of each unit; 0.6 × memory",
    ]  # fmt: skip


def test_a_setting_in_full_has_reason_cost_place_and_what_cargo_was_told() -> None:
    assert detail(scene(NEW), "debug") == [
        "debug · mode dev", "line-tables-only", "backtraces have lines",
        "cost: a second copy of each unit; 0.6 × memory", "stands in /w/deck.toml:3",
        'told to cargo: --config profile.dev.debug="line-tables-only"',
    ]  # fmt: skip
    assert detail(scene(NEW), "jobs") == [
        "jobs · cargo-deck's choice", "2", "three agents share 8 cores", "variable NUM_JOBS=2",
    ]  # fmt: skip
    assert detail(scene(NEW), "linker")[0] == "linker · your own setting"
    assert detail(scene(NEW), "strip")[0] == "strip · what cargo does by itself"


def test_a_finding_in_full_has_places_cost_and_mend() -> None:
    said = detail(scene(NEW), "⚠ warning")
    assert said[0] == "⚠ sccache never caches incremental crates"
    assert "CARGO_INCREMENTAL says 1" in said
    assert "in /home/ada/.cargo/config.toml: [build] incremental becomes false" in said


def test_a_run_of_an_older_version_is_told_as_it_was() -> None:
    shown = scene(OLD)
    assert summary(OLD) == "1 decided by cargo-deck"
    assert names(shown)[:4] == ["jobs", "as started", "typed", "executed"]
    assert detail(shown, "jobs") == ["jobs", "4", "two agents share 8 cores"]
    assert [column.title for column in plan.content(scene(OLD, 100)).columns] == ["setting", "value"]
    assert summary({}) == "nothing was changed"


def test_a_path_keeps_its_end() -> None:
    long = {**OLD, "plan": [{"setting": "target-dir", "value": "/home/ada" + "/deep" * 20 + "/target"}]}
    for width in (40, 66, 100):
        cell = plan.content(scene(long, width)).rows[0].cells[1].text
        assert cell.startswith("…")
        assert cell.endswith("/target")
        assert len(cell) <= width - 20


@pytest.mark.parametrize("known", [
    {"plan": 3}, {"plan": {"a": 1}}, {"plan": [None, 3, "x", []]}, {"plan": [{}]}, {"plan": [{"setting": None}]},
    {"plan": [{"setting": ["x"], "value": {"a": 1}, "by": 3, "flags": 7, "env": [1], "origin": {"place": 1}}]},
    {"plan": [{"setting": "x", "by": "somebody", "flags": [1, None], "env": {"A": None}}], "mode": 3, "findings": "x"},
    {"launch": 3, "typed": 7}, {"findings": [{"title": "t", "evidence": [{"line": []}]}], "mode_origin": [1]},
])  # fmt: skip
def test_a_damaged_record_is_shown_as_far_as_it_goes(known: dict[str, Any]) -> None:
    for width in (0, 10, 46, 100):
        shown = scene(known, width)
        for row in plan.content(shown).rows:
            assert plan.detail(shown, row.key)
        assert plan.detail(shown, None) == ()
        assert plan.detail(shown, "p999") == ()


def test_only_rows_of_findings_are_about_one() -> None:
    shown = scene(NEW)
    found = [plan.finding_of(shown, row.key) for row in plan.content(shown).rows]
    assert found[:3] == [0, 1, None]
    assert set(found[3:]) == {None}
    assert plan.finding_of(Scene(RUN, plan=Plan()), "p0") is None


async def test_enter_shows_a_setting_in_full_on_a_sheet_and_a_finding_on_its_own(stage: Stage) -> None:
    record(stage, live(stage), **NEW)
    app = stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1", "enter", "4")
        assert "mode dev · by DECK_MODE" in await settled(pilot)
        await pilot.press("enter")
        assert isinstance(app.screen, FindingScreen)
        await pilot.press("escape", "j", "j", "j", "enter")
        await pilot.pause()
        assert isinstance(app.screen, SheetScreen)
        assert "told to cargo: --config profile.dev.debug" in text_of(pilot)


async def test_a_run_without_a_record_has_a_page(stage: Stage) -> None:
    lose_record(stage)
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await pilot.press("1", "enter", "4")
        assert "nothing was changed" in await settled(pilot)
        await pilot.press("enter")


def lose_record(stage: Stage) -> None:
    Path(stage.paths.run(live(stage).run), "run.json").unlink()


@pytest.mark.parametrize("size", [(40, 20), (80, 24), (120, 40)])
def test_the_plan_looks_as_it_did(stage: Stage, size: tuple[int, int], snap_compare: Any) -> None:
    run = live(stage)
    record(stage, run, **NEW, target_dir="/home/ada/src/claude-1/target")
    stage.board = replace(stage.board, runs={run.run: replace(run, cwd="/home/ada/src/claude-1")})

    async def open_it(pilot: Any) -> None:
        await pilot.press("1", "enter", "4")
        await settled(pilot)

    assert snap_compare(stage.app(), terminal_size=size, run_before=open_it)


async def test_a_plan_that_is_made_while_the_run_is_looked_at_is_shown(stage: Stage) -> None:
    run = live(stage)
    record(stage, run, is_planned=False, plan=[], findings=[])
    app = stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1", "enter", "4")
        assert "mode dev" not in await settled(pilot)
        write_plan(stage)
        stage.now += 1
        assert "mode dev · by DECK_MODE" in await settled(pilot)


def write_plan(stage: Stage) -> None:
    Path(stage.paths.run(live(stage).run), LATE_PLAN).write_text(json.dumps(NEW))


async def test_what_was_found_later_is_on_the_page_too_and_nothing_twice(stage: Stage) -> None:
    run = find(stage, live(stage), LINKER, CACHE)
    record(stage, run, **NEW)
    app = stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1", "enter", "4")
        shown = await settled(pilot)
        assert shown.index("⚠ error") < shown.index("⚠ warning") < shown.index("hint")
        assert shown.count("⚠ warning") == 1
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, FindingScreen)
        assert "the linker mold is not there" in text_of(pilot)


def test_a_plan_that_lands_while_the_record_is_read_is_not_missed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = read_plan

    def slowly(paths: Paths, run: str) -> Plan:
        before = read(paths, run)
        write_plan(stage)
        monkeypatch.setattr(dossier, "read_plan", read)
        return before

    monkeypatch.setattr(dossier, "read_plan", slowly)
    run = live(stage)
    record(stage, run, is_planned=False, plan=[], findings=[])
    assert dossier.Dossier(stage.paths, run.run, lambda run, stream: pytest.fail(stream)).plan.mode == "dev"
