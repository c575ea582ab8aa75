"""What a call of nvcc that failed said is wrong."""

from core import events as e
from core.parsers.call_errors import MAX_ERRORS, parse_call_errors

COMPILER = """src/near.cuh(4): error: identifier "x" is undefined
      return x;
             ^

src/k.cu(9): warning #177-D: variable "y" was declared but never referenced

src/k.cu(12): error #20014: calling a __host__ function is not allowed

2 errors detected in the compilation of "src/k.cu".
"""


def test_errors_are_told_in_order_also_those_of_headers_and_no_warnings() -> None:
    first, second = parse_call_errors(COMPILER)
    assert (first.file, first.line, first.message) == ("src/near.cuh", 4, 'identifier "x" is undefined')
    assert first.rendered.split("\n")[1:] == ["      return x;", "             ^"]
    assert (second.file, second.line, second.code) == ("src/k.cu", 12, "20014")


def test_what_is_known_as_no_error_is_told_whole() -> None:
    said = "/usr/bin/ld: k.o: in function `main':\nk.cu:(.text+0x5): undefined reference to `gone'\n"
    assert parse_call_errors(said) == (
        e.CallError("/usr/bin/ld: k.o: in function `main':", None, None, None, None, said.rstrip("\n")),
    )
    assert parse_call_errors("\n") == ()


def test_a_flood_is_cut_and_hostile_text_is_harmless() -> None:
    assert len(parse_call_errors("".join(f"a.cu({at}): error: no\n\n" for at in range(1, 500)))) == MAX_ERRORS
    long = "".join(f"a.cu({at}): error: {'x' * 3000}\n\n" for at in range(1, 9))
    assert len(parse_call_errors(long)) == 3
    (evil,) = parse_call_errors("a.cu(1): error: \x1b]0;t\x07\x1b[31mred\x1b[0m\u202e\n")
    assert not set("\x1b\x07\u202e") & set(evil.message + evil.rendered)
