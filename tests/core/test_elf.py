"""What lies where a program should be: torn, overwritten while it is read, or made to be odd."""

import struct
from pathlib import Path

import pytest

from core.watch.elf import read_sizes
from core.watch.made_in import made_in


def write_program(path: Path, *, table: int = 64, count: int = 2, names_at: int = 1, names: int = 192) -> str:
    """A header and two sections: what makes no sense is up to the test."""
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 0, table, 0, 64, 0, 0, 64,
                                                               count, names_at)  # fmt: skip
    sections = bytes(64) + struct.pack("<IIQQQQIIQQ", 1, 3, 0, 0, names, 16, 0, 0, 1, 0)
    path.write_bytes(header + sections + b"\0.shstrtab\0\0\0\0\0\0")
    return str(path)


def test_a_program_is_read(tmp_path: Path) -> None:
    sizes = read_sizes(write_program(tmp_path / "app"))
    assert sizes is not None
    assert (sizes.text, sizes.debug) == (0, 0)


@pytest.mark.parametrize(
    "odd",
    [{"count": 0, "names_at": 0}, {"names_at": 9}, {"table": 2**64 - 1}, {"table": 2**63}, {"names": 2**64 - 8}],
    ids=str,
)
def test_an_odd_program_says_nothing_and_breaks_nothing(tmp_path: Path, odd: dict[str, int]) -> None:
    path = write_program(tmp_path / "app", **odd)
    assert read_sizes(path) is None
    assert made_in(path, "src/main.rs", ("/w",)) == ""
