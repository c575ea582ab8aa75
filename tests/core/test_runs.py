import json
from pathlib import Path

import pytest

from core.errors import UsageError
from core.paths import Paths
from core.runs import resolve_run
from tests.core.runs import paths_in

FIRST, SECOND, THIRD = "20260101-120000-000-aaaa", "20260101-130000-000-bbbb", "20260102-120000-000-cccc"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = paths_in(tmp_path)
    for run, agent in ((FIRST, "claude-1"), (SECOND, "claude-1"), (THIRD, "codex")):
        folder = Path(found.run(run))
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"agent": agent, "started": 1.0}))
    return found


@pytest.mark.parametrize(
    ("word", "run"),
    [(FIRST, FIRST), ("20260102", THIRD), ("20260101-13", SECOND), ("claude-1", SECOND), ("codex", THIRD)],
)
def test_a_run_is_named_by_id_beginning_or_agent(paths: Paths, word: str, run: str) -> None:
    assert resolve_run(paths, word) == run


def test_a_beginning_of_several_names_them_newest_first(paths: Paths) -> None:
    with pytest.raises(UsageError, match=rf"fits 2 runs.*{SECOND} \(claude-1\), {FIRST} \(claude-1\)"):
        resolve_run(paths, "20260101")


@pytest.mark.parametrize("word", ["claude", "../runs", "", "nobody"])
def test_an_unknown_name_is_answered_with_the_agents_there_are(paths: Paths, word: str) -> None:
    with pytest.raises(UsageError, match="claude-1"):
        resolve_run(paths, word)


def test_an_agent_whose_name_begins_several_ids_is_an_agent(paths: Paths) -> None:
    Path(paths.run(THIRD), "run.json").write_text(json.dumps({"agent": "2026", "started": 1.0}))
    assert resolve_run(paths, "2026") == THIRD


def test_a_run_without_a_readable_record_is_still_found_by_its_id(paths: Paths) -> None:
    Path(paths.run(THIRD), "run.json").write_text("{")
    assert resolve_run(paths, "20260102") == THIRD


def test_before_the_first_run_the_answer_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no runs yet"):
        resolve_run(paths_in(tmp_path), "x")
