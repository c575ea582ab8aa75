"""`cargo deck cache` on what nvcc made."""

from pathlib import Path

import pytest

from tui.cli.main import main


def test_cargo_deck_cache_tells_of_it_and_empties_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "cache/cargo-deck/nvcc/v1/objects/ab/cd"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 5000)
    assert main(["cache"]) == 0
    assert "What nvcc made: 1 output, " in capsys.readouterr().out
    assert main(["cache", "clear"]) == 0
    assert (path.exists(), "freed" in capsys.readouterr().out) == (False, True)
