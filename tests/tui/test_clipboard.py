"""Copying: what is tried where, in which order, and that the sentence is true."""

import base64
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tui.clipboard import OSC52_BYTES, Clipboard, Situation, Way, look_around, sequence, ways

BARE = Situation(desktop=None, is_remote=False, is_in_tmux=False, has_tmux=False, has_osc52=True)
DESK = replace(BARE, desktop=("wl-copy",))


def program(folder: Path, name: str, body: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def clipboard(folder: Path, situation: Situation) -> tuple[Clipboard, list[str]]:
    sent: list[str] = []
    return Clipboard(situation, f"{folder}/state/copied.txt", sent.append), sent


@pytest.mark.parametrize(
    ("situation", "tried"),
    [
        (BARE, ("osc52", "file")),
        (DESK, ("desktop", "osc52", "file")),
        (replace(DESK, is_remote=True), ("osc52", "desktop", "file")),
        (replace(BARE, is_in_tmux=True, has_tmux=True), ("tmux", "file")),
        (replace(DESK, is_in_tmux=True, has_tmux=True), ("desktop", "tmux", "file")),
        (replace(DESK, is_in_tmux=True, has_tmux=True, is_remote=True), ("tmux", "desktop", "file")),
        (replace(BARE, is_in_tmux=True), ("passthrough", "file")),
        (replace(BARE, has_osc52=False), ("file",)),
        (replace(DESK, wish="osc52"), ("osc52", "file")),
        (replace(DESK, wish="desktop"), ("desktop", "file")),
        (replace(DESK, wish="file"), ("file",)),
    ],
)
def test_a_small_text_goes_the_surest_way_first(situation: Situation, tried: tuple[Way, ...]) -> None:
    assert ways(situation, 100) == tried


def test_what_is_too_large_for_a_sequence_is_never_sent_as_one() -> None:
    assert ways(BARE, OSC52_BYTES) == ("osc52", "file")
    assert ways(BARE, OSC52_BYTES + 1) == ("file",)
    assert ways(replace(DESK, is_remote=True), OSC52_BYTES + 1) == ("desktop", "file")
    assert ways(replace(BARE, is_in_tmux=True), OSC52_BYTES + 1) == ("file",)


def test_the_situation_is_read_from_environment_and_path(tmp_path: Path) -> None:
    program(tmp_path / "bin", "xclip", "cat >/dev/null")
    program(tmp_path / "bin", "tmux", "cat >/dev/null")
    env = {"PATH": str(tmp_path / "bin"), "TERM": "xterm-256color", "DISPLAY": ":0", "SSH_TTY": "/dev/pts/1"}
    assert look_around(env) == Situation(("xclip", "-selection", "clipboard"), True, False, True, True)
    assert look_around({**env, "DISPLAY": "", "TMUX": "/tmp/x,1,0"}) == Situation(None, True, True, True, True)
    assert not look_around({**env, "TERM": "linux"}).has_osc52
    assert not look_around({**env, "STY": "1.pts"}).has_osc52


def test_the_desktop_gets_the_very_bytes(tmp_path: Path) -> None:
    program(tmp_path / "bin", "wl-copy", f"cat >{tmp_path}/taken")
    board, sent = clipboard(tmp_path, replace(BARE, desktop=(f"{tmp_path}/bin/wl-copy",)))
    assert board.copy("naïve ≈ \udcff", "1 line") == "copied 1 line to the clipboard"
    assert (tmp_path / "taken").read_bytes() == "naïve ≈ ".encode() + b"\xff"
    assert sent == []


def test_a_desktop_that_refuses_is_not_said_to_have_taken_it(tmp_path: Path) -> None:
    program(tmp_path / "bin", "xclip", "exit 1")
    board, sent = clipboard(tmp_path, replace(BARE, desktop=(f"{tmp_path}/bin/xclip",)))
    said = board.copy("hello", "1 line")
    assert said.startswith("sent 1 line to the terminal's clipboard")
    assert sent == [f"\x1b]52;c;{base64.b64encode(b'hello').decode()}\x07"]


def test_a_file_is_private_and_its_path_is_said(tmp_path: Path) -> None:
    board, sent = clipboard(tmp_path, replace(BARE, has_osc52=False))
    path = tmp_path / "state" / "copied.txt"
    assert board.copy("first, and longer", "2 lines") == f"wrote 2 lines to {path}"
    board.copy("second", "1 line")
    assert path.read_text() == "second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sent == []


def test_tmux_is_told_by_its_own_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", "tmux", f'echo "$@" >{tmp_path}/words; cat >{tmp_path}/taken')
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    board, _ = clipboard(tmp_path, replace(BARE, is_in_tmux=True, has_tmux=True))
    assert "tmux's buffer" in board.copy("hello", "1 line")
    assert "too much" in board.copy("x" * OSC52_BYTES, "1 line")
    assert (tmp_path / "words").read_text() == "load-buffer -w -\n"
    assert (tmp_path / "taken").stat().st_size == OSC52_BYTES


def test_a_sequence_through_tmux_doubles_its_escapes() -> None:
    assert sequence("aGk=", is_in_tmux=True) == "\x1bPtmux;\x1b\x1b]52;c;aGk=\x07\x1b\\"
