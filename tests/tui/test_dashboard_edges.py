"""The dashboard where it is easily got wrong: little room, other terminals, hostile text, refusals, panes that go."""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from textual.widgets import Input, Static

from core import events as e
from core import queries
from core.errors import EngineError
from core.state import Board, InFlight, Run, RunState
from tests.scene import ERROR
from tests.tui.conftest import Stage
from tests.tui.screen_text import settled, text_of
from tui.farewell import farewell
from tui.own_program import typed_command
from tui.screens.board import BoardScreen
from tui.screens.run import RunScreen
from tui.screens.start import StartScreen
from tui.themes import THEMES
from tui.widgets import words
from tui.widgets.pane_grid import PaneGrid

HOSTILE = "\x1b]52;c;aGFjaw==\x07\x9b31m\x1b[2J[bold]x[/bold]\x1b]0;title\x1b\\ [link=https://x]"


def in_state(stage: Stage, state: RunState) -> Run:
    return next(run for run in stage.board.runs.values() if run.state is state)


def show(stage: Stage, *changed: Run, without: str = "") -> None:
    """Put another board on the stage."""
    runs = {name: run for name, run in stage.board.runs.items() if name != without}
    runs.update((run.run, run) for run in changed)
    stage.board = Board(MappingProxyType(runs), stage.now, stage.now)


def controls(text: str) -> list[str]:
    return [c for c in text if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0]


@pytest.mark.parametrize(
    ("key", "shown"),
    [("s", "Start a build"), ("question_mark", "Show the board: a pane"), ("ctrl+p", "build: stop"), ("X", "Kill"),
     ("enter", "follows the end")],
)  # fmt: skip
async def test_every_screen_opens_in_every_theme(stage: Stage, key: str, shown: str) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        for theme in THEMES:
            app.theme = theme.name
            await pilot.press(key)
            await pilot.pause()
            assert shown in text_of(pilot), theme.name
            await pilot.press("escape")
            await pilot.pause()
            assert isinstance(app.screen, BoardScreen)


async def test_four_agents_on_a_small_terminal_show_the_error_and_last_lines(stage: Stage) -> None:
    live = in_state(stage, RunState.BUILDING)
    _append(stage, live, "this is the last line\n")
    async with stage.app().run_test(size=(80, 24)) as pilot:
        shown = text_of(pilot)
        assert ERROR.splitlines()[0] in shown
        assert "this is the last line" in shown
        for run in stage.board.runs.values():
            assert run.agent in shown


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
async def test_how_long_a_run_waits_is_never_cut_off(stage: Stage, size: tuple[int, int]) -> None:
    waiting = in_state(stage, RunState.WAITING)
    text = queries.waits_text(stage.board, waiting, stage.now)
    assert text is not None
    async with stage.app().run_test(size=size) as pilot:
        assert text.rpartition(" · ")[2] in text_of(pilot)


def test_a_wait_that_does_not_fit_loses_its_lock_before_its_seconds() -> None:
    cut = words.waits("waits for claude-1's build · build directory lock · 31 s", 40)
    assert cut.startswith("waits for claude-1's build")
    assert cut.endswith("… · 31 s")
    assert len(cut) == 40


async def test_hostile_output_and_crate_names_are_shown_as_text(stage: Stage) -> None:
    live = in_state(stage, RunState.BUILDING)
    _append(stage, live, HOSTILE + " the end\n")
    show(stage, replace(live, in_flight=(InFlight(HOSTILE, stage.now - 3),), agent="[red]a[/red]"))
    async with stage.app().run_test(size=(200, 60)) as pilot:
        shown = text_of(pilot)
        assert shown.count("[bold]x[/bold]") >= 2
        assert "[red]a[/red]" in shown
        assert "the end" in shown
        assert not controls(shown)


async def test_a_hostile_error_is_shown_as_text(stage: Stage) -> None:
    failed = in_state(stage, RunState.FAILED)
    error = e.DiagnosticEmitted(stage.now, "error", HOSTILE, None, None, None, None, HOSTILE + " first", None)
    show(stage, replace(failed, diagnostics=(error,)))
    async with stage.app().run_test(size=(120, 40)) as pilot:
        assert "[bold]x[/bold]" in text_of(pilot)
        assert not controls(text_of(pilot))


async def test_the_highlight_stays_with_its_agent_when_another_goes(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("3")
        assert app.chosen is not None
        agent = app.chosen.agent
        show(stage, without=next(iter(stage.board.runs)))
        app.pull()
        await pilot.pause()
        assert app.chosen is not None
        assert app.chosen.agent == agent


async def test_a_forgotten_run_closes_its_log(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("1", "enter")
        assert isinstance(app.screen, RunScreen)
        show(stage, without=next(iter(stage.board.runs)))
        app.pull()
        await pilot.pause()
        assert isinstance(app.screen, BoardScreen)


async def test_a_refusal_is_shown_as_the_engine_said_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(message: dict[str, object]) -> dict[str, object]:
        raise EngineError(f"run {message['run'] and 'x'} is [not] ours")

    monkeypatch.setattr(stage, "request", refuse)
    app = stage.app()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press(str(_place(stage, in_state(stage, RunState.BUILDING))), "x")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "run x is [not] ours" in text_of(pilot)
        app.pull()
        await pilot.pause()
        assert "stopping" not in text_of(pilot)


async def test_restart_and_forget_are_asked_only_where_they_make_sense(stage: Stage) -> None:
    live, over = in_state(stage, RunState.BUILDING), in_state(stage, RunState.FAILED)
    show(stage, replace(live, is_owned=True))
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(str(_place(stage, live)), "f", "r")
        await app.workers.wait_for_complete()
        assert stage.asked == []
        await pilot.press(str(_place(stage, over)), "r", "f", "n", "f")
        assert "Forget codex's build?" in text_of(pilot)
        await pilot.press("y")
        await app.workers.wait_for_complete()
        assert stage.asked == [{"do": "restart", "run": over.run}, {"do": "forget", "run": over.run}]


@pytest.mark.parametrize(
    ("typed", "tool", "argv"),
    [("cargo test -p 'a b'", "cargo", ["test", "-p", "a b"]), ("test -p 'a b'", "cargo", ["test", "-p", "a b"]),
     ("sh -c true", "exec", ["sh", "-c", "true"]), ("exec -- test -d x", "exec", ["test", "-d", "x"])],
)  # fmt: skip
async def test_the_start_dialog_asks_for_what_was_typed(
    stage: Stage, tmp_path: Path, typed: str, tool: str, argv: list[str]
) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("s")
        for name, value in (("cwd", str(tmp_path)), ("agent", "me"), ("command", typed)):
            app.screen.query_one(f"#{name}", Input).value = value
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        assert stage.asked == [{"do": "start", "agent": "me", "cwd": str(tmp_path), "argv": argv, "tool": tool}]


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [("cwd", "/nowhere/at/all", "no folder"), ("agent", "a b", "letters"), ("command", "cargo 'x", "quotes"),
     ("command", "cargo", "what should be built")],
)  # fmt: skip
async def test_the_start_dialog_says_what_cannot_be_used(
    stage: Stage, tmp_path: Path, field: str, value: str, complaint: str
) -> None:
    app = stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("s")
        for name, good in (("cwd", str(tmp_path)), ("agent", "me"), ("command", "cargo build"), (field, value)):
            app.screen.query_one(f"#{name}", Input).value = good
        await pilot.press("enter")
        assert isinstance(app.screen, StartScreen)
        assert complaint in str(app.screen.query_one("#complaint", Static).render())
        assert app.screen.focused is app.screen.query_one(f"#{field}")
        assert stage.asked == []


async def test_a_silent_engine_is_said_and_one_is_woken(stage: Stage) -> None:
    woken: list[float] = []
    app = stage.app()
    app.deck = replace(app.deck, wake=lambda: woken.append(stage.now))
    async with app.run_test(size=(120, 40)) as pilot:
        assert "figures may be old" not in text_of(pilot)
        woken.clear()
        stage.now += 10
        app.pull()
        app.pull()
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "figures may be old" in text_of(pilot)
        assert woken == [stage.now]


@pytest.mark.parametrize("columns", [60, 120])
async def test_runs_that_cannot_be_shown_are_said(stage: Stage, columns: int) -> None:
    notes = ("run 2026-x was started by a newer cargo-deck (schema 9): update to see \x1b[2J all of it", "another")
    stage.board = replace(stage.board, notes=notes)
    async with stage.app().run_test(size=(columns, 40)) as pilot:
        line = text_of(pilot).split("\n")[1]
        assert "run 2026-x was started" in line
        assert "and 1 more" in line
        assert not controls(line)


async def test_a_narrow_list_still_says_who_failed_why_and_who_waits(stage: Stage) -> None:
    async with stage.app().run_test(size=(44, 20)) as pilot:
        shown = text_of(pilot)
        assert "✗ 1" in shown
        assert "◷ 1" in shown
        assert ERROR.splitlines()[0][:30] in shown
        assert "waits for" in shown


async def test_panes_of_three_rows_still_show_the_first_error(stage: Stage) -> None:
    failed = in_state(stage, RunState.FAILED)
    runs = (replace(failed, run=f"{failed.run}{n}", agent=f"agent-{n}") for n in range(7))
    stage.board = Board(MappingProxyType({run.run: run for run in runs}), stage.now, stage.now)
    async with stage.app().run_test(size=(80, 24)) as pilot:
        assert text_of(pilot).count(ERROR.splitlines()[0]) == 7


@pytest.mark.parametrize("keys", [("down", "up"), ("j", "k")])
async def test_arrows_go_from_pane_to_pane_where_there_are_more_than_fit(stage: Stage, keys: tuple[str, str]) -> None:
    done = in_state(stage, RunState.FAILED)
    show(stage, *(replace(done, run=f"{done.run}{n}", agent=f"agent-{n}") for n in range(9)))
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        grid = pilot.app.screen.query_one(PaneGrid)
        assert grid.hidden_below > 0
        for key, selected in ((keys[0], 1), (keys[0], 2), (keys[1], 1)):
            await pilot.press(key)
            assert grid.selected == selected
            assert grid.scroll_offset.y == 0
        await pilot.press(*[keys[0]] * 7)
        assert grid.selected == 8
        assert grid.scroll_offset.y > 0


async def test_an_engine_is_kept_while_a_dashboard_is_open_and_nothing_of_ours_runs(stage: Stage) -> None:
    woken: list[float] = []
    show(stage, *(replace(run, state=RunState.DONE) for run in stage.board.runs.values()))
    app = stage.app()
    app.deck = replace(app.deck, wake=lambda: woken.append(stage.now))
    async with app.run_test(size=(120, 40)):
        woken.clear()
        for _ in range(6):
            stage.now += 10
            stage.board = replace(stage.board, now=stage.now, engine_seen_at=stage.now)
            app.pull()
            await app.workers.wait_for_complete()
        assert [at - woken[0] for at in woken] == [0, 20, 40]


async def test_the_log_screen_follows_what_is_appended(stage: Stage) -> None:
    live = in_state(stage, RunState.BUILDING)
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(str(_place(stage, live)), "enter")
        _append(stage, live, "brand new line\n")
        app.pull()
        await pilot.pause()
        assert "brand new line" in text_of(pilot)
        await pilot.press("g")
        app.pull()
        await pilot.pause()
        assert "brand new line" not in text_of(pilot)
        assert "more below" in text_of(pilot)


async def test_ascii_terminals_get_nothing_else(stage: Stage) -> None:
    app = stage.app(is_ascii=True)
    async with app.run_test(size=(120, 40)) as pilot:
        assert text_of(pilot).isascii()
        for key in ("question_mark", "s", "enter"):
            await pilot.press(key)
            await pilot.pause()
            assert text_of(pilot).isascii()
            await pilot.press("escape")


@pytest.mark.parametrize("agents", [1, 3, 9, 30])
@pytest.mark.parametrize("size", [(20, 5), (40, 20), (80, 24), (200, 60)])
async def test_any_number_of_agents_fits_any_terminal(stage: Stage, agents: int, size: tuple[int, int]) -> None:
    run = in_state(stage, RunState.BUILDING)
    runs = {f"{run.run}{n:02}": replace(run, run=f"{run.run}{n:02}", agent=f"agent-{n}") for n in range(agents)}
    stage.board = Board(MappingProxyType(runs), stage.now, stage.now)
    app = stage.app()
    async with app.run_test(size=size) as pilot:
        lines = text_of(pilot).split("\n")
        assert len(lines) == size[1]
        await pilot.press("shift+tab")
        await pilot.pause()
        assert app.chosen is not None
        assert app.chosen.agent == f"agent-{agents - 1}"
        assert f"agent-{agents - 1}" in text_of(pilot)


def test_the_farewell_says_what_goes_on_and_where_the_logs_are_in_three_lines(stage: Stage) -> None:
    lines = farewell(stage.board, stage.paths, "cargo deck")
    assert len(lines) == 3
    assert "go on" in lines[0]
    assert "`cargo deck` shows them again" in lines[0]
    assert f"{stage.paths.run(in_state(stage, RunState.FAILED).run)}/out.log" in lines[1]
    assert stage.paths.runs in lines[2]
    assert farewell(Board(), stage.paths, "cargo deck") == []


@pytest.mark.parametrize(
    ("program", "on_path", "typed"),
    [
        (".venv/bin/cargo-deck", (), ".venv/bin/cargo-deck"),
        ("./cargo-deck", (), "./cargo-deck"),
        ("/opt/my tools/cargo-deck", (), "'/opt/my tools/cargo-deck'"),
        (".venv/bin/cargo-deck", ("cargo",), ".venv/bin/cargo-deck"),
        (".venv/bin/cargo-deck", ("cargo", "cargo-deck"), "cargo deck"),
        ("-c", (), "cargo deck"),
    ],
)
def test_the_farewell_names_a_command_that_can_be_typed_there(
    tmp_path: Path, program: str, on_path: tuple[str, ...], typed: str
) -> None:
    for name in on_path:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    assert typed_command(program, str(tmp_path), "/home/me/deck") == typed


def test_the_farewell_names_the_failure_that_came_last(stage: Stage) -> None:
    old = in_state(stage, RunState.FAILED)
    assert old.ended_at is not None
    before = replace(old, run="20200101-000000-000-0000", agent="zoe", ended_at=old.ended_at - 60)
    show(stage, before)
    assert f"failed: {old.agent}," in farewell(stage.board, stage.paths, "cargo deck")[1]


def _append(stage: Stage, run: Run, text: str) -> None:
    with open(Path(stage.paths.run(run.run), "out.log"), "a") as log:
        log.write(text)


def _place(stage: Stage, run: Run) -> int:
    return list(stage.board.runs).index(run.run) + 1


async def test_what_moves_while_the_app_ends_is_not_shown_on_a_screen_that_lost_its_widgets(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[int] = []

    def pull(screen: RunScreen) -> None:
        screen.deck.pull()
        left.append(len(screen.children))

    monkeypatch.setattr(RunScreen, "on_unmount", pull, raising=False)
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        app.exit("key")
        await pilot.pause()
    assert left == [0], "the timer came between the widgets' end and the screen's"
    assert app.crash is None
