"""One run on a screen of its own: log and pages, their numbers, and what keys do."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from textual.pilot import Pilot

from core import events as e
from core.reduce import reduce_run
from core.state import Board, Run, RunState
from core.watch.run_processes import RunProcess
from tests.scene import T0
from tests.tui.conftest import Stage
from tests.tui.screen_text import painted_at_rest, settled, text_of
from tests.tui.sizes import PICTURED
from tui.screens.board import BoardScreen
from tui.screens.run import RunScreen
from tui.widgets.log_panel import LogPanel
from tui.widgets.log_view import LogView
from tui.widgets.side import Side

RUN = "20251229-100000-000-beef"
WARNING = "warning: unused variable: `k`\n --> src/a.rs:88:9\n  |\n88 |     let k = 1;\n  |         ^\n"
ERROR = (
    "error[E0308]: mismatched types\n --> src/b.rs:41:18\n  |\n41 |     self.edges.len()\n  |     ^^^^ expected `u32`\n"
)
LOG = f"""\
    Blocking waiting for file lock on build directory
   Compiling leaf v1.0.0
   Compiling app v0.1.0 (/home/ada/app)
{WARNING}
{ERROR}
    Finished `test` profile
     Running tests/cli.rs (target/debug/deps/cli-1)

running 4 tests
test reads ... ok
test writes ... FAILED
test tells ... ok
test waits ... ignored

failures:

---- writes stdout ----
writing now

thread 'writes' (77) panicked at tests/cli.rs:12:5:
assertion failed: no disk

failures:
    writes

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
"""


def journal() -> list[e.Event]:
    """A test run of 30 s: a lock is waited for, two units are compiled, one is fresh, a test fails."""
    at = T0
    lines, size = LOG.count("\n"), len(LOG)
    built = LOG[: LOG.index("    Finished")].count("\n")
    return [
        e.RunStarted(at, RUN, "ada", "test -p app filter", "cargo", "test", "/home/ada/app", "/home/ada/app", "/t",
                     False, False, False),
        e.TypicalRecalled(at, 20.0, (("leaf", 4.0), ("app", 9.0)), 5),
        e.LockWaitBegan(at + 1, "build directory"), e.LockWaitEnded(at + 4),
        e.ProgressMoved(at + 4, 0, 3, ("leaf",), "units"),
        e.UnitFinished(at + 4, "libc", "libc", "0.2.0", "lib", True, None),
        e.UnitFinished(at + 10, "leaf", "leaf", "1.0.0", "lib", False, 6.0),
        e.ProgressMoved(at + 10, 2, 3, ("app",), "units"),
        e.OutputGrew(at + 12, "out", built, LOG.index("    Finished")),
        e.UnitDirtied(at + 12, "leaf", "the file `src/lib.rs` has changed"),
        e.DiagnosticEmitted(at + 12, "warning", "unused variable: `k`", "unused_variables", "src/a.rs", 88, 9, WARNING),
        e.DiagnosticEmitted(at + 12, "error", "mismatched types", "E0308", "src/b.rs", 41, 18, ERROR),
        e.UnitFinished(at + 22, "app", "app", "0.1.0", "lib", False, 12.0),
        e.BuildFinished(at + 22, True),
        e.TestSuiteStarted(at + 22, "tests/cli.rs", 4),
        e.TestFinished(at + 22, "reads", "tests/cli.rs", "ok", None),
        e.TestFinished(at + 22, "writes", "tests/cli.rs", "failed", None),
        e.TestFinished(at + 22, "tells", "tests/cli.rs", "ok", None),
        e.TestFinished(at + 22, "waits", "tests/cli.rs", "ignored", None),
        e.TestsCounted(at + 22, 2, 1, 1),
        e.OutputGrew(at + 22, "out", lines, size),
        e.RunEnded(at + 30, 101, None, 30.0, 60.0, 4.0, 900_000_000, None),
    ]  # fmt: skip


def play(stage: Stage, events: list[e.Event]) -> Run:
    """Put a run on the stage, with journal, log and record."""
    folder = Path(stage.paths.run(RUN))
    folder.mkdir(exist_ok=True, parents=True)
    records = [{"schema": 1, "run": RUN}, *(e.to_record(event) for event in events)]
    (folder / "events.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / "out.log").write_text(LOG)
    (folder / "run.json").write_text(json.dumps({
        "schema": 1, "run": RUN, "started": T0, "agent": "ada", "typed": ["test", "-p", "app", "filter"],
        "json": "none", "tool": "cargo",
        "plan": [{"setting": "jobs", "value": "4", "reason": "two agents share 8 cores"}],
        "target_dir": "/t", "target_source": "user", "parser": "cargo", "progress": False,
        "launch": {"argv": ["cargo", "test", "-p", "app", "-j4", "filter"], "env": {"CARGO_X": "secret"}, "unset": [],
                   "path_front": [], "wrappers": []},
        "env": {"RUSTFLAGS": "-g", "TOKEN": None},
    }))  # fmt: skip
    run = reduce_run(None, events)
    assert run is not None
    stage.now = T0 + 31
    stage.board = Board(MappingProxyType({RUN: run}), now=stage.now, engine_seen_at=stage.now)
    return run


def spoil(stage: Stage) -> None:
    """A journal of a version to come, and no record."""
    Path(stage.paths.run(RUN), "events.jsonl").write_text('{"schema": 99, "run": "x"}\n')
    Path(stage.paths.run(RUN), "run.json").write_text("{")


async def opened(pilot: Pilot[Any], *keys: str) -> str:
    await pilot.press("enter", *keys)
    return await settled(pilot)


def row(shown: str, *words: str) -> str:
    """The one row that holds all these words."""
    found = [line for line in shown.split("\n") if all(word in line for word in words)]
    assert len(found) == 1, (words, shown)
    return found[0]


def beside(shown: str) -> str:
    """What stands at the right of the log, in the last third of the screen, its rows joined."""
    return " ".join(" ".join(line[len(line) - max(46, len(line) // 3) + 1 :].split()) for line in shown.split("\n"))


async def test_crates_have_bars_seconds_and_what_is_usual(stage: Stage) -> None:
    play(stage, journal())
    async with stage.app().run_test(size=(200, 60)) as pilot:
        shown = await opened(pilot, "1")
        assert "2 compiled · 1 fresh" in shown
        leaf, app = row(shown, "leaf ", "6.0 s", "4.0 s"), row(shown, "app ", "12.0 s", "9.0 s")
        assert "+2.0 s" in leaf
        assert "+3.0 s" in app
        lock = row(shown, "build directory", "3.0 s")
        axis = row(shown, "unit", "took")
        left, right = axis.index("0:00"), axis.index("0:30") + 4
        for line, sign, began, ended in ((leaf, "━", 4, 10), (app, "━", 10, 22), (lock, "┄", 1, 4)):
            cells = [left + second / 30 * (right - left) for second in (began, ended)]
            assert abs(line.index(sign, left) - cells[0]) <= 1
            assert abs(line.rindex(sign) + 1 - cells[1]) <= 1


async def test_the_chain_says_how_it_was_derived(stage: Stage) -> None:
    play(stage, journal())
    async with stage.app().run_test(size=(200, 60)) as pilot:
        shown = await opened(pilot, "1")
        assert "Chain that ended the build: 2 units, 18.0 s" in shown
        assert "◆ leaf" in shown
        assert "◆ app" in shown
        assert "Cargo.lock cannot be read" in shown


async def test_crates_can_be_ordered_by_their_start(stage: Stage) -> None:
    play(stage, journal())
    async with stage.app().run_test(size=(120, 40)) as pilot:
        shown = await opened(pilot, "1")
        assert shown.index("◆ app") < shown.index("◆ leaf")
        shown = await opened(pilot, "O")
        assert shown.index("build directory ") < shown.index("◆ leaf") < shown.index("◆ app")
        assert "by start" in shown


async def test_enter_on_a_unit_or_a_wait_goes_to_its_line(stage: Stage) -> None:
    play(stage, journal())
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "1", "g", "enter")
        log = app.screen.query_one(LogView)
        assert log.current == next(i for i, line in enumerate(LOG.split("\n")) if "Compiling app v0.1.0" in line)
        await opened(pilot, "tab", "G", "enter")
        assert log.current == 0


async def test_the_chosen_unit_stays_chosen_when_it_is_done(stage: Stage) -> None:
    play(stage, journal()[:8])
    stage.now = T0 + 15
    async with stage.app().run_test(size=(120, 40)) as pilot:
        await opened(pilot, "1", "g")
        chosen = pilot.app.screen.query_one(Side).table.chosen
        assert chosen is not None
        assert chosen.endswith(" app")
        play(stage, journal())
        shown = await settled(pilot)
        assert pilot.app.screen.query_one(Side).table.chosen == chosen
        assert "took 12.0 s" in beside(shown)


async def test_the_last_line_names_the_keys_of_the_page(stage: Stage) -> None:
    play(stage, journal())
    async with stage.app().run_test(size=(200, 60)) as pilot:
        for page, word in (("1", "O order"), ("2", "o open"), ("3", "R retry")):
            shown = await opened(pilot, page)
            assert word in shown.split("\n")[-1]
            assert "/ search" not in shown.split("\n")[-1]
        assert "/ search" in (await opened(pilot, "tab", "tab")).split("\n")[-1]


async def test_a_running_unit_says_what_it_probably_has_left(stage: Stage) -> None:
    play(stage, journal()[:8])
    stage.now = T0 + 15
    async with stage.app().run_test(size=(200, 60)) as pilot:
        shown = await opened(pilot, "1")
        assert "1 running" in shown
        assert "≈4.0 s" in row(shown, " app ", "5.0 s", "9.0 s")
        assert "known when the build is over" in shown
        stage.now = T0 + 21
        shown = await settled(pilot)
        assert "+2.0 s" in row(shown, " app ", "11.0 s", "9.0 s")


async def test_a_run_that_failed_opens_with_what_failed(stage: Stage) -> None:
    run = play(stage, journal())
    async with stage.app().run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        assert pilot.app.screen.query_one(Side).page == "tests"
        stage.board = replace(stage.board, runs=MappingProxyType({RUN: replace(run, tests_failed=0)}))
        await pilot.press("escape")
        await opened(pilot)
        assert pilot.app.screen.query_one(Side).page == "errors"


async def test_errors_come_first_and_enter_goes_to_their_place(stage: Stage) -> None:
    play(stage, journal())
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        shown = await opened(pilot, "2")
        errors, warnings = (len(re.findall(form, LOG, re.MULTILINE)) for form in (r"^error\[", r"^warning: "))
        assert f"{errors} error · {warnings} warning" in shown
        assert shown.index("✗  mismatched") < shown.index("!  unused")
        await pilot.press("enter")
        await settled(pilot)
        log = app.screen.query_one(LogView)
        assert log.current == LOG.split("\n").index("error[E0308]: mismatched types")
        assert log.has_focus
        await pilot.press("tab", "j", "enter")
        await settled(pilot)
        assert log.current == LOG.split("\n").index("warning: unused variable: `k`")


async def test_failed_tests_come_first_with_what_they_printed(stage: Stage) -> None:
    play(stage, journal())
    async with stage.app().run_test(size=(200, 60)) as pilot:
        shown = await opened(pilot, "3")
        result = re.search(r"(\d+) passed; (\d+) failed; (\d+) ignored", LOG)
        assert result is not None
        assert f"{result[2]} failed · {result[3]} ignored · {result[1]} passed · 1 suite" in shown
        places = [shown.index(f"{sign}  {name}") for sign, name in (("✗", "writes"), ("■", "waits"), ("✓", "reads"))]
        assert places == sorted(places)
        right = [line[len(line) * 2 // 3 :] for line in shown.split("\n")]
        assert any("writing now" in line for line in right)
        assert any("assertion failed: no disk" in line for line in right)
        await pilot.press("enter")
        await settled(pilot)
        assert pilot.app.screen.query_one(LogView).current == LOG.split("\n").index("---- writes stdout ----")


async def test_a_test_is_run_again_alone_in_the_same_place(stage: Stage) -> None:
    play(stage, journal())
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, "3", "R")
        assert stage.asked == [{
            "do": "start", "agent": "ada", "cwd": "/home/ada/app", "tool": "cargo", "env": {"RUSTFLAGS": "-g"},
            "argv": ["test", "-p", "app", "writes", "--", "--exact"],
        }]  # fmt: skip
        await pilot.press("2", "R")
        assert len(stage.asked) == 1


@pytest.mark.parametrize(("page", "expected"), [("2", ["+41", "src/b.rs"]), ("3", ["+12", "tests/cli.rs"])])
async def test_the_editor_opens_where_it_went_wrong(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, expected: list[str]
) -> None:
    events = journal()
    events[0] = replace(events[0], cwd=str(tmp_path), checkout=str(tmp_path))  # type: ignore[call-arg]
    play(stage, events)
    for name in ("src/b.rs", "tests/cli.rs"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("")
    started: list[list[str]] = []
    monkeypatch.setattr("tui.editor.subprocess.run", lambda argv, check: started.append(argv))
    monkeypatch.setenv("VISUAL", "vim")
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        monkeypatch.setattr(type(app), "suspend", lambda self: pytest.MonkeyPatch.context())
        await opened(pilot, page, "o")
    assert started == [["vim", expected[0], str(tmp_path / expected[1])]]


async def test_the_plan_tells_what_was_executed_without_values_of_the_environment(stage: Stage) -> None:
    play(stage, journal())
    async with stage.app().run_test(size=(200, 60)) as pilot:
        shown = await opened(pilot, "4")
        assert "two agents share 8 cores" in shown
        assert "cargo test -p app -j4 filter" in row(shown, "executed")
        assert "CARGO_X" in row(shown, "env added")
        assert "secret" not in shown
        await pilot.press("G", "k", "k")
        assert "named by the caller" in (await settled(pilot))


async def test_why_gives_cargos_reason_or_how_to_get_one(stage: Stage) -> None:
    play(stage, journal())
    async with stage.app().run_test(size=(200, 60)) as pilot:
        shown = await opened(pilot, "5")
        assert "2 compiled · 1 fresh · cargo gave 1 reason" in shown
        assert "leaf" in row(shown, "the file `src/lib.rs` has changed", "▸")
        assert row(shown, "app ", "–")
    events = [event for event in journal() if not isinstance(event, e.UnitDirtied)]
    play(stage, events)
    async with stage.app().run_test(size=(200, 60)) as pilot:
        shown = await opened(pilot, "5")
        assert "cargo test -v -p app filter" in beside(shown)


async def test_processes_are_looked_at_once_a_second_and_only_while_they_are_shown(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(stage, journal()[:8])
    looks: list[str] = []

    def look(paths: object, run: str) -> tuple[RunProcess, ...]:
        looks.append(run)
        return (
            RunProcess(4121, 0, "cargo", "cargo test", 1.5, 90_000_000, "cargo", "", 9_000_000, 40_000_000),
            RunProcess(
                4130,
                1,
                "rustc",
                "rustc --crate-name app",
                3.0,
                1_600_000_000,
                "rustc",
                "app(bin)",
                1_300_000_000,
                1_400_000_000,
                5_000_000,
                None,
            ),
        )

    monkeypatch.setattr("core.watch.run_processes.look", look)
    async with stage.app().run_test(size=(200, 60)) as pilot:
        await opened(pilot, "1")
        stage.now += 1
        await settled(pilot)
        assert looks == []
        shown = await opened(pilot, "6")
        assert "2 processes · cpu 4.5 s · anonymous 1.3 G · PSS 1.4 G" in shown
        assert "1.3 G" in row(shown, "  rustc app(bin)", "3.0 s", "4130", "1.6 G")
        assert len(looks) == 1
        await settled(pilot)
        assert len(looks) == 1
        stage.now += 1
        await settled(pilot)
        assert len(looks) == 2


async def test_while_a_run_stops_it_is_said_who_is_still_alive(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    play(stage, [*journal()[:8], e.StopAsked(T0 + 14, "request", is_kill=False)])
    alive = (RunProcess(4130, 0, "rustc", "rustc", 3.0, 1_000_000, "rustc"),)
    monkeypatch.setattr("core.watch.run_processes.look", lambda paths, run: alive)
    async with stage.app().run_test(size=(120, 40)) as pilot:
        shown = await opened(pilot, "6")
        assert "still alive while it stops · 1 process" in shown
        assert "4130" in row(shown, "rustc", "3.0 s")


async def test_an_older_tool_has_no_units_tests_or_errors_and_says_so(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        runs = list(stage.board.runs.values())
        number = next(i for i, run in enumerate(runs, 1) if run.tool == "exec")
        await pilot.press(str(number))
        assert "cmake does not say which units it compiles." in beside(await opened(pilot, "1"))
        assert "No error and no warning so far." in await opened(pilot, "2")
        assert "No test ran yet." in await opened(pilot, "3")


@pytest.mark.parametrize("size", [(40, 20), (80, 24), (109, 30)])
async def test_on_a_narrow_screen_log_and_list_are_two_pages(stage: Stage, size: tuple[int, int]) -> None:
    play(stage, journal())
    async with stage.app().run_test(size=size) as pilot:
        await opened(pilot)
        side, log = pilot.app.screen.query_one(Side), pilot.app.screen.query_one(LogView)
        seen = [(side.region.width, log.region.width)]
        for key in ("tab", "shift+tab", "i", "i", "2", "escape"):
            await pilot.press(key)
            seen.append((side.region.width, log.region.width))
        assert [(bool(list_), bool(text)) for list_, text in seen] == [
            (False, True), (True, False), (False, True), (True, False), (False, True), (True, False), (False, True),
        ]  # fmt: skip
        assert isinstance(pilot.app.screen, RunScreen)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, BoardScreen)


async def test_tab_moves_between_log_and_list_and_the_list_can_be_put_away(stage: Stage) -> None:
    play(stage, journal())
    async with stage.app().run_test(size=(120, 40)) as pilot:
        await opened(pilot, "1")
        side, log = pilot.app.screen.query_one(Side), pilot.app.screen.query_one(LogView)
        assert side.table.has_focus
        beside = log.region.width
        assert abs(beside - 120 * 2 / 3) <= 6
        await pilot.press("shift+tab")
        assert log.has_focus
        await pilot.press("tab")
        assert side.table.has_focus
        await pilot.press("i")
        assert log.has_focus
        assert log.region.width > beside + 30


async def test_the_board_shows_at_once_what_happened_while_a_run_was_looked_at(stage: Stage) -> None:
    run = play(stage, journal()[:8])
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        stage.board = replace(stage.board, runs=MappingProxyType({RUN: replace(run, command="check --brand-new")}))
        app.pull()
        await pilot.press("escape")
        assert isinstance(app.screen, BoardScreen)
        assert "check --brand-new" in text_of(pilot)


async def test_a_run_that_was_stopped_claims_no_chain(stage: Stage) -> None:
    stopped = e.RunEnded(T0 + 14, None, 2, 14.0, 20.0, 1.0, 0, "request")
    play(stage, [*journal()[:8], stopped])
    async with stage.app().run_test(size=(200, 60)) as pilot:
        shown = await opened(pilot, "1")
        assert "it did not come to its end" in shown
        assert "◆" not in shown
        assert "1 compiled · 1 fresh · 1 not finished" in shown
        assert "cpu 21.0 s in all · largest process –" in await opened(pilot, "6")


async def test_a_click_on_a_tab_shows_its_page(stage: Stage) -> None:
    play(stage, journal())
    async with stage.app().run_test(size=(120, 40)) as pilot:
        shown = await opened(pilot)
        y, line = next((y, line) for y, line in enumerate(shown.split("\n")) if "Crates Errors" in line)
        await pilot.click(offset=(line.index("Plan") + 1, y))
        assert pilot.app.screen.query_one(Side).page == "plan"


async def test_nothing_is_painted_while_nothing_changes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    play(stage, journal())
    async with stage.app().run_test(size=(120, 40)) as pilot:
        await opened(pilot, "1")
        assert await painted_at_rest(pilot, monkeypatch) == []


async def test_what_was_lost_or_cannot_be_read_is_said(stage: Stage) -> None:
    run = play(stage, journal()[:8])
    spoil(stage)
    lost = replace(run, state=RunState.LOST, survivors=(77, 78))
    stage.board = replace(stage.board, runs=MappingProxyType({RUN: lost}))
    async with stage.app().run_test(size=(200, 60)) as pilot:
        assert "has schema 99, this" in beside(await opened(pilot, "1"))
        assert "home/ada/app" in await opened(pilot, "4")
        await pilot.press("6")
        assert "still alive then: 77, 78" in await settled(pilot)


@pytest.mark.parametrize("size", [(40, 20), (120, 40)])
async def test_hostile_text_is_shown_as_text_on_every_page(stage: Stage, size: tuple[int, int]) -> None:
    bad = "\x1b]52;c;aGk=\x07\u202e[red]\x9b2J"
    events = [replace(event, name=bad) if isinstance(event, e.UnitFinished | e.TestFinished) else
              replace(event, message=bad, file=bad, rendered=bad) if isinstance(event, e.DiagnosticEmitted) else
              replace(event, package=bad, reason=bad) if isinstance(event, e.UnitDirtied) else event
              for event in journal()]  # fmt: skip
    play(stage, events)
    async with stage.app().run_test(size=size) as pilot:
        await opened(pilot)
        pages = []
        for page in "123456":
            await pilot.press(page)
            pages.append(shown := await settled(pilot))
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)
            assert {len(line) for line in shown.split("\n")} == {size[0]}
        assert len(set(pages)) == len(pages), "each key shows another page"


@pytest.mark.parametrize("size", PICTURED)
@pytest.mark.parametrize("page", ["crates", "errors", "tests"])
def test_the_run_screen_looks_as_it_did(stage: Stage, size: tuple[int, int], page: str, snap_compare: Any) -> None:
    play(stage, journal())

    async def look(pilot: Pilot[Any]) -> None:
        await opened(pilot, {"crates": "1", "errors": "2", "tests": "3"}[page])
        panel = pilot.app.screen.query_one(LogPanel)
        assert panel._source is not None
        panel._source = panel._source._replace(path="")  # it lies elsewhere each time
        await settled(pilot)

    assert snap_compare(stage.app(), terminal_size=size, run_before=look)
