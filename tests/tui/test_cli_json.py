"""What `--json` prints has exactly the fields that docs/json.md names."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from core import events as e
from core.journal import JournalWriter
from tests.core.runs import exit_of, paths_in, start_python
from tests.tui.commands import no_engine
from tests.tui.link_scene import link_end
from tui.cli.main import main

DOCS = (Path(__file__).parents[2] / "docs" / "json.md").read_text()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A finished run, in folders that the commands look at."""
    paths = paths_in(tmp_path)
    started = start_python(paths, "print('one'); print('two')", agent="tester")
    exit_of(paths, started)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    os.rename(tmp_path / "state", tmp_path / "cargo-deck")
    monkeypatch.setattr("tui.cli.listing.ensure_engine", lambda paths: None)
    monkeypatch.setattr("tui.cli.listing.request", no_engine)
    return started


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    main(list(words))
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def documented(heading: str) -> set[str]:
    """Names in backticks in the first column of the table below a heading."""
    part = re.split(r"\n##+ ", DOCS.split(f"\n{heading}\n", 1)[1])[0]
    return {name for row in re.findall(r"^\| (`.*?) \|", part, re.M) for name in re.findall(r"`(\w+)`", row)}


def test_ps_prints_what_is_documented(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = printed(capsys, "ps", "--json")
    assert (found["schema"], found["version"]) == ("cargo-deck/ps", 1)
    (one,) = found["runs"]
    assert one["run"] == run
    assert one["state"] == "done"
    assert one["exit"]["code"] == 0
    assert set(one) == documented("### A run")
    for name in ("units", "tests", "lines", "bytes", "exit"):
        assert set(one[name]) == documented(f"### `{name}`"), name


def test_logs_print_numbered_lines(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "logs", "tester", "--json")
    assert [(line["line"], line["text"]) for line in found] == [(0, "one"), (1, "two")]
    assert set(found[0]) == {"schema", "version", "run", "stream", "line", "text"}


def test_links_print_what_is_documented(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(os.environ["XDG_STATE_HOME"], "cargo-deck", "runs", run, "events.jsonl")
    link = link_end(1_800_000_000.0, "7-1", "app(bin)", 1_900_000_000)
    started = e.RunStarted(1.0, run, "tester", "build", "cargo", "build", "/w", "/w", "/t", False, False, False)
    path.unlink(missing_ok=True)
    writer = JournalWriter(str(path), run)
    writer.append([started, link])
    writer.close()
    (found,) = printed(capsys, "links", "--json")
    assert set(found) == {"schema", "version"} | documented("## `cargo-deck/links` (version 1)")
    (one,) = found["links"]
    assert set(one) == documented("### A link")
    assert (one["unit"], one["peak_bytes"], one["estimate_bytes"]) == ("app(bin)", 1_900_000_000, 2_470_000_000)
    assert main(["links"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:3] == ["app(bin)", "tester", "rust-lld"]


def test_wait_says_how_a_run_ended(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = printed(capsys, "wait", run[:15], "--json")
    assert set(found) == {"schema", "version", "run", "agent", "code", "signal", "is_lost", "wall_s"}
    assert found["code"] == 0


def test_stop_and_sweep_say_what_they_did(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    (stopped,) = printed(capsys, "stop", run, "--json")
    assert stopped["runs"] == [{"run": run, "was_live": False}]
    (swept,) = printed(capsys, "sweep", "--dry-run", "--json")
    assert set(swept) == {"schema", "version", "is_dry_run", "bytes", "removed"}


@pytest.mark.parametrize("words", [("wait", "nobody"), ("logs", "nobody"), ("stop", "nobody"), ("restart", "nobody")])
def test_an_unknown_run_is_a_sentence(words: tuple[str, ...], run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(list(words)) == 2
    assert "no run and no agent is called 'nobody'" in capsys.readouterr().err


def test_a_bad_option_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ps", "--nosuch"]) == 2
    assert "see `cargo deck ps --help`" in capsys.readouterr().err
