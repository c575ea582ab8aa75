"""Which words go where, and what is said about words that go nowhere."""

import contextlib
import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tui.cli import common
from tui.cli import main as dispatch
from tui.cli.build import OWN_OPTIONS

Called = list[tuple[str, str, list[str]]]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Called:
    found: Called = []

    def call(module: str, name: str, argv: list[str]) -> int:
        found.append((module, name, argv))
        return 7

    monkeypatch.setattr(dispatch, "_call", call)
    return found


BUILD = ("tui.cli.build", "main")
WAYS = [
    (["build", "-p", "x"], (*BUILD, ["build", "-p", "x"])),
    (["deck", "t"], (*BUILD, ["t"])),
    (["+nightly", "check"], (*BUILD, ["+nightly", "check"])),
    (["--agent", "a", "build"], (*BUILD, ["--agent", "a", "build"])),
    (["exec", "--", "ninja"], (*BUILD, ["exec", "--", "ninja"])),
    (["fmt", "--check"], (*BUILD, ["fmt", "--check"])),
    (["qqqq"], (*BUILD, ["qqqq"])),
    (["deck", "run-all", "x=y"], ("tui.cli.run_all", "main", ["x=y"])),
    (["ps", "--json"], ("tui.cli.listing", "main", ["--json"])),
    (["top"], ("tui.cli.listing", "main_top", [])),
    (["logs", "a", "-f"], ("tui.cli.logs", "main", ["a", "-f"])),
    (["_shim", "deck"], ("tui.cli.build", "main_shim", ["deck"])),
    (["replay", "f"], ("tui.cli.record", "main_replay", ["f"])),
]


@pytest.mark.parametrize(("argv", "way"), WAYS)
def test_every_word_has_its_way(argv: list[str], way: tuple[str, str, list[str]], called: Called) -> None:
    assert dispatch.main(argv) == 7
    assert called == [way]


def test_every_command_of_the_table_exists_and_answers_for_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for word, (module, name) in dispatch._COMMANDS.items():
        imported = __import__(module, fromlist=[name])
        assert callable(getattr(imported, name)), word


@pytest.mark.parametrize("word", ["ps", "top", "logs", "wait", "stop", "restart", "forget", "sweep"])
def test_every_plain_command_explains_itself(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        dispatch.main([word, "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert f"cargo deck {word}" in said
    assert "--json" in said


@pytest.mark.parametrize("argv", [["--help"], ["-h"], ["help"], ["deck", "--help"]])
def test_help_names_every_command(argv: list[str], called: Called, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch.main(argv) == 0
    said = capsys.readouterr().out
    assert [word for word in dispatch._COMMANDS if not word.startswith("_") and word not in said] == []
    assert [name for name in OWN_OPTIONS if f"\n      {name} " not in said] == []
    assert called == []


def test_help_lists_exactly_the_commands_that_have_json(capsys: pytest.CaptureFixture[str]) -> None:
    having = set()
    for word in (word for word in dispatch._COMMANDS if not word.startswith("_")):
        with contextlib.suppress(SystemExit):
            dispatch.main([word, "--help"])
        said = capsys.readouterr().out
        assert f"cargo deck {word}" in said
        having |= {word} if "--json" in said else set()
    listed = dispatch.HELP.partition("\n--json: ")[2].partition(".")[0]
    assert set(listed.replace(",", " ").split()) == having


@pytest.mark.parametrize("word", ["why", "iterations", "stale", "prove", "advise"])
def test_a_command_in_a_folder_that_is_gone_says_so(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("tui.cli.listing.bring_up_to_date", lambda paths: None)
    gone.rmdir()
    assert dispatch.main([word]) == 2
    assert capsys.readouterr().err == "cargo-deck: the current folder cannot be used: No such file or directory\n"


def test_the_version_is_the_one_that_is_packaged(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch.main(["--version"]) == 0
    packaged = (Path(__file__).parents[2] / "pyproject.toml").read_text().split('\nversion = "')[1].split('"')[0]
    assert capsys.readouterr().out == f"cargo-deck {packaged}\n"


@pytest.mark.parametrize(
    ("slip", "meant"), [("stpo", "stop"), ("log", "logs"), ("swep", "sweep"), ("recrod", "record")]
)
def test_a_slip_gets_a_suggestion(slip: str, meant: str, called: Called, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch.main([slip]) == 2
    assert f"`cargo deck {meant}`" in capsys.readouterr().err
    assert called == []


def test_an_external_of_that_name_is_no_slip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: Called) -> None:
    external = tmp_path / "cargo-stpo"
    external.write_text("#!/bin/sh\n")
    external.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert dispatch.main(["stpo"]) == 7


def test_an_alias_of_that_name_is_no_slip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: Called) -> None:
    (tmp_path / ".cargo").mkdir()
    (tmp_path / ".cargo" / "config.toml").write_text('[alias]\nstpo = "build --workspace"\n')
    monkeypatch.chdir(tmp_path)
    assert dispatch.main(["stpo"]) == 7


def test_without_a_terminal_nothing_said_means_one_look(called: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert dispatch.main([]) == 7
    assert called == [("tui.cli.listing", "main_top", ["--once"])]


def test_starting_the_command_costs_no_slow_import() -> None:
    root = Path(__file__).parents[2]
    code = "import sys; from tui.cli.main import main; main(['--version']); print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=root, capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.startswith(("core", "tui"))}
    assert ours == {"core", "core.run", "tui", "tui.cli", "tui.cli.main"}


@pytest.mark.parametrize(("error", "said"), [
    (OSError(errno.ENOSPC, "No space left on device"), "cargo-deck: No space left on device\n"),
    (OSError(errno.EACCES, "Permission denied", "/w/log"), "cargo-deck: /w/log: Permission denied\n"),
])  # fmt: skip
def test_what_the_system_refuses_is_said_with_its_path_where_there_is_one(
    error: OSError, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(argv: list[str]) -> int:
        raise error

    assert common.guarded(refuse, []) == 125
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(("is_terminal", "said"), [(True, "\n"), (False, "")])
def test_what_ctrl_c_ends_leaves_its_line_of_a_terminal(
    *, is_terminal: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(argv: list[str]) -> int:
        raise KeyboardInterrupt

    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal)
    monkeypatch.setattr("sys.stderr", stream)
    assert common.guarded(end, []) == 130
    assert stream.getvalue() == said
