"""What a watch prints, on a terminal and elsewhere."""

import pytest
from rich.cells import cell_len

from tui.cli.watch_lines import Lines, laid

RESULT = "20:53:56  header kernels/units.cuh  ok 4.2 s (4.2 s since the save) · cicc 2.3 s · ptxas 0.3 s · nvcc 2 calls"


def test_a_line_parts_between_what_it_counts() -> None:
    assert list(laid(RESULT, 100)) == [
        "20:53:56  header kernels/units.cuh  ok 4.2 s (4.2 s since the save) · cicc 2.3 s · ptxas 0.3 s ·",
        "          nvcc 2 calls",
    ]
    assert list(laid(RESULT, 60)) == [
        "20:53:56  header kernels/units.cuh  ok 4.2 s (4.2 s since",
        "          the save) · cicc 2.3 s · ptxas 0.3 s ·",
        "          nvcc 2 calls",
    ]
    assert list(laid(RESULT, 200)) == [RESULT]


@pytest.mark.parametrize("width", [2, 5, 11, 39, 40, 41, 79])
def test_no_row_of_a_line_is_wider_than_the_terminal(width: int) -> None:
    rows = list(laid(RESULT.replace("units", "ünïts漢字"), width))
    assert all(row and cell_len(row) <= width for row in rows)
    assert "".join(rows).replace(" ", "") == RESULT.replace("units", "ünïts漢字").replace(" ", "")


def test_what_goes_on_stands_below_all_lines_of_a_terminal(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    lines = Lines(lambda: 44)
    lines.show("20:53:52  building: header crates/kernels/units.cuh")
    lines.say("watching 3 files")
    lines.show("")
    lines.say("20:53:56  header ok", is_open=True)
    assert lines.is_open
    lines.say("  cargo test a: ok 1.0 s", goes_on=True)
    assert not lines.is_open
    now, erased = "20:53:52  building: header crates/kernels/…", "\r\x1b[K"
    assert capfd.readouterr().out == (
        f"{now}{erased}watching 3 files\n{now}{erased}20:53:56  header ok\n          cargo test a: ok 1.0 s\n"
    )


def test_without_a_terminal_a_test_ends_the_line_of_its_build(capfd: pytest.CaptureFixture[str]) -> None:
    lines = Lines(lambda: None)
    lines.show("20:53:52  building: header units.cuh")
    lines.say(RESULT, is_open=True)
    lines.say("  cargo test a: ok 1.0 s", goes_on=True)
    lines.say("20:54:00  first ok", is_open=True)
    lines.quote("error: no such test")
    assert capfd.readouterr().out == f"{RESULT}  cargo test a: ok 1.0 s\n20:54:00  first ok\nerror: no such test\n"
