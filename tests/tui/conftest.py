import os
from pathlib import Path

import pytest

from core.paths import Paths
from core.state import Board
from tests.scene import T0, board_at, write_until
from tui.app import DeckApp
from tui.preferences import Preferences
from tui.source import Deck


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person's shell says about colour must not change a picture."""
    for name in list(os.environ):
        if (name.startswith("TEXTUAL") and name != "TEXTUAL_SNAPSHOT_TEMPDIR") or name in ("NO_COLOR", "COLORFGBG"):
            monkeypatch.delenv(name)


class Stage:
    """A board that stands still until told otherwise, and a note of what was asked for."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.paths = Paths(str(folder), str(folder / "cache"))
        self.board = board_at(seconds)
        self.now = T0 + seconds
        self.asked: list[dict[str, object]] = []
        self.gone: set[str] = set()
        """Files of builds that are not there any more."""
        write_until(self.paths.runs, seconds)

    def poll(self) -> Board:
        return self.board

    def request(self, message: dict[str, object]) -> dict[str, object]:
        self.asked.append(message)
        return {"ok": True}

    def app(
        self, *, is_ascii: bool = False, preferences: Preferences | None = None, env: dict[str, str] | None = None
    ) -> DeckApp:
        deck = Deck(
            self, self.paths, clock=lambda: self.now, request=self.request, theme="deck-dark",
            glyphs_are_ascii=is_ascii, preferences=preferences or Preferences(), env=env,
            is_there=lambda path: path not in self.gone,
        )  # fmt: skip
        return DeckApp(deck, is_pulling=False)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "state", 60.0)
