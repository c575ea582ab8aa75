"""Builds that are not ours on the board: dim, after the agents', and in nobody's way."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from core.host import ForeignBuild, Held, Owner, Waiter
from core.state import Run
from tests.scene import T0
from tests.tui.conftest import Stage
from tests.tui.screen_text import text_of
from tui.screens.board import BoardScreen
from tui.widgets.layout import GUEST_ROWS, arrange, with_guests

CHECK = ForeignBuild(
    4121, T0 + 20, "cargo", "cargo check --workspace --message-format=json", "/home/ada/src/engine",
    "/home/ada/src/engine", ("serde", "tokio"), 310_000_000, 1.2, 6, "rust-analyzer",
)  # fmt: skip
NINJA = ForeignBuild(4200, T0 + 50, "ninja", "ninja -C out", "", "", (), 1_310_000_000, None, 3)


def show_foreign(stage: Stage, *builds: ForeignBuild, runs: int = 4, locks: tuple[Held, ...] = ()) -> None:
    kept = dict(list(stage.board.runs.items())[:runs])
    host = replace(stage.board.host, foreign=builds, locks=locks)
    stage.board = replace(stage.board, runs=MappingProxyType(kept), host=host)


def agents_part(text: str) -> list[str]:
    """The rows of the board without what tells of the others."""
    return [line.rstrip()[:79].rstrip() for line in text.splitlines()[2:-1] if "not ours" not in line]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_no_pane_of_ours_moves_when_another_build_comes_and_goes(stage: Stage, size: tuple[int, int]) -> None:
    app = stage.app()
    async with app.run_test(size=size) as pilot:
        before = agents_part(text_of(pilot))
        show_foreign(stage, CHECK, NINJA)
        app.pull()
        await pilot.pause()
        assert "2 not ours" in text_of(pilot)
        assert agents_part(text_of(pilot)) == before
        show_foreign(stage)
        app.pull()
        await pilot.pause()
        assert "not ours" not in text_of(pilot)
        assert agents_part(text_of(pilot)) == before


async def test_a_pane_says_what_can_be_known_from_outside(stage: Stage) -> None:
    holder = Owner(4121, "", "", "cargo check", "/home/ada/src/engine")
    waiter = Waiter(Owner(9, "r", "claude-1", "", ""), T0 + 30)
    show_foreign(
        stage, CHECK, NINJA, runs=0, locks=(Held("/t/.package-cache", "package cache", (holder,), T0, (waiter,)),)
    )
    async with stage.app().run_test(size=(160, 30)) as pilot:
        shown = text_of(pilot)
        for words in ("○ not ours  cargo check (rust-analyzer)", "serde · tokio", "≈310 M", "≈1.2", "pid 4121", "0:40",
                      "in /home/ada/src/engine", "holds the package cache lock", "not ours  ninja",
                      "nothing compiles just now", "where is not to be seen", "since "):  # fmt: skip
            assert words in shown, words


async def test_what_such_a_build_waits_for_is_said(stage: Stage) -> None:
    held = Held("/t/debug/.cargo-lock", "artifact dir", (Owner(7, "r", "codex", "", ""),), T0,
                (Waiter(Owner(4121, "", "", "cargo check", "/x"), T0 + 30),))  # fmt: skip
    show_foreign(stage, CHECK, runs=0, locks=(held,))
    async with stage.app().run_test(size=(120, 30)) as pilot:
        assert "waits for codex's build · artifact dir lock" in text_of(pilot)


@pytest.mark.parametrize("key", ["x", "X", "r", "f", "enter", "N", "c"])
async def test_a_key_on_it_says_why_not(stage: Stage, key: str) -> None:
    show_foreign(stage, CHECK, runs=0)
    app = stage.app()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press(key)
        await pilot.pause()
        assert stage.asked == []
        assert isinstance(app.screen, BoardScreen)
        said = [one.message for one in app._notifications]
        assert said == ["Not started through cargo-deck (pid 4121): it can only be looked at here."]


async def test_the_key_for_attention_skips_it(stage: Stage) -> None:
    show_foreign(stage, CHECK)
    app = stage.app()
    async with app.run_test(size=(120, 30)) as pilot:
        board = app.screen
        assert isinstance(board, BoardScreen)
        for _ in range(5):
            await pilot.press("!")
            assert isinstance(board.chosen, Run)


async def test_it_can_be_reached_by_key_and_vanishes_from_under_the_mark(stage: Stage) -> None:
    show_foreign(stage, CHECK)
    app = stage.app()
    async with app.run_test(size=(80, 24)) as pilot:
        board = app.screen
        assert isinstance(board, BoardScreen)
        await pilot.press("shift+tab")
        assert board.grid.guest is not None
        await pilot.pause()
        assert "○ not ours  cargo check" in text_of(pilot)
        show_foreign(stage)
        app.pull()
        assert board.grid.guest is None
        assert board.chosen is not None


async def test_the_first_agent_is_highlighted_where_there_was_nobody_but_others(stage: Stage) -> None:
    runs = stage.board.runs
    show_foreign(stage, CHECK, runs=0)
    app = stage.app()
    async with app.run_test(size=(80, 24)):
        board = app.screen
        assert isinstance(board, BoardScreen)
        assert board.grid.guest is not None
        stage.board = replace(stage.board, runs=runs)
        app.pull()
        assert board.chosen == next(iter(runs.values()))


async def test_none_is_shown_where_no_engine_looks(stage: Stage) -> None:
    show_foreign(stage, CHECK)
    stage.board = replace(stage.board, engine_seen_at=T0)
    async with stage.app().run_test(size=(120, 30)) as pilot:
        assert "not ours" not in text_of(pilot)


@pytest.mark.parametrize("panes", range(9))
@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_places_of_others_never_overlap_and_leave_ours_alone(panes: int, width: int) -> None:
    own = arrange(width, 38, panes)
    for others in range(6):
        both = with_guests(own, width, others)
        assert both.slots[:panes] == own.slots
        assert len(both.slots) == panes + others
        cells = [(x, y) for s in both.slots for x in range(s.x, s.x + s.width) for y in range(s.y, s.y + s.height)]
        assert len(cells) == len(set(cells))
        assert all(s.x + s.width <= width and s.y + s.height <= both.height for s in both.slots)
        assert all(s.height in (1, 2, GUEST_ROWS) for s in both.slots[panes:])
