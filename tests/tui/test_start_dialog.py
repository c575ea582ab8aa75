"""The start dialog: a mode, and what would be changed before anything starts."""

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from core.paths import Paths
from core.plan.found import Found
from core.plan.given import Given, Origin, Trouble
from core.plan.make import Planned
from core.plan.plan import Plan, Setting
from core.plan.wish import Mode, Wish
from tests.tui.conftest import Stage
from tests.tui.finding_scene import CACHE, HINT, SETTINGS
from tests.tui.screen_text import text_of
from tui.app import DeckApp, main
from tui.remembered import Remembered
from tui.screens.board import BoardScreen
from tui.screens.start import StartScreen, Wanted
from tui.screens.start_preview import Asked, Foreseen, fitted, foresee, said
from tui.source import Deck, Foresee
from tui.widgets.table_view import Cell

NEVER_S = 1e6
NO_MODE = Mode()
MODES = ("quick", "dev", "release", "none")


class Seer:
    """Tells what it was told to, and keeps what it was asked."""

    def __init__(self, answer: Callable[[Asked], Foreseen] | None = None) -> None:
        self.asked: list[Asked] = []
        self._answer = answer or (lambda asked: Foreseen((Cell(f"would change {asked.words}"),), MODES))

    def __call__(self, asked: Asked) -> Foreseen:
        self.asked.append(asked)
        return self._answer(asked)


def dialog(folder: Path, seer: Foresee | None, command: str = "cargo build", wait_s: float = 0.01) -> StartScreen:
    return StartScreen(Wanted(str(folder), "me", command), Remembered(), seer, wait_s=wait_s)


async def at_rest(pilot: Pilot[Any], *, is_typed: bool = False) -> str:
    """What is on the screen, once what was entered was looked at; `is_typed`: that it will not be."""
    for _ in range(1000):
        screen = pilot.app.screen
        await pilot.pause(0.001)
        if is_typed or not isinstance(screen, StartScreen) or screen.is_settled:
            break
    await pilot.pause()
    return text_of(pilot)


def field(app: DeckApp, name: str) -> Input:
    return app.screen.query_one(f"#{name}", Input)


async def test_what_would_be_changed_is_said_as_soon_as_the_dialog_is_there(stage: Stage, tmp_path: Path) -> None:
    seer, app = Seer(), stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(dialog(tmp_path, seer, wait_s=NEVER_S))
        assert "would change ('build',)" in await at_rest(pilot)
        assert seer.asked == [Asked(str(tmp_path), "me", "cargo", ("build",), "")]


async def test_no_key_asks_while_the_next_one_comes(stage: Stage, tmp_path: Path) -> None:
    seer, app = Seer(), stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = dialog(tmp_path, seer, wait_s=NEVER_S)
        await app.push_screen(screen)
        await at_rest(pilot)
        await pilot.press("end", *" -p one")
        await at_rest(pilot, is_typed=True)
        assert len(seer.asked) == 1
        screen.look()  # as the timer does
        screen.look()
        assert "would change ('build', '-p', 'one')" in await at_rest(pilot)
        assert [asked.words for asked in seer.asked] == [("build",), ("build", "-p", "one")]


async def test_after_a_moment_of_rest_it_is_asked_again(stage: Stage, tmp_path: Path) -> None:
    seer, app = Seer(), stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(dialog(tmp_path, seer))
        await at_rest(pilot)
        field(app, "mode").value = "dev"
        await at_rest(pilot)
        assert [asked.mode for asked in seer.asked] == ["", "dev"]


async def test_typing_goes_on_while_it_looks_and_the_last_words_are_looked_at(stage: Stage, tmp_path: Path) -> None:
    gate = threading.Event()

    def slow(asked: Asked) -> Foreseen:
        assert gate.wait(30)
        return Foreseen((Cell(f"would change {asked.words}"),))

    seer, app = Seer(slow), stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(dialog(tmp_path, seer))
        await pilot.pause()
        await pilot.press("end", *" -p a")
        await pilot.pause()
        assert field(app, "command").value == "cargo build -p a"
        assert "looking what it would change" in text_of(pilot)
        assert len(seer.asked) == 1
        gate.set()
        assert "would change ('build', '-p', 'a')" in await at_rest(pilot)
        assert len(seer.asked) == 2


async def test_leaving_while_it_looks_is_no_fault(stage: Stage, tmp_path: Path) -> None:
    gate = threading.Event()

    def slow(asked: Asked) -> Foreseen:
        assert gate.wait(30)
        return Foreseen((Cell("too late"),))

    seer, app = Seer(slow), stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(dialog(tmp_path, seer))
        await pilot.pause()
        await pilot.press("escape")
        gate.set()
        await at_rest(pilot)
        assert isinstance(app.screen, BoardScreen)


async def test_a_fault_while_looking_is_said_and_does_not_end_the_dialog(stage: Stage, tmp_path: Path) -> None:
    def fails(asked: Asked) -> Foreseen:
        raise RuntimeError(asked.agent)

    app = stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(dialog(tmp_path, fails))
        assert "what it would change cannot be told" in await at_rest(pilot)
        assert isinstance(app.screen, StartScreen)


async def test_up_and_down_go_through_the_modes_that_there_are(stage: Stage, tmp_path: Path) -> None:
    app = stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(dialog(tmp_path, Seer()))
        await at_rest(pilot)
        field(app, "mode").focus()
        seen = []
        for key in ("down", "down", "up", "up", "up", "down"):
            await pilot.press(key)
            seen.append(field(app, "mode").value)
        assert seen == ["quick", "dev", "quick", "", "none", ""]
        assert "as files and variables say" in await at_rest(pilot)


@pytest.mark.parametrize(("mode", "message"), [("dev", {"mode": "dev"}), ("", {})])
async def test_the_request_carries_the_mode(stage: Stage, tmp_path: Path, mode: str, message: dict[str, str]) -> None:
    app = stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("s")
        for name, value in (("command", "cargo build"), ("cwd", str(tmp_path)), ("agent", "me"), ("mode", mode)):
            field(app, name).value = value
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        expected = {"do": "start", "agent": "me", "cwd": str(tmp_path), "argv": ["build"], "tool": "cargo"}
        assert stage.asked == [{**expected, **message}]


async def test_what_is_started_has_the_environment_that_it_was_foreseen_with(stage: Stage, tmp_path: Path) -> None:
    app = stage.app(env={"DECK_MODE": "dev", "RUSTFLAGS": "-O"})
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("s")
        for name, value in (("command", "cargo build"), ("cwd", str(tmp_path)), ("agent", "me")):
            field(app, name).value = value
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        assert [one["env"] for one in stage.asked] == [{"DECK_MODE": "dev", "RUSTFLAGS": "-O"}]


def test_the_dashboard_knows_the_environment_of_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decks: list[Deck] = []

    def take(app: DeckApp) -> int:
        decks.append(app.deck)
        return 0

    monkeypatch.setattr("tui.app.run_app", take)
    for name in ("STATE", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path))
    monkeypatch.setenv("DECK_MODE", "dev")
    assert main() == 0
    assert [dict(deck.env or {}) for deck in decks] == [dict(os.environ)]


@pytest.mark.parametrize(("name", "text"), [("mode", "x"), ("command", "cargo build --mode x")])
async def test_a_mode_that_there_is_not_starts_nothing_and_is_told_once(
    name: str, text: str, stage: Stage, tmp_path: Path
) -> None:
    why = "there is no mode 'x'"
    seer = Seer(lambda asked: Foreseen((Cell(why if asked.mode else "fine"),), is_refused=bool(asked.mode)))
    app = stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(dialog(tmp_path, seer))
        field(app, name).value = text
        await at_rest(pilot)
        field(app, "agent").focus()
        await pilot.press("enter")
        shown = await at_rest(pilot)
        assert (shown.count(why), shown.count("nothing is started with this mode")) == (1, 1)
        assert app.screen.focused is field(app, name)
        field(app, name).value = {"mode": "", "command": "cargo build"}[name]
        assert "nothing is started with this mode" not in await at_rest(pilot)


async def test_nothing_moves_when_it_is_known_what_would_be_changed(stage: Stage, tmp_path: Path) -> None:
    long = Foreseen(tuple(Cell(f"adds {number}") for number in range(40)))
    app = stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = dialog(tmp_path, Seer(lambda asked: long), command="cargo 'x")
        await app.push_screen(screen)
        before = await at_rest(pilot)
        field(app, "command").value = "cargo build"
        after = await at_rest(pilot)
        assert "adds 0" in after
        assert "tells all of it" in after
        places = [
            [at for at, line in enumerate(shown.split("\n")) if "Start (enter)" in line] for shown in (before, after)
        ]
        assert places[0] == places[1]


async def test_a_dashboard_that_cannot_know_says_nothing(stage: Stage, tmp_path: Path) -> None:
    app = stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(dialog(tmp_path, None))
        assert not (await at_rest(pilot)).count("chang")
        assert not app.screen.query_one("#preview").display


async def test_a_folder_that_is_too_long_is_cut_with_a_sign_while_nobody_is_in_its_field(stage: Stage) -> None:
    path = Path("/home/ada/" + "deep/" * 30 + "engine")
    app = stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(dialog(path, None, command="cargo build " + "-p x " * 40))
        shown = await at_rest(pilot)
        (line,) = (line for line in shown.split("\n") if "folder" in line)
        assert re.search(r" …(eep|ep|p|/|deep)/(deep/)+engine ", line)
        await pilot.press("shift+tab", "shift+tab")
        (line,) = (line for line in text_of(pilot).split("\n") if "command" in line)
        assert re.search(r" cargo build -p x .*… ", line)


# In words


def planned(*settings: Setting, mode: Mode = NO_MODE, **more: Any) -> Planned:
    plan = Plan(mode.name, mode.chosen_by, settings, **more)
    return Planned(plan, Found(), Wish(mode=mode), troubles=(Trouble(Origin("/w/deck.toml", 2), "modes is a table"),))


def test_a_plan_says_mode_troubles_findings_and_what_is_added_each_cost_once() -> None:
    shared = SETTINGS[0]._replace(name="deps-debug", flags=("--config", 'profile.dev.package."*".debug=false'))
    mode = Mode("dev", Origin("DECK_MODE"), about="edit, build, run")
    shown = list(said(planned(SETTINGS[0], shared, *SETTINGS[1:], mode=mode, findings=(CACHE, HINT))))
    assert [cell.text for cell in shown] == [
        "mode dev, by DECK_MODE",
        "⚠ /w/deck.toml, line 2: modes is a table",
        "⚠ sccache never caches incremental crates",
        "adds --config 'profile.dev.debug=\"line-tables-only\"': a second copy of each unit; 0.6 × memory",
        "adds --config 'profile.dev.package.\"*\".debug=false'",
        "adds NUM_JOBS=2",
        "for: edit, build, run",
    ]  # fmt: skip
    assert [cell.role for cell in shown[:3]] == ["strong", "waiting", "waiting"]


def test_errors_come_first_and_what_the_mode_gave_last() -> None:
    mode = Mode("dev", Origin("DECK_MODE"), {"debug": Given("none", Origin("mode dev"))}, "edit")
    error = CACHE._replace(severity="error", title="nothing is built")
    shown = [cell.text for cell in said(planned(SETTINGS[0], mode=mode, findings=(error, CACHE)))]
    assert shown[1] == "⚠ nothing is built"
    assert shown.index("for: edit") < min(at for at, text in enumerate(shown) if text.startswith("measured on "))
    assert shown[-1].startswith("measured on ")


def test_a_plan_that_adds_nothing_says_so() -> None:
    assert [cell.text for cell in said(planned(*SETTINGS[2:])._replace(troubles=()))] == [
        "no mode: nothing is set that changes what is compiled", "nothing is changed",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [0, 1, 10, 70])
@pytest.mark.parametrize("rows", [0, 1, 4])
def test_lines_fit_any_room(width: int, rows: int) -> None:
    found = fitted([Cell("words " * 40), Cell("\x1b[2J" + "x" * 200)], width, rows)
    assert len(found) <= max(1, rows)
    assert all(len(cell.text) <= max(1, width) for cell in found)


# With the plan that is really made


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "src").mkdir(parents=True)
    (folder / "Cargo.toml").write_text('[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n')
    (folder / "src" / "main.rs").write_text("fn main() {}\n")
    (folder / "deck.toml").write_text('[modes.quick]\ninherits = "dev"\n')
    return folder


def real(workspace: Path, words: tuple[str, ...], mode: str = "", tool: str = "cargo") -> Foreseen:
    paths = Paths(str(workspace.parent / "state"), str(workspace.parent / "cache"))
    env = {name: value for name, value in os.environ.items() if not name.startswith("DECK_")}
    return foresee(paths, env, Asked(str(workspace), "me", tool, words, mode))


def test_a_mode_of_the_project_is_foreseen_and_can_be_chosen(workspace: Path) -> None:
    found = real(workspace, ("build",), "quick")
    text = [cell.text for cell in found.lines]
    assert text[0] == "mode quick"
    assert any(line.startswith("adds --config 'profile.dev.debug=") for line in text)
    assert found.modes[0] == "quick"
    assert found.modes[-1] == "none"
    assert not found.is_refused


def test_without_a_mode_nothing_is_changed_and_of_other_programs_nothing_ever_is(workspace: Path) -> None:
    assert real(workspace, ("build",)).lines[-1].text == "nothing is changed"
    assert real(workspace, ("-C", "out"), "dev", "exec").lines[0].text.startswith("nothing is changed: it is not cargo")


def test_an_unknown_mode_is_a_sentence(workspace: Path) -> None:
    found = real(workspace, ("build",), "quik")
    assert found.is_refused
    assert found.lines[0].text == 'there is no mode "quik": did you mean quick?'


def test_a_mode_whose_profile_nobody_defines_is_refused_with_its_line(workspace: Path) -> None:
    (workspace / "deck.toml").write_text('[modes.quick]\nprofile = "relaese"\n')
    found = real(workspace, ("build",), "quick")
    assert found.is_refused
    assert found.lines[0].text.startswith(f"{workspace}/deck.toml, line 2: no manifest or config file defines")
    assert found.lines[0].text.endswith("did you mean release?")


def test_a_folder_without_a_workspace_or_that_is_gone_is_no_fault(tmp_path: Path) -> None:
    assert real(tmp_path, ("build",)).lines
    assert real(tmp_path / "gone", ("build",)).lines


@pytest.mark.parametrize("size", [(40, 20), (80, 24), (120, 40)])
def test_the_dialog_with_a_plan_looks_as_it_did(stage: Stage, size: tuple[int, int], snap_compare: Any) -> None:
    mode = Mode("dev", Origin("DECK_MODE"), about="edit, build, run")
    lines = tuple(said(planned(*SETTINGS, mode=mode, findings=(CACHE,))._replace(troubles=())))
    app = stage.app()

    async def open_it(pilot: Any) -> None:
        await app.push_screen(dialog(Path("/"), Seer(lambda asked: Foreseen(lines, MODES)), "cargo test"))
        for one in app.screen.query(Input):
            one.cursor_blink = False
        await at_rest(pilot)

    assert snap_compare(app, terminal_size=size, run_before=open_it)


def test_a_mode_on_the_command_line_of_the_dialog_is_the_mode(tmp_path: Path) -> None:
    wanted = Wanted(str(tmp_path), "me", "cargo build --mode test -p x")
    assert wanted.complaint() is None
    assert (wanted.message()["mode"], wanted.message()["argv"]) == ("test", ["build", "-p", "x"])
    lacking = Wanted(str(tmp_path), "me", "cargo build --mode").complaint()
    assert lacking is not None
    assert lacking[0] == "command"
