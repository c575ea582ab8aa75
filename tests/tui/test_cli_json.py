"""What `--json` prints has exactly the fields that docs/json.md names."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core import events as e
from core.facts import read_record
from core.host import ForeignBuild, Host
from core.journal import JournalWriter
from core.paths import Paths
from core.plan.given import Origin
from core.plan.plan import Evidence, Finding
from core.state import Board
from tests.core.runs import exit_of, paths_in, start_python
from tests.scene import board_at
from tests.tui.commands import no_engine
from tests.tui.link_scene import link_end
from tui.cli.machine_record import bottleneck_record, builds_of, foreign_records, machine_record
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


def test_one_picture_of_top_is_as_all_of_them_are(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = printed(capsys, "top", "--once", "--json")
    assert (found["schema"], found["version"]) == ("cargo-deck/top", 1)
    assert [one["run"] for one in found["runs"]] == [run]


def test_what_is_known_of_the_machine_is_printed_as_documented() -> None:
    build = ForeignBuild(7, 1.0, "cargo", "cargo check", "", "", ("serde",), 5, None, 2, "rust-analyzer")
    sample = e.MachineSampled(9.0, 0.5, 100, 60, 30, 20, 0, 0, (("cpu", 0.1, 0.0),), (("/t", 1, 2, None),))
    held = e.BottleneckFound(9.0, "cpu", "all 2 cores are busy (99 %)")
    board = Board(now=10.0, engine_seen_at=9.5, host=Host(sample, foreign=(build,)))
    (foreign,) = foreign_records(board, builds_of(board, Paths("/nowhere", "/nowhere")))
    machine = machine_record(board)
    assert machine is not None
    assert set(foreign) == documented("### `foreign`")
    assert set(machine) == documented("### `machine`")
    assert (foreign["cwd"], foreign["editor"], foreign["in_flight"]) == (None, "rust-analyzer", ["serde"])
    assert machine["pressure"] == {"cpu": {"some": 0.1, "full": 0.0}}
    run = next(iter(board_at(20.0).runs.values()))
    told = bottleneck_record(replace(run, bottleneck=held))
    assert told is not None
    assert set(told) == documented("### `bottleneck`")
    assert bottleneck_record(run) is None
    assert machine_record(replace(board, now=99.0)) is None


def test_findings_of_a_run_are_printed_as_documented(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(os.environ["XDG_STATE_HOME"], "cargo-deck", "runs", run, "run.json")
    places = (Evidence(Origin("/w/.cargo/config.toml", 4), 'rustc-wrapper = "sccache"'), Evidence(Origin("X"), "1"))
    finding = Finding("sccache-incremental", "warning", "sccache never caches incremental crates", places, "c", "m")
    path.write_text(json.dumps({**json.loads(path.read_text()), "findings": [finding.record()]}))
    (found,) = printed(capsys, "ps", "--json")
    (one,) = found["runs"][0]["findings"]
    assert one == finding.record()
    assert set(one) == documented("### `findings`")
    assert set(one["evidence"][0]) == documented("### `evidence`")
    assert [place["line"] for place in one["evidence"]] == [4, None]


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


def test_caches_are_told_as_documented(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = tmp_path / "cargo-deck" / "runs" / run / "events.jsonl"
    lookup = e.CacheLookedUp(
        at=1.0, cache="sccache", unit="one", language="Rust", outcome="hit", key="k", source_agent="other", reason="",
        detail="", elapsed_s=0.1, saved_s=2.0, size_bytes=7,
    )  # fmt: skip
    started = next(event for event in _events(run, tmp_path) if isinstance(event, e.RunStarted))
    lines = [{"schema": 1, "run": run}, e.to_record(started), e.to_record(lookup)]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (found,) = printed(capsys, "cache", "stats", "--json")
    (agent,) = found["agents"]
    assert set(found) == {"schema", "version", *documented("## `cargo-deck/cache` (version 1), of `cache stats`")}
    assert set(agent) == documented("### An agent's cache")
    assert set(agent["units"]) == documented("### `units`, of a cache")
    assert (agent["units"]["hits_other"], agent["effective_rate"], agent["saved_s"]) == (1, 1.0, 1.9)
    (found,) = printed(capsys, "cache", "stats", "--agent", agent["agent"], "--json")
    assert found["agents"] == [agent], "it has no server of ours, but its builds had a cache"
    (told,) = printed(capsys, "cache", "log", "--json")
    assert set(told) == {
        "schema", "version", *documented("## `cargo-deck/cache-lookup` (version 1), a line each, of `cache log`")
    }  # fmt: skip
    (stopped,) = printed(capsys, "cache", "stop", "--json")
    assert stopped["agents"] == []
    assert main(["cache", "stop", "--agent", "tester"]) == 2
    assert "tester has no cache server" in capsys.readouterr().err
    assert main(["cache", "clear", "--agent", "tester"]) == 2
    assert "shared by all agents" in capsys.readouterr().err


def _events(run: str, folder: Path) -> list[e.Event]:
    record = read_record(Paths(str(folder / "cargo-deck"), str(folder / "cargo-deck")), run)
    assert record is not None
    return [record.started]


def link_of(run: str, link: e.LinkEnded) -> None:
    """A link in the journal of a run."""
    paths = Paths(os.environ["XDG_STATE_HOME"] + "/cargo-deck", os.environ["XDG_CACHE_HOME"])
    writer = JournalWriter(paths.run(run) + "/events.jsonl", run)
    writer.append([link])
    writer.close()


def test_the_peak_of_links_that_nobody_saw_is_not_known(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    link_of(run, link_end(2.0, "7-1", "a(bin)", 0, is_sampled=True))
    (found,) = printed(capsys, "ps", "--json")
    assert found["runs"][0]["links"] == {"running": 0, "ended": 1, "peak_bytes": None}


def test_the_name_of_a_linker_is_nothing_that_a_terminal_obeys(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    link_of(run, link_end(2.0, "7-1", "a(bin)", 9_000_000, linker="\x1b]0;x\x07mold"))
    main(["links"])
    shown = capsys.readouterr().out
    assert "mold" in shown
    assert not {"\x1b", "\x07"} & set(shown)


def test_a_command_of_two_words_is_named_in_full_where_its_help_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["links", "measure"]) == 2
    assert "see `cargo deck links measure --help`" in capsys.readouterr().err


def test_clean_prints_what_is_documented(
    run: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ws/src").mkdir(parents=True)
    (tmp_path / "ws/Cargo.toml").write_text('[package]\nname = "app"\nversion = "1.0.0"\n')
    (tmp_path / "ws/target/debug/.fingerprint/app-0123456789abcdef").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "ws")
    (found,) = printed(capsys, "clean", "--dry-run", "--json", "--agent", "tester")
    assert set(found) == {"schema", "version"} | documented("## `cargo-deck/clean` (version 1)")
    assert (found["schema"], found["target_dir"]) == ("cargo-deck/clean", str(tmp_path / "ws/target"))
    loss = documented("### A loss")
    assert set(found["loss"]) == loss
    assert {*found["choices"][-1]} == {"command", "mends"} | loss
