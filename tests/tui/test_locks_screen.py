"""The Locks screen: who holds, who waits behind whom, what was lost; and dirs that two checkouts share."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from textual.pilot import Pilot

from core import events as e
from core.host import Held, Host, Owner, Waiter
from core.lock_queries import shared_targets
from core.reduce import reduce_run
from core.state import Board, Run
from tests.core.test_shared_target import World
from tests.lock_scene import with_locks
from tests.scene import T0
from tests.tui.conftest import Stage
from tests.tui.screen_text import opened_by, text_of
from tests.tui.sizes import PICTURED
from tui.screens.locks import LocksScreen
from tui.screens.run import RunScreen
from tui.widgets.lock_words import columns, day_began
from tui.widgets.status_line import StatusLine


@pytest.fixture
def locked(stage: Stage) -> Stage:
    stage.board = with_locks(stage.board)
    return stage


async def opened(pilot: Pilot[str]) -> LocksScreen:
    return await opened_by(pilot, "f4", LocksScreen)


def row_of(screen: LocksScreen, key: str) -> dict[str, str]:
    """The cells of a row by the titles of their columns."""
    titles = [column.title for column in columns(screen.size.width)]
    row = next(row for row in screen.table.rows if row.key.endswith(key))
    return dict(zip(titles, (cell.text for cell in row.cells), strict=True))


async def test_a_row_says_who_holds_who_waits_and_what_was_lost(locked: Stage) -> None:
    async with locked.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        assert row_of(screen, "claude-1/target/debug/.cargo-lock") == {
            "lock": "artifact  claude-1/target/debug", "holder": "claude-1  cargo 4121", "since": "0:42",
            "waits": "claude-2 31s ─▸ codex 12s · cargo 4s", "lost today": "claude-2 6:10 · codex 0:48",
        }  # fmt: skip
        assert row_of(screen, "desk/target/debug/.cargo-build-lock")["holder"] == "not ours  cargo 3977"
        assert row_of(screen, ".package-cache")["lost today"] == "gpu-agent 0:05"
        assert "3 wait" in screen.query_one("#about", StatusLine).words


async def test_the_chosen_lock_stands_below_in_full_and_alone_on_enter(locked: Stage) -> None:
    async with locked.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        screen.table.select("/home/ada/src/claude-1/target/debug/.cargo-lock")
        await pilot.pause()
        shown = text_of(pilot)
        assert "claude-1: test -p engine in /home/ada/src/claude-1 (pid 4121) holds it for 0:42" in shown
        assert "codex: clippy --all-targets in /home/ada/src/codex (pid 4250) waits behind that one, 12s" in shown
        assert "Not ours: cargo build in /home/ada/src/desk (pid 4310) waits 4s" in shown
        assert "What would avoid the wait" in shown
        await pilot.press("enter")
        await pilot.pause()
        assert not screen.table.display
        assert "What would avoid the wait" in text_of(pilot)
        await pilot.press("escape")
        assert screen.table.display
        await pilot.press("escape")
        assert pilot.app.current_mode == "board"


async def test_the_run_behind_a_lock_is_opened(locked: Stage) -> None:
    async with locked.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        screen.table.select("/home/ada/src/claude-1/target/debug/.cargo-lock")
        await pilot.press("o")
        await pilot.pause()
        assert isinstance(pilot.app.screen, RunScreen)
        assert pilot.app.screen.chosen is not None
        assert pilot.app.screen.chosen.agent == "claude-1"


async def test_what_an_engine_saw_that_is_silent_is_not_shown_as_held(locked: Stage) -> None:
    locked.board = replace(locked.board, engine_seen_at=T0 - 100)
    async with locked.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        assert "nobody looks at locks now" in screen.query_one("#about", StatusLine).words
        assert row_of(screen, "claude-1/target/debug/.cargo-lock")["holder"] == "–"


async def test_without_locks_the_screen_says_so(stage: Stage) -> None:
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        assert "Nobody holds a lock of cargo's now" in text_of(pilot)
        await pilot.press("p")
        await pilot.pause()
        assert [one.message for one in pilot.app._notifications] == ["No target dir is shared by two checkouts."]


@pytest.fixture
def pair(tmp_path: Path) -> World:
    """Two checkouts whose shared dir holds a program that one of them made."""
    world = World(tmp_path / "pair")
    first = world.checkout("a", "fn main() {}")
    world.checkout("b", "fn main() { other() }")
    world.unit(made_in=str(first))
    return world


async def test_a_shared_dir_is_flagged_and_proven_on_request(stage: Stage, pair: World) -> None:
    targets = {str(pair.target): tuple(pair.checkouts)}
    stage.board = replace(stage.board, host=Host(targets=targets))
    async with stage.app().run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        key = f"shared {pair.target}"
        assert row_of(screen, key)["waits"].startswith("can run the wrong")
        assert row_of(screen, key)["holder"] == "a · b"
        assert "1 shared dir" in screen.query_one("#about", StatusLine).words
        await pilot.press("p")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert row_of(screen, key)["waits"] == "runs the wrong program: app"
        shown = text_of(pilot)
        assert "cargo runs this one there, though app/src/main.rs differs" in " ".join(shown.split())
        assert "What mends it" in shown
        shutil.copy(f"{pair.checkouts[0]}/app/src/main.rs", f"{pair.checkouts[1]}/app/src/main.rs")
        await pilot.press("enter")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert "cargo compiles it anew there" in text_of(pilot)


def test_the_day_began_at_midnight() -> None:
    assert 0 <= T0 - day_began(T0) < 25 * 3600
    assert day_began(day_began(T0)) == day_began(T0)


@pytest.mark.parametrize("size", PICTURED, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_screen_looks_as_it_did(size: tuple[int, int], locked: Stage, snap_compare: Any) -> None:
    async def press(pilot: Pilot[None]) -> None:
        await pilot.press("f4")
        await pilot.pause()
        pilot.app.screen.table.select("/home/ada/src/claude-1/target/debug/.cargo-lock")  # type: ignore[attr-defined]
        await pilot.pause()

    assert shared_targets(locked.board)
    assert snap_compare(locked.app(), terminal_size=size, run_before=press)


async def test_in_ascii_no_sign_is_lost(locked: Stage) -> None:
    async with locked.app(is_ascii=True).run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        shown = text_of(pilot)
        assert "claude-2 31s -> codex 12s" in shown
        assert "! " in shown
        assert shown.isascii()


def waiting(board: Board, agent: str, holder: str) -> tuple[Board, Run]:
    """The board with a run that waits for another one's target dir."""
    runs = {run.agent: run for run in board.runs.values()}
    blocked = e.LockBlocked(
        board.now, "artifact dir", "/home/ada/src/app/target/debug/.cargo-lock", board.now - 7, 99, runs[holder].run,
        holder, "", "", board.now - 20,
    )  # fmt: skip
    run = reduce_run(replace(runs[agent], checkout=runs[holder].checkout), [blocked])
    assert run is not None
    return replace(board, runs={**board.runs, run.run: run}), run


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_panes_that_share_a_dir_say_so(size: tuple[int, int], locked: Stage) -> None:
    run = next(run for run in locked.board.runs.values() if run.agent == "claude-1")
    owner = Owner(4121, run.run, run.agent, "", "", run.checkout)
    held = Held("/home/ada/build/debug/.cargo-build-lock", "build dir", (owner,), T0 + 18, ())
    host = replace(locked.board.host, locks=(*locked.board.host.locks, held))
    locked.board = replace(locked.board, host=host)
    async with locked.app().run_test(size=size) as pilot:
        await pilot.pause()
        shown = text_of(pilot)
        assert "claude-1 ⚠" in shown
        assert "⚠ shares its target dir with desk" in shown
        assert "claude-2 ⚠" not in shown


async def test_a_pane_that_waits_says_what_would_avoid_it(stage: Stage) -> None:
    stage.board, _ = waiting(stage.board, "claude-2", "claude-1")
    async with stage.app().run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        shown = text_of(pilot)
        assert "waits for claude-1's build · artifact dir lock · 7 s" in shown
        assert "Leave out --target-dir and CARGO_TARGET_DIR" in shown


async def test_the_page_why_says_whom_a_run_waits_for_and_what_would_avoid_it(stage: Stage) -> None:
    stage.board, run = waiting(stage.board, "claude-2", "claude-1")
    async with stage.app().run_test(size=(160, 40)) as pilot:
        pilot.app.push_screen(RunScreen(run.run))
        await pilot.pause()
        await pilot.press("5")
        await pilot.pause()
        shown = " ".join(text_of(pilot).split())
        assert "waits for claude-1's build · artifact dir lock" in shown
        assert "cargo check" in shown


async def test_what_is_nothing_of_locks_costs_nothing_and_a_new_wait_is_shown_at_once(locked: Stage) -> None:
    app = locked.app()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        lines = screen._lines
        first = next(iter(locked.board.runs.values()))
        grown = replace(first, out_lines=first.out_lines + 9)
        locked.board = replace(locked.board, runs=MappingProxyType({**locked.board.runs, first.run: grown}))
        app.pull()
        assert screen._lines is lines
        held = locked.board.host.locks[-1]
        more = replace(held, waiters=(Waiter(Owner(77, "", "", "cargo doc", "/d"), T0 + 58),))
        host = replace(locked.board.host, locks=(*locked.board.host.locks[:-1], more))
        locked.board = replace(locked.board, host=host)
        app.pull()
        assert "4 wait" in screen.query_one("#about", StatusLine).words
