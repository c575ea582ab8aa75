"""Plain commands in folders of their own, beside no engine unless a test wants one."""

from pathlib import Path

import pytest

from core.errors import EngineError
from core.paths import Paths
from tests.fronts import lend_fronts


def user_folders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """Folders below `folder` that the commands take for the user's; nobody wakes an engine for them."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    lend_fronts(folder / "cache" / "cargo-deck")
    monkeypatch.delenv("DECK_RUN", raising=False)
    for module in ("listing", "manage"):
        monkeypatch.setattr(f"tui.cli.{module}.ensure_engine", lambda paths: None)
    monkeypatch.setattr("tui.cli.listing.request", no_engine)
    return Paths(f"{folder}/cargo-deck", f"{folder}/cache/cargo-deck")


def no_engine(*args: object, **kwargs: object) -> None:
    raise EngineError("no engine here")
