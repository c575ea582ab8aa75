"""What defeats a build's settings: said in its pane from the start, and in full on a sheet."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.style import Style
from textual.events import MouseScrollUp

from core.plan.plan import Change, Finding
from core.state import Run, RunState
from tests.scene import board_at
from tests.tui.conftest import Stage
from tests.tui.finding_scene import CACHE, HINT, LINKER, MEND, find, live, record
from tests.tui.screen_text import painted_at_rest, settled, text_of
from tui.screens.board import BoardScreen
from tui.screens.finding import FindingScreen
from tui.screens.run import RunScreen
from tui.widgets import finding_text, pane_finding
from tui.widgets.look import ASCII, UNICODE, Glyphs, make_look
from tui.widgets.pane import PaneView, draw, log_rows
from tui.widgets.pane_grid import PaneGrid

TAIL = tuple(f"line {number}" for number in range(40))


def rows(run: Run, width: int, height: int, glyphs: Glyphs = UNICODE, **view: Any) -> list[str]:
    view = {"tail": TAIL, "why_key": "W", **view}
    shown = PaneView(1, run, 0, lines_below=None, eta_s=None, now=run.started_at + 20, is_selected=False, **view)
    return [strip.text for strip in draw(shown, width, height, make_look(glyphs, lambda _: Style.null()))]


def run_with(*findings: Finding) -> Run:
    return replace(next(iter(board_at(20.0).runs.values())), findings=tuple(findings))


def lines_with(sign: str, shown: Sequence[str]) -> list[int]:
    return [at for at, line in enumerate(shown) if sign in line]


@pytest.mark.parametrize("height", range(5, 40))
def test_the_line_stands_below_the_numbers_and_takes_one_row_of_the_log_alone(height: int) -> None:
    plain, shown = rows(run_with(), 90, height), rows(run_with(CACHE), 90, height)
    assert "⚠ sccache never caches incremental crates · W why" in shown[4]
    assert shown[1:4] == plain[1:4]
    assert len(shown) == height
    assert all(len(line) == 90 for line in shown)
    counts = [sum(" line " in line for line in drawn) for drawn in (plain, shown)]
    assert counts[0] - counts[1] in (0, 1)
    assert counts[1] == log_rows(height, has_finding=True)[1]


@pytest.mark.parametrize("height", range(5, 40))
def test_the_log_begins_where_the_wheel_looks_for_it(height: int) -> None:
    first, count = log_rows(height, has_finding=True)
    shown = rows(run_with(CACHE), 90, height)
    assert lines_with(" line ", shown) == list(range(first, first + count))


@pytest.mark.parametrize("height", [1, 2, 3, 4])
def test_in_a_small_pane_a_sign_beside_the_name_is_left(height: int) -> None:
    shown = rows(run_with(CACHE), 90, height)
    assert lines_with("⚠", shown) == [0]
    assert "claude-1 ⚠" in shown[0]
    assert shown[1:] == rows(run_with(), 90, height)[1:]


def test_what_endangers_a_build_and_what_defeats_its_settings_have_each_a_line() -> None:
    shown = rows(run_with(CACHE), 90, 12, warning="shares its target dir with desk")
    assert "⚠ sccache" in shown[4]
    assert "⚠ shares its target dir" in shown[5]


def test_hints_are_not_said_in_a_pane() -> None:
    assert rows(run_with(HINT), 90, 20) == rows(run_with(), 90, 20)


def test_the_worst_is_said_and_how_many_more_there_are() -> None:
    shown = rows(run_with(LINKER, CACHE, HINT), 90, 20)
    assert "⚠ the linker mold is not there +1 · W why" in shown[4]
    assert pane_finding.line(run_with(LINKER, CACHE), "W", 60)[0].role == "failed"
    assert pane_finding.line(run_with(CACHE), "W", 60)[0].role == "waiting"


@pytest.mark.parametrize("width", range(0, 80))
def test_the_line_fits_any_width(width: int) -> None:
    said = "".join(piece.text for piece in pane_finding.line(run_with(CACHE), "W", width))
    assert len(said) <= width


def test_without_unicode_the_signs_are_ascii() -> None:
    shown = rows(run_with(CACHE), 90, 12, ASCII)
    assert all(line.isascii() for line in shown)
    assert "! sccache never caches incremental crates" in shown[4]


@pytest.mark.parametrize("state", [RunState.DONE, RunState.FAILED, RunState.WAITING])
def test_the_line_stays_while_the_state_changes(state: RunState) -> None:
    run = run_with(CACHE)
    places = [lines_with("W why", rows(one, 90, 20)) for one in (run, replace(run, state=state))]
    assert places == [[4], [4]]


async def test_the_key_shows_title_places_cost_and_mend_and_goes_back(stage: Stage) -> None:
    find(stage, live(stage), CACHE)
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        assert "⚠ sccache never caches incremental crates · W why" in text_of(pilot)
        await pilot.press("W")
        await pilot.pause()
        shown = text_of(pilot)
        for words in (
            "⚠ sccache never caches incremental crates",
            '/home/ada/.cargo/config.toml:4 says rustc-wrapper = "sccache"',
            "CARGO_INCREMENTAL says 1",
            "cost: members are compiled again",
            "-incremental = true",
            "+incremental = false",
            "nothing is changed",
        ):
            assert words in shown
        await pilot.press("escape")
        assert isinstance(app.screen, BoardScreen)
        assert stage.asked == []


def test_each_line_of_a_mend_has_the_colour_of_what_it_does() -> None:
    assert [cell.role for cell in finding_text.diff(MEND)] == ["dim", "dim", "dim", "failed", "done"]


async def test_y_copies_the_mend_of_the_chosen_finding(stage: Stage) -> None:
    find(stage, live(stage), CACHE, LINKER, HINT)
    app = stage.app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        copied: list[str] = []
        app.copy_text = lambda text, what="": copied.append(text)  # type: ignore[method-assign]
        await pilot.press("W", "y", "tab", "y", "tab", "y", "tab", "y")
        assert copied == [LINKER.mend, MEND, LINKER.mend]
        await pilot.pause()
        await pilot.press("shift+tab")
        await pilot.pause()
        assert "▸ thin LTO would do" in text_of(pilot)


async def test_a_run_without_findings_says_so(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("W")
        await pilot.pause()
        assert "Nothing was found that defeats the settings of this build" in text_of(pilot)
        await pilot.press("y", "tab", "escape")
        assert isinstance(app.screen, BoardScreen)


async def test_the_key_works_on_the_run_and_enter_on_a_finding_of_its_plan_too(stage: Stage) -> None:
    run = find(stage, live(stage), LINKER, CACHE)
    record(stage, run, findings=[LINKER.record(), CACHE.record()])
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("1", "enter")
        await pilot.press("W")
        assert isinstance(app.screen, FindingScreen)
        await pilot.press("escape", "4", "j", "enter")
        await pilot.pause()
        assert isinstance(app.screen, FindingScreen)
        assert "▸ ⚠ sccache" in text_of(pilot)
        await pilot.press("escape")
        assert isinstance(app.screen, RunScreen)


async def test_a_key_of_the_persons_own_is_named_in_the_pane(stage: Stage) -> None:
    find(stage, live(stage), CACHE)
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.preferences.settings = replace(app.settings, keys={"run.findings": "ctrl+w"})
        app.pull()
        await pilot.pause()
        assert "crates · ^w why" in text_of(pilot)


async def test_nothing_is_painted_for_findings_while_nothing_changes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    find(stage, live(stage), CACHE)
    async with stage.app().run_test(size=(120, 40)) as pilot:
        assert await painted_at_rest(pilot, monkeypatch) == []


@pytest.mark.parametrize("size", [(40, 20), (80, 24)])
async def test_hostile_findings_are_text(stage: Stage, size: tuple[int, int]) -> None:
    bad = "\x1b]52;c;aGk=\x07[red]\x9b2J\n\u202eabc"
    hostile = Finding(bad, "error", bad, CACHE.evidence, bad, f"+{bad}")
    run = find(stage, live(stage), hostile)
    record(stage, run, findings=[hostile.record()])
    app = stage.app()
    async with app.run_test(size=size) as pilot:
        shown = text_of(pilot)
        await pilot.press("W")
        await pilot.pause()
        shown += text_of(pilot)
        await pilot.press("escape", "1", "enter", "4")
        shown += await settled(pilot)
    assert "[red]" in shown
    assert not [c for c in shown if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 or c == "\u202e"]


async def test_a_very_long_finding_scrolls(stage: Stage) -> None:
    find(stage, live(stage), CACHE._replace(mend="\n".join(f"+line {number}" for number in range(300))))
    async with stage.app().run_test(size=(60, 16)) as pilot:
        await pilot.press("W", *["pagedown"] * 60)
        await pilot.pause()
        assert "+line 299" in text_of(pilot)
        assert "esc back" in text_of(pilot)


def write_log(stage: Stage, run: Run) -> None:
    Path(stage.paths.run(run.run), "out.log").write_text("".join(f"numbered {n}\n" for n in range(300)))


async def test_the_wheel_scrolls_the_log_below_a_finding_and_nothing_above_it(stage: Stage) -> None:
    write_log(stage, find(stage, live(stage), CACHE))
    async with stage.app().run_test(size=(120, 40)) as pilot:
        grid = pilot.app.query_one(PaneGrid)
        shown = text_of(pilot).split("\n")
        first, count = log_rows(grid._places.slots[0].height, has_finding=True)
        assert "numbered" in shown[grid.region.y + first]
        assert "numbered" not in shown[grid.region.y + first - 1]
        assert "numbered 299" in shown[grid.region.y + first + count - 1]
        for row, has_scrolled in ((4, False), (first, True)):
            await pilot._post_mouse_events([MouseScrollUp], PaneGrid, offset=(5, row))
            await pilot.pause()
            assert ("more ↓" in text_of(pilot)) is has_scrolled


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_findings_look_as_they_did(stage: Stage, size: tuple[int, int], snap_compare: Any) -> None:
    find(stage, live(stage), CACHE, LINKER)
    app = stage.app()

    async def open_it(pilot: Any) -> None:
        await pilot.press("W")
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=open_it)


def of_file(path: Path) -> Finding:
    change = Change(str(path), ("build", "incremental"), None, str(path.parent))
    return CACHE._replace(mend="", changes=(change,))


async def test_the_diff_is_made_where_it_is_shown_and_shows_no_line_beside_the_change(
    stage: Stage, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[registry]\ntoken = "planted"\n[build]\nincremental = true\n[env]\nMY_TOKEN = "planted"\n')
    run = find(stage, live(stage), of_file(file))
    record(stage, run, findings=[of_file(file).record()])
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("W")
        await pilot.pause()
        shown = text_of(pilot)
        await pilot.press("escape", "1", "enter", "4")
        shown += await settled(pilot)
        await pilot.press("enter")
        await pilot.pause()
        shown += text_of(pilot)
    assert shown.count("-incremental = true") >= 2
    assert "planted" not in shown


async def test_where_the_file_is_not_there_words_say_what_to_change(stage: Stage, tmp_path: Path) -> None:
    find(stage, live(stage), of_file(tmp_path / "gone.toml"))
    async with stage.app().run_test(size=(160, 40)) as pilot:
        await pilot.press("W")
        await pilot.pause()
        assert ": [build] incremental goes away" in " ".join(text_of(pilot).split())
