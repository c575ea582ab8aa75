"""Names that a person gave to agents stand wherever an agent is named, not only on its pane."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from core import events as e
from core.lock_queries import lock_lines, run_advice
from core.queries import waits_on
from core.state import Board
from tests.lock_scene import with_locks
from tests.scene import board_at
from tests.tui.conftest import Stage
from tests.tui.screen_text import text_of
from tui.names import NamedSource
from tui.widgets import lock_words
from tui.widgets.words import kill_words

NAMES = {"claude-1": "Ada", "codex": "Kodi"}


class Boards:
    """A source of one board."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def poll(self) -> Board:
        return self.board


def named(board: Board, names: Mapping[str, str] = NAMES) -> NamedSource:
    source = NamedSource(Boards(board))
    source.call(names)
    return source


def with_second_build(board: Board) -> tuple[Board, str]:
    """The board with a second build of claude-1 that waits for its first one, which waits for codex; its id."""
    first = next(run for run in board.runs.values() if run.agent == "claude-1")
    now = board.now
    blocked = e.LockBlocked(
        now, "artifact dir", "/t/.cargo-lock", now - 5, 9, first.run, "claude-1", "", "", now - 9, ("codex",)
    )
    second = replace(
        first, run=first.run + "2", blocked=blocked, waits_for="artifact dir", waits_since=now - 5,
        kills=(e.ProcessKilled(now, 7, "ld", "", True, 9, None, (("codex", 5_000_000),)),),
    )  # fmt: skip
    return replace(board, runs=MappingProxyType({**board.runs, second.run: second})), second.run


def test_locks_are_held_and_waited_for_by_the_same_names_that_lost_time_to_them() -> None:
    board = named(with_locks(board_at(60.0))).poll()
    line = next(line for line in lock_lines(board, 0.0) if line.path.endswith("claude-1/target/debug/.cargo-lock"))
    assert lock_words.holder_of(line, 40) == "Ada  cargo 4121"
    assert lock_words.waits(line) == "claude-2 31s ─▸ Kodi 12s · cargo 4s"
    assert lock_words.lost(line) == "claude-2 6:10 · Kodi 0:48"


def test_a_second_build_of_a_renamed_agent_still_waits_for_its_own_and_is_advised_so() -> None:
    board, second = with_second_build(board_at(60.0))
    shown = named(board).poll()
    run = shown.runs[second]
    assert waits_on(shown, run) == "waits for its other build, who waits for Kodi · artifact dir lock"
    assert run_advice(shown, run)[0].startswith("Two builds of one agent share a target dir")
    assert "Kodi had 5.0 M" in kill_words(run.kills[0])[1]


def test_what_did_not_change_stays_the_same_object() -> None:
    board = with_locks(board_at(60.0))
    boards = Boards(board)
    source = NamedSource(boards)
    source.call(NAMES)
    first = source.poll()
    boards.board = replace(board, now=board.now + 1)
    second = source.poll()
    assert second is not first
    assert second.host.locks is first.host.locks
    assert all(second.runs[name] is run for name, run in first.runs.items())


def test_without_names_any_more_everybody_is_called_as_before() -> None:
    board = with_locks(board_at(60.0))
    source = named(board)
    source.poll()
    assert dict(source.called) == NAMES
    source.call({})
    assert source.poll() is board
    assert not source.called


async def test_the_cache_page_of_a_renamed_agent_tells_its_own_from_others(stage: Stage) -> None:
    app = stage.app()
    app.names.call({"claude-1": "Ada"})
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("1", "enter", "7")
        await app.workers.wait_for_complete()
        await pilot.pause()
        shown = text_of(pilot)
        assert "hit, its own" in shown
        assert "by claude-1" not in shown
