"""A log in the person's own pager and editor."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from tui.editor import open_file
from tui.pager import edit, page, pager_argv


@pytest.mark.parametrize(
    ("pager", "argv"),
    [
        ("", ["less", "-R", "+5"]),
        ("/usr/bin/less -S", ["/usr/bin/less", "-S", "-R", "+5"]),
        ("more", ["more", "+5"]),
        ("bat -p", ["bat", "-p"]),
    ],
)
def test_a_pager_begins_at_the_line_where_it_can(pager: str, argv: list[str]) -> None:
    assert pager_argv(pager, 4) == argv


def test_the_setting_comes_before_the_environment(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    assert page({"PAGER": "nowhere"}, ("a", "é"), 0, wanted=f"sh -c 'cat >{taken}'") is None
    assert taken.read_text() == "a\né\n"


def test_a_pager_that_is_left_early_is_no_failure() -> None:
    assert page({"PAGER": "true"}, ("x" * 1000 for _ in range(1000)), 0) is None


def test_an_editor_gets_a_copy_and_the_line(tmp_path: Path) -> None:
    vi = tmp_path / "vi"
    vi.write_text(f'#!/bin/sh\necho "$1" >{tmp_path}/line; cat "$2" >{tmp_path}/taken\n')
    vi.chmod(0o700)
    assert edit({"EDITOR": str(vi)}, ("a", "b"), 1) is None
    assert ((tmp_path / "line").read_text(), (tmp_path / "taken").read_text()) == ("+2\n", "a\nb\n")


def test_what_cannot_be_started_is_said() -> None:
    assert (page({"PAGER": "nowhere"}, (), 0) or "").startswith("could not start nowhere: No such file")
    assert (edit({"EDITOR": "nowhere"}, (), 0) or "").startswith("could not start nowhere: No such file")


def test_quotes_that_do_not_match_are_said() -> None:
    env = {"PAGER": "less 'x", "EDITOR": "vi 'x"}
    for why in (page(env, ("a",), 0), edit(env, ("a",), 0), open_file(env, "f", 1, 1)):
        assert why is not None
        assert "cannot be read (No closing quotation)" in why


def test_a_copy_that_the_disk_does_not_take_is_said() -> None:
    def lines() -> Iterator[str]:
        yield "a"
        raise OSError(28, "No space left on device")

    assert edit({"EDITOR": "true"}, lines(), 0) == "could not copy the log to a temporary file: No space left on device"


def test_an_interrupt_of_the_pager_is_for_it_alone() -> None:
    interrupts: list[int] = []

    def leave(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)

    before = signal.signal(signal.SIGINT, leave)
    try:
        hit = f"sh -c 'kill -INT {os.getpid()}; kill -INT $$; exit 0'"
        assert page({"PAGER": hit}, (), 0) is None
        assert open_file({"EDITOR": hit}, "f", 1, 1) is None
        assert interrupts == []
        assert signal.getsignal(signal.SIGINT) is leave
    finally:
        signal.signal(signal.SIGINT, before)
