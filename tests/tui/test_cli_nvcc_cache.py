"""`cargo deck cache` on what nvcc made."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.paths import Paths
from core.watch.nvcc_notes import NvccNotes
from tests.core.engine_world import START
from tests.core.test_nvcc_notes import begun, over
from tests.tui.commands import user_folders
from tests.tui.test_cli_json import documented
from tests.tui.test_cli_kernels import FIRST, written
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


VERDICTS = (
    ("hit", ""), ("hit", ""), ("miss", "k.cuh has changed"), ("miss", "nothing is kept for it"),
    ("miss", "k.cuh has changed"), ("bypass", "-keep"), ("off", ""),
)  # fmt: skip


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Those of a run that is in the journal: calls that compile, and a question."""
    monkeypatch.setattr("core.clock.wall_clock", lambda: START + 900)
    monkeypatch.setattr("tui.cli.common.wall_clock", lambda: START + 900)
    paths: Paths = user_folders(tmp_path / "user", monkeypatch)
    found: list[dict[str, Any]] = [begun("q-1", at=START, kind="question"), over("q-1", verdict="off")]
    for at, (verdict, why) in enumerate(VERDICTS):
        found += [begun(f"7-{at}", at=START + at), over(f"7-{at}", verdict=verdict, why=why)]
    path = tmp_path / "nvcc.jsonl"
    path.write_text("".join(json.dumps(note) + "\n" for note in found))
    written(paths, FIRST, tmp_path, *NvccNotes(str(path)).poll())
    return found


def test_what_the_depfile_cache_gave_an_agent_is_what_the_notes_say(
    notes: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", "--json"]) == 0
    (agent,) = json.loads(capsys.readouterr().out)["agents"]
    told = agent["nvcc"]
    assert (agent["agent"], agent["cache"], agent["server"]) == ("ada", "", None)
    assert set(told) == documented("### `nvcc`, of a cache")
    ends = [note for note in notes if "end" in note and note["end"] != "q-1"]
    names = {"hits": "hit", "misses": "miss", "bypassed": "bypass", "off": "off"}
    assert {name: told[name] for name in names} == {
        name: sum(note["verdict"] == verdict for note in ends) for name, verdict in names.items()
    }
    assert (told["unknown"], told["effective_rate"]) == (0, 2 / 6)
    assert told["reasons"][0] == {"verdict": "miss", "why": "k.cuh has changed", "count": 2}
    assert sum(one["count"] for one in told["reasons"]) == 4


def test_a_person_reads_what_nvcc_was_spared_and_why_it_ran(
    notes: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache"]) == 0
    heading, row, *_ = capsys.readouterr().out.splitlines()
    assert heading.split()[0] == "agent"
    assert row.split()[:6] == ["ada", "7", "2", "3", "1", "33"]
    assert "k.cuh has changed 2, nothing is kept for it 1, -keep 1 · no depfile cache 1" in row
    assert main(["cache", "--agent", "ada"]) == 0
    assert row in capsys.readouterr().out
