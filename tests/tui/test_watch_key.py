"""The key that has a build repeated after each save."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import SpawnError
from core.state import Run
from core.watches import Subject, find_watches, held
from tests.real.product import Deck, gone_after_s, temporary_deck, until
from tests.tui.conftest import Stage
from tests.tui.screen_text import settled, text_of
from tui.watching import Watches


class FakeWatches(Watches):
    """Notes what is asked for."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.asked: list[str] = []
        self._refuses = refuses

    def toggle(self, run: Run) -> str:
        self.asked.append(run.run)
        if self._refuses:
            raise SpawnError("no room for a watch")
        return "again after each save"


@pytest.mark.parametrize("refuses", [False, True])
async def test_the_key_starts_a_watch_of_the_highlighted_build_and_says_so(stage: Stage, refuses: bool) -> None:
    app = stage.app()
    app.watches = FakeWatches(refuses=refuses)
    async with app.run_test(size=(120, 40)) as pilot:
        chosen = app.chosen
        assert chosen is not None
        await pilot.press("A")
        await app.workers.wait_for_complete()
        await pilot.pause()
        said = "no room for a watch" if refuses else "again after each save"
        assert [note.message for note in app._notifications] == [said]
        assert app.watches.asked == [chosen.run]


@pytest.mark.parametrize("size", [(60, 24), (80, 24), (120, 40)])
async def test_a_build_that_is_watched_says_so_on_the_board_and_on_its_page_until_it_is_not(
    stage: Stage, size: tuple[int, int]
) -> None:
    app, found = stage.app(), set[tuple[str, str]]()
    app.deck = replace(app.deck, watched=lambda: frozenset(found))
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        run = app.chosen
        assert run is not None
        assert "watched" not in text_of(pilot)
        found.add((run.agent, run.checkout))
        stage.now += 1
        await settled(pilot)
        assert [run.agent in line for line in text_of(pilot).splitlines() if " watched" in line] == [True]
        await pilot.press("enter")
        await settled(pilot)
        assert " watched" in text_of(pilot)
        found.clear()
        stage.now += 1
        await settled(pilot)
        assert "watched" not in text_of(pilot)


async def test_a_toast_that_says_what_a_pane_says_too_is_short_and_soon_gone(stage: Stage) -> None:
    app = stage.app()
    app.watches = FakeWatches()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("A")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert [(note.title, note.timeout) for note in app._notifications] == [("", 2.0)]


async def test_without_a_build_there_is_nothing_to_watch(stage: Stage) -> None:
    stage.board = type(stage.board)()
    app = stage.app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("A")
        await pilot.pause()
        assert [note.message for note in app._notifications] == ["There is no build here to repeat after each save."]


@pytest.fixture
def deck() -> Iterator[Deck]:
    """Folders of their own."""
    with temporary_deck() as one:
        yield one


def test_a_watch_that_was_started_here_is_ended_here_and_leaves_nothing(deck: Deck) -> None:
    from core.attach import Reader
    from core.clock import wall_clock
    from core.paths import Paths

    root = Path(deck.folder, "app")
    (root / "src").mkdir(parents=True)
    (root / "Cargo.toml").write_text('[package]\nname = "app"\nversion = "1.0.0"\nedition = "2021"\n')
    (root / "src/main.rs").write_text("fn main() {}\n")
    assert deck.run("build", "--agent", "me", cwd=str(root)).returncode == 0
    deck.run("ps")
    paths = Paths(deck.state, os.path.join(deck.folder, "cache", "cargo-deck"))
    (run,) = Reader(paths, wall_clock).read_all().runs.values()
    watches = Watches(paths, deck.env)
    assert "again after each save" in watches.toggle(run)
    assert [one.subject for one in find_watches(paths)] == [Subject("me", str(root), "build")]
    until(lambda: len(deck.runs()) == 2, 30, "its first build")
    assert "not watched any more" in watches.toggle(run)
    until(lambda: not find_watches(paths), 10, "its end")
    marker = f"XDG_STATE_HOME={deck.env['XDG_STATE_HOME']}"
    assert gone_after_s(marker, 10, (deck.engine(),))[1] == []


def test_two_cannot_watch_the_same_and_who_is_gone_watches_nothing(tmp_path: Path) -> None:
    from core.errors import UsageError
    from core.paths import Paths

    paths, subject = Paths(str(tmp_path), str(tmp_path)), Subject("me", "/w", "build")
    with held(paths, subject, 1.0):
        (holder,) = find_watches(paths)
        assert (holder.process.pid, holder.subject) == (os.getpid(), subject)
        with pytest.raises(UsageError, match="already"), held(paths, subject, 2.0):
            pass
        with held(paths, Subject("you", "/w", "build"), 0.5):
            assert [one.subject.agent for one in find_watches(paths)] == ["you", "me"]
    assert find_watches(paths) == ()
    for name, content in (("x", b""), ("y", b"[]"), ("z", b'{"pid": "x"}')):
        (tmp_path / "watches" / name).write_bytes(content)
    (tmp_path / "watches/folder").mkdir()
    assert find_watches(paths) == ()
