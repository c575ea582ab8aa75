"""What a caller sees of a raw log is what plain cargo would have written."""

import subprocess
import sys

import pyte
import pytest

from core.parsers.projection import MAX_SEGMENT_BYTES, Projection
from tests.core.recordings import DATA, NAMES, TWINS, is_split, log, masked, pieces, plain

MESSAGE = b'{"reason":"compiler-artifact","package_id":"x"}\n'
LAST = b'{"reason":"build-finished","success":true}\n'
BAR = b"\x1b[1m\x1b[96m    Building\x1b[0m [====>  ] 2/11: reg1, m0      \r"
BARE_BAR = b"[====>  ] 2/11: reg1, m0      \r"
ERASE = b"\x1b[K"


def seen(
    content: bytes, *, json: bool = True, progress: bool = True, color_args: bool = False, size: int = 1 << 20
) -> bytes:
    projection = Projection(cut_json=json, cut_progress=progress, cut_color_args=color_args)
    return b"".join(projection.feed(chunk) for chunk in pieces(content, size)) + projection.close()


def stream_seen(name: str, stream: str, size: int = 1 << 20) -> bytes:
    split = is_split(name)
    return seen(log(name, stream), json=stream == "out", progress=not split or stream == "err", size=size)


@pytest.mark.parametrize("name", [name for name in TWINS if name != "test-verbose"])
def test_our_flags_change_nothing_that_a_caller_sees(name: str) -> None:
    for stream in ("out", "err") if is_split(name) else ("out",):
        assert masked(stream_seen(name, stream)) == masked(plain(name, stream))


def test_of_verbose_tests_only_the_command_of_rustdoc_differs() -> None:
    shown = stream_seen("test-verbose", "out")
    assert shown.count(b"--error-format json`") == 1
    assert masked(seen(log("test-verbose"), color_args=True)) == masked(plain("test-verbose"))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("name", NAMES)
def test_any_cut_gives_the_same_bytes(name: str, size: int) -> None:
    content = log(name)
    for progress in (True, False):
        whole = seen(content, progress=progress, color_args=True)
        assert seen(content, progress=progress, color_args=True, size=size) == whole


def test_every_single_cut_gives_the_same_bytes() -> None:
    content = log("build-noisy")[:6000]
    whole = seen(content)
    for at in range(len(content)):
        projection = Projection(cut_json=True, cut_progress=True)
        assert projection.feed(content[:at]) + projection.feed(content[at:]) + projection.close() == whole


@pytest.mark.parametrize(
    "bar", [BAR, BARE_BAR, b"    Building [===> ] 2/11: x\r", b"       Fetch 12 complete; 3 pending\r"]
)
def test_a_progress_line_goes_with_what_clears_it(bar: bytes) -> None:
    assert seen(bar + ERASE + MESSAGE + bar + ERASE + b"   Compiling m0\n" + bar + bar + LAST) == b"   Compiling m0\n"


def test_a_terminal_keeps_its_bar_and_misses_only_messages() -> None:
    content = BAR + ERASE + MESSAGE + BAR + ERASE + b"   Compiling m0\n" + BAR
    assert seen(content, progress=False) == BAR + BAR + ERASE + b"   Compiling m0\n" + BAR


@pytest.mark.parametrize("after", [b"   Compiling m0\n", b"warning: x\n", b"\x1b[1m\x1b[92m   Compiling\x1b[0m m0\n"])
def test_a_bar_is_cleared_before_text_though_the_message_that_cleared_it_is_gone(after: bytes) -> None:
    content = BAR + ERASE + MESSAGE + after
    for size in (1, 5, 1000):
        assert seen(content, progress=False, size=size) == BAR + ERASE + after
    assert seen(BAR + ERASE + LAST + after, progress=False) == BAR + ERASE + after
    assert seen(BAR + ERASE + MESSAGE, progress=False) == BAR + ERASE


@pytest.mark.parametrize("name", ["build-one", "build-noisy", "test-red"])
def test_a_terminal_shows_in_the_end_what_plain_cargo_shows(name: str) -> None:
    def screen(content: bytes) -> list[str]:
        display = pyte.Screen(130, 200)
        pyte.ByteStream(display).feed(content.replace(b"\n", b"\r\n"))
        return [line.rstrip() for line in display.display if line.strip()]

    shown = screen(seen(log(name), progress=False))
    assert masked("\n".join(shown).encode()) == masked("\n".join(screen(plain(name))).encode())


def test_after_the_last_message_every_byte_passes_as_it_is() -> None:
    program = MESSAGE + BAR + ERASE + LAST + b"    Finished x\nlone\rreturn\x00\xff" + BARE_BAR
    for progress in (True, False):
        projection = Projection(cut_json=True, cut_progress=progress)
        assert projection.feed(MESSAGE + LAST + program) == program
        assert projection.feed(program) is program


def test_on_standard_error_the_program_speaks_after_finished() -> None:
    finished = b"\x1b[1m\x1b[92m    Finished\x1b[0m `dev` profile [unoptimized] target(s) in 0.1s\n"
    assert seen(BAR + ERASE + finished + BAR + MESSAGE, json=False) == finished + BAR + MESSAGE


def test_messages_are_cut_until_the_last_even_after_finished() -> None:
    assert seen(b"    Finished x\n" + MESSAGE + BAR + LAST) == b"    Finished x\n" + BAR


@pytest.mark.parametrize("text", [
    b"Password: ", b"  Continue? [y/N] ", b"{not json", b'{"reason": "no"}', b"    --> src", b"[script 0.3.0] ", b"> ",
    b"\x1b[32mready\x1b[0m", b"[y/N] ", b"    Building.", b"a\x1b[",
])  # fmt: skip
def test_a_prompt_passes_at_once(text: bytes) -> None:
    projection = Projection(cut_json=True, cut_progress=True)
    assert projection.feed(b"line\n") + projection.feed(text) == b"line\n" + text


@pytest.mark.parametrize("text", [
    b"    Building [=> ] 1/2: x\r\n", b"    Building a house\r\n", b"Building [=> ] 1/2\r",
    b"      Building [=>] 1/2\r", b"    building [=> ] 1/2: x\r", b"text \x1b[K more\n", b"12%\r13%\r14%\n",
    b"x" + BAR, b"\x1b[Kx\n", b"[1/2] Building\r", b'x{"reason":"compiler-artifact"}\n',
])  # fmt: skip
def test_text_that_only_resembles_is_kept(text: bytes) -> None:
    for size in (1, 1000):
        assert seen(text + b"y", size=size) == text + b"y"


def test_a_torn_end_shows_no_piece_of_a_bar() -> None:
    for torn in (BAR[:-1], BAR, BAR + ERASE[:2], BAR[:40], BARE_BAR[:9]):
        assert seen(b"text\n" + torn) == b"text\n"
    assert seen(b"text\n" + MESSAGE[:30]) == b"text\n"
    assert seen(b"text\n    Finis") == b"text\n    Finis"
    assert seen(b'text\n{"rea') == b'text\n{"rea'


@pytest.mark.parametrize("start", [b"", b"    Building ", b"[=", b'{"reason":"x', b"\x1b[1m", b"\x1b]9;4;1"])
def test_a_line_of_10_mb_is_neither_held_nor_scanned_twice(start: bytes) -> None:
    projection = Projection(cut_json=True, cut_progress=True)
    out = projection.feed(start)
    chunk = b" " * 65536
    for _ in range(160):
        out += projection.feed(chunk)
        assert len(projection._held) <= 2 * MAX_SEGMENT_BYTES
    out += projection.feed(b"\nnext\n") + projection.close()
    assert out == (b"" if start.startswith(b"{") else start + chunk * 160 + b"\n") + b"next\n"


def test_a_bar_longer_than_any_terminal_is_text_at_any_cut() -> None:
    long = b"    Building [=> ] 1/2: " + b"x" * MAX_SEGMENT_BYTES + b"\r"
    for size in (1000, 8190, 1 << 20):
        assert seen(long + b"y\n", size=size) == long + b"y\n"


def test_the_report_to_the_terminal_emulator_goes_with_the_bar() -> None:
    report = b"\x1b]9;4;1;80\x1b\\"
    content = report + BAR[:-1] + report + b"\r" + ERASE + report + MESSAGE + report + b"   Compiling x\n"
    for size in (1, 1000):
        assert seen(content, size=size) == b"   Compiling x\n"
    assert seen(report + b"   Compiling x\n", progress=False) == report + b"   Compiling x\n"


def test_the_arguments_that_we_added_are_not_shown() -> None:
    for name in ("test-color", "test-abort"):
        raw, shown = log(name), seen(log(name), color_args=True)
        assert b"--color always`" in raw
        assert b"--color always`" not in shown
        assert b"--test-args" not in shown
        assert shown.count(b"     Running") == raw.count(b"     Running")
    assert b"--test-args --color --test-args always" in log("test-color")
    assert b"--crate-type lib --color always" in seen(log("test-color"), color_args=True), "cargo's own, for rustdoc"


def test_colour_arguments_in_other_lines_are_the_programs_own() -> None:
    program = b"I run with --color always\n     Running late --color always\nx `a --color always`\n"
    assert seen(LAST + program, color_args=True) == program
    unfinished = b"     Running `/x/deps/a-0123456789abcdef --color always`"
    assert seen(LAST + unfinished, color_args=True) == unfinished.replace(b" --color always", b"")


def test_the_hot_path_imports_little_for_it() -> None:
    code = "import sys; sys.path.insert(0, '.'); import core.parsers.projection; print(*sys.modules)"
    flags = [sys.executable, "-I", "-S", "-c", code]
    loaded = subprocess.run(flags, capture_output=True, text=True, check=True, cwd=DATA.parent.parent).stdout.split()
    assert "core.parsers.projection" in loaded
    assert not {"typing", "dataclasses", "json", "pathlib"} & set(loaded)
