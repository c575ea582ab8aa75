"""What a person does: it is said at once, sent once, remembered, and done when the board shows it."""

import asyncio
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import pytest
from textual.widgets import Input

from core import events as e
from core.errors import EngineError
from core.paths import Paths
from core.state import Board, Run, RunState
from tests.core.runs import until
from tests.tui.conftest import Stage
from tests.tui.screen_text import text_of
from tui import remembered, survivors
from tui.app import DeckApp
from tui.preferences import Preferences
from tui.remembered import Remembered
from tui.run_actions import SEEN_WITHIN_S, command_line
from tui.screens.board import BoardScreen


@pytest.fixture
def memory(tmp_path: Path) -> str:
    return f"{tmp_path}/person/dashboard.json"


def person(memory: str) -> Preferences:
    return Preferences(memory_file=memory)


def in_state(stage: Stage, state: RunState) -> Run:
    return next(run for run in stage.board.runs.values() if run.state is state)


def put(stage: Stage, *changed: Run, without: str = "") -> None:
    runs = {name: run for name, run in stage.board.runs.items() if name != without}
    runs.update((run.run, run) for run in changed)
    stage.board = Board(MappingProxyType(runs), stage.now, stage.now)


def place(stage: Stage, run: Run) -> str:
    return str(list(stage.board.runs).index(run.run) + 1)


async def settled(app: DeckApp) -> None:
    await app.workers.wait_for_complete()


async def test_a_stop_is_said_at_once_and_until_the_engine_knows_of_it(stage: Stage) -> None:
    live = in_state(stage, RunState.BUILDING)
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(place(stage, live), "x")
        assert "stopping" in text_of(pilot)
        await settled(app)
        put(stage, replace(live, out_lines=live.out_lines + 1))
        app.pull()
        await pilot.pause()
        assert "stopping" in text_of(pilot)
        put(stage, replace(live, stop=e.StopAsked(stage.now, "request", False)))
        app.pull()
        assert app.pending == {}
        await pilot.pause()
        assert "stopping" in text_of(pilot)
        put(stage, replace(live, state=RunState.STOPPED))
        app.pull()
        await pilot.pause()
        assert "stopping" not in text_of(pilot)
        assert "stopped" in text_of(pilot)


@pytest.mark.parametrize(
    ("keys", "word", "do"), [("r", "restarts", "restart"), ("fy", "removing", "forget")], ids=["restart", "forget"]
)
async def test_what_is_done_to_a_finished_run_is_said_on_its_pane(stage: Stage, keys: str, word: str, do: str) -> None:
    over = in_state(stage, RunState.FAILED)
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(place(stage, over), *keys)
        assert word in text_of(pilot)
        await settled(app)
        assert [message["do"] for message in stage.asked] == [do]
        again = replace(over, run=f"{over.run[:-4]}zzzz", state=RunState.BUILDING)
        put(stage, *([again] if do == "restart" else []), without="" if do == "restart" else over.run)
        app.pull()
        assert app.pending == {}


async def test_what_never_happens_is_not_said_for_ever(stage: Stage) -> None:
    live = in_state(stage, RunState.BUILDING)
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(place(stage, live), "x")
        stage.now += SEEN_WITHIN_S + 1
        app.pull()
        await pilot.pause()
        assert "stopping" not in text_of(pilot)


async def test_a_run_that_is_being_stopped_says_who_is_still_alive(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = in_state(stage, RunState.BUILDING)
    looked: list[list[str]] = []

    def look(paths: Paths, runs: list[str]) -> dict[str, tuple[str, ...]]:
        looked.append(runs)
        return dict.fromkeys(runs, ("rustc", "rustc", "ld"))

    monkeypatch.setattr(survivors, "look", look)
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.look_at_survivors()
        assert looked == []
        await pilot.press(place(stage, live), "x")
        app.look_at_survivors()
        await settled(app)
        app.pull()
        await pilot.pause()
        assert looked == [[live.run]]
        assert "still alive: 3 (rustc ×2, ld)" in text_of(pilot)
        put(stage, replace(live, state=RunState.STOPPED))
        app.pull()
        app.look_at_survivors()
        app.pull()
        await pilot.pause()
        assert "still alive" not in text_of(pilot)
        assert len(looked) == 1


def test_survivors_are_the_processes_below_the_supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import subprocess; subprocess.run(['sleep', '60'])"
    parent = subprocess.Popen([sys.executable, "-c", code])
    holder = type("Holder", (), {"supervisor": type("Process", (), {"pid": parent.pid})})
    monkeypatch.setattr(survivors, "find_holder", lambda paths, run: holder if run == "a" else None)
    paths = Paths(str(tmp_path), str(tmp_path))
    try:
        until(lambda: survivors.look(paths, ["a"]).get("a") == ("sleep",), "a sleep below its parent")
        assert survivors.look(paths, ["b"]) == {}
    finally:
        subprocess.run(["kill", *_children(parent.pid)], check=True)
        parent.wait()


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_the_command_line_does_the_same_in_a_shell(stage: Stage) -> None:
    live = in_state(stage, RunState.BUILDING)
    run = replace(live, cwd="/home/ada/my app", command=shlex.join(["test", "-p", "a b"]))
    assert command_line(run) == "cd '/home/ada/my app' && cargo test -p 'a b'"
    moded = replace(run, command="build --mode dev")
    assert command_line(moded) == "cd '/home/ada/my app' && cargo deck build --mode dev"
    assert command_line(replace(run, tool="exec", command="ninja -C out")) == "cd '/home/ada/my app' && ninja -C out"


async def test_copying_the_command_line_says_that_credentials_are_hidden(stage: Stage) -> None:
    live = in_state(stage, RunState.BUILDING)
    put(stage, replace(live, command="run -- --token '***'"))
    app = stage.app(preferences=Preferences(memory_file=f"{stage.paths.state}/dashboard.json"))
    app.preferences.settings = replace(app.settings, copy="file")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press(place(stage, live), "c")
        await settled(app)
        await pilot.pause()
        assert "(credentials are ***)" in text_of(pilot).replace("\n", " ")
    copied = await asyncio.to_thread(Path(stage.paths.state, "copied.txt").read_text)
    assert copied == f"cd {live.cwd} && cargo run -- --token '***'"


async def start(stage: Stage, app: DeckApp, *, cwd: Path, agent: str, command: str) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("s")
        for name, value in (("cwd", str(cwd)), ("agent", agent), ("command", command)):
            app.screen.query_one(f"#{name}", Input).value = value
        await pilot.press("enter")
        await settled(app)


async def test_the_start_dialog_remembers_what_was_started(stage: Stage, tmp_path: Path, memory: str) -> None:
    await start(stage, stage.app(preferences=person(memory)), cwd=tmp_path, agent="me", command="cargo test")
    await start(stage, stage.app(preferences=person(memory)), cwd=tmp_path, agent="you", command="cargo build -p x")
    app = stage.app(preferences=person(memory))
    stage.board = Board(MappingProxyType({}), stage.now, stage.now)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("s")
        command = app.screen.query_one("#command", Input)
        assert (command.value, app.screen.query_one("#agent", Input).value) == ("cargo build -p x", "you")
        await pilot.press("up")
        assert command.value == "cargo test"
        await pilot.press("down", "down")
        assert command.value == "cargo build -p x"
        await pilot.press("ctrl+u", *"cargo t")
        await pilot.pause()
        await pilot.press("right")
        assert command.value == "cargo test"
        await pilot.press("tab")
        assert app.screen.focused is app.screen.query_one("#agent")


async def test_the_start_dialog_suggests_the_command_of_the_highlighted_pane_and_recalls_what_was_entered(
    stage: Stage, tmp_path: Path, memory: str
) -> None:
    await start(stage, stage.app(preferences=person(memory)), cwd=tmp_path, agent="me", command="cargo test")
    first, second = list(stage.board.runs.values())[:2]
    app = stage.app(preferences=person(memory))
    async with app.run_test(size=(120, 40)) as pilot:
        for run in (second, first):
            await pilot.press(place(stage, run), "s")
            said = [app.screen.query_one(f"#{name}", Input).value for name in ("command", "agent", "cwd")]
            typed = f"cargo {run.command}" if run.tool == "cargo" else run.command
            assert said == [typed, run.agent, run.cwd]
            await pilot.press("up")
            assert app.screen.query_one("#command", Input).value == "cargo test"
            await pilot.press("escape")


async def test_a_dashboard_whose_folder_is_gone_starts_builds_elsewhere(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> str:
        raise FileNotFoundError(2, "No such file or directory")

    stage.board = Board(MappingProxyType({}), stage.now, stage.now)
    monkeypatch.setattr("os.getcwd", gone)
    async with stage.app().run_test(size=(120, 40)) as pilot:
        await pilot.press("s")
        await pilot.pause()
        assert pilot.app.screen.query_one("#cwd", Input).value == "/"


async def test_without_a_highlighted_pane_the_dialog_suggests_what_was_built_in_this_folder(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = list(stage.board.runs.values())[:2]
    stage.board = replace(stage.board, runs=MappingProxyType({first.run: replace(first, cwd="/a"), second.run: second}))
    monkeypatch.setattr("os.getcwd", lambda: "/a")
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        monkeypatch.setattr(type(app), "chosen", None)
        await pilot.press("s")
        assert app.screen.query_one("#command", Input).value == f"cargo {first.command}"
        assert app.screen.query_one("#agent", Input).value == first.agent


async def test_a_command_with_a_credential_is_started_but_not_remembered(
    stage: Stage, tmp_path: Path, memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "hunter2hunter2")
    for command in ("cargo run -- --api-token abc", "echo hunter2hunter2", "git push https://me:pw@host/x"):
        await start(stage, stage.app(preferences=person(memory)), cwd=tmp_path, agent="me", command=command)
    assert len(stage.asked) == 3
    assert remembered.read(memory).commands == ()


async def test_an_agent_gets_another_name_here_and_keeps_its_own_elsewhere(stage: Stage, memory: str) -> None:
    live = in_state(stage, RunState.BUILDING)
    app = stage.app(preferences=person(memory))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(place(stage, live), "N", "ctrl+u", *"parser work", "enter")
        await settled(app)
        await pilot.pause()
        assert isinstance(app.screen, BoardScreen)
        assert "parser work" in text_of(pilot)
        assert live.agent not in text_of(pilot)
        await pilot.press("x")
        await settled(app)
        assert stage.asked == [{"do": "stop", "run": live.run, "kill": False}]
    later = stage.app(preferences=person(memory))
    async with later.run_test(size=(120, 40)) as pilot:
        assert "parser work" in text_of(pilot)
        await pilot.press(place(stage, live), "N", "ctrl+u", "enter")
        await settled(later)
        await pilot.pause()
        assert live.agent in text_of(pilot)
    assert remembered.read(memory).names == {}


async def test_a_name_that_another_agent_has_does_not_join_their_panes(stage: Stage, memory: str) -> None:
    first, second = list(stage.board.runs.values())[:2]
    remembered.change(memory, lambda before: before.calling(first.agent, second.agent))
    app = stage.app(preferences=person(memory))
    async with app.run_test(size=(120, 40)) as pilot:
        assert f"{second.agent} (" in text_of(pilot)
        agents = {run.agent for run in app.board.runs.values()}
        assert {f"{second.agent} ({first.agent})", second.agent} <= agents


@pytest.mark.parametrize("name", ["x" * 41, "a\x1b[31mb"])
async def test_a_name_that_does_not_fit_is_refused(stage: Stage, name: str) -> None:
    app = stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1", "N")
        app.screen.query_one("#name", Input).value = name
        await pilot.press("enter")
        assert not isinstance(app.screen, BoardScreen)
        assert app.remembered.names == {}


async def test_order_layout_and_theme_are_as_they_were_left(stage: Stage, memory: str) -> None:
    app = stage.app(preferences=person(memory))
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("O", "L", "L", "T")
        await settled(app)
        assert (app.sort, app.layout_of_panes, app.theme) == ("name", "1", "deck-light")
    later = stage.app(preferences=person(memory))
    async with later.run_test(size=(160, 48)) as pilot:
        assert (later.sort, later.layout_of_panes, later.theme) == ("name", "1", "deck-light")
        names = sorted(run.agent for run in stage.board.runs.values())
        shown = text_of(pilot)
        assert sorted(names, key=shown.index) == names
        left_edges = {line.index(name) for line in shown.splitlines() for name in names if f" {name} " in line[:30]}
        assert len(left_edges) == 1


async def test_by_state_those_who_need_somebody_come_first(stage: Stage) -> None:
    app = stage.app()
    async with app.run_test(size=(120, 60)) as pilot:
        await pilot.press("O", "O")
        app.pull()
        await pilot.press("1")
        assert app.chosen is not None
        assert app.chosen.state in (RunState.FAILED, RunState.WAITING)


async def test_a_start_that_is_refused_says_why(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(message: dict[str, object]) -> dict[str, object]:
        raise EngineError("the disk is [full]")

    monkeypatch.setattr(stage, "request", refuse)
    app = stage.app()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("s")
        app.screen.query_one("#cwd", Input).value = str(tmp_path)
        await pilot.press("enter")
        await settled(app)
        await pilot.pause()
        assert "could not start" in text_of(pilot)
        assert "the disk is [full]" in text_of(pilot)


async def test_the_pane_of_what_was_started_is_highlighted_once_it_is_there(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stage.board
    new = list(whole.runs.values())[-1]
    stage.board = Board(MappingProxyType({name: run for name, run in whole.runs.items() if run is not new}), stage.now,
                        stage.now)  # fmt: skip
    monkeypatch.setattr(stage, "request", lambda message: {"ok": True, "run": new.run})
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("s")
        app.screen.query_one("#cwd", Input).value = str(tmp_path)
        await pilot.press("enter")
        await settled(app)
        await pilot.pause()
        assert app.chosen is not None
        assert app.chosen.run != new.run
        stage.board = whole
        app.pull()
        assert app.chosen.run == new.run
        await pilot.press("1")
        app.pull()
        assert app.chosen.run != new.run


async def test_memory_that_cannot_be_written_is_said_and_stops_nothing(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "person").write_text("a file where a folder should be")
    app = stage.app(preferences=person(f"{tmp_path}/person/dashboard.json"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("T")
        await settled(app)
        await pilot.pause()
        assert app.theme == "deck-light"
        assert "this is not remembered" in text_of(pilot)


def test_two_dashboards_lose_nothing_of_each_other(memory: str) -> None:
    first, second = person(memory), person(memory)
    for preferences, agent in ((first, "a"), (second, "b"), (first, "c")):
        preferences.write(partial(Remembered.having_started, folder="/x", agent=agent, command="cargo build"))
    assert remembered.read(memory).agents == ("c", "b", "a")
    assert remembered.read(memory).folders == ("/x",)


def test_a_broken_memory_is_ignored_and_kept_aside(memory: str) -> None:
    os.makedirs(os.path.dirname(memory))
    Path(memory).write_text('{"theme": "deck-li')
    assert remembered.read(memory) == Remembered()
    remembered.change(memory, lambda before: replace(before, sort="name"))
    assert remembered.read(memory).sort == "name"
    assert Path(memory + ".broken").read_text() == '{"theme": "deck-li'
    assert sorted(os.listdir(os.path.dirname(memory))) == [
        "dashboard.json", "dashboard.json.broken", "dashboard.json.lock",
    ]  # fmt: skip


def test_what_another_version_remembers_is_kept(memory: str) -> None:
    os.makedirs(os.path.dirname(memory))
    Path(memory).write_text('{"columns": [1, 2], "theme": 7, "agents": ["a", 3], "names": {"a": "b", "c": 1}}')
    after = remembered.change(memory, lambda before: before.calling("x", "y"))
    assert after == remembered.read(memory)
    assert dict(after.rest) == {"columns": [1, 2]}
    assert (after.theme, after.agents, dict(after.names)) == (None, ("a",), {"a": "b", "x": "y"})


def test_twenty_entries_are_remembered_newest_first() -> None:
    memory = Remembered()
    for number in range(30):
        memory = memory.having_started("/x", "me", f"cargo test {number % 25}")
    assert len(memory.commands) == 20
    assert memory.commands[:6] == tuple(f"cargo test {n}" for n in (4, 3, 2, 1, 0, 24))


def test_what_is_remembered_of_a_rich_terminal_is_not_forced_on_a_poor_one(memory: str) -> None:
    remembered.change(memory, lambda before: replace(before, theme="deck-light", sort="nonsense"))
    preferences = person(memory)
    assert preferences.theme("deck-dark") == "deck-light"
    assert preferences.theme("deck-terminal") == "deck-terminal"
    assert preferences.sort() == "appearance"
