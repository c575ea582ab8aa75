"""Text of others in sentences of ours."""

import pytest

from core.plan.foreign import first_line, plain, short

HOSTILE = ["\x1b[2J", "a\rb", "a\nb", "\udcff", "\u202eabc", "\x9b31m", "\0", "", "x" * 500, "\x1b" * 500]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("most", [1, 2, 40, 160])
def test_what_comes_out_is_printable_and_no_longer_than_wanted(text: str, most: int) -> None:
    for make in (plain, first_line, short):
        made = make(text, most)
        assert made.isprintable()
        assert len(made) <= most


def test_what_a_terminal_would_obey_can_be_read() -> None:
    assert plain("a\x1b[31m\n") == "a\\x1b[31m\\n"
    assert plain("ümlaut – 字") == "ümlaut – 字"


def test_of_many_lines_the_first_that_says_something_is_taken() -> None:
    assert first_line("\n  \n  error: no\nmore") == "error: no"
    assert first_line(" \n") == ""


def test_what_is_cut_says_so_and_a_title_has_no_credential() -> None:
    assert (plain("abcdef", 4), plain("abcd", 4)) == ("abc…", "abcd")
    assert short("--cfg token=abcdefgh") == "--cfg token=***"
