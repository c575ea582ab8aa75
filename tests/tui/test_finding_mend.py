"""A finding that a small clean mends: offered, asked for, done."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from core.plan.plan import Finding
from tests.tui.conftest import Stage
from tests.tui.finding_scene import CACHE, find, live
from tests.tui.screen_text import text_of
from tui.mend_run import Doable, doable, run_mend
from tui.own_program import own_command
from tui.screens import finding as finding_screen
from tui.screens.finding import FindingScreen

STALE = Finding("no-rule", "error", "kern: gone.c is not there", cost="no build", mend="cargo deck clean -p kern")


def stale(stage: Stage, folder: Path, *more: Finding) -> None:
    """A run that works in `folder`, with the finding."""
    run = replace(live(stage), cwd=str(folder))
    stage.board = replace(stage.board, runs=MappingProxyType({**stage.board.runs, run.run: run}))
    find(stage, run, STALE, *more)


@pytest.mark.parametrize(
    ("said", "is_done"), [("Removed 3 files", True), ("claude-1: build builds in /w/target", False)]
)
async def test_the_key_asks_first_and_says_how_it_went(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, is_done: bool
) -> None:
    asked: list[Doable] = []

    def run(what: Doable) -> tuple[bool, str]:
        asked.append(what)
        return is_done, said

    monkeypatch.setattr(finding_screen, "run_mend", run)
    stale(stage, tmp_path)
    agent = live(stage).agent
    async with stage.app().run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("W")
        await pilot.pause()
        assert "r clean as it says" in text_of(pilot)
        await pilot.press("r")
        await pilot.pause()
        shown = "".join(text_of(pilot).replace("│", " ").split())  # a long path is broken
        assert f"in{tmp_path}:cargodeckclean-pkern" in shown
        await pilot.press("n", "r", "y")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert said in text_of(pilot)
        assert isinstance(pilot.app.screen, FindingScreen)
    assert asked == [Doable(("-p", "kern"), str(tmp_path), agent)]


async def test_what_is_no_clean_cannot_be_done_with_a_key(stage: Stage, tmp_path: Path) -> None:
    stale(stage, tmp_path / "gone", CACHE)
    async with stage.app().run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("W")
        await pilot.pause()
        assert "nothing is changed" in text_of(pilot)
        for _ in range(2):
            await pilot.press("r")
            await pilot.pause()
            assert "There is nothing here that could be done with a key" in text_of(pilot)
            await pilot.press("tab")
        assert isinstance(pilot.app.screen, FindingScreen)


async def test_in_a_recording_nothing_is_cleaned(stage: Stage, tmp_path: Path) -> None:
    stale(stage, tmp_path)
    app = stage.app()
    app.deck = (
        app.deck._replace(is_recording=True) if hasattr(app.deck, "_replace") else replace(app.deck, is_recording=True)
    )
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("W")
        await pilot.pause()
        assert "nothing is changed" in text_of(pilot)
        await pilot.press("r")
        await pilot.pause()
        assert isinstance(pilot.app.screen, FindingScreen)


@pytest.mark.parametrize(
    "mend", ["", "rm -rf /", "cargo deck clean", "cargo deck clean --doc", "cargo deck clean -p a; b"]
)
def test_nothing_but_a_small_clean_is_ever_run(tmp_path: Path, mend: str) -> None:
    assert doable(STALE._replace(mend=mend), str(tmp_path), "a") is None


def test_it_is_run_as_the_agent_in_the_folder_of_its_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECK_RUN", "x")
    what = doable(STALE, str(tmp_path), "claude-1")
    assert what is not None
    script = "import os, sys; print(sys.argv[1:]); print(os.getcwd(), os.environ.get('DECK_RUN')); sys.exit(%d)"
    for code in (0, 1):
        is_done, said = run_mend(what, (sys.executable, "-c", script % code))
        assert (is_done, said) == (code == 0, f"{tmp_path} None")
    assert run_mend(what, (sys.executable, "-c", "import sys; print(sys.argv[1:])"))[1] == (
        "['-p', 'kern', '--yes', '--agent', 'claude-1']"
    )
    assert run_mend(what, (sys.executable, "-c", "import sys; sys.exit(3)")) == (False, "exit 3")
    assert run_mend(what, ("/nonexistent",))[0] is False
    told = subprocess.run(own_command("clean", "--help"), capture_output=True, text=True, cwd=tmp_path, check=True)
    assert told.stdout.startswith("usage: cargo deck clean")
