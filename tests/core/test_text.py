"""Foreign bytes become text that a terminal may be given."""

import pytest

from core.parsers.text import cut, plain, sanitise, strip_sgr


@pytest.mark.parametrize(("line", "text"), [
    (b"plain \t text", "plain \t text"), ("ü 漢字".encode(), "ü 漢字"), (b"\xff\xfea", "\ufffd\ufffda"),
    (b"\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"), (b"\x1b[38:2:1:2:3mx", "\x1b[38:2:1:2:3mx"),
    (b"a\x1b]52;c;QUJD\x07b", "ab"), (b"a\x1b]0;title\x1b\\b", "ab"), (b"a\x1b]0;never ended", "a"),
    (b"\x1b]8;;https://x.org\x1b\\link\x1b]8;;\x1b\\", "link"), (b"\x1bP1;2q...\x1b\\z", "z"),
    (b"\x1b_app\x1b\\z", "z"),
    (b"\x1b[2J\x1b[10;5Hx\x1b[?1049h", "x"), (b"\x1b[31", ""), (b"\x1b", ""), (b"a\x1bcb\x1b(Bc", "abc"),
    (b"\xc2\x9b31mx", "x"), (b"\xc2\x9d0;t\xc2\x9cx", "x"), (b"a\x00\x07\x08\x7fb", "ab"),
    (b"a\rb\x0bc", "abc"),
    ("a\u202eb\u2066c\u2028d\ufeff".encode(), "abcd"), (b"[red]markup[/red]", "[red]markup[/red]"),
    (b"\x1b]0;a\x1b[31mb", "\x1b[31mb"),
])  # fmt: skip
def test_only_colours_survive(line: bytes, text: str) -> None:
    assert sanitise(line) == text


def test_colours_can_be_taken_out_too() -> None:
    assert plain(b"\x1b[1m\x1b[91merror\x1b[0m: x") == "error: x"
    assert strip_sgr("no escape") == "no escape"


@pytest.mark.parametrize(("text", "columns", "kept"), [
    ("abcdef", 3, "abc"), ("abc", 3, "abc"), ("漢字x", 4, "漢字"), ("漢字x", 3, "漢"),
    ("e\u0301e\u0301e", 2, "e\u0301e\u0301"),
    ("\x1b[31mabcdef\x1b[0m", 2, "\x1b[31mab\x1b[0m"),
    ("ab\x1b[31m漢cd\x1b[0me", 4, "ab\x1b[31m漢\x1b[0m"), ("", 0, ""),
])  # fmt: skip
def test_text_is_cut_to_columns(text: str, columns: int, kept: str) -> None:
    assert cut(text, columns) == kept


def test_of_10_mb_only_the_beginning_is_looked_at() -> None:
    assert sanitise(b"\x1b[31m" + b"x" * 10_000_000, 20) == "\x1b[31m" + "x" * 20
    assert len(sanitise(b"x" * 10_000_000)) == 1 << 16
